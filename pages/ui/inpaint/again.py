"""From a generation of the open draft to the next one: its result painted on, or the same once more otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.generation import Generation
from pages.ui.shell import state

VARIATIONS = 4
NEAR = 0.2
"""How far a variation turns from the picture it came from."""

EARLIER = 24
"""So many of those submitted before the last ones a draft remembers."""


def submitted(studio: Studio, id: str, ids: Sequence[str], sheet: str | None = None) -> None:
    """Make these the generations of this draft; those of before stay its candidates. sheet: that they belong to."""
    draft = studio.drafts.get(id) or Draft()
    earlier = (*draft.earlier, *draft.generations)[-EARLIER:]
    state.change_draft(studio, id, generations=tuple(ids), earlier=earlier, sheet=sheet)


def reads(studio: Studio, generation: Generation, *names: str) -> bool:
    """Whether all of these parameters have an effect with its model."""
    return not set(names) & set(studio.recommendations.unused(generation.params.model))


def can_vary(studio: Studio, generation: Generation) -> bool:
    # One that is a variation already has no noise of its own to vary: only two seeds are mixed.
    return reads(studio, generation, "seed", "variation_strength") and not generation.params.variation_strength


def continued(id: str, studio: Studio, generation: Generation, *, keeps_mask: bool = False) -> None:
    draft = studio.drafts.continued_from(generation)
    # Chance is free again: what was varied is the picture now.
    params = {**draft.params, "random_seed": True, "variation_strength": 0.0}
    mask = generation.mask if keeps_mask else None
    state.open_draft(studio, draft.changed(base_mask=mask, before=id, params=params))


def another_seed(id: str, studio: Studio, generation: Generation) -> None:
    _try_again(studio, id, generation, [{"seed": studio.generations.random_seed()}])


def variations(id: str, studio: Studio, generation: Generation) -> None:
    seeds = [studio.generations.random_seed() for _ in range(VARIATIONS)]
    near = [{"variation_strength": NEAR, "variation_seed": seed} for seed in seeds]
    _try_again(studio, id, generation, near)


def painted_as_best(id: str, studio: Studio, generation: Generation) -> None:
    if changes := studio.speeds.finish(generation):
        _try_again(studio, id, generation, [changes])


def _try_again(studio: Studio, id: str, generation: Generation, changes: Sequence[Mapping[str, Any]]) -> None:
    """The same picture and mask under these changes of its parameters, each a generation."""
    submitted(studio, id, studio.generations.vary(generation, changes, session=state.person()))
