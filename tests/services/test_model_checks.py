"""What is known of the bytes of models' files: kept from process to process, and read anew by a worker."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.bootstrap import build_studio
from core.domain.errors import InvalidInput, UnknownModel
from core.domain.worker import DEAD_AFTER
from core.engine.models import fingerprint
from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from core.services.model_checks import ModelChecks
from tests import models_folder as make


@pytest.fixture(autouse=True)
def _keep_nothing_for_others():
    yield
    fingerprint.keep_in(fingerprint._InMemory())


@pytest.fixture
def checks(studio, settings, monkeypatch) -> ModelChecks:
    monkeypatch.setattr("core.services.model_checks.WRITE_EVERY_S", 0)
    catalogue = Catalogue(settings)
    library = replace(
        studio.library, store=LocalModels(settings, catalogue, cache=settings.data / "hub"), catalogue=catalogue
    )
    return replace(studio.model_checks, models=library)


@pytest.fixture
def file(settings) -> Path:
    return make.lora(settings.models / "loras" / "ink.safetensors")


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The files whose bytes are read, each time."""
    reads: list[Path] = []
    read = fingerprint.read

    def noted(path, *given):
        reads.append(path)
        return read(path, *given)

    monkeypatch.setattr(fingerprint, "read", noted)
    return reads


def sha256(file: Path) -> str:
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


def exchange(file: Path) -> None:
    """Other bytes; the same size, time and inode."""
    before = file.stat()
    with file.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        opened.write(b"\x01")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


# Hashes that are kept --------------------------------------------------------------------------------------------


def test_a_file_is_read_once_also_by_the_processes_that_follow(studio, settings, inpainter, file, reads):
    first = fingerprint.of_file(file)
    build_studio(settings, lambda *a, **k: inpainter)
    again = fingerprint.of_file(file)

    assert first == again == sha256(file)
    assert reads == [file]


def test_what_a_worker_has_read_the_models_page_knows(checks, file):
    fingerprint.of_file(file)

    assert checks.models.find("ink").sha256 == sha256(file)


def test_what_was_verified_is_not_read_again_to_paint_with_it(checks, file, reads):
    checks.models.verify("ink")
    reads.clear()

    assert fingerprint.of_file(file) == sha256(file)
    assert reads == []


def test_a_link_leads_to_the_hash_of_its_file(checks, settings, file, reads):
    link = settings.models / "loras" / "link.safetensors"
    link.symlink_to(file)

    assert fingerprint.of_file(link) == fingerprint.of_file(file)
    assert len(reads) == 1
    assert checks.models.find("link").sha256 == checks.models.find("ink").sha256 == sha256(file)


@pytest.mark.parametrize("what", ["time", "size", "inode"])
def test_a_file_that_was_changed_is_read_again(studio, file, reads, what):
    before = fingerprint.of_file(file)
    if what == "time":
        exchange(file)
        os.utime(file, ns=(1, 1))
    elif what == "size":
        file.write_bytes(file.read_bytes() + b"\x00")
    else:
        copy = file.with_suffix(".copy")
        copy.write_bytes(file.read_bytes())
        exchange(copy)
        os.utime(copy, ns=(file.stat().st_mtime_ns,) * 2)
        copy.replace(file)

    assert fingerprint.of_file(file) == sha256(file) != before
    assert len(reads) == 2


def test_other_bytes_of_the_same_size_and_time_are_found_by_verify_alone(checks, file):
    before = fingerprint.of_file(file)
    exchange(file)
    assert fingerprint.of_file(file) == before, "the limit: nothing tells without reading it"

    verified = checks.models.verify("ink")

    assert verified.is_as_before is False
    assert fingerprint.of_file(file) == verified.sha256 == sha256(file)


def test_a_hash_that_was_kept_before_inodes_were_counts(studio, file, reads):
    repo = studio.library.repo
    fingerprint.of_file(file)
    hashed = repo.hashed(str(file))
    repo.keep_hash(str(file), replace(hashed, state=replace(hashed.state, inode=None)))

    fingerprint.of_file(file)

    assert len(reads) == 1


def test_a_file_that_changes_while_it_is_read_has_no_hash_to_keep(studio, file, monkeypatch):
    read = fingerprint.read
    monkeypatch.setattr(fingerprint, "read", lambda path: (read(path), os.utime(path, ns=(2, 2)))[0])

    fingerprint.of_file(file)

    assert studio.library.repo.hashed(str(file)) is None


# Verified by a worker --------------------------------------------------------------------------------------------


def test_what_is_asked_for_waits_for_a_worker_and_tells_how_far_it_is(checks, file):
    checks.ask("ink")
    checks.ask(str(file))
    assert checks.models.find("ink").checked.verifying.done_bytes == 0
    seen = []

    def look() -> bool:
        seen.append(checks.models.find("ink").checked.verifying.done_bytes)
        return False

    assert checks.run_next(look)
    assert not checks.run_next(), "asked twice, it is read once"

    checked = checks.models.find("ink").checked
    assert seen == [0]
    assert checked.verifying is None
    assert checked.verified.sha256 == sha256(file)
    assert "Its hash is kept" in checked.verified.words


def test_an_exchanged_file_is_told_by_the_row_until_it_is_verified_again(checks, file):
    checks.models.verify("ink")
    exchange(file)
    checks.ask("ink")
    checks.run_next()
    assert checks.models.find("ink").checked.verified.is_as_before is False

    checks.ask("ink")

    assert checks.models.find("ink").checked.verified is None


def test_a_file_that_cannot_be_read_ends_in_a_sentence(checks, file):
    checks.ask("ink")
    file.unlink()

    assert checks.run_next()

    assert not checks.repo.is_any_asked()
    file.write_bytes(b"")
    assert "not on this machine any more" in checks.models.find("ink").checked.verified.words


def test_nothing_is_read_while_the_worker_paints(checks, file, reads):
    checks.ask("ink")
    busy, done = [True, True, False], []
    read = checks.models.store.hashes

    def hashes(found, on_progress):
        on_progress(1, 100)
        done.append(len(busy))
        return read(found, on_progress)

    checks.models.store.hashes = hashes

    checks.run_next(lambda: bool(busy) and busy.pop(0))

    assert done == [0], "it went on when there was nothing better to do"


def test_one_that_was_given_up_stops_in_the_middle_and_keeps_no_hash(checks, file):
    checks.ask("ink")

    assert checks.run_next(lambda: checks.cancel("ink"))

    checked = checks.models.find("ink").checked
    assert (checked.hashed, checked.verifying, checked.verified) == (None, None, None)


def test_what_a_worker_leaves_behind_is_read_by_the_next(checks, file):
    checks.ask("ink")
    assert checks.run_next(checks.halt), "told to end in the middle of it"
    assert checks.repo.is_any_asked()
    path, now = str(file), checks.now()
    assert checks.repo.claim_next("it is killed", now) == path
    assert checks.repo.claim_next("too soon", now) is None

    assert checks.repo.claim_next("the next", now + 2 * DEAD_AFTER) == path
    assert not checks.repo.beat(path, "it is killed", now, 5)


def test_what_has_no_files_or_is_not_there_is_refused(checks):
    with pytest.raises(InvalidInput, match="no files"):
        checks.ask("content-fill")
    with pytest.raises(UnknownModel):
        checks.ask("nothing")
