"""Drafts are somebody's, have a name, and lie in the trash for a while

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("drafts", sa.Column("person", sa.String(32)))
    op.add_column("drafts", sa.Column("title", sa.String(200), nullable=False, server_default=""))
    op.add_column("drafts", sa.Column("deleted_at", sa.DateTime()))
    op.create_index("ix_drafts_person", "drafts", ["person", "updated_at"])


def downgrade() -> None:
    op.drop_index("ix_drafts_person", "drafts")
    for name in ("person", "title", "deleted_at"):
        op.drop_column("drafts", name)
