"""Files of models are verified by workers, and told apart by inode too

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NEW = (
    ("hashed_inode", sa.BigInteger()),
    ("verify_asked_at", sa.DateTime()),
    ("verify_worker", sa.String(80)),
    ("verify_beat_at", sa.DateTime()),
    ("verify_done", sa.BigInteger()),
    ("verified_json", sa.Text()),
)


def upgrade() -> None:
    for name, kind in NEW:
        op.add_column("model_files", sa.Column(name, kind))
    op.create_index("ix_model_files_verify_asked_at", "model_files", ["verify_asked_at"])


def downgrade() -> None:
    op.drop_index("ix_model_files_verify_asked_at", "model_files")
    for name, _ in NEW:
        op.drop_column("model_files", name)
