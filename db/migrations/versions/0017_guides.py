"""Pictures of generations in further roles

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "guides",
        sa.Column("number", number, autoincrement=False, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("picture", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["generations.number"], name=op.f("fk_guides_number"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "role", "position", name=op.f("pk_guides")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_guides_picture", "guides", ["picture"])


def downgrade() -> None:
    op.drop_table("guides")
