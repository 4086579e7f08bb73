"""Results in their place in a real browser: seen in the picture, gone through, accepted and taken back."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.browser.artist import Artist, wait_until
from tests.browser.test_painter import paint

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINE = [(0.3, 0.3), (0.45, 0.4)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def mia(artist) -> Artist:
    mia = artist(viewport={"width": 1440, "height": 900})
    made(mia)
    return mia


def made(mia: Artist) -> None:
    """One candidate."""
    mia.open_photo()
    mia.page.get_by_role("radio", name="Replace", exact=True).click()
    wait_until(lambda: mia.draft["params"].get("strength") == 1, "it starts from noise")
    mia.see_rest()
    mia.type_prompt("a red balloon")
    paint(mia, *LINE)
    mia.page.locator(".painter[data-stored=true]").wait_for()
    generate(mia)


def generate(mia: Artist) -> None:
    before = len(candidates(mia))
    mia.generate()
    wait_until(lambda: len(candidates(mia)) > before, "it is a candidate")
    mia.see_rest()


def candidates(mia: Artist) -> list[str]:
    return mia.page.locator(".painter [role=option]").evaluate_all("all => all.map((one) => one.dataset.id)")


def shown(mia: Artist) -> str | None:
    """The id of the candidate that is seen."""
    one = mia.page.locator(".painter [role=option][aria-selected=true]")
    return one.get_attribute("data-id") if one.count() else None


def screen(mia: Artist) -> np.ndarray:
    """Pixels around the middle of the stroke."""
    box = mia.picture_box
    x, y = box["x"] + 0.38 * box["width"], box["y"] + 0.35 * box["height"]
    shot = mia.page.screenshot(clip={"x": x - 20, "y": y - 20, "width": 40, "height": 40})
    return np.asarray(Image.open(BytesIO(shot)).convert("RGB"), int)


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).mean() > 5)


def test_the_result_appears_in_its_place_without_scrolling_and_before_is_held(mia):
    result = mia.page.get_by_role("img", name="After")
    box, picture = result.bounding_box(), mia.picture_box
    assert box["y"] + box["height"] <= 900
    assert picture["x"] <= box["x"] < picture["x"] + 0.3 * picture["width"]
    mia.page.get_by_text("Outside the mask: unchanged (checked)").wait_for()
    after = screen(mia)

    mia.page.keyboard.down("x")
    before = screen(mia)
    mia.page.keyboard.up("x")

    assert differ(before, after)
    assert not differ(screen(mia), after)
    mia.page.keyboard.press("m")
    with_mask = screen(mia)
    mia.page.keyboard.press("m")
    mia.page.keyboard.press("d")
    difference = screen(mia)
    assert differ(with_mask, after)
    assert differ(difference, after)
    assert differ(difference, with_mask)


def test_painting_on_goes_back_to_the_picture_and_its_mask(mia):
    mask = mia.draft["base_mask"]

    paint(mia, (0.6, 0.6), (0.7, 0.6))

    assert shown(mia) is None
    assert "of the picture will be repainted" in mia.page.locator(".painter .words").text_content()
    mia.page.locator(".painter[data-stored=true]").wait_for()
    assert mia.draft["base_mask"] != mask
    mia.page.locator(".painter [role=option]").click()
    assert shown(mia) == candidates(mia)[0]


def test_arrows_go_through_the_candidates_enter_accepts_and_undo_goes_back(mia):
    generate(mia)
    newest, oldest = candidates(mia)
    assert shown(mia) == newest
    mia.stage.focus()

    mia.page.keyboard.press("ArrowRight")
    assert shown(mia) == oldest
    mia.page.keyboard.press("ArrowLeft")
    assert shown(mia) == newest
    before = mia.page.url
    mia.page.keyboard.press("Enter")

    mia.page.wait_for_url(lambda url: url != before)
    mia.see_painter()
    assert mia.draft["parent_id"] == newest
    assert candidates(mia) == []
    mia.page.get_by_role("button", name="Undo", exact=True).click()
    mia.page.wait_for_url(before)
    wait_until(lambda: candidates(mia) == [newest, oldest], "the candidates are there again")


def test_a_finger_takes_a_candidate_as_favourite_and_discards_it_within_the_screen(artist):
    mia = artist(**PHONE)
    made(mia)
    [id] = candidates(mia)
    heart = mia.page.get_by_role("button", name="Favourite", exact=True)
    generate_button = mia.page.get_by_role("button", name="Generate", exact=True)
    foot = generate_button.bounding_box()

    heart.tap()
    wait_until(lambda: mia.rows[0]["favourite"], "it is a favourite")
    mia.see_rest()
    mia.page.get_by_role("button", name="Discard: move to trash", exact=True).tap()

    wait_until(lambda: candidates(mia) == [], "it has gone")
    assert mia.rows[0]["deleted_at"] is not None
    assert foot["y"] > 844 / 2
    assert foot["y"] + foot["height"] <= 844
    assert mia.page.evaluate("document.documentElement.scrollWidth") <= 390
