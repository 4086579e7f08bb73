"""What the file of the photo says about it: camera, date, author

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("generations", sa.Column("source_exif", sa.String(90), nullable=True))


def downgrade() -> None:
    op.drop_column("generations", "source_exif")
