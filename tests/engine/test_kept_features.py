"""Deep features that are kept over steps: less work, a picture that is near, and the same bits again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.domain.control import TILE
from core.domain.errors import GenerationCancelled, InvalidParams
from core.domain.generation import Phase, Status, Verdict
from core.domain.guide import Guide, Role
from core.domain.hashing import pixels_sha256
from core.domain.pixels.mask import Mask
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import a_working_request, save_xl_pipeline
from tests.engine.tiny_control import net_for, write

STEPS = 10


def request(**params):
    return a_working_request(**{"num_inference_steps": STEPS, "prompt": "a red ball", "guidance_scale": 2.0, **params})


def sha(inpainter, **params) -> str:
    return pixels_sha256(inpainter.inpaint(request(**params), lambda report: None).image)


@pytest.mark.parametrize(("interval", "computed"), [(1, 10), (2, 6), (3, 5), (4, 5)])
def test_the_middle_block_runs_at_the_first_steps_and_each_nth_after_them(nine, interval, computed):
    calls = []
    hook = nine._pipe.unet.mid_block.resnets[0].register_forward_hook(lambda *call: calls.append(call))
    try:
        sha(nine, cache_interval=interval)
    finally:
        hook.remove()

    assert len(calls) == computed


@pytest.mark.slow_but_first
@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize("further", [{}, {"strength": 0.7, "scheduler": "euler-ancestral"}, {"guidance_scale": 1.0}])
def test_the_picture_is_near_the_full_one_and_nothing_of_it_is_left_behind(shared, channels, further):
    inpainter = shared(in_channels=channels)
    full = inpainter.inpaint(request(**further), lambda report: None).image
    kept = inpainter.inpaint(request(cache_interval=3, **further), lambda report: None).image
    another = inpainter.inpaint(request(seed=9, **further), lambda report: None).image

    distance = abs(np.asarray(kept, int) - np.asarray(full, int)).mean()
    assert 0 < distance < abs(np.asarray(another, int) - np.asarray(full, int)).mean() / 4
    assert sha(inpainter, **further) == pixels_sha256(full)
    assert sha(inpainter, cache_interval=3, **further) == pixels_sha256(kept)


def test_a_cancelled_run_leaves_no_features_to_the_next_one(nine):
    before, plain = sha(nine, cache_interval=2), sha(nine)

    def cancel(report):
        if report.phase is Phase.DENOISING and report.step == 5:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        nine.inpaint(request(seed=3, cache_interval=2), cancel)

    assert (sha(nine, cache_interval=2), sha(nine)) == (before, plain)


def test_the_record_says_how_they_were_kept_and_nothing_where_they_were_not(nine):
    kept = nine.inpaint(request(cache_interval=2), lambda report: None).record["cache"]

    assert kept == {
        "method": "TaylorSeer",
        "interval": 2,
        "full_steps": 3,
        "max_order": 1,
        "blocks": ["mid_block", "up_blocks.0"],
    }
    assert "cache" not in nine.inpaint(request(), lambda report: None).record


def test_a_transformer_is_refused_in_a_sentence(transformer):
    with pytest.raises(InvalidParams, match="FLUX.1 models have no U-Net.*Set Cache interval to 1"):
        transformer("FLUX.1").inpaint(request(cache_interval=2), lambda report: None)


@pytest.mark.slow_but_first
def test_what_was_painted_so_verifies_exact_after_a_restart(settings, models, tmp_path):
    studio = started(settings)
    folders = [models(in_channels=9), save_xl_pipeline(tmp_path / "xl")]
    made = [
        painted(studio, folder, cache_interval=2, num_inference_steps=STEPS, prompt="a red ball") for folder in folders
    ]

    after = started(settings)

    assert [one.status for one in made] == [Status.SUCCEEDED] * 2
    assert [verified(after, one.id).reproduction.verdict for one in made] == [Verdict.EXACT] * 2


@pytest.mark.slow_but_first
def test_it_works_under_a_controlnet_and_a_soft_mask_and_leaves_both_as_they_were(four, tmp_path):
    path = write(tmp_path / "net.safetensors", net_for(four._pipe.unet))

    def pixels(**params) -> str:
        asked = request(strength=0.9, controlnet=[{"name": str(path), "hint": TILE}], **params)
        soft = Mask((asked.mask.pixels * 0.6).astype(np.uint8))
        guided = replace(asked, degree=soft, guides=(Guide(Role.CONTROL, 0, asked.image),))
        return pixels_sha256(four.inpaint(guided, lambda report: None).image)

    full, kept = pixels(), pixels(cache_interval=2)

    assert full != kept
    assert (pixels(), pixels(cache_interval=2)) == (full, kept)
