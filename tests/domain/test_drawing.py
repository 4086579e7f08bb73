"""From what the canvas sends to the mask of a picture."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.domain.errors import InvalidMask
from core.domain.geometry import Bounds, Size
from core.domain.pixels.drawing import ERASE, LASSO, PAINT, Drawing, canvas_size
from core.domain.pixels.mask import Mask

DATA = Path(__file__).parents[1] / "data"
CANVAS = Size(60, 40)


def a_rect(left: float, top: float, width: float, height: float, colour: str = PAINT, **more) -> dict:
    return {
        "type": "Rect",
        "originX": "left",
        "originY": "top",
        "left": left,
        "top": top,
        "width": width,
        "height": height,
        "fill": colour,
        "stroke": colour,
        "strokeWidth": 0,
        **more,
    }


def a_stroke(*points: tuple[float, float], width: float = 6, colour: str = PAINT, **more) -> dict:
    """As the brush sends it: placed by the centre of its box."""
    path = [["M", *points[0]], *(["L", *point] for point in points[1:])]
    xs, ys = zip(*points, strict=True)
    centre = {"left": (min(xs) + max(xs)) / 2, "top": (min(ys) + max(ys)) / 2}
    return {"type": "Path", "path": path, "fill": None, "stroke": colour, "strokeWidth": width, **centre, **more}


def painted(*objects: dict, picture: Size = CANVAS, base: Mask | None = None) -> np.ndarray:
    return Drawing(objects, CANVAS).mask(picture, base).pixels


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    either = np.count_nonzero((one > 0) | (other > 0))
    return np.count_nonzero((one > 0) & (other > 0)) / either if either else 1.0


places = st.tuples(st.integers(0, 59), st.integers(0, 39))
rects = st.builds(a_rect, st.integers(-9, 59), st.integers(-9, 39), st.integers(0, 40), st.integers(0, 40))
strokes = st.builds(
    lambda points, width: a_stroke(*points, width=width), st.lists(places, min_size=1, max_size=6), st.integers(1, 20)
)
shapes = st.lists(st.one_of(rects, strokes), min_size=1, max_size=4)
pictures = st.builds(Size, st.integers(1, 150), st.integers(1, 150))


def erasing(item: dict) -> dict:
    return {**item, "fill": ERASE if item["fill"] else None, "stroke": ERASE}


# Laws ----------------------------------------------------------------------------------------------------------


@given(pictures)
def test_no_objects_make_an_empty_mask(picture):
    assert Drawing((), CANVAS).mask(picture).is_empty


@given(shapes, pictures)
def test_erasing_what_was_painted_leaves_nothing(objects, picture):
    assert not painted(*objects, *map(erasing, objects), picture=picture).any()


@given(shapes, pictures)
def test_painting_over_what_was_erased_counts_as_the_later_word(objects, picture):
    assert np.array_equal(
        painted(*map(erasing, objects), *objects, picture=picture), painted(*objects, picture=picture)
    )


@given(shapes)
def test_the_order_of_equal_colours_does_not_matter(objects):
    assert np.array_equal(painted(*objects), painted(*objects[::-1]))


@given(shapes)
def test_the_mask_is_black_and_white(objects):
    assert set(np.unique(painted(*objects))) <= {0, 255}


@given(shapes)
def test_erasing_works_on_the_mask_below_and_painting_adds_to_it(objects):
    below = Mask(np.tile(np.uint8([0, 255]), (40, 30)))

    added = painted(*objects, base=below)
    taken = painted(*map(erasing, objects), base=below)

    assert np.array_equal(added, np.maximum(below.pixels, painted(*objects)))
    assert np.array_equal(taken, np.minimum(below.pixels, 255 - painted(*objects)))


@given(st.lists(places, min_size=1, max_size=6), st.integers(1, 20))
def test_nothing_is_painted_outside_the_stroke_and_its_middle_always_is(points, width):
    pixels = painted(a_stroke(*points, width=width))

    rows, columns = np.nonzero(pixels)
    xs, ys = zip(*points, strict=True)
    assert (columns >= min(xs) - width / 2 - 1).all()
    assert (columns <= max(xs) + width / 2).all()
    assert (rows >= min(ys) - width / 2 - 1).all()
    assert (rows <= max(ys) + width / 2).all()
    if width >= 2:
        assert all(pixels[y, x] for x, y in points)


@given(shapes, st.integers(2, 4))
def test_a_larger_picture_gets_the_same_shape(objects, factor):
    """The middle pixel of each block of the large mask is where the small one looks."""
    odd = 2 * factor - 1
    large = painted(*objects, picture=Size(CANVAS.width * odd, CANVAS.height * odd))

    small = large[odd // 2 :: odd, odd // 2 :: odd]

    # A middle that lies on an edge to the last digit may fall either way.
    assert np.count_nonzero(small != painted(*objects)) <= 0.02 * small.size


@given(shapes, st.floats(0.3, 4))
def test_a_drawing_scaled_to_another_canvas_makes_the_same_mask(objects, factor):
    drawing = Drawing(tuple(objects), CANVAS)
    other = canvas_size(CANVAS, max(1, round(CANVAS.width * factor)))
    picture = Size(300, 200)

    again = drawing.scaled_to(other).mask(picture)

    # The canvas has whole pixels, so its shape may be off by half of one.
    if other.width * CANVAS.height == other.height * CANVAS.width:
        assert np.count_nonzero(again.pixels != drawing.mask(picture).pixels) <= 0.01 * picture.pixels
    assert drawing.scaled_to(other).canvas == other


@given(shapes)
def test_a_drawing_survives_its_text(objects):
    drawing = Drawing(tuple(objects), CANVAS)

    assert Drawing.from_json(drawing.to_json(), CANVAS).mask(CANVAS) == drawing.mask(CANVAS)


# What the real canvas sent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "least"), [("canvas-drawing-1", 0.98), ("canvas-drawing-2", 0.99)])
def test_the_mask_is_what_chromium_showed(name, least):
    """Recorded from the component 0.13.0 with Fabric 7.4.0: drawn with all tools; moved, scaled, rotated, reshaped."""
    recorded = json.loads((DATA / f"{name}.json").read_text())
    shown = np.asarray(Image.open(DATA / f"{name}.png").convert("L"))
    objects = [{**item, "stroke": PAINT} for item in recorded["drawing"]["objects"]]
    canvas = Size(*recorded["canvas"])

    mask = Drawing(tuple(objects), canvas).mask(canvas)

    assert overlap(mask.pixels, shown) >= least


def test_the_eraser_that_chromium_sent_erases():
    recorded = json.loads((DATA / "canvas-drawing-1.json").read_text())["drawing"]
    canvas = Size(640, 480)

    mask = Drawing.from_canvas(recorded, canvas).mask(canvas)

    assert mask.pixels[80, 130] == 255
    assert mask.pixels[250, 320] == 0  # on the erasing line, where nothing was painted
    assert mask.pixels[345, 170] == 0  # on the erasing line, in the circle


# Single shapes -------------------------------------------------------------------------------------------------


def test_a_rectangle_covers_its_pixels_and_no_other():
    pixels = painted(a_rect(10, 5, 20, 10))

    assert (pixels[5:15, 10:30] == 255).all()
    assert np.count_nonzero(pixels) == 200


def test_a_click_of_the_brush_is_a_round_dot():
    pixels = painted(a_stroke((30, 20), (30.06, 20), width=20), picture=Size(600, 400))

    assert np.count_nonzero(pixels) == pytest.approx(np.pi * 100**2, rel=0.01)


def test_the_bends_and_the_ends_of_a_stroke_are_round():
    pixels = painted(a_stroke((10, 10), (40, 10), (40, 30), width=8))

    assert pixels[7, 42] == 255
    assert pixels[6, 43] == 0
    assert pixels[10, 6] == 255
    assert pixels[7, 6] == 0


def test_a_curve_is_followed():
    path = [["M", 10, 30], ["Q", 30, -10, 50, 30]]
    pixels = painted({"type": "Path", "path": path, "stroke": PAINT, "strokeWidth": 4, "left": 30, "top": 20})

    assert pixels[10, 30] == 255
    assert pixels[28, 30] == 0


def test_a_rotated_rectangle_turns_around_its_corner():
    pixels = painted(a_rect(30, 10, 20, 6, angle=90))

    assert (pixels[10:30, 24:30] == 255).all()
    assert np.count_nonzero(pixels) == 120


def test_a_scaled_circle_is_an_ellipse():
    circle = {
        "type": "Circle",
        "radius": 5,
        "left": 30,
        "top": 20,
        "scaleX": 4,
        "scaleY": 2,
        "fill": PAINT,
        "stroke": PAINT,
        "strokeWidth": 0,
        "originX": "center",
        "originY": "center",
    }

    pixels = painted(circle, picture=Size(600, 400))

    assert np.count_nonzero(pixels) == pytest.approx(np.pi * 200 * 100, rel=0.01)


def test_a_polygon_that_crosses_itself_is_filled_as_the_canvas_shows_it():
    star = [(30, 2), (42, 38), (10, 15), (50, 15), (18, 38)]
    points = [{"x": x, "y": y} for x, y in star]

    pixels = painted({"type": "Polygon", "points": points, "left": 30, "top": 20, "fill": PAINT, "strokeWidth": 0})

    assert pixels[22, 30] == 255


def test_an_outline_without_fill_is_hollow_and_keeps_its_pen_when_told_so():
    outline = a_rect(10, 10, 20, 10, fill=None, strokeWidth=2, strokeUniform=True, scaleX=1.5)

    pixels = painted(outline)

    assert pixels[16, 26] == 0
    assert pixels[16, 10] == 255
    assert pixels[16, 12] == 0


def test_what_is_invisible_paints_nothing():
    assert not painted(a_rect(0, 0, 60, 40, visible=False), a_rect(0, 0, 60, 40, colour="transparent")).any()


# Hostile and odd -----------------------------------------------------------------------------------------------

HOSTILE = [
    {"type": "Image", "src": "file:///etc/passwd"},
    {"type": "Path", "path": "M 0 0 L 1 1"},
    {"type": "Path", "path": [["M", 0, 0], ["A", 1, 1]]},
    {"type": "Path", "path": [["M", 0], ["L", 1, 1]]},
    {"type": "Path", "path": [[]]},
    {"type": "Path", "path": [[["M"], 0, 0]]},
    {"type": "Polygon", "points": [1, 2, 3]},
    {"type": "Polygon", "points": []},
    {"type": "Polygon", "points": [{"x": "1", "y": 2}]},
    {"type": "Polygon", "points": [{"x": 1, "y": 2}] * 300_000},
    a_rect(float("nan"), 0, 10, 10),
    a_rect(0, 0, float("inf"), 10),
    a_rect(0, 0, 1e300, 10),
    a_rect(0, 0, 10, 10, angle="90"),
    a_rect(0, 0, 10, 10, scaleX=True),
    a_rect(0, 0, 10, 10, originX=[]),
    {},
    {"type": None},
    {"type": ["Rect"]},
]


@pytest.mark.parametrize("item", HOSTILE)
def test_an_object_that_cannot_be_understood_is_refused_with_a_message(item):
    with pytest.raises(InvalidMask, match="(cannot|more than)"):
        painted(item)


@pytest.mark.parametrize("data", ["x", 7, {"objects": "x"}, {"objects": [1]}, {"objects": {"a": 1}}, [None]])
def test_a_drawing_that_is_none_is_refused_with_a_message(data):
    with pytest.raises(InvalidMask, match="cannot be read"):
        Drawing.from_canvas(data, CANVAS)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"objects": 1}', "null1"])
def test_text_that_is_no_drawing_is_refused_with_a_message(text):
    with pytest.raises(InvalidMask):
        Drawing.from_json(text, CANVAS)


@pytest.mark.slow
def test_too_many_objects_points_and_rows_are_refused_before_they_cost_time():
    started = time.perf_counter()
    zigzag = [["M", 0, 0]] + [["L", n % 60, 40 * (n % 2)] for n in range(100_000)]

    with pytest.raises(InvalidMask, match="strokes"):
        Drawing(tuple([a_rect(0, 0, 1, 1)] * 6000), CANVAS)
    with pytest.raises(InvalidMask, match="points"):
        painted(*[{"type": "Path", "path": zigzag, "stroke": PAINT}] * 3)
    with pytest.raises(InvalidMask, match="too detailed"):
        painted({"type": "Path", "path": zigzag, "fill": PAINT, "strokeWidth": 0}, picture=Size(6000, 4000))

    assert time.perf_counter() - started < 30


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
odd_objects = st.fixed_dictionaries(
    {"type": st.sampled_from(["Path", "Rect", "Circle", "Polygon", "Line", "Group"])},
    optional=dict.fromkeys(
        ("path", "points", "left", "top", "width", "radius", "angle", "scaleX", "fill", "stroke", "originX"),
        json_values,
    ),
)


@settings(max_examples=2 * settings.default.max_examples)
@given(st.lists(odd_objects, max_size=3))
def test_whatever_is_sent_gives_a_mask_or_a_sentence(objects):
    sentence = "."
    try:
        painted(*objects)
    except InvalidMask as error:
        sentence = str(error)

    assert sentence.endswith(".")


@pytest.mark.slow
def test_a_hundred_strokes_on_24_megapixels_take_seconds_at_most():
    xs = np.linspace(20, 880, 40)
    drawing = Drawing(
        tuple(a_stroke(*[(x, 300 + 200 * np.sin(x / 60 + n)) for x in xs], width=40) for n in range(100)),
        Size(900, 600),
    )
    started = time.process_time()

    mask = drawing.mask(Size(6000, 4000))

    assert mask.coverage > 0.3
    assert time.process_time() - started < 5  # 1.1 s of a quiet core


def test_a_line_of_the_lasso_repaints_what_it_goes_around():
    path = [["M", 20, 20], ["L", 60, 20], ["L", 60, 50], ["L", 20, 50], ["L", 20, 22]]
    lasso = {"type": "Path", "path": path, "left": 40, "top": 35, "fill": None, "stroke": LASSO, "strokeWidth": 2}

    mask = Drawing((lasso,), Size(80, 80)).mask(Size(80, 80))

    assert mask.bounds == Bounds(19, 19, 61, 51)
    assert mask.coverage == pytest.approx(42 * 32 / 6400, rel=0.02)
