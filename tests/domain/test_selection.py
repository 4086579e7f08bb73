"""What is selected by the colour at a place, or by the numbers of a shape."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage  # noqa: F401 - loaded here, not within the deadline of the first example
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from core.domain.errors import InvalidMask
from core.domain.geometry import Bounds, Size
from core.domain.pixels.selection import ellipse, rectangle, similar

tolerances = st.integers(0, 255)
colours = arrays(np.uint8, (7, 9, 3))
# Few colours, so that there are areas.
areas = arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 40, 200])).map(lambda grey: np.stack([grey] * 3, axis=2))
boxes = st.builds(
    lambda left, top, width, height: Bounds(left, top, left + width, top + height),
    st.integers(-5, 12),
    st.integers(-5, 12),
    st.integers(1, 15),
    st.integers(1, 15),
)
places = st.tuples(st.integers(0, 8), st.integers(0, 6))


@given(colours, places, tolerances)
def test_everywhere_means_each_pixel_whose_channels_are_near_enough(pixels, at, tolerance):
    found = similar(Image.fromarray(pixels), at, tolerance=tolerance, connected=False)

    differences = np.abs(pixels.astype(int) - pixels[at[1], at[0]].astype(int)).max(axis=2)
    assert np.array_equal(found.pixels == 255, differences <= tolerance)


@given(areas, places, tolerances)
def test_connected_is_what_can_be_walked_to_from_the_place(pixels, at, tolerance):
    found = similar(Image.fromarray(pixels), at, tolerance=tolerance).pixels
    everywhere = similar(Image.fromarray(pixels), at, tolerance=tolerance, connected=False).pixels

    walked, todo = set(), [(at[1], at[0])]
    while todo:
        y, x = todo.pop()
        if 0 <= y < 7 and 0 <= x < 9 and everywhere[y, x] and (y, x) not in walked:
            walked.add((y, x))
            todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    assert {(int(y), int(x)) for y, x in np.argwhere(found)} == walked


@pytest.mark.parametrize(("at", "tolerance"), [((-1, 0), 10), ((0, 4), 10), ((8, 0), 10), ((0, 0), -1), ((0, 0), 256)])
def test_a_place_outside_of_the_picture_or_a_tolerance_that_is_none_is_refused(at, tolerance):
    with pytest.raises(InvalidMask):
        similar(Image.new("RGB", (8, 4)), at, tolerance=tolerance)


@pytest.mark.parametrize("mode", ["I;16", "L", "RGBA"])
def test_pictures_of_every_mode_can_be_selected_from(mode):
    assert similar(Image.new(mode, (8, 4)), (3, 3), tolerance=5).coverage == 1


@given(boxes)
def test_a_rectangle_is_what_lies_in_its_box(box):
    mask = rectangle(Size(9, 7), box)

    inside = {(x, y) for x in range(9) for y in range(7) if box.left <= x < box.right and box.top <= y < box.bottom}
    assert {(int(x), int(y)) for y, x in np.argwhere(mask.pixels == 255)} == inside
    assert mask.is_hard


@given(boxes)
def test_an_ellipse_fills_its_box_and_has_no_corners(box):
    size = Size(40, 40)
    box = Bounds(box.left + 8, box.top + 8, box.right + 8, box.bottom + 8)
    mask = ellipse(size, box)

    assert mask.without(rectangle(size, box)).is_empty
    assert mask.bounds.size == box.size or min(box.size) <= 2
    assert np.array_equal(mask.pixels[box.slices], mask.pixels[box.slices][::-1, ::-1])
    assert mask.coverage * size.pixels == pytest.approx(np.pi / 4 * box.size.pixels, abs=2 + max(box.size))
    assert mask.is_hard


def test_an_ellipse_that_hangs_over_is_cut_off():
    whole = ellipse(Size(40, 40), Bounds(10, 10, 30, 20))

    assert np.array_equal(ellipse(Size(9, 7), Bounds(-5, -3, 15, 7)).pixels, whole.pixels[13:20, 15:24])
