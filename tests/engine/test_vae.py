"""Another VAE in tiny pipelines of the real classes: what comes out, and that the own one comes back to the bit."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.domain.errors import InvalidVae
from core.domain.generation import Status, Verdict
from core.domain.hashing import pixels_sha256
from core.domain.model_file import Base
from core.engine import device
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.metadata.read import read
from core.settings import Settings
from tests.engine import checkpoints, ldm
from tests.engine.test_lora_generations import painted, started, verified
from tests.engine.tiny import _vae, a_working_request, save_pipeline


def a_vae(seed: int, **wishes: Any) -> dict[str, Any]:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return {name: tensor.contiguous() for name, tensor in _vae(**wishes).state_dict().items()}


def save(file: Path, tensors: dict[str, Any]) -> Path:
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


def old_names(tensors: dict[str, Any]) -> dict[str, Any]:
    """Of diffusers' first versions."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    found = {}
    for name, tensor in tensors.items():
        for new, old in names.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        found[name] = tensor
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    settings = Settings(
        _env_file=None, data=tmp_path_factory.mktemp("d"), threads=1, device="cpu", preview=False, HF_TOKEN=None
    )
    folder, one = settings.models / "vae", a_vae(7)
    save(folder / "one" / "diffusion_pytorch_model.safetensors", one)
    save(folder / "old.safetensors", old_names(one))
    save(folder / "ldm.safetensors", ldm.vae(one, ""))
    save(folder / "cut-out.safetensors", ldm.vae(one))
    save(folder / "other.safetensors", a_vae(8))
    return settings


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def inpainter(model, settings):
    return load(str(model), "cpu", Catalogue(settings), settings)


def run(inpainter, **params):
    return inpainter.inpaint(a_working_request(num_inference_steps=1, **params), lambda report: None)


def sha(inpainter, **params) -> str:
    return pixels_sha256(run(inpainter, **params).image)


@pytest.mark.slow
def test_each_layout_of_one_vae_paints_the_same_picture_and_the_own_one_comes_back(inpainter, model, settings):
    from safetensors.torch import save_file

    before = sha(inpainter)
    own = list(inpainter._pipe.vae.parameters())

    found = {name: sha(inpainter, vae=name) for name in ("one", "old", "ldm", "cut-out")}

    assert len({before, sha(inpainter, vae="other"), *found.values()}) == 3
    assert sha(inpainter) == before
    assert all(one is other for one, other in zip(own, inpainter._pipe.vae.parameters(), strict=True))
    # The same as a model that was saved with it.
    with_it = shutil.copytree(model, settings.data / "with-it")
    save_file(a_vae(7), with_it / "vae" / "diffusion_pytorch_model.safetensors")
    assert sha(load(str(with_it), "cpu", Catalogue(settings), settings)) == found["one"]


def test_the_record_tells_the_file_and_the_next_picture_has_the_own_one(inpainter, settings):
    before, with_it = run(inpainter), run(inpainter, vae="ldm")
    [recorded] = with_it.record["vae"]

    assert with_it.image.tobytes() != before.image.tobytes()
    assert run(inpainter).image.tobytes() == before.image.tobytes()
    assert (recorded["name"], recorded["bytes"]) == (
        "ldm",
        (settings.models / "vae" / "ldm.safetensors").stat().st_size,
    )
    assert recorded["sha256"].startswith("sha256:")
    assert "vae" not in before.record


@pytest.mark.slow
def test_what_does_not_fit_is_refused_and_leaves_the_own_one(inpainter, settings):
    import torch

    folder, before = settings.models / "vae", sha(inpainter)
    one = a_vae(7)
    save(folder / "flux.safetensors", a_vae(7, latent_channels=16))
    save(folder / "part.safetensors", {name: tensor for name, tensor in one.items() if "conv_norm_out" not in name})
    save(folder / "nan.safetensors", {**one, "decoder.conv_in.bias": torch.full((8,), float("nan"))})
    for name, words in {
        "flux": "flux.safetensors: it does not have the parts of this model's own",
        "part": "part.safetensors: it does not have the parts",
        "nan": "holds what is no number",
        "nowhere": "VAE: nowhere.safetensors is not on this machine",
    }.items():
        sha(inpainter, vae="one")
        with pytest.raises(InvalidVae, match=words):
            sha(inpainter, vae=name)
        assert sha(inpainter) == before


@pytest.mark.slow
def test_a_model_with_another_kind_of_vae_or_of_another_family_takes_none(shared, transformer, settings):
    with pytest.raises(InvalidVae, match="FLUX.1 models take no other VAE"):
        transformer("FLUX.1").inpaint(a_working_request(vae="one"), lambda report: None)


@pytest.mark.slow
def test_a_checkpoint_that_comes_without_its_vae_paints_with_one_that_is_chosen(settings, tmp_path):
    checkpoint = checkpoints.make(Base.SD1, tmp_path)
    weights = checkpoint.weights()
    vae = {name: tensor for name, tensor in weights.items() if name.startswith("first_stage_model.")}
    without = checkpoint.changed("without.safetensors", {n: t for n, t in weights.items() if n not in vae})
    save(settings.models / "vae" / "its-own.safetensors", vae)
    catalogue = Catalogue(settings, root=checkpoint.root)

    spec = catalogue.find(str(without))
    inpainter = load(str(without), "cpu", catalogue, settings)
    whole = load(str(checkpoint.file), "cpu", catalogue, settings)

    assert spec.lacks_vae
    assert sha(inpainter, vae="its-own") == sha(whole)
    with pytest.raises(InvalidVae, match="comes without its VAE. Choose one under VAE"):
        sha(inpainter)
    assert sha(inpainter, vae="one") == sha(whole, vae="one")


@pytest.mark.slow
def test_it_verifies_exact_after_a_restart_is_told_when_gone_and_written_as_a1111_does(model, tmp_path):
    settings = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, preview=False, HF_TOKEN=None)
    file = save(settings.models / "vae" / "ft-mse.safetensors", a_vae(7))
    studio = started(settings)
    made, plain = painted(studio, model, vae="ft-mse"), painted(studio, model)

    after = started(settings)
    found = [verified(after, one.id) for one in (made, plain, made)]
    text = Image.open(io.BytesIO(studio.exports.file(made))).info["parameters"]
    [recorded] = made.record.inpainter.raw["vae"]
    file.rename(settings.data / "kept")
    gone = verified(after, made.id)

    assert made.pixels_sha256 != plain.pixels_sha256
    assert [one.reproduction.verdict for one in found] == [Verdict.EXACT] * 3
    assert [one.reproduction.changes for one in found] == [()] * 3
    assert f"VAE hash: {recorded['sha256'][7:17]}, VAE: ft-mse.safetensors" in text
    assert read(studio.exports.file(made), models=[]).params["vae"] == "ft-mse"
    assert (gone.status, "VAE: ft-mse.safetensors is not on this machine" in gone.error) == (Status.FAILED, True)


@pytest.fixture(scope="module")
def with_tiny(inpainter, settings):
    """A model beside two tiny autoencoders, and the decoder of one."""
    import torch
    from diffusers import AutoencoderTiny

    for name, seed in (("taesd", 3), ("other-taesd", 4)):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            tiny = AutoencoderTiny(latent_channels=4).state_dict()
        save(settings.models / "vae" / f"{name}.safetensors", tiny)
    halves = {n.removeprefix("decoder.layers."): t for n, t in tiny.items() if n.startswith("decoder.")}
    save(settings.models / "vae" / "taesd_decoder.safetensors", halves)
    return inpainter


def test_a_tiny_autoencoder_works_both_ways_and_the_own_one_comes_back(with_tiny):
    own = with_tiny._pipe.vae
    before = sha(with_tiny)

    made = run(with_tiny, vae="taesd")

    assert type(with_tiny._pipe.vae).__name__ == "AutoencoderTiny"
    assert made.record["vae"][0]["name"] == "taesd"
    assert sha(with_tiny, vae="taesd") == pixels_sha256(made.image) != before
    assert sha(with_tiny, vae="other-taesd") not in (before, pixels_sha256(made.image))
    assert (sha(with_tiny), with_tiny._pipe.vae) == (before, own)


def test_a_half_of_one_is_refused_in_words_and_leaves_the_own_one(with_tiny):
    before = sha(with_tiny)

    with pytest.raises(InvalidVae, match="it does not have the parts|only one half of a tiny autoencoder"):
        sha(with_tiny, vae="taesd_decoder")

    assert sha(with_tiny) == before


@pytest.mark.slow
def test_a_picture_of_a_tiny_autoencoder_in_bfloat16_verifies_exact_after_a_restart(model, tmp_path, monkeypatch):
    from diffusers import AutoencoderTiny

    monkeypatch.setattr(device, "_bfloat16_units", lambda: "avx512_bf16")
    settings = Settings(_env_file=None, data=tmp_path / "data", device="cpu", threads=1, HF_TOKEN=None)
    save(settings.models / "vae" / "taesd.safetensors", AutoencoderTiny(latent_channels=4).state_dict())
    few = {"scheduler": "lcm", "guidance_scale": 1.0, "vae": "taesd", "dtype": "bfloat16"}

    made = painted(started(settings), model, prompt="a red ball", **few)
    found = verified(started(settings), made.id)

    assert (made.status, found.reproduction.verdict) == (Status.SUCCEEDED, Verdict.EXACT)
