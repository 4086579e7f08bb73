"""What came out, beside what was there before, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation, Relation
from core.domain.request import InpaintRequest
from core.services.generations import Origin
from pages.ui import state
from pages.ui.generation_card import GALLERY_PAGE, address_of, duration
from pages.ui.messages import escaped, shown_errors
from pages.ui.params_form import use_seed
from pages.ui.prepared import screen_picture

WIDEST_PX, TALLEST_PX = 1000, 640


def result_view(studio: Studio, id: str, results: Sequence[Generation]) -> None:
    """results: that succeeded, of one press of Generate."""
    if not results:
        return
    st.subheader("Result" if len(results) == 1 else f"{len(results)} results")
    generation = _chosen(results)
    before, after = st.columns(2)
    with before, shown_errors():
        _picture(studio, generation, generation.source, "Before")
    with after, shown_errors():
        _picture(studio, generation, generation.output, "After")
    _facts(generation)
    _actions(studio, id, generation)


def _picture(studio: Studio, generation: Generation, key: str, title: str) -> None:
    """As wide as its column, but no taller than a screen leaves room for."""
    with st.container(width=max(120, min(WIDEST_PX, TALLEST_PX * generation.width // generation.height))):
        st.image(screen_picture(studio, key), caption=title, alt=title, width="stretch")


def _chosen(results: Sequence[Generation]) -> Generation:
    if len(results) == 1:
        return results[0]
    by_id = {generation.id: generation for generation in results}
    key = f"result-{results[0].id}"
    chosen = st.segmented_control(
        "Which one", list(by_id), default=results[0].id, required=True, key=key,
        format_func=lambda id: f"Seed {by_id[id].params.seed}",
    )  # fmt: skip
    return by_id.get(chosen or "", results[0])


def _facts(generation: Generation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        unchanged = generation.record.get("outside_mask_unchanged")
        if unchanged is True:
            st.badge("Outside the mask: unchanged, checked", icon=":material/verified:", color="green")
        elif unchanged is False:
            st.badge("Outside the mask: changed", icon=":material/warning:", color="red")
        facts = [f"Seed {generation.params.seed}", escaped(generation.device)]
        if generation.runtime_s is not None:
            facts.insert(1, duration(generation.runtime_s))
        st.caption(" · ".join(facts), width="content")


def _actions(studio: Studio, id: str, generation: Generation) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"), shown_errors():
        st.download_button(
            "Download", lambda: studio.gallery.file(generation.output), f"inpaint-{generation.id}.png", "image/png",
            key=f"download-{generation.id}", on_click="ignore", icon=":material/download:",
            help="The whole picture in its full resolution, as a PNG",
        )  # fmt: skip
        if st.button(
            "Continue from this result", icon=":material/arrow_forward:", key=f"continue-{generation.id}",
            help="Paint on: it becomes the picture, with an empty mask",
        ):  # fmt: skip
            _continue(studio, generation)
        if st.button(
            "Try another seed", icon=":material/casino:", key=f"again-{generation.id}",
            help="The same picture, mask and parameters with a new seed",
        ):  # fmt: skip
            _try_again(studio, id, generation)
        st.button(
            "Use this seed again", icon=":material/push_pin:", key=f"seed-{generation.id}",
            help=f"Put {generation.params.seed} into the form, to change something else",
            on_click=use_seed, args=(id, generation.params.seed),
        )  # fmt: skip
        st.page_link(
            GALLERY_PAGE, label="All its details", icon=":material/photo_library:",
            query_params=address_of(generation.id), width="content",
        )  # fmt: skip


def _continue(studio: Studio, generation: Generation) -> None:
    draft = studio.drafts.continued_from(generation)
    state.open_draft(studio, draft.changed(params={**draft.params, "random_seed": True}))
    st.rerun()


def _try_again(studio: Studio, id: str, generation: Generation) -> None:
    params = generation.params.changed(seed=studio.generations.random_seed())
    request = InpaintRequest(studio.gallery.image(generation.source), studio.gallery.mask(generation), params)
    origin = Origin(generation.id, Relation.VARIATION, state.session(), generation.source_name)
    ids = studio.generations.submit(request, device=generation.device, origin=origin)
    state.change_draft(studio, id, generations=tuple(ids))
    st.rerun()
