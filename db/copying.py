"""Copying an SQLite file, whoever else works with it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from core.domain.errors import StorageFull, StudioError
from core.files import sync_folder
from db.errors import told

LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a database that is in use."""


def copy(file: Path, target: Path, *, is_still: bool = False) -> None:
    """SQLite's own copy, which takes what still lies in the log, and never a half written page.

    Made beside, synced and renamed: a target that was there is good until this one is. is_still: nobody writes to the
    file, and nothing is to be written beside it. Raises StudioError.
    """
    with translate_errors(), _beside(target) as new:
        found = opened(file) if is_still else sqlite3.connect(file)
        with closing(found) as source, closing(sqlite3.connect(new)) as written:
            source.backup(written)
        sync(new)


def opened(file: Path) -> sqlite3.Connection:
    """A file that nobody writes to: SQLite then writes nothing beside it either."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def sync(file: Path) -> None:
    with file.open("rb+") as written:
        os.fsync(written.fileno())


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raises a StudioError in place of what SQLite or the disk raises."""
    try:
        yield
    except StudioError:
        raise
    except sqlite3.Error as error:
        raise told(error) from error
    except OSError as error:
        raise StorageFull(f"The copy of the database cannot be written: {error.strerror or error}.") from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    new = target.with_name(f".new-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        yield new
        os.replace(new, target)
        sync_folder(target.parent)
    finally:
        for suffix in ("", *LOGS):
            with suppress(OSError):
                new.with_name(new.name + suffix).unlink(missing_ok=True)
