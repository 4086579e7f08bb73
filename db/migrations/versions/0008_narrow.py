"""The indexes of the favourites and of the trash hold all that filters look at

Revision ID: 0008
Revises: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LOOKED_AT = [
    "number",
    "status",
    "model",
    "device",
    "scheduler",
    "favourite",
    "rating",
    "width",
    "height",
    "runtime_s",
    "parent_id",
    "verdict",
]


def upgrade() -> None:
    _index(favourites=LOOKED_AT, trash=[*LOOKED_AT, "deleted_at"])


def downgrade() -> None:
    _index(favourites=["number"], trash=["number", "deleted_at"])


def _index(*, favourites: list[str], trash: list[str]) -> None:
    deleted_at: sa.ColumnClause[Any] = sa.column("deleted_at")
    is_favourite = deleted_at.is_(None) & sa.column("favourite").is_(sa.true())
    for name, columns, where in (("favourites", favourites, is_favourite), ("trash", trash, deleted_at.is_not(None))):
        op.drop_index(f"ix_generations_{name}", "generations")
        op.create_index(f"ix_generations_{name}", "generations", columns, sqlite_where=where, postgresql_where=where)
