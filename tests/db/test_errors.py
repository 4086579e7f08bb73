"""What a database does wrong comes out in words, without SQL, values or addresses."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.domain.errors import (
    DatabaseBusy,
    DatabaseConflict,
    DatabaseUnusable,
    InvalidInput,
    InvalidSettings,
    StorageFull,
    StudioError,
)
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Generation, Outcome, Status
from core.domain.params import InpaintParams
from core.domain.reproduction import Verification
from db.connection import make_engine
from db.drafts import DraftRepo
from db.errors import told
from db.gallery import GalleryRepo
from db.generations import GenerationRepo
from db.presets import PresetRepo
from db.queue import QueueRepo
from db.upgrade import upgrade
from db.verifications import VerificationRepo

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "a secret prompt"


def a_generation(id: str) -> Generation:
    return Generation(
        id=id,
        status=Status.QUEUED,
        params=InpaintParams(prompt=SECRET),
        device="cpu",
        source="s",
        mask="m",
        width=8,
        height=8,
        created_at=AT,
    )


@pytest.fixture
def file(tmp_path):
    return tmp_path / "studio.db"


@pytest.fixture
def engine(file):
    """Waits for a lock for a moment only."""
    engine = make_engine(f"sqlite:///{file}?timeout=0.05")
    upgrade(engine)
    GenerationRepo(engine).add([a_generation("a")])
    yield engine
    engine.dispose()


@pytest.fixture
def locked(engine, file):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield engine


WRITES = {
    "submit": lambda engine: GenerationRepo(engine).add([a_generation("b")]),
    "claim": lambda engine: GenerationRepo(engine).claim("a", "w", AT),
    "finish": lambda engine: GenerationRepo(engine).finish("a", "w", Outcome(Status.FAILED), AT),
    "cancel": lambda engine: GenerationRepo(engine).request_cancel("a", AT),
    "tag": lambda engine: GalleryRepo(engine).tag(["a"], ["t"]),
    "trash": lambda engine: GalleryRepo(engine).set_deleted(["a"], AT),
    "search": lambda engine: GalleryRepo(engine).save_search("s", GalleryFilter(text=SECRET), AT),
    "verify": lambda engine: VerificationRepo(engine).add([Verification("v", "a", Status.QUEUED, AT)]),
    "pause": lambda engine: QueueRepo(engine).pause(AT),
    "preset": lambda engine: PresetRepo(engine).save("p", {"prompt": SECRET}, AT),
    "drafts": lambda engine: DraftRepo(engine).forget_older_than(AT, AT),
}


@pytest.mark.slow_but_first
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_under_a_lock_every_change_is_refused_with_a_message(locked, write):
    with pytest.raises(DatabaseBusy) as raised:
        write(locked)

    assert "busy" in str(raised.value)
    assert not any(word in str(raised.value) for word in (SECRET, "INSERT", "UPDATE", "sqlite"))


def test_under_a_lock_the_gallery_can_be_read_and_lost_workers_can_be_looked_for(locked):
    assert GenerationRepo(locked).get("a").id == "a"
    assert GenerationRepo(locked).seem_lost(AT, AT) == []
    assert VerificationRepo(locked).seem_lost(AT, AT) == []


def test_after_the_lock_the_same_engine_writes_again(engine, file):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy):
            WRITES["submit"](engine)
        other.execute("ROLLBACK")

    WRITES["submit"](engine)

    assert GenerationRepo(engine).get("b").id == "b"


@pytest.mark.slow
def test_many_threads_that_wait_for_a_lock_keep_nobody_from_reading(engine, file):
    """A pool of connections has a limit, beyond which it fails in its own way."""
    errors = []

    def write() -> None:
        try:
            WRITES["pause"](slow)
        except StudioError as error:
            errors.append(error)

    slow = make_engine(f"sqlite:///{file}?timeout=1")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=write) for _ in range(30)]
        for thread in threads:
            thread.start()
        assert GenerationRepo(slow).get("a").id == "a"
        for thread in threads:
            thread.join(60)
    slow.dispose()

    assert [type(error) for error in errors] == [DatabaseBusy] * 30


def test_a_full_disk_is_told_as_such(engine):
    with engine.begin() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        long = {"at": str(AT), "text": "x" * 10**6}
        with pytest.raises(StorageFull):
            connection.execute(text("INSERT INTO drafts (id, updated_at, draft_json) VALUES ('d', :at, :text)"), long)


def test_what_may_only_be_read_is_told_so(engine):
    with engine.begin() as connection:
        connection.execute(text("PRAGMA query_only = 1"))
        with pytest.raises(StorageFull, match="read-only"):
            connection.execute(text("DELETE FROM drafts"))


def test_a_damaged_file_is_told_as_such(engine, file):
    engine.dispose()
    file.write_bytes(file.read_bytes()[:100] + b"\xff" * (file.stat().st_size - 100))

    with pytest.raises(DatabaseUnusable, match="damaged"):
        GenerationRepo(engine).get("a")


def test_what_another_has_written_already_is_a_conflict(engine):
    with pytest.raises(DatabaseConflict) as raised:
        GenerationRepo(engine).add([a_generation("a")])

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("id", ["\udcff", "a\ud800"])
def test_text_that_is_none_is_bad_input(engine, id):
    with pytest.raises(InvalidInput, match="cannot be stored"):
        GenerationRepo(engine).get(id)


def test_a_number_that_is_too_large_is_bad_input(engine):
    with pytest.raises(InvalidInput, match="cannot be stored"):
        GalleryRepo(engine).change(["a"], rating=2**80)


def test_nothing_of_sqlalchemy_crosses_the_border_when_the_code_asks_nonsense(engine):
    with pytest.raises(StudioError) as raised, engine.begin() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))

    assert not isinstance(raised.value, SQLAlchemyError)
    assert "nowhere" not in str(raised.value)


class FromPostgres(Exception):
    """As psycopg's errors are: the code is in sqlstate."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("DETAIL: Key (prompt)=(a secret prompt) is not as it should be")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("53100", StorageFull),
        ("53300", DatabaseBusy),
        ("55P03", DatabaseBusy),
        ("40P01", DatabaseBusy),
        ("25006", StorageFull),
        ("23505", DatabaseConflict),
        ("23514", InvalidInput),
        ("57P01", DatabaseUnusable),
        ("28P01", DatabaseUnusable),
        ("3D000", DatabaseUnusable),
        ("08006", DatabaseUnusable),
        ("42P01", DatabaseUnusable),
        ("22021", InvalidInput),
    ],
)
def test_other_databases_are_told_by_their_codes(sqlstate, kind):
    error = told(FromPostgres(sqlstate))

    assert type(error) is kind
    assert SECRET not in str(error)


class DataError(Exception):
    """What a driver finds by itself has no code."""


class OperationalError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (DataError(SECRET), InvalidInput, "cannot be stored"),
        (OperationalError(SECRET), DatabaseUnusable, "reached"),
        (Exception(SECRET), DatabaseUnusable, "refused"),
    ],
)
def test_without_a_code_the_class_of_an_error_tells(error, kind, words):
    found = told(error)

    assert type(found) is kind
    assert words in str(found)
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "foo://x",
        "postgresql+psycopg_nowhere://u:hunter2@h/db",
        "mysql+nowhere://u:hunter2@h/db",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:x@hunter2:y@h:z/db",
        "sqlite://u:hunter2@h/x",
        "sqlite:///x.db?timeout=soon",
        "sqlite+nowhere:///x.db",
        "oracle://u:hunter2@h/db",
    ],
)
def test_an_address_that_is_none_is_refused_with_a_message_that_does_not_repeat_it(url):
    with pytest.raises(InvalidSettings, match="INPAINT_STUDIO_DATABASE_URL") as raised:
        make_engine(url)

    assert raised.value.__cause__ is None
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "\0", "x" * 300 + "/a.db"])
def test_a_file_that_cannot_be_opened_is_reported_with_a_message(tmp_path, name):
    with pytest.raises(DatabaseUnusable):
        upgrade(make_engine(f"sqlite:///{tmp_path}/{name}"))
