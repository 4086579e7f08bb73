"""Other families than Stable Diffusion 1.x go the same road."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain.errors import InvalidParams
from core.domain.mask import Mask
from core.domain.params import InpaintParams
from core.domain.request import InpaintRequest, Plan
from core.engine.diffusers_inpainter import load
from core.engine.models import Catalogue
from tests.engine.tiny import a_mask, a_picture, a_working_request, save_xl_pipeline


@pytest.fixture(scope="module", params=[4, 9])
def xl(request, tmp_path_factory):
    """A tiny pipeline of the Stable Diffusion XL family."""
    from core.settings import Settings

    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    folder = save_xl_pipeline(tmp_path_factory.mktemp("xl"), in_channels=request.param)
    return load(str(folder), "cpu", Catalogue(settings), settings)


def paint(inpainter, **params):
    return inpainter.inpaint(a_working_request(**params), lambda report: None)


def test_the_same_request_gives_the_same_bits_and_another_seed_others(xl):
    first, again, other = paint(xl, seed=1), paint(xl, seed=1), paint(xl, seed=2)

    assert first.record["pipeline"] == "StableDiffusionXLInpaintPipeline"
    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.tobytes() != other.image.tobytes()


def test_near_seeds_and_soft_masks_work(xl):
    grey = Mask(np.where(a_mask().pixels > 0, np.uint8(120), np.uint8(0)))

    plain = paint(xl)
    near = paint(xl, variation_strength=0.2, variation_seed=9)
    soft = paint(xl, soft_mask=True, mask=grey)

    assert near.record["noise_sha256"] != plain.record["noise_sha256"]
    assert soft.image.tobytes() != plain.image.tobytes()


def test_weights_in_a_prompt_are_refused_in_words(xl):
    with pytest.raises(InvalidParams, match="two ways"):
        paint(xl, prompt="(a red)1.3 ball", prompt_weights=True)


def test_nothing_outside_the_mask_changes(xl):
    picture = a_picture(160, 120)
    pixels = np.zeros((120, 160), np.uint8)
    pixels[40:80, 50:110] = 255
    request = InpaintRequest(picture, Mask(pixels), InpaintParams(prompt="a ball", size=64, num_inference_steps=2))
    plan = Plan.of(request)

    result = plan.finish(xl.inpaint(plan.working_request(xl.model.cell), lambda report: None).image)

    outside = plan.blend_mask.pixels == 0
    assert (np.asarray(result)[outside] == np.asarray(picture)[outside]).all()
