"""The index of the favourites holds all that filters look at

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LOOKED_AT = [
    "number", "status", "model", "device", "scheduler", "favourite", "rating", "width", "height", "runtime_s",
    "parent_id", "verdict",
]  # fmt: skip


def upgrade() -> None:
    _index(LOOKED_AT)


def downgrade() -> None:
    _index(["number"])


def _index(columns: list[str]) -> None:
    where = sa.column("deleted_at").is_(None) & sa.column("favourite").is_(sa.true())
    op.drop_index("ix_generations_favourites", "generations")
    op.create_index("ix_generations_favourites", "generations", columns, sqlite_where=where, postgresql_where=where)
