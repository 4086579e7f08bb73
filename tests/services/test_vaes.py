"""VAEs before anything is queued: which there are, and which a model can take."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.errors import InvalidVae
from core.domain.model import ModelSpec
from core.domain.model_file import Base, FileKind
from core.domain.params import InpaintParams
from core.engine.models.named_files import NamedFiles
from core.services.vaes import Vaes
from tests.services.test_loras import CatalogueOf
from tests.vaes import write_vae


@pytest.fixture
def folder(tmp_path) -> Path:
    write_vae(tmp_path / "ft-mse.safetensors")
    write_vae(tmp_path / "flux.safetensors", 16)
    write_vae(tmp_path / "xl.safetensors", **{"modelspec.architecture": "stable-diffusion-xl-v1-base/vae"})
    write_vae(tmp_path / "sd1.safetensors", **{"modelspec.architecture": "stable-diffusion-v1/vae"})
    return tmp_path


def of(folder: Path, *bases: Base, **facts) -> Vaes:
    spec = ModelSpec("m", "Some model", "", 512, **facts)
    return Vaes(NamedFiles(FileKind.VAE, lambda: [folder]), CatalogueOf(spec, *bases))


def test_those_of_other_latents_or_another_family_are_neither_offered_nor_taken(folder):
    vaes = of(folder, Base.SD2)

    assert [file.name for file in vaes.for_model("m")] == ["ft-mse", "sd1"]
    vaes.check(InpaintParams(model="m", vae="ft-mse"))
    with pytest.raises(InvalidVae, match="flux.safetensors has latents of 16 channels, and those of this model have 4"):
        vaes.check(InpaintParams(model="m", vae="flux"))
    with pytest.raises(InvalidVae, match=r"xl.safetensors was made for Stable Diffusion XL, and this model is .* 2"):
        vaes.check(InpaintParams(model="m", vae="xl"))
    with pytest.raises(InvalidVae, match=r"gone.safetensors is not on this machine. Put it into .*models/vae"):
        vaes.check(InpaintParams(model="m", vae="gone"))


def test_the_pocket_model_with_its_tiny_autoencoder_is_offered_none(folder):
    vaes = of(folder, Base.POCKET)

    assert vaes.for_model("m") == []
    with pytest.raises(InvalidVae, match=r"ft-mse.safetensors is for Stable Diffusion, and this model is Pocket"):
        vaes.check(InpaintParams(model="m", vae="ft-mse"))


def test_a_model_that_takes_none_and_one_that_needs_one_say_so(folder):
    with pytest.raises(InvalidVae, match="Some model takes no other VAE"):
        of(folder, unused=("vae",)).check(InpaintParams(model="m", vae="ft-mse"))
    assert of(folder, unused=("vae",)).for_model("m") == ()
    with pytest.raises(InvalidVae, match="Some model comes without its VAE. Choose one under VAE"):
        of(folder, Base.SD1, lacks_vae=True).check(InpaintParams(model="m"))
    of(folder, Base.SD1, lacks_vae=True).check(InpaintParams(model="m", vae="ft-mse"))
