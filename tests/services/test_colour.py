"""Colour profiles from the file to the download: recorded, kept, verified."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.bootstrap import build_studio
from core.domain.generation import Verdict
from core.domain.hashing import is_named, pixels_sha256
from core.domain.params import InpaintParams
from core.domain.request import InpaintRequest
from core.services.exports import FileType
from tests.conftest import a_mask, a_picture
from tests.fakes import WaitingDispatcher
from tests.profiles import rgb_profile
from tests.services.negative import Negative


@pytest.fixture
def negatives(settings, clock):
    return build_studio(
        settings,
        lambda model, device, **how: Negative(),
        dispatcher=lambda worker: WaitingDispatcher(worker.run),
        now=clock,
        resolve_device=lambda wish: "cpu",
    )


def a_photo(profile: bytes | None = rgb_profile(), colour=(200, 100, 50)) -> Image.Image:
    image = Image.new("RGB", (96, 64), colour)
    if profile:
        image.info["icc_profile"] = profile
    return image


def painted(studio, picture: Image.Image):
    params = InpaintParams(size=64, num_inference_steps=2, mask_feather_px=0, model="negative")
    [id] = studio.generations.submit(InpaintRequest(picture, a_mask(), params))
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def test_the_record_tells_how_colours_were_converted_and_it_verifies_exact(negatives):
    generation = painted(negatives, a_photo())
    [verification] = negatives.reproductions.verify([generation.id])
    negatives.dispatcher.drain()

    colour = generation.record.raw["colour"]
    assert (colour["profile"], colour["intent"]) == ("made up", "relative colorimetric")
    assert colour["littlecms"]
    assert generation.record.outside_mask_unchanged is True
    assert negatives.reproductions.get(verification).reproduction.verdict is Verdict.EXACT


def test_without_a_profile_nothing_of_colours_is_recorded(negatives):
    assert "colour" not in painted(negatives, a_photo(None)).record


@pytest.mark.slow_but_first
@pytest.mark.parametrize("type", [FileType.PNG, FileType.WEBP, FileType.JPEG, FileType.AVIF])
def test_result_and_downloads_keep_the_profile(negatives, type):
    generation = painted(negatives, a_photo())

    assert negatives.gallery.image(generation.output).info["icc_profile"] == rgb_profile()
    with Image.open(io.BytesIO(negatives.exports.file(generation, type))) as file:
        assert file.info["icc_profile"] == rgb_profile()


def test_thumbnails_are_in_srgb(negatives):
    generation = painted(negatives, a_photo())

    with Image.open(io.BytesIO(negatives.gallery.file(generation.thumbnail))) as small:
        assert "icc_profile" not in small.info
        assert small.convert("RGB").getpixel((90, 60)) == pytest.approx((216, 93, 24), abs=6)


def test_equal_numbers_under_another_profile_are_another_picture(negatives):
    bare, tagged = painted(negatives, a_photo(None)), painted(negatives, a_photo())

    assert bare.source != tagged.source
    assert "icc_profile" not in negatives.gallery.image(bare.source).info
    assert negatives.gallery.image(tagged.source).info["icc_profile"] == rgb_profile()
    assert negatives.gallery.image(tagged.output).tobytes() != negatives.gallery.image(bare.output).tobytes()


def test_a_picture_that_was_stored_before_profiles_counted_keeps_its_name(negatives):
    old = pixels_sha256(a_photo())
    images = negatives.drafts.images

    images.put(a_photo(), old)

    assert images.get(old).info["icc_profile"] == rgb_profile()
    assert is_named(old, a_photo())
    assert not is_named(old, a_picture())
    assert images.put(a_photo()) != old


def test_a_chain_is_painted_in_the_photos_colours_to_its_end(negatives):
    first = painted(negatives, a_photo())
    second = painted(negatives, negatives.gallery.image(first.output))

    photo = np.asarray(a_photo())
    twice = np.asarray(negatives.gallery.image(second.output))
    kept = a_mask().grown(4).pixels == 0
    assert second.record.raw["colour"] == first.record.raw["colour"]
    assert np.array_equal(twice[kept], photo[kept])
    # The negative of the negative: the colours come back, as far as 8 bits of two spaces let them.
    middle = (slice(20, 30), slice(30, 40))
    assert np.abs(twice[middle].astype(int) - photo[middle]).max() <= 8
