"""Bringing a database to today's tables, at each start-up."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from core.domain.errors import StudioError

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "head"


def upgrade(engine: Engine, *, scripts: Path = MIGRATIONS, to: str = NEWEST) -> None:
    """Apply the migrations that are missing; an SQLite file with data in it is copied to *.backup before.

    If one fails, the database is as it was before, and is restored from the copy should it not be.
    Raises DatabaseUnusable, also for a database that a newer version has written.
    """
    if to == NEWEST and _stands_at(engine, _newest_of(scripts)):
        return
    # Alembic costs 12 MB and a third of a second, which nearly all starts can do without.
    from db.migrating import migrate

    migrate(engine, scripts, to)


def is_todays(engine: Engine) -> bool:
    """Whether its tables are those that this version knows. Raises StudioError if it cannot be read."""
    with engine.connect() as connection:
        return _revision(connection) == _newest_of(MIGRATIONS)


def _newest_of(scripts: Path) -> str:
    """The revision of the newest migration: its file begins with it, and they are one chain."""
    return max(file.name for file in (scripts / "versions").glob("*.py")).partition("_")[0]


def _stands_at(engine: Engine, revision: str) -> bool:
    """False also where it cannot be told: migrate finds out why."""
    try:
        if not inspect(engine).has_table("alembic_version"):
            return False
        with engine.connect() as connection:
            return _revision(connection) == revision
    except StudioError:
        return False
    except Exception:  # noqa: BLE001 - what a driver makes of an address or a file that is not its own
        return False


def _revision(connection: Connection) -> str | None:
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
