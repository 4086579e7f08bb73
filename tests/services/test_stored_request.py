"""A picture that is stored is queued by its key: it is not decoded for that, and what does not fit is still refused."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain.errors import EmptyMask, SizeMismatch, StoredImageDamaged, StoredImageMissing
from core.domain.geometry import Size
from core.domain.pixels.mask import FAINT, Mask
from core.domain.sheet import Axis, Sheet
from tests.conftest import a_mask, a_picture, a_request, make_studio


@pytest.fixture
def source(studio) -> str:
    return studio.generations.images.put(a_picture())


def stored_pictures(studio) -> set[str]:
    return set(studio.generations.images.keys())


def test_a_row_queued_by_keys_is_the_row_queued_by_pixels_and_is_painted_alike(studio, dispatcher, source):
    [by_pixels] = studio.generations.submit(a_request())
    [by_keys] = studio.generations.submit(studio.generations.stored(source, a_mask(), a_request().params))
    dispatcher.drain()

    one, other = studio.gallery.get(by_pixels), studio.gallery.get(by_keys)
    same = ("params", "source", "mask", "width", "height", "device", "output", "pixels_sha256", "status")
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]


def test_neither_submit_nor_a_sheet_decodes_a_stored_picture(studio, source, decoded_keys):
    params = a_request().params

    studio.generations.submit(studio.generations.stored(source, a_mask(), params), count=2)
    studio.sheets.submit(studio.generations.stored(source, a_mask(), params), Sheet(Axis("seed", (1, 2))))

    assert studio.gallery.count() == 4
    assert decoded_keys == []


def test_in_a_new_process_only_a_stored_mask_is_decoded(studio, settings, inpainter, source, decoded_keys):
    mask = studio.generations.images.put(a_mask().to_image())
    new = make_studio(settings, inpainter, studio.gallery.now)

    [id] = new.generations.submit(new.generations.stored(source, mask, a_request().params))

    assert (new.gallery.get(id).source, new.gallery.get(id).mask) == (source, mask)
    assert decoded_keys == [mask]


faint = Mask(np.full((64, 96), FAINT - 1, np.uint8))


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (Mask.empty(Size(96, 64)), EmptyMask),
        (faint, EmptyMask),
        (a_mask(64, 96), SizeMismatch),
    ],
    ids=["empty", "nearly black", "of another size"],
)
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_mask_that_does_not_fit_is_refused_and_nothing_is_stored(studio, source, mask, error, is_stored):
    given = studio.generations.images.put(mask.to_image()) if is_stored else mask
    before = stored_pictures(studio)

    with pytest.raises(error):
        studio.generations.stored(source, given, a_request().params)

    assert stored_pictures(studio) == before
    assert studio.gallery.count() == 0


def test_by_the_first_rules_a_nearly_black_mask_still_counts(studio, source):
    first = a_request().params.processed_by(1)

    assert studio.generations.stored(source, faint, first).mask == faint.sha256


@pytest.mark.parametrize(("spoil", "error"), [("unlink", StoredImageMissing), ("write_bytes", StoredImageDamaged)])
def test_a_picture_that_is_gone_or_is_none_is_refused_before_there_is_a_row(studio, source, spoil, error):
    path = studio.generations.images.path(source)
    path.unlink() if spoil == "unlink" else path.write_bytes(b"not a png")

    with pytest.raises(error):
        studio.generations.stored(source, a_mask(), a_request().params)

    assert studio.gallery.count() == 0


def test_a_picture_that_went_into_the_trash_meanwhile_comes_back(studio, dispatcher, source):
    images = studio.generations.images
    request = studio.generations.stored(source, a_mask(), a_request().params)
    for key in (request.source, request.mask):
        assert images.discard(key)

    [id] = studio.generations.submit(request)

    assert {request.source, request.mask} <= set(images.keys())
    dispatcher.drain()
    assert studio.gallery.get(id).output is not None
