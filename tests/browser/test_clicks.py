"""No click and no word is lost, however a hand presses and wherever it goes next."""

from __future__ import annotations

import pytest

from tests.browser.artist import Artist, wait_until
from tests.browser.test_painter import paint

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HINTED = ("sunset over the sea", "remove the spaceship", "a (soft light:1.3) cat", "a dog", "delete a ++balloon++")
"""Words that bring hints when the field is left, and words that take them away."""


@pytest.fixture
def mia(artist) -> Artist:
    mia = artist(viewport={"width": 1440, "height": 900})
    mia.open_photo()
    mia.take_few_steps()
    paint(mia, (0.2, 0.3), (0.35, 0.3))
    mia.page.locator(".painter[data-stored=true]").wait_for()
    mia.see_rest()
    return mia


def made(mia: Artist) -> list[str]:
    """The prompts of all that this draft has submitted."""
    return [row["prompt"] for row in mia.rows]


def middle(mia: Artist, name: str) -> tuple[float, float]:
    button = mia.page.get_by_role("button", name=name, exact=True)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def end(mia: Artist) -> None:
    wait_until(lambda: all(row["finished_at"] for row in mia.rows), "it ends")
    mia.page.get_by_role("button", name="Generate", exact=True).wait_for()
    mia.see_rest()


def test_generate_is_pressed_straight_from_the_text_box_however_long_it_is_held(mia):
    field = mia.page.get_by_role("textbox", name="Prompt", exact=True)
    for words, held_s in zip(HINTED, (0.05, 0.3, 0.6, 1.0, 0.6), strict=True):
        field.fill(words)
        mia.page.mouse.move(*middle(mia, "Generate"))
        mia.page.mouse.down()
        mia.page.wait_for_timeout(held_s * 1000)
        mia.page.mouse.up()

        wait_until(lambda words=words: made(mia) == [words], f"“{words}”, held {held_s} s, is submitted")
        end(mia)


@pytest.mark.parametrize("idle_s", [0.02, 0.05, 0.2])
def test_generate_counts_though_the_page_is_left_at_once(mia, idle_s):
    source = mia.draft["source"]
    before = len(mia.all_rows(source))
    link = mia.page.get_by_role("link", name="Gallery").first

    # As a hand that is too quick for a test driver.
    mia.page.evaluate(
        """async ([generate, link, pause]) => {
            generate.click()
            if (pause) await new Promise((done) => setTimeout(done, pause))
            link.click()
        }""",
        [
            mia.page.get_by_role("button", name="Generate", exact=True).element_handle(),
            link.element_handle(),
            idle_s * 1000,
        ],
    )
    mia.page.get_by_role("heading", name="Gallery").wait_for()

    wait_until(lambda: len(mia.all_rows(source)) == before + 1, "it is submitted")


def test_a_double_click_on_generate_submits_once(mia):
    before = len(mia.all_rows(mia.draft["source"]))

    mia.page.get_by_role("button", name="Generate", exact=True).dblclick()

    wait_until(lambda: mia.rows, "it is submitted")
    end(mia)
    assert len(mia.all_rows(mia.draft["source"])) == before + 1


def test_the_tabs_of_one_browser_are_one_person_and_another_browser_is_someone_else(mia, artist):
    mia.page.get_by_role("button", name="Generate", exact=True).click()
    wait_until(lambda: mia.rows, "it is submitted")
    named = {cookie["name"]: cookie["value"] for cookie in mia.page.context.cookies()}["inpaint_studio_person"]
    tab = Artist(mia.page.context.new_page(), mia.address, mia.data)
    tab.open_photo()
    paint(tab, (0.5, 0.5), (0.6, 0.5))
    tab.page.locator(".painter[data-stored=true]").wait_for()
    tab.page.get_by_role("button", name="Generate", exact=True).click()
    wait_until(lambda: tab.rows, "it is submitted in the other tab")

    assert {row["session"] for row in (*mia.rows, *tab.rows)} == {named}
    other = artist()
    other.open_photo()
    assert {c["name"]: c["value"] for c in other.page.context.cookies()}["inpaint_studio_person"] != named
