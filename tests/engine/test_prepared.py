"""Weights as int8 that are kept on the disk: made once, the same to the bit, noticed when damaged, never half there."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from core.domain.errors import DamagedModel
from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.engine.storage import prepared
from core.engine.storage.int8 import Int8
from tests.engine.tiny import a_working_request
from tests.loras import write_lora

LAYOUT = {"scale": ("BF16", (3,)), "weight": ("I8", (3, 5))}


@pytest.fixture
def kept_in_int8(settings, models):
    def make(folder=None, dtype="int8+float32"):
        folder = folder or models(in_channels=9)
        return load(str(folder), "cpu", Catalogue(settings), settings, dtype=dtype)

    return make


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "prepared" / "a.safetensors"


def painted(inpainter, **params):
    return inpainter.inpaint(a_working_request(num_inference_steps=2, **params), lambda report: None).image.tobytes()


def made():
    import torch

    yield "weight", torch.arange(15, dtype=torch.int8).view(3, 5)
    yield "scale", torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)


def never():
    raise AssertionError("made again")
    yield


def values(found):
    return {name: tensor.tolist() for name, tensor in found.items()}


EXPECTED = {"scale": [1.0, 2.0, 3.0], "weight": [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]}


def test_what_was_made_once_is_read_from_the_file_the_next_time(file):
    assert values(prepared.tensors(LAYOUT, made, file)) == EXPECTED
    assert values(prepared.tensors(LAYOUT, never, file)) == EXPECTED
    assert os.listdir(file.parent) == [file.name]


def test_other_programs_can_read_it(file):
    from safetensors.torch import load_file

    prepared.tensors(LAYOUT, made, file)

    assert values(load_file(file)) == EXPECTED


def test_without_a_file_it_is_made_in_memory():
    assert values(prepared.tensors(LAYOUT, made, None)) == EXPECTED


@pytest.mark.parametrize("change", ["a bit", "an end", "nothing", "another layout"])
def test_a_damaged_one_is_noticed_and_made_anew(file, change):
    prepared.tensors(LAYOUT, made, file)
    content = file.read_bytes()
    if change == "a bit":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 4]))
    elif change == "an end":
        file.write_bytes(content[:-1])
    elif change == "nothing":
        file.write_bytes(b"")
    else:
        file.unlink()
        prepared.tensors({**LAYOUT, "more": ("I8", (1,))}, lambda: [*made(), ("more", next(made())[1][0, :1])], file)

    assert values(prepared.tensors(LAYOUT, made, file)) == EXPECTED
    assert values(prepared.tensors(LAYOUT, never, file)) == EXPECTED


def test_where_the_disk_has_no_room_to_spare_it_is_made_in_memory(file, monkeypatch):
    monkeypatch.setattr(prepared, "LEFT_FREE", 10**18)

    assert values(prepared.tensors(LAYOUT, made, file)) == EXPECTED
    assert os.listdir(file.parent) == []


@pytest.mark.skipif(os.name == "nt", reason="needs a system with /dev/full's kind of error")
def test_a_disk_that_is_full_in_the_middle_leaves_nothing_behind(file, monkeypatch):
    def fail(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    assert values(prepared.tensors(LAYOUT, made, file)) == EXPECTED
    assert os.listdir(file.parent) == []


def test_what_cannot_be_made_is_told_and_leaves_nothing_behind(file):
    def damaged():
        yield next(made())
        raise DamagedModel

    with pytest.raises(DamagedModel):
        prepared.tensors(LAYOUT, damaged, file)

    assert os.listdir(file.parent) == []


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(file):
    file.parent.mkdir()
    old, new = file.with_name("b-1.part"), file.with_name("c-2.part")
    for part in (old, new):
        part.write_bytes(b"begun")
    os.utime(old, (time.time() - 2 * prepared.OLD_S,) * 2)

    prepared.tensors(LAYOUT, made, file)

    assert sorted(os.listdir(file.parent)) == [file.name, new.name]


def test_all_of_them_can_be_removed_while_they_are_used(file):
    found = prepared.tensors(LAYOUT, made, file)
    size = file.stat().st_size

    assert prepared.remove(file.parent) == size
    assert prepared.files(file.parent) == []
    assert values(found) == EXPECTED


def test_a_model_is_prepared_once_for_both_types_and_paints_the_same_as_from_memory(
    settings, models, kept_in_int8, monkeypatch
):
    folder = models(in_channels=9)
    first = painted(kept_in_int8(folder))
    [file] = prepared.files(settings.prepared)
    state = file.stat()

    assert painted(kept_in_int8(folder)) == first
    kept_in_int8(folder, "int8+bfloat16")

    assert prepared.files(settings.prepared) == [file]
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (state.st_ino, state.st_mtime_ns)
    prepared.remove(settings.prepared)
    monkeypatch.setattr(prepared, "LEFT_FREE", 10**18)
    assert painted(kept_in_int8(folder)) == first
    assert prepared.files(settings.prepared) == []


def test_other_weights_are_prepared_for_themselves(settings, tmp_path, kept_in_int8):
    from tests.engine.tiny import save_pipeline

    for seed in (1, 2):
        kept_in_int8(save_pipeline(tmp_path / f"model {seed}", seed=seed))

    assert len(prepared.files(settings.prepared)) == 2


def test_a_lora_is_added_to_what_is_mapped_and_taken_off_again(settings, kept_in_int8):
    write_lora(settings.models / "loras" / "ink.safetensors", seed=2)
    kept_in_int8()
    inpainter = kept_in_int8()
    plain = painted(inpainter)

    assert painted(inpainter, loras=["ink:1"]) != plain
    assert painted(inpainter) == plain
    assert any(isinstance(module, Int8) for module in inpainter._pipe.unet.modules())
