"""Colour profiles: models know sRGB only, and what they paint goes back into the colours of the picture.

By littleCMS, relative colorimetric without black point compensation: the intent that comes back from a round trip.
Pictures in sRGB, or without a profile that can be understood, are left alone.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, features

from core.domain.hashing import sha256_of

INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC

SRGB_WITHIN = 3
"""Levels of 255: profiles of sRGB itself differ by rounding and old measurements."""

GREY_MODES = ("L", "LA", "La", "1", "I;16", "I;16B")
RGB_MODES = ("RGB", "RGBA", "P")
MAX_NAME = 60

PROFILE = "icc_profile"
"""The name of a profile's bytes in the info of a Pillow image."""


@dataclass(frozen=True, slots=True, eq=False)
class ColourSpace:
    """Colours that are not sRGB's. name: of the profile. mode: of Pillow images in this space, RGB or L."""

    name: str
    mode: str
    sha256: str
    _to_srgb: ImageCms.ImageCmsTransform
    _from_srgb: ImageCms.ImageCmsTransform

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """image: of the space's mode. RGB."""
        return _bare(self._to_srgb.apply(image))

    def from_srgb(self, image: Image.Image) -> Image.Image:
        """image: RGB, 8 bits. Of the space's mode."""
        return _bare(self._from_srgb.apply(image.convert("RGB")))

    @property
    def record(self) -> dict[str, Any]:
        """What decides the conversion, for the record of a generation."""
        return {
            "profile": self.name,
            "profile_sha256": self.sha256,
            "intent": "relative colorimetric",
            "littlecms": features.version("littlecms2"),
        }


def space_of(image: Image.Image) -> ColourSpace | None:
    """The colours of an RGB, RGBA or I;16 picture, by its profile; None where they are sRGB's, or taken for them."""
    profile = image.info.get(PROFILE)
    return _understood(profile, _mode_of(image)).space if profile else None


def as_srgb(image: Image.Image) -> Image.Image:
    """An RGB or RGBA picture in sRGB, without its profile: for the screen, which may know no profiles."""
    space = space_of(image)
    if space is None:
        return _bare(image.copy())
    shown = space.to_srgb(image.convert("RGB"))
    if image.mode == "RGBA":
        shown.putalpha(image.getchannel("A"))
    return shown


def kept_profile(opened: Image.Image, mode: str) -> bytes | None:
    """The profile for a picture of this mode that was made of an opened file without touching its colours.

    A grey one becomes one of RGB with the same tone curve where the picture becomes RGB. None if it fits no longer, as
    that of a CMYK file.
    """
    profile = opened.info.get(PROFILE)
    if not profile or opened.mode in RGB_MODES:
        return profile or None
    if opened.mode not in GREY_MODES:
        return None
    if mode == "I;16":
        return profile if _space_name(profile) == "GRAY" else None
    return _rgb_with_curve_of(profile) if _space_name(profile) == "GRAY" else profile


def profile_notes(opened: Image.Image, picture: Image.Image) -> Iterator[str]:
    """What was made of the profile of a file. picture: what became of it."""
    if not opened.info.get(PROFILE) or opened.mode not in (*RGB_MODES, *GREY_MODES):
        return
    profile = picture.info.get(PROFILE)
    if profile is None:
        yield UNFIT.format("other")
        return
    understood = _understood(profile, _mode_of(picture))
    if understood.problem is not None:
        yield understood.problem
    elif understood.space is not None:
        yield (
            f"This picture has the colour profile “{understood.space.name}”: the model sees its colours converted to "
            "sRGB, and the result keeps the profile."
        )


UNFIT = "The colour profile of this picture is for {} colours, so its colours are treated as sRGB."
DAMAGED = "The colour profile of this picture cannot be read; its colours are treated as sRGB."


@dataclass(frozen=True, slots=True)
class _Understood:
    """problem: why a profile is not used, in words; None if it is, or if it is that of sRGB."""

    space: ColourSpace | None = None
    problem: str | None = None


@lru_cache(maxsize=32)
def _understood(profile: bytes, mode: str) -> _Understood:
    wanted = "GRAY" if mode == "L" else "RGB"
    if (found := _space_name(profile)) is None:
        return _Understood(problem=DAMAGED)
    if found != wanted:
        return _Understood(problem=UNFIT.format("grey" if found == "GRAY" else found))
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        to_srgb = ImageCms.buildTransform(own, srgb, mode, "RGB", INTENT)
        from_srgb = ImageCms.buildTransform(srgb, own, "RGB", mode, INTENT)
        space = ColourSpace(_profile_name(own), mode, sha256_of(profile), to_srgb, from_srgb)
        return _Understood(None if _is_srgb(space) else space)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # Some printers' and scanners' profiles know one way only.
        return _Understood(problem=DAMAGED)


def _is_srgb(space: ColourSpace) -> bool:
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    if space.mode == "L":
        colours = np.arange(256, dtype=np.uint8)[None]
        seen = np.asarray(space.to_srgb(Image.fromarray(colours)))[..., 0]
    else:
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        seen = np.asarray(space.to_srgb(Image.fromarray(np.ascontiguousarray(colours))))
    return int(np.abs(seen.astype(np.int16) - colours).max()) <= SRGB_WITHIN


def _space_name(profile: bytes) -> str | None:
    """GRAY, RGB, CMYK, Lab, ...; None if littleCMS cannot open it."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _profile_name(profile: ImageCms.ImageCmsProfile) -> str:
    description = profile.profile.profile_description or ""
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in description).split())
    return words[:MAX_NAME] or "without a name"


def _mode_of(image: Image.Image) -> str:
    return "L" if image.mode.startswith("I") else "RGB"


def _bare(image: Image.Image) -> Image.Image:
    image.info = {}
    return image


HEADER, ENTRY = 128, 12
COLORANTS = {"rXYZ": (0.4361, 0.2225, 0.0139), "gXYZ": (0.3851, 0.7169, 0.0971), "bXYZ": (0.1431, 0.0606, 0.7139)}
"""sRGB's, under D50 (IEC 61966-2-1, adapted): any whose sum is white would do, as grey has equal parts of each."""
WHITE = (0.9642, 1.0, 0.8249)


def _rgb_with_curve_of(grey: bytes) -> bytes | None:
    """A profile in which red, green and blue alike look as the grey profile says. None if it has no tone curve."""
    curve = _tag(grey, b"kTRC")
    if curve is None or curve[:4] not in (b"curv", b"para"):
        return None
    name = b"grey, as RGB\0"
    tags = {"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78), "cprt": b"text\0\0\0\0-\0"}
    tags |= {color: _xyz(value) for color, value in {"wtpt": WHITE, **COLORANTS}.items()}
    tags |= dict.fromkeys(("rTRC", "gTRC", "bTRC"), curve)
    return _profile(grey[8:12], tags)


def _profile(version: bytes, tags: dict[str, bytes]) -> bytes:
    """ICC.1, section 7: header, table of tags, their data each at a multiple of four."""
    offset = HEADER + 4 + ENTRY * len(tags)
    table, data = b"", b""
    for name, tag in tags.items():
        table += name.encode() + struct.pack(">II", offset + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    header = struct.pack(">I4s4s4s4s4s", offset + len(data), bytes(4), version, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz(WHITE)[8:]
    return header.ljust(HEADER, b"\0") + struct.pack(">I", len(tags)) + table + data


def _tag(profile: bytes, name: bytes) -> bytes | None:
    try:
        (count,) = struct.unpack_from(">I", profile, HEADER)
        for nth in range(min(count, 100)):
            found, offset, length = struct.unpack_from(">4sII", profile, HEADER + 4 + ENTRY * nth)
            if found == name:
                return profile[offset : offset + length]
    except struct.error:
        pass
    return None


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)
