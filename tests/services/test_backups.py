"""Copies of the database: made beside all work, kept for days, and put back whatever became of the database."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from core import cli
from core.domain.errors import DatabaseBusy, DatabaseUnusable, InvalidInput, StorageFull
from core.services.backups import Backups
from core.settings import Settings
from db.connection import make_engine
from db.upgrade import upgrade
from tests.conftest import a_request, make_studio
from tests.fakes import FakeInpainter


def painted(studio, **params) -> str:
    [id] = studio.generations.submit(a_request(**params))
    studio.dispatcher.drain()
    return id


def closed(studio) -> None:
    studio.gallery.repo._engine.dispose()


def ids_in(studio) -> list[str]:
    return [g.id for g in studio.gallery.browse().generations]


@pytest.fixture
def again(settings, clock):
    return lambda: make_studio(settings, FakeInpainter(), clock)


# Made -------------------------------------------------------------------------------------------------------------


def test_one_copy_a_day_is_made_and_so_many_days_are_kept(studio, clock):
    made = []
    for _ in range(10):
        made.append(studio.backups.daily())
        assert studio.backups.daily() is None
        clock.wait(hours=12)
        assert studio.backups.daily() is None or made.append(studio.backups.all()[0])
        clock.wait(hours=12)

    days = [backup.made_at.date() for backup in studio.backups.all()]
    assert len(days) == len(set(days)) == 7
    assert days == sorted(days, reverse=True)
    assert days[0] == made[-1].made_at.date()


def test_copies_that_were_asked_for_are_kept_as_long_as_those_of_their_day(studio, clock):
    for _ in range(9):
        studio.backups.daily()
        clock.wait(minutes=1)
        studio.backups.make()
        clock.wait(days=1)

    assert len(studio.backups.all()) == 2 * 7


def test_none_is_made_by_itself_where_that_is_not_wanted(tmp_path, clock):
    studio = make_studio(Settings(data=tmp_path / "d", backups=0), FakeInpainter(), clock)

    studio.housekeeping.do()
    assert studio.backups.all() == []

    studio.backups.make()
    assert len(studio.backups.all()) == 1


def test_the_running_dashboard_makes_them(studio, clock):
    painted(studio)

    for _ in range(3):
        studio.housekeeping.do()
    [backup] = studio.backups.all()

    assert backup.generations == 1


def test_a_copy_holds_what_was_written_until_then_while_others_go_on_writing(studio):
    first = painted(studio)
    with closing(sqlite3.connect(studio.backups.database)) as other:
        other.execute("UPDATE generations SET title = 'not yet committed'")
        made = studio.backups.make()
        other.commit()

    with closing(sqlite3.connect(studio.backups.folder / made.name)) as copy:
        assert copy.execute("SELECT id, title FROM generations").fetchall() == [(first, "")]


def test_a_copy_that_could_not_be_ended_leaves_nothing_and_takes_no_older_one(studio, clock, monkeypatch):
    studio.backups.daily()
    before = studio.backups.all()
    clock.wait(days=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageFull, match="No space left"):
        studio.backups.daily()

    assert studio.backups.all() == before
    assert [path.name for path in studio.backups.folder.iterdir()] == [before[0].name]


def test_a_copy_does_not_take_the_last_room(studio, monkeypatch):
    size = studio.backups.database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("", (), {"free": 2 * size - 1})())

    with pytest.raises(StorageFull, match="no room for a copy"):
        studio.backups.make()

    assert studio.backups.all() == []


def test_a_copy_that_was_begun_by_a_killed_program_goes_and_one_that_is_being_made_stays(studio, clock):
    studio.backups.folder.mkdir()
    old, new = (studio.backups.folder / name for name in (".new-studio-old.db", ".new-studio-young.db"))
    for file, at in ((old, 0), (new, clock().timestamp())):
        file.write_bytes(b"half")
        os.utime(file, (at, at))

    studio.backups.daily()

    assert (old.exists(), new.exists()) == (False, True)


def damage(file) -> None:
    """In the middle of the file, and not in the header."""
    with file.open("rb+") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * (file.stat().st_size - 8192))


def test_a_damaged_database_is_not_copied_over_the_sound_copies(studio, again, clock):
    painted(studio)
    studio.backups.daily()
    closed(studio)
    damage(studio.backups.database)
    clock.wait(days=30)

    with pytest.raises(DatabaseUnusable):
        studio.backups.daily()

    [kept] = studio.backups.all()
    assert kept.generations == 1


def test_a_database_made_anew_beside_a_full_folder_does_not_push_the_copies_of_the_lost_one_out(
    studio, again, settings, clock
):
    painted(studio)
    studio.backups.daily()
    closed(studio)
    for path in settings.data.glob("studio.db*"):
        path.unlink()
    new = again()
    for _ in range(20):
        clock.wait(days=1)
        new.housekeeping.do()

    assert [backup.generations for backup in new.backups.all()] == [1]


def test_another_database_than_sqlite_has_its_own_tools(tmp_path, clock):
    backups = Backups(None, tmp_path, 7, clock)

    assert backups.daily() is None
    for action in (backups.make, lambda: backups.restore("x")):
        with pytest.raises(InvalidInput, match="pg_dump"):
            action()


# Put back -----------------------------------------------------------------------------------------------------------


def test_what_was_deleted_since_is_there_again_with_its_files(studio, again, clock):
    first = painted(studio, seed=1)
    made = studio.backups.make()
    studio.gallery.trash([first])
    studio.gallery.empty_trash(all=True)
    clock.wait(hours=2)
    studio.collector.collect()
    second = painted(studio, seed=2)
    closed(studio)

    kept = studio.backups.restore(made.name)

    restored = again()
    assert ids_in(restored) == [first]
    assert restored.gallery.image(restored.gallery.get(first).output)
    assert restored.gallery.check().missing == ()
    assert restored.collector.problem() is None
    closed(restored)
    # And back again: nothing was lost by restoring.
    restored.backups.restore(kept.name)
    assert ids_in(again()) == [second]


@pytest.mark.slow_but_first
@pytest.mark.parametrize("what", ["damaged", "cut", "empty", "no database", "gone"])
def test_a_damaged_or_lost_database_is_replaced_and_kept(studio, again, what):
    id = painted(studio)
    made = studio.backups.make()
    closed(studio)
    file = studio.backups.database
    if what == "damaged":
        damage(file)
    elif what == "cut":
        os.truncate(file, 5000)
    elif what == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if what == "empty" else b"hello " * 1000)
    left = file.read_bytes() if file.exists() else None

    kept = studio.backups.restore(made.name)

    assert ids_in(again()) == [id]
    # SQLite makes a header for an empty file.
    assert what == "empty" or (kept.read_bytes() if kept.exists() else None) == left


def test_the_logs_of_a_damaged_database_do_not_come_over_the_new_one(studio, again, settings):
    id = painted(studio, seed=1)
    made = studio.backups.make()
    file = studio.backups.database
    other = sqlite3.connect(file)
    other.execute("UPDATE generations SET title = 'in the log'")
    other.commit()
    log = file.with_name("studio.db-wal").read_bytes()
    other.close()
    closed(studio)
    damage(file)
    file.with_name("studio.db-wal").write_bytes(log)

    studio.backups.restore(made.name)

    new = again()
    assert [(g.id, g.title) for g in new.gallery.browse().generations] == [(id, "")]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_copy_of_an_older_version_is_brought_to_todays_tables(studio, again, settings):
    painted(studio)
    closed(studio)
    old = studio.backups.folder / "studio-2025-12-01T00-00-00.000000Z.db"
    old.parent.mkdir()
    engine = make_engine(f"sqlite:///{old}")
    upgrade(engine, to="0001")
    engine.dispose()
    size = old.stat().st_size

    studio.backups.restore(old.name)

    assert ids_in(again()) == []
    assert old.stat().st_size == size
    left = {path.name for path in settings.data.glob("*studio.db*")}
    assert left - {"studio.db-wal", "studio.db-shm"} == {"studio.db"}


@pytest.mark.parametrize("what", ["damaged", "cut", "of a newer version", "of another program"])
@pytest.mark.slow_but_first
def test_a_copy_that_cannot_be_used_changes_nothing(studio, again, what):
    id = painted(studio)
    made = studio.backups.make()
    copy = studio.backups.folder / made.name
    if what == "damaged":
        damage(copy)
    elif what == "cut":
        os.truncate(copy, 20_000)
    else:
        with closing(sqlite3.connect(copy)) as connection:
            if what == "of a newer version":
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
            else:
                connection.executescript("PRAGMA foreign_keys=OFF; DROP TABLE generations")
            connection.commit()
    closed(studio)
    before = sorted(path.name for path in studio.backups.folder.iterdir())

    with pytest.raises(DatabaseUnusable):
        studio.backups.restore(made.name)

    assert ids_in(again()) == [id]
    assert sorted(path.name for path in studio.backups.folder.iterdir()) == before


@pytest.mark.slow
def test_nothing_is_put_back_under_a_dashboard_that_is_running(studio, again):
    id = painted(studio)
    made = studio.backups.make()
    other = sqlite3.connect(studio.backups.database)
    other.execute("SELECT * FROM generations").fetchall()

    with pytest.raises(DatabaseBusy, match="Stop the dashboard"):
        studio.backups.restore(made.name)

    assert ids_in(studio) == [id]
    assert len(studio.backups.all()) == 1
    other.close()


@pytest.mark.parametrize("name", ["../studio", "studio.db", "", "/etc/passwd", "studio-2026-01-01T00-00-00Z.db"])
def test_only_what_is_listed_is_put_back(studio, name):
    with pytest.raises(InvalidInput, match="gallery backups"):
        studio.backups.restore(name)


# The commands ---------------------------------------------------------------------------------------------------------


def test_the_commands_copy_list_and_put_back_also_where_the_database_does_not_open(studio, settings, monkeypatch):
    id = painted(studio)
    monkeypatch.setenv("INPAINT_STUDIO_DATA", str(settings.data))

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(cli.app, ["gallery", *arguments, "--json"])
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    [made] = run("backup")
    closed(studio)
    damage(studio.backups.database)
    run("list", code=1)

    assert run("backups") == [made]
    [restored] = run("restore-backup", made["name"])

    assert (restored["generations"], made["generations"]) == (1, 1)
    assert [line["id"] for line in run("list")] == [id]
    assert [backup["is_kept"] for backup in run("backups")] == [True, False]
    assert "no backup" in CliRunner().invoke(cli.app, ["gallery", "restore-backup", "other"]).stderr
