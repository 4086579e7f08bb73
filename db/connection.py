"""Opening the database. SQLite gets the switches that a web server with a worker thread needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import log
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, FromClause, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from core.domain.errors import DatabaseUnusable, InvalidSettings
from db.errors import translate_error

BUSY_TIMEOUT_S = 10
"""How long a statement waits for a lock; another time can be given in the URL: sqlite:///studio.db?timeout=30."""

BAD_URL = "INPAINT_STUDIO_DATABASE_URL cannot be used: {} Example: sqlite:///data/studio.db"


def make_engine(url: str) -> Engine:
    """url: an SQLAlchemy URL. The folder of an SQLite file is made.

    Whatever the database's driver raises comes out of this engine as a StudioError.
    Raises InvalidSettings or DatabaseUnusable.
    """
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        # A server that was started again in between is not told to somebody who only turns a page.
        options = _options_of_sqlite(parsed) if is_sqlite else {"pool_pre_ping": True}
        engine = create_engine(parsed, hide_parameters=True, **options)
    # The causes are not kept: they repeat parts of the URL, and a password may be in it.
    except ModuleNotFoundError as error:
        raise InvalidSettings(BAD_URL.format(f"the Python package {error.name} is not installed.")) from None
    except (SQLAlchemyError, ValueError, TypeError):
        raise InvalidSettings(BAD_URL.format("it is not the address of a database.")) from None
    if is_sqlite:
        _make_folder(parsed)
    prepare(engine)
    return engine


def prepare(engine: Engine, *, is_writable: bool = True) -> None:
    """What every engine of ours needs."""
    event.listen(engine, "handle_error", translate_error)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _for_writing if is_writable else _for_reading)
        engine.dialect.statement_compiler = _WithIndexHints


def _options_of_sqlite(url: URL) -> dict[str, Any]:
    timeout = {} if "timeout" in url.query else {"connect_args": {"timeout": BUSY_TIMEOUT_S}}
    # One connection for each thread that asks. With a limit, threads that wait for a lock would use it up, and others
    # would fail that only want to read.
    return timeout | ({"max_overflow": -1} if url.database not in (None, "", ":memory:") else {})


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another kind, or one that is only in the memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def _make_folder(url: URL) -> None:
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise DatabaseUnusable from error


@contextmanager
def writing(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A transaction in which nobody else writes between what it reads and what it writes, on SQLite.

    Without the first statement SQLite would take its lock with the first write, after the reading.
    """
    with sessions.begin() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
        yield session


class _WithIndexHints(SQLiteCompiler):
    """Lets a query name the index it is made for: select(...).with_hint(table, "INDEXED BY ix", "sqlite")."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        return text


def _for_reading(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    # A part of SQLite that not every build has.
    connection.create_function("ln", 1, log, deterministic=True)
    cursor = connection.cursor()
    # A page of a large gallery reads a few thousand entries of an index: let them stay in memory (at most 32 MiB).
    cursor.execute("PRAGMA cache_size=-32768")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _for_writing(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    _for_reading(connection, record)
    cursor = connection.cursor()
    # WAL: readers (pages) and the one writer (worker) do not wait for each other.
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL, not NORMAL: a generation that was acknowledged must survive a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
