"""Embeddings read by tiny pipelines of the real classes: what comes out, and that nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.errors import InvalidEmbedding
from core.domain.hashing import pixels_sha256
from core.domain.model_file import FileKind
from core.domain.params import InpaintParams
from core.engine.diffusers_inpainter import load
from core.engine.embeddings import Reading, embeddings
from core.engine.models.catalogue import Catalogue
from core.engine.models.named_files import NamedFiles
from core.engine.run import prompts
from core.settings import Settings
from tests.embeddings import write_embedding
from tests.engine.test_control import a_guided_request
from tests.engine.test_control import painted as of_control
from tests.engine.tiny import LONGEST_PROMPT, a_working_request, save_pipeline, save_xl_pipeline
from tests.engine.tiny_control import net_for, write

OF_XL = ("clip_l", "clip_g")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    settings = Settings(
        _env_file=None, data=tmp_path_factory.mktemp("d"), threads=1, device="cpu", preview=False, HF_TOKEN=None
    )
    folder = settings.models / "embeddings"
    write_embedding(folder / "Oil.safetensors", 3, seed=1)
    write_embedding(folder / "style" / "ink-2.safetensors", 1, names=("<s1>",), width=768)
    write_embedding(folder / "xl.safetensors", 2, names=OF_XL, seed=2)
    write_embedding(folder / "many.safetensors", 100, seed=3)
    return settings


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def inpainter(model, settings):
    return load(str(model), "cpu", Catalogue(settings), settings)


@pytest.fixture(scope="module")
def xl(tmp_path_factory, settings):
    return load(str(save_xl_pipeline(tmp_path_factory.mktemp("xl"))), "cpu", Catalogue(settings), settings)


def run(inpainter, prompt: str, *embeddings: str, **params):
    request = a_working_request(num_inference_steps=2, prompt=prompt, embeddings=embeddings, **params)
    return inpainter.inpaint(request, lambda report: None)


def painted(inpainter, prompt: str, *embeddings: str, **params) -> str:
    return pixels_sha256(run(inpainter, prompt, *embeddings, **params).image)


def test_a_word_is_read_as_the_vectors_and_the_next_picture_has_none_of_them(inpainter):
    as_word = painted(inpainter, "a oil, big")

    as_vectors = painted(inpainter, "a oil, big", "Oil")

    assert as_vectors != as_word
    assert painted(inpainter, "a oil, big") == as_word
    assert painted(inpainter, "a <OIL>, big", "Oil") == as_vectors


@pytest.mark.slow
def test_it_comes_to_the_very_picture_that_diffusers_own_loader_makes(inpainter, model, settings):
    other = load(str(model), "cpu", Catalogue(settings), settings)
    other._pipe.load_textual_inversion(str(settings.models / "embeddings" / "Oil.safetensors"), token="<oil>")

    assert painted(inpainter, "a oil, big", "Oil") == painted(other, "a <oil>, big")
    assert painted(inpainter, "a ball", "Oil", negative_prompt="oil") == painted(
        other, "a ball", negative_prompt="<oil>"
    )


@pytest.mark.slow
def test_with_prompt_weights_it_is_what_compel_makes_of_all_its_vectors(inpainter, model, settings):
    from compel import Compel, DiffusersTextualInversionManager

    other = load(str(model), "cpu", Catalogue(settings), settings)._pipe
    other.load_textual_inversion(str(settings.models / "embeddings" / "Oil.safetensors"), token="<oil>")
    compel = Compel(
        tokenizer=other.tokenizer,
        text_encoder=other.text_encoder,
        textual_inversion_manager=DiffusersTextualInversionManager(other),
    )

    pipe = inpainter._pipe
    params = InpaintParams(prompt="a (oil)1.4 b", embeddings=["Oil"], prompt_weights=True, guidance_scale=1)
    found = embeddings(params, NamedFiles.watched(settings, FileKind.EMBEDDING), {}, pipe)
    with Reading().of(pipe, found, params) as (read, _):
        ours = prompts.embedded(pipe, read)["prompt_embeds"]

    assert (ours - compel("a (<oil>)1.4 b")).abs().max() < 1e-6
    assert painted(inpainter, "a (oil)1.4 b", "Oil", prompt_weights=True) != painted(
        inpainter, "a (oil)1.2 b", "Oil", prompt_weights=True
    )


@pytest.mark.slow
def test_both_text_encoders_of_xl_read_their_own_vectors(xl):
    as_word = painted(xl, "a xl b")

    as_vectors = painted(xl, "a xl b", "xl")

    assert as_vectors != as_word
    assert painted(xl, "a xl b") == as_word
    assert painted(xl, "a (xl)1.3 b", "xl", prompt_weights=True) not in (as_word, as_vectors)


def test_the_record_tells_the_file_and_counts_each_vector_as_a_token(inpainter, settings):
    file = settings.models / "embeddings" / "many.safetensors"
    record = run(inpainter, "a many, ball", "many").record

    [recorded] = record["embeddings"]
    assert recorded["sha256"].startswith("sha256:")
    assert {**recorded, "sha256": ""} == {
        "name": "many",
        "sha256": "",
        "bytes": file.stat().st_size,
        "vectors": 100,
    }
    read = LONGEST_PROMPT - 2
    assert record["prompt_cut_tokens"] == len("a") + 100 + len(",ball") - read
    assert record["prompt_cut"] == "many, ball"
    assert "embeddings" not in run(inpainter, "a many").record


def test_the_page_counts_as_the_text_encoder_reads(inpainter, model, settings):
    params = InpaintParams(model=str(model), prompt="a Oil", embeddings=["Oil"], guidance_scale=1)

    def tokens(**changes) -> int:
        return Catalogue(settings).prompt_lengths(params.changed(**changes))["prompt"].tokens

    assert tokens() == len("a") + 3
    assert tokens(prompt="many", embeddings=["many"]) == 100
    assert tokens(prompt="many") == len("many")


@pytest.mark.slow
def test_a_long_prompt_never_divides_one_that_fits(inpainter):
    prompt = "a b c, d e f g h i j k l m n o p q r Oil, end"
    whole = run(inpainter, prompt, "Oil", long_prompt=True)

    assert whole.record["prompt_tokens"] > LONGEST_PROMPT - 2
    assert pixels_sha256(whole.image) != painted(inpainter, prompt, long_prompt=True)


@pytest.mark.slow
def test_an_embedding_of_another_width_or_with_too_many_vectors_is_refused(inpainter, xl, settings):
    write_embedding(settings.models / "embeddings" / "huge.safetensors", 501)
    before = painted(inpainter, "a")
    for name, words in {
        "ink-2": "made for Stable Diffusion 1, and this model reads vectors 16 wide",
        "xl": "this model reads vectors 16 wide",
        "huge": "it has 501 vectors, and at most 500 are read",
        "nowhere": "nowhere.safetensors is not on this machine",
    }.items():
        with pytest.raises(InvalidEmbedding, match=words):
            painted(inpainter, f"a {name}", name)
    with pytest.raises(InvalidEmbedding, match="reads vectors 16 and 16 wide"):
        painted(xl, "a oil", "Oil")

    assert painted(inpainter, "a") == before


def test_what_is_no_number_is_refused(inpainter, settings):
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"emb_params": np.full((1, 16), np.nan, np.float32)}, settings.models / "embeddings" / "nan.safetensors")

    with pytest.raises(InvalidEmbedding, match="holds what is no number"):
        painted(inpainter, "a nan", "nan")


@pytest.mark.slow
def test_a_family_without_clip_takes_none(transformer):
    with pytest.raises(InvalidEmbedding, match="FLUX.1 models read no embeddings"):
        transformer("FLUX.1").inpaint(a_working_request(prompt="oil", embeddings=["Oil"]), lambda report: None)


@pytest.mark.slow
def test_a_sign_of_the_private_area_in_a_prompt_is_no_vector_of_an_earlier_one(inpainter):
    painted(inpainter, "many", "many")

    assert painted(inpainter, "a oil" + chr(0xF0050), "Oil") == painted(inpainter, "a oil", "Oil")


@pytest.mark.slow
def test_beside_a_controlnet_and_clip_skip_it_is_read_as_well_and_nothing_stays(four, tmp_path):
    net = write(tmp_path / "canny.safetensors", net_for(four._pipe.unet, 1))
    oil = write_embedding(tmp_path / "oil.safetensors", 3)

    def guided(**params) -> bytes:
        return of_control(four, a_guided_request(net, prompt="a oil", clip_skip=2, **params))

    as_word, as_vectors = guided(), guided(embeddings=[str(oil)])

    assert as_vectors != as_word
    assert guided() == as_word
    assert guided(embeddings=[str(oil)]) == as_vectors
