"""Everything about one generation: its pictures, what can be done with it, and its whole record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation, Progress, Status
from core.domain.imported import TOOLS
from core.domain.params import PARAMETERS
from core.domain.record import Stated
from pages.ui.components.gallery_grid import STATUS_TITLES
from pages.ui.generation.actions import CONTINUE, LOAD, RERUN, RESTORE, RESUME, TRASH
from pages.ui.generation.compare import before_after
from pages.ui.generation.downloads import downloads
from pages.ui.generation.lineage import lineage_panel
from pages.ui.generation.sheets import sheets_of
from pages.ui.generation.verdict import verdict_badge, verdict_line, verdict_panel, verify_button
from pages.ui.shell import address, state
from pages.ui.shell.actions import action_button, kept_by
from pages.ui.shell.links import GALLERY_PAGE, GENERATION_PARAMETER, INPAINT_PAGE, address_of
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.wording import duration, when

TO_INPAINT = "to-inpaint"

LONGEST = 20_000
"""Characters of one text on the screen; all of it stands in the record."""

LONG_WORDS = 1_000
"""Characters of a prompt that is scrolled in its place."""


def generation_card(studio: Studio, generation: Generation) -> None:
    _trouble(generation)
    if generation.status.is_active:
        _live(studio, generation.id)
    before_after(studio, generation, generation.id)
    _actions(studio, generation)
    verdict_line(studio, generation)
    _organise(studio, generation)
    verdict_panel(studio, generation)
    _family(studio, generation)
    sheets_of(studio, generation)
    _record(studio, generation)


# The parts, from top to bottom ---------------------------------------------------------------------------------


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


_COLOURS = {
    Status.QUEUED: "blue",
    Status.RUNNING: "blue",
    Status.FAILED: "red",
    Status.CANCELLED: "gray",
    Status.INTERRUPTED: "orange",
}


@st.fragment(run_every="500ms")
def _live(studio: Studio, id: str) -> None:
    with shown_errors():
        progress = studio.generations.progress(id)
        if not progress.status.is_active:
            st.rerun()
        st.progress(progress.fraction, text=in_words(progress))
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
        RERUN.button(studio, generation, lambda queued: state.flash(f"rerun-{generation.id}", queued[0]))
        verify_button(studio, generation)
        downloads(studio, generation, generation.id)
        RESTORE.button(studio, generation, lambda _: st.rerun())
        TRASH.button(studio, generation, _close, disabled=generation.status.is_active)
    if generation.is_imported_picture:
        st.caption(
            "The original picture and mask are not known, so this cannot be run again or verified. Load it into "
            "Inpaint to reuse its parameters, then paint a mask and press Generate."
        )
    if (queued := state.pop_flash(f"rerun-{generation.id}")) is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success("Queued again with the same seed.", icon=":material/replay:")
            st.page_link(GALLERY_PAGE, label="Open the new generation", query_params=address_of(queued))


def _close(_: object) -> None:
    address.drop(GENERATION_PARAMETER)
    st.rerun()


def _organise(studio: Studio, generation: Generation) -> None:
    """Favourite, rating, title, tags and notes: each is kept as soon as it is changed."""
    id, gallery = generation.id, studio.gallery
    with st.expander("Favourite, rating, title, tags, notes", icon=":material/label:"), shown_errors():
        left, right = st.columns(2)
        with left:
            kept = kept_by(f"favourite-{id}", lambda value: gallery.set_favourite([id], bool(value)))
            st.toggle("Favourite", generation.favourite, **kept)
            st.caption("Rating")
            given = None if generation.rating is None else generation.rating - 1
            kept = kept_by(f"rating-{id}", lambda stars: gallery.rate([id], None if stars is None else stars + 1))
            st.feedback("stars", default=given, **kept)
            st.text_input("Title", generation.title, **kept_by(f"title-{id}", lambda text: gallery.rename([id], text)))
        with right:
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


def _record(studio: Studio, generation: Generation) -> None:
    params = generation.params
    left, right = st.columns(2)
    with left:
        _heading(PARAMETERS["prompt"].title)
        _words(params.prompt)
        if params.negative_prompt:
            _heading(PARAMETERS["negative_prompt"].title)
            _words(params.negative_prompt)
        _facts("Parameters", parameter_facts(generation))
    with right:
        _facts("Parameters", _run_facts(generation))
    with st.expander("Environment and hashes", icon=":material/fingerprint:"):
        left, right = st.columns(2)
        with left:
            _facts("Environment", _environment_facts(generation) or [("", "Not recorded")])
        with right:
            _heading("Fingerprints")
            for name, fingerprint in _fingerprints(generation):
                st.caption(name)
                st.code(fingerprint, language=None, wrap_lines=True)
    if generation.record.imported is not None:
        _foreign_words(generation.record.imported)
    if recorded := generation.record.shown:
        with st.expander("Full record (JSON)", icon=":material/data_object:"):
            st.json(recorded)


def _family(studio: Studio, generation: Generation) -> None:
    relative = lineage_panel(studio, generation)
    if relative not in (None, generation.id):
        address.put(**{GENERATION_PARAMETER: relative})
        st.rerun()


def _foreign_words(imported: Stated) -> None:
    """What another program wrote into the file and has no place in our parameters, as it was."""
    named = [("Model", imported.model), ("Seed", imported.seed)]
    texts = {**{name: value for name, value in named if value}, **imported.raw}
    if texts:
        with st.expander("Other metadata in the file", icon=":material/history_edu:"):
            for name, text in texts.items():
                _heading(escaped(name))
                _words(text if len(text) <= LONGEST else text[:LONGEST] + " …")


# Facts in words ------------------------------------------------------------------------------------------------


def parameter_facts(generation: Generation) -> list[tuple[str, str]]:
    """Every parameter but the two prompts, which have a place of their own; of an imported picture what it states."""
    values = generation.params.model_dump()
    if (imported := generation.record.imported) is not None:
        values = {name: value for name, value in values.items() if name in imported.stated}
    facts = [
        (parameter.title, _in_unit(name, values[name], parameter.unit))
        for name, parameter in PARAMETERS.items()
        if name in values and name not in ("prompt", "negative_prompt")
    ]
    return facts or [("", "Not recorded")]


def _in_unit(name: str, value: object, unit: str) -> str:
    if choices := PARAMETERS[name].choices:
        return choices.get(str(value), str(value))
    if isinstance(value, bool):
        return "On" if value else "Off"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}" if unit == "px" else text


def _run_facts(generation: Generation) -> Iterable[tuple[str, str]]:
    record = generation.record
    yield "Status", STATUS_TITLES[generation.status]
    yield (
        "Picture",
        f"{generation.width} x {generation.height} px"
        + (f", {generation.source_name}" if generation.source_name else ""),
    )
    yield "Device", generation.device + (f", {generation.dtype}" if generation.dtype else "")
    if generation.model_revision:
        yield "Model revision", _short(generation.model_revision)
    if record.effective_steps is not None:
        yield "Steps run", str(record.effective_steps)
    if (crop := generation.painted_part) is not None:
        yield "Crop", f"{crop.size} px, at {crop.left}, {crop.top}"
    if record.working_size is not None:
        yield "Processed at", f"{record.working_size} px"
    if record.parts:
        yield "Parts of the mask", str(len(record.parts))
    if record.colour is not None:
        yield "Colour profile", f"{record.colour.profile}, seen by the model as sRGB"
    if record.mask_coverage is not None:
        yield "Masked", f"{record.mask_coverage:.1%} of the picture"
    if record.processing_version is not None:
        yield "Mask and colour processing", f"Version {record.processing_version}"
    for title, taken in (
        ("Total time", generation.waited_s if generation.started_at else None),
        ("Time in queue", generation.queue_s),
        ("Time to load the model", generation.load_s),
        ("Time to paint", generation.runtime_s),
    ):
        if taken is not None:
            yield title, duration(taken)
    if generation.finished_at:
        yield "Finished", when(generation.finished_at)
    if generation.error_code:
        yield "Error", generation.error_code


def _environment_facts(generation: Generation) -> list[tuple[str, str]]:
    """A fingerprint among them is shortened, or the table would be wider than a phone."""
    return [(name, value if " " in value else _short(value)) for name, value in generation.environment.items()]


def _fingerprints(generation: Generation) -> Iterable[tuple[str, str]]:
    yield "Id", generation.id
    yield "Original", generation.source
    yield "Mask", generation.mask
    if generation.pixels_sha256:
        yield "Result", generation.pixels_sha256
    if generation.model_revision:
        yield "Model", generation.model_revision
    if noise := generation.record.inpainter.noise_sha256:
        yield "Initial noise", noise
    if generation.environment.get("app_commit"):
        yield "App commit", generation.environment["app_commit"]


def _short(revision: str) -> str:
    """Enough of a hash to tell two apart; the whole one stands among the fingerprints."""
    return revision if len(revision) <= 24 else revision[:19] + "…"


def in_words(progress: Progress) -> str:
    if progress.status is Status.QUEUED:
        return f"Waiting, {progress.ahead} ahead" if progress.ahead else "Waiting, next in line"
    if progress.cancel_requested:
        return "Cancelling at the next step"
    text = progress.phase.capitalize()
    if progress.total:
        text += f", step {progress.step} of {progress.total}"
    return text + (f", about {duration(progress.eta_s)} left" if progress.eta_s else "")


def _heading(title: str) -> None:
    st.markdown(f"**{title}**")


def _words(text: str) -> None:
    """The artist's words exactly as they are, to be copied: a code block never reads them as Markdown.

    A page of words is scrolled in its place, so that the parameters below stay near.
    """
    if text.strip():
        st.code(text, language=None, wrap_lines=True, height=240 if len(text) > LONG_WORDS else "content")
    else:
        st.caption("None")


def _facts(title: str, facts: Iterable[tuple[str, str]]) -> None:
    _heading(title)
    names, values = zip(*facts, strict=True)
    shown = [escaped(" ".join(value.split())) for value in values]
    table: Mapping[str, list[str]] = {"What": [escaped(name.replace("_", " ")) for name in names], "Value": shown}
    st.table(table, hide_header=True, hide_index=True, border="horizontal", alt=title)
