"""What every ModelCatalogue promises: the stand-in of the tests, and the real one with a hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.domain.errors import UnknownModel
from core.domain.model import ModelSpec
from core.domain.model_file import Base
from core.domain.params import InpaintParams
from core.engine.models.catalogue import Catalogue
from core.engine.models.table import MODELS
from core.ports import ModelCatalogue
from core.settings import Settings
from tests.engine.loopback_hub import LoopbackHub, serving
from tests.engine.tiny import save_pipeline
from tests.fakes import REMOTE, FakeCatalogue


@dataclass(frozen=True)
class Subject:
    """bundled: a model that is here from the start. remote: one of the list that has to be downloaded."""

    catalogue: ModelCatalogue
    bundled: str = "pocket-inpaint"
    remote: str = REMOTE.key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pipeline; what the hub has to offer."""
    return save_pipeline(tmp_path_factory.mktemp("model"))


@pytest.fixture(params=["stand-in", "real"])
def subject(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Iterator[Subject]:
    if request.param == "stand-in":
        yield Subject(FakeCatalogue())
        return
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    settings = Settings(_env_file=None, data=tmp_path / "data", device="cpu", HF_TOKEN=None)
    remote = ModelSpec("tiny", "Tiny", "On the hub.", 64, repository="somebody/tiny-inpainting")
    with serving(LoopbackHub()) as hub:
        hub.add("somebody/tiny-inpainting", request.getfixturevalue("folder"))
        yield Subject(
            Catalogue(
                settings, models=[*MODELS, remote], cache=tmp_path / "cache", endpoint=hub.address, dtype="float32"
            ),
            remote="tiny",
        )


def ignore(done: int, total: int) -> None:
    pass


def params(model: str, **values) -> InpaintParams:
    return InpaintParams(model=model, prompt="a cat", **values)


def test_what_is_listed_is_found_by_its_key_and_recommends_what_can_be_chosen(subject):
    listed = subject.catalogue.listed()

    assert len({spec.key for spec in listed}) == len(listed) > 1
    for spec in listed:
        assert subject.catalogue.find(spec.key) == spec
        assert InpaintParams(model=spec.key, **spec.recommended).model == spec.key
        assert set(spec.unused) <= set(InpaintParams.model_fields)


def test_a_model_is_here_from_the_start_and_others_are_not(subject):
    assert subject.catalogue.is_ready(subject.bundled)
    assert not subject.catalogue.is_ready(subject.remote)


@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_hub_id_is_found_under_its_own_key_though_nobody_has_asked_the_hub(subject, revision):
    found = subject.catalogue.find(f"somebody/else{revision}")

    assert (found.key, found.repository) == (f"somebody/else{revision}", "somebody/else")
    assert not subject.catalogue.is_ready(found.key)


@pytest.mark.parametrize("key", ["", "no such model", "nobody", "a/b/c", "owner/name@", "../models", "owner/"])
def test_what_names_no_model_is_unknown_to_every_question(subject, key):
    catalogue = subject.catalogue

    for ask in (catalogue.find, catalogue.is_ready, catalogue.vocabulary, lambda key: catalogue.download(key, ignore)):
        with pytest.raises(UnknownModel):
            ask(key)


def test_prompts_of_a_model_that_is_named_by_nothing_are_unknown_too(subject):
    with pytest.raises(UnknownModel):
        subject.catalogue.prompt_lengths(params("no such model"))


def test_only_a_model_of_few_words_has_a_vocabulary(subject):
    vocabulary = subject.catalogue.vocabulary(subject.bundled)

    assert vocabulary.objects
    assert vocabulary.knows(f"a {next(iter(vocabulary.objects))}")
    assert subject.catalogue.vocabulary(subject.remote) is None


def test_how_much_of_a_prompt_is_read_is_told_of_models_that_are_here_only(subject):
    long = params(subject.bundled, negative_prompt="dog " * 500)

    lengths = subject.catalogue.prompt_lengths(long)

    assert set(lengths) == {"prompt", "negative_prompt"}
    assert (lengths["prompt"].is_cut, lengths["prompt"].unread) == (False, "")
    assert lengths["negative_prompt"].is_cut
    assert "dog" in lengths["negative_prompt"].unread
    assert subject.catalogue.prompt_lengths(params(subject.remote)) == {}


def test_a_download_tells_how_far_it_is_and_makes_the_model_ready(subject):
    seen = []

    subject.catalogue.download(subject.remote, lambda done, total: seen.append((done, total)))

    assert subject.catalogue.is_ready(subject.remote)
    done, totals = [done for done, _ in seen], [total for _, total in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, totals[-1])
    assert subject.catalogue.prompt_lengths(params(subject.remote)) != {}


class Stopped(Exception):
    """Nothing that a catalogue knows."""


def test_what_on_progress_raises_ends_the_download_and_the_next_one_brings_the_rest(subject):
    def stop(done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        subject.catalogue.download(subject.remote, stop)
    assert not subject.catalogue.is_ready(subject.remote)

    subject.catalogue.download(subject.remote, ignore)

    assert subject.catalogue.is_ready(subject.remote)


def test_to_give_up_the_download_of_what_is_here_or_was_never_begun_changes_nothing(subject):
    for key in (subject.bundled, subject.remote):
        subject.catalogue.discard_download(key)

    assert subject.catalogue.is_ready(subject.bundled)


def test_to_download_what_is_here_changes_nothing(subject):
    subject.catalogue.download(subject.bundled, ignore)

    assert subject.catalogue.is_ready(subject.bundled)


def test_which_loras_can_fit_is_told_where_the_files_tell_it_and_refused_for_what_is_no_model(subject):
    assert subject.catalogue.bases(subject.bundled) in (None, [Base.POCKET])
    assert subject.catalogue.bases(subject.remote) is None
    with pytest.raises(UnknownModel):
        subject.catalogue.bases("no such model")
