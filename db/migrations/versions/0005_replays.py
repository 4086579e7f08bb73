"""What follows a generation when a whole chain is replayed; and imported pictures are found by their pixels

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    imported = sa.column("relation") == "import"
    op.create_index(
        "ix_generations_imported", "generations", ["pixels_sha256"], sqlite_where=imported, postgresql_where=imported
    )
    reproducible = sa.and_(
        sa.column("deleted_at").is_(None),
        sa.column("status") == "succeeded",
        sa.column("source") != sa.column("output"),
    )
    op.create_index(
        "ix_generations_reproducible",
        "generations",
        ["environment_id", "verdict", "number"],
        sqlite_where=reproducible,
        postgresql_where=reproducible,
    )
    op.create_table(
        "replays",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("session", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_index(op.f("ix_replays_ended_at"), "replays", ["ended_at"])
    op.create_table(
        "replay_steps",
        sa.Column("replay_id", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("original_id", sa.String(length=32), nullable=True),
        sa.Column("generation_id", sa.String(length=32), nullable=True),
        sa.Column("device", sa.String(length=40), nullable=False),
        sa.Column("interruptions", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name=op.f("fk_replay_steps_generation_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["original_id"], ["generations.id"], name=op.f("fk_replay_steps_original_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["replay_id"], ["replays.id"], name=op.f("fk_replay_steps_replay_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("replay_id", "place", name=op.f("pk_replay_steps")),
    )
    op.create_index(op.f("ix_replay_steps_original_id"), "replay_steps", ["original_id"])
    op.create_index(op.f("ix_replay_steps_generation_id"), "replay_steps", ["generation_id"])


def downgrade() -> None:
    op.drop_table("replay_steps")
    op.drop_table("replays")
    op.drop_index("ix_generations_reproducible", "generations")
    op.drop_index("ix_generations_imported", "generations")
