"""Files of models: what their headers tell, and their hashes

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_files",
        sa.Column("path", sa.Text(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("rules", sa.String(80), nullable=False),
        sa.Column("about_json", sa.Text()),
        sa.Column("problem", sa.Text()),
        sa.Column("sha256", sa.String(80)),
        sa.Column("hashed_size", sa.BigInteger()),
        sa.Column("hashed_mtime_ns", sa.BigInteger()),
        sa.Column("hashed_at", sa.DateTime()),
    )


def downgrade() -> None:
    op.drop_table("model_files")
