"""Copies of an SQLite database: looked at, and put in its place again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from core.domain.errors import DatabaseBusy, DatabaseUnusable
from core.files import sync_folder
from db.connection import make_engine
from db.copying import LOGS, copy, opened, sync, translate_errors
from db.errors import told
from db.upgrade import upgrade


def check(file: Path) -> None:
    """Raises DatabaseUnusable unless every page of this copy is sound, and it is one of a gallery."""
    with translate_errors(), closing(opened(file)) as connection:
        found = [text for (text,) in connection.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise DatabaseUnusable(f"{file.name} is damaged.")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'generations'").fetchone() is None:
            raise DatabaseUnusable(f"{file.name} is not an Inpaint Studio database.")


def count(file: Path) -> int | None:
    """How many generations this copy holds; None if it cannot be read."""
    with suppress(sqlite3.Error, OSError), closing(opened(file)) as connection:
        [number] = connection.execute("SELECT count(*) FROM generations").fetchone()
        return int(number)
    return None


def put_back(backup: Path, database: Path, kept: Path) -> None:
    """The backup, brought to today's tables, in place of the database, which is kept under another name.

    A damaged database is kept too, with its logs. On every error the database is as it was.
    Raises DatabaseBusy while another program has it open, DatabaseUnusable for a backup that cannot be used.
    """
    check(backup)
    new = database.with_name(f".new-{database.name}")
    with translate_errors():
        try:
            copy(backup, new, is_still=True)
            _upgrade(new)
            if database.exists():
                _close_logs(database)
                _keep(database, kept)
            os.replace(new, database)
            sync_folder(database.parent)
        finally:
            for suffix in ("", ".backup", *LOGS):
                new.with_name(new.name + suffix).unlink(missing_ok=True)


def _upgrade(file: Path) -> None:
    engine = make_engine(f"sqlite:///{file}")
    try:
        upgrade(engine)
        with engine.connect() as connection:
            # What is written lies in the file itself, so that it can be renamed.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()
    sync(file)


def _close_logs(database: Path) -> None:
    """Write what lies in the logs into the database itself. Raises DatabaseBusy while somebody else has it open."""
    try:
        with closing(sqlite3.connect(database, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        if isinstance(told(error), DatabaseBusy):
            raise DatabaseBusy(
                "Another program has the gallery open. Stop the dashboard and everything else that uses it, then try "
                "again."
            ) from error
        # It is damaged, which is why it is replaced; it is kept as it is.


def _keep(database: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(database, kept)
    except OSError:
        # Not every disk knows links.
        shutil.copy2(database, kept)
        sync(kept)
    for suffix in LOGS:
        # They must not be taken for those of the new one.
        with suppress(FileNotFoundError):
            os.replace(database.with_name(database.name + suffix), kept.with_name(kept.name + suffix))
