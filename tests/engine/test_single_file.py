"""Checkpoints in one file load without a network, and paint to the bit what the same model in a folder paints."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import DamagedModel, UnknownModel
from core.domain.generation import Verdict
from core.domain.model_file import Base
from core.domain.sheet import Axis, Sheet
from core.engine.diffusers_inpainter import DiffusersInpainter, load
from core.engine.models import single_file
from core.engine.models.catalogue import ROOT, Catalogue
from core.engine.models.single_file import EPSILON, FOLDER, LAYOUTS, V_PREDICTION
from core.settings import Settings
from tests.conftest import a_request
from tests.engine import checkpoints, ldm
from tests.engine import model_files as files
from tests.engine.checkpoints import Checkpoint
from tests.engine.tiny import a_working_request
from tests.loras import write_lora


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Callable[..., Checkpoint]:
    """made(Base.SD1, in_channels=9) -> a checkpoint; equal wishes share one."""
    known: dict[str, Checkpoint] = {}

    def make(base: Base, **wishes: Any) -> Checkpoint:
        wishes = {"in_channels": 4, **wishes}
        key = repr((base, sorted(wishes.items())))
        if key not in known:
            known[key] = checkpoints.make(base, tmp_path_factory.mktemp("checkpoint"), **wishes)
        return known[key]

    return make


@pytest.fixture
def opened(settings, monkeypatch) -> Callable[..., DiffusersInpainter]:
    """opened(checkpoint, file) -> its inpainter; whoever asks the network fails."""

    def unreachable(*asked: Any) -> None:
        raise AssertionError(f"the network was asked for {asked}")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)

    def make(checkpoint: Checkpoint, key: str | Path | None = None, **changes: Any) -> DiffusersInpainter:
        mine = settings.model_copy(update=changes)
        catalogue = Catalogue(mine, root=checkpoint.root)
        return load(str(key or checkpoint.file), "cpu", catalogue, mine)

    return make


def painted(inpainter: DiffusersInpainter, **params: Any) -> bytes:
    request = a_working_request(num_inference_steps=2, **params)
    return inpainter.inpaint(request, lambda report: None).image.tobytes()


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("base", "in_channels"),
    [(Base.SD1, 4), (Base.SD1, 9), (Base.SD2, 4), (Base.SD2, 9), (Base.SDXL, 4), (Base.SDXL, 9)],
)
def test_a_file_paints_what_the_same_model_in_a_folder_paints(made, opened, base, in_channels):
    checkpoint = made(base, in_channels=in_channels)
    of_file = opened(checkpoint, f"{checkpoint.file}@epsilon")

    assert painted(of_file) == painted(opened(checkpoint, checkpoint.folder))
    assert of_file.model.details["in_channels"] == in_channels
    assert of_file.model.details["prediction_type"] == EPSILON
    assert of_file.model.repository is None


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_file_in_half_precision_is_computed_in_what_the_device_computes_in(made, opened, dtype):
    checkpoint = made(Base.SD1, dtype=dtype)

    of_file = opened(checkpoint)

    assert of_file.model.dtype == "float32"
    assert painted(of_file) == painted(opened(checkpoint, checkpoint.folder))


def test_the_record_names_the_file_by_the_hash_that_sites_show(made, opened):
    import hashlib

    checkpoint = made(Base.SD1)
    sha256 = f"sha256:{hashlib.sha256(checkpoint.file.read_bytes()).hexdigest()}"

    model = opened(checkpoint).model

    assert model.revision == sha256
    assert model.details["weights"] == {"oil.safetensors": sha256}
    assert model.details["configuration"].startswith("sha256:")
    assert (model.native_px, model.key) == (512, str(checkpoint.file))


@pytest.mark.slow
def test_of_averaged_and_plain_weights_the_plain_ones_are_taken_and_what_is_of_no_use_is_left(made, opened):
    checkpoint = made(Base.SD1)
    plain = checkpoint.weights()
    averaged = {
        "model_ema." + name.removeprefix("model.").replace(".", ""): tensor + 1
        for name, tensor in plain.items()
        if name.startswith(ldm.UNET)
    }
    counters = {"model_ema.decay": plain[f"{ldm.UNET}out.2.bias"][:1], "alphas_cumprod": plain[f"{ldm.UNET}out.2.bias"]}
    file = checkpoint.changed("with-ema.safetensors", {**plain, **averaged, **counters})

    assert painted(opened(checkpoint, file)) == painted(opened(checkpoint))


@pytest.mark.slow
def test_a_text_encoder_with_the_names_of_early_tools_is_read(made, opened):
    checkpoint = made(Base.SD1)
    early = {name.replace(".text_model.", "."): tensor for name, tensor in checkpoint.weights().items()}
    assert "cond_stage_model.transformer.embeddings.token_embedding.weight" in early

    file = checkpoint.changed("early.safetensors", early)

    assert painted(opened(checkpoint, file)) == painted(opened(checkpoint))


# Noise or v ---------------------------------------------------------------------------------------------------


def _scheduler(inpainter: DiffusersInpainter) -> Mapping[str, Any]:
    request = a_working_request(num_inference_steps=2)
    return inpainter.inpaint(request, lambda report: None).record["scheduler"]


@pytest.mark.slow
def test_whether_it_predicts_v_is_read_from_the_file_and_changes_the_picture(made, opened):
    checkpoint = made(Base.SD1)
    marked = checkpoint.changed("marked.safetensors", checkpoint.weights(), **{"modelspec.prediction_type": "v"})

    of_v, of_noise = opened(checkpoint, marked), opened(checkpoint)

    assert of_v.model.details["prediction_type"] == _scheduler(of_v)["prediction_type"] == V_PREDICTION
    assert of_noise.model.details["prediction_type"] == _scheduler(of_noise)["prediction_type"] == EPSILON
    assert painted(of_v) != painted(of_noise)


def test_what_is_said_after_its_name_comes_before_what_the_file_says(made, settings):
    checkpoint = made(Base.SD1)
    marked = checkpoint.changed("marked.safetensors", checkpoint.weights(), **{"modelspec.prediction_type": "v"})
    catalogue = Catalogue(settings, root=checkpoint.root)

    assert catalogue.find(str(marked)).predicts == V_PREDICTION
    assert catalogue.find(f"{marked}@epsilon").predicts == EPSILON


def test_a_model_of_version_2_that_does_not_tell_is_asked_for(settings, tmp_path):
    file = files.write(tmp_path / "oil.safetensors", files.checkpoint(1024))
    inpainting = files.write(tmp_path / "inpainting.safetensors", files.checkpoint(1024, 9))
    catalogue = Catalogue(settings)

    with pytest.raises(UnknownModel, match="@v_prediction or @epsilon"):
        catalogue.find(str(file))
    assert catalogue.find(f"{file}@v_prediction").native_px == 768
    assert catalogue.find(f"{file}@epsilon").native_px == 512
    assert catalogue.find(str(inpainting)).predicts == EPSILON


@pytest.mark.slow
def test_a_model_trained_to_zero_terminal_snr_is_denoised_from_pure_noise(made, opened):
    checkpoint = made(Base.SD1)
    weights = checkpoint.weights()
    mark = weights[f"{ldm.UNET}out.2.bias"][:0].clone()
    file = checkpoint.changed("zero-vpred.safetensors", {**weights, "v_pred": mark, "ztsnr": mark.clone()})

    scheduler = _scheduler(opened(checkpoint, file))

    assert scheduler["prediction_type"] == V_PREDICTION
    assert scheduler["rescale_betas_zero_snr"] is True
    assert scheduler["timestep_spacing"] == "trailing"


# What cannot be loaded ----------------------------------------------------------------------------------------

PARTS = {"unet": ldm.UNET, "vae": ldm.VAE, "text_encoder": "cond_stage_model."}


@pytest.mark.slow_but_first
@pytest.mark.parametrize("part", ["text_encoder", "unet", "vae"])
def test_a_file_that_lacks_one_weight_is_refused_with_its_name(made, opened, part):
    checkpoint = made(Base.SD1)
    weights = checkpoint.weights()
    names = [name for name in weights if name.startswith(PARTS[part]) and name.endswith("bias")]
    file = checkpoint.changed("lacking.safetensors", {n: t for n, t in weights.items() if n != names[-1]})

    with pytest.raises(DamagedModel, match=rf"The {part} of this checkpoint lacks some of its weights \(.*bias\)\."):
        opened(checkpoint, file)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_file_with_a_weight_of_another_shape_is_refused_with_its_name(made, opened, part):
    checkpoint = made(Base.SD1)
    weights = checkpoint.weights()
    name = next(name for name in weights if name.startswith(PARTS[part]) and name.endswith("bias"))
    file = checkpoint.changed("other.safetensors", {**weights, name: weights[name][:-1]})

    with pytest.raises(DamagedModel, match=f"The {part} of this checkpoint is of another architecture"):
        opened(checkpoint, file)


@pytest.mark.parametrize(
    ("without", "told"),
    [
        (("cond_stage_model.",), r"comes without its text encoder\."),
        ((ldm.VAE, "cond_stage_model."), "is a diffusion model without VAE and text encoder"),
        ((ldm.UNET, "cond_stage_model."), "is a VAE"),
    ],
)
def test_a_file_without_a_part_is_told_before_it_is_loaded(made, settings, without, told):
    checkpoint = made(Base.SD1)
    kept = {name: tensor for name, tensor in checkpoint.weights().items() if not name.startswith(without)}
    file = checkpoint.changed("part.safetensors", kept)

    with pytest.raises(UnknownModel, match=told):
        Catalogue(settings, root=checkpoint.root).find(str(file))


@pytest.mark.slow
def test_weights_in_float8_are_loaded_and_scaled_ones_refused(made, opened, settings):
    import torch

    checkpoint = made(Base.SD1)
    weights = checkpoint.weights()
    small = {n: t.to(torch.float8_e4m3fn) if n.startswith(ldm.UNET) else t for n, t in weights.items()}
    scaled = {**small, f"{ldm.UNET}out.2.scale_weight": torch.ones(1)}

    assert painted(opened(checkpoint, checkpoint.changed("float8.safetensors", small)))
    with pytest.raises(UnknownModel, match="quantised"):
        Catalogue(settings, root=checkpoint.root).find(str(checkpoint.changed("scaled.safetensors", scaled)))


def test_a_file_that_was_replaced_is_looked_at_again(made, settings, tmp_path):
    checkpoint = made(Base.SD1)
    catalogue = Catalogue(settings, root=checkpoint.root)
    file = tmp_path / "oil.safetensors"
    file.write_bytes(checkpoint.file.read_bytes())
    assert catalogue.is_ready(str(file))

    file.write_bytes(b"<!DOCTYPE html>")

    with pytest.raises(UnknownModel, match="web page"):
        catalogue.find(str(file))


def test_a_repository_without_its_configurations_is_told_as_not_complete(made, settings, tmp_path):
    with pytest.raises(Exception, match="complete copy of this program"):
        Catalogue(settings, root=tmp_path).locate(str(made(Base.SD1).file))


# What is bundled ----------------------------------------------------------------------------------------------

PUBLISHED = {
    Base.SD1: {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    Base.SD2: {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    Base.SDXL: {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
}
"""Numbers of parameters, as the papers and model cards round them: 860 M, 865 M and 2.6 B for the UNets, 84 M for the
VAE, 123 M, 354 M less its last layer, and 695 M for the text encoders."""


@pytest.mark.slow_but_first
@pytest.mark.parametrize("base", LAYOUTS)
def test_a_file_of_the_real_size_fills_each_component_of_the_bundled_configurations(base):
    import torch

    layout = ROOT / FOLDER / LAYOUTS[base]
    parts = _real_size(base, layout)
    assert {name: sum(value.numel() for value in part.values()) for name, part in parts.items()} == PUBLISHED[base]
    weights = {**ldm.unet(parts["unet"]), **ldm.vae(parts["vae"])}
    if base == Base.SD2:
        weights |= ldm.open_clip(parts["text_encoder"])
    else:
        begins = "conditioner.embedders.0.transformer." if base == Base.SDXL else "cond_stage_model.transformer."
        weights |= ldm.clip(parts["text_encoder"], begins)
    if base == Base.SDXL:
        weights |= ldm.open_clip(parts["text_encoder_2"], "conditioner.embedders.1.model.")

    filled = {name: single_file._part(name, weights, layout, torch.float16, 4) for name in PUBLISHED[base]}

    assert {name: sum(p.numel() for p in model.parameters()) for name, model in filled.items()} == PUBLISHED[base]


def _real_size(base: Base, layout: Path) -> Mapping[str, Mapping[str, Any]]:
    """The names and shapes of every component's weights, without content."""
    import transformers
    from accelerate import init_empty_weights
    from diffusers import AutoencoderKL, UNet2DConditionModel

    with init_empty_weights():
        parts = {
            "unet": UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(layout, subfolder="unet")),
            "vae": AutoencoderKL.from_config(AutoencoderKL.load_config(layout, subfolder="vae")),
        }
        for name in PUBLISHED[base]:
            if name.startswith("text_encoder"):
                kind = json.loads((layout / "model_index.json").read_text())[name][1]
                config = transformers.CLIPTextConfig.from_pretrained(layout / name)
                parts[name] = getattr(transformers, kind)(config)
        return {name: part.state_dict() for name, part in parts.items()}


@pytest.mark.parametrize(
    ("base", "name", "padding"),
    [
        (Base.SD1, "tokenizer", 49407),
        (Base.SD2, "tokenizer", 0),
        (Base.SDXL, "tokenizer", 49407),
        (Base.SDXL, "tokenizer_2", 0),
    ],
)
def test_the_bundled_tokenizer_numbers_words_as_clip_does(base, name, padding):
    tokenizer = single_file._tokenizer(name, ROOT / FOLDER / LAYOUTS[base])

    # The example of CLIP's own README and model cards.
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert (len(tokenizer), tokenizer.model_max_length, tokenizer.pad_token_id) == (49408, 77, padding)
    # As OpenCLIP reads it: the mark is a word, whatever pads.
    assert tokenizer("a cat!").input_ids == [49406, 320, 2368, 256, 49407]


# From the request to the proof ----------------------------------------------------------------------------------


def studio_with(checkpoint: Checkpoint, settings: Settings, clock) -> Any:
    from core.bootstrap import build_studio
    from core.services.model_cache import ModelCache
    from tests.fakes import WaitingDispatcher

    catalogue = Catalogue(settings, root=checkpoint.root)
    return build_studio(
        settings,
        ModelCache(lambda model, device, **how: load(model, device, catalogue, settings, **how)),
        catalogue=catalogue,
        dispatcher=lambda worker: WaitingDispatcher(worker.run),
        resolve_device=lambda wish: "cpu",
        now=clock,
    )


def verdicts(studio: Any, ids: Sequence[str]) -> list[Verdict]:
    made = studio.reproductions.verify(ids)
    studio.dispatcher.drain()
    return [studio.reproductions.get(id).reproduction.verdict for id in made]


@pytest.fixture
def its_own(tmp_path) -> Settings:
    return Settings(_env_file=None, data=tmp_path / "data", threads=1, device="cpu", preview=False, HF_TOKEN=None)


def test_a_generation_with_a_file_verifies_exact_through_the_real_services(made, its_own, clock):
    checkpoint = made(Base.SD1)
    studio = studio_with(checkpoint, its_own, clock)
    key = f"{checkpoint.file}@v_prediction"
    request = a_request(model=key, num_inference_steps=2)
    [id] = studio.generations.submit(request)
    studio.dispatcher.drain()
    generation = studio.gallery.get(id)
    assert generation.error is None
    assert generation.params.model == key
    assert generation.model_revision.startswith("sha256:")

    assert verdicts(studio, [id]) == [Verdict.EXACT]
    assert set(studio.models.prompt_lengths(request.params)) == {"prompt", "negative_prompt"}


@pytest.mark.slow
def test_a_sheet_over_the_weight_of_a_lora_with_a_file_verifies_exact_after_a_restart(made, its_own, clock):
    checkpoint = made(Base.SD1)
    write_lora(its_own.models / "loras" / "ink.safetensors", width=768)
    studio = studio_with(checkpoint, its_own, clock)
    request = a_request(model=str(checkpoint.file), num_inference_steps=2)
    [without] = studio.generations.submit(request)
    sheet = studio.sheets.submit(request, Sheet(Axis.parse("loras", "ink 0, 0.5, 1")))
    studio.dispatcher.drain()

    after = studio_with(checkpoint, its_own, clock)
    [line] = after.sheets.get(sheet.id).cells

    assert [[str(lora) for lora in cell.params.loras] for cell in line] == [["ink:0"], ["ink:0.5"], ["ink:1"]]
    assert line[0].pixels_sha256 == after.gallery.get(without).pixels_sha256
    assert len({cell.pixels_sha256 for cell in line}) == 3
    assert verdicts(after, [cell.id for cell in line]) == [Verdict.EXACT] * 3
