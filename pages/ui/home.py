"""Home: a picture that becomes another one, where to begin, what is in work, what was begun and what was made last."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from core.bootstrap import Studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Progress, Status
from core.domain.geometry import Size
from pages.ui.components.comparison_slider import Layer, comparison_slider
from pages.ui.components.gallery_grid import NO_PROMPT, gallery_grid
from pages.ui.device_card import device_card
from pages.ui.drafts.shelf import drafts_shelf
from pages.ui.generation.card import describe_progress
from pages.ui.queue import queue_words
from pages.ui.shell import media, resources, state
from pages.ui.shell.links import GALLERY_PAGE, INPAINT_PAGE, QUEUE_PAGE, address_of
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.page import begin_page
from pages.ui.shell.watching import draw_page_again
from pages.ui.shell.wording import beginning

LATEST = 10
SHOWN = (Status.SUCCEEDED,)
"""Elsewhere on this page is what is in work; what failed or was cancelled has no picture."""

EXAMPLE = Path(__file__).parents[2] / "assets" / "example"
EXAMPLE_SIZE = Size(580, 380)
PROMPT_SHOWN = 60


def home_page() -> None:
    begin_page("Inpaint Studio", "🎨")
    with shown_errors():
        _show(resources.studio())


def _show(studio: Studio) -> None:
    # On a phone the example fills the screen: whoever has begun something comes back for that.
    at_the_end = state.is_phone() and bool(studio.drafts.of(state.person()))
    if not at_the_end:
        _welcome()
    _in_work(studio)
    drafts_shelf(studio)
    _latest(studio)
    if at_the_end:
        _welcome()
    with st.container(border=True):
        device_card(studio)


def _welcome() -> None:
    example, steps = st.columns([2, 3], gap="large", vertical_alignment="center")
    with example:
        _example()
    with steps:
        _first_steps()


def _example() -> None:
    """What one mask and one click did. assets/example/make.py does it again."""
    before, after = (
        Layer(media.address(_part(name), f"home-{name}"), name.capitalize(), f"{name.capitalize()}: {alt}")
        for name, alt in (("before", "two white rocks on a meadow"), ("after", "the same meadow without the rocks"))
    )
    comparison_slider(before, after, EXAMPLE_SIZE, key="example")
    # Not a caption: a link in it is too pale to be read.
    st.markdown(
        ":small[Two rocks, painted over and removed by Content fill, which comes with the program. Photograph: "
        "Aitzol Berasategi, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)]"
    )


@cache
def _part(name: str) -> bytes:
    return (EXAMPLE / f"{name}.webp").read_bytes()


def _first_steps() -> None:
    st.markdown(
        "Repaint part of a picture with Stable Diffusion. Everything runs on this machine, and every picture is kept "
        "with all that is needed to make it again.\n"
        "1. **Open a picture**, one of yours or a sample, and paint over what should change.\n"
        "2. **Describe what should be there** in a few words, and press Generate. Every parameter explains itself.\n"
        "3. **Find it in the gallery** with its seed and every setting: run it again, or paint on from there."
    )
    with st.container(horizontal=True):
        st.page_link(INPAINT_PAGE, label="Open a picture", icon=":material/brush:")
        st.page_link(GALLERY_PAGE, label="Open the gallery", icon=":material/photo_library:")


def _in_work(studio: Studio) -> None:
    """Nothing if nothing is."""
    view = studio.queue.view(0)
    if view.running or view.waiting_count:
        st.header("In work")
        _watch(studio, tuple(entry.generation.id for entry in view.running))


@st.fragment(run_every=2.0)
def _watch(studio: Studio, running: tuple[str, ...]) -> None:
    """What is being painted, and a new page when another one is: the one before has come to its end."""
    with shown_errors():
        view = studio.queue.view(0)
        if running != tuple(entry.generation.id for entry in view.running):
            draw_page_again()
        for entry in view.running:
            progress = entry.progress or Progress(Status.RUNNING)
            prompt = beginning(entry.generation.params.prompt, PROMPT_SHOWN) or NO_PROMPT
            st.progress(progress.fraction, text=f"{escaped(prompt)}: {describe_progress(progress)}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(queue_words(view), width="content")
            st.page_link(QUEUE_PAGE, label="Open the queue", icon=":material/arrow_forward:")


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
