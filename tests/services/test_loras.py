"""LoRAs before anything is queued: which there are, what their names mean, and which a model can take."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from core.domain.errors import InvalidLora
from core.domain.model import ModelSpec
from core.domain.model_file import Base, FileKind
from core.domain.params import InpaintParams
from core.engine.models.catalogue import Catalogue
from core.engine.models.named_files import NamedFiles
from core.services.loras import Loras
from tests.fakes import FakeCatalogue
from tests.loras import write_lora


def checked(library_of: Path, *bases: Base | None, unused: tuple[str, ...] = (), **params) -> None:
    spec = ModelSpec("m", "Some model", "", 512, unused=unused)
    Loras(NamedFiles(FileKind.LORA, lambda: [library_of]), CatalogueOf(spec, *bases)).check(
        InpaintParams(model="m", **params)
    )


class CatalogueOf(FakeCatalogue):
    """A catalogue of one model that LoRAs of these bases can fit."""

    def __init__(self, spec: ModelSpec, *bases: Base | None) -> None:
        super().__init__(spec)
        self._bases = None if None in bases else [base for base in bases if base is not None]

    def bases(self, key: str) -> Collection[Base] | None:
        return self._bases


def test_one_for_another_family_is_refused_by_its_header_alone(tmp_path):
    write_lora(tmp_path / "oil.safetensors", width=768)

    checked(tmp_path, Base.SD1, loras=["oil"])
    checked(tmp_path, None, loras=["oil"])
    with pytest.raises(InvalidLora, match="oil.safetensors was made for Stable Diffusion 1, and this model is .* XL"):
        checked(tmp_path, Base.SDXL, prompt="a ball <lora:oil:1>")


def test_one_for_the_pocket_model_is_offered_for_no_other_and_none_of_another_for_it(settings):
    for name, width in (("ink", 128), ("oil", 768)):
        write_lora(settings.models / "loras" / f"{name}.safetensors", width=width)
    loras = Loras(NamedFiles.watched(settings, FileKind.LORA), Catalogue(settings))

    assert [file.name for file in loras.for_model("pocket-inpaint")] == ["ink"]
    with pytest.raises(InvalidLora, match="oil.safetensors was made for Stable Diffusion 1, and this model is Pocket"):
        loras.check(InpaintParams(model="pocket-inpaint", loras=["oil"]))
    with pytest.raises(InvalidLora, match="ink.safetensors was made for Pocket, and this model is Stable Diffusion 1"):
        checked(settings.models / "loras", Base.SD1, loras=["ink"])


def test_a_model_that_takes_none_refuses_them_but_minds_no_prompt_that_it_does_not_read(tmp_path):
    checked(tmp_path, None, unused=("loras", "prompt"), prompt="a ball <lora:oil:1>")
    for wanted in ({"loras": ["oil"]}, {"prompt": "a ball <lora:oil:1>"}):
        with pytest.raises(InvalidLora, match="Some model takes no LoRA"):
            checked(tmp_path, None, unused=("loras",), **wanted)


def test_those_that_can_fit_a_model_are_offered(tmp_path):
    for name, width in (("one", 768), ("xl", 2048), ("own", 16)):
        write_lora(tmp_path / "style" / f"{name}.safetensors", width=width)
    library = NamedFiles(FileKind.LORA, lambda: [tmp_path])

    def offered(*bases: Base | None, unused: tuple[str, ...] = ()) -> list[str]:
        spec = ModelSpec("m", "Some model", "", 512, unused=unused)
        return [file.name for file in Loras(library, CatalogueOf(spec, *bases)).for_model("m")]

    assert offered(Base.SD1) == ["one", "own"]
    assert offered() == ["own"]
    assert offered(None) == ["one", "own", "xl"]
    assert offered(Base.SD1, unused=("loras",)) == []


def test_a_name_means_the_file_below_the_folders_and_two_of_one_name_are_told_apart(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for file in (first / "oil", first / "old" / "oil", first / "ink", second / "ink", second / "Chalk.v2"):
        write_lora(file.with_name(f"{file.name}.safetensors"))
    library = NamedFiles(FileKind.LORA, lambda: [first, tmp_path / "missing", second])

    assert [file.name for file in library.listed()] == ["Chalk.v2", "ink", "oil", "old/oil"]
    assert library.find("ink").path.parent == first
    assert library.find("chalk.v2.safetensors").path.parent == second
    assert library.find("C:\\loras\\Chalk.v2.safetensors").path.parent == second
    assert library.find("old/oil").path == first / "old" / "oil.safetensors"
    assert library.find(str(second / "ink.safetensors")).path.parent == second
    assert library.find("oil").path == first / "oil.safetensors"
    write_lora(second / "new" / "pen.safetensors")
    write_lora(second / "old" / "pen.safetensors")
    with pytest.raises(InvalidLora, match="“pen” can be new/pen, old/pen. Say which"):
        library.find("pen")
