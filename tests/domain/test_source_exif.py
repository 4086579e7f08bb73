"""What a photo's file says about the photo: kept exactly, but for what belongs to the old file and for the place."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from core.domain.files.picture import read_picture
from core.domain.files.source_exif import dpi_of, for_file, has_place, without_place
from tests.conftest import a_picture

Base, Ifd = ExifTags.Base, ExifTags.IFD

PHOTO = {
    Base.Make: "Canon",
    Base.Model: "EOS R5",
    Base.Software: "Lightroom",
    Base.DateTime: "2024:05:06 09:00:00",
    Base.Artist: "Zoë Müller",
    Base.Copyright: "© Zoë Müller",
    Base.XResolution: 300.0,
    Base.YResolution: 300.0,
    Base.ResolutionUnit: 2,
}
SHOT = {
    Base.ExposureTime: IFDRational(1, 250),
    Base.FNumber: IFDRational(28, 10),
    Base.ISOSpeedRatings: 400,
    Base.DateTimeOriginal: "2024:05:06 07:08:09",
    Base.OffsetTimeOriginal: "+02:00",
    Base.SubsecTimeOriginal: "12",
    Base.ExifVersion: b"0232",
    Base.ExposureBiasValue: IFDRational(-1, 3),
    Base.FocalLength: 35.0,
    Base.Flash: 16,
    Base.LensSpecification: (24.0, 70.0, 2.8, 2.8),
    Base.LensModel: "RF24-70mm F2.8 L IS USM",
    Base.ColorSpace: 65535,
}
OWNER = "Zoë Müller"
PLACE = {0: b"\2\3\0\0", 1: "N", 2: (48.0, 12.0, 30.5), 3: "E", 4: (11.0, 34.0, 12.25), 29: "1987:06:05"}


def camera_exif(*, place: bool = True) -> Image.Exif:
    exif = Image.Exif()
    for tag, value in PHOTO.items():
        exif[tag] = value.encode() if isinstance(value, str) else value
    exif[Base.Orientation] = 6
    exif[Base.ImageWidth] = 4711
    inner = exif.get_ifd(Ifd.Exif)
    inner.update(SHOT)
    inner[Base.CameraOwnerName] = OWNER.encode() + b"\0"
    inner.update(
        {Base.MakerNote: b"MAKERNOTE" * 50, Base.UserComment: b"ASCII\0\0\0OLDCOMMENT", Base.ExifImageWidth: 4711}
    )
    inner[Ifd.Interop] = {1: "R03"}
    if place:
        exif.get_ifd(Ifd.GPSInfo).update(PLACE)
    return exif


def file_of(format: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    a_picture().save(file, format, **options)
    return file.getvalue()


def read_back(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


def text(value) -> str:
    return (value.encode("latin-1") if isinstance(value, str) else value).decode()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_camera_date_author_and_resolution_are_kept_exactly(format):
    exif = camera_exif()
    if format == "AVIF":
        # Pillow turns such a picture by a box of its own, and writes EXIF anew for it, as ASCII.
        del exif[Base.Orientation]
    picture = read_picture(file_of(format, exif=exif.tobytes()))

    kept = read_back(picture.exif)
    for tag, value in PHOTO.items():
        assert (text(kept[tag]) if isinstance(value, str) else kept[tag]) == value, tag
    inner = kept.get_ifd(Ifd.Exif)
    for tag, value in SHOT.items():
        assert inner[tag] == pytest.approx(value) if isinstance(value, float | tuple) else inner[tag] == value, tag
    assert kept.get_ifd(Ifd.Interop) == {1: "R03"}


def test_what_belongs_to_the_old_file_is_left_out_and_said():
    picture = read_picture(file_of(exif=camera_exif()))

    kept = read_back(picture.exif)
    assert not {Base.Orientation, Base.ImageWidth} & set(kept)
    assert not {Base.MakerNote, Base.UserComment, Base.ExifImageWidth} & set(kept.get_ifd(Ifd.Exif))
    assert picture.notes == ("Metadata that will not be kept: maker notes.",)


def test_a_file_is_upright_has_its_own_size_and_says_where_only_if_asked():
    block = read_picture(file_of(exif=camera_exif())).exif

    plain, told = (read_back(for_file(block, (64, 96), with_place=place).tobytes()) for place in (False, True))

    assert (plain[Base.Orientation], told[Base.Orientation]) == (1, 1)
    assert [plain.get_ifd(Ifd.Exif)[tag] for tag in (Base.ExifImageWidth, Base.ExifImageHeight)] == [64, 96]
    assert plain.get_ifd(Ifd.GPSInfo) == {}
    assert told.get_ifd(Ifd.GPSInfo)[2] == PLACE[2]
    assert dpi_of(plain) == (300.0, 300.0)


def test_without_the_place_no_byte_of_it_is_left():
    block = read_picture(file_of(exif=camera_exif())).exif

    assert has_place(block)
    assert b"1987:06:05" in block
    assert not has_place(without_place(block))
    assert b"1987:06:05" not in without_place(block)
    assert read_back(without_place(block))[Base.Make] == "Canon"


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {"dpi": (240, 240)}), ("JPEG", {"dpi": (240, 240)}), ("JPEG", {"dpi": (240, 240), "exif": camera_exif()})],
)
def test_the_resolution_is_kept_wherever_it_stands_and_that_of_exif_goes_before(format, options):
    kept = read_back(read_picture(file_of(format, **options)).exif)

    expected = 300 if "exif" in options else 240
    assert dpi_of(kept) == pytest.approx((expected, expected), abs=0.01)


def test_a_resolution_that_nothing_states_is_not_made_up():
    exif = Image.Exif()
    exif[Base.Make] = "Canon"

    assert Base.XResolution not in read_back(read_picture(file_of(exif=exif)).exif)
    assert read_picture(file_of()).exif is None


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/">'
    '<rdf:Description exif:GPSLatitude="48,12.5N">'
    "<dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li><rdf:li>Max</rdf:li></rdf:Seq></dc:creator>"
    '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© Zoë</rdf:li></rdf:Alt></dc:rights>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()


def iptc(*records: tuple[int, bytes]) -> bytes:
    data = b"".join(b"\x1c\2" + bytes([number]) + len(value).to_bytes(2, "big") + value for number, value in records)
    resource = b"8BIM\x04\x04\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)
    content = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_author_and_copyright_of_xmp_are_kept_and_the_rest_is_said_to_be_dropped(format):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
    picture = read_picture(file_of(format, **({"pnginfo": chunks} if format == "PNG" else {"xmp": XMP})))

    kept = read_back(picture.exif)
    assert (text(kept[Base.Artist]), text(kept[Base.Copyright])) == ("Zoë; Max", "© Zoë")
    assert "XMP beyond author and copyright" in picture.notes[0]
    assert b"48,12.5N" not in picture.exif


def test_author_and_copyright_of_iptc_are_kept():
    data = file_of()
    data = data[:2] + iptc((80, "Zoë".encode()), (116, b"(c) Zoe"), (90, b"Munich")) + data[2:]

    picture = read_picture(data)

    kept = read_back(picture.exif)
    assert (text(kept[Base.Artist]), text(kept[Base.Copyright])) == ("Zoë", "(c) Zoe")
    assert "IPTC beyond author and copyright" in picture.notes[0]
    assert b"Munich" not in picture.exif


def test_author_and_copyright_of_a_pngs_texts_are_kept():
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("Author", "Zoë")
    chunks.add_text("Copyright", "CC0")

    kept = read_back(read_picture(file_of("PNG", pnginfo=chunks)).exif)

    assert (text(kept[Base.Artist]), text(kept[Base.Copyright])) == ("Zoë", "CC0")


def test_exif_says_the_author_before_anything_else_does():
    kept = read_back(read_picture(file_of(xmp=XMP, exif=camera_exif())).exif)

    assert text(kept[Base.Artist]) == "Zoë Müller"


def test_how_another_tool_made_a_picture_is_not_about_the_photo():
    exif = Image.Exif()
    exif[Base.Make] = 'workflow:{"nodes": []}'
    exif[Base.Model] = 'prompt: {"3": {}}'
    exif[Base.ImageDescription] = '{"a": 1}'
    exif[Base.Artist] = "x" * 2001
    exif[Base.Software] = "ComfyUI"

    kept = read_back(read_picture(file_of(exif=exif)).exif)

    assert dict(kept) == {Base.Software: "ComfyUI"}


def test_more_than_a_photo_needs_is_dropped_and_said(monkeypatch):
    data = file_of(exif=camera_exif())
    monkeypatch.setattr("core.domain.files.source_exif.MAX_BYTES", len(BLOCK) - 1)

    picture = read_picture(data)

    assert picture.exif is None
    assert "EXIF, which is too long" in picture.notes[0]


@given(st.binary(max_size=300), st.booleans())
def test_whatever_stands_in_a_block_nothing_raises(data, as_tiff):
    block = b"Exif\0\0" + (b"MM\0*\0\0\0\x08" if as_tiff else b"") + data

    made = for_file(block, (10, 10), with_place=True)
    without_place(block)
    has_place(block)
    assert made is None or made.tobytes()


@pytest.mark.filterwarnings("ignore:Tag data larger than file", "ignore:Truncated File Read")
@given(st.data())
def test_a_block_with_flipped_bytes_can_still_be_written(data):
    block = bytearray(BLOCK)
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(6, len(block) - 1))] = data.draw(st.integers(0, 255))

    made = for_file(bytes(block), (10, 10), with_place=data.draw(st.booleans()))

    assert made is None or made.tobytes()


BLOCK = read_picture(file_of(exif=camera_exif())).exif
