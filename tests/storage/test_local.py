"""Pictures in a folder, by the hash of their pixels."""

from __future__ import annotations

import errno
import os

import pytest
from PIL import Image

from core import memory
from core.domain.errors import OutOfMemory, StorageFull, StoredImageDamaged, StoredImageMissing
from core.domain.hashing import pixels_sha256
from core.storage.local import LocalImageStore
from tests.conftest import a_mask, a_picture


@pytest.fixture
def store(tmp_path) -> LocalImageStore:
    return LocalImageStore(tmp_path / "images")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_a_picture_comes_back_with_every_bit(store, mode):
    key = store.put(a_picture(mode=mode))

    back = store.get(key)
    assert (back.mode, back.tobytes()) == (mode, a_picture(mode=mode).tobytes())


def test_a_mask_and_a_colour_profile_come_back_too(store):
    picture = a_picture()
    picture.info["icc_profile"] = b"profile" * 20

    assert store.get(store.put(picture)).info["icc_profile"] == b"profile" * 20
    assert store.get(store.put(a_mask().to_image())).tobytes() == a_mask().to_image().tobytes()


def test_equal_pixels_are_kept_once(store):
    assert store.put(a_picture()) == store.put(a_picture()) == pixels_sha256(a_picture())
    assert len([p for p in store.folder.rglob("*") if p.is_file()]) == 1


def test_pictures_of_another_shape_with_the_same_bytes_have_another_key():
    assert pixels_sha256(Image.new("RGB", (20, 30))) != pixels_sha256(Image.new("RGB", (30, 20)))


def test_a_changed_file_is_noticed(store):
    key = store.put(a_picture())
    Image.new("RGB", (96, 64)).save(store.path(key), "PNG")

    with pytest.raises(StoredImageDamaged):
        store.get(key)


def test_a_missing_file_is_told_in_words(store):
    key = store.put(a_picture())
    store.path(key).unlink()

    with pytest.raises(StoredImageMissing):
        store.get(key)
    assert not store.has(key)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "sha256:../x", "sha256:" + "a" * 64 + "./../x", "a" * 63])
def test_a_key_that_is_none_never_becomes_a_path(store, key):
    with pytest.raises(StoredImageMissing):
        store.read_file(key)


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folders")
def test_what_is_stored_survives_a_power_cut_with_its_name(store, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))

    path = store.path(store.put(a_picture()))

    assert synced == [at.stat().st_ino for at in (path, path.parent, store.folder)]


def test_a_full_disk_leaves_nothing_half_written(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageFull):
        store.put(a_picture())
    assert [p for p in store.folder.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("moment", ["before it goes", "after it went"])
def test_a_picture_stored_while_somebody_removes_it_is_there_afterwards(store, monkeypatch, moment):
    key = store.put(a_picture())
    os.utime(store.path(key), (0, 0))
    replace, others = os.replace, [moment]

    def replace_in_two_processes(old, new):
        is_first = bool(others) and others.pop()
        if is_first == "before it goes":
            store.put(a_picture())
        replace(old, new)
        if is_first == "after it went":
            store.put(a_picture())

    monkeypatch.setattr(os, "replace", replace_in_two_processes)
    store.remove(key, settled_s=60)

    assert store.get(key).tobytes() == a_picture().tobytes()
    assert list(store.keys()) == [key]


def test_nothing_is_left_of_what_was_removed(store):
    key = store.put(a_picture())

    assert store.remove(key)
    assert not store.remove(key)
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []


def test_a_large_stored_picture_is_opened_only_where_there_is_room(store, monkeypatch):
    key = store.put(a_picture(200, 200))
    monkeypatch.setattr(memory, "LARGE_PIXELS", 40_000)
    monkeypatch.setattr(memory, "free_memory", lambda: 40_000 * memory.BYTES_A_PIXEL - 1)

    with pytest.raises(OutOfMemory, match="are free"):
        store.get(key)
    monkeypatch.setattr(memory, "free_memory", lambda: 40_000 * memory.BYTES_A_PIXEL)
    assert store.get(key).size == (200, 200)
