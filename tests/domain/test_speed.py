"""The three speeds as sets of parameters, and the size that a mask needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.crops import crop_for
from core.domain.geometry import Size
from core.domain.model_file import Base
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.speed import BALANCED, BEST, DRAFT, NOTHING, SPEEDS, Surroundings, can_be_finished, chosen, values
from core.domain.working_size import sized_by_mask

SD = {"num_inference_steps": 50, "guidance_scale": 7.5, "scheduler": "model-default", "size": 512}
FEW = {"num_inference_steps": 8, "guidance_scale": 0.0, "scheduler": "model-default", "size": 1024}
OWN = [{"name": "oil", "weight": 0.8}]
MINE = {"loras": OWN, "vae": ""}
ALONE = Surroundings(SD, bases=(Base.SD1,))
WHOLE = Surroundings(SD, bases=(Base.SD1,), loras=("speed/LCM-LoRA-SDv1-5",), vaes=("taesd",), takes_bfloat16=True)


def form(speed: str, around: Surroundings, **changes):
    return {**SD, **values(speed, around, {**NOTHING, **changes}), **changes}


def test_best_is_what_the_model_recommends():
    assert values(BEST, WHOLE, MINE) == {
        **SD,
        "dtype": "auto",
        "cache_interval": 1,
        "vae": "",
        "loras": OWN,
        "auto_size": False,
    }


def test_balanced_takes_a_third_of_the_steps_in_the_precision_that_the_processor_has():
    found = values(BALANCED, WHOLE, MINE)

    assert (found["num_inference_steps"], found["scheduler"], found["dtype"]) == (17, "dpmpp-2m", "bfloat16")
    assert (found["guidance_scale"], found["size"], found["auto_size"], found["vae"]) == (7.5, 512, True, "")
    assert values(BALANCED, ALONE)["dtype"] == "auto"


def test_a_draft_takes_the_lora_and_the_tiny_autoencoder_that_are_there_and_keeps_the_artists_own():
    found = values(DRAFT, WHOLE, MINE)

    assert found["loras"] == [*OWN, {"name": "speed/LCM-LoRA-SDv1-5", "weight": 1.0}]
    assert (found["scheduler"], found["num_inference_steps"], found["guidance_scale"]) == ("lcm", 4, 1.0)
    assert (found["vae"], found["size"]) == ("taesd", 384)
    assert WHOLE.missing == ()


def test_where_no_lora_can_be_used_a_draft_takes_none_and_asks_for_none():
    around = replace(WHOLE, vaes=(), takes_loras=False)

    assert values(DRAFT, around, MINE)["loras"] == OWN
    assert values(DRAFT, around)["num_inference_steps"] == 8
    assert around.missing == ("vae/taesd.safetensors",)


def test_without_them_a_draft_says_what_is_missing_and_takes_few_steps_all_the_same():
    found = values(DRAFT, ALONE)

    assert ALONE.missing == ("loras/lcm-lora-sdv1-5.safetensors", "vae/taesd.safetensors")
    assert (found["num_inference_steps"], found["guidance_scale"], found["scheduler"]) == (8, 7.5, "dpmpp-2m")
    assert (found["loras"], found["vae"]) == ([], "")


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_artists_own_vae_stays_as_a_checkpoint_may_come_without_one(speed):
    mine = {"loras": (), "vae": "ft-mse"}

    assert values(speed, WHOLE, mine)["vae"] == "ft-mse"
    assert values(BEST, WHOLE, {"loras": (), "vae": "taesd"})["vae"] == ""


def test_going_back_to_best_takes_the_lora_of_few_steps_out_again():
    assert values(BEST, WHOLE, values(DRAFT, WHOLE, MINE))["loras"] == OWN


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_form_with_the_values_of_a_speed_is_of_that_speed(speed):
    assert chosen(form(speed, WHOLE, loras=OWN), WHOLE) == (speed if speed != DRAFT else None)
    assert chosen(form(speed, WHOLE), WHOLE) == speed


def test_the_artists_own_lora_may_stand_before_or_behind_that_of_few_steps():
    loras = values(DRAFT, WHOLE, MINE)["loras"]

    assert {chosen(form(DRAFT, WHOLE) | {"loras": order}, WHOLE) for order in (loras, loras[::-1])} == {DRAFT}


@pytest.mark.parametrize("change", [{"num_inference_steps": 13}, {"size": 448}, {"auto_size": None}])
def test_a_form_in_which_something_was_changed_is_of_none(change):
    assert chosen(form(BALANCED, WHOLE, **change), WHOLE) is None


def test_a_draft_can_be_finished_at_whatever_size_its_mask_needed_and_best_cannot():
    for speed in SPEEDS:
        params = {name: value for name, value in form(speed, WHOLE).items() if name != "auto_size"}
        assert can_be_finished({**params, "size": 256}, WHOLE) is (speed != BEST)
    before = replace(WHOLE, loras=(), vaes=())
    assert can_be_finished({**form(DRAFT, before), "size": 256}, WHOLE), "the LoRA came later"
    assert not can_be_finished({**form(BEST, WHOLE), "num_inference_steps": 3}, WHOLE)


def test_a_distilled_model_keeps_its_steps_and_what_has_no_effect_is_not_set():
    around = Surroundings(FEW, unused=("scheduler", "loras", "vae"))

    assert values(BALANCED, around)["num_inference_steps"] == 8
    assert values(DRAFT, around)["num_inference_steps"] == 8
    assert not {"scheduler", "loras", "vae"} & values(DRAFT, around).keys()


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_model_without_steps_has_no_speeds(speed):
    around = Surroundings(SD, unused=("num_inference_steps", "scheduler"), takes_bfloat16=True)

    assert values(speed, around, MINE) == {}


def mask(picture: Size, left: int, top: int, width: int, height: int) -> Mask:
    pixels = np.zeros((picture.height, picture.width), np.uint8)
    pixels[top : top + height, left : left + width] = 255
    return Mask(pixels)


@given(
    picture=st.builds(Size, st.integers(64, 900), st.integers(64, 900)),
    size=st.integers(8, 160).map(lambda cells: cells * 8),
    at=st.tuples(*[st.floats(0, 0.9)] * 2, *[st.floats(0.02, 1)] * 2),
)
def test_the_size_by_the_mask_is_between_half_and_all_and_the_crop_is_not_reduced_for_it(picture, size, at):
    left, top = int(at[0] * picture.width), int(at[1] * picture.height)
    drawn = mask(picture, left, top, max(1, int(at[2] * picture.width)), max(1, int(at[3] * picture.height)))
    params = InpaintParams(size=size)

    found = sized_by_mask(params, drawn, picture)

    bounds = crop_for(drawn.grown(params.mask_grow_px).bounds, picture, params).bounds
    assert size / 2 <= found.size <= size
    assert found.size % 8 == 0
    assert found.size >= min(size, max(bounds.size))
    assert found.changed(size=size) == params


def test_a_mask_whose_crop_has_331_pixels_is_not_worked_at_512():
    picture = Size(2000, 1500)
    params = InpaintParams(size=512, crop_padding_px=64, mask_grow_px=0)

    assert sized_by_mask(params, mask(picture, 500, 500, 203, 180), picture).size == 384
    assert sized_by_mask(params, mask(picture, 500, 500, 20, 20), picture).size == 256
    assert sized_by_mask(params, mask(picture, 100, 100, 1200, 900), picture).size == 512


def test_what_of_a_mask_does_not_count_makes_no_larger_size():
    picture = Size(1000, 1000)
    drawn = mask(picture, 500, 500, 100, 100)
    faint = Mask(np.where(drawn.pixels, drawn.pixels, 1).astype(np.uint8))

    assert sized_by_mask(InpaintParams(), faint, picture) == sized_by_mask(InpaintParams(), drawn, picture)


@pytest.mark.parametrize("area", ["whole", "two-pass", "separate"])
def test_of_several_crops_and_of_the_whole_picture_the_size_stays(area):
    params = InpaintParams(size=512, area=area)

    assert sized_by_mask(params, mask(Size(900, 900), 10, 10, 20, 20), Size(900, 900)) == params
