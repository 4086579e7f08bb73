"""Applying the migrations that are missing, with Alembic: all or nothing, with a copy kept before."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from core.domain.errors import DatabaseUnusable, StudioError
from db.copying import copy
from db.errors import told

UPGRADE_LOCK = 0x696E7061696E74
"""Any number that no other program on the same database takes for a lock of its own."""

log = logging.getLogger(__name__)


def migrate(engine: Engine, scripts: Path, to: str) -> None:
    """Raises as upgrade does."""
    config = _config(scripts)
    try:
        wanted = _revision_named(to, scripts)
        with engine.connect() as connection:
            if _revision(connection) == wanted:
                return
            if engine.dialect.name == "sqlite":
                _upgrade_sqlite(connection, config, wanted)
            else:
                if engine.dialect.name == "postgresql":
                    # A second process that starts now waits here, and finds everything done.
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
                if _revision(connection) != wanted:
                    config.attributes["connection"] = connection
                    command.upgrade(config, wanted)
                connection.commit()
    except StudioError:
        raise
    except CommandError as error:
        raise DatabaseUnusable(
            "This gallery was written by a newer version of Inpaint Studio. Update the program, then start it again."
        ) from error
    except sqlite3.Error as error:
        raise told(error) from error
    except Exception as error:
        # What a driver makes of an address or a file that is not its own: any kind of error.
        raise DatabaseUnusable from error


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config


@cache
def _revision_named(name: str, scripts: Path) -> str:
    """Kept, as Alembic reads every migration to tell: the files do not change while the program runs."""
    return ScriptDirectory.from_config(_config(scripts)).get_revision(name).revision


def _upgrade_sqlite(connection: Connection, config: Config, wanted: str) -> None:
    connection.rollback()
    # Tables that others refer to are made anew; what they hold is checked before the commit instead.
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    # What one statement could have to take back: a change of a million rows is 4 GB, too much for the memory.
    connection.exec_driver_sql("PRAGMA temp_store=FILE")
    try:
        # A second process that starts now waits here, and finds everything done.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = _revision(connection)
        if before == wanted:
            return
        file = connection.engine.url.database
        backup = None
        if file and before is not None:
            backup = Path(file + ".backup")
            copy(Path(file), backup)
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, wanted)
            _check(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            if backup is not None and _is_changed(connection, backup):
                log.error("The upgrade failed half way; the database is restored from %s", backup)
                _restore(connection, backup)
            raise
    except (StudioError, sqlite3.Error, OSError, CommandError):
        raise
    except Exception as error:
        raise DatabaseUnusable(
            "The gallery's database could not be brought to this version, and was left unchanged. Use the previous "
            "version, and see the log."
        ) from error
    finally:
        connection.rollback()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.exec_driver_sql("PRAGMA temp_store=MEMORY")
        connection.rollback()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _check(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise RuntimeError(f"After the migrations a row of {broken[0]} refers to nothing.")


def _is_changed(connection: Connection, backup: Path) -> bool:
    """Whether anything but a whole transaction was rolled back: then the schema differs from the copy's."""
    everything = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"
    with closing(sqlite3.connect(backup)) as copy:
        return [tuple(row) for row in connection.exec_driver_sql(everything)] != copy.execute(
            everything
        ).fetchall() or connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok"


def _restore(connection: Connection, backup: Path) -> None:
    connection.rollback()
    target = connection.connection.driver_connection
    if target is None:
        raise RuntimeError("The connection to the database is gone; it was not restored.")
    with closing(sqlite3.connect(backup)) as source:
        source.backup(target)
