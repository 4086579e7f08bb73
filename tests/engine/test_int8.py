"""Weights kept as int8: how near they are, what of them is in memory, and LoRAs added before they are made so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.environment import Device
from core.domain.errors import DamagedModel, InvalidLora
from core.domain.model_file import Base, FileKind
from core.engine import families, pipelines
from core.engine.lora.added import Added, Addition
from core.engine.models.catalogue import Catalogue
from core.engine.models.named_files import NamedFiles
from core.engine.models.single_file import FOLDER, LAYOUTS, SingleFile
from core.engine.storage.int8 import Int8
from core.engine.storage.reader import stored
from tests.engine import checkpoints
from tests.loras import LAYER, write_lora

CPU = Device("cpu", "", "float32")
LAYER_PATH = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.fixture
def opened(settings):
    """opened(folder, dtype=..., as_int8=...) -> its pipeline."""

    def make(folder: Path, *, dtype: str = "float32", as_int8: bool = True):
        catalogue = Catalogue(settings)
        sources = pipelines.sources(catalogue.find(str(folder)), folder, catalogue, dtype)
        return pipelines.load(sources, replace(CPU, dtype=dtype), safety_checker=False, as_int8=as_int8)

    return make


def answer(unet):
    import torch

    random = torch.Generator().manual_seed(0)
    sample = torch.randn(2, unet.config.in_channels, 8, 8, generator=random).to(unet.dtype)
    words = torch.randn(2, 5, unet.config.cross_attention_dim, generator=random).to(unet.dtype)
    with torch.no_grad():
        return unet(sample, 500, words).sample.float()


@pytest.mark.parametrize(("dtype", "within"), [("float32", 0.02), ("bfloat16", 0.04)])
def test_a_unet_with_int8_weights_says_nearly_the_same_in_each_type_and_each_time_the_same(
    models, opened, dtype, within
):
    folder = models(in_channels=9)
    whole = answer(opened(folder, as_int8=False).unet)

    unet = opened(folder, dtype=dtype).unet

    assert str(unet.dtype) == f"torch.{dtype}"
    difference = (answer(unet) - whole).square().mean().sqrt() / whole.square().mean().sqrt()
    assert 0 < difference < within
    assert bool((answer(unet) == answer(opened(folder, dtype=dtype).unet)).all())


def test_each_weight_is_within_half_a_step_of_what_the_file_holds_and_the_ends_are_as_they_were(models, opened):
    folder = models(in_channels=9)
    unet, whole = opened(folder).unet, opened(folder, as_int8=False).unet

    kept = {name: module for name, module in unet.named_modules() if isinstance(module, Int8)}

    assert len(kept) > 30
    for name, module in kept.items():
        original = whole.get_submodule(name).weight
        step = module.scale.view(-1, *[1] * (original.dim() - 1))
        assert bool(((module.weight * step - original).abs() <= step * 0.76).all()), name
        assert (module.weight.nbytes * 4, module.weight.shape) == (original.nbytes, original.shape)
    assert bool((unet.conv_in.weight == whole.conv_in.weight).all())
    assert bool((unet.conv_out.weight == whole.conv_out.weight).all())


@pytest.mark.parametrize(
    ("base", "in_channels", "title"), [(Base.SD1, 9, "Stable Diffusion"), (Base.SDXL, 4, "Stable Diffusion XL")]
)
def test_a_checkpoint_in_one_file_becomes_the_same_int8_as_its_folder(tmp_path, opened, base, in_channels, title):
    made = checkpoints.make(base, tmp_path, in_channels=in_channels)
    of_folder = opened(made.folder)
    source = SingleFile(families.named(title), made.file, made.root / FOLDER / LAYOUTS[base], "epsilon")

    of_file = pipelines.load([source], CPU, safety_checker=False, as_int8=True)

    own, other = of_file.unet.state_dict(), of_folder.unet.state_dict()
    assert own.keys() == other.keys()
    assert all(bool((own[name] == other[name]).all()) for name in own)


def test_with_a_lora_it_is_the_sum_made_int8_and_without_it_again_what_it_was(tmp_path, models, opened, settings):
    """The sum is of the file's own weights: no error of what is kept is in it."""
    import torch

    folder = models(in_channels=9)
    write_lora(settings.models / "loras" / "oil.safetensors", seed=1)
    oil = Addition(NamedFiles.watched(settings, FileKind.LORA).find("oil"), "sha256:oil", 0.5)
    whole, kept = opened(folder, as_int8=False), opened(folder)
    before = {name: values.clone() for name, values in kept.unet.state_dict().items()}
    added_to_whole, added = Added(whole, "a model"), Added(kept, "a model")

    added_to_whole.change_to([oil])
    added.change_to([oil])

    total, module = whole.unet.get_submodule(LAYER_PATH).weight, kept.unet.get_submodule(LAYER_PATH)
    scale = (total.abs().amax(1) / 127).to(torch.bfloat16).float()
    assert bool((module.scale == scale).all())
    assert bool((module.weight == (total / scale[:, None]).round().clamp(-127, 127)).all())
    assert not bool((module.weight == before[f"{LAYER_PATH}.weight"]).all())
    added.take_off()
    assert all(bool((values == before[name]).all()) for name, values in kept.unet.state_dict().items())


def test_a_lora_that_adds_what_is_no_number_is_refused_and_changes_nothing(models, opened, settings):
    import numpy as np
    from safetensors.numpy import save_file

    file = settings.models / "loras" / "broken.safetensors"
    file.parent.mkdir(parents=True)
    factors = {"lora_down": np.full((2, 16), np.nan, np.float32), "lora_up": np.ones((16, 2), np.float32)}
    save_file({f"{LAYER}.{name}.weight": values for name, values in factors.items()}, file)
    broken = Addition(NamedFiles.watched(settings, FileKind.LORA).find("broken"), "sha256:broken", 1.0)
    pipe = opened(models(in_channels=9))
    before = answer(pipe.unet)

    with pytest.raises(InvalidLora, match="no number"):
        Added(pipe, "a model").change_to([broken])

    assert bool((answer(pipe.unet) == before).all())


def test_a_unet_that_lacks_a_weight_or_holds_what_is_no_number_is_refused_in_words(tmp_path, opened):
    from safetensors.torch import load_file, save_file

    from tests.engine.tiny import save_pipeline

    folder = save_pipeline(tmp_path / "model")
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    name = f"{LAYER_PATH}.weight"

    save_file({key: values for key, values in weights.items() if key != name}, file)
    with pytest.raises(DamagedModel, match="lacks some of its weights"):
        opened(folder)
    save_file({**weights, name: weights[name] * float("nan")}, file)
    with pytest.raises(DamagedModel, match="no number"):
        opened(folder)


def test_a_tensor_is_read_whole_and_in_rows_as_the_library_reads_it(models):
    from safetensors.torch import load_file

    file = models(in_channels=9) / "unet" / "diffusion_pytorch_model.safetensors"
    expected = load_file(file)

    found = stored(file)

    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert bool((found[name].read() == tensor).all()), name
        assert bool((found[name].rows(1, 3) == tensor[1:3]).all()), name


def test_a_file_that_was_replaced_after_it_was_opened_is_not_read_as_if_it_were_the_same(tmp_path):
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "one.safetensors"
    save_file({"weight": torch.ones(4, 4)}, file)
    [weight] = stored(file).values()
    save_file({"weight": torch.zeros(8, 4)}, file)

    with pytest.raises(DamagedModel, match="was changed"):
        weight.read()
