"""Home: what this is, what it runs on, where to begin, and what was made last."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Status
from pages.ui.components.gallery_grid import gallery_grid
from pages.ui.device_card import device_card
from pages.ui.drafts.shelf import drafts_shelf
from pages.ui.shell import resources
from pages.ui.shell.links import GALLERY_PAGE, INPAINT_PAGE, address_of
from pages.ui.shell.messages import shown_errors
from pages.ui.shell.page import begin_page

LATEST = 10
SHOWN = tuple(status for status in Status if status is not Status.CANCELLED)
"""What was cancelled has no picture, and a batch of it would be all that is seen here."""


def home_page() -> None:
    begin_page("Inpaint Studio", "🎨")
    st.markdown(
        "Repaint part of a picture with Stable Diffusion: paint over it, describe what should be there, and watch it "
        "appear. Everything runs on this machine, and every picture is kept with all that is needed to make it again."
    )
    with shown_errors():
        _show(resources.studio())


def _show(studio: Studio) -> None:
    steps, machine = st.columns([3, 2], gap="large")
    with steps:
        _first_steps()
    with machine.container(border=True):
        device_card(studio)
    drafts_shelf(studio)
    _latest(studio)


def _first_steps() -> None:
    st.header("First steps")
    st.markdown(
        "1. **Open a picture**, one of yours or a sample, and paint over what should change.\n"
        "2. **Describe what should be there** in a few words, and press Generate. Every parameter explains itself.\n"
        "3. **Find it in the gallery** with its seed and every setting: run it again, or paint on from there."
    )
    with st.container(horizontal=True):
        st.page_link(INPAINT_PAGE, label="Open a picture", icon=":material/brush:")
        st.page_link(GALLERY_PAGE, label="Open the gallery", icon=":material/photo_library:")


def _latest(studio: Studio) -> None:
    count = studio.gallery.count()
    st.header("Latest")
    if not count:
        st.caption("Nothing here yet: what you generate is kept in the gallery and appears here.")
    with shown_errors():
        latest = studio.gallery.browse(GalleryFilter(statuses=SHOWN), limit=LATEST)
        opened = gallery_grid(studio.gallery, latest.generations, key="latest", selectable=False)
    if opened.opened:
        st.switch_page(GALLERY_PAGE, query_params=address_of(opened.opened))
    if count:
        label = "One generation in the gallery" if count == 1 else f"All {count:,} generations in the gallery"
        st.page_link(GALLERY_PAGE, label=label, icon=":material/arrow_forward:")
