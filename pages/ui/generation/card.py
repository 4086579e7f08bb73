"""Everything about one generation: its pictures, what can be done with it, and its whole record."""

from __future__ import annotations

from collections.abc import Callable, Collection

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation, Progress, Status
from core.domain.imported import TOOLS
from pages.ui.components.gallery_grid import STATUS_TITLES
from pages.ui.generation.actions import CONTINUE, LOAD, RERUN, RESTORE, RESUME, TRASH, finish
from pages.ui.generation.compare import before_after
from pages.ui.generation.downloads import downloads
from pages.ui.generation.lineage import lineage_panel
from pages.ui.generation.record import parameters_panel, prompts_panel, record_panel
from pages.ui.generation.sheets import sheets_of
from pages.ui.generation.upscale import upscale_button
from pages.ui.generation.verdict import verdict_badge, verdict_line, verdict_panel, verify_button
from pages.ui.shell import address, state
from pages.ui.shell.actions import action_button, kept_by
from pages.ui.shell.links import GALLERY_PAGE, GENERATION_PARAMETER, INPAINT_PAGE, address_of
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.watching import draw_page_again
from pages.ui.shell.wording import BadgeColour, duration, when

TO_INPAINT = "to-inpaint"


def generation_card(studio: Studio, generation: Generation, heading: Callable[[], object]) -> None:
    """The picture, which stays in sight, and beside it all that is known of it; on a phone below it.

    heading: draws what stands first beside it.
    """
    # page.css makes the dialog wide for it, and lets it stay.
    wide = min(2.0, max(1.0, 1.4 * generation.width / generation.height))
    picture, words = st.columns([wide, 1], gap="medium")
    with picture, st.container(key="card-picture"):
        _trouble(generation)
        if generation.status.is_active:
            _live(studio, generation.id)
        before_after(studio, generation, generation.id)
    with words:
        heading()
        prompts_panel(generation)
        _actions(studio, generation)
        verdict_line(studio, generation)
        verdict_panel(studio, generation)
        parameters_panel(generation)
        _organise(studio, generation)
    _family(studio, generation)
    sheets_of(studio, generation)
    record_panel(generation)


def headline(studio: Studio, generation: Generation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if generation.status is not Status.SUCCEEDED:
            st.badge(STATUS_TITLES[generation.status], color=_COLOURS[generation.status])
        if generation.deleted_at is not None:
            st.badge("In the trash", icon=":material/delete:", color="gray")
        outside_badge(generation)
        if (imported := generation.record.imported) is not None:
            maker = escaped(TOOLS.get(imported.tool or "", "elsewhere"))
            st.badge(f"Imported from {maker}", icon=":material/download_for_offline:", color="blue")
        verdict_badge(generation)
        st.caption(when(generation.created_at), width="content")


def outside_badge(generation: Generation) -> None:
    """What was computed when the result was laid into the picture; nothing if it was not."""
    unchanged = generation.record.outside_mask_unchanged
    if unchanged is True:
        st.badge("Outside the mask: unchanged (checked)", icon=":material/verified:", color="green")
    elif unchanged is False:
        st.badge("Outside the mask: changed", icon=":material/warning:", color="red")


def _trouble(generation: Generation) -> None:
    if generation.status is Status.INTERRUPTED:
        st.warning("Interrupted before it finished. Press Continue to queue it again.", icon=":material/info:")
    elif generation.error:
        st.warning(escaped(generation.error), icon=":material/info:")


_COLOURS: dict[Status, BadgeColour] = {
    Status.QUEUED: "blue",
    Status.RUNNING: "blue",
    Status.FAILED: "red",
    Status.CANCELLED: "gray",
    Status.INTERRUPTED: "orange",
}


@st.fragment(run_every=0.5)
def _live(studio: Studio, id: str) -> None:
    with shown_errors():
        progress = studio.generations.progress(id)
        if not progress.status.is_active:
            draw_page_again()
            return
        st.progress(progress.fraction, text=describe_progress(progress))
        if progress.preview is not None:
            st.image(progress.preview, width=256, alt="Preview of the picture so far")
        action_button(
            "Cancel",
            studio.generations.cancel,
            id,
            key=f"cancel-{id}",
            icon=":material/stop:",
            disabled=progress.cancel_requested,
        )


def _actions(studio: Studio, generation: Generation) -> None:
    if state.pop_flash(TO_INPAINT):
        st.switch_page(INPAINT_PAGE)
    with st.container(horizontal=True, gap="small"), shown_errors():
        RESUME.button(studio, generation, type="primary")
        for action in (LOAD, CONTINUE):
            action.button(studio, generation, lambda _: state.flash(TO_INPAINT, True))
        news = f"queued-{generation.id}"
        RERUN.button(studio, generation, lambda ids: state.flash(news, (ids[0], "Queued again with the same seed.")))
        finish(studio).button(studio, generation, lambda ids: state.flash(news, (ids[0], "Queued as Best.")))
        upscale_button(studio, generation, news)
        verify_button(studio, generation)
        downloads(studio, generation, generation.id)
        RESTORE.button(studio, generation, lambda _: st.rerun())
        TRASH.button(studio, generation, _close, disabled=generation.status.is_active)
    if generation.is_imported_picture:
        st.caption(
            "The original picture and mask are not known, so this cannot be run again or verified. Load it into "
            "Inpaint to reuse its parameters, then paint a mask and press Generate."
        )
    if (queued := state.pop_flash(news)) is not None:
        id, words = queued
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(words, icon=":material/replay:")
            st.page_link(GALLERY_PAGE, label="Open the new generation", query_params=address_of(id))


def _close(_: object) -> None:
    address.drop(GENERATION_PARAMETER)
    st.rerun()


def _organise(studio: Studio, generation: Generation) -> None:
    """Favourite, rating, title, tags and notes: each is kept as soon as it is changed."""
    id, gallery = generation.id, studio.gallery
    with st.expander("Favourite, rating, title, tags, notes", icon=":material/label:"), shown_errors():
        kept = kept_by(f"favourite-{id}", lambda value: gallery.set_favourite([id], bool(value)))
        st.toggle("Favourite", generation.favourite, **kept)
        st.caption("Rating")
        given = None if generation.rating is None else generation.rating - 1
        kept = kept_by(f"rating-{id}", lambda stars: gallery.rate([id], None if stars is None else stars + 1))
        st.feedback("stars", default=given, **kept)
        st.text_input("Title", generation.title, **kept_by(f"title-{id}", lambda text: gallery.rename([id], text)))
        st.multiselect(
            "Tags",
            sorted({*gallery.tags(), *generation.tags}),
            list(generation.tags),
            accept_new_options=True,
            **kept_by(f"tags-{id}", lambda tags: _tag(studio, id, tags)),
        )
        st.text_area("Notes", generation.notes, **kept_by(f"notes-{id}", lambda text: gallery.note([id], text)))


def _tag(studio: Studio, id: str, tags: Collection[str]) -> None:
    """These and no others."""
    now = set(studio.gallery.get(id).tags)
    if set(tags) - now:
        studio.gallery.tag([id], sorted(set(tags) - now))
    if now - set(tags):
        studio.gallery.untag([id], sorted(now - set(tags)))


def _family(studio: Studio, generation: Generation) -> None:
    relative = lineage_panel(studio, generation)
    if relative not in (None, generation.id):
        address.put(**{GENERATION_PARAMETER: relative})
        st.rerun()


def worker_missing(studio: Studio) -> str | None:
    """Why nothing that waits is begun, if that is for want of a worker."""
    worker = studio.workers.newest()
    if worker is not None and worker.is_alive(studio.workers.now()):
        return None if worker.machine is not None else "The worker is starting."
    if studio.settings.embedded_worker:
        return "The worker is starting."
    return "No worker is running, so nothing starts. Start one with: python -m core worker"


def describe_progress(progress: Progress) -> str:
    if progress.status is Status.QUEUED:
        return f"Waiting, {progress.ahead} ahead" if progress.ahead else "Waiting, next in line"
    if progress.cancel_requested:
        return "Cancelling at the next step"
    text = progress.phase.capitalize()
    if progress.total:
        text += f", step {progress.step} of {progress.total}"
    return text + (f", about {duration(progress.eta_s)} left" if progress.eta_s else "")
