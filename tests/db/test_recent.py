"""What was read is read again after each commit, and only then."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from core.domain.draft import Draft
from db.connection import make_engine
from db.drafts import DraftRepo
from db.recent import KEPT, recent
from db.upgrade import upgrade


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "with space & 100%.db"


@pytest.fixture
def engine(file):
    engine = make_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
    yield engine
    engine.dispose()


class Counted:
    """The number of rows, and how often the database was asked for it."""

    def __init__(self, engine) -> None:
        self._engine, self.asked = engine, 0

    def __call__(self) -> int:
        self.asked += 1
        with self._engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM t")).scalar_one()


def insert(engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))


def test_what_nobody_has_changed_is_read_once(engine):
    count = Counted(engine)

    assert [recent(engine).read("rows", count) for _ in range(5)] == [0] * 5
    assert count.asked == 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["own", "other engine", "sqlite", "undone", "read"]), max_size=12))
def test_whoever_commits_the_next_reading_sees_it(tmp_path_factory, doings):
    file = tmp_path_factory.mktemp("recent") / "studio.db"
    engine, other = make_engine(f"sqlite:///{file}"), make_engine(f"sqlite:///{file}")
    foreign = sqlite3.connect(file, isolation_level=None)
    foreign.execute("CREATE TABLE t (x INTEGER)")
    count, rows = Counted(engine), 0
    for doing in doings:
        if doing == "own":
            insert(engine)
        elif doing == "other engine":
            insert(other)
        elif doing == "sqlite":
            foreign.execute("INSERT INTO t VALUES (1)")
        elif doing == "undone":
            with engine.connect() as connection:
                connection.execute(text("INSERT INTO t VALUES (1)"))
                connection.rollback()
        rows += doing in ("own", "other engine", "sqlite")
        assert recent(engine).read("rows", count) == rows
    foreign.close()
    engine.dispose()
    other.dispose()


def test_what_another_process_commits_is_seen(engine, file):
    count = Counted(engine)
    assert recent(engine).read("rows", count) == 0

    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('INSERT INTO t VALUES (1)'); c.commit()"
    subprocess.run([sys.executable, "-S", "-c", program, str(file)], check=True, timeout=60)

    assert recent(engine).read("rows", count) == 1


def test_a_commit_while_it_is_read_makes_it_old(engine):
    def reading() -> str:
        insert(engine)
        return "before or after, who knows"

    recent(engine).read("rows", reading)

    assert recent(engine).read("rows", lambda: "read again") == "read again"


def test_what_could_not_be_read_is_tried_again(engine):
    def fails() -> int:
        raise ValueError("busy")

    with pytest.raises(ValueError, match="busy"):
        recent(engine).read("rows", fails)

    assert recent(engine).read("rows", lambda: 1) == 1


def test_only_so_many_readings_are_kept(engine):
    counted = [Counted(engine) for _ in range(KEPT + 1)]
    for _ in range(2):
        for nth, count in enumerate(counted):
            recent(engine).read(nth, count)

    assert len(recent(engine)._readings) == KEPT


def test_a_database_in_the_memory_is_read_each_time():
    engine = make_engine("sqlite://")
    insert_table = text("CREATE TABLE t (x INTEGER)")
    with engine.begin() as connection:
        connection.execute(insert_table)
    count = Counted(engine)

    assert [recent(engine).read("rows", count) for _ in range(2)] == [0, 0]
    assert count.asked == 2


def test_after_an_engine_has_let_go_its_file_is_left_alone(engine, file):
    recent(engine).read("rows", Counted(engine))
    engine.dispose()

    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert recent(engine).read("rows", Counted(engine)) == 0


def test_a_draft_that_is_asked_for_again_and_again_is_one_query_until_it_is_saved(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'studio.db'}")
    upgrade(engine)
    drafts, asked = DraftRepo(engine), []
    event.listen(engine, "before_cursor_execute", lambda *about: asked.append(about[2]))

    assert [drafts.get("one") for _ in range(3)] == [None] * 3
    assert len(asked) == 1
    drafts.save("one", Draft(source_name="cat.png"), datetime.now(UTC))
    assert drafts.get("one") == drafts.get("one") == Draft(source_name="cat.png")
    engine.dispose()
