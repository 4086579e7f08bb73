"""A grid of thumbnails: click or Enter opens one, Ctrl or Shift click and Space select several.

A component of our own: st.image in columns took 480 ms of script time for 60 pictures, sent each file re-encoded, and
could neither be clicked nor be reached by keyboard (docs/decisions/0002-thumbnails.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.domain.errors import StudioError
from core.domain.generation import Generation, Status, Verdict
from core.domain.geometry import Size, frame_around
from core.services.gallery import Gallery
from pages.ui.shell.component import component
from pages.ui.shell.media import address
from pages.ui.shell.wording import beginning

STATUS_TITLES = {status: status.capitalize() for status in Status}

# One picture for a screen reader needs a name, also when the artist gave no words.
NO_PROMPT = "(no prompt)"
TITLE_SHOWN = 300

SQUARE = Size(1, 1)
LEAST_SEEN = 0.6
"""Of what fits into a tile: less would enlarge a thumbnail of 384 px beyond the pixels that it has."""


@dataclass(frozen=True, slots=True)
class Tile:
    """picture: address of the thumbnail. view: which part of it is seen, as left, top, width and height in shares of
    the picture; None: its middle. title: the prompt. badge: a word on what is special, with its tone.

    sign: of the newest verdict; said: what it means, for those who cannot see it.
    """

    id: str
    title: str
    picture: str | None = None
    view: tuple[float, float, float, float] | None = None
    badge: str | None = None
    tone: str = "neutral"
    problem: str | None = None
    sign: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class GridAnswer:
    """opened: the id of the tile that was just clicked. selected: ids, in the order of the grid."""

    opened: str | None = None
    selected: tuple[str, ...] = ()


def gallery_grid(
    gallery: Gallery,
    generations: Sequence[Generation],
    *,
    key: str,
    selectable: bool = True,
) -> GridAnswer:
    """Show the thumbnails of these generations. A missing picture gets a sentence in its tile."""
    tiles = [tile_of(gallery, generation, f"{key}.{n}") for n, generation in enumerate(generations)]
    return tile_grid(tiles, key=key, selectable=selectable)


def tile_grid(tiles: Sequence[Tile], *, key: str, selectable: bool = False, label: str | None = None) -> GridAnswer:
    """The same of other things than generations. label: what they are, for those who cannot see it; each title is
    then always seen, not only under the mouse.
    """
    given = _component(
        key=key,
        data={"tiles": tuple(asdict(tile) for tile in tiles), "selectable": selectable, "label": label},
        on_selected_change=lambda: None,
        on_open_change=lambda: None,
    )
    ids = [tile.id for tile in tiles]
    opened = given.get("open")
    selected = set(given.get("selected") or ())
    return GridAnswer(opened if opened in ids else None, tuple(id for id in ids if id in selected))


def tile_of(gallery: Gallery, generation: Generation, coordinates: str) -> Tile:
    """coordinates: the place of the tile on the page, a name of its own for each."""
    picture, problem = None, generation.error
    if generation.thumbnail:
        try:
            picture, problem = address(gallery.thumbnail(generation.id, generation.thumbnail), coordinates), None
        except StudioError as error:
            problem = str(error)
    succeeded = generation.status is Status.SUCCEEDED
    verdict = generation.verdict
    return Tile(
        id=generation.id,
        title=beginning(generation.params.prompt, TITLE_SHOWN) or NO_PROMPT,
        picture=picture,
        view=_view(generation),
        badge=None if succeeded else STATUS_TITLES[generation.status],
        tone=_TONES.get(generation.status, "neutral"),
        problem=problem,
        sign=_SIGNS[verdict] if verdict else None,
        said=f"Reproduction: {verdict}" if verdict else None,
    )


def _view(generation: Generation) -> tuple[float, float, float, float] | None:
    """The painted part with its surroundings; None where it is not known."""
    part = generation.painted_part
    if part is None:
        return None
    picture = Size(generation.width, generation.height)
    frame = frame_around(part, picture, SQUARE, least=LEAST_SEEN)
    width, height = picture
    return frame.left / width, frame.top / height, frame.size.width / width, frame.size.height / height


_SIGNS = {Verdict.EXACT: "=", Verdict.CLOSE: "≈", Verdict.DIFFERENT: "≠"}
_TONES = {Status.FAILED: "bad", Status.RUNNING: "busy", Status.QUEUED: "busy", Status.INTERRUPTED: "odd"}


_component = component("inpaint_gallery_grid", Path(__file__).parent)
