"""Our painter: the mask, painted over the picture in the browser (painter/ is its other half).

The browser sends the whole mask as a small PNG, a moment after a stroke and at once when the hand turns to anything
else on the page; it is stored before any other part of that run. A mask that is changed here, by a tool or by another
tab, is shown to the browser by a new revision; what it painted meanwhile it lays over that and sends again.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import InvalidMask, StudioError
from core.domain.files.painted_mask import MAX_PNG_BYTES, painted_size, read_painted, repainted
from core.domain.generation import Generation
from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask
from core.domain.pixels.selection import similar
from pages.ui.inpaint.open_draft import OpenDraft
from pages.ui.shell import prepared, state
from pages.ui.shell.actions import tell_problem
from pages.ui.shell.component import script
from pages.ui.shell.media import address
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.state import PainterInstance

CODE = Path(__file__).parent / "painter.js"
MAX_STAMP = 40
ACTED = "painter.acted"
"""The news that something was asked for which concerns the whole page."""


Act = Callable[[str, str], None]
"""(name of what was asked for, id of a candidate or ""): does it. Anybody can send anything."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the painter shows beside the mask. candidates: as candidates.told says. chosen: the id of the one that the
    page tells more of. back, forward: whether there is a picture before this one, or one that was come back from."""

    candidates: Sequence[Mapping[str, Any]]
    chosen: str | None
    back: bool
    forward: bool
    act: Act


def painter(opened: OpenDraft, shown: Shown) -> None:
    """The picture of this draft with its mask, to paint on. The drawing of the draft, if any, must be in its mask."""
    studio, id, picture = opened.studio, opened.id, opened.picture
    size = painted_size(picture)
    # Once more: the run before may have been cut short by this one.
    take_painted(studio, id)
    draft = opened.read_again().draft
    key = _key(id, draft)
    instance = state.painter_instance(key)
    if instance.shown != draft.base_mask:
        instance = replace(instance, shown=draft.base_mask, revision=instance.revision + 1)
        state.keep_painter_instance(key, instance)
    mask = draft.base_mask and address(
        prepared.painter_mask(studio, draft.base_mask, size.sides), f"{key}.mask", "image/png"
    )
    _component(
        key=key,
        data={
            "code": address(_code(), "painter.code", "text/javascript"),
            "key": key,
            "picture": address(prepared.painter_picture(studio, opened.source), f"{key}.picture", "image/jpeg"),
            "picture_width": picture.width,
            "width": size.width,
            "height": size.height,
            "mask": mask,
            "revision": instance.revision,
            "seen": instance.heard,
            "draft": id,
            "candidates": list(shown.candidates),
            "chosen": shown.chosen,
            "back": shown.back,
            "forward": shown.forward,
        },
        on_painted_change=lambda: take_painted(studio, id),
        on_act_change=lambda: _take_act(studio, id, key, shown.act),
    )


def live_preview(studio: Studio, id: str, generation: Generation, preview: bytes | None) -> None:
    """Lays the preview over the picture of the draft of this id, within the mask that it is painted for."""
    box, told = generation.painted_part, None
    if preview is not None and box is not None:
        whole = Size(generation.width, generation.height)
        mask = prepared.painter_mask(studio, generation.mask, painted_size(whole).sides)
        told = {
            "draft": id,
            "generation": generation.id,
            "picture": address(preview, "preview.picture", "image/jpeg"),
            "mask": address(mask, "preview.mask", "image/png"),
            "box": shares(box, whole),
        }
    _live(key="live-preview", data={"preview": told})


def shares(box: Bounds, whole: Size) -> tuple[float, float, float, float]:
    """Left, top, width and height of the box as shares of the whole."""
    wide, tall = box.size
    return box.left / whole.width, box.top / whole.height, wide / whole.width, tall / whole.height


def _take_act(studio: Studio, id: str, key: str, act: Act) -> None:
    """The stroke that came along goes first. The run that follows is one of the whole page."""
    asked = (state.snapshot().get(key) or {}).get("act")
    take_painted(studio, id)
    if not isinstance(asked, Mapping) or not all(isinstance(asked.get(name), str) for name in ("name", "id")):
        return
    state.flash(ACTED, True)
    try:
        act(asked["name"], asked["id"])
    except StudioError as problem:
        tell_problem(problem)


def _key(id: str, draft: Draft) -> str:
    return f"painter.{id}.{draft.source}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where similar colours were asked for, in pixels of the painter."""

    x: int
    y: int
    tolerance: int
    connected: bool
    subtract: bool


@dataclass(frozen=True, slots=True)
class Painted:
    """What the browser sent. revision: of the mask that it painted on. place: of similar colours, if it asked."""

    png: bytes
    stamp: str
    revision: int
    place: Place | None = None

    @classmethod
    def read(cls, sent: Any) -> Painted:
        """Raises InvalidMask: anybody can send anything."""
        try:
            stamp, revision = sent["stamp"], sent["revision"]
            if not isinstance(stamp, str) or len(stamp) > MAX_STAMP or not isinstance(revision, int):
                raise InvalidMask
            if len(sent["png"]) > MAX_PNG_BYTES * 4 / 3 + 4:
                raise InvalidMask("The painter sent a mask that is too large. Reload the page and paint again.")
            place = sent.get("place")
            if place is not None:
                x, y, tolerance = (int(place[name]) for name in ("x", "y", "tolerance"))
                place = Place(x, y, tolerance, bool(place["connected"]), bool(place["subtract"]))
            return cls(base64.b64decode(sent["png"], validate=True), stamp, revision, place)
        except (TypeError, KeyError, AttributeError, ValueError, OverflowError, binascii.Error) as error:
            raise InvalidMask("The painter sent something else than a mask. Reload the page and try again.") from error


def take_painted(studio: Studio, id: str) -> None:
    """Store what the browser sent last, if it is news. To be called before anything else changes the mask."""
    with shown_errors():
        keep_taken(store_painted(studio, id, state.snapshot()))


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of what the browser sent: the painter of this key as it stands now, or why it is no mask."""

    key: str
    instance: PainterInstance
    problem: InvalidMask | None = None


def keep_taken(taken: Taken | None) -> None:
    """Said last: the run may end here for the next one, and then the browser sends it again. Raises InvalidMask."""
    if taken is None:
        return
    # Heard also if it was none: the browser would send it for ever.
    state.keep_painter_instance(taken.key, taken.instance)
    if taken.problem is not None:
        raise taken.problem


def store_painted(studio: Studio, id: str, session: Mapping[str, Any]) -> Taken | None:
    """The same without a look into the session, of which this is a snapshot. None: there was no news.

    Left out if it was painted on another mask than is stored: it will be sent again. Raises InvalidMask for what is
    nothing of the painter's.
    """
    draft = studio.drafts.get(id) or Draft()
    key = _key(id, draft)
    sent = (session.get(key) or {}).get("painted")
    if sent is None:
        return None
    painted = Painted.read(sent)
    instance = state.painter_instance(key, session)
    is_outdated = painted.revision != instance.revision or draft.base_mask != instance.shown
    if draft.source is None or painted.stamp == instance.heard or is_outdated:
        return None
    heard = replace(instance, heard=painted.stamp)
    try:
        mask = _painted_over(studio, draft, painted.png)
    except InvalidMask as problem:
        return Taken(key, heard, problem)
    taken = Taken(key, replace(heard, shown=_store(studio, id, mask)))
    if painted.place is not None:
        _store(studio, id, with_similar(studio, draft.source, mask, painted.place))
    return taken


def _painted_over(studio: Studio, draft: Draft, png: bytes) -> Mask:
    """The mask in the PNG, as fine as the one that it was painted over."""
    mask = read_painted(png, painted_size(prepared.picture_size(studio, draft.picture)))
    if draft.base_mask is None:
        return mask
    return repainted(Mask.from_image(studio.gallery.image(draft.base_mask)), mask)


def _store(studio: Studio, id: str, mask: Mask) -> str | None:
    key = None if mask.is_empty else studio.drafts.images.put(mask.to_image())
    state.change_draft(studio, id, drawing=None, base_mask=key, **({} if key else {"selection": ()}))
    return key


def with_similar(studio: Studio, source: str, mask: Mask, place: Place) -> Mask:
    """The mask with the similar colours of this picture added, or taken away."""
    with Image.open(io.BytesIO(prepared.painter_picture(studio, source))) as image:
        found = similar(image, (place.x, place.y), tolerance=place.tolerance, connected=place.connected)
    found = found.resized(mask.size)
    return mask.without(found) if place.subtract else mask.union(found)


@cache
def _code() -> bytes:
    return CODE.read_bytes()


_component = script("inpaint_painter", CODE.with_name("loader.js"))
_live = script("inpaint_live", CODE.with_name("live.js"))
