"""Two pictures compared on the page: the views, the numbers, and words where something cannot be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.guide import Guide, Role
from core.domain.params import InpaintParams
from core.domain.request import InpaintRequest
from tests.conftest import a_mask, a_picture, a_request
from tests.controlnets import write_controlnet
from tests.pages.tables import rows_on


@dataclass
class Slider:
    """Stands in for the component in the browser: keeps what it was given."""

    data: dict = field(default_factory=dict)

    def __call__(self, *, data, **_):
        self.data = data
        return {}


@pytest.fixture
def slider(monkeypatch) -> Slider:
    slider = Slider()
    monkeypatch.setattr("pages.ui.components.comparison_slider._component", slider)
    return slider


@pytest.fixture
def compared(studio, slider, monkeypatch):
    """Open a page with nothing but the comparison of these two."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    st.cache_data.clear()

    def page(left: str, right: str) -> None:
        from pages.ui.generation.compare import comparison
        from pages.ui.shell.resources import studio

        comparison(studio(), left, right)

    def open_page(left: str, right: str) -> AppTest:
        opened = AppTest.from_function(page, args=(left, right), default_timeout=30).run()
        assert not opened.exception
        return opened

    return open_page


def painted(studio, dispatcher, **params) -> str:
    [id] = studio.generations.submit(a_request(num_inference_steps=1, **params))
    dispatcher.drain()
    return id


def larger(studio, dispatcher, width: int, height: int) -> str:
    request = InpaintRequest(a_picture(width, height), a_mask(width, height), InpaintParams(prompt="a dog", size=64))
    [id] = studio.generations.submit(request)
    dispatcher.drain()
    return id


def choose(page: AppTest, what: str) -> AppTest:
    group = next(g for g in page.get("button_group") if what in g.options)
    page = group.set_value(what).run()
    assert not page.exception
    return page


def words_on(page: AppTest) -> str:
    parts = [e.value for kind in ("markdown", "caption", "info", "error") for e in page.get(kind)]
    return re.sub(r"\\(\W)", r"\1", "\n".join(map(str, parts))) + "\n" + "\n".join(rows_on(page))


def test_two_results_lie_on_top_of_each_other_with_a_divider_between_them(studio, dispatcher, compared, slider):
    left, right = painted(studio, dispatcher, seed=1), painted(studio, dispatcher, prompt="a dog", seed=2)

    page = compared(left, right)

    assert (slider.data["layers"][0]["alt"], slider.data["layers"][1]["alt"]) == (
        "Left: “a cat”, seed 1",
        "Right: “a dog”, seed 2",
    )
    assert slider.data["layers"][0]["address"] != slider.data["layers"][1]["address"]
    assert (slider.data["width"], slider.data["height"]) == (96, 64)
    assert not page.error


def test_what_was_chosen_differently_is_listed(studio, dispatcher, compared):
    left, right = painted(studio, dispatcher, seed=1), painted(studio, dispatcher, prompt="a dog", seed=1)

    words = words_on(compared(left, right))

    assert "Prompt a cat a dog" in words
    assert "Seed" not in words


@pytest.mark.parametrize("view", ["Difference", "Side by side"])
def test_the_other_views_of_two_results(studio, dispatcher, compared, view):
    left, right = painted(studio, dispatcher, seed=1), painted(studio, dispatcher, seed=2)

    page = choose(compared(left, right), view)

    assert not page.error
    assert ("PSNR" in words_on(page)) is (view == "Difference")


def test_the_difference_is_given_in_numbers(studio, dispatcher, compared):
    left, right = painted(studio, dispatcher, seed=1), painted(studio, dispatcher, seed=2)

    page = choose(compared(left, right), "Difference")

    assert re.search(
        r"\*\*\d+\.\d\d%\*\* of the pixels of the picture differ, at most by \*\*\d+ of 255\*\*. "
        r"PSNR: \*\*\d+\.\d dB\*\*\.",
        words_on(page),
    )


def test_equal_pictures_are_said_to_be_equal(studio, dispatcher, compared):
    left = painted(studio, dispatcher)
    right = studio.generations.rerun(left)
    dispatcher.drain()

    page = choose(compared(left, right), "Difference")

    assert "Every pixel of the picture is the same" in words_on(page)
    assert "same parameters and the same seed" in words_on(page)


def test_pictures_of_different_sizes_are_shown_side_by_side_and_why_is_said(studio, dispatcher, compared, slider):
    left, right = painted(studio, dispatcher), larger(studio, dispatcher, 120, 80)

    page = compared(left, right)

    assert "different sizes (96 x 64 and 120 x 80 pixels)" in words_on(page)
    assert not slider.data


def test_the_same_one_twice_is_its_result_beside_its_original(studio, dispatcher, compared, slider):
    id = painted(studio, dispatcher)

    compared(id, id)

    assert (slider.data["layers"][0]["title"], slider.data["layers"][1]["title"]) == ("Before", "After")


@pytest.mark.slow_but_first
@pytest.mark.parametrize("view", ["Difference", "Mask", "Result", "Side by side"])
def test_the_views_of_one_generation(studio, dispatcher, compared, view):
    id = painted(studio, dispatcher)

    page = choose(compared(id, id), view)

    assert not page.error


def test_the_painted_part_can_be_looked_at_alone(studio, dispatcher, compared, slider):
    id = painted(studio, dispatcher)

    choose(compared(id, id), "Painted part")

    left, top, right, bottom = studio.gallery.get(id).painted_part.box
    assert (slider.data["width"], slider.data["height"]) == (right - left, bottom - top)


def test_a_part_of_a_large_picture_is_shown_with_all_its_pixels(studio, dispatcher, compared, slider):
    id = larger(studio, dispatcher, 1500, 40)

    page = choose(compared(id, id), "Full resolution")
    page.slider[0].set_value(220).run()

    assert (slider.data["width"], slider.data["height"]) == (1280, 40)
    assert len(page.slider) == 1


def test_a_control_picture_has_a_view_of_its_own(studio, dispatcher, compared):
    write_controlnet(studio.settings.models / "controlnet" / "depth.safetensors")
    guide = Guide(Role.CONTROL, 0, a_picture(48, 32))
    [id] = studio.generations.submit(replace(a_request(controlnet=["depth"]), guides=(guide,)))
    dispatcher.drain()

    page = choose(compared(id, id), "Control picture")

    [shown] = page.get("image")
    assert shown.proto.imgs[0].alt.startswith("Control picture: ")


def test_a_missing_original_does_not_hide_the_result(studio, dispatcher, compared, slider):
    id = painted(studio, dispatcher)
    studio.gallery.images.path(studio.gallery.get(id).source).unlink()

    page = compared(id, id)

    assert "missing" in page.error[0].value
    assert len(page.get("image")) == 1


def test_one_without_a_result_cannot_be_compared(studio, dispatcher, compared):
    left = painted(studio, dispatcher)
    [right] = studio.generations.submit(a_request(prompt="not yet"))

    assert "“not yet”, seed 0 has no result" in words_on(compared(left, right))


@pytest.mark.slow_but_first
@pytest.mark.parametrize("box", [(0, 10, 20, 40), (1, 0, 96, 64), (0, 0, 96, 64), (40, 10, 50, 40), (80, 10, 96, 40)])
def test_what_was_changed_is_on_the_side_of_the_result_at_first_wherever_it_is(
    studio, dispatcher, compared, slider, box
):
    params = InpaintParams(prompt="a cat", size=64, num_inference_steps=1, mask_grow_px=2, mask_feather_px=2)
    [id] = studio.generations.submit(InpaintRequest(a_picture(), a_mask(box=box), params))
    dispatcher.drain()

    compared(id, id)

    # 4 pixels around the mask may differ too. At the very edge the divider is still to be seen.
    assert 2 <= slider.data["at"] <= max(2, 100 * (box[0] - 4) / 96)
    assert slider.data["at"] >= 100 * (box[0] - 4) / 96 - 5


def test_of_two_results_both_show_a_half_of_what_was_repainted(studio, dispatcher, compared, slider):
    left, right = painted(studio, dispatcher, prompt="a cat"), painted(studio, dispatcher, prompt="a dog")

    compared(left, right)

    assert 100 * 20 / 96 < slider.data["at"] < 100 * 50 / 96


def test_in_the_painted_part_the_divider_begins_beside_the_mask_too(studio, dispatcher, compared, slider):
    id = painted(studio, dispatcher)
    page = compared(id, id)

    page.segmented_control(key=f"part-compare-{id}").set_value("Painted part").run()

    left, _, right, _ = studio.gallery.get(id).painted_part.box
    params = studio.gallery.get(id).params
    mask_begins = max(0, 20 - params.mask_grow_px - params.mask_feather_px)
    assert slider.data["at"] <= max(2, 100 * (mask_begins - left) / (right - left))
