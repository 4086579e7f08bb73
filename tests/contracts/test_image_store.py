"""What every ImageStore promises. There is one, a folder; a second one is a line here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from core.domain.errors import StoredImageMissing
from core.domain.geometry import Size
from core.domain.hashing import is_named, pixels_sha256
from core.ports import ImageStore
from core.storage.local import LocalImageStore
from tests.conftest import a_mask, a_picture

TODAY = datetime(2026, 1, 31, 12, tzinfo=UTC)

STORES = {"folder": lambda folder, now: LocalImageStore(folder / "images", now)}

NOT_THERE = "sha256:" + "a" * 64
MISSING = [NOT_THERE, NOT_THERE + ".webp", "", "../../etc/passwd", "sha256:../x", NOT_THERE + "./../x", "a" * 63]


class Time:
    def __init__(self) -> None:
        self.now = TODAY

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path, time) -> ImageStore:
    return STORES[request.param](tmp_path, time)


def asks(store: ImageStore) -> dict:
    return {"get": store.get, "size": store.size, "read_file": store.read_file, "has": store.has}


ASKED = pytest.mark.parametrize("asked", ["get", "size", "read_file", "has"])

# Storing and reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_a_picture_comes_back_with_every_bit(store, mode):
    picture = a_picture(mode=mode)

    key = store.put(picture)

    back = store.get(key)
    assert (back.mode, back.size, back.tobytes()) == (mode, picture.size, picture.tobytes())
    assert is_named(key, back)


def test_a_mask_and_a_colour_profile_come_back_too(store):
    picture, mask = a_picture(), a_mask().to_image()
    picture.info["icc_profile"] = b"profile" * 20

    assert store.get(store.put(picture)).info["icc_profile"] == b"profile" * 20
    assert store.get(store.put(mask)).tobytes() == mask.tobytes()
    assert store.put(picture) != store.put(a_picture())


def test_equal_pictures_are_kept_once_and_others_beside_them(store):
    assert store.put(a_picture()) == store.put(a_picture()) == pixels_sha256(a_picture())
    other = store.put(Image.new("RGB", (64, 96)))

    assert sorted(store.keys()) == sorted([pixels_sha256(a_picture()), other])


def test_a_picture_is_stored_under_the_name_that_it_has_already(store):
    picture = a_picture()
    picture.info["icc_profile"] = b"profile" * 20
    name = pixels_sha256(picture)

    assert store.put(picture, name) == name

    assert store.get(name).tobytes() == picture.tobytes()
    assert list(store.keys()) == [name]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_the_size_is_known_without_the_pixels(store, mode):
    assert store.size(store.put(a_picture(120, 40, mode))) == Size(120, 40)


def test_a_file_comes_back_as_it_was(store):
    data = bytes(range(256)) * 10

    key = store.put_file(data, ".webp")

    assert (key, store.put_file(data, ".webp")) == (key, key)
    assert key.endswith(".webp")
    assert store.read_file(key) == data
    assert list(store.keys()) == [key]


def test_the_stored_file_of_a_picture_is_a_picture_and_has_a_place(store, tmp_path):
    key = store.put(a_picture())
    file = tmp_path / "copy"
    file.write_bytes(store.read_file(key))

    with Image.open(file) as opened:
        assert opened.tobytes() == a_picture().tobytes()
    assert store.location(key)


@ASKED
@pytest.mark.parametrize("key", MISSING)
def test_what_is_not_there_and_what_is_no_key_is_missing(store, asked, key):
    if asked == "has":
        assert store.has(key) is False
    else:
        with pytest.raises(StoredImageMissing):
            asks(store)[asked](key)


# The trash -------------------------------------------------------------------------------------------------------


def test_what_was_discarded_lies_in_the_trash_of_its_day_until_it_is_erased(store):
    key, day = store.put(a_picture()), timedelta(days=1)
    bytes_taken = len(store.read_file(key))

    assert store.discard(key)
    assert not store.discard(key)

    today = TODAY.date()
    assert list(store.keys()) == []
    assert (list(store.discarded(today - day)), list(store.discarded(today))) == ([], [key])
    assert (store.erase(key, today - day), store.erase(key, today), store.erase(key, today)) == (0, bytes_taken, 0)
    assert not store.has(key)
    assert list(store.discarded(today)) == []


@ASKED
def test_what_was_discarded_comes_back_to_who_asks_for_it(store, time, asked):
    key = store.put(a_picture())
    time.wait(hours=1)
    store.discard(key)

    assert asks(store)[asked](key)

    assert list(store.keys()) == [key]
    assert list(store.discarded(TODAY.date())) == []
    # Who asked for it may need it longer than for this moment.
    assert not store.discard(key, min_age_s=60)


@pytest.mark.parametrize("again", ["put", "put_file"])
def test_what_was_stored_or_stored_again_within_so_many_seconds_is_left_alone(store, time, again):
    def keep() -> str:
        return store.put(a_picture()) if again == "put" else store.put_file(b"small", ".webp")

    key = keep()
    time.wait(seconds=59)
    assert not store.discard(key, min_age_s=60)
    keep()
    time.wait(seconds=59)
    assert not store.discard(key, min_age_s=60)

    time.wait(seconds=2)

    assert store.discard(key, min_age_s=60)


def test_a_picture_that_is_stored_again_leaves_no_copy_in_the_trash(store):
    key = store.put(a_picture())
    store.discard(key)

    assert store.put(a_picture()) == key

    assert list(store.keys()) == [key]
    assert list(store.discarded(TODAY.date())) == []


def test_what_is_not_there_is_neither_discarded_nor_erased(store):
    assert (store.discard(NOT_THERE), store.erase(NOT_THERE, TODAY.date())) == (False, 0)


def test_tidying_takes_nothing_that_is_stored(store, time):
    kept, thrown_away = store.put(a_picture()), store.put_file(b"small", ".webp")
    store.discard(thrown_away)
    time.wait(days=40)

    store.tidy()

    assert list(store.keys()) == [kept]
    assert list(store.discarded(TODAY.date())) == [thrown_away]


def test_it_remembers_whose_it_is(store):
    assert store.owner() is None

    store.belong_to("one")
    store.belong_to("two")

    assert store.owner() == "two"
    assert list(store.keys()) == []
