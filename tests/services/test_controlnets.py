"""ControlNets before anything is queued: which there are, which a model can take, and which need a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.bootstrap import draw_hint
from core.domain.control import CANNY, GIVEN, INPAINT, LINEART, SOFT_EDGE, TILE, hint_of
from core.domain.errors import InvalidControlNet, InvalidParams, NotAnInpaintingModel
from core.domain.files.picture import Picture
from core.domain.guide import Guide, Role
from core.domain.model import ModelSpec
from core.domain.model_file import Base, FileKind
from core.domain.params import InpaintParams
from core.engine.models.named_files import NamedFiles
from core.services.controlnets import ControlNets
from tests.conftest import a_mask, a_picture, a_request
from tests.controlnets import write_controlnet
from tests.services.test_loras import CatalogueOf


def controlnets(folder: Path, *bases: Base | None, unused: tuple[str, ...] = (), images=None) -> ControlNets:
    spec = ModelSpec("m", "Some model", "", 512, unused=unused)
    library = NamedFiles(FileKind.CONTROLNET, lambda: [folder])
    return ControlNets(library, CatalogueOf(spec, *bases), images, draw_hint)


def asked(*names: str) -> InpaintParams:
    return InpaintParams(model="m", controlnet=list(names))


def test_one_for_another_family_or_of_another_kind_is_refused_by_its_header_alone(tmp_path):
    write_controlnet(tmp_path / "canny.safetensors")
    found = controlnets(tmp_path, Base.SD1)

    found.check(asked("canny"))
    found.check(asked(str(tmp_path / "canny.safetensors")))
    with pytest.raises(InvalidControlNet, match="canny.safetensors was made for Stable Diffusion 1, and .* is .* XL"):
        controlnets(tmp_path, Base.SDXL).check(asked("canny"))
    with pytest.raises(InvalidControlNet, match="depth.safetensors is not on this machine. Put it into .*controlnet"):
        found.check(asked("depth"))
    write_controlnet(tmp_path / "union.safetensors", task_embedding=(1, 4))
    with pytest.raises(InvalidControlNet, match=r"union.safetensors is a ControlNet \(union\) .* cannot be used yet"):
        found.check(asked("union"))
    with pytest.raises(InvalidControlNet, match="Some model takes no ControlNet"):
        controlnets(tmp_path, None, unused=("controlnet",)).check(asked("canny"))


def test_those_that_can_guide_a_model_are_offered_and_a_folder_of_diffusers_by_its_name(tmp_path):
    write_controlnet(tmp_path / "sd" / "canny.safetensors")
    write_controlnet(tmp_path / "controlnet-depth" / "diffusion_pytorch_model.safetensors")
    write_controlnet(tmp_path / "controlnet-depth" / "diffusion_pytorch_model.fp16.safetensors")
    write_controlnet(tmp_path / "xl.safetensors", width=2048)
    write_controlnet(tmp_path / "union.safetensors", task_embedding=(1, 4))

    offered = [file.name for file in controlnets(tmp_path, Base.SD1).for_model("m")]

    assert offered == ["canny", "controlnet-depth", "controlnet-depth.fp16"]
    assert controlnets(tmp_path, None, unused=("controlnet",)).for_model("m") == ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("control_v11p_sd15_canny", CANNY),
        ("control_v11p_sd15_inpaint_fp16", INPAINT),
        ("control_v11p_sd15_lineart", LINEART),
        ("control_v11p_sd15_softedge", SOFT_EDGE),
        ("control_v11f1e_sd15_tile", TILE),
        ("diffusers_xl_depth_full", GIVEN),
        ("thibaud_xl_openpose", GIVEN),
    ],
)
def test_the_name_of_a_file_tells_what_it_is_to_be_shown(name, hint):
    assert hint_of(f"models/{name}.safetensors") == hint
    [control] = InpaintParams(controlnet=[f"{name}:0.8"]).controlnet
    assert (control.name, control.hint, control.controlnet_conditioning_scale) == (name, hint, 0.8)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hint": "magic"}, "hint must be one of"),
        ({"controlnet_conditioning_scale": 3}, "less than or equal to 2"),
        ({"control_guidance_start": 0.6, "control_guidance_end": 0.5}, "start to guide before it ends"),
        ({"control_guidance_end": float("nan")}, "ControlNet"),
        ({"name": "a\nb"}, "not text"),
        ({"weights": "x"}, "ControlNet"),
    ],
)
def test_what_cannot_be_is_refused_in_words(wrong, words):
    with pytest.raises(InvalidParams, match=words):
        InpaintParams(controlnet=[{"name": "canny", **wrong}])
    with pytest.raises(InvalidParams, match="at most 4"):
        InpaintParams(controlnet=["canny"] * 5)


def test_one_for_depth_needs_a_picture_before_it_is_queued_and_others_are_shown_the_source(studio):
    params = a_request().params.changed(controlnet=["depth", "canny"])
    source = studio.generations.images.put(a_picture())
    write_controlnet(studio.settings.models / "controlnet" / "depth.safetensors")
    write_controlnet(studio.settings.models / "controlnet" / "canny.safetensors")
    depth = studio.controlnets.keep(Picture(Image.new("RGBA", (48, 32), (9, 9, 9, 0))))

    with pytest.raises(InvalidControlNet, match="depth needs a control picture"):
        studio.generations.submit(studio.generations.stored(source, a_mask(), params))
    with pytest.raises(InvalidControlNet, match="depth needs a control picture"):
        studio.generations.check(params)
    guides = [Guide(Role.CONTROL, at, depth) for at in (0, 3)]
    [id] = studio.generations.submit(studio.generations.stored(source, a_mask(), params, guides))

    assert studio.gallery.get(id).guides == (guides[0],)
    assert studio.gallery.image(depth).getextrema() == ((0, 0),) * 3
    studio.generations.check(params, guides)


def test_a_folder_of_diffusers_is_added_as_a_whole_and_one_that_cannot_be_used_is_refused(studio, tmp_path):
    write_controlnet(tmp_path / "controlnet-depth" / "diffusion_pytorch_model.safetensors")
    (tmp_path / "controlnet-depth" / "config.json").write_text('{"_class_name": "ControlNetModel"}')
    write_controlnet(tmp_path / "union" / "diffusion_pytorch_model.safetensors", task_embedding=(1, 4))

    added = studio.library.add(tmp_path / "controlnet-depth")

    assert (added.found.title, added.kind) == ("controlnet-depth", "controlnet")
    assert (studio.settings.models / "controlnet" / "controlnet-depth" / "config.json").is_file()
    assert studio.controlnets.library.find("controlnet-depth").path == added.found.path
    with pytest.raises(NotAnInpaintingModel, match="cannot be used yet"):
        studio.library.add(tmp_path / "union")


def test_a_hint_is_drawn_to_be_looked_at(studio):
    key = studio.generations.images.put(a_picture())

    assert studio.controlnets.hint(key, CANNY, 48).size == (48, 32)
    assert set(np.unique(np.asarray(studio.controlnets.hint(key, CANNY, 48)))) == {0, 255}
