"""The queue on the screen: what is painted now, what waits and for how long, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.generation import Generation, Progress, Status
from core.domain.geometry import Size
from core.domain.queue import Move, QueueEntry, QueueView
from pages.ui.generation.card import describe_progress, worker_missing
from pages.ui.shell import prepared, state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors, tried_again
from pages.ui.shell.page import button_label
from pages.ui.shell.wording import beginning, counted, duration

SHOWN = 20
PICTURE = Size(112, 112)
PROMPT_SHOWN = 120
PROMPT_HEARD = 40


@st.fragment(run_every=1.0)
def queue_view(studio: Studio) -> None:
    with shown_errors():
        view = studio.queue.view(SHOWN)
        _headline(studio, view)
        for entry in view.running:
            _running(studio, entry)
        for nth, entry in enumerate(view.waiting):
            _waiting(studio, nth, entry, is_last=nth == view.waiting_count - 1, is_paused=view.is_paused)
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
            _cancel_all(studio, len(view.running) + view.waiting_count)
    if view.is_paused:
        st.warning("The queue is paused: nothing new starts.", icon=":material/pause_circle:")
    elif view.waiting_count and not view.running and (why := worker_missing(studio)):
        st.caption(why)


def _cancel_all(studio: Studio, count: int) -> None:
    """Asks first: what is run again later has lost its place in the line."""
    icon = ":material/cancel:"
    if not count:
        # A popover that is open stays open, also when it is disabled.
        st.button("Cancel all", icon=icon, disabled=True, key="queue-cancel-none")
        return
    with st.popover("Cancel all", icon=icon, key="queue-cancel-asks"):
        st.markdown("This also cancels other people's. They stay in the gallery and can be run again from there.")
        _button(
            f"Cancel {counted(count, 'generation')}", icon, "queue-cancel-all", studio.queue.cancel_all, type="primary"
        )


def _running(studio: Studio, entry: QueueEntry) -> None:
    progress = entry.progress or Progress(Status.RUNNING)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        _thumbnail(studio, entry.generation)
        with st.container(width="stretch"):
            _details(entry.generation)
            st.progress(progress.fraction, text=describe_progress(progress))
        id = entry.generation.id
        _button(
            button_label("Cancel", _spoken_name(entry.generation)),
            ":material/stop:",
            f"queue-stop-{id}",
            studio.generations.cancel,
            id,
            disabled=progress.cancel_requested,
        )


def _waiting(studio: Studio, nth: int, entry: QueueEntry, *, is_last: bool, is_paused: bool) -> None:
    id, name = entry.generation.id, f"No. {nth + 1} in queue, {_spoken_name(entry.generation)}"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        _thumbnail(studio, entry.generation)
        with st.container(width="stretch"):
            _details(entry.generation)
            st.caption(f"No. {nth + 1} in queue{'' if is_paused else _when(entry)}")
        moves = (
            (Move.NEXT, "Do next", ":material/vertical_align_top:", nth == 0),
            (Move.EARLIER, "Earlier", ":material/arrow_upward:", nth == 0),
            (Move.LATER, "Later", ":material/arrow_downward:", is_last),
            (Move.LAST, "Last", ":material/vertical_align_bottom:", is_last),
        )
        # Streamlit names the panel that opens by the label as it was written: no markup in it.
        with st.popover(f"Move {nth + 1}", icon=":material/swap_vert:", key=f"queue-move-{id}"):
            for move, title, icon, cannot in moves:
                _button(
                    title, icon, f"queue-{move}-{id}", studio.queue.move, id, move, disabled=cannot, width="stretch"
                )
        _button(button_label("Cancel", name), ":material/close:", f"queue-cancel-{id}", studio.generations.cancel, id)


def _unfinished(studio: Studio) -> None:
    unfinished = studio.queue.unfinished()
    if not unfinished:
        return
    st.header("Interrupted")
    st.caption("These were interrupted. Nothing is lost.")
    ids = [generation.id for generation in unfinished]
    if len(ids) > 1:
        _button("Continue all", ":material/play_arrow:", "queue-continue-all", _continue, studio, ids)
    for generation in unfinished:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            _thumbnail(studio, generation)
            with st.container(width="stretch"):
                _details(generation)
            _button(
                button_label("Continue", _spoken_name(generation)),
                ":material/play_arrow:",
                f"queue-continue-{generation.id}",
                _continue,
                studio,
                [generation.id],
            )


def _continue(studio: Studio, ids: Sequence[str]) -> None:
    for id in ids:
        studio.generations.resume(id)


def _button(title: str, icon: str, key: str, action: Callable[..., object], *given: Any, **look: Any) -> None:
    """It acts before the page is drawn again, so that what is drawn is how it stands."""
    action_button(title, action, *given, key=key, icon=icon, **look)


def _thumbnail(studio: Studio, generation: Generation) -> None:
    """What will be repainted, small. A lost file leaves the rest of the line to be read."""
    with st.container(width=PICTURE.width):
        try:
            size = prepared.picture_size(studio, generation.source).fitted(PICTURE)
            small = prepared.canvas_picture(studio, generation.source, generation.mask, size.sides)
        except StudioError:
            st.caption("No picture")
            return
        st.image(small, alt="The masked area", width="stretch")


def _details(generation: Generation) -> None:
    params = generation.params
    st.markdown(escaped(_prompt(generation, PROMPT_SHOWN)))
    whose = "mine" if generation.session == state.person() else "someone else’s"
    steps = f"{params.effective_steps} steps"
    facts = (params.model, steps, f"seed {params.seed}", generation.device, whose)
    st.caption(escaped(" · ".join(facts)))
    tried_again(generation.error)


def _prompt(generation: Generation, most: int) -> str:
    return beginning(generation.params.prompt, most) or "(no prompt)"


def _spoken_name(generation: Generation) -> str:
    return f"{_prompt(generation, PROMPT_HEARD)}, seed {generation.params.seed}"


def _when(entry: QueueEntry) -> str:
    if entry.starts_in_s is None:
        return ""
    starts = f", starts in about {duration(entry.starts_in_s)}" if entry.starts_in_s >= 1 else ", starts soon"
    return starts + (f", takes about {duration(entry.takes_s)}" if entry.takes_s is not None else "")
