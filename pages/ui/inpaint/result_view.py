"""What came out, beside what was there before, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation, Status
from pages.ui.generation.actions import CONTINUE, TRASH, Action, finish
from pages.ui.generation.card import outside_badge
from pages.ui.generation.compare import before_after
from pages.ui.generation.downloads import downloads
from pages.ui.generation.verdict import verdict_line, verify_button
from pages.ui.inpaint.again import VARIATIONS, another_seed, can_vary, continued, painted_as_best, reads, variations
from pages.ui.inpaint.form_fields import fill_form
from pages.ui.shell.actions import action_button
from pages.ui.shell.links import GALLERY_PAGE, address_of
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.wording import waited


def numbered_results(generations: Sequence[Generation]) -> dict[int, Generation]:
    """Those that succeeded, by their number among all of one press of Generate, from 1."""
    return {nth: g for nth, g in enumerate(generations, 1) if g.status is Status.SUCCEEDED}


PANEL = "result"


def result_panel(studio: Studio, id: str, candidate: Generation | None) -> None:
    """More of the candidate that the canvas shows, drawn only when it is open."""
    if candidate is None:
        return
    panel = st.expander("Result", icon=":material/image:", key=PANEL, on_change="rerun")
    if panel.open:
        with panel:
            _result(studio, id, candidate)


def result_view(studio: Studio, id: str, generations: Sequence[Generation]) -> None:
    """generations: all of one press of Generate; what did not succeed is told beside its button."""
    results = numbered_results(generations)
    if not results:
        return
    st.header("Result" if len(results) == 1 else f"{len(results)} results")
    _result(studio, id, _chosen(results))


def _result(studio: Studio, id: str, generation: Generation) -> None:
    with shown_errors():
        before_after(studio, generation, f"result-{generation.id}")
    _result_line(generation)
    _actions(studio, id, generation)
    with shown_errors():
        verdict_line(studio, generation)


def _chosen(results: Mapping[int, Generation]) -> Generation:
    first = next(iter(results.values()))
    if len(results) == 1:
        return first
    by_id = {generation.id: generation for generation in results.values()}
    # As they are numbered below Generate. Streamlit tells choices apart by their words: variations share a seed.
    titles = {generation.id: f"{nth} · {_seed(generation)}" for nth, generation in results.items()}
    chosen = st.segmented_control(
        "Which one",
        list(by_id),
        default=first.id,
        required=True,
        key=f"result-{first.id}",
        format_func=titles.__getitem__,
    )
    return by_id.get(chosen or "", first)


def _seed(generation: Generation) -> str:
    """In words: what chance decided about this picture."""
    params = generation.params
    return f"Variation {params.variation_seed}" if params.variation_strength else f"Seed {params.seed}"


def _result_line(generation: Generation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        outside_badge(generation)
        facts = [f"Seed {generation.params.seed}", escaped(generation.device)]
        if (took := waited(generation)) is not None:
            facts.insert(1, took)
        st.caption(" · ".join(facts), width="content")


def _actions(studio: Studio, id: str, generation: Generation) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"), shown_errors():
        _keep(studio, generation)
        TRASH.button(studio, generation)
        downloads(studio, generation, f"result-{generation.id}")
        verify_button(studio, generation)
        for action in _actions_in(studio, id):
            action.button(studio, generation)
        if reads(studio, generation, "seed"):
            st.button(
                "Use this seed again",
                icon=":material/push_pin:",
                key=f"seed-{generation.id}",
                help=f"Put {generation.params.seed} into the form, to change other parameters",
                on_click=fill_form,
                args=(studio, id, {"seed": generation.params.seed}),
            )
        st.page_link(
            GALLERY_PAGE,
            label="View details",
            icon=":material/photo_library:",
            query_params=address_of(generation.id),
            width="content",
        )


def _actions_in(studio: Studio, id: str) -> tuple[Action, ...]:
    """What is done in the draft of this id."""
    return (
        replace(CONTINUE, do=_of_one(continued, id)),
        Action(
            "continue-masked",
            "Continue with the same mask",
            ":material/filter_b_and_w:",
            "Use this result as the new picture and keep the mask, to repaint the same area again",
            _of_one(partial(continued, keeps_mask=True), id),
        ),
        Action(
            "again",
            "Try another seed",
            ":material/casino:",
            "The same picture, mask and parameters with a new seed",
            _of_one(another_seed, id),
            lambda generation: reads(studio, generation, "seed"),
        ),
        replace(finish(studio), do=_of_one(painted_as_best, id)),
        Action(
            "vary",
            "Variations",
            ":material/linked_services:",
            f"Make {VARIATIONS} similar versions",
            _of_one(variations, id),
            partial(can_vary, studio),
        ),
    )


def _of_one(do: Callable[[str, Studio, Generation], None], id: str) -> Callable[[Studio, Sequence[Generation]], None]:
    return lambda studio, generations: do(id, studio, generations[0])


def _keep(studio: Studio, generation: Generation) -> None:
    if generation.favourite:
        action_button(
            "Favourited",
            studio.gallery.set_favourite,
            [generation.id],
            False,
            key=f"unkeep-{generation.id}",
            icon=":material/favorite:",
            help="Remove from favourites",
            type="primary",
        )
    else:
        action_button(
            "Favourite",
            studio.gallery.set_favourite,
            [generation.id],
            True,
            key=f"keep-{generation.id}",
            icon=":material/favorite_border:",
            help="Add to favourites",
        )
