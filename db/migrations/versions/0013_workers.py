"""Workers: what the processes that paint tell of themselves

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("host", sa.String(80), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime()),
        sa.Column("machine_json", sa.Text()),
        sa.Column("model", sa.String(300)),
        sa.Column("device", sa.String(40)),
        sa.Column("memory_mb", sa.Float()),
        sa.Column("close_asked_at", sa.DateTime()),
    )


def downgrade() -> None:
    op.drop_table("workers")
