"""Comparing pictures and walking through a family in a real browser: mouse, finger and keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.bootstrap import Studio
from core.domain.generation import Origin, Relation
from tests.browser.artist import dashboard, filled_studio
from tests.conftest import a_request

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def family(tmp_path_factory) -> Iterator[tuple[str, Studio, list[str]]]:
    """A running dashboard whose gallery holds a generation and a variation of it."""
    data = tmp_path_factory.mktemp("family")
    studio = filled_studio(data)
    [first] = studio.generations.submit(a_request(prompt="<b>first</b>", num_inference_steps=1))
    [second] = studio.generations.submit(
        a_request(prompt="second", num_inference_steps=1), origin=Origin(first, Relation.VARIATION)
    )
    with dashboard(data) as address:
        yield address, studio, [first, second]


@pytest.fixture
def opened(window, family):
    """Open the gallery at this query, in a browser of this kind, and wait for the divider."""

    def open_at(query: str, **options):
        page = window(**{"viewport": {"width": 1440, "height": 1000}, **options})
        page.goto(f"{family[0]}/Gallery?{query}")
        page.locator(".slider").wait_for()
        return page

    return open_at


def divider(page) -> int:
    return int(page.locator(".handle").get_attribute("aria-valuenow"))


def test_the_divider_follows_the_mouse_and_the_keys(opened, family):
    page = opened(f"generation={family[2][0]}")
    box = page.locator(".slider").bounding_box()

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40)
    page.mouse.up()
    assert divider(page) == pytest.approx(25, abs=1)

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert divider(page) == pytest.approx(37, abs=1)
    page.keyboard.press("End")
    assert divider(page) == 100
    page.keyboard.press("Space")
    assert divider(page) == 0


def test_the_divider_follows_a_finger_on_a_phone_and_nothing_sticks_out(opened, family):
    page = opened(f"generation={family[2][0]}", viewport={"width": 390, "height": 844}, has_touch=True)
    box = page.locator(".slider").bounding_box()

    page.touchscreen.tap(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)

    assert divider(page) == pytest.approx(75, abs=1)
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_both_pictures_of_a_comparison_are_there_and_have_names(opened, family):
    page = opened(f"compare={family[2][0]}&compare={family[2][1]}")

    for side in ("left", "right"):
        picture = page.locator(f".slider img.{side}")
        page.wait_for_function("picture => picture.naturalWidth > 0", arg=picture.element_handle())
        assert picture.get_attribute("alt").startswith(f"{side.capitalize()}: “")
    assert page.locator(".slider b").count() == 0


def test_a_click_in_the_tree_opens_a_relative_and_the_tree_stays_open(opened, family):
    _, _, (first, second) = family
    page = opened(f"generation={second}")
    page.get_by_text("Lineage", exact=True).click()
    page.locator(f".tree-row[data-id='{second}'][aria-current]").wait_for()

    page.locator(f".tree-row[data-id='{first}']").focus()
    page.keyboard.press("Enter")

    page.locator(f".tree-row[data-id='{first}'][aria-current]").wait_for()
    assert f"generation={first}" in page.url
    assert page.locator(f".tree-row[data-id='{first}'] .title").inner_text() == "<b>first</b>"
