from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import DamagedModel, NotAnInpaintingModel, UnsafeWeights
from core.engine.models.weights import Components, choose

INDEX = {
    "_class_name": "StableDiffusionInpaintPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": [None, None],
    "requires_safety_checker": True,
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
WEIGHTED = ("text_encoder", "unet", "vae")
PLAIN = [
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
]
COMPONENTS = Components.of(INDEX, safety_checker=False)
TEXTS = [
    "feature_extractor/preprocessor_config.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
]


def split(variant: str = "", of: int = 2) -> list[str]:
    parts = [f"unet/diffusion_pytorch_model{variant}-{n:05}-of-{of:05}.safetensors" for n in range(1, of + 1)]
    return [*parts, f"unet/diffusion_pytorch_model.safetensors.index{variant}.json"]


def test_the_components_that_need_weights_are_told_from_the_others():
    assert COMPONENTS.weighted == WEIGHTED
    assert set(COMPONENTS.names) == {*WEIGHTED, "feature_extractor", "scheduler", "tokenizer"}
    assert Components.of(INDEX, safety_checker=True).weighted == ("safety_checker", *WEIGHTED)


@pytest.mark.parametrize("missing", WEIGHTED)
def test_without_one_of_the_three_great_parts_it_is_no_inpainting_model(missing):
    with pytest.raises(NotAnInpaintingModel):
        Components.of({**INDEX, missing: [None, None]}, safety_checker=False)


@pytest.mark.parametrize("name", ["../../unet", "a/b", "a.b", ""])
def test_a_component_cannot_lie_outside_the_models_folder(name):
    with pytest.raises(NotAnInpaintingModel):
        Components.of({**INDEX, name: ["diffusers", "AutoencoderKL"]}, safety_checker=False)


def test_split_weights_are_taken_whole_with_their_index():
    files = [*split(), *PLAIN[::2], *TEXTS]

    chosen = choose(files, COMPONENTS, dtype="float32")

    assert set(chosen.files) == set(files)


def test_split_weights_that_are_not_all_there_are_not_taken():
    with pytest.raises(DamagedModel, match="unet"):
        choose([*split()[1:], *PLAIN[::2], *TEXTS], COMPONENTS, dtype="float32")


def test_split_weights_without_the_index_that_tells_what_lies_where_are_not_taken():
    with pytest.raises(DamagedModel, match="unet"):
        choose([*split()[:-1], *PLAIN[::2], *TEXTS], COMPONENTS, dtype="float32")


@pytest.mark.parametrize("missing", TEXTS)
def test_without_one_of_the_texts_that_a_component_is_read_from_a_model_is_refused(missing):
    files = [name for name in (*PLAIN, *TEXTS) if name != missing]

    with pytest.raises(DamagedModel, match=missing.split("/")[1]):
        choose(files, COMPONENTS, dtype="float32")


def test_either_form_of_a_vocabulary_will_do():
    files = [name for name in (*PLAIN, *TEXTS) if "vocab" not in name and "merges" not in name]

    assert choose([*files, "tokenizer/tokenizer.json"], COMPONENTS, dtype="float32")
    with pytest.raises(DamagedModel, match="tokenizer"):
        choose([*files, "tokenizer/spiece.model"], COMPONENTS, dtype="float32")


def test_beside_whole_weights_the_parts_and_their_index_are_left():
    chosen = choose([*PLAIN, *split(), *TEXTS], COMPONENTS, dtype="float32")

    assert set(chosen.files) == {*PLAIN, *TEXTS}


def test_both_kinds_mixed_over_the_components_are_not_a_complete_model():
    files = [PLAIN[0], *(name.replace(".safetensors", ".fp16.safetensors") for name in PLAIN[1:]), *TEXTS]

    with pytest.raises(DamagedModel, match="half precision"):
        choose(files, COMPONENTS, dtype="float16")


@given(
    st.lists(
        st.sampled_from(
            [
                *PLAIN,
                *(name.replace(".safetensors", ".fp16.safetensors") for name in PLAIN),
                "unet/diffusion_pytorch_model.bin",
                "text_encoder/pytorch_model.bin",
                "model.safetensors",
                "unet/other.json",
                "model_index.json",
                "weights.ckpt",
            ]
        ),
        unique=True,
    ),
    st.sampled_from(["float16", "float32"]),
)
def test_whatever_there_is_one_complete_kind_is_chosen_or_the_model_is_refused(files, dtype):
    try:
        chosen = choose([*files, *TEXTS], COMPONENTS, dtype=dtype)
    except (UnsafeWeights, DamagedModel):
        return

    weights = [name for name in chosen.files if name.endswith(".safetensors")]
    assert {name.partition("/")[0] for name in weights} == set(WEIGHTED)
    assert len(weights) == len(WEIGHTED)
    assert all((".fp16." in name) == (chosen.variant == "fp16") for name in weights)
    assert set(chosen.files) <= {*files, *TEXTS}


FLUX = {
    "_class_name": "FluxPipeline",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "T5TokenizerFast"],
    "transformer": ["diffusers", "FluxTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def test_of_a_transformers_repository_the_parts_are_taken_and_the_single_files_beside_them_left():
    shards = {"text_encoder_2": ("model", 2), "transformer": ("diffusion_pytorch_model", 3)}
    needed = ["model_index.json", PLAIN[0], PLAIN[2], "tokenizer_2/spiece.model", "tokenizer/chat_template.jinja"]
    needed += [f"{part}/config.json" for part in ("text_encoder", "text_encoder_2", "transformer", "vae")]
    needed += ["scheduler/scheduler_config.json", "tokenizer/tokenizer.json"]
    needed += ["tokenizer/tokenizer_config.json", "tokenizer_2/tokenizer_config.json"]
    for part, (name, of) in shards.items():
        needed += [f"{part}/{name}-{n:05}-of-{of:05}.safetensors" for n in range(1, of + 1)]
        needed.append(f"{part}/{name}.safetensors.index.json")

    files = [*needed, "flux1-dev.safetensors", "ae.safetensors", "dev_grid.jpg", "README.md"]
    chosen = choose(files, Components.of(FLUX, safety_checker=True), dtype="bfloat16")

    assert chosen.variant is None
    assert set(chosen.files) == set(needed)


@pytest.mark.parametrize("missing", ["transformer", "vae", "text_encoder"])
def test_a_transformers_model_without_one_of_its_great_parts_is_refused(missing):
    with pytest.raises(NotAnInpaintingModel):
        Components.of({**FLUX, missing: [None, None]}, safety_checker=False)


def test_text_encoders_that_a_repository_leaves_out_are_not_missed():
    components = Components.of({**FLUX, "text_encoder_2": [None, None]}, safety_checker=False)

    assert components.weighted == ("text_encoder", "transformer", "vae")
