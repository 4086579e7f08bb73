"""Bringing a database to today's tables: Alembic, applied at start-up."""

from __future__ import annotations

import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from core.domain.errors import DatabaseUnusable

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing; an SQLite file with data in it is copied to *.backup before.

    Raises DatabaseUnusable, also for a database that a newer version has written.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.connect() as connection:
            before = MigrationContext.configure(connection).get_current_revision()
        if before == ScriptDirectory.from_config(config).get_current_head():
            return
        if before is not None:
            _back_up(engine)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # All or nothing, and a second process that starts now waits for this one.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except SQLAlchemyError as error:
        raise DatabaseUnusable from error
    except command.util.CommandError as error:
        raise DatabaseUnusable(
            "This gallery was written by a newer version of Inpaint Studio. Update the program, then start it again."
        ) from error


def _back_up(engine: Engine) -> None:
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or not Path(file).exists() or not inspect(engine).get_table_names():
        return
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy2(file, file + ".backup")
