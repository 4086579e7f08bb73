"""Which format a file has, by its first bytes, and what to do with one that is not taken."""

from __future__ import annotations

FILE_TYPES = ["png", "jpg", "jpeg", "webp", "avif"]
"""Endings of what is taken, for who asks for a file."""

PNG = b"\x89PNG\r\n\x1a\n"

AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
ANY_BRANDS = {b"mif1", b"msf1"}

EXPORT = "Save it as PNG, JPEG, WEBP or AVIF and open that."
DEVELOP = "Develop it in a raw converter (darktable, RawTherapee, Lightroom) and open the JPEG or PNG that it writes."

RAW = "a camera raw file"

BEGINNINGS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"GIF8", "a GIF", EXPORT),
    (0, b"BM", "a BMP (Windows bitmap)", EXPORT),
    (0, b"IIU\0", f"{RAW} (RW2)", DEVELOP),
    (0, b"IIRO", f"{RAW} (ORF)", DEVELOP),
    (0, b"IIRS", f"{RAW} (ORF)", DEVELOP),
    (0, b"MMOR", f"{RAW} (ORF)", DEVELOP),
    (8, b"CR\2", f"{RAW} (CR2)", DEVELOP),
    (0, b"FUJIFILMCCD-RAW", f"{RAW} (RAF)", DEVELOP),
    (4, b"ftypcrx ", f"{RAW} (CR3)", DEVELOP),
    (0, b"FOVb", f"{RAW} (X3F)", DEVELOP),
    (0, b"\0MRM", f"{RAW} (MRW)", DEVELOP),
    (0, b"II*\0", "a TIFF, or a camera raw file such as DNG, NEF or ARW", EXPORT),
    (0, b"MM\0*", "a TIFF, or a camera raw file such as DNG, NEF or PEF", EXPORT),
    (0, b"II+\0", "a BigTIFF", EXPORT),
    (0, b"MM\0+", "a BigTIFF", EXPORT),
    (0, b"\xff\x0a", "a JPEG XL", EXPORT),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL", EXPORT),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000", EXPORT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000", EXPORT),
    (0, b"II\xbc\x01", "a JPEG XR", EXPORT),
    (0, b"8BPS", "a Photoshop document (PSD)", "Export it from Photoshop, Krita or GIMP as PNG and open that."),
    (0, b"gimp xcf", "a GIMP document (XCF)", "Export it from GIMP as PNG and open that."),
    (30, b"mimetypeapplication/x-krita", "a Krita document", "Export it from Krita as PNG and open that."),
    (30, b"mimetypeimage/openraster", "an OpenRaster document", "Export it as PNG and open that."),
    (0, b"%PDF", "a PDF", "Export the page as PNG and open that."),
    (0, b"%!PS", "a PostScript file", "Export the page as PNG and open that."),
    (0, b"\0\0\1\0", "an icon file (ICO)", EXPORT),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR", EXPORT),
    (0, b"#?RADIANCE", "a Radiance HDR picture", EXPORT),
    (0, b"DDS ", "a DirectDraw surface (DDS)", EXPORT),
    (0, b"qoif", "a QOI picture", EXPORT),
    (0, b"\x8aMNG", "an MNG animation", EXPORT),
    (0, b"PK\3\4", "a zip archive", "Unpack it first. Bundles of this program are imported in the gallery."),
    (0, b"\x1a\x45\xdf\xa3", "a video", "Save one of its frames as PNG and open that."),
    (0, b"version https://git-lfs", "a Git LFS pointer and not the picture itself", "Fetch it with: git lfs pull"),
)
"""Where it stands, what stands there, what it is, what to do."""

TEXTS: tuple[tuple[bytes, str, str], ...] = (
    (b"<svg", "an SVG, a drawing made of shapes", "Export it as PNG at the size you want and open that."),
    (b"<html", "a web page and not the picture itself", "Save the picture from the page and open that."),
    (b"<!doctype html", "a web page and not the picture itself", "Save the picture from the page and open that."),
)


def format_of(data: bytes) -> str | None:
    """PNG, JPEG, WEBP or AVIF by the first bytes; None for everything else."""
    if data.startswith(PNG):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    brands = _brands(data)
    if brands & AVIF_BRANDS or (brands & ANY_BRANDS and not brands & HEIC_BRANDS):
        return "AVIF"
    return None


def sentence_for(data: bytes) -> str:
    """What this file is that is not taken, and what to do."""
    if not data:
        return "This file is empty. Copy or export it again."
    told = _told(data)
    if told is None:
        return "This file cannot be read as a picture. Use a PNG, JPEG, WEBP or AVIF file."
    return f"This file is {told[0]}, which is not supported. {told[1]}"


def _told(data: bytes) -> tuple[str, str] | None:
    if _brands(data) & HEIC_BRANDS:
        return "a HEIC photo", "Save it as JPEG or PNG (on an iPhone: Settings, Camera, Formats, Most Compatible)."
    for at, beginning, what, then in BEGINNINGS:
        if data.startswith(beginning, at):
            return what, then
    if data[4:8] == b"ftyp":
        return "a video", "Save one of its frames as PNG and open that."
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what, then in TEXTS:
        if head.startswith(beginning) or (head.startswith((b"<?xml", b"<!--")) and beginning in head):
            return what, then
    return None


def _brands(data: bytes) -> set[bytes]:
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
