"""The family of a generation on its card: steps, tree, comparison along the chain, and the chain painted again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.pixels.outpaint import CanvasExtension
from core.domain.sheet import Axis, Sheet
from tests.conftest import a_request
from tests.pages.test_compare import Slider
from tests.pages.test_gallery import button, gallery, grid, painted  # noqa: F401 - fixtures
from tests.services.test_lineage import continued, outpainted, work_off


@dataclass
class Tree:
    """Stands in for the tree of the browser: keeps what it was given, and answers what it is told to."""

    rows: list[dict] = field(default_factory=list)
    answer: dict = field(default_factory=dict)

    def __call__(self, *, data, **_):
        self.rows = data["rows"]
        return self.answer


@pytest.fixture
def tree(monkeypatch) -> Tree:
    tree = Tree()
    monkeypatch.setattr("pages.ui.components.family_tree._component", tree)
    return tree


@pytest.fixture
def slider(monkeypatch) -> Slider:
    slider = Slider()
    monkeypatch.setattr("pages.ui.components.comparison_slider._component", slider)
    return slider


@pytest.fixture
def card(gallery, tree, slider):  # noqa: F811
    """Open the card of this generation, and on it the lineage."""

    def open_card(id: str) -> AppTest:
        page = gallery(generation=id)
        page.session_state["lineage"] = True
        page.run()
        assert not page.exception
        return page

    return open_card


@pytest.fixture
def chain(studio, dispatcher) -> list[str]:
    ids = painted(studio, dispatcher, prompt="a first *one*")
    for nth in (1, 2):
        ids.append(continued(studio, ids[-1], nth))
    return ids


def told(page: AppTest) -> str:
    elements = [e for kind in ("success", "warning", "info", "caption") for e in page.get(kind)]
    return re.sub(r"\\(\W)", r"\1", "\n".join(str(e.value) for e in elements))


def test_the_tree_shows_the_family_with_the_open_one_marked(card, tree, slider, studio, dispatcher, chain):
    studio.generations.rerun(chain[0])

    card(chain[1])

    assert [(t["id"], t["depth"], t["is_current"], t["is_step"]) for t in tree.rows[:3]] == [
        (chain[0], 0, False, True),
        (chain[1], 1, True, True),
        (chain[2], 2, False, False),
    ]
    assert tree.rows[0]["title"] == "a first *one*"
    assert tree.rows[0]["picture"]
    assert tree.rows[1]["detail"].startswith("Continued · seed 1 · ")
    assert tree.rows[3]["detail"].startswith("Queued · Run again · seed 0")


@pytest.mark.slow
def test_a_click_in_the_tree_opens_that_one(card, tree, slider, chain):
    page = card(chain[1])
    tree.answer = {"open": chain[0]}

    page.run()

    assert page.query_params["generation"] in (chain[0], [chain[0]])


@pytest.mark.slow
def test_the_chain_can_be_stepped_through(card, tree, slider, chain):
    page = card(chain[1])

    page = button(page, "Step before").click().run()
    assert page.query_params["generation"] in (chain[0], [chain[0]])
    page = button(page, "Step after").click().run()
    page = button(page, "Step after").click().run()

    assert page.query_params["generation"] in (chain[2], [chain[2]])
    assert button(page, "Step after").disabled


def test_any_two_pictures_of_the_chain_are_laid_on_top_of_each_other(card, tree, slider, chain):
    page = card(chain[2])
    assert (slider.data["layers"][0]["title"], slider.data["layers"][1]["title"]) == ("Start", "Step 3")

    page.select_slider[0].set_value(("Step 1", "Step 2")).run()

    assert (slider.data["layers"][0]["alt"], slider.data["layers"][1]["alt"]) == (
        "Step 1: a first *one*",
        "Step 2: step 1",
    )


def test_the_whole_chain_is_replayed_with_one_click_and_is_exact(card, tree, slider, studio, chain):
    page = card(chain[2])

    page = button(page, "Replay the whole chain").click().run()
    assert not page.exception
    assert not [b for b in page.button if b.label == "Replay the whole chain"]
    assert [b.label for b in page.button if b.label == "Stop"] == ["Stop"]
    work_off(studio)
    page = card(chain[2])

    assert "after 3 steps the last picture is EXACT" in told(page)
    assert "Compare old and new" in [link.label for link in page.get("page_link")]


@pytest.mark.slow
def test_a_replay_that_came_out_otherwise_says_where(card, tree, slider, studio, inpainter, chain):
    studio.replays.start(chain[2])
    studio.worker.run_next()
    inpainter.shift = 90
    work_off(studio)

    page = card(chain[2])

    assert "the last picture is DIFFERENT. Step 2 is the first that differs" in told(page)


@pytest.mark.slow
def test_a_replay_can_be_stopped(card, tree, slider, studio, chain):
    studio.replays.start(chain[2])
    page = card(chain[2])

    button(page, "Stop").click().run()
    work_off(studio)
    page = card(chain[2])

    assert "ended after 0 of 3 steps" in told(page)


def test_one_without_relatives_shows_no_family(card, studio, dispatcher):
    [id] = painted(studio, dispatcher)

    page = card(id)

    assert not [e for e in page.expander if e.label.startswith("Lineage")]


@pytest.mark.slow
def test_the_card_of_a_cell_shows_its_sheet(studio, dispatcher, card):
    made = studio.sheets.submit(a_request(), Sheet(Axis("seed", (1, 2))))
    dispatcher.drain()

    page = card(made.cells[0][1].id)
    page.session_state["sheets"] = True
    page.run()

    assert not page.exception
    assert any("2 of 2 done" in caption.value.replace("\\", "") for caption in page.caption)


@pytest.mark.slow
def test_along_an_extended_chain_only_pictures_of_one_size_are_laid_on_each_other(studio, chain, card):
    wide = outpainted(studio, chain[-1], CanvasExtension(right=32))
    last = continued(studio, wide, 3)

    page = card(last)

    assert page.select_slider(key=f"along-{last}").options == ["Start", "Step 4", "Step 5"]
