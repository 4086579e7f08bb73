"""What can be done with generations: the one table of it, for the card of one, a result and a selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation, Status
from core.services.collector import TRASH_TTL
from pages.ui.shell import state, undo
from pages.ui.shell.actions import action_button
from pages.ui.shell.wording import counted

TRASHED = "trashed"
"""The news of what was moved to the trash: its ids."""

Then = Callable[[Any], object]
"""Called with what the action returned, after it was done."""


def always(generation: Generation) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done. name: in the keys of its buttons. suits: with which generations.

    do: does it with some, all of which suit. told: what is said then, about "{}": as many generations.
    """

    name: str
    label: str
    icon: str
    help: str | None
    do: Callable[[Studio, Sequence[Generation]], Any]
    suits: Callable[[Generation], bool] = always
    told: str | None = None

    def button(self, studio: Studio, generation: Generation, then: Then | None = None, **look: Any) -> None:
        """For one generation; nothing if it does not suit. then: in the place of what is said."""
        if self.suits(generation):
            self._button(studio, [generation], generation.id, then, help=self.help, **look)

    def button_for_selected(self, studio: Studio, selected: Sequence[Generation], nothing: str) -> None:
        """For those of them that suit. nothing: the help while there are none."""
        suited = [generation for generation in selected if self.suits(generation)]
        help = self.help if suited else nothing
        self._button(studio, suited, "selected", None, disabled=not suited, help=help)

    def _button(
        self, studio: Studio, generations: Sequence[Generation], of: str, then: Then | None, **look: Any
    ) -> None:
        look = {"label": self.label, "icon": self.icon, **look}
        action_button(look.pop("label"), self._run, studio, generations, then, key=f"{self.name}-{of}", **look)

    def _run(self, studio: Studio, generations: Sequence[Generation], then: Then | None) -> None:
        made = self.do(studio, generations)
        if then is not None:
            then(made)
        elif self.told is not None:
            st.toast(self.told.format(counted(len(generations), "generation")), icon=self.icon)


def ids_of(generations: Sequence[Generation]) -> list[str]:
    return [generation.id for generation in generations]


def move_to_trash(studio: Studio, generations: Sequence[Generation]) -> None:
    studio.gallery.trash(ids_of(generations))
    undo.offer(TRASHED, ids_of(generations))


def trash_toast(studio: Studio) -> None:
    """What was just moved to the trash, with Undo."""
    undo.toast(TRASHED, lambda ids: f"{counted(len(ids), 'generation')} moved to the trash.", studio.gallery.restore)


def _resume(studio: Studio, generations: Sequence[Generation]) -> None:
    for generation in generations:
        studio.generations.resume(generation.id)


def finish(studio: Studio) -> Action:
    """Only of what was made as Draft or Balanced."""
    return Action(
        "finish",
        "Finish",
        ":material/auto_fix_high:",
        "The same picture, mask, prompt and seed with the steps, the size and the precision of Best",
        _finish,
        lambda generation: not generation.is_imported_picture and studio.speeds.finish(generation) is not None,
    )


def _finish(studio: Studio, generations: Sequence[Generation]) -> list[str]:
    """Returns the new ids."""
    changes = [(generation, studio.speeds.finish(generation)) for generation in generations]
    return [studio.generations.vary(one, [best], session=state.person())[0] for one, best in changes if best]


def _rerun(studio: Studio, generations: Sequence[Generation]) -> list[str]:
    """Returns the new ids."""
    session = state.person()
    return [studio.generations.rerun(generation.id, session=session) for generation in generations]


RESUME = Action(
    "resume",
    "Continue",
    ":material/play_arrow:",
    None,
    _resume,
    lambda generation: generation.status is Status.INTERRUPTED,
)
LOAD = Action(
    "load",
    "Load into Inpaint",
    ":material/brush:",
    "Same picture, mask and parameters",
    lambda studio, generations: state.open_draft(studio, studio.drafts.from_generation(generations[0])),
    lambda generation: generation.params.upscale is None,
)
CONTINUE = Action(
    "continue",
    "Continue from this result",
    ":material/arrow_forward:",
    "Use this result as the new picture, with an empty mask",
    lambda studio, generations: state.open_draft(studio, studio.drafts.continued_from(generations[0])),
    lambda generation: generation.output is not None,
)
RERUN = Action(
    "rerun",
    "Re-run",
    ":material/replay:",
    "Queue it again with the same picture, mask, parameters and seed, as a new generation",
    _rerun,
    lambda generation: not generation.is_imported_picture,
    "{} queued again with the same seed.",
)
VERIFY = Action(
    "verify",
    "Verify",
    ":material/fact_check:",
    "Run it again with the recorded settings and compare, pixel by pixel",
    lambda studio, generations: studio.reproductions.verify(ids_of(generations)),
    lambda generation: generation.output is not None and not generation.is_imported_picture,
)
TRASH = Action(
    "trash",
    "Move to trash",
    ":material/delete:",
    f"Removes it from the gallery. Items stay in the trash for {TRASH_TTL.days} days.",
    move_to_trash,
    lambda generation: generation.deleted_at is None,
)
RESTORE = Action(
    "restore",
    "Restore",
    ":material/restore_from_trash:",
    "Restore to the gallery",
    lambda studio, generations: studio.gallery.restore(ids_of(generations)),
    lambda generation: generation.deleted_at is not None,
    "{} restored.",
)
