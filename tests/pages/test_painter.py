"""The painter's half on the server: what it tells the browser, and what it makes of what the browser sends."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.domain.draft import Draft
from core.domain.geometry import Bounds, Size
from core.domain.pixels.mask import Mask
from core.domain.pixels.selection import ellipse, rectangle
from tests.conftest import a_mask, a_picture
from tests.pages.test_inpaint import draft, draft_id, generate, png, upload, words_on


@pytest.fixture
def page(browser, opened) -> AppTest:
    return opened


def stored(studio, page: AppTest) -> Mask | None:
    key = draft(studio, page).base_mask
    return key and Mask.from_image(studio.gallery.image(key))


def test_the_painter_gets_the_picture_and_no_mask_at_first(page, browser):
    assert (browser.told["width"], browser.told["height"]) == (96, 64)
    assert browser.told["mask"] is None
    picture = base64.b64decode(browser.told["picture"].partition(",")[2])
    assert Image.open(io.BytesIO(picture)).size == (96, 64)


@pytest.mark.slow
def test_a_large_picture_is_painted_on_at_2048_pixels(inpaint, browser):
    upload(inpaint(), png(Image.new("RGB", (4096, 1000))))

    assert (browser.told["width"], browser.told["height"], browser.told["picture_width"]) == (2048, 500, 4096)


def test_what_is_painted_is_stored_and_acknowledged(page, browser, studio):
    browser.paint(a_mask())

    page.run()

    assert stored(studio, page) == a_mask()
    assert browser.told["seen"] == "b.1"
    assert browser.told["revision"] == browser.sent["revision"]


def test_a_generation_gets_the_mask_that_came_in_with_the_click(page, browser, studio):
    browser.paint(a_mask())

    generate(page)

    [generation] = studio.gallery.browse().generations
    assert studio.gallery.mask(generation) == a_mask()


def test_a_tool_works_on_the_stroke_that_came_in_with_the_click(page, browser, studio):
    browser.paint(a_mask())

    page.button(key="canvas-invert").click().run()

    assert stored(studio, page) == a_mask().inverted
    assert browser.told["revision"] == browser.sent["revision"] + 1
    assert browser.shows == a_mask().inverted


def test_what_was_painted_on_an_older_mask_is_left_to_the_browser_to_send_again(page, browser, studio):
    page.button(key="canvas-invert").click().run()
    browser.paint(a_mask())
    browser.sent["revision"] -= 1

    page.run()

    assert stored(studio, page) == a_mask().union(a_mask().inverted)
    assert browser.told["seen"] != browser.sent["stamp"]


def test_a_mask_that_is_grey_in_parts_is_offered_to_be_a_soft_one(page, browser, studio):
    browser.paint(Mask(a_mask().pixels // 2))
    page.run()

    page.button(key=f"{draft_id(page)}.use-soft-mask").click().run()

    assert draft(studio, page).params["soft_mask"] is True
    assert "mask are grey" not in words_on(page)


def test_an_erased_mask_is_no_mask(page, browser, studio):
    browser.paint(a_mask())
    page.run()
    browser.paint(Mask.empty(a_mask().size))

    page.run()

    assert stored(studio, page) is None


@pytest.mark.slow
def test_similar_colours_are_added_to_what_is_painted(browser, inpaint, studio):
    image = Image.new("RGB", (96, 64), "white")
    image.paste("navy", (50, 0, 96, 64))
    page = upload(inpaint(), png(image))
    browser.paint(a_mask(), place={"x": 80, "y": 5, "tolerance": 40, "connected": True, "subtract": False})

    page.run()

    right = np.zeros((64, 96), np.uint8)
    right[:, 50:] = 255
    assert stored(studio, page) == a_mask().union(Mask(right))
    assert browser.shows == stored(studio, page)


HOSTILE = {
    "no text": {"png": 5, "stamp": "x", "revision": 1},
    "no base64": {"png": "%%%", "stamp": "x", "revision": 1},
    "no picture": {"png": base64.b64encode(b"<svg/>").decode(), "stamp": "x", "revision": 1},
    "another size": {"png": base64.b64encode(png(Image.new("L", (9, 9)))).decode(), "stamp": "x", "revision": 1},
    "no stamp": {"png": "", "revision": 1},
    "a list": [1],
    "a place far away": {
        "png": base64.b64encode(png(a_mask().to_image())).decode(),
        "stamp": "x",
        "revision": 1,
        "place": {"x": 10**400, "y": -1, "tolerance": 3, "connected": 1, "subtract": 0},
    },
    **{
        f"{place!r} as the place": {
            "png": base64.b64encode(png(a_mask().to_image())).decode(),
            "stamp": "x",
            "revision": 1,
            "place": place,
        }
        for place in ({}, [], "", 0, False)
    },
}


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_no_mask_shows_a_sentence_and_changes_nothing(page, browser, studio, name):
    browser.sent = HOSTILE[name]
    if isinstance(browser.sent, dict):
        browser.sent = {**browser.sent, "revision": browser.told["revision"]}

    page.run()

    assert not page.exception
    assert "The painter sent" in words_on(page) or "is invalid" in words_on(page)
    assert stored(studio, page) in (None, a_mask())


def test_a_drawing_of_the_simple_canvas_becomes_the_mask(page, browser, studio):
    rectangle = {
        "type": "Rect",
        "originX": "left",
        "originY": "top",
        "left": 100,
        "top": 50,
        "width": 150,
        "height": 150,
        "fill": "red",
        "stroke": "red",
        "strokeWidth": 0,
    }
    state_before = draft(studio, page)
    old = state_before.changed(drawing=f'{{"objects":[{str(rectangle).replace(chr(39), chr(34))}]}}', canvas_width=480)
    studio.drafts.save(draft_id(page), old)

    page.run()

    assert draft(studio, page).drawing is None
    assert stored(studio, page) == a_mask()
    assert browser.shows == a_mask()


def test_another_tab_that_paints_on_the_same_draft_is_seen_here(page, browser, studio):
    key = studio.drafts.images.put(a_mask().to_image())
    studio.drafts.save(draft_id(page), draft(studio, page).changed(base_mask=key))

    page.run()

    assert browser.shows == a_mask()


# Tools ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("tool", "change"),
    [
        ("fill-holes", lambda mask: mask.holes_filled),
        ("grow", lambda mask: mask.grown(8)),
        ("remove-specks", lambda mask: mask.without_specks(64)),
        ("shrink", lambda mask: mask.shrunk(8)),
    ],
)
def test_each_tool_changes_the_mask(page, browser, studio, tool, change):
    pixels = a_mask().pixels.copy()
    pixels[20:24, 30:34] = 0
    pixels[60, 90] = 255
    browser.paint(Mask(pixels))
    page.run()

    page.button(key=f"canvas-{tool}").click().run()

    assert stored(studio, page) == change(Mask(pixels)) != Mask(pixels)


def by_numbers(page: AppTest, **values: int) -> AppTest:
    """What the fields of the popover are set to: their titles, with underscores."""
    fields = {field.label.lower().replace(" ", "_"): field for field in page.number_input}
    for name, value in values.items():
        fields[name].set_value(value)
    return page.run()


@pytest.mark.parametrize("canvas_is", ["painter", "simple"])
@pytest.mark.slow_but_first
def test_a_rectangle_by_numbers_is_added_to_the_pixel_on_either_canvas(page, browser, studio, canvas_is):
    if canvas_is == "simple":
        page.toggle(key=f"{draft_id(page)}.simple-canvas").set_value(True).run()
    by_numbers(page, from_the_left=20, from_the_top=10, width=30, height=30)

    page.button(key="numbers-add").click().run()

    assert stored(studio, page) == a_mask()


@pytest.mark.slow
def test_an_ellipse_by_numbers_is_taken_away_from_what_is_painted(page, browser, studio):
    browser.paint(a_mask())
    page.segmented_control(key="numbers-kind").set_value("Ellipse").run()
    by_numbers(page, from_the_left=20, from_the_top=10, width=30, height=30)

    page.button(key="numbers-take-away").click().run()

    assert stored(studio, page) == a_mask().without(ellipse(Size(96, 64), Bounds(20, 10, 50, 40)))
    assert browser.shows == stored(studio, page)


@pytest.mark.parametrize("canvas_is", ["painter", "simple"])
@pytest.mark.slow_but_first
def test_similar_colours_are_found_by_numbers_on_either_canvas(inpaint, browser, studio, canvas_is):
    image = Image.new("RGB", (96, 64), "white")
    image.paste("navy", (16, 8, 48, 40))
    page = upload(inpaint(), png(image))
    if canvas_is == "simple":
        page.toggle(key=f"{draft_id(page)}.simple-canvas").set_value(True).run()
    page.segmented_control(key="numbers-kind").set_value("Magic wand").run()
    by_numbers(page, from_the_left=25, from_the_top=30)

    page.button(key="numbers-add").click().run()

    # The colours of the painter's picture, a JPEG, run over edges by a pixel or two.
    navy = rectangle(Size(96, 64), Bounds(16, 8, 48, 40))
    assert stored(studio, page).without(navy).is_empty
    assert navy.shrunk(2).without(stored(studio, page)).is_empty


@pytest.mark.slow
def test_numbers_typed_for_a_larger_picture_are_not_asked_of_a_smaller_one(page, browser, studio):
    by_numbers(page, from_the_left=90, from_the_top=60)

    upload(page, png(a_picture(48, 32)), "other.png")

    assert not page.exception
    assert [field.value for field in page.number_input if field.label == "From the left"] == [12]


def test_what_is_transparent_can_be_the_mask_and_is_offered_only_where_something_is(page, inpaint, browser, studio):
    assert "Transparent areas" not in [button.label for button in page.button]

    image = Image.new("RGBA", (96, 64), "green")
    image.paste((0, 0, 0, 0), (20, 10, 50, 40))
    other = upload(inpaint(), png(image))
    other.button(key="canvas-transparent").click().run()

    assert stored(studio, other) == a_mask()


@pytest.mark.slow
def test_the_mask_of_an_earlier_generation_fits_a_larger_picture_of_the_same_shape(page, inpaint, browser, studio):
    browser.paint(a_mask())
    generate(page)
    [generation] = studio.gallery.browse().generations

    larger = upload(inpaint(), png(a_picture(192, 128)))
    larger.toggle(key="canvas-earlier").set_value(True).run()
    larger.button(key=f"canvas-take-{generation.id}").click().run()

    assert stored(studio, larger) == a_mask().resized(stored(studio, larger).size)
    assert stored(studio, larger).coverage == a_mask().coverage


@pytest.mark.slow
def test_masks_of_pictures_of_another_shape_are_not_offered(page, inpaint, browser, studio):
    browser.paint(a_mask())
    generate(page)

    other = upload(inpaint(), png(a_picture(64, 96)))
    other.toggle(key="canvas-earlier").set_value(True).run()

    assert "No earlier generation had a picture of this shape" in words_on(other)


def test_the_simple_canvas_can_be_chosen_and_another_picture_keeps_the_choice(page, hand, studio):
    page.toggle(key=f"{draft_id(page)}.simple-canvas").set_value(True).run()
    upload(page, png(a_picture(48, 32)), "other.png")

    assert draft(studio, page).has_simple_canvas
    assert hand.calls[-1]["drawing_mode"] == "freedraw"
    assert Draft().has_simple_canvas is False
