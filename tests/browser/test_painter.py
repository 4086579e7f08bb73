"""The painter in a real browser: mouse, finger, pen and keys, and the mask that is stored of what they do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.browser.artist import Artist, wait_until

WIDTH, HEIGHT = 1280, 852
"""Of the photo."""

LINE = [(0.3, 0.4), (0.5, 0.45), (0.6, 0.7)]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def places(mia: Artist, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Where points of what is seen of the picture are on the screen, as shares of it: not zoomed, that is all of it."""
    mia.stage.scroll_into_view_if_needed()
    box = mia.picture_box
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def paint(mia: Artist, *points: tuple[float, float]) -> None:
    first, *rest = places(mia, *points)
    mia.page.mouse.move(*first)
    mia.page.mouse.down()
    for place in rest:
        mia.page.mouse.move(*place, steps=12)
    mia.page.mouse.up()


def stored(mia: Artist) -> np.ndarray:
    """The mask, as soon as everything painted is stored."""
    mia.page.locator(".painter[data-stored=true]").wait_for()
    mask = mia.mask
    return np.zeros((HEIGHT, WIDTH), bool) if mask is None else np.asarray(mask) > 0


def brush_px(mia: Artist) -> float:
    """In pixels of the picture."""
    return float(mia.page.locator(".painter output.size").text_content().removesuffix(" px"))


def a_line(width: float, *points: tuple[float, float]) -> np.ndarray:
    """What a round brush covers in the photo: pixels whose middle is near enough to the line."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    ends = [(px * WIDTH, py * HEIGHT) for px, py in points]
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for (ax, ay), (bx, by) in zip(ends, ends[1:], strict=False):
        t = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
        t = np.clip(t, 0, 1)
        covered |= np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) <= width / 2
    return covered


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other))


def choose(mia: Artist, tool: str) -> None:
    mia.page.get_by_role("button", name=tool, exact=True).click()


def share(mia: Artist) -> str:
    return mia.page.locator(".painter .words").text_content()


class Fingers:
    """On the glass of a phone, one or two at once."""

    def __init__(self, mia: Artist) -> None:
        self.mia, self.glass = mia, mia.page.context.new_cdp_session(mia.page)

    def move(self, *ways: tuple[tuple[float, float], tuple[float, float]]) -> None:
        """Each finger goes one way, from and to shares of the window; they go down one after the other."""
        routes = [places(self.mia, *way) for way in ways]
        down: list[dict[str, Any]] = []
        for n, (start, _) in enumerate(routes):
            down.append({"x": start[0], "y": start[1], "id": n})
            self.send("touchStart", down)
        for step in range(1, 11):
            at = [(a[0] + (b[0] - a[0]) * step / 10, a[1] + (b[1] - a[1]) * step / 10) for a, b in routes]
            self.send("touchMove", [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(at)])
        self.send("touchEnd", [])

    def send(self, kind: str, points: list[dict[str, Any]]) -> None:
        self.glass.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.fixture
def mia(artist) -> Artist:
    mia = artist()
    mia.open_photo()
    return mia


def test_a_stroke_covers_what_the_brush_covers_to_the_pixel(mia):
    paint(mia, *LINE)

    assert likeness(stored(mia), a_line(brush_px(mia), *LINE)) > 0.97
    assert "3 % of the picture will be repainted" in share(mia)
    assert mia.mask.size == (WIDTH, HEIGHT)


def test_a_stroke_painted_right_before_the_click_on_generate_is_in_the_mask(mia):
    mia.take_few_steps()
    paint(mia, (0.1, 0.2), (0.3, 0.2))
    stored(mia)
    mia.see_rest()
    button = mia.page.get_by_role("button", name="Generate").bounding_box()

    paint(mia, *LINE)
    mia.page.mouse.click(button["x"] + button["width"] / 2, button["y"] + button["height"] / 2)

    wait_until(lambda: mia.draft["generations"] and mia.rows, "it is submitted")
    mask = np.asarray(mia.image(mia.rows[0]["mask"])) > 0
    ideal = a_line(brush_px(mia), *LINE) | a_line(brush_px(mia), (0.1, 0.2), (0.3, 0.2))
    assert likeness(mask, ideal) > 0.97
    mia.see_result()


def test_the_eraser_undo_and_redo_are_on_the_keys(mia):
    paint(mia, *LINE)
    painted = stored(mia)
    mia.page.keyboard.press("e")
    paint(mia, (0.5, 0.1), (0.5, 0.9))
    erased = stored(mia)

    mia.page.keyboard.press("Control+z")
    undone = stored(mia)
    mia.page.keyboard.press("Control+Shift+z")
    redone = stored(mia)

    column = a_line(brush_px(mia), (0.5, 0.1), (0.5, 0.9))
    assert likeness(erased, painted & ~column) > 0.97
    assert np.array_equal(undone, painted)
    assert np.array_equal(redone, erased)


def test_fifty_steps_can_be_taken_back(mia):
    for n in range(60):
        paint(mia, (0.1 + 0.013 * n, 0.2), (0.1 + 0.013 * n, 0.21))
    stored(mia)
    mia.stage.focus()

    for _ in range(60):
        mia.page.keyboard.press("Control+z")

    assert "Nothing is masked yet" in share(mia)
    assert not stored(mia).any()


def test_what_is_typed_into_the_prompt_is_no_key_of_the_painter(mia):
    mia.type_prompt("bear [e] + l r 0")

    assert mia.page.get_by_role("button", name="Brush", exact=True).get_attribute("aria-pressed") == "true"
    size = brush_px(mia)
    mia.stage.focus()
    mia.page.keyboard.press("]")
    mia.page.keyboard.press("r")

    assert brush_px(mia) == pytest.approx(size * 1.2, abs=1)
    assert mia.page.get_by_role("button", name="Rectangle", exact=True).get_attribute("aria-pressed") == "true"
    assert mia.page.get_by_role("textbox", name="Prompt", exact=True).input_value() == "bear [e] + l r 0"


@pytest.mark.parametrize("tool", ["Ellipse", "Lasso", "Rectangle"])
def test_shapes_cover_what_they_go_around(mia, tool):
    choose(mia, tool)
    corners = [(0.2, 0.3), (0.6, 0.3), (0.6, 0.8), (0.2, 0.8)]
    paint(mia, *(corners if tool == "Lasso" else (corners[0], corners[2])))

    ideal = Image.new("1", (WIDTH, HEIGHT))
    box = (0.2 * WIDTH, 0.3 * HEIGHT, 0.6 * WIDTH, 0.8 * HEIGHT)
    (ImageDraw.Draw(ideal).ellipse if tool == "Ellipse" else ImageDraw.Draw(ideal).rectangle)(box, fill=1)
    assert likeness(stored(mia), np.asarray(ideal)) > 0.98


def test_less_change_paints_a_soft_mask_and_the_eraser_takes_all_of_it(mia):
    mia.page.get_by_role("slider", name="Mask strength").fill("40")
    paint(mia, *LINE)
    mia.page.locator(".painter[data-stored=true]").wait_for()
    soft = np.asarray(mia.mask)
    mia.page.keyboard.press("e")
    paint(mia, *LINE)

    assert sorted(set(soft.ravel().tolist())) == [0, 102]
    assert likeness(soft > 0, a_line(brush_px(mia), *LINE)) > 0.97
    assert stored(mia).mean() < 0.001


def test_painting_while_zoomed_in_hits_the_pixels_under_the_brush(mia):
    mia.stage.focus()
    [(x, y)] = places(mia, (0.25, 0.25))
    fitted = zoom(mia)
    mia.page.mouse.move(x, y)
    for _ in range(5):
        mia.page.mouse.wheel(0, -120)
    wait_until(lambda: zoom(mia) > fitted * 4, "the picture is larger")

    paint(mia, (0.2, 0.25), (0.4, 0.3))

    left, top, larger = transform(mia)
    box = mia.stage.bounding_box()
    under = [(box["width"] * x - left, box["height"] * y - top) for x, y in [(0.2, 0.25), (0.4, 0.3)]]
    ideal = a_line(brush_px(mia), *[(x / larger / WIDTH, y / larger / HEIGHT) for x, y in under])
    assert likeness(stored(mia), ideal) > 0.98
    # The wheel kept the place under the mouse where it was.
    assert (x - box["x"] - left) / larger == pytest.approx(WIDTH * 0.25, abs=3)
    assert (y - box["y"] - top) / larger == pytest.approx(HEIGHT * 0.25, abs=3)


def transform(mia: Artist) -> tuple[float, float, float]:
    """Where the picture's corner stands in the window, and how many pixels of the screen one of the picture takes."""
    style = mia.page.locator(".painter .scene").first.get_attribute("style")
    left, top, scale = re.search(r"translate\(([-\d.e]+)px, ([-\d.e]+)px\) scale\(([\d.]+)\)", style).groups()
    return float(left), float(top), float(scale)


def zoom(mia: Artist) -> float:
    return transform(mia)[2]


def test_a_refresh_and_another_page_keep_the_mask(mia):
    paint(mia, *LINE)
    before = stored(mia)

    mia.page.reload()
    mia.see_painter()
    assert "3 % of the picture will be repainted" in share(mia)
    paint(mia, (0.1, 0.8), (0.3, 0.8))
    mia.go_to("Gallery")
    mia.page.get_by_role("heading", name="Gallery").wait_for()
    mia.go_to("Inpaint")
    mia.see_painter()

    ideal = before | a_line(brush_px(mia), (0.1, 0.8), (0.3, 0.8))
    assert likeness(stored(mia), ideal) > 0.98
    assert "5 % of the picture will be repainted" in share(mia)


def test_tools_of_the_page_change_the_mask_in_the_painter_and_can_be_undone_there(mia):
    mia.stage.focus()
    mia.page.keyboard.press("+")
    paint(mia, *LINE)
    zoomed = zoom(mia)

    mia.page.get_by_role("button", name="Invert").click()
    mia.page.get_by_text(re.compile("9[5-9] % of the picture will be repainted")).wait_for()
    inverted = stored(mia)
    mia.stage.focus()
    mia.page.keyboard.press("Control+z")

    assert zoom(mia) == zoomed
    assert np.count_nonzero(stored(mia) ^ ~inverted) == 0


def test_one_click_selects_similar_colours(mia):
    choose(mia, "Magic wand")
    [(x, y)] = places(mia, (0.1, 0.05))

    mia.page.mouse.click(x, y)

    wait_until(lambda: mia.mask is not None, "it is stored")
    sky = stored(mia)
    assert sky[40, 128]
    assert 0.03 < sky.mean() < 0.7
    assert not sky[-100:].any()


def test_the_mask_of_another_canvas_can_be_painted_on(mia):
    paint(mia, *LINE)
    before = stored(mia)

    mia.page.get_by_text("Simple canvas").click()
    mia.stage.wait_for(state="detached")
    mia.canvas.wait_for()
    mia.paint((0.1, 0.9), (0.3, 0.9))
    mia.page.get_by_text("Simple canvas").click()
    mia.see_painter()

    assert mia.draft["drawing"] is None
    after = stored(mia)
    assert (after >= before).all()
    assert after[round(0.9 * HEIGHT), round(0.2 * WIDTH)]


def test_one_finger_paints_and_two_fingers_zoom_without_a_trace(artist):
    mia = artist(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}, device_scale_factor=2)
    mia.open_photo()
    fingers = Fingers(mia)

    fingers.move(((0.2, 0.3), (0.7, 0.3)))
    painted = stored(mia)
    fitted = zoom(mia)
    fingers.move(((0.4, 0.5), (0.2, 0.5)), ((0.6, 0.5), (0.8, 0.5)))

    assert likeness(painted, a_line(brush_px(mia), (0.2, 0.3), (0.7, 0.3))) > 0.95
    assert zoom(mia) > 2 * fitted
    assert np.array_equal(stored(mia), painted)
    assert mia.page.evaluate("document.documentElement.scrollWidth") <= 390


def press_pen(mia: Artist, force: float, *points: tuple[float, float]) -> None:
    glass = mia.page.context.new_cdp_session(mia.page)
    (x, y), (to, _) = places(mia, *points)
    pen = {"pointerType": "pen", "button": "left", "buttons": 1, "force": force, "y": y}
    glass.send("Input.dispatchMouseEvent", {"type": "mousePressed", "x": x, "clickCount": 1, **pen})
    for step in range(1, 11):
        glass.send("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x + (to - x) * step / 10, **pen})
    glass.send("Input.dispatchMouseEvent", {"type": "mouseReleased", "x": to, "clickCount": 1, **pen})


def heights(mask: np.ndarray) -> tuple[int, int]:
    """How many pixels of the column at 0.4 are on, above and below the middle."""
    column = mask[:, round(0.4 * WIDTH)]
    return int(column[: HEIGHT // 2].sum()), int(column[HEIGHT // 2 :].sum())


def test_a_pen_paints_the_wider_the_harder_it_is_pressed(mia):
    press_pen(mia, 0.2, (0.2, 0.3), (0.6, 0.3))
    press_pen(mia, 0.9, (0.2, 0.7), (0.6, 0.7))

    light, heavy = heights(stored(mia))
    assert 0 < light < 0.6 * heavy
    assert heavy == pytest.approx(brush_px(mia), abs=4)


def test_a_pen_erases_the_wider_the_harder_it_is_pressed_unless_that_is_switched_off(mia):
    mia.page.get_by_role("button", name="Invert").click()
    mia.page.get_by_text("100 % of the picture will be repainted").wait_for()
    choose(mia, "Eraser")

    press_pen(mia, 0.2, (0.2, 0.3), (0.6, 0.3))
    press_pen(mia, 0.9, (0.2, 0.7), (0.6, 0.7))
    light, heavy = heights(~stored(mia))
    mia.page.get_by_role("checkbox", name="Pen pressure").uncheck()
    press_pen(mia, 0.2, (0.2, 0.3), (0.6, 0.3))
    switched_off, _ = heights(~stored(mia))

    assert 0 < light < 0.6 * heavy
    assert heavy == switched_off == pytest.approx(brush_px(mia), abs=4)


# The polygon --------------------------------------------------------------------------------------------------------

CORNERS = [(0.2, 0.3), (0.6, 0.25), (0.7, 0.8), (0.3, 0.7)]


def click(mia: Artist, *points: tuple[float, float]) -> None:
    for place in places(mia, *points):
        mia.page.mouse.click(*place)


def the_polygon(*points: tuple[float, float]) -> np.ndarray:
    ideal = Image.new("1", (WIDTH, HEIGHT))
    ImageDraw.Draw(ideal).polygon([(x * WIDTH, y * HEIGHT) for x, y in points], fill=1)
    return np.asarray(ideal)


def on_first_corner(mia: Artist) -> None:
    click(mia, CORNERS[0])


def by_double_click(mia: Artist) -> None:
    mia.page.mouse.click(*places(mia, CORNERS[-1])[0])


def by_enter(mia: Artist) -> None:
    mia.page.keyboard.press("Enter")


@pytest.mark.parametrize("close", [by_double_click, by_enter, on_first_corner], ids=lambda close: close.__name__)
def test_a_polygon_is_closed_on_its_first_corner_by_a_double_click_and_by_enter(mia, close):
    mia.stage.focus()
    mia.page.keyboard.press("p")
    click(mia, *CORNERS)
    assert "4 corners" in share(mia)
    assert mia.mask is None

    close(mia)

    assert likeness(stored(mia), the_polygon(*CORNERS)) > 0.98
    mia.page.keyboard.press("Control+z")
    assert not stored(mia).any()


def test_corners_are_taken_back_and_a_polygon_is_dropped(mia):
    choose(mia, "Polygon")
    click(mia, *CORNERS, (0.9, 0.9), (0.1, 0.9))
    mia.page.keyboard.press("Backspace")
    choose(mia, "Undo")
    assert "4 corners" in share(mia)

    mia.stage.focus()
    mia.page.keyboard.press("Escape")
    dropped = share(mia)
    click(mia, *CORNERS[:2])
    mia.page.keyboard.press("+")
    choose(mia, "Brush")
    left = share(mia)

    assert "Nothing is masked yet" in dropped
    assert "Nothing is masked yet" in left
    assert mia.mask is None


def test_a_polygon_is_taken_away_where_that_is_chosen_and_can_be_zoomed_into(mia):
    mia.page.get_by_role("button", name="Invert").click()
    mia.page.get_by_text("100 % of the picture will be repainted").wait_for()
    choose(mia, "Polygon")
    mia.page.get_by_role("checkbox", name="Subtract").check()
    click(mia, *CORNERS[:2])
    mia.stage.focus()
    mia.page.keyboard.press("+")
    mia.page.keyboard.press("0")
    click(mia, *CORNERS[2:], CORNERS[0])

    assert likeness(~stored(mia), the_polygon(*CORNERS)) > 0.98


def test_a_finger_taps_a_polygon_and_two_fingers_leave_its_corners(artist):
    mia = artist(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}, device_scale_factor=2)
    mia.open_photo()
    fingers = Fingers(mia)
    choose(mia, "Polygon")

    for corner in CORNERS[:3]:
        fingers.move((corner, corner))
    fingers.move(((0.4, 0.5), (0.2, 0.5)), ((0.6, 0.5), (0.8, 0.5)))
    choose(mia, "Fit to window")
    assert "3 corners" in share(mia)
    for corner in [CORNERS[3], CORNERS[0]]:
        fingers.move((corner, corner))

    assert likeness(stored(mia), the_polygon(*CORNERS)) > 0.97


# By keys alone ------------------------------------------------------------------------------------------------------


def press(mia: Artist, key: str, times: int) -> None:
    for _ in range(times):
        mia.page.keyboard.press(key)


def test_a_dab_and_a_stroke_are_painted_and_erased_by_keys_alone(mia):
    mia.page.get_by_role("button", name="Keyboard shortcuts").focus()
    mia.page.keyboard.press("Tab")
    for _ in range(4):
        if mia.page.evaluate("document.activeElement.shadowRoot?.activeElement?.className === 'stage'"):
            break
        mia.page.keyboard.press("Tab")
    keys = mia.page.keyboard

    press(mia, "Shift+ArrowUp", 2)
    keys.press("Space")
    dab = stored(mia)
    keys.down("Enter")
    press(mia, "ArrowLeft", 10)
    keys.up("Enter")
    stroke = stored(mia)
    keys.press("e")
    keys.down("Space")
    press(mia, "Shift+ArrowRight", 4)
    keys.up("Space")

    box = mia.picture_box
    y = 0.5 - 2 * 48 / box["height"]
    left, right = 0.5 - 80 / box["width"], 0.5 + (4 * 48 - 80) / box["width"]
    assert likeness(dab, a_line(brush_px(mia), (0.5, y), (0.5001, y))) > 0.95
    assert likeness(stroke, a_line(brush_px(mia), (left, y), (0.5, y))) > 0.95
    assert not stored(mia)[round(y * HEIGHT), round(left * WIDTH) : round(right * WIDTH)].any()


def test_a_polygon_and_similar_colours_are_chosen_by_keys_alone(mia):
    mia.stage.focus()
    mia.page.keyboard.press("p")
    for key in ["ArrowLeft", "ArrowUp", "ArrowRight"]:
        press(mia, f"Shift+{key}", 2)
        mia.page.keyboard.press("Space")
    mia.page.keyboard.press("Enter")
    triangle = stored(mia)
    mia.page.keyboard.press("w")
    press(mia, "Shift+ArrowUp", 12)
    mia.page.keyboard.press("Enter")
    wait_until(lambda: stored(mia).sum() > triangle.sum(), "similar colours are in the mask")

    box = mia.picture_box
    x, y = 96 / box["width"], 96 / box["height"]
    assert likeness(triangle, the_polygon((0.5 - x, 0.5), (0.5 - x, 0.5 - y), (0.5, 0.5 - y))) > 0.95


def test_the_place_of_the_brush_is_seen_told_and_given_back_to_the_mouse(mia):
    mia.stage.focus()
    press(mia, "ArrowRight", 3)
    ring = mia.page.locator(".painter .ring.by-keys")
    ring.wait_for()

    mia.page.get_by_text(re.compile("[0-9]+ pixels from the left, 42[0-9] from the top. Not in the mask.")).wait_for(
        state="attached"
    )
    assert "Arrow keys move the brush" in mia.stage.get_attribute("aria-label")
    mia.page.mouse.move(*places(mia, (0.2, 0.2))[0])
    assert ring.count() == 0


def test_zoomed_in_the_window_follows_the_brush(mia):
    mia.stage.focus()
    for _ in range(5):
        mia.page.keyboard.press("+")
    before = transform(mia)

    press(mia, "Shift+ArrowRight", 30)
    mia.page.keyboard.press("Space")

    left, _, larger = transform(mia)
    assert left < before[0] - 200
    mask = stored(mia)
    assert mask.any()
    middle = np.nonzero(mask)[1].mean() * larger + left
    assert 0 < middle < mia.stage.bounding_box()["width"]


def test_undo_and_redo_survive_a_page_switch_and_a_reload(mia):
    paint(mia, *LINE)
    first = stored(mia)
    paint(mia, (0.1, 0.8), (0.3, 0.8))
    both = stored(mia)

    mia.go_to("Gallery")
    mia.page.get_by_role("heading", name="Gallery").wait_for()
    mia.go_to("Inpaint")
    mia.see_painter()
    choose(mia, "Undo")
    undone = stored(mia)

    assert np.array_equal(undone, first)
    choose(mia, "Redo")
    assert np.array_equal(stored(mia), both)

    mia.page.reload()
    mia.see_painter()
    choose(mia, "Undo")
    assert np.array_equal(stored(mia), first)
    choose(mia, "Undo")
    assert not stored(mia).any()


def test_what_was_changed_elsewhere_meanwhile_is_a_step_of_its_own(mia):
    paint(mia, *LINE)
    painted = stored(mia)
    mia.page.get_by_role("button", name="Invert").click()
    wait_until(lambda: np.array_equal(stored(mia), ~painted), "it is inverted")
    mia.page.reload()
    mia.see_painter()

    choose(mia, "Undo")

    assert np.array_equal(stored(mia), painted)


def test_the_list_of_keys_closes_by_esc_and_by_painting_and_lets_the_stroke_through(mia):
    keys = mia.page.locator(".painter .keys")
    choose(mia, "Keyboard shortcuts")
    keys.wait_for()
    box, picture = keys.bounding_box(), mia.picture_box
    mia.page.keyboard.press("Escape")
    keys.wait_for(state="hidden")

    choose(mia, "Keyboard shortcuts")
    keys.wait_for()
    # Right below the list, where it lies over the picture.
    x = (box["x"] + box["width"] / 2 - picture["x"]) / picture["width"]
    y = (box["y"] + box["height"] - 9 - picture["y"]) / picture["height"]
    paint(mia, (x, y), (x - 0.1, y))

    keys.wait_for(state="hidden")
    assert stored(mia)[round(y * HEIGHT), round(x * WIDTH)]
