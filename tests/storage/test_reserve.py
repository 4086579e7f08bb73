"""Room that is set aside for the day on which the disk is full."""

from __future__ import annotations

import shutil
import sqlite3

import pytest
from sqlalchemy import event

from core.domain.errors import StorageFull
from core.storage.reserve import LocalReserve
from tests.conftest import a_request

SIZE = 4096


@pytest.fixture
def reserve(tmp_path) -> LocalReserve:
    return LocalReserve(tmp_path / "data" / "reserve", SIZE)


def test_the_room_is_set_aside_once_and_given_back_once(reserve, tmp_path):
    file = tmp_path / "data" / "reserve"

    reserve.keep()
    content = file.read_bytes()
    reserve.keep()

    assert len(content) == SIZE
    assert file.read_bytes() == content
    assert (reserve.give(), reserve.give()) == (True, False)
    assert not file.exists()


def test_one_that_was_cut_off_is_made_whole(reserve, tmp_path):
    reserve.keep()
    (tmp_path / "data" / "reserve").write_bytes(b"half")

    reserve.keep()

    assert (tmp_path / "data" / "reserve").stat().st_size == SIZE


def test_nothing_is_set_aside_on_a_disk_that_has_hardly_room(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    reserve = LocalReserve(tmp_path / "reserve", free // 2)

    reserve.keep()

    assert not (tmp_path / "reserve").exists()


def test_where_it_cannot_be_set_aside_that_is_reported_with_a_message(tmp_path):
    (tmp_path / "reserve").mkdir()

    with pytest.raises(StorageFull):
        LocalReserve(tmp_path / "reserve", SIZE).keep()


@pytest.fixture
def fill_the_disk(studio):
    """Once called: SQLite can write only when the room that was set aside has been given back."""
    file, engine = studio.settings.data / "reserve", studio.gallery.repo._engine

    def refuse(cursor, statement, parameters, context) -> None:
        if file.exists() and statement.startswith(("UPDATE", "DELETE", "INSERT")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    yield lambda: event.listen(engine, "do_execute", refuse)
    # The engines of all tests share what knows SQLite.
    if event.contains(engine, "do_execute", refuse):
        event.remove(engine, "do_execute", refuse)


@pytest.mark.slow_but_first
@pytest.mark.parametrize("delete", ["trash", "empty_trash", "delete_for_good"])
def test_on_a_full_disk_things_can_be_deleted_with_the_room_that_was_set_aside(
    studio, dispatcher, fill_the_disk, delete
):
    ids = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    studio.gallery.trash(ids[:1])
    studio.gallery.reserve.keep()
    fill_the_disk()

    if delete == "trash":
        studio.gallery.trash(ids)
    elif delete == "empty_trash":
        assert studio.gallery.empty_trash(all=True, at_once=True).generations == 1
    else:
        assert studio.gallery.delete_for_good(ids).generations == 1

    assert studio.gallery.count() == (0 if delete == "trash" else 1)


def test_without_such_room_it_is_told_that_the_disk_is_full(studio, dispatcher, fill_the_disk):
    ids = studio.generations.submit(a_request())
    dispatcher.drain()
    fill_the_disk()
    (studio.settings.data / "reserve").mkdir()  # what cannot be given back

    with pytest.raises(StorageFull):
        studio.gallery.trash(ids)

    assert studio.gallery.count() == 1
