"""python -m core models."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.domain.download import DownloadStatus
from core.domain.errors import NoNetwork
from core.domain.model import ModelSpec
from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from tests import models_folder as make
from tests.fakes import REMOTE


@pytest.fixture
def models(run, studio, settings, tmp_path, monkeypatch):
    """models("list", ...): the output of the command, and each of its lines that is JSON."""
    monkeypatch.setattr("core.cli.models.LOOK_EVERY_S", 0.01)
    store = LocalModels(settings, Catalogue(settings, cache=tmp_path / "hub"), cache=tmp_path / "hub")
    mine = replace(studio, library=replace(studio.library, store=store))

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
    assert "fits: needs about" in output
    assert "Pocket" in output


def test_prepared_copies_are_told_by_their_size_and_deleted(models, settings):
    settings.prepared.mkdir()
    for name in ("a", "b"):
        (settings.prepared / f"{name}.safetensors").write_bytes(bytes(1_500_000))

    said, _ = models("prepared")
    _, [deleted] = models("prepared", "--delete", "--json")
    _, [left] = models("prepared", "--json")

    assert "The prepared copies take 3 MB" in said
    assert deleted == {"bytes": 3_000_000, "deleted": True}
    assert left == {"bytes": 0, "deleted": False}
    assert list(settings.prepared.iterdir()) == []


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


def test_a_model_is_downloaded_by_the_command_where_no_worker_is_running(models, studio):
    _, [done] = models("download", REMOTE.key, "--json")
    again, _ = models("download", REMOTE.key)

    assert done == {"model": REMOTE.key, "ready": True, "status": "ready"}
    assert f"{REMOTE.key} is ready" in again
    assert studio.models.downloads == [REMOTE.key]


def test_what_a_draft_wants_is_downloaded_paused_and_given_up_like_a_model(models, studio, monkeypatch):
    taesd = ModelSpec("taesd", "TAESD", "Small.", 512, repository="somebody/taesd", place="vae/taesd.safetensors")
    monkeypatch.setattr(studio.models, "added", [taesd])
    studio.downloads.ask("taesd")

    _, [paused] = models("download", "taesd", "--pause", "--json")
    _, [cancelled] = models("download", "taesd", "--cancel", "--json")
    _, [done] = models("download", "taesd", "--json")

    assert (paused["status"], cancelled["status"], done["status"]) == ("paused", "cancelled", "ready")
    assert studio.models.discarded == studio.models.downloads == ["taesd"]


def test_a_running_worker_is_left_to_do_it(models, studio, monkeypatch):
    studio.presence.begin()
    looks, get = [], studio.downloads.repo.get

    def look(model):
        looks.append(model)
        if len(looks) == 3:
            studio.downloads.run_next()
        return get(model)

    monkeypatch.setattr(studio.downloads.repo, "get", look)
    output, _ = models("download", REMOTE.key)
    studio.presence.end()

    assert "is ready" in output
    assert len(looks) > 3


def test_a_download_that_fails_says_why(models, studio):
    studio.models.error = NoNetwork("The hub cannot be reached.")

    output, _ = models("download", REMOTE.key, code=1)

    assert "The hub cannot be reached." in output


def test_what_waits_is_paused_gone_on_with_and_cancelled(models, studio):
    studio.downloads.ask(REMOTE.key)

    assert "is paused" in models("download", REMOTE.key, "--pause")[0]
    assert "is cancelled" in models("download", REMOTE.key, "--cancel")[0]
    assert studio.downloads.unfinished() == []
    models("download", REMOTE.key, "--pause", "--cancel", code=2)


def test_an_interrupted_command_leaves_its_download_paused(models, studio, monkeypatch):
    begun = threading.Event()

    def endless(key, on_progress):
        while True:
            on_progress(10, 100)
            begun.set()
            time.sleep(0.01)

    def interrupt(seconds):
        if begun.wait(10):
            raise KeyboardInterrupt

    monkeypatch.setattr(studio.models, "download", endless)
    monkeypatch.setattr("core.cli.models.time", SimpleNamespace(sleep=interrupt))
    models("download", REMOTE.key, code=130)

    assert studio.downloads.get(REMOTE.key).status is DownloadStatus.PAUSED
