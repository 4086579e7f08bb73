"""How far a verification is: since when, and at which step

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = {"started_at": sa.DateTime, "step": sa.Integer, "total": sa.Integer}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("verifications", sa.Column(name, kind(), nullable=True))


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column("verifications", name)
