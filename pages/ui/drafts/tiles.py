"""Drafts as tiles: picture with mask, name, when it was changed, and what can be done with it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import KeptDraft
from core.domain.errors import StudioError
from core.domain.geometry import Size
from core.services.draft_files import file_name
from core.services.drafts import DRAFT_TTL
from pages.ui.shell import prepared, state, undo
from pages.ui.shell.actions import action_button, kept_by
from pages.ui.shell.links import INPAINT_PAGE
from pages.ui.shell.messages import escaped
from pages.ui.shell.page import button_label
from pages.ui.shell.wording import beginning, when

TILE = Size(168, 126)
"""In CSS pixels, at most; its picture has twice as many."""

NAME_SHOWN = 24
DELETED = "draft-deleted"


def draft_tiles(
    studio: Studio, drafts: Sequence[KeptDraft], beside: Callable[[KeptDraft], object], width_px: int = TILE.width
) -> None:
    """A click anywhere on a tile opens its draft. beside: draws what stands beside its name."""
    with st.container(horizontal=True, gap="small"):
        for kept in drafts:
            with st.container(width=width_px, gap=None, key=f"draft-tile-{kept.id}"):
                _picture(studio, kept)
                with st.container(horizontal=True, vertical_alignment="center", gap=None, wrap=False):
                    st.page_link(
                        INPAINT_PAGE,
                        label=escaped(beginning(kept.name, NAME_SHOWN)),
                        query_params={state.DRAFT_PARAMETER: kept.id},
                        width="stretch",
                    )
                    beside(kept)
                st.caption(when(kept.updated_at))


def _picture(studio: Studio, kept: KeptDraft) -> None:
    """A lost file leaves the rest of the tile to be read."""
    try:
        picture = prepared.draft_picture(studio, kept, (2 * TILE.width, 2 * TILE.height))
    except StudioError:
        st.caption("No picture")
        return
    st.image(picture, alt="Picture and mask", width="stretch")


def draft_menu(studio: Studio, kept: KeptDraft) -> None:
    """What can be done with it, folded."""
    key = f"draft-menu-{kept.id}"
    # Only its icon is seen. A new name makes another popover of it, which is closed.
    label = f"Actions for {beginning(kept.name, NAME_SHOWN)}"
    with st.popover(label, type="tertiary", icon=":material/more_vert:", key=key, on_change="rerun") as menu:
        if menu.open:
            draft_actions(studio, kept)


def draft_actions(studio: Studio, kept: KeptDraft) -> None:
    id = kept.id
    st.text_input(
        "Name",
        kept.title,
        placeholder=kept.name,
        help=f"A draft with a name is kept until you delete it, others for {DRAFT_TTL.days} days.",
        **kept_by(f"draft-name-{id}", lambda title: studio.drafts.rename(id, title)),
    )
    with st.container(horizontal=True, gap="small"):
        action_button(
            "Duplicate",
            lambda: studio.drafts.duplicate(id, state.person()),
            key=f"draft-duplicate-{id}",
            icon=":material/content_copy:",
        )
        st.download_button(
            "Save as a file",
            lambda: _file(studio, id),
            file_name(kept),
            "application/zip",
            icon=":material/save:",
            on_click="ignore",
            key=f"draft-save-{id}",
            help="One zip file with picture, mask and form, to open in another Inpaint Studio",
        )
        action_button("Delete", _delete, studio, id, key=f"draft-delete-{id}", icon=":material/delete:")


def _file(studio: Studio, id: str) -> bytes:
    file = io.BytesIO()
    studio.draft_files.export(id, file)
    return file.getvalue()


def _delete(studio: Studio, id: str) -> None:
    studio.drafts.delete(id)
    undo.offer(DELETED, (id, state.leave_draft(id)))


def deleted_toast(studio: Studio) -> None:
    """The draft that was just deleted, with Undo."""

    def restore(deleted: tuple[str, bool]) -> None:
        id, was_open = deleted
        studio.drafts.restore(id)
        if was_open:
            state.return_to_draft(id)

    undo.toast(DELETED, lambda _: "Draft deleted.", restore)


def restore_button(studio: Studio, kept: KeptDraft) -> None:
    action_button(
        button_label("Restore", kept.name),
        studio.drafts.restore,
        kept.id,
        key=f"draft-restore-{kept.id}",
        icon=":material/restore_from_trash:",
    )
