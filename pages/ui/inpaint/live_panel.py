"""What is being painted: phase, step, time left, place in the queue, preview, Cancel. It asks the rows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation, Progress, Status
from core.domain.params import MASKED, WHOLE
from core.domain.queue import QueueView
from pages.ui.generation.actions import RERUN, RESUME
from pages.ui.generation.card import describe_progress, worker_missing
from pages.ui.inpaint.painter import live_preview
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors, tried_again
from pages.ui.shell.watching import draw_page_again

UNFINISHED = (Status.FAILED, Status.CANCELLED, Status.INTERRUPTED)


class UnderWay(StrEnum):
    """What is said of generations that are not done yet."""

    PAINTING = "Painting"
    WAITING = "Waiting"
    PAUSED = "Paused"

    @classmethod
    def of(cls, generations: Sequence[Generation], view: QueueView) -> UnderWay:
        if any(generation.status is Status.RUNNING for generation in generations):
            return cls.PAINTING
        return cls.PAUSED if view.is_paused else cls.WAITING


def live_panel(
    studio: Studio, id: str, generations: Sequence[Generation], under_way: UnderWay | None, *, in_canvas: bool
) -> None:
    """For the generations of one press of Generate. Whatever the browser does, the work goes on.

    under_way: what the page says of them above; when it is no longer true, the page is drawn again. in_canvas: whether
    previews are laid over the picture.
    """
    _ended(studio, id, generations)
    if under_way is not None:
        ids = tuple(generation.id for generation in generations)
        _watch(studio, ids, _finished(generations), under_way, id if in_canvas else None)


def _finished(generations: Sequence[Generation]) -> int:
    return sum(not generation.status.is_active for generation in generations)


# Drawn only while something is active: the timer stops with the run that no longer draws it.
@st.fragment(run_every=0.5)
def _watch(studio: Studio, ids: tuple[str, ...], finished: int, under_way: UnderWay, draft: str | None) -> None:
    """draft: whose canvas shows the preview; None: it stands here."""
    with shown_errors():
        all_progress = {id: studio.generations.progress(id) for id in ids}
        active = {id: progress for id, progress in all_progress.items() if progress.status.is_active}
        running = next((p for p in active.values() if p.status is Status.RUNNING), None)
        if len(ids) - len(active) != finished or _is_past(studio, under_way, running):
            draw_page_again()
            return
        shown = running or min(active.values(), key=lambda progress: progress.ahead)
        which = f"Image {list(all_progress.values()).index(shown) + 1} of {len(ids)} · " if len(ids) > 1 else ""
        st.progress(shown.fraction, text=which + describe_progress(shown))
        if running is None and (why := worker_missing(studio)):
            st.caption(why)
        tried_again(shown.error)
        if shown.preview is not None:
            which_one = next(id for id, progress in active.items() if progress is shown)
            _preview(studio, studio.gallery.get(which_one), shown.preview, draft)
        waits = all(progress.cancel_requested for progress in active.values())
        # Before anything is drawn: if one has just ended, the page is drawn anew, and the click would be lost.
        action_button(
            "Cancel",
            _cancel,
            studio,
            tuple(active),
            key="live-cancel",
            icon=":material/stop:",
            disabled=waits,
            width="stretch",
        )


def _preview(studio: Studio, generation: Generation, preview: bytes, draft: str | None) -> None:
    """Of several passes or parts nobody knows here which one it shows: it stands by itself."""
    if draft is not None and generation.params.area in (WHOLE, MASKED):
        live_preview(studio, draft, generation, preview)
    else:
        st.image(preview, alt="Preview of the picture so far", width="stretch")


def _cancel(studio: Studio, ids: Sequence[str]) -> None:
    for id in ids:
        studio.generations.cancel(id)


def _is_past(studio: Studio, under_way: UnderWay, running: Progress | None) -> bool:
    if running is not None:
        return under_way is not UnderWay.PAINTING
    return (under_way is UnderWay.PAUSED) != studio.queue.is_paused()


def _ended(studio: Studio, id: str, generations: Sequence[Generation]) -> None:
    """What did not succeed: told once for all that ended alike, with one button for them."""
    alike: dict[tuple[Status, str | None], dict[int, str]] = {}
    for nth, generation in enumerate(generations, 1):
        if generation.status in UNFINISHED:
            error = generation.error if generation.status is Status.FAILED else None
            alike.setdefault((generation.status, error), {})[nth] = generation.id
    for (status, error), ids in alike.items():
        _how_it_ended(status, error, f"{_images(list(ids))}: " if len(generations) > 1 else "")
        _again(studio, id, status, list(ids.values()))


def _images(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Image {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"Images {numbers[0]} to {numbers[-1]}"
    return f"Images {', '.join(map(str, numbers))}"


def _how_it_ended(status: Status, error: str | None, which: str) -> None:
    if status is Status.FAILED:
        st.error(escaped(which + (error or "It failed.")), icon=":material/error:")
    elif status is Status.CANCELLED:
        st.info(f"{which}Cancelled.", icon=":material/stop_circle:")
    else:
        st.warning(f"{which}Interrupted before it finished.", icon=":material/info:")


def _again(studio: Studio, id: str, status: Status, ended: Sequence[str]) -> None:
    action = RESUME if status is Status.INTERRUPTED else RERUN
    key = f"retry-{ended[0]}"
    action_button(action.label, _queue_again, studio, id, ended, key=key, icon=action.icon, help=action.help)


def _queue_again(studio: Studio, id: str, ended: Sequence[str]) -> None:
    again = {generation: studio.generations.retry(generation, session=state.person()) for generation in ended}
    draft = studio.drafts.get(id)
    if draft is not None:
        now = tuple(again.get(generation, generation) for generation in draft.generations)
        state.change_draft(studio, id, generations=now)
