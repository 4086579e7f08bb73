"""The popover that finds parts of the mask."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask
from core.domain.pixels.selection import rectangle
from tests.pages.test_inpaint import draft, draft_id, generate, png, upload, words_on
from tests.pages.test_painter import stored
from tests.selecting_pictures import FACE, PORTRAIT, iou

SIZE = Size(240, 160)
BALLS = (Bounds(20, 40, 90, 110), Bounds(150, 30, 220, 100))


def two_balls() -> Image.Image:
    grain = np.random.default_rng(0).integers(150, 170, (SIZE.height, SIZE.width, 3), dtype=np.uint8)
    image = Image.fromarray(grain)
    for ball, colour in zip(BALLS, ("firebrick", "navy"), strict=True):
        ImageDraw.Draw(image).ellipse(ball.box, fill=colour)
    return image


def ball(nth: int) -> Mask:
    image = Image.new("L", SIZE.sides)
    ImageDraw.Draw(image).ellipse(BALLS[nth].box, fill=255)
    return Mask.from_image(image)


def rough(nth: int) -> Mask:
    return rectangle(SIZE, BALLS[nth].grown(8, SIZE))


@pytest.fixture
def page(inpaint, browser):
    return upload(inpaint(panels=[]), png(two_balls()))


def look_for(page, kind: str):
    page.segmented_control(key="selecting-kind").set_value(kind).run()


def test_a_rough_area_becomes_the_object_in_it(page, browser, studio):
    browser.paint(rough(0))
    page.run()

    page.button(key="selecting-object").click().run()

    assert iou(stored(studio, page), ball(0)) > 0.9
    assert browser.shows == stored(studio, page)
    [found] = draft(studio, page).selection
    assert (found["kind"], found["box"]) == ("object", list(BALLS[0].grown(8, SIZE).box))
    assert "selected" in words_on(page)


def test_a_second_object_leaves_the_first_as_it_is(page, browser, studio):
    browser.paint(rough(0))
    page.run()
    page.button(key="selecting-object").click().run()
    first = stored(studio, page)
    browser.paint(first.union(rough(1)))
    page.run()

    page.button(key="selecting-object").click().run()

    both = stored(studio, page)
    assert first.without(both).is_empty
    assert iou(both, ball(0).union(ball(1))) > 0.85
    assert len(draft(studio, page).selection) == 2


def test_the_other_way_takes_the_place_of_the_first(page, browser, studio):
    browser.paint(rough(0))
    page.run()
    page.button(key="selecting-object").click().run()

    page.button(key="selecting-other").click().run()

    methods = [found["method"] for found in draft(studio, page).selection]
    page.button(key="selecting-other").click().run()
    back = [found["method"] for found in draft(studio, page).selection]
    assert sorted([*methods, *back]) == ["grabcut", "u2netp"]
    assert not page.exception


def test_what_was_undone_can_be_looked_for_again(page, browser, studio):
    browser.paint(rough(0))
    page.run()
    page.button(key="selecting-object").click().run()
    found = stored(studio, page)
    browser.paint(rough(0))
    page.run()

    page.button(key="selecting-object").click().run()

    assert stored(studio, page) == found


def test_what_a_stranger_wrote_into_a_draft_is_no_error(page, browser, studio):
    id = draft_id(page)
    odd = ({"kind": "object", "box": "abc", "pixels": 1}, {"box": [1, 2, 1, 2], "pixels": None}, {"kind": ["x"]})
    studio.drafts.save(id, draft(studio, page).changed(selection=odd))
    browser.paint(rough(0))
    page.run()

    page.button(key="selecting-object").click().run()

    assert not page.exception
    assert iou(stored(studio, page), ball(0)) > 0.9


def test_a_mask_of_many_specks_is_refused(page, browser, studio):
    specks = np.zeros((SIZE.height, SIZE.width), np.uint8)
    specks[::8, ::8] = 255
    browser.paint(Mask(specks))
    page.run()

    page.button(key="selecting-object").click().run()

    assert "600 parts" in words_on(page)


def test_without_a_rough_area_no_object_can_be_looked_for(page):
    assert page.button(key="selecting-object").disabled


def test_faces_are_added_and_taken_away_and_recorded_with_the_generation(inpaint, browser, studio):
    page = upload(inpaint(panels=[]), png(Image.open(PORTRAIT)))
    look_for(page, "faces")

    page.button(key="selecting-add").click().run()

    middle = (FACE.top + FACE.bottom) // 2, (FACE.left + FACE.right) // 2
    assert stored(studio, page).pixels[middle] == 255
    assert "Faces (1): added" in words_on(page)
    generate(page)
    [generation] = studio.gallery.browse().generations
    assert [found["kind"] for found in generation.record.selection] == ["faces"]

    page.button(key="selecting-subtract").click().run()
    assert stored(studio, page) is None
    assert draft(studio, page).selection == ()


def test_what_is_not_found_is_said_and_the_mask_stays(page, browser, studio):
    browser.paint(rough(0))
    look_for(page, "faces")

    page.button(key="selecting-add").click().run()

    assert "No faces were found" in words_on(page)
    assert stored(studio, page) == rough(0)
    assert draft(studio, page).selection == ()


def test_a_new_mask_forgets_what_was_found_for_the_old_one(page, browser, studio):
    browser.paint(rough(0))
    page.run()
    page.button(key="selecting-object").click().run()

    browser.paint(Mask.empty(SIZE))
    page.run()

    assert draft(studio, page).selection == ()
