"""The candidates of a draft: what was made from its open picture, newest first, and what is done with one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.errors import StudioError
from core.domain.generation import Generation
from core.domain.geometry import Bounds, Size
from core.domain.in_words import in_words
from core.domain.params import PARAMETERS
from pages.ui.generation.actions import move_to_trash
from pages.ui.inpaint.again import another_seed, can_vary, continued, reads, variations
from pages.ui.inpaint.painter import shares
from pages.ui.shell import prepared, state
from pages.ui.shell.media import address
from pages.ui.shell.wording import beginning

MOST = 12
MOST_OF_LARGE, LARGE = 4, 4_000_000
"""Of pictures with more pixels than that: after a restart each is decoded anew, for seconds."""

TITLE_SHOWN = 40
CHANCE = ("seed", "variation_seed")


@dataclass(frozen=True, slots=True)
class Candidate:
    """picture: address of the part that was painted, with all its pixels. box: where it lies: left, top, width and
    height as shares of the whole. title: what tells it from the others. checked: whether nothing outside of the mask
    has changed, if that is known. again, vary: whether chance makes another one of it.
    """

    id: str
    picture: str
    box: tuple[float, float, float, float]
    title: str
    prompt: str
    favourite: bool
    checked: bool | None
    again: bool
    vary: bool


def candidates(studio: Studio, draft: Draft) -> list[Generation]:
    """Of this draft, newest first."""
    made = studio.gallery.known((*draft.earlier, *draft.generations))
    found = [one for one in reversed(made) if one.output is not None and one.deleted_at is None]
    return found[: MOST if not found or found[0].width * found[0].height <= LARGE else MOST_OF_LARGE]


def told(studio: Studio, generations: Sequence[Generation], key: str) -> list[dict[str, Any]]:
    """As the painter is told of them. key: of the painter. What cannot be read is left out: the gallery says why."""
    made = []
    for generation, title in zip(generations, _titles(generations), strict=True):
        with suppress(StudioError):
            made.append(asdict(_told(studio, generation, title, key)))
    return made


def _told(studio: Studio, generation: Generation, title: str, key: str) -> Candidate:
    whole = Size(generation.width, generation.height)
    box = generation.painted_part or Bounds(0, 0, *whole)
    return Candidate(
        generation.id,
        address(prepared.part_of(studio, generation.result, box.box), f"{key}.{generation.id}", "image/jpeg"),
        shares(box, whole),
        title,
        beginning(generation.params.prompt, TITLE_SHOWN),
        generation.favourite,
        generation.record.outside_mask_unchanged,
        reads(studio, generation, "seed"),
        can_vary(studio, generation),
    )


def _titles(generations: Sequence[Generation]) -> list[str]:
    """What differs from the one made before it, else what chance decided."""
    return [
        _difference(generation, older) if older is not None else _seed(generation)
        for generation, older in zip(generations, [*generations[1:], None], strict=False)
    ]


def _difference(generation: Generation, older: Generation) -> str:
    one, other = generation.params.model_dump(), older.params.model_dump()
    differ = [name for name in PARAMETERS if name not in CHANCE and one[name] != other[name]]
    if not differ or generation.params.variation_strength:
        return _seed(generation)
    name = differ[0]
    value = in_words(name, one[name])
    words = f"{value:g}" if isinstance(value, float) else str(PARAMETERS[name].choices.get(value, value))
    return beginning(f"{PARAMETERS[name].title} {words}", TITLE_SHOWN)


def _seed(generation: Generation) -> str:
    params = generation.params
    return f"Variation {params.variation_seed}" if params.variation_strength else f"Seed {params.seed}"


# What is done with one of them -----------------------------------------------------------------------------------


def act(studio: Studio, id: str, name: str, candidate: str) -> None:
    """What was asked for in the painter of the draft of this id. Anybody can send anything: what is none of its
    candidates, or no action, is left alone. Raises what the action raises."""
    draft = studio.drafts.get(id) or Draft()
    if name in WAYS:
        if (other := WAYS[name](studio, id, draft)) is not None:
            state.return_to_draft(other)
            if name == "back":
                state.set_value(_forward_key(other), id)
        return
    if name in ACTIONS and candidate in (*draft.earlier, *draft.generations):
        ACTIONS[name](id, studio, studio.gallery.get(candidate))


def _discard(id: str, studio: Studio, generation: Generation) -> None:
    move_to_trash(studio, [generation])


def _favourite(id: str, studio: Studio, generation: Generation) -> None:
    studio.gallery.set_favourite([generation.id], not generation.favourite)


def _choose(id: str, studio: Studio, generation: Generation) -> None:
    state.set_value(chosen_key(id), generation.id)


def before(studio: Studio, id: str, draft: Draft) -> str | None:
    """The id of the draft with the picture that this one was made from."""
    return draft.before if draft.before is not None and studio.drafts.get(draft.before) is not None else None


def after(studio: Studio, id: str, draft: Draft) -> str | None:
    """The id of the one from which somebody has come back to this one."""
    forward: str | None = state.snapshot().get(_forward_key(id))
    return forward if forward is not None and studio.drafts.get(forward) is not None else None


WAYS = {"back": before, "forward": after}


def _forward_key(id: str) -> str:
    return f"{id}.forward"


def chosen_key(id: str) -> str:
    return f"{id}.candidate"


ACTIONS: dict[str, Callable[[str, Studio, Generation], object]] = {
    "accept": continued,
    "accept-masked": partial(continued, keeps_mask=True),
    "again": another_seed,
    "choose": _choose,
    "discard": _discard,
    "favourite": _favourite,
    "vary": variations,
}
