"""The border of the database: what a driver raises becomes a StudioError here, and nowhere else.

No sentence holds SQL, parameters or an address: a prompt or a password could be in them. The driver's own words go to
the log, and stay the cause of the error.
"""

from __future__ import annotations

import logging
import sqlite3

from sqlalchemy.engine import ExceptionContext

from core.domain.errors import (
    DatabaseBusy,
    DatabaseConflict,
    DatabaseUnusable,
    InvalidInput,
    StorageFull,
    StudioError,
)

log = logging.getLogger(__name__)

DAMAGED = "The gallery's database is damaged or not a database. Restore it from a backup."
UNREACHABLE = "The gallery's database cannot be reached. Check that it runs, and INPAINT_STUDIO_DATABASE_URL."
UNOPENED = "The gallery's database cannot be opened. Check who may read and write the data folder."
READ_ONLY = "The gallery's database is read-only, so nothing can be changed. Check who may write to the data folder."
UNSTORABLE = "A value cannot be stored. Check it and try again."
OUT_OF_RANGE = "A value is outside the limits of the gallery. Check it and try again."
UNKNOWN = "The gallery's database refused a query. See the log, and try the newest version."

# By SQLite's result codes (https://sqlite.org/rescode.html), the extended ones first, then their lowest eight bits.
_OF_SQLITE: dict[int, tuple[type[StudioError], str | None]] = {
    sqlite3.SQLITE_BUSY: (DatabaseBusy, None),
    sqlite3.SQLITE_LOCKED: (DatabaseBusy, None),
    sqlite3.SQLITE_PROTOCOL: (DatabaseBusy, None),
    sqlite3.SQLITE_CONSTRAINT: (DatabaseConflict, None),
    sqlite3.SQLITE_CONSTRAINT_CHECK: (InvalidInput, OUT_OF_RANGE),
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: (InvalidInput, OUT_OF_RANGE),
    sqlite3.SQLITE_FULL: (StorageFull, None),
    # A limit on the size of files, a quota or a broken disk: all are told alike.
    sqlite3.SQLITE_IOERR: (StorageFull, None),
    sqlite3.SQLITE_READONLY: (StorageFull, READ_ONLY),
    sqlite3.SQLITE_CORRUPT: (DatabaseUnusable, DAMAGED),
    sqlite3.SQLITE_NOTADB: (DatabaseUnusable, DAMAGED),
    sqlite3.SQLITE_CANTOPEN: (DatabaseUnusable, UNOPENED),
    sqlite3.SQLITE_PERM: (DatabaseUnusable, UNOPENED),
    sqlite3.SQLITE_AUTH: (DatabaseUnusable, UNOPENED),
}

# By the beginning of the SQLSTATE that PostgreSQL and the standard give; the longest that fits counts.
_OF_SQLSTATE: dict[str, tuple[type[StudioError], str | None]] = {
    "08": (DatabaseUnusable, UNREACHABLE),
    "22": (InvalidInput, UNSTORABLE),
    "23": (DatabaseConflict, None),
    "23502": (InvalidInput, OUT_OF_RANGE),
    "23514": (InvalidInput, OUT_OF_RANGE),
    "25006": (StorageFull, READ_ONLY),
    "28": (DatabaseUnusable, UNREACHABLE),
    "3D": (DatabaseUnusable, UNREACHABLE),
    "40": (DatabaseBusy, None),
    "53": (DatabaseBusy, None),
    "53100": (StorageFull, None),
    "55": (DatabaseBusy, None),
    "57": (DatabaseBusy, None),
    "57P": (DatabaseUnusable, UNREACHABLE),
}

_OF_CLASS: dict[str, tuple[type[StudioError], str | None]] = {
    "OperationalError": (DatabaseUnusable, UNREACHABLE),
    "InterfaceError": (DatabaseUnusable, UNREACHABLE),
    "DataError": (InvalidInput, UNSTORABLE),
}


def translate_error(context: ExceptionContext) -> None:
    """A listener for SQLAlchemy's handle_error. Raises a StudioError in place of what the driver raised."""
    error = context.original_exception
    if isinstance(error, StudioError) or not isinstance(error, Exception):
        return
    if isinstance(error, UnicodeError | OverflowError):
        raise InvalidInput(UNSTORABLE)
    if context.sqlalchemy_exception is not None:
        raise told(error, while_connecting=context.connection is None)


def told(error: Exception, *, while_connecting: bool = False) -> StudioError:
    """In place of an error of the database's driver."""
    kind, sentence = _kind_of(error)
    if while_connecting and sentence == UNKNOWN:
        sentence = UNREACHABLE
    if sentence in (DAMAGED, UNREACHABLE, UNKNOWN):
        log.warning("%s: %s: %s", kind.__name__, type(error).__name__, _first_line(error))
    return kind(sentence)


def _kind_of(error: Exception) -> tuple[type[StudioError], str | None]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _OF_SQLITE.get(code) or _OF_SQLITE.get(code & 0xFF, (DatabaseUnusable, UNKNOWN))
    # psycopg says sqlstate, older drivers pgcode. What a driver finds by itself has no code, only a class.
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    found = [start for start in _OF_SQLSTATE if state.startswith(start)]
    if found:
        return _OF_SQLSTATE[max(found, key=len)]
    return _OF_CLASS.get("" if state else type(error).__name__, (DatabaseUnusable, UNKNOWN))


def _first_line(error: Exception) -> str:
    """PostgreSQL tells values in the lines that follow."""
    return next(iter(str(error).splitlines()), "")
