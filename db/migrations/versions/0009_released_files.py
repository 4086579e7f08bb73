"""Files that were released, and the id that the database shares with the folder of the pictures

Revision ID: 0009
Revises: 0008
"""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    released = op.create_table(
        "released_files",
        sa.Column("key", sa.String(90), nullable=False),
        sa.Column("released_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_released_files"),
    )
    op.create_index("ix_released_files_released_at", "released_files", ["released_at"])
    op.create_table(
        "gallery_id",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_gallery_id"),
    )
    # Drafts knew of their own which files they had let go.
    let_go: dict[str, datetime] = {}
    for (text,) in op.get_bind().execute(sa.text("SELECT draft_json FROM drafts")):
        for key, at in json.loads(text).get("let_go", {}).items():
            let_go[key] = datetime.fromisoformat(at).astimezone(UTC).replace(tzinfo=None)
    if let_go:
        op.bulk_insert(released, [{"key": key, "released_at": at} for key, at in let_go.items()])


def downgrade() -> None:
    op.drop_table("gallery_id")
    op.drop_table("released_files")
