from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain.errors import (
    BrokenResult,
    DamagedModel,
    DeviceUnavailable,
    GenerationCancelled,
    InvalidParams,
    ModelNotDownloaded,
    NotAnInpaintingModel,
    OutOfMemory,
    ResultWithheld,
    UnsafeWeights,
)
from core.domain.generation import Phase
from core.domain.hashing import canonical_json, pixels_sha256
from core.domain.params import InpaintParams
from core.domain.pixels import compositing
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan, WorkingRequest
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from tests.engine.tiny import LONGEST_PROMPT, a_mask, a_picture, a_working_request


def paint(inpainter, request: WorkingRequest) -> str:
    """The hash of the result's pixels."""
    return pixels_sha256(inpainter.inpaint(request, lambda report: None).image)


both = pytest.mark.parametrize("channels", ["nine", "four"])


@pytest.fixture
def inpainter(channels: str, request: pytest.FixtureRequest):
    return request.getfixturevalue(channels)


# What comes back ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@both
def test_the_result_has_the_working_size_whatever_the_model_was_trained_at(inpainter):
    result = inpainter.inpaint(a_working_request(96, 40), lambda report: None)

    assert (result.image.size, result.image.mode) == ((96, 40), "RGB")


@pytest.mark.slow_but_first
@both
@pytest.mark.parametrize("size", [(64, 8), (8, 64), (72, 64), (88, 104)])
def test_narrow_and_uneven_sizes_are_painted(inpainter, size):
    request = WorkingRequest(
        image=a_picture(*size),
        mask=a_mask(*size, (0, 0, *size)),
        params=InpaintParams(prompt="a", num_inference_steps=2),
    )

    assert inpainter.inpaint(request, lambda report: None).image.size == size


def test_the_pipeline_class_serves_both_kinds_of_models(nine, four):
    assert (nine.model.details["pipeline"], nine.model.details["in_channels"]) == ("StableDiffusionInpaintPipeline", 9)
    assert (four.model.details["pipeline"], four.model.details["in_channels"]) == ("StableDiffusionInpaintPipeline", 4)


@both
def test_the_record_says_what_was_really_done_in_json_values(inpainter):
    request = a_working_request(num_inference_steps=10, strength=0.35, scheduler="ddim")

    record = inpainter.inpaint(request, lambda report: None).record

    assert json.loads(canonical_json(record)) == record
    assert record["pipeline"] == "StableDiffusionInpaintPipeline"
    assert record["scheduler"]["class"] == "DDIMScheduler"
    assert record["scheduler"]["beta_start"] == 0.00085
    assert record["effective_steps"] == request.params.effective_steps == 3
    assert len(record["timesteps"]) == 3
    assert record["noise_sha256"].startswith("sha256:")
    assert (record["width"], record["height"], record["threads"]) == (64, 64, 1)
    assert record["attention"] == "AttnProcessor2_0"
    assert "prompt_cut" not in record


def test_the_noise_depends_on_the_seed_alone(nine):
    def noise(**params) -> str:
        return nine.inpaint(a_working_request(**params), lambda report: None).record["noise_sha256"]

    assert noise(seed=1, prompt="a") == noise(seed=1, prompt="b", scheduler="euler", guidance_scale=1.0)
    assert noise(seed=1) != noise(seed=2)


@pytest.mark.slow
def test_the_latents_on_record_follow_from_everything_that_is_asked(nine):
    def latents(**params) -> str:
        return nine.inpaint(a_working_request(**params), lambda report: None).record["latents_sha256"]

    same, again = latents(seed=1), latents(seed=1)

    assert same == again
    assert same.startswith("sha256:")
    assert len({same, latents(seed=2), latents(seed=1, guidance_scale=1.0), latents(seed=1, scheduler="euler")}) == 4


def test_the_recorded_noise_is_the_one_that_torch_draws_for_that_seed(nine):
    import torch

    drawn = torch.randn((1, 4, 8, 8), generator=torch.Generator("cpu").manual_seed(7))

    record = nine.inpaint(a_working_request(seed=7), lambda report: None).record

    assert record["noise_sha256"] == "sha256:" + hashlib.sha256(drawn.numpy().tobytes()).hexdigest()


@pytest.mark.slow
def test_watching_the_run_does_not_change_its_pixels(models, loaded):
    """The bare pipeline, called by hand, gives the same picture."""
    import torch
    from diffusers import AutoPipelineForInpainting

    folder = models(in_channels=9)
    request = a_working_request(guidance_scale=3.0)
    bare = AutoPipelineForInpainting.from_pretrained(folder, use_safetensors=True, local_files_only=True)

    pixels = bare(
        prompt=request.params.prompt,
        negative_prompt=request.params.negative_prompt,
        image=request.image,
        mask_image=request.mask.to_image(),
        width=64,
        height=64,
        num_inference_steps=4,
        guidance_scale=3.0,
        strength=1.0,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]

    assert pixels_sha256(pixels) == paint(loaded(folder), request)


def test_a_prompt_too_long_for_the_model_is_noted_with_what_was_cut(nine):
    prompt = "abcdefghij " * 4

    record = nine.inpaint(a_working_request(prompt=prompt, negative_prompt="x" * 40), lambda report: None).record

    kept = LONGEST_PROMPT - 2
    assert record["prompt_cut_tokens"] == 40 - kept
    assert record["prompt_cut"].replace(" ", "") == ("abcdefghij" * 4)[kept:]
    assert record["negative_prompt_cut_tokens"] == 40 - kept


def test_a_negative_prompt_that_is_not_used_is_not_noted(nine):
    request = a_working_request(negative_prompt="x" * 40, guidance_scale=1.0)

    assert "negative_prompt_cut" not in nine.inpaint(request, lambda report: None).record


# The seed law ------------------------------------------------------------------------------------------------


@pytest.mark.slow_but_first
@both
@pytest.mark.parametrize("scheduler", ["model-default", "euler-ancestral", "unipc"])
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_the_same_request_gives_the_same_bits_after_others_in_between(inpainter, scheduler, strength):
    request = a_working_request(scheduler=scheduler, strength=strength)
    first = paint(inpainter, request)

    paint(inpainter, a_working_request(96, 64, seed=1, scheduler="heun", num_inference_steps=3))
    paint(inpainter, a_working_request(seed=2, guidance_scale=0.0, prompt=""))

    assert paint(inpainter, request) == first


@pytest.mark.slow_but_first
@both
def test_another_seed_prompt_strength_or_scheduler_gives_another_picture(inpainter):
    requests = [
        a_working_request(),
        a_working_request(seed=8),
        a_working_request(prompt="a blue cat"),
        a_working_request(negative_prompt="blurry"),
        a_working_request(strength=0.75),
        a_working_request(scheduler="euler"),
    ]

    assert len({paint(inpainter, request) for request in requests}) == len(requests)


@pytest.mark.slow_but_first
@both
def test_image_three_of_a_batch_made_again_alone_is_bit_identical(models, inpainter, loaded, channels):
    batch = [paint(inpainter, a_working_request(seed=100 + number)) for number in range(4)]

    alone = loaded(models(in_channels=9 if channels == "nine" else 4))

    assert paint(alone, a_working_request(seed=102)) == batch[2]


@pytest.mark.slow_but_first
@both
@pytest.mark.parametrize("stop_at", [0, 1, 3, 4])
def test_a_cancelled_run_leaves_the_next_one_bit_identical(inpainter, stop_at):
    request = a_working_request(scheduler="dpmpp-2m")
    before = paint(inpainter, request)

    def cancel(report):
        if report.step >= stop_at:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        inpainter.inpaint(a_working_request(seed=9), cancel)

    assert paint(inpainter, request) == before


def test_a_cancelled_run_is_not_decoded(nine, monkeypatch):
    """The pipeline's own interrupt flag would still decode the half-done picture."""
    decoded = []
    monkeypatch.setattr(nine._pipe.vae, "decode", lambda *args, **kwargs: decoded.append(args))

    def cancel(report):
        if report.phase is Phase.DENOISING:
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        nine.inpaint(a_working_request(), cancel)

    assert decoded == []


@both
@pytest.mark.slow_but_first
def test_the_first_and_the_last_seed_paint(inpainter):
    assert paint(inpainter, a_working_request(seed=0)) != paint(inpainter, a_working_request(seed=2**32 - 1))


@pytest.mark.slow_but_first
@both
def test_a_failed_run_leaves_the_next_one_bit_identical(inpainter):
    request = a_working_request()
    before = paint(inpainter, request)

    def fail(report):
        if report.step == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        inpainter.inpaint(request, fail)

    assert paint(inpainter, request) == before


def test_the_random_numbers_of_other_code_have_no_part_in_it(nine):
    import torch

    request = a_working_request(scheduler="euler-ancestral")
    torch.manual_seed(1)
    first = paint(nine, request)
    state = torch.random.get_rng_state()

    torch.manual_seed(2)

    assert paint(nine, request) == first
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state), "a run draws from nobody else's generator"


def test_threads_changed_by_other_code_are_set_back(nine):
    import torch

    request = a_working_request()
    first = paint(nine, request)

    torch.set_num_threads(2)
    again = paint(nine, request)

    assert (again, torch.get_num_threads()) == (first, 1)


@pytest.mark.slow
def test_the_conditions_of_an_earlier_run_are_restored(models, loaded, nine):
    """It ran on one thread and with another timestep spacing than this model has by now."""
    import torch

    request = a_working_request(scheduler="ddim", num_inference_steps=2, guidance_scale=1.0)
    earlier = loaded(models(in_channels=9, scheduler={"timestep_spacing": "trailing"}))
    original = earlier.inpaint(request, lambda report: None)
    here = loaded(models(in_channels=9), threads=2)

    again = here.inpaint(replace(request, recorded=original.record), lambda report: None)

    assert pixels_sha256(again.image) == pixels_sha256(original.image) != paint(nine, request)
    assert again.record["threads"] == 1
    assert again.record["scheduler"] == original.record["scheduler"]
    assert here.inpaint(request, lambda report: None).record["threads"] == torch.get_num_threads() == 2
    torch.set_num_threads(1)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "recorded",
    [
        {},
        {"threads": 0, "scheduler": None},
        {"threads": "many", "scheduler": {"class": "EulerDiscreteScheduler", "beta_start": 0.5}},
        {"threads": 10**9, "scheduler": {"class": "os.system", "command": "true"}},
    ],
)
def test_a_record_that_does_not_fit_is_left_aside(nine, recorded):
    request = a_working_request(scheduler="ddim")

    assert paint(nine, replace(request, recorded=recorded)) == paint(nine, request)


@pytest.mark.slow
def test_a_new_process_gives_the_same_bits(models, nine):
    code = f"""
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.settings import Settings
from core.domain.hashing import pixels_sha256
from tests.engine.tiny import a_working_request
settings = Settings(_env_file=None, threads=1, device="cpu")
inpainter = load({str(models(in_channels=9))!r}, "cpu", Catalogue(settings), settings)
print(pixels_sha256(inpainter.inpaint(a_working_request(), lambda report: None).image))
"""

    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert asked.stdout.strip() == paint(nine, a_working_request())


# Around the pipeline -----------------------------------------------------------------------------------------


def through_the_model(inpainter, request: InpaintRequest) -> Image.Image:
    plan = Plan.of(request)
    working = plan.working_request(inpainter.model.cell)
    return plan.finish(inpainter.inpaint(working, lambda report: None).image)


def params(**changes) -> InpaintParams:
    return InpaintParams(**{"prompt": "a", "num_inference_steps": 2, "seed": 3, "size": 64, **changes})


@both
def test_the_pipeline_alone_does_not_keep_pixels_outside_the_mask_and_the_plan_does(inpainter):
    picture, mask = a_picture(200, 150), a_mask(200, 150, (60, 40, 130, 100))
    request = InpaintRequest(picture, mask, params(mask_grow_px=4, mask_feather_px=6))

    alone = inpainter.inpaint(Plan.of(request).working_request(8), lambda report: None).image
    whole = through_the_model(inpainter, request)

    assert not compositing.unchanged_outside(
        compositing.for_model(picture, Plan.of(request).crop.bounds, Plan.of(request).crop.working),
        alone,
        Plan.of(request).working_request(8).mask,
    )
    assert whole.size == picture.size
    assert compositing.unchanged_outside(picture, whole, mask.grown(4))
    assert pixels_sha256(whole) != pixels_sha256(picture)


@both
@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_transparent_and_16_bit_pictures_keep_every_bit_outside_the_mask(inpainter, mode):
    values = np.random.default_rng(1)
    if mode == "RGBA":
        picture = Image.fromarray(values.integers(0, 256, (120, 160, 4), np.uint8))
    else:
        picture = Image.fromarray(values.integers(0, 65536, (120, 160), np.uint16))
    mask = a_mask(160, 120, (50, 30, 110, 90))

    whole = through_the_model(inpainter, InpaintRequest(picture, mask, params(mask_grow_px=0)))

    assert (whole.mode, whole.size) == (mode, picture.size)
    assert compositing.unchanged_outside(picture, whole, mask)
    assert whole.tobytes() != picture.tobytes()


def test_a_mask_thinner_than_a_latent_cell_still_repaints(four):
    """Nearest scaling by 8 would miss a line of one pixel; the 4-channel model would give the picture back."""
    picture, pixels = a_picture(64, 64), np.zeros((64, 64), np.uint8)
    pixels[:, 33] = 255
    request = InpaintRequest(picture, Mask(pixels), params(mask_grow_px=0, mask_feather_px=0))
    seen = []

    working = Plan.of(request).working_request(four.model.cell)
    four._pipe.mask_processor, kept = _Spy(four._pipe.mask_processor, seen), four._pipe.mask_processor
    try:
        four.inpaint(working, lambda report: None)
    finally:
        four._pipe.mask_processor = kept

    in_latents = seen[0][0, 0, ::8, ::8]
    assert in_latents.any()
    assert compositing.unchanged_outside(picture, through_the_model(four, request), request.mask)


class _Spy:
    def __init__(self, processor, seen) -> None:
        self._processor, self._seen = processor, seen

    def preprocess(self, *args, **kwargs):
        self._seen.append(self._processor.preprocess(*args, **kwargs))
        return self._seen[-1]

    def __getattr__(self, name):
        return getattr(self._processor, name)


def test_a_size_in_half_cells_is_refused_with_a_message(nine):
    request = WorkingRequest(a_picture(60, 64), a_mask(60, 64), params())

    with pytest.raises(InvalidParams, match="multiples of 8"):
        nine.inpaint(request, lambda report: None)


# Progress ----------------------------------------------------------------------------------------------------


def test_a_preview_is_a_small_jpeg_and_can_be_switched_off(models, nine, loaded):
    reports, without = [], []

    nine.inpaint(a_working_request(), reports.append)
    loaded(models(in_channels=9), preview=False).inpaint(a_working_request(), without.append)

    assert reports[1].preview[:3] == b"\xff\xd8\xff"
    assert all(report.preview is None for report in without)


def test_closed_while_it_paints_it_gives_the_memory_back_afterwards(models, loaded):
    inpainter, pipes = loaded(models(in_channels=9)), []

    def close(report) -> None:
        inpainter.close()
        pipes.append(inpainter._pipe)

    inpainter.inpaint(a_working_request(), close)

    assert None not in pipes
    assert inpainter._pipe is None


@pytest.mark.slow
def test_two_models_that_run_at_once_each_have_their_own_noise(nine, four, monkeypatch):
    request = a_working_request(variation_strength=0.5, variation_seed=9)
    alone = four.inpaint(request, lambda report: None).record
    second_is_in, found = threading.Event(), []
    encode = four._pipe.encode_prompt

    def encode_later(*args, **kwargs):
        second_is_in.set()
        first.join(20)
        return encode(*args, **kwargs)

    def begin_the_second(report):
        if not second.is_alive() and report.step == 1:
            second.start()
            second_is_in.wait(0.3)

    monkeypatch.setattr(four._pipe, "encode_prompt", encode_later)
    second = threading.Thread(target=lambda: found.append(four.inpaint(request, lambda report: None).record))
    first = threading.Thread(target=nine.inpaint, args=(a_working_request(), begin_the_second))
    first.start()
    first.join(20)
    second.join(20)

    assert [record["noise_sha256"] for record in found] == [alone["noise_sha256"]]
    assert found[0]["latents_sha256"] == alone["latents_sha256"]


# When the model misbehaves -----------------------------------------------------------------------------------


@pytest.mark.slow_but_first
@pytest.mark.parametrize("where", ["unet", "vae"])
def test_numbers_that_are_no_picture_are_said_to_be_none(models, loaded, where):
    import torch

    inpainter = loaded(models(in_channels=9))
    broken = inpainter._pipe.unet.conv_out if where == "unet" else inpainter._pipe.vae.decoder.conv_out
    with torch.no_grad():
        broken.bias.fill_(float("nan"))

    with pytest.raises(BrokenResult):
        inpainter.inpaint(a_working_request(), lambda report: None)


def test_a_picture_blacked_out_by_the_safety_checker_is_withheld(models, loaded, caplog):
    inpainter = loaded(models(in_channels=9, safety_checker=True))
    assert inpainter.model.details["safety_checker"]
    with caplog.at_level(logging.WARNING):
        inpainter._pipe.safety_checker.concept_embeds_weights.data.fill_(-1.0)

        with pytest.raises(ResultWithheld):
            inpainter.inpaint(a_working_request(), lambda report: None)

    assert not caplog.records


def test_the_safety_checker_can_be_left_out(models, loaded, caplog):
    folder = models(in_channels=9, safety_checker=True)

    with caplog.at_level(logging.WARNING):
        inpainter = loaded(folder, safety_checker=False)

    assert inpainter.model.details["safety_checker"] is False
    assert not any(name.startswith("safety_checker") for name in inpainter.model.details["weights"])
    assert not caplog.records
    assert paint(inpainter, a_working_request())


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:75] DefaultCPUAllocator: not enough memory: you tried to allocate"
        ),
        RuntimeError("MPS backend out of memory"),
        "torch",
    ],
    ids=["python", "cpu", "mps", "torch"],
)
def test_a_lack_of_memory_is_told_as_such_and_the_model_still_works(nine, monkeypatch, error):
    import torch

    request = a_working_request()
    before = paint(nine, request)
    error = torch.OutOfMemoryError("CUDA out of memory") if error == "torch" else error

    def fail(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(nine._pipe.vae, "decode", fail)
        with pytest.raises(OutOfMemory):
            nine.inpaint(request, lambda report: None)

    assert paint(nine, request) == before


def test_other_errors_of_the_libraries_are_not_hidden(nine, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(nine._pipe.vae, "decode", fail)

    with pytest.raises(RuntimeError, match="multiplied"):
        nine.inpaint(a_working_request(), lambda report: None)


# Loading -----------------------------------------------------------------------------------------------------


def test_what_was_loaded_is_described_for_the_record(models, nine):
    model = nine.model

    assert (model.cell, model.native_px, model.device, model.dtype) == (8, 64, "cpu", "float32")
    assert model.revision.startswith("sha256:")
    assert set(model.details["weights"]) == {
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }
    assert canonical_json(dict(model.details))
    assert nine.environment.facts["threads"] == "1"


def test_the_revision_of_a_folder_changes_with_its_weights(models, tmp_path, loaded):
    folder = copy_of(models(in_channels=9), tmp_path / "copy")
    same = loaded(folder).model.revision
    other = models(in_channels=9, seed=1)

    assert same == loaded(models(in_channels=9)).model.revision != loaded(other).model.revision


def test_loading_and_painting_is_silent(models, loaded, caplog, capfd):
    folder = models(in_channels=9, tiny_vae=True, safety_checker=True)

    with caplog.at_level(logging.WARNING):
        paint(loaded(folder, safety_checker=False), a_working_request(prompt="many words " * 20))

    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_tiny_autoencoder_works_and_previews_itself(models, loaded):
    reports, inpainter = [], loaded(models(in_channels=9, tiny_vae=True))
    first = inpainter.inpaint(a_working_request(), reports.append).image

    without = loaded(models(in_channels=9, tiny_vae=True), preview=False)

    assert reports[1].preview
    assert paint(without, a_working_request()) == pixels_sha256(first)


def copy_of(folder: Path, target: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, target))


def test_a_folder_of_pickled_weights_only_is_refused(models, tmp_path, loaded):
    folder = models(in_channels=9, safe_serialization=False)
    assert list(folder.glob("unet/*.bin"))

    with pytest.raises(UnsafeWeights, match="safetensors"):
        loaded(folder)


def test_half_precision_weights_are_loaded_as_float32_where_nothing_else_is_there(models, loaded):
    inpainter = loaded(models(in_channels=9, variant="fp16"))

    assert (inpainter.model.details["variant"], inpainter.model.dtype) == ("fp16", "float32")
    assert str(inpainter._pipe.unet.dtype) == "torch.float32"
    assert paint(inpainter, a_working_request())


@pytest.mark.slow
def test_split_weights_are_loaded(models, loaded):
    folder = models(in_channels=9, max_shard_size="100KB")
    assert len(list(folder.glob("unet/*-of-*.safetensors"))) > 1

    assert paint(loaded(folder), a_working_request()) == paint(loaded(models(in_channels=9)), a_working_request())


def test_a_file_cut_short_is_called_damaged(models, tmp_path, loaded):
    folder = copy_of(models(in_channels=9), tmp_path / "model")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])

    with pytest.raises(DamagedModel):
        loaded(folder)


def test_weights_of_another_shape_are_called_damaged(models, tmp_path, loaded):
    folder = copy_of(models(in_channels=9), tmp_path / "model")
    four = models(in_channels=4) / "unet" / "diffusion_pytorch_model.safetensors"
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(four.read_bytes())

    with pytest.raises(DamagedModel):
        loaded(folder)


def test_a_file_that_lacks_some_weights_is_called_damaged(models, tmp_path, loaded):
    from safetensors.torch import load_file, save_file

    folder = copy_of(models(in_channels=9), tmp_path / "model")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    values = load_file(weights)
    values.pop("conv_out.weight")
    save_file(values, weights)

    with pytest.raises(DamagedModel):
        loaded(folder)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("channels", [3, 8])
def test_a_unet_of_another_kind_is_no_inpainting_model(models, loaded, channels):
    with pytest.raises(NotAnInpaintingModel):
        loaded(models(in_channels=channels))


def test_a_pipeline_that_cannot_inpaint_is_said_to_be_none(models, tmp_path, loaded):
    folder = copy_of(models(in_channels=9), tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "AudioLDMPipeline"}))

    with pytest.raises(NotAnInpaintingModel):
        loaded(folder)


def test_a_component_from_another_library_is_refused_before_it_is_imported(models, tmp_path, loaded):
    folder = copy_of(models(in_channels=9), tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "scheduler": ["antigravity", "Scheduler"]}))

    with pytest.raises(NotAnInpaintingModel, match="antigravity"):
        loaded(folder)
    assert "antigravity" not in sys.modules


def test_a_general_model_saved_as_text_to_image_is_loaded_for_inpainting(models, tmp_path, loaded):
    """As CompVis/stable-diffusion-v1-4 is: its index names StableDiffusionPipeline."""
    folder = copy_of(models(in_channels=4), tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableDiffusionPipeline"}))

    inpainter = loaded(folder)

    assert inpainter.model.details["pipeline"] == "StableDiffusionInpaintPipeline"
    assert paint(inpainter, a_working_request(strength=0.8))


def test_a_model_that_is_not_here_is_not_fetched_by_loading_it(settings):
    with pytest.raises(ModelNotDownloaded):
        load("nobody/nothing-of-this-name", "cpu", Catalogue(settings, cache=settings.data), settings)


def test_a_device_that_is_not_here_is_named(models, settings):
    with pytest.raises(DeviceUnavailable, match="cuda:7"):
        load(str(models(in_channels=9)), "cuda:7", Catalogue(settings), settings)
