"""Alembic's entry: the connection comes from db/migrating.py, or from DATABASE_URL when one is being written."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from db.connection import make_engine
from db.tables import Table


def run(connection: Connection) -> None:
    # Batch mode: SQLite cannot alter most of a table, so Alembic makes it anew.
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with make_engine(os.environ["DATABASE_URL"]).begin() as connection:
        run(connection)
