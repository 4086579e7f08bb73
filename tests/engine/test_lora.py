"""LoRA files added into tiny pipelines of the real classes: what comes out, and that nothing of it stays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidLora, OutOfMemory
from core.domain.hashing import pixels_sha256
from core.domain.model_file import FileKind
from core.engine.diffusers_inpainter import load
from core.engine.lora import deltas, names
from core.engine.lora.added import Added, Addition
from core.engine.lora.file import read_layers
from core.engine.models.catalogue import Catalogue
from core.engine.models.named_files import NamedFiles
from core.settings import Settings
from tests.engine import tiny_lora as tiny
from tests.engine.tiny import a_working_request, save_pipeline, save_xl_pipeline

EVERYWHERE = (*tiny.ATTENTION, *tiny.CONVOLUTIONS)


@pytest.fixture(scope="module")
def studio_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def settings(studio_folder) -> Settings:
    return Settings(_env_file=None, data=studio_folder, threads=1, device="cpu", preview=False, HF_TOKEN=None)


@pytest.fixture(scope="module")
def folder(settings) -> Path:
    return settings.models / "loras"


@pytest.fixture(scope="module")
def inpainter(tmp_path_factory, settings):
    model = save_pipeline(tmp_path_factory.mktemp("model"))
    return load(str(model), "cpu", Catalogue(settings), settings)


@pytest.fixture(scope="module")
def pipe(inpainter):
    return inpainter._pipe


@pytest.fixture(scope="module")
def files(folder, pipe):
    """One of each method that can be added."""
    layers = tiny.of_unet(pipe, EVERYWHERE)
    tiny.save(folder / "oil.safetensors", layers | tiny.of_text(pipe), seed=1)
    tiny.save(folder / "ink.safetensors", layers, kind="loha", strength=1.0, seed=2)
    tiny.save(folder / "chalk.safetensors", layers, kind="lokr", strength=0.5, seed=3)
    return ("oil", "ink", "chalk")


def painted(inpainter, *loras: str, **params) -> str:
    request = a_working_request(num_inference_steps=2, loras=loras, **params)
    return pixels_sha256(inpainter.inpaint(request, lambda report: None).image)


def weights_of(pipe) -> dict[str, Any]:
    return {
        f"{part}.{name}": value.clone()
        for part in ("unet", "text_encoder")
        for name, value in getattr(pipe, part).state_dict().items()
    }


def are_equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    import torch

    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_each_method_changes_the_picture_and_the_next_one_without_has_none_of_it(inpainter, files):
    without = painted(inpainter)

    with_one = {name: painted(inpainter, name) for name in files}

    assert len({without, *with_one.values()}) == 1 + len(files)
    assert painted(inpainter) == without
    assert painted(inpainter, "ink") == with_one["ink"]


def test_several_are_added_in_their_order_and_the_record_tells_all_that_decides_pixels(inpainter, files, folder):
    request = a_working_request(num_inference_steps=2, loras=["oil:0.8"], prompt="a red ball <lora:ink:-0.5>")

    recorded = inpainter.inpaint(request, lambda report: None).record["loras"]

    assert [(one["name"], one["weight"], one["added_in"]) for one in recorded] == [
        ("oil", 0.8, "float32"),
        ("ink", -0.5, "float32"),
    ]
    assert recorded[0]["bytes"] == (folder / "oil.safetensors").stat().st_size
    assert re.fullmatch("sha256:[0-9a-f]{64}", recorded[0]["sha256"])
    assert "loras" not in inpainter.inpaint(a_working_request(), lambda report: None).record


def test_a_tag_in_the_prompt_does_what_the_field_does_and_is_no_word_of_the_prompt(inpainter, files):
    by_field = painted(inpainter, "oil:0.8")

    assert painted(inpainter, prompt="a red ball<lora:oil:0.8>") == by_field
    assert painted(inpainter, prompt="a red <lora:oil:0.8>ball", prompt_weights=True) == by_field


def test_what_was_painted_before_tags_were_read_has_them_as_text(inpainter, files):
    request = a_working_request(num_inference_steps=2, prompt="a red ball<lora:oil:0.8>")
    old = request.params.processed_by(3)

    before = inpainter.inpaint(type(request)(request.image, request.mask, old), lambda report: None)

    assert "loras" not in before.record
    assert pixels_sha256(before.image) not in (painted(inpainter), painted(inpainter, "oil:0.8"))


def test_what_changes_the_text_encoder_has_a_weight_of_its_own(inpainter, pipe, files, folder):
    layers, text = tiny.of_unet(pipe, EVERYWHERE), tiny.of_text(pipe)
    tiny.save(folder / "apart" / "both.safetensors", layers | text, seed=1)
    tiny.save(folder / "apart" / "unet.safetensors", layers, seed=1)

    apart = painted(inpainter, "both:te=0.3:unet=0.8")

    assert apart == painted(inpainter, prompt="a red ball<lora:both:0.3:0.8>")
    assert painted(inpainter, "both:0:0.8") == painted(inpainter, "unet:0.8")
    assert len({apart, painted(inpainter, "both:0.8"), painted(inpainter, "both:0.3"), painted(inpainter)}) == 4


def test_a_weight_of_nothing_leaves_the_picture_as_it_is(inpainter, files):
    assert painted(inpainter, "oil:0") == painted(inpainter)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.sampled_from(["oil", "ink", "chalk"]), st.floats(-4, 4, allow_subnormal=False)),
        min_size=1,
        max_size=2,
    )
)
def test_taking_them_off_gives_the_model_back_to_the_bit_and_again_on_the_same_weights(pipe, files, folder, chosen):
    library, added = NamedFiles(FileKind.LORA, lambda: [folder]), Added(pipe, "tiny")
    additions = [Addition(library.find(name), name, weight) for name, weight in chosen]
    before = weights_of(pipe)

    added.change_to(additions)
    first = weights_of(pipe)
    added.take_off()
    between = weights_of(pipe)
    added.change_to(additions)
    second = weights_of(pipe)
    added.change_to([])

    assert are_equal(between, before)
    assert are_equal(weights_of(pipe), before)
    assert are_equal(first, second)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_half_precision_the_sum_is_rounded_once(tmp_path, dtype):
    import torch

    layer = torch.nn.Linear(8, 16).to(getattr(torch, dtype))
    before = layer.weight.detach().clone()
    pipe = OneLayer(layer)
    for seed, name in enumerate(("a", "b")):
        tiny.save(tmp_path / f"{name}.safetensors", {("lora_unet", "to_q"): layer}, seed=seed, alpha=2.0)
    library = NamedFiles(FileKind.LORA, lambda: [tmp_path])
    [first, second] = (product_of(tmp_path / f"{name}.safetensors", of) for name, of in (("a", 0.5), ("b", 2.0)))

    Added(pipe, "tiny").change_to([Addition(library.find("a"), "a", 0.5), Addition(library.find("b"), "b", 2.0)])

    expected = (before.float() + first + second).to(layer.weight.dtype)
    assert torch.equal(layer.weight, expected)


class OneLayer:
    """A pipeline that is as small as one can be."""

    def __init__(self, layer: Any) -> None:
        import torch

        self.unet = torch.nn.ModuleDict({"to_q": layer})
        self.unet.config = type("Config", (), {"layers_per_block": 1})


def product_of(file: Path, weight: float) -> Any:
    from safetensors.torch import load_file

    tensors = {name.rpartition("lora_")[2]: value.float() for name, value in load_file(file).items()}
    return (tensors["up.weight"] * weight) @ tensors["down.weight"]


# The formulas ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("naming", [tiny.kohya, tiny.peft, tiny.processor])
def test_every_way_of_naming_means_the_same_modules(pipe, tmp_path, naming):
    part = "lora_unet" if naming is tiny.kohya else "unet"
    endings = ("attn1.to_q", "attn2.to_v", "attn1.to_out.0")
    layers = tiny.of_unet(pipe, endings, part)
    file = tiny.save(tmp_path / "x.safetensors", layers, naming=naming, alpha=None)

    found = read_layers(NamedFiles(FileKind.LORA, lambda: [tmp_path]).find("x"), names.modules(pipe), "tiny")

    assert file.is_file()
    assert set(found) == set(layers.values())


@pytest.mark.parametrize(
    ("kind", "how", "shape"),
    [
        ("Linear", {}, (3, 6)),
        ("Conv2d", {"kernel_size": 3, "padding": 1}, (2, 6, 5, 5)),
        ("Conv2d", {"kernel_size": 1}, (2, 6, 5, 5)),
    ],
)
def test_with_it_a_layer_gives_what_the_layer_and_the_two_factors_give_one_after_the_other(tmp_path, kind, how, shape):
    """As its trainer runs it: nothing is multiplied out there."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional

    module = getattr(torch.nn, kind)(6, 4, bias=False, **how)
    pipe, alpha = OneLayer(module), 1.5
    file = tiny.save(tmp_path / "x.safetensors", {("lora_unet", "to_q"): module}, alpha=alpha)
    factors = {name.partition(".lora_")[2]: value.float() for name, value in load_file(file).items()}
    down, up = factors["down.weight"], factors["up.weight"]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if module.weight.dim() == 2:
            beside = functional.linear(functional.linear(x, down), up)
        else:
            beside = functional.conv2d(functional.conv2d(x, down, padding=module.padding), up)
        expected = module(x) + 0.7 * (alpha / tiny.RANK) * beside
        Added(pipe, "tiny").change_to([Addition(NamedFiles(FileKind.LORA, lambda: [tmp_path]).find("x"), "x", 0.7)])

        assert torch.allclose(module(x), expected, atol=1e-5)


def test_a_convolution_in_three_factors_is_one_after_the_other(tmp_path):
    import torch
    from torch.nn import functional

    down, mid, up = (torch.randn(shape) for shape in ((2, 6, 1, 1), (2, 2, 3, 3), (4, 2, 1, 1)))
    x = torch.randn(2, 6, 5, 5)

    made = functional.conv2d(x, deltas.delta({"down": down, "mid": mid, "up": up}), padding=1)

    beside = functional.conv2d(functional.conv2d(functional.conv2d(x, down), mid, padding=1), up)
    assert torch.allclose(made, beside, atol=1e-4)


def test_products_of_lycoris_are_what_their_sums_say():
    """Written out number by number; the same numbers as LyCORIS 4.1.3 gives."""
    import numpy as np
    import torch

    shapes = {"hada_w1_a": (2, 3), "hada_w1_b": (2, 4), "hada_t1": (2, 2, 3, 3)}
    shapes |= {name.replace("1", "2"): shape for name, shape in shapes.items()}
    loha = {name: torch.randn(shape) for name, shape in shapes.items()}
    kron = {"lokr_w1": torch.randn(2, 3), "lokr_w2_a": torch.randn(4, 2), "lokr_w2_b": torch.randn(2, 2, 3, 3)}

    def core(n: int) -> np.ndarray:
        a, b, t = (loha[f"hada_{name}"].double().numpy() for name in (f"w{n}_a", f"w{n}_b", f"t{n}"))
        return sum(t[i, j] * a[i, :, None, None, None] * b[j, :, None, None] for i in (0, 1) for j in (0, 1))

    first, a, b = (value.double().numpy() for value in kron.values())
    second = sum(a[:, r, None, None, None] * b[r] for r in (0, 1))
    expected = np.concatenate([np.concatenate([w * second for w in row], axis=1) for row in first], axis=0)

    assert np.allclose(deltas.delta(loha).numpy(), core(1) * core(2), atol=1e-4)
    assert np.allclose(deltas.delta(kron).numpy(), expected, atol=1e-4)
    flat = {**kron, "lokr_w2_b": kron["lokr_w2_b"].flatten(1)}
    assert np.allclose(deltas.delta(flat).numpy(), expected.reshape(8, -1), atol=1e-4)


def test_one_for_which_there_is_no_memory_is_refused_before_anything_is_changed(pipe, files, folder, monkeypatch):
    before = weights_of(pipe)
    monkeypatch.setattr("core.engine.lora.added.free_memory", lambda: 1000)

    with pytest.raises(OutOfMemory, match="which takes as much memory again"):
        Added(pipe, "tiny").change_to([Addition(NamedFiles(FileKind.LORA, lambda: [folder]).find("oil"), "oil", 1.0)])

    assert are_equal(weights_of(pipe), before)


def test_alpha_in_the_metadata_counts_and_without_any_the_scale_is_one(tmp_path):
    import torch

    module = torch.nn.Linear(6, 4, bias=False)
    before, pipe = module.weight.detach().clone(), OneLayer(module)
    layers = {("unet", "to_q"): module}
    told = {
        "none": None,
        "plain": tiny.configuration(**{"unet.lora_alpha": 8, "unet.r": 2}),
        "own": tiny.configuration(**{"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_q": 6}}),
        "root": tiny.configuration(**{"unet.lora_alpha": 8, "unet.use_rslora": True}),
        "broken": {"lora_adapter_metadata": "[not JSON"},
    }
    changes = {}
    for name, metadata in told.items():
        tiny.save(tmp_path / f"{name}.safetensors", layers, naming=tiny.peft, alpha=None, metadata=metadata)
        added = Added(pipe, "tiny")
        added.change_to([Addition(NamedFiles(FileKind.LORA, lambda: [tmp_path]).find(name), name, 1.0)])
        changes[name] = module.weight.detach() - before
        added.take_off()

    for name, times in (("plain", 4), ("own", 3), ("root", 8 / 2**0.5), ("broken", 1)):
        assert torch.allclose(changes[name], changes["none"] * times, atol=1e-6)


def test_both_text_encoders_and_the_original_names_of_stable_diffusion_xl_are_known(tmp_path, settings):
    from diffusers import StableDiffusionXLInpaintPipeline

    pipe = StableDiffusionXLInpaintPipeline.from_pretrained(save_xl_pipeline(tmp_path / "model"))
    layers = {
        **tiny.of_unet(pipe, EVERYWHERE),
        **tiny.of_text(pipe, "lora_te1"),
        **tiny.of_text(pipe, "lora_te2", "text_encoder_2"),
    }
    tiny.save(tmp_path / "loras" / "xl.safetensors", layers, unet=pipe.unet)

    found = read_layers(NamedFiles(FileKind.LORA, lambda: [tmp_path / "loras"]).find("xl"), names.modules(pipe), "tiny")

    assert len(found) == len(layers)
    assert set(found) == set(layers.values())


# What is refused -------------------------------------------------------------------------------------------------


def refused(pipe, folder: Path, name: str = "x") -> str:
    before = weights_of(pipe)
    with pytest.raises(InvalidLora) as caught:
        Added(pipe, "Stable Diffusion").change_to(
            [Addition(NamedFiles(FileKind.LORA, lambda: [folder]).find(name), name, 1.0)]
        )
    assert are_equal(weights_of(pipe), before)
    return str(caught.value)


def test_of_another_width(pipe, tmp_path):
    import torch

    wide = torch.nn.Linear(24, 16)
    name = next(name for _, name in tiny.of_unet(pipe, ("attn2.to_k",)))
    tiny.save(tmp_path / "x.safetensors", {("lora_unet", name): wide})

    assert "16 x 24 wide, and 16 x 16 in this model" in refused(pipe, tmp_path)


def test_with_blocks_that_the_model_does_not_have_though_the_rest_would_fit(pipe, tmp_path):
    layers = tiny.of_unet(pipe)
    layers["lora_unet", "down_blocks.7.attentions.0.proj_in"] = next(iter(layers.values()))
    tiny.save(tmp_path / "x.safetensors", layers)

    assert "this model has no lora_unet_down_blocks_7_attentions_0_proj_in" in refused(pipe, tmp_path)


def test_for_another_family(pipe, tmp_path):
    import torch

    layers = {("lora_unet", "double_blocks.0.img_attn.proj"): torch.nn.Linear(8, 8)}
    tiny.save(tmp_path / "x.safetensors", layers)

    assert "It was made for FLUX.1, and this model is Stable Diffusion" in refused(pipe, tmp_path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dora_scale": (8,)}, "of the kind DoRA"),
        ({"oft_blocks": (2, 2, 2)}, "of the kind OFT"),
        ({"diff_b": (8,)}, "it holds 'lora_unet_conv_in.diff_b'"),
        ({"surprise": (1,)}, "it holds 'lora_unet_conv_in.surprise'"),
        ({"lora_down.weight": (2, 9, 3, 3)}, "lacks its up"),
        ({"lora_up.weight": (8, 2, 1, 1)}, "lacks its down"),
        ({"hada_w1_a": (8, 2)}, "lacks its hada_w1_b"),
        ({"lora_down.weight": (2, 9, 3, 3), "lora_up.weight": (8, 3, 1, 1)}, "factors that do not fit together"),
    ],
)
def test_with_anything_that_is_not_understood_though_the_rest_is(pipe, tmp_path, more, words):
    import torch

    tensors = {f"lora_unet_conv_in.{name}": torch.ones(shape) for name, shape in more.items()}
    tiny.save(tmp_path / "x.safetensors", tiny.of_unet(pipe), more=tensors)

    assert words in refused(pipe, tmp_path)


def test_of_numbers_that_are_no_fractions(pipe, tmp_path):
    import torch

    whole = {"lora_unet_conv_in.lora_down.weight": torch.ones(2, 9, 3, 3, dtype=torch.int32)}
    tiny.save(tmp_path / "x.safetensors", tiny.of_unet(pipe), more=whole)

    assert "it holds 'lora_unet_conv_in.lora_down.weight'" in refused(pipe, tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_with_numbers_that_are_none_or_give_none(pipe, tmp_path, value):
    import torch

    layers = tiny.of_unet(pipe)
    (_, name), module = next(iter(layers.items()))
    stem = f"lora_unet_{name.replace('.', '_')}"
    bad = {
        f"{stem}.lora_down.weight": torch.full((2, *module.weight.shape[1:]), value),
        f"{stem}.lora_up.weight": torch.full((module.weight.shape[0], 2, 1, 1), 1e3),
    }
    rest = {key: one for key, one in layers.items() if one is not module}
    tiny.save(tmp_path / "x.safetensors", rest, more=bad)

    assert "it adds what is no number, or too large" in refused(pipe, tmp_path)


def test_that_is_none_or_cut_or_a_pickle_under_another_name(pipe, tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"conv_in.weight": torch.ones(1)}, tmp_path / "vae.safetensors")
    whole = tiny.save(tmp_path / "whole.safetensors", tiny.of_unet(pipe)).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-100])
    torch.save({"a": 1}, tmp_path / "pickle.safetensors")
    (tmp_path / "old.pt").write_bytes(b"\x80\x02")
    library = NamedFiles(FileKind.LORA, lambda: [tmp_path])

    for name, words in {
        "vae": "is not a LoRA",
        "cut": "cut off",
        "pickle": "pickle",
        "old": "can run code",
        "nowhere": "nowhere.safetensors is not on this machine",
    }.items():
        with pytest.raises(InvalidLora, match=words):
            library.find(name)
    assert [file.name for file in library.listed()] == ["whole"]


def test_one_that_fails_leaves_the_model_to_the_next_picture(inpainter, files, folder):
    without = painted(inpainter)
    with pytest.raises(InvalidLora):
        painted(inpainter, "oil", "nowhere")

    assert painted(inpainter) == without


def test_for_a_family_that_takes_none(transformer):
    inpainter = transformer("FLUX.1")

    for wanted in ({"loras": ["oil"]}, {"prompt": "a ball <lora:oil:1>"}):
        with pytest.raises(InvalidLora, match="take no LoRA yet"):
            inpainter.inpaint(a_working_request(**wanted), lambda report: None)
