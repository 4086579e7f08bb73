"""Reference pictures before anything is queued: which IP-Adapters a model can have, how many pictures it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.domain.errors import InvalidReference
from core.domain.guide import Guide, Role
from core.domain.model import ModelSpec
from core.domain.model_file import Base, FileKind
from core.domain.params import InpaintParams
from core.engine.models.named_files import NamedFiles
from core.engine.models.table import MODELS
from core.services.references import References, reference_picture
from tests.ipadapters import write_image_encoder, write_ip_adapter
from tests.services.test_loras import CatalogueOf

RED = Image.new("RGB", (20, 50), "red")
SD15 = ModelSpec("m", "Some model", "", 512)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_image_encoder(tmp_path / "image_encoder" / "model.safetensors")
    write_ip_adapter(tmp_path / "plain.safetensors")
    write_ip_adapter(tmp_path / "of-xl.safetensors", width=2048)
    write_ip_adapter(tmp_path / "faces.safetensors", **{"ip_adapter.0.to_q_lora.down.weight": (2, 3)})
    write_ip_adapter(tmp_path / "big.safetensors", embeds=1280)
    return tmp_path


def references(folder: Path, spec: ModelSpec = SD15, *bases: Base) -> References:
    adapters, encoders = (NamedFiles(kind, lambda: [folder]) for kind in (FileKind.IP_ADAPTER, FileKind.IMAGE_ENCODER))
    return References(adapters, CatalogueOf(spec, *(bases or (Base.SD1,))), None, encoders)  # type: ignore[arg-type]


def of_table(folder: Path, title: str) -> References:
    spec = next(spec for spec in MODELS if title in spec.title)
    return references(folder, replace(spec, key="m"), Base.FLUX1)


def guides(count: int) -> list[Guide[Image.Image]]:
    return [Guide(Role.REFERENCE, at, RED) for at in range(count)]


def asked(adapter: str = "", model: str = "m") -> InpaintParams:
    return InpaintParams(model=model, ip_adapter=adapter)


def test_the_only_adapter_for_a_model_is_the_usual_one(folder):
    assert [file.name for file in references(folder).for_model("m")] == ["big", "plain"]
    assert references(folder).usual("m") == ""
    assert references(folder, SD15, Base.SDXL).usual("m") == "of-xl"


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        ("of-xl", "of-xl.safetensors was made for Stable Diffusion XL, and this model is Stable Diffusion 1"),
        ("faces", "faces.safetensors is a FaceID adapter"),
        ("big", r"an image encoder \(CLIP ViT-bigG\), and none that gives vectors 1280 wide is on this machine"),
        ("image_encoder/model", "model.safetensors is not an IP-Adapter but another file: image encoder"),
        ("gone", "gone.safetensors is not on this machine. Put it into the folder models/ipadapter"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_header(folder, adapter, said):
    references(folder).check(asked("plain"))

    with pytest.raises(InvalidReference, match=said):
        references(folder).check(asked(adapter))


def test_there_must_be_as_many_pictures_as_the_model_takes(folder):
    found, none = references(folder), references(folder, ModelSpec("m", "Some model", "", 512, unused=("ip_adapter",)))

    found.check_pictures(asked("plain"), guides(4))
    found.check_pictures(asked(), ())
    for adapter, count, said in (
        ("", 1, r"Choose one \(--ip-adapter\)"),
        ("plain", 0, "plain has no reference picture to look at"),
        ("plain", 5, "takes at most 4 reference pictures"),
    ):
        with pytest.raises(InvalidReference, match=said):
            found.check_pictures(asked(adapter), guides(count))
    with pytest.raises(InvalidReference, match="takes no reference picture"):
        none.check_pictures(asked(), guides(1))
    with pytest.raises(InvalidReference, match="takes no IP-Adapter"):
        none.check(asked("plain"))
    assert none.used("m", guides(1)) == ()


def test_models_that_look_by_themselves_need_no_adapter_and_say_how_many_they_take(folder):
    klein, kontext = of_table(folder, "klein"), of_table(folder, "Kontext")

    assert (klein.most("m"), kontext.most("m"), of_table(folder, "Fill").most("m")) == (4, 1, 0)
    assert not klein.needs_adapter("m")
    kontext.check_pictures(asked(), guides(1))
    with pytest.raises(InvalidReference, match=r"takes at most 1 reference picture\. "):
        kontext.check_pictures(asked(), guides(2))


def test_what_is_transparent_in_a_reference_is_white():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))

    assert reference_picture(clear).getpixel((0, 0)) == (255, 255, 255)
