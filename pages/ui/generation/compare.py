"""Two pictures compared: by a divider between them, side by side, and as a difference in colour and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from core.bootstrap import Studio
from core.domain.enlarging import enlarged
from core.domain.errors import StoredImageDamaged, StoredImageMissing, StoredImageUnreadable
from core.domain.files.encoding import encoded
from core.domain.generation import Generation
from core.domain.geometry import Bounds, Size
from core.domain.in_words import in_words
from core.domain.params import PARAMETERS
from core.domain.pixels import compositing
from core.domain.pixels.colour import as_srgb
from core.domain.pixels.mask import Mask
from core.domain.reproduction import Difference, compare, heat_map
from core.services.gallery import Gallery
from pages.ui.components.comparison_slider import Layer, comparison_slider
from pages.ui.shell.media import address
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.table import table

SCREEN = Size(1280, 1280)
"""Pictures are shown at most this large; a close up shows a part of this size with all its pixels."""

TALLEST_PX = 520

SLIDER, SIDE_BY_SIDE, RESULT, MASK, DIFFERENCE = "Slider", "Side by side", "Result", "Mask", "Difference"
WHOLE, PAINTED, PIXELS = "Whole picture", "Painted part", "Full resolution"

TINT = (220, 38, 38)


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on the screen. key: in the image store. size: in pixels. title: stands with it. alt: says more."""

    key: str
    size: Size
    title: str
    alt: str


def before_after(studio: Studio, generation: Generation, key: str) -> None:
    """A generation beside what was there before: as the artist likes to look at it.

    key: a name of its own for each place on the page. Without a result: the original and the mask.
    """
    gallery, before = studio.gallery, _original(generation, "Before")
    if generation.output is None:
        if not generation.status.is_active:
            st.caption("There is no result. The original and the mask are kept, so you can run it again.")
        _two_columns(lambda: _screen(gallery, before), lambda: _masked_screen(gallery, generation), before.size)
        return
    if generation.is_imported_picture:
        _single_picture(_screen(gallery, _result(generation, "Picture")), before.size)
        return
    after = _result(generation, "After")
    guides = {guide.title: guide.picture for guide in generation.guides}
    with _controls():
        view = _choice("View", [SLIDER, SIDE_BY_SIDE, RESULT, MASK, *guides, DIFFERENCE], f"view-{key}")
        part = None if view in guides else _part(before.size, generation.painted_part, key)
    with shown_errors():
        if view in guides:
            guide = Shown(guides[view], gallery.size(guides[view]), view, f"{view}: {_title(generation)}")
            _single_picture(_screen(gallery, guide), guide.size)
        elif view == MASK:
            _two_columns(
                lambda: _screen(gallery, after, part),
                lambda: _masked_screen(gallery, generation, part),
                after.size,
                part,
            )
        elif view == RESULT:
            _single_picture(_screen(gallery, after, part), part.size if part else after.size)
        elif view == DIFFERENCE:
            _difference(gallery, before, after, part, key)
        elif view == SIDE_BY_SIDE:
            _side_by_side(gallery, before, after, part, key)
        else:
            _slider(gallery, before, after, part, key, beside(_changed(gallery, [generation], part)))


def comparison(studio: Studio, left_id: str, right_id: str) -> None:
    """Two generations beside each other. The same one twice: its result beside its original."""
    with shown_errors():
        left, right = studio.gallery.get(left_id), studio.gallery.get(right_id)
        if left.id == right.id:
            before_after(studio, left, f"compare-{left.id}")
            return
        for generation in (left, right):
            if generation.output is None:
                st.info(f"{_title(generation)} has no result, so there is nothing to compare.", icon=":material/info:")
                return
        _compared(studio, left, right)
        _choices_that_differ(left, right)


def overlay_slider(gallery: Gallery, left: Shown, right: Shown, key: str) -> None:
    """Two pictures of one size with a divider between them, and nothing to choose."""
    _slider(gallery, left, right, None, key, 0.5)


def _compared(studio: Studio, left: Generation, right: Generation) -> None:
    sides = _result(left, "Left"), _result(right, "Right")
    key = f"compare-{left.id}-{right.id}"
    if sides[0].size != sides[1].size:
        st.info(
            f"These two pictures have different sizes ({sides[0].size} and {sides[1].size} pixels): they can be "
            "compared side by side, but not overlaid.",
            icon=":material/info:",
        )
        _side_by_side(studio.gallery, *sides, None, key)
        return
    with _controls():
        view = _choice("View", [SLIDER, SIDE_BY_SIDE, DIFFERENCE], f"view-{key}")
        part = _part(sides[0].size, left.painted_part or right.painted_part, key)
    if view == DIFFERENCE:
        _difference(studio.gallery, *sides, part, key)
    elif view == SIDE_BY_SIDE:
        _side_by_side(studio.gallery, *sides, part, key)
    else:
        _slider(studio.gallery, *sides, part, key, amid(_changed(studio.gallery, [left, right], part)))


def _choices_that_differ(left: Generation, right: Generation) -> None:
    one, other = left.params.model_dump(), right.params.model_dump()
    differ = [name for name in one if one[name] != other[name]]
    if not differ:
        st.caption("Both have the same parameters and the same seed.")
        return
    st.markdown("**Different parameters**")
    table(
        "Parameters that differ",
        {
            "Parameter": [PARAMETERS[name].title if name in PARAMETERS else name for name in differ],
            "Left": [_value(name, one[name]) for name in differ],
            "Right": [_value(name, other[name]) for name in differ],
        },
    )


def _value(name: str, value: Any) -> str:
    value = in_words(name, value)
    text = f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    return (text if len(text) <= 300 else text[:300] + "…") or "(none)"


def _original(generation: Generation, title: str) -> Shown:
    size = Size(generation.width, generation.height)
    return Shown(generation.source, size, title, f"{title}: the original picture")


def _result(generation: Generation, title: str) -> Shown:
    size = Size(generation.width, generation.height)
    return Shown(generation.result, size, title, f"{title}: {_title(generation)}")


def _title(generation: Generation) -> str:
    words = generation.title or " ".join(generation.params.prompt.split()) or "no prompt"
    return f"“{words[:80]}{'…' if len(words) > 80 else ''}”, seed {generation.params.seed}"


def _controls() -> DeltaGenerator:
    return st.container(horizontal=True, vertical_alignment="bottom", gap="medium")


def _choice(label: str, options: list[str], key: str) -> str:
    return st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        key=key,
        label_visibility="collapsed",
        wrap=True,
    )


def _part(picture: Size, painted: Bounds | None, key: str) -> Bounds | None:
    """The part of the picture that is looked at; None for all of it."""
    options = [WHOLE]
    if painted is not None and painted.size != picture:
        options.append(PAINTED)
    if picture.fitted(SCREEN) != picture:
        options.append(PIXELS)
    if len(options) == 1:
        return None
    chosen = _choice("Part", options, f"part-{key}")
    if chosen == PAINTED:
        return painted
    return _close_up(picture, painted, key) if chosen == PIXELS else None


def _close_up(picture: Size, painted: Bounds | None, key: str) -> Bounds:
    """A part as large as the screen, around the painted part at first."""
    around = painted or Bounds(0, 0, *picture)
    wide, tall = min(SCREEN.width, picture.width), min(SCREEN.height, picture.height)
    left = _place("From left to right", (around.left + around.right - wide) // 2, picture.width - wide, f"x-{key}")
    top = _place("From top to bottom", (around.top + around.bottom - tall) // 2, picture.height - tall, f"y-{key}")
    return Bounds(left, top, left + wide, top + tall)


def _place(label: str, at: int, most: int, key: str) -> int:
    if most <= 0:
        return 0
    return st.slider(f"{label} (px)", 0, most, min(max(0, at), most), key=key, width=240)


Box = tuple[int, int, int, int]
Reach = tuple[float, float]
"""Where something begins and ends from left to right, as shares of the width."""

NARROW = 0.02
"""Of the width: the divider is still seen at the very edge, and stands beside a thing and not upon it."""


def beside(reach: Reach) -> float:
    """Where a divider shows all of this on its right: what was changed is seen at once, wherever it is."""
    return max(NARROW, reach[0] - NARROW)


def amid(reach: Reach) -> float:
    """Where a divider shows half of this on either side: both of two results are seen."""
    return (reach[0] + reach[1]) / 2


def _changed(gallery: Gallery, generations: Sequence[Generation], part: Bounds | None) -> Reach:
    """What was repainted in any of them, within the part that is looked at; its middle where that is not known."""
    left, right = (part.left, part.right) if part else (0, generations[0].width)
    found = [span for generation in generations if (span := _span(gallery, generation)) is not None]
    inside = [(max(begins, left), min(ends, right)) for begins, ends in found if ends > left and begins < right]
    if not inside:
        return 0.5, 0.5
    begins, ends = min(begins for begins, _ in inside), max(ends for _, ends in inside)
    return (begins - left) / (right - left), (ends - left) / (right - left)


def _span(gallery: Gallery, generation: Generation) -> tuple[int, int] | None:
    """From which pixel to which from the left the result may differ. None for a lost or empty mask."""
    if generation.is_imported_picture:
        return None
    try:
        box = _mask_box(gallery, generation.mask)
    except (StoredImageMissing, StoredImageDamaged):
        return None
    around = generation.params.mask_grow_px + generation.params.mask_feather_px
    factor = generation.width // generation.source_size.width
    return box and (max(0, box[0] - around) * factor, min(generation.source_size.width, box[2] + around) * factor)


@st.cache_data(max_entries=500, show_spinner=False)
def _mask_box(_gallery: Gallery, mask: str) -> Box | None:
    bounds = Mask.from_image(_gallery.image(mask)).visible.bounds
    return bounds.box if bounds else None


def _slider(gallery: Gallery, left: Shown, right: Shown, part: Bounds | None, key: str, at: float) -> None:
    try:
        first, second = (
            Layer(address(file, f"{key}.{side.title}", _mime(file)), side.title, side.alt)
            for side in (left, right)
            for file in (_screen(gallery, side, part)[0],)
        )
    except (StoredImageMissing, StoredImageDamaged, StoredImageUnreadable):
        # The one that is still there is shown, and of the other what became of it.
        _side_by_side(gallery, left, right, part, key)
        return
    comparison_slider(first, second, part.size if part else left.size, key=f"slider-{key}", at=at)


def _side_by_side(gallery: Gallery, left: Shown, right: Shown, part: Bounds | None, key: str) -> None:
    _two_columns(lambda: _screen(gallery, left, part), lambda: _screen(gallery, right, part), left.size, part)


def _difference(gallery: Gallery, left: Shown, right: Shown, part: Bounds | None, key: str) -> None:
    with st.spinner("Comparing all pixels", show_time=True):
        heat, difference = _measured(gallery, left.key, right.key, right.size.sides, part.box if part else None)
    words = "Difference: black = identical, brighter = larger difference"
    _single_picture((heat, words, "Where the two pictures differ"), part.size if part else left.size)
    _difference_figures(difference, "of this part" if part else "of the picture")


def _difference_figures(difference: Difference, of: str) -> None:
    if not difference.changed:
        st.markdown(f"Every pixel {of} is the same.")
        return
    psnr = f" PSNR: **{difference.psnr:.1f} dB**." if difference.psnr is not None else ""
    st.markdown(
        f"**{difference.changed:.2%}** of the pixels {of} differ, "
        f"at most by **{difference.max_difference * 255:.0f} of 255**.{psnr}",
        help=(
            "The maximum is the largest difference of any colour value, from 0 to 255. PSNR (peak signal-to-noise "
            "ratio): higher is more alike; above about 40 dB the difference is hardly visible."
        ),
    )


Picture = tuple[bytes, str, str]
"""The file, what stands under it, and what it shows for those who do not see it."""


def _single_picture(picture: Picture, shape: Size) -> None:
    """As wide as there is room, but no taller than a screen leaves room for."""
    file, title, alt = picture
    with st.container(width=max(120, round(TALLEST_PX * shape.width / shape.height))):
        st.image(file, caption=title, alt=alt, width="stretch")


def _two_columns(
    left: Callable[[], Picture], right: Callable[[], Picture], size: Size, part: Bounds | None = None
) -> None:
    for column, picture in zip(st.columns(2), (left, right), strict=True):
        with column, shown_errors():
            _single_picture(picture(), part.size if part else size)


def _screen(gallery: Gallery, shown: Shown, part: Bounds | None = None) -> Picture:
    return _screen_file(gallery, shown.key, shown.size.sides, part.box if part else None), shown.title, shown.alt


def _masked_screen(gallery: Gallery, generation: Generation, part: Bounds | None = None) -> Picture:
    size = (generation.width, generation.height)
    picture = _masked(gallery, generation.source, generation.mask, size, part.box if part else None)
    return picture, "Mask", "The original with the mask in red"


Sides = tuple[int, int]


def _at_size(gallery: Gallery, key: str, sides: Sides) -> Image.Image:
    """The original of an upscale is looked at as large as its result."""
    image = gallery.image(key)
    factor, rest = divmod(sides[0], image.width)
    return image if rest or factor < 2 else enlarged(image, factor)


@st.cache_data(max_entries=32, show_spinner=False)
def _screen_file(_gallery: Gallery, key: str, sides: Sides, box: Box | None) -> bytes:
    return _for_screen(_at_size(_gallery, key, sides), box)


@st.cache_data(max_entries=16, show_spinner=False)
def _masked(_gallery: Gallery, source: str, mask: str, sides: Sides, box: Box | None) -> bytes:
    """The original with the mask in red."""
    original = eight_bit(_at_size(_gallery, source, sides))
    weight = Mask.from_image(_at_size(_gallery, mask, sides)).to_image().point(lambda value: value * 6 // 10)
    return _for_screen(Image.composite(Image.new("RGB", original.size, TINT), original, weight), box)


@st.cache_data(max_entries=16, show_spinner=False)
def _measured(_gallery: Gallery, left: str, right: str, sides: Sides, box: Box | None) -> tuple[bytes, Difference]:
    images = (_at_size(_gallery, key, sides) for key in (left, right))
    one, other = (image.crop(box) if box else image for image in images)
    if one.mode != other.mode:
        one, other = eight_bit(one), eight_bit(other)
    return _for_screen(heat_map(one, other, SCREEN), None), compare(one, other, Mask.empty(Size(*one.size)).inverted)


def eight_bit(image: Image.Image) -> Image.Image:
    """RGB for the screen, in sRGB; transparency is laid on white."""
    return compositing.for_screen(image, Size(*image.size))


def _for_screen(image: Image.Image, box: Box | None) -> bytes:
    part = image.crop(box) if box else image
    part = eight_bit(part) if part.mode == "I;16" else part
    size = Size(*part.size).fitted(SCREEN)
    if size != Size(*part.size):
        part = part.resize(size.sides, Image.Resampling.LANCZOS, reducing_gap=2.0)
    screen = as_srgb(part)
    if screen.mode != "RGB":
        return encoded(screen, "WEBP", quality=90, method=0)
    # A tenth of the time of a WEBP, which was most of what a new result costs the page.
    return encoded(screen, "JPEG", quality=90)


def _mime(file: bytes) -> str:
    return "image/jpeg" if file.startswith(b"\xff\xd8") else "image/webp"
