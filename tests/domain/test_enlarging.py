"""An upscale: what the model gets, what is laid into the enlarged picture, and around it nothing but Lanczos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.domain.enlarging import enlarged, enlarged_mask, plan_of
from core.domain.errors import InvalidParams
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.compositing import composite
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.domain.upscale import Upscale, upscale_of
from tests.profiles import rgb_profile

MODEL = "a/model.onnx"
WIDTH, HEIGHT = 96, 64
MODES = ["RGB", "RGBA", "I;16"]


def a_picture(mode: str = "RGB") -> Image.Image:
    chance = np.random.default_rng(3)
    if mode == "I;16":
        return Image.fromarray(chance.integers(0, 65536, (HEIGHT, WIDTH), np.uint16))
    channels = len(mode)
    return Image.fromarray(chance.integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8))


def a_part() -> Mask:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[20:40, 30:50] = 255
    return Mask(pixels)


def plan(picture: Image.Image, mask: Mask, factor: int = 2, method: str = MODEL, **params):
    params = {"mask_grow_px": 2, "mask_feather_px": 3, **params}
    return plan_of(InpaintRequest(picture, mask, InpaintParams(model=Upscale(method, factor).key, **params)))


def whole() -> Mask:
    return Mask.empty(Size(WIDTH, HEIGHT)).inverted


def white(plan) -> Image.Image:
    """What a model returns that makes everything white."""
    return Image.new("RGB", plan.crop.working.sides, "white")


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("mode", MODES)
def test_around_the_painted_part_the_result_is_the_picture_enlarged_by_lanczos_to_the_bit(mode, factor):
    picture = a_picture(mode)
    one = plan(picture, a_part(), factor)

    result = one.finish(white(one))

    assert (result.mode, result.size) == (mode, (WIDTH * factor, HEIGHT * factor))
    beyond = a_part().grown(2).pixels.repeat(factor, axis=0).repeat(factor, axis=1) == 0
    assert (np.asarray(result)[beyond] == np.asarray(enlarged(picture, factor))[beyond]).all()
    assert (np.asarray(result)[~beyond] != np.asarray(enlarged(picture, factor))[~beyond]).any()
    assert one.unchanged_outside(result)


def test_what_changes_outside_is_found():
    one = plan(a_picture(), a_part())
    result = one.finish(white(one))
    result.putpixel((0, 0), (1, 2, 3))

    assert not one.unchanged_outside(result)


@pytest.mark.parametrize("mode", MODES)
def test_by_lanczos_alone_the_result_is_the_enlarged_picture_and_no_bit_is_lost(mode):
    picture = a_picture(mode)
    one = plan(picture, whole(), method="lanczos")

    assert one.finish(white(one)).tobytes() == enlarged(picture, 2).tobytes()


def test_a_colour_profile_stays_and_what_the_model_made_goes_into_it():
    picture = a_picture()
    picture.info["icc_profile"] = rgb_profile()
    one = plan(picture, a_part())

    result = one.finish(Image.new("RGB", one.crop.working.sides, (200, 30, 30)))

    assert result.info["icc_profile"] == picture.info["icc_profile"]
    assert result.getpixel((80, 60)) != (200, 30, 30)
    assert one.unchanged_outside(result)


def test_transparency_is_enlarged_and_never_painted_over():
    picture = a_picture("RGBA")
    one = plan(picture, whole(), mask_grow_px=0, mask_feather_px=0)

    result = one.finish(white(one))

    assert result.getchannel("A").tobytes() == enlarged(picture, 2).getchannel("A").tobytes()
    assert set(result.convert("RGB").getdata()) == {(255, 255, 255)}


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_picture_is_the_same_as_one_that_is_blended(mode):
    picture = a_picture(mode)
    if mode == "RGB":
        picture.info["icc_profile"] = rgb_profile()
    one = plan(picture, whole(), mask_grow_px=0, mask_feather_px=0)
    painted = a_picture().resize(one.crop.working.sides)

    blended = composite(enlarged(picture, 2), painted, one.crop.bounds, one.blend_mask, one.request.space)

    result = one.finish(painted)
    assert (
        result.convert("RGB" if mode == "RGBA" else mode).tobytes()
        == blended.convert("RGB" if mode == "RGBA" else mode).tobytes()
    )
    assert one.unchanged_outside(result)


def test_the_model_gets_the_small_part_with_some_pixels_around_it_and_colours_under_transparency():
    picture = Image.new("RGBA", (WIDTH, HEIGHT), (10, 200, 30, 0))

    work = plan(picture, a_part()).working_request(1)

    assert work.image.size == (20 + 2 * 2 + 2 * 16, 20 + 2 * 2 + 2 * 16)
    assert set(work.image.getdata()) == {(10, 200, 30)}


def test_a_mask_enlarged_is_the_same_in_larger_pixels():
    mask = enlarged_mask(a_part(), 4)

    assert mask.size == Size(WIDTH * 4, HEIGHT * 4)
    assert mask.bounds.box == (120, 80, 200, 160)


@pytest.mark.parametrize("model", ["upscale:", "upscale:lanczos", "upscale:lanczos@3", "upscale:@2", "upscale:x@22"])
def test_what_begins_like_an_upscale_and_is_none_is_no_model(model):
    with pytest.raises(InvalidParams, match="Model: must"):
        InpaintParams(model=model)


def test_an_upscale_is_read_from_the_name_that_it_makes():
    for upscale in (Upscale("lanczos", 2), Upscale("C:\\models\\4x@home.onnx", 4)):
        assert upscale_of(upscale.key) == upscale
        assert InpaintParams(model=upscale.key).upscale == upscale
    assert upscale_of("pocket-inpaint") is None
