"""Verifications: whether a generation could be made again

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verifications",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("generation_id", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("output", sa.String(length=80), nullable=True),
        sa.Column("details_json", sa.Text(), server_default="{}", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')",
            name=op.f("ck_verifications_status"),
        ),
        sa.CheckConstraint("verdict IN ('EXACT', 'CLOSE', 'DIFFERENT')", name=op.f("ck_verifications_verdict")),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name=op.f("fk_verifications_generation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
    )
    op.create_index(op.f("ix_verifications_status_requested_at_id"), "verifications", ["status", "requested_at", "id"])
    op.create_index(
        op.f("ix_verifications_generation_id_requested_at"), "verifications", ["generation_id", "requested_at"]
    )


def downgrade() -> None:
    op.drop_table("verifications")
