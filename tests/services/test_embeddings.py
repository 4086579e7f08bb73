"""Embeddings before anything is queued: which words of the prompts are names of files, and which a model reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.embedding import replaced, words_in
from core.domain.errors import InvalidEmbedding
from core.domain.model import ModelSpec
from core.domain.model_file import Base, FileKind
from core.domain.params import InpaintParams
from core.engine.models.named_files import NamedFiles
from core.services.embeddings import Embeddings
from tests.embeddings import write_embedding
from tests.loras import write_lora
from tests.services.test_loras import CatalogueOf

OF_XL = ("clip_l", "clip_g")


@pytest.fixture
def folder(tmp_path) -> Path:
    write_embedding(tmp_path / "Oil.safetensors", width=768)
    write_embedding(tmp_path / "sd15" / "bad hands.safetensors", 8, width=768)
    write_embedding(tmp_path / "xl" / "bad hands.safetensors", 8, width=1280, names=OF_XL)
    write_embedding(tmp_path / "bad.safetensors", width=1280, names=OF_XL)
    write_lora(tmp_path / "ink.safetensors")
    (tmp_path / "old.pt").write_bytes(b"\x80\x02")
    return tmp_path


def of(folder: Path, *bases: Base | None, unused: tuple[str, ...] = ()) -> Embeddings:
    spec = ModelSpec("m", "Some model", "", 512, unused=unused)
    return Embeddings(NamedFiles(FileKind.EMBEDDING, lambda: [folder]), CatalogueOf(spec, *bases))


def found(folder: Path, prompt: str, *bases: Base | None, **params) -> tuple[str, ...]:
    return of(folder, *bases).resolved(InpaintParams(model="m", prompt=prompt, **params)).embeddings


def test_a_name_is_a_whole_word_in_either_case_in_both_prompts_and_within_weights(folder):
    assert found(folder, "in oil, (BAD HANDS)1.3", Base.SD1) == ("Oil", "sd15/bad hands")
    assert found(folder, "a ball", Base.SD1, negative_prompt="<oil>") == ("Oil",)
    assert found(folder, "oily, oil2, turmoil", Base.SD1) == ()
    assert found(folder, "a ball <lora:oil:1>", Base.SD1) == ()


def test_of_files_of_one_name_the_one_for_this_model_is_taken(folder):
    assert found(folder, "bad hands", Base.SDXL) == ("xl/bad hands",)
    assert found(folder, "bad hands", Base.SD1) == ("sd15/bad hands",)


def test_the_name_of_one_for_another_model_is_a_word_but_not_in_brackets(folder):
    named = of(folder, Base.SD1).named(InpaintParams(model="m", prompt="a bad oil"))

    assert [file.name for file in named.read] == ["Oil"]
    assert named.notes == (
        "“bad” is read as a word. Embedding: bad.safetensors was made for Stable Diffusion XL, and this model is "
        "Stable Diffusion 1. Choose one that was made for this model.",
    )
    with pytest.raises(InvalidEmbedding, match=r"bad.safetensors was made for Stable Diffusion XL"):
        found(folder, "a <bad> oil", Base.SD1)


def test_what_cannot_be_read_is_told_and_a_sign_of_less_or_more_is_text(folder):
    named = of(folder, Base.SD1).named(InpaintParams(model="m", prompt="old ink <3, a <b> c"))

    assert [note.partition(". ")[0] for note in named.notes] == [
        "“old” is read as a word",
        "“ink” is read as a word",
    ]
    assert "can run code" in named.notes[0]
    assert "is not an embedding" in named.notes[1]
    assert found(folder, "a <b> c", Base.SD1) == ()


def test_one_that_a_record_names_and_that_is_gone_is_no_word_as_long_as_its_name_stands_there(folder):
    with pytest.raises(InvalidEmbedding, match=r"gone.safetensors is not on this machine. Put it into .*/embeddings"):
        found(folder, "a gone oil", Base.SD1, embeddings=["style/gone"])

    assert found(folder, "an oil", Base.SD1, embeddings=["gone"]) == ("Oil",)


def test_a_model_that_takes_none_reads_words(folder):
    params = InpaintParams(model="m", prompt="<oil>", embeddings=["Oil"])

    assert of(folder, Base.SD1, unused=("embeddings",)).resolved(params).embeddings == ()
    assert of(folder, Base.SD1, unused=("embeddings",)).for_model("m") == ()
    assert [file.name for file in of(folder, Base.SD1).for_model("m")] == ["Oil", "sd15/bad hands"]


@given(st.text("ab <>,-(", max_size=30))
def test_what_is_no_name_stays_as_it_was_written(text):
    words = ("a", "a b", "b-a")

    assert replaced(text, dict.fromkeys(words, "#")).count("#") >= len(words_in(text, words))
    if not words_in(text, words):
        assert replaced(text, dict.fromkeys(words, "#")) == text
