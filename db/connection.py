"""Opening the database. SQLite gets the switches that a web server with a worker thread needs."""

from __future__ import annotations

from math import log
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from core.domain.errors import DatabaseUnusable

BUSY_TIMEOUT_MS = 10_000


def make_engine(url: str) -> Engine:
    """url: an SQLAlchemy URL. The folder of an SQLite file is made."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:
        raise DatabaseUnusable(
            "INPAINT_STUDIO_DATABASE_URL is not a database URL. Example: sqlite:///data/studio.db"
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnusable from error
    engine = create_engine(parsed)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        engine.dialect.statement_compiler = _WithIndexHints
    return engine


class _WithIndexHints(SQLiteCompiler):
    """Lets a query name the index it is made for: select(...).with_hint(table, "INDEXED BY ix", "sqlite")."""

    def get_from_hint_text(self, table, text: str | None) -> str | None:
        return text


def _set_pragmas(connection, _record) -> None:
    # A part of SQLite that not every build has.
    connection.create_function("ln", 1, log, deterministic=True)
    cursor = connection.cursor()
    # WAL: readers (pages) and the one writer (worker) do not wait for each other.
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL, not NORMAL: a generation that was acknowledged must survive a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # A page of a large gallery reads a few thousand entries of an index: let them stay in memory (at most 32 MiB).
    cursor.execute("PRAGMA cache_size=-32768")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()
