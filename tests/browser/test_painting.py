"""The main job in a real browser: upload a photo, paint with the mouse, generate, and look at what is on disk.

Painted on the simple canvas; test_painter.py is about the painter.
"""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.domain.pixels.mask import Mask
from pages.ui.shell.address import UNDER_WAY_S
from tests.browser.artist import PHOTO, Artist, wait_until

BRUSH_PX = 40

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def a_line_in(size: tuple[int, int], canvas_width: int, *points: tuple[float, float]) -> np.ndarray:
    """What a round brush would cover in a picture of this size."""
    width, height = size
    brush = BRUSH_PX * width / canvas_width
    image = Image.new("1", size)
    pen = ImageDraw.Draw(image)
    places = [(x * width, y * height) for x, y in points]
    pen.line(places, fill=1, width=round(brush))
    for x, y in places:
        pen.ellipse((x - brush / 2, y - brush / 2, x + brush / 2, y + brush / 2), fill=1)
    return np.asarray(image)


def test_the_mask_is_where_the_mouse_went_and_no_other_pixel_changed(artist):
    line = [(0.3, 0.4), (0.6, 0.5), (0.5, 0.7)]
    mia = artist()
    mia.open_photo(simple_canvas=True)
    mia.take_few_steps()
    # Below, a seed now and then paints so little that all of it is kept as what hardly changed.
    mia.slide("Strength", "strength", "End")
    mia.type_prompt("a red ball")

    mia.paint(*line)
    mia.generate()
    mia.see_result()

    [row] = mia.rows
    source, result = np.asarray(mia.image(row["source"])), np.asarray(mia.image(row["output"]))
    mask = Mask.from_image(mia.image(row["mask"]))
    assert row["status"] == "succeeded"
    assert row["prompt"] == "a red ball"
    with Image.open(PHOTO) as photo:
        assert np.array_equal(source, np.asarray(photo))
        drawn = a_line_in(photo.size, mia.draft["canvas_width"], *line)
    painted = mask.pixels > 0
    assert np.count_nonzero(painted & drawn) / np.count_nonzero(painted | drawn) > 0.93
    outside = mask.grown(json.loads(row["params_json"])["mask_grow_px"]).pixels == 0
    assert np.array_equal(source[outside], result[outside])
    assert (source[painted] != result[painted]).any()


def places(mia: Artist) -> list[float]:
    """How far from the left each stroke begins, as a share of the canvas, which a page may draw larger than before."""
    return [stroke["left"] / mia.draft["canvas_width"] for stroke in mia.strokes]


def test_a_refresh_and_another_page_keep_the_picture_the_drawing_and_the_parameters(artist):
    mia = artist()
    mia.open_photo(simple_canvas=True)
    mia.paint((0.2, 0.2), (0.4, 0.3))
    mia.page.get_by_role("radio", name="Rectangle").click()
    mia.paint((0.6, 0.6), (0.8, 0.8))
    mia.type_prompt("a green tree")
    before, address = places(mia), mia.page.url

    mia.page.reload()
    mia.canvas.wait_for()
    mia.page.get_by_text("will be repainted").wait_for()
    mia.paint((0.2, 0.7), (0.4, 0.7))

    assert mia.page.url == address
    assert places(mia)[:2] == pytest.approx(before, abs=0.002)
    assert mia.page.get_by_text("mountain-meadow.jpg").is_visible()
    assert mia.page.get_by_role("textbox", name="Prompt", exact=True).input_value() == "a green tree"

    mia.go_to("Gallery")
    mia.page.get_by_role("heading", name="Gallery").wait_for()
    mia.go_to("Inpaint")
    mia.canvas.wait_for()
    mia.page.get_by_text("will be repainted").wait_for()
    mia.paint((0.2, 0.9), (0.4, 0.9))

    assert len(mia.strokes) == 4
    assert mia.page.url == address
    assert mia.page.get_by_role("textbox", name="Prompt", exact=True).input_value() == "a green tree"


def test_a_long_run_goes_on_over_a_refresh_and_can_be_cancelled(artist):
    mia = artist()
    mia.open_photo(simple_canvas=True)
    mia.slide("Steps", "num_inference_steps", "End")
    images = mia.page.get_by_role("spinbutton", name="Images")
    images.fill("8")
    images.press("Tab")
    wait_until(lambda: mia.draft["params"]["count"] == 8, "the number of images is stored")
    mia.paint((0.3, 0.4), (0.6, 0.5))
    mia.generate()

    mia.page.reload()
    mia.page.get_by_role("button", name="Cancel").click()
    mia.page.get_by_text("8: Cancelled").wait_for()

    ended = wait_until(lambda: all(row["finished_at"] for row in mia.rows) and mia.rows, "all have ended")
    statuses = [row["status"] for row in ended]
    assert len(statuses) == 8
    assert set(statuses) <= {"cancelled", "succeeded"}
    assert statuses.count("cancelled") >= 6
    mia.page.get_by_role("button", name="Generate").wait_for()


def test_going_on_from_a_result_begins_at_the_top_and_the_browser_goes_back_to_it(artist):
    mia = artist()
    mia.open_photo(simple_canvas=True)
    mia.paint((0.4, 0.4), (0.5, 0.5))
    mia.generate()
    mia.see_result()
    made, strokes = mia.page.url, mia.strokes

    mia.page.get_by_role("button", name="Continue from this result").click()

    mia.page.wait_for_url(lambda url: url != made)
    main = mia.page.get_by_test_id("stMain")
    wait_until(lambda: main.evaluate("main => main.scrollTop") == 0, "the picture comes into view")
    time.sleep(UNDER_WAY_S)

    mia.page.go_back()

    mia.see_result()
    assert mia.page.url == made
    assert mia.strokes == strokes


def test_two_artists_who_generate_at_the_same_time_both_get_their_pictures(artist):
    mia, noa = artist(), artist()
    lines = {mia: [(0.2, 0.3), (0.4, 0.3)], noa: [(0.6, 0.7), (0.8, 0.7)]}
    for someone, line in lines.items():
        someone.open_photo(simple_canvas=True)
        someone.take_few_steps()
        someone.paint(*line)

    mia.generate()
    noa.generate()
    mia.see_result()
    noa.see_result()

    for someone, line in lines.items():
        [row] = someone.rows
        mask = np.asarray(someone.image(row["mask"])) > 0
        drawn = a_line_in(mask.shape[::-1], someone.draft["canvas_width"], *line)
        assert row["status"] == "succeeded"
        assert np.count_nonzero(mask & drawn) / np.count_nonzero(mask | drawn) > 0.9
    assert mia.rows[0]["session"] != noa.rows[0]["session"]
