"""Colour profiles: the model sees sRGB, the repainted part comes back in the photo's own colours, the rest stays."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from core.domain.files.picture import read_picture
from core.domain.geometry import Size
from core.domain.params import FIRST_PROCESSING, InpaintParams
from core.domain.pixels.colour import as_srgb, space_of
from core.domain.pixels.compositing import for_screen, unchanged_outside
from core.domain.request import InpaintRequest, Plan
from tests.conftest import a_mask, a_picture
from tests.profiles import (
    ADOBE_RGB,
    D50_XY,
    D65_XY,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    colorants,
    grey_profile,
    rgb_profile,
)

SPACES = {
    "Display P3": (DISPLAY_P3, D65_XY, 2.2),
    "Adobe RGB": (ADOBE_RGB, D65_XY, 2.2),
    "ProPhoto": (PROPHOTO, D50_XY, 1.8),
}
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
spaces = pytest.mark.parametrize("space", sorted(SPACES))


def seen_as_srgb(values: np.ndarray, primaries, white, gamma) -> np.ndarray:
    """By the formulas of the standards, of values 0..255: what littleCMS must come to."""
    light = (values / 255) ** gamma @ colorants(primaries, white).T @ np.linalg.inv(colorants(SRGB, D65_XY)).T
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def with_profile(image: Image.Image, profile: bytes) -> Image.Image:
    image.info["icc_profile"] = profile
    return image


def flat(colour, profile: bytes, mode: str = "RGB") -> Image.Image:
    return with_profile(Image.new(mode, (96, 64), colour), profile)


def plan_of(picture: Image.Image, **params) -> Plan:
    params = {"size": 64, "mask_grow_px": 0, "mask_feather_px": 0, **params}
    return Plan.of(InpaintRequest(picture, a_mask(), InpaintParams(**params)))


@spaces
@pytest.mark.parametrize("colour", [(200, 100, 50), (0, 255, 0), (128, 128, 128), (30, 60, 220), (255, 255, 255)])
def test_the_model_sees_what_the_numbers_mean(space, colour):
    plan = plan_of(flat(colour, rgb_profile(*SPACES[space])))

    seen = np.asarray(plan.working_request(8).image)[0, 0]

    assert seen == pytest.approx(seen_as_srgb(np.array(colour, float), *SPACES[space]), abs=2)


def test_a_saturated_colour_of_display_p3_looks_more_saturated_in_srgb():
    seen = plan_of(flat((200, 100, 50), rgb_profile())).working_request(8).image

    assert seen.getpixel((0, 0)) == pytest.approx((216, 93, 24), abs=2)


@spaces
def test_what_is_painted_goes_back_into_the_photos_own_colours(space):
    plan = plan_of(flat((90, 120, 60), rgb_profile(*SPACES[space])))
    painted = (180, 120, 90)

    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), painted))

    [own] = np.unique(np.asarray(result)[a_mask().pixels == 255], axis=0)
    assert seen_as_srgb(own.astype(float), *SPACES[space]) == pytest.approx(painted, abs=2)
    assert result.info["icc_profile"] == rgb_profile(*SPACES[space])
    assert np.asarray(as_srgb(result))[25, 30] == pytest.approx(painted, abs=2)


@given(st.sampled_from(sorted(SPACES)), st.sampled_from(["RGB", "RGBA"]), st.integers(0, 4), st.integers(0, 4))
def test_outside_the_mask_a_photo_with_a_profile_is_bit_identical(space, mode, grow, feather):
    picture = with_profile(a_picture(mode=mode), rgb_profile(*SPACES[space]))
    plan = plan_of(picture, mask_grow_px=grow, mask_feather_px=feather)

    result = plan.finish(plan.working_request(8).image)

    kept = a_mask().grown(grow).pixels == 0
    assert np.array_equal(np.asarray(result)[kept], np.asarray(picture)[kept])
    assert unchanged_outside(picture, result, plan.request.may_change)
    assert result.info == {"icc_profile": picture.info["icc_profile"]}


@pytest.mark.parametrize("params", [{"colour_match": 1.0}, {"keep_threshold": 0.1}, {"area": "two-pass"}])
def test_a_repaint_of_what_the_model_saw_hardly_changes_the_photo(params):
    """Colour match and what is kept compare like with like: both in sRGB."""
    pixels = np.linspace(60, 190, 96 * 64 * 3).reshape(64, 96, 3).astype(np.uint8)
    picture = with_profile(Image.fromarray(pixels), rgb_profile(*SPACES["Adobe RGB"]))
    plan = plan_of(picture, size=96, **params)
    seen = plan.working_request(8).image

    result = plan.finish(seen)

    assert np.abs(np.asarray(result).astype(int) - pixels).max() <= 4


def test_by_the_first_rules_the_model_was_shown_the_bare_numbers():
    picture = flat((200, 100, 50), rgb_profile())
    params = InpaintParams(size=64).processed_by(FIRST_PROCESSING)
    plan = Plan.of(InpaintRequest(picture, a_mask(), params))

    assert plan.working_request(8).image.getpixel((0, 0)) == (200, 100, 50)
    assert plan.request.space is None


@pytest.mark.parametrize(
    "profile",
    [SRGB_PROFILE, b"x" * 300, rgb_profile()[:200], rgb_profile().replace(b"RGB ", b"CMYK", 1), grey_profile()],
    ids=["sRGB", "no profile", "cut off", "CMYK", "grey"],
)
def test_a_profile_of_srgb_or_one_that_does_not_fit_changes_nothing(profile):
    picture, bare = with_profile(a_picture(), profile), a_picture()
    painted = Image.effect_noise((64, 64), 60).convert("RGB")

    plan, expected = plan_of(picture), plan_of(bare)

    assert space_of(picture) is None
    assert plan.working_request(8).image.tobytes() == expected.working_request(8).image.tobytes()
    result = plan.finish(painted.resize(tuple(plan.crop.working)))
    assert result.tobytes() == expected.finish(painted.resize(tuple(plan.crop.working))).tobytes()
    assert result.info["icc_profile"] == profile


def opened(image: Image.Image, profile: bytes | None, format: str = "PNG"):
    file = io.BytesIO()
    image.save(file, format, icc_profile=profile)
    return read_picture(file.getvalue())


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_photo_with_a_profile_says_what_becomes_of_it(format):
    picture = opened(a_picture(), rgb_profile(), format)

    assert space_of(picture.image) is not None
    [note] = picture.notes
    assert "“made up”" in note
    assert "sRGB" in note


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (SRGB_PROFILE, None),
        (b"x" * 300, "cannot be read"),
        (rgb_profile()[:150], "cannot be read"),
        (rgb_profile().replace(b"RGB ", b"CMYK", 1), "for CMYK colours"),
        (rgb_profile().replace(b"RGB ", b"Lab ", 1), "for Lab colours"),
        (grey_profile(), "for grey colours"),
    ],
)
def test_a_profile_that_is_not_used_is_told_unless_it_is_that_of_srgb(profile, words):
    picture = opened(a_picture(), profile)

    assert picture.image.tobytes() == a_picture().tobytes()
    assert picture.image.info["icc_profile"] == profile
    assert [words in note for note in picture.notes] == ([True] if words else [])


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_photo_keeps_its_tone_curve_when_it_becomes_rgb(mode):
    grey = Image.linear_gradient("L").convert(mode)

    picture = opened(grey, grey_profile(1.8)).image

    assert np.array_equal(np.asarray(picture)[..., 0], np.asarray(grey.convert("L")))
    seen = np.asarray(for_screen(picture, Size(*picture.size)))
    light = (np.asarray(grey.convert("L")) / 255) ** 1.8
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(seen[..., 0] - expected).max() <= 2
    assert np.ptp(seen.astype(int), axis=2).max() <= 1


def test_grey_of_16_bits_is_seen_through_its_profile_and_painted_back_through_it():
    values = np.full((64, 96), 128 * 257, np.uint16)
    picture = opened(Image.fromarray(values), grey_profile(1.8)).image
    plan = plan_of(picture)

    result = plan.finish(Image.new("RGB", tuple(plan.crop.working), (146, 146, 146)))

    assert picture.mode == "I;16"
    assert plan.working_request(8).image.getpixel((0, 0)) == pytest.approx((146, 146, 146), abs=1)
    assert np.asarray(result)[25, 30] == pytest.approx(128 * 257, abs=257)
    assert np.array_equal(np.asarray(result)[a_mask().pixels == 0], values[a_mask().pixels == 0])
    assert result.info["icc_profile"] == grey_profile(1.8)


def test_transparent_parts_keep_their_transparency_on_the_screen():
    picture = with_profile(a_picture(mode="RGBA"), rgb_profile())

    shown = as_srgb(picture)

    assert shown.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
    assert shown.convert("RGB").tobytes() != picture.convert("RGB").tobytes()
    assert "icc_profile" not in shown.info


def test_a_name_of_a_profile_is_one_line_of_text():
    hostile = rgb_profile().replace(b"made up", b"a\nb\x1b[1")

    [note] = opened(a_picture(), hostile).notes

    assert note.isprintable()


@given(st.binary(max_size=700), st.integers(0, 480))
def test_whatever_bytes_a_profile_has_a_picture_with_it_can_be_painted_on(junk, at):
    profile = (rgb_profile()[:at] + junk) or b"x"
    picture = with_profile(a_picture(), profile)

    plan = plan_of(picture)
    result = plan.finish(plan.working_request(8).image)

    assert np.array_equal(np.asarray(result)[a_mask().pixels == 0], np.asarray(picture)[a_mask().pixels == 0])
