"""python -m core models."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from tests import models_folder as make
from tests.fakes import FakeCatalogue


@pytest.fixture
def models(run, studio, settings, tmp_path):
    """models("list", ...): the output of the command, and each of its lines that is JSON."""
    store = LocalModels(settings, Catalogue(settings, cache=tmp_path / "hub"), cache=tmp_path / "hub")
    mine = replace(studio, library=replace(studio.library, store=store), models=FakeCatalogue())

    def models(*arguments, code=0):
        result = run("models", *arguments, code=code, studio=mine)
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return result.output, lines

    return models


def test_the_list_names_each_model_with_what_it_is_and_where(models, settings):
    file = make.lora(settings.models / "loras" / "ink.safetensors", **{"modelspec.trigger_phrase": "ink wash"})
    make.checkpoint(settings.models / "checkpoints" / "dream.safetensors")

    output, _ = models("list")

    assert "ink: LoRA for Stable Diffusion 1, " in output
    assert str(file) in output.replace("\n", "")
    assert "trigger words: ink wash" in output
    assert "dream: checkpoint for Stable Diffusion 1, " in output
    assert "fits into memory: needs about" in output
    assert "Pocket" in output


def test_the_list_is_narrowed_by_kind_and_words(models, settings):
    make.lora(settings.models / "loras" / "ink.safetensors")
    make.lora(settings.models / "loras" / "oil.safetensors")

    _, loras = models("list", "--kind", "lora", "--json")
    _, found = models("list", "--search", "OIL diffusion", "--json")

    assert [line["title"] for line in loras] == ["ink", "oil"]
    assert [(line["title"], line["kind"], line["family"]) for line in found] == [("oil", "lora", "Stable Diffusion 1")]


def test_a_file_is_added_verified_and_removed(models, settings, tmp_path):
    file = make.lora(tmp_path / "ink.safetensors")

    _, [added] = models("add", file, "--json")
    _, [verified] = models("verify", "ink", "--json")
    _, [listed] = models("list", "--kind", "lora", "--json")
    refused, _ = models("remove", "ink", code=2)
    _, [removed] = models("remove", "ink", "--yes", "--json")

    assert added["path"] == str(settings.models / "loras" / "ink.safetensors")
    assert added["sha256"] is None
    assert listed["sha256"] == verified["sha256"]
    assert "Nothing was deleted: add --yes" in " ".join(refused.split())
    assert removed["freed_bytes"] == file.stat().st_size
    assert models("list", "--kind", "lora", "--json")[1] == []


@pytest.mark.parametrize("command", [["add", "nowhere.safetensors"], ["verify", "nothing"], ["remove", "nothing"]])
def test_what_is_not_there_ends_in_a_sentence(models, command):
    output, _ = models(*command, code=2)

    assert "does not exist" in output or "There is no model nothing" in output
