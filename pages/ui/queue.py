"""The queue on the screen: what is painted now, what waits and for how long, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.generation import Generation, Progress, Status
from core.domain.geometry import Size
from core.domain.queue import Move, QueueEntry, QueueView
from pages.ui.components.gallery_grid import NO_PROMPT
from pages.ui.components.work_list import Act, Row, work_list
from pages.ui.generation.card import describe_progress, worker_missing
from pages.ui.generation.record import what_differs
from pages.ui.shell import media, prepared, state
from pages.ui.shell.actions import action_button, tell_problem
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.wording import beginning, counted, duration

SHOWN = 20
PICTURE = Size(88, 88)
"""Twice the CSS pixels in which it is shown."""

PROMPT_SHOWN = 200
PROMPT_HEARD = 40
WORK, INTERRUPTED = "queue-work", "queue-interrupted"


@st.fragment(run_every=1.0)
def queue_view(studio: Studio) -> None:
    with shown_errors():
        view = studio.queue.view(SHOWN)
        _headline(studio, view)
        entries = (*view.running, *view.waiting)
        details = _details([entry.generation for entry in entries])
        if entries:
            rows = [_running(studio, entry, details) for entry in view.running]
            for nth, entry in enumerate(view.waiting):
                rows.append(_waiting(studio, nth, entry, details, is_paused=view.is_paused))
            work_list(rows, key=WORK, label="Queue", on_act=partial(_act, studio, WORK))
        if view.waiting_count > len(view.waiting):
            st.caption(f"and {view.waiting_count - len(view.waiting):,} more after these")
        if verifying := studio.queue.verifying():
            st.caption(f":material/fact_check: {verifying:,} to be verified, after all generations.")
        _unfinished(studio)


def queue_words(view: QueueView) -> str:
    """In one line: how many there are, and when all of them will be done."""
    count = len(view.running) + view.waiting_count
    if not count:
        return "Nothing is waiting."
    text = f"{len(view.running)} being painted, {view.waiting_count:,} waiting"
    ends = view.waiting[-1].ends_in_s if view.waiting else None
    if ends is not None and view.waiting_count == len(view.waiting) and not view.is_paused:
        text += f", all done in about {duration(ends)}"
    return text + "."


def _headline(studio: Studio, view: QueueView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(queue_words(view), width="stretch")
        # On a phone the two go to the next line together.
        with st.container(horizontal=True, width="content"):
            if view.is_paused:
                _button("Resume", ":material/play_arrow:", "queue-resume", studio.queue.resume, type="primary")
            else:
                _button(
                    "Pause",
                    ":material/pause:",
                    "queue-pause",
                    studio.queue.pause,
                    help="The current picture will finish. Nothing new starts until you resume, even after a restart",
                )
            _cancel_several(studio, len(view.running) + view.waiting_count)
    if view.is_paused:
        st.warning("The queue is paused: nothing new starts.", icon=":material/pause_circle:")
    elif view.waiting_count and not view.running and (why := worker_missing(studio)):
        st.caption(why)


def _cancel_several(studio: Studio, count: int) -> None:
    """Asks first: what is run again later has lost its place in the line."""
    icon, title = ":material/cancel:", "Cancel mine or all"
    if not count:
        # A popover that is open stays open, also when it is disabled.
        st.button(title, icon=icon, disabled=True, key="queue-cancel-none")
        return
    with st.popover(title, icon=icon, key="queue-cancel-asks"):
        st.markdown("What is cancelled stays in the gallery and can be run again from there.")
        mine, person = studio.queue.count_of(state.person()), state.person()
        if mine:
            words = f"Cancel my {counted(mine, 'generation')}"
            _button(words, icon, "queue-cancel-mine", studio.queue.cancel_all, person, type="primary")
        if mine < count:
            words = f"Cancel all {counted(count, 'generation')}, also other people's"
            _button(words, icon, "queue-cancel-all", studio.queue.cancel_all)


def _act(studio: Studio, key: str) -> None:
    """What was done on the list of this key."""
    act = Act.read(state.snapshot().get(key, {}).get("act"))
    if act is None:
        return
    try:
        if act.do == "cancel":
            studio.generations.cancel(act.id)
        elif act.do == "resume":
            studio.generations.resume(act.id)
        elif act.do == "place":
            studio.queue.place(act.id, act.after)
        elif act.do in list(Move):
            studio.queue.move(act.id, Move(act.do))
    except StudioError as error:
        tell_problem(error)


def _running(studio: Studio, entry: QueueEntry, details: Mapping[str, str]) -> Row:
    progress = entry.progress or Progress(Status.RUNNING)
    generation = entry.generation
    return Row(
        id=generation.id,
        title=_prompt(generation, PROMPT_SHOWN),
        detail=details[generation.id],
        when=describe_progress(progress),
        note=generation.error or "",
        spoken=_spoken_name(generation),
        picture=_picture(studio, generation),
        alt="The masked area",
        fraction=progress.fraction,
        buttons=(("cancel", "Cancel", progress.cancel_requested),),
    )


def _waiting(studio: Studio, nth: int, entry: QueueEntry, details: Mapping[str, str], *, is_paused: bool) -> Row:
    generation = entry.generation
    return Row(
        id=generation.id,
        title=_prompt(generation, PROMPT_SHOWN),
        detail=details[generation.id],
        when="" if is_paused else _when(entry),
        note=generation.error or "",
        spoken=f"No. {nth + 1} in queue, {_spoken_name(generation)}",
        picture=_picture(studio, generation),
        alt="The masked area",
        buttons=(("next", "Do next", nth == 0), ("cancel", "Cancel", False)),
        is_movable=True,
    )


def _unfinished(studio: Studio) -> None:
    unfinished = studio.queue.unfinished()
    if not unfinished:
        return
    st.header("Interrupted")
    st.caption("These were interrupted. Nothing is lost.")
    ids = [generation.id for generation in unfinished]
    if len(ids) > 1:
        _button("Continue all", ":material/play_arrow:", "queue-continue-all", _continue, studio, ids)
    details = _details(unfinished)
    rows = [
        Row(
            id=generation.id,
            title=_prompt(generation, PROMPT_SHOWN),
            detail=details[generation.id],
            spoken=_spoken_name(generation),
            picture=_picture(studio, generation),
            alt="The masked area",
            buttons=(("resume", "Continue", False),),
        )
        for generation in unfinished
    ]
    work_list(rows, key=INTERRUPTED, label="Interrupted", on_act=partial(_act, studio, INTERRUPTED))


def _continue(studio: Studio, ids: Sequence[str]) -> None:
    for id in ids:
        studio.generations.resume(id)


def _button(title: str, icon: str, key: str, action: Callable[..., object], *given: Any, **look: Any) -> None:
    """It acts before the page is drawn again, so that what is drawn is how it stands."""
    action_button(title, action, *given, key=key, icon=icon, **look)


def _picture(studio: Studio, generation: Generation) -> str | None:
    """The address of what will be repainted, small. A lost file leaves the rest of the row to be read."""
    try:
        file = prepared.masked_tile(studio, generation.source, generation.mask, PICTURE.sides)
    except StudioError:
        return None
    return media.address(file, f"queue-{generation.id}", "image/jpeg")


def _details(generations: Sequence[Generation]) -> dict[str, str]:
    """By id: in what it differs from others of the same picture, mask and prompt, or what it is; whose; why again."""
    groups: dict[tuple[str, ...], list[Generation]] = {}
    for generation in generations:
        groups.setdefault((generation.source, generation.mask, generation.params.prompt), []).append(generation)
    several = len({generation.session for generation in generations}) > 1
    found = {}
    for group in groups.values():
        told = what_differs(group)
        for generation, differs in zip(group, told, strict=True):
            params = generation.params
            facts = differs or [params.model, f"{params.effective_steps} steps", f"seed {params.seed}"]
            is_mine = generation.session == state.person()
            whose = ["mine" if is_mine else "someone else’s"] if several or not is_mine else []
            found[generation.id] = " · ".join([*facts, *whose, *([generation.error] if generation.error else [])])
    return found


def _prompt(generation: Generation, most: int) -> str:
    return beginning(generation.params.prompt, most) or NO_PROMPT


def _spoken_name(generation: Generation) -> str:
    return f"{_prompt(generation, PROMPT_HEARD)}, seed {generation.params.seed}"


def _when(entry: QueueEntry) -> str:
    if entry.starts_in_s is None:
        return ""
    starts = f"starts in about {duration(entry.starts_in_s)}" if entry.starts_in_s >= 1 else "starts soon"
    return starts + (f", takes about {duration(entry.takes_s)}" if entry.takes_s is not None else "")
