"""The first tables

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("draft_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drafts")),
    )
    op.create_index(op.f("ix_drafts_updated_at"), "drafts", ["updated_at"], unique=False)

    op.create_table(
        "environments",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("facts_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environments")),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("params_json", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("negative_prompt", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=300), nullable=False),
        sa.Column("scheduler", sa.String(length=40), nullable=False),
        sa.Column("num_inference_steps", sa.Integer(), nullable=False),
        sa.Column("guidance_scale", sa.Float(53), nullable=False),
        sa.Column("strength", sa.Float(53), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=True),
        sa.Column("mask", sa.String(length=80), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("output", sa.String(length=80), nullable=True),
        sa.Column("thumbnail", sa.String(length=90), nullable=True),
        sa.Column("pixels_sha256", sa.String(length=80), nullable=True),
        sa.Column("device", sa.String(length=40), nullable=False),
        sa.Column("dtype", sa.String(length=20), nullable=True),
        sa.Column("model_revision", sa.String(length=120), nullable=True),
        sa.Column("runtime_s", sa.Float(53), nullable=True),
        sa.Column("load_s", sa.Float(53), nullable=True),
        sa.Column("environment_id", sa.String(length=80), nullable=True),
        sa.Column("record_json", sa.Text(), nullable=False),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("relation", sa.String(length=16), nullable=True),
        sa.Column("session", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')",
            name=op.f("ck_generations_status"),
        ),
        sa.CheckConstraint("guidance_scale BETWEEN 0 AND 30", name=op.f("ck_generations_guidance_scale")),
        sa.CheckConstraint("num_inference_steps BETWEEN 1 AND 150", name=op.f("ck_generations_num_inference_steps")),
        sa.CheckConstraint("seed BETWEEN 0 AND 4294967295", name=op.f("ck_generations_seed")),
        sa.CheckConstraint("strength BETWEEN 0.01 AND 1", name=op.f("ck_generations_strength")),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name=op.f("fk_generations_environment_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["generations.id"], name=op.f("fk_generations_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_index(op.f("ix_generations_created_at_id"), "generations", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_generations_parent_id"), "generations", ["parent_id"], unique=False)
    op.create_index(
        op.f("ix_generations_status_created_at_id"), "generations", ["status", "created_at", "id"], unique=False
    )

    op.create_table(
        "progress",
        sa.Column("generation_id", sa.String(length=32), nullable=False),
        sa.Column("phase", sa.String(length=32), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("eta_s", sa.Float(53), nullable=True),
        sa.Column("preview", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name=op.f("fk_progress_generation_id")),
        sa.PrimaryKeyConstraint("generation_id", name=op.f("pk_progress")),
    )


def downgrade() -> None:
    op.drop_table("progress")
    op.drop_index(op.f("ix_generations_status_created_at_id"), "generations")
    op.drop_index(op.f("ix_generations_parent_id"), "generations")
    op.drop_index(op.f("ix_generations_created_at_id"), "generations")

    op.drop_table("generations")
    op.drop_table("environments")
    op.drop_index(op.f("ix_drafts_updated_at"), "drafts")

    op.drop_table("drafts")
