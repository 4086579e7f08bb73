"""ControlNets beside tiny pipelines: read from every layout, they guide, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.domain.control import CANNY, GIVEN, HINTS, INPAINT, LINEART, SOFT_EDGE, TILE
from core.domain.errors import InvalidControlNet
from core.domain.guide import Guide, Role
from core.domain.pixels.mask import Mask
from core.engine.control import hints
from tests.engine.tiny import SIDE, a_mask, a_picture, a_working_request, save_xl_pipeline
from tests.engine.tiny_control import net_for, write


@pytest.fixture(scope="session")
def nets(four, tmp_path_factory) -> Callable[..., Path]:
    """The file of a ControlNet for the tiny UNet."""
    folder = tmp_path_factory.mktemp("controlnet")

    def make(seed: int = 1, **kind) -> Path:
        path = folder / f"{seed}-{'-'.join(kind.values())}.safetensors"
        return path if path.exists() else write(path, net_for(four._pipe.unet, seed), **kind)

    return make


def a_guided_request(*paths: Path, control: Image.Image | None = None, **fields: Any):
    """fields: of the Controls, or params."""
    of_control = {name: fields.pop(name) for name in tuple(fields) if name == "hint" or name.startswith("control")}
    request = a_working_request(
        controlnet=[{"name": str(path), "hint": TILE, **of_control} for path in paths], num_inference_steps=3, **fields
    )
    shown = control or request.image
    guides = tuple(Guide(Role.CONTROL, at, shown) for at in range(len(paths)))
    return type(request)(request.image, request.mask, request.params, guides=guides)


def painted(inpainter, request) -> bytes:
    return inpainter.inpaint(request, lambda step: None).image.tobytes()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("channels", ["four", "nine"])
def test_a_controlnet_guides_and_without_it_the_picture_is_the_same_as_before_to_the_bit(channels, nets, request):
    inpainter = request.getfixturevalue(channels)
    plain = painted(inpainter, a_guided_request())

    guided = painted(inpainter, a_guided_request(nets()))

    assert guided != plain
    assert painted(inpainter, a_guided_request(nets())) == guided
    assert painted(inpainter, a_guided_request(nets(), controlnet_conditioning_scale=0)) == plain
    assert painted(inpainter, a_guided_request()) == plain
    assert not inpainter._guided._nets


@pytest.mark.slow
def test_every_layout_of_the_same_net_paints_the_same_picture(four, nets, tmp_path):
    net = net_for(four._pipe.unet)
    net.save_pretrained(tmp_path / "canny")
    folder = tmp_path / "canny" / "diffusion_pytorch_model.safetensors"

    pictures = {painted(four, a_guided_request(nets(layout=layout))) for layout in ("ldm", "bare", "diffusers")}

    assert pictures == {painted(four, a_guided_request(folder))}


@pytest.mark.slow
def test_one_of_xl_guides_its_own_family_and_no_other(loaded, nets, tmp_path):
    xl = loaded(save_xl_pipeline(tmp_path / "xl", in_channels=4))
    own = write(tmp_path / "own.safetensors", net_for(xl._pipe.unet), layout="diffusers")
    plain = painted(xl, a_guided_request())

    assert painted(xl, a_guided_request(own)) != plain
    with pytest.raises(InvalidControlNet, match="lacks some of the weights"):
        painted(xl, a_guided_request(nets(layout="diffusers")))
    assert painted(xl, a_guided_request()) == plain


@pytest.mark.slow
def test_what_it_is_shown_decides_and_also_when_and_how_strongly(four, nets):
    pictures = [
        a_guided_request(nets()),
        a_guided_request(nets(), control=a_picture(seed=8)),
        a_guided_request(nets(), controlnet_conditioning_scale=0.5),
        a_guided_request(nets(), control_guidance_end=0.5),
        a_guided_request(nets(), control_guidance_start=0.5),
        a_guided_request(nets(2)),
        a_guided_request(nets(), nets(2)),
        *(a_guided_request(nets(), hint=hint) for hint in HINTS if hint not in (TILE, GIVEN)),
    ]

    assert len({painted(four, request) for request in pictures}) == len(pictures)
    assert painted(four, a_guided_request(nets(), hint=GIVEN)) == painted(four, pictures[0])


def test_the_run_records_what_it_was_shown_and_the_file_by_its_hash_and_draws_no_bar(four, nets, capfd):
    request = a_guided_request(nets(), hint=CANNY, controlnet_conditioning_scale=0.8)

    [told] = four.inpaint(request, lambda step: None).record["controlnet"]

    assert told["name"] == nets().stem
    assert told["sha256"].startswith("sha256:")
    assert told["hint_version"] == hints.HINTS_VERSION
    assert {"opencv", "hint_sha256", "bytes"} <= set(told)
    assert (told["hint"], told["controlnet_conditioning_scale"]) == (CANNY, 0.8)
    assert "it/s" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_file_of_another_size_or_with_something_missing_is_refused_and_the_next_picture_is_painted(
    four, nets, tmp_path
):
    from safetensors.torch import load_file, save_file

    state = load_file(nets())
    plain = painted(four, a_guided_request())
    spoiled = {
        "another model": {**state, "control_model.time_embed.0.weight": state["control_model.time_embed.0.weight"][:4]},
        "lacks some": {key: value for key, value in state.items() if "middle_block_out" not in key},
    }

    for words, changed in spoiled.items():
        save_file({key: value.contiguous() for key, value in changed.items()}, tmp_path / "spoiled.safetensors")
        with pytest.raises(InvalidControlNet, match=words):
            painted(four, a_guided_request(tmp_path / "spoiled.safetensors"))
    extra = {**load_file(nets(layout="diffusers")), "task_blocks.0.weight": state["control_model.time_embed.0.weight"]}
    save_file(extra, tmp_path / "extra.safetensors")
    with pytest.raises(InvalidControlNet, match=r"not understood \(task_blocks"):
        painted(four, a_guided_request(tmp_path / "extra.safetensors"))
    assert painted(four, a_guided_request()) == plain


@pytest.mark.slow
def test_a_file_of_half_precision_is_raised_to_what_the_model_computes_in(four, nets, tmp_path):
    import torch

    half = write(tmp_path / "half.safetensors", net_for(four._pipe.unet), dtype=torch.float16)

    plain, guided = (painted(four, request) for request in (a_guided_request(), a_guided_request(half)))

    assert guided != plain
    assert {net.dtype for net in four._guided._nets.values()} == {torch.float32}


def test_a_family_without_controlnets_says_so(transformer, nets):
    with pytest.raises(InvalidControlNet, match="take no ControlNet"):
        painted(transformer("FLUX.1"), a_guided_request(nets()))


# Hints -----------------------------------------------------------------------------------------------------------


def a_square() -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (230, 230, 230))
    image.paste((20, 20, 20), (16, 16, 48, 48))
    return image


@pytest.mark.parametrize("kind", [CANNY, LINEART, SOFT_EDGE])
def test_hints_are_bright_along_the_edges_of_a_square_and_black_far_from_them(kind):
    values = hints.hint(a_square(), Mask.empty(a_mask().size), kind)

    assert (values.shape, values.dtype) == ((SIDE, SIDE, 3), np.float32)
    assert values[15:18, 24:40].max(axis=(0, 2)).min() > 0.75
    assert values[2:6, 2:6].max() == 0


@pytest.mark.parametrize("kind", [CANNY, LINEART, SOFT_EDGE])
def test_nothing_is_made_up_in_an_even_picture(kind):
    even = Image.fromarray(np.random.default_rng(0).integers(127, 130, (SIDE, SIDE, 3), np.uint8))

    assert hints.hint(even, a_mask(), kind).max() < 0.5


def test_the_hint_for_inpainting_leaves_out_what_is_masked_and_nothing_else():
    picture, mask = a_picture(), a_mask()

    values = hints.hint(picture, mask, INPAINT)

    assert (values[mask.pixels > 0] == -1).all()
    kept = mask.pixels == 0
    assert (values[kept] == np.asarray(picture, np.float32)[kept] / 255).all()
