"""Opening the gallery's database: for work, or, where it cannot be written, for looking."""

from __future__ import annotations

import atexit
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, QueuePool, create_engine

from core.domain.errors import DatabaseBusy, DatabaseUnusable, StorageFull
from db.connection import make_engine, prepare, sqlite_file
from db.copying import LOGS
from db.upgrade import is_todays, upgrade

log = logging.getLogger(__name__)


def open_database(
    url: str, make: Callable[[str], Engine] = make_engine, make_room: Callable[[], bool] = lambda: False
) -> Engine:
    """Brought to today's tables. Of a file that cannot be written, on a full or read-only disk, whatever is asked is
    answered, and every change is refused. make_room: frees some of a full disk; False if there is none.

    Raises DatabaseUnusable or StorageFull if it cannot be read either.
    """
    file = sqlite_file(url)
    try:
        return _for_work(url, make)
    except StorageFull:
        if make_room():
            return _for_work(url, make)
        if file is None or not file.exists():
            raise
        return _for_looking(file)
    except DatabaseBusy:
        raise
    except DatabaseUnusable as unusable:
        # To open its log is a write too. Where even looking fails, the first error says why.
        if file is None or not file.exists():
            raise
        try:
            return _for_looking(file)
        except (DatabaseUnusable, StorageFull):
            raise unusable from None


def _for_work(url: str, make: Callable[[str], Engine]) -> Engine:
    engine = make(url)
    try:
        upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _for_looking(file: Path) -> Engine:
    log.warning("%s cannot be written: it is opened for looking only", file)
    address = file.absolute().as_uri()
    wal = file.with_name(file.name + LOGS[0])
    # Another program may work with it; or nobody does, and nothing may be written beside it.
    tried = [f"{address}?mode=ro"]
    if not wal.exists() or not wal.stat().st_size:
        tried.append(f"{address}?mode=ro&immutable=1")
    for uri in tried:
        engine = _looking(uri)
        try:
            if is_todays(engine):
                return engine
        except (DatabaseUnusable, StorageFull):
            pass
        engine.dispose()
    return _looking(f"{_copied(file).as_uri()}?mode=ro")


def _looking(uri: str) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, max_overflow=-1, hide_parameters=True)
    prepare(engine, is_writable=False)
    return engine


def _copied(file: Path) -> Path:
    """With what lies in its log, brought to today's tables, in a folder that goes when the program ends."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="inpaint-studio-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for suffix in ("", LOGS[0]):
            source = file.with_name(file.name + suffix)
            if source.exists():
                shutil.copyfile(source, folder / source.name)
    except OSError as error:
        raise StorageFull from error
    copy = folder / file.name
    engine = make_engine(f"sqlite:///{copy}")
    try:
        upgrade(engine)
    finally:
        engine.dispose()
    return copy
