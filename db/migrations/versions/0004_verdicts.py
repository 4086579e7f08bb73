"""The newest verdict of a generation, to filter by, and what the statistics look at

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DIMENSIONS = "in_trash, status, model, device, scheduler, favourite, rating, has_parent"

WORKING_PX = {
    "sqlite": "json_extract(record_json, '$.working_size[0]') * json_extract(record_json, '$.working_size[1]')",
    "postgresql": "(record_json::json->'working_size'->>0)::int * (record_json::json->'working_size'->>1)::int",
}


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    op.execute(
        "ALTER TABLE generations ADD COLUMN verdict VARCHAR(16) "
        "CONSTRAINT ck_generations_verdict CHECK (verdict IN ('EXACT', 'CLOSE', 'DIFFERENT'))"
    )
    op.add_column("generations", sa.Column("working_px", sa.Integer(), nullable=True))
    if dialect == "sqlite":
        _count_verdicts_too()
    op.execute(f"UPDATE generations SET working_px = {WORKING_PX[dialect]} WHERE record_json <> '{{}}'")
    # After the triggers: they count what is filled in here.
    op.execute(
        "UPDATE generations SET verdict = ("
        "SELECT v.verdict FROM verifications AS v WHERE v.generation_id = generations.id AND v.verdict IS NOT NULL "
        "ORDER BY v.requested_at DESC, v.id DESC LIMIT 1) "
        "WHERE id IN (SELECT generation_id FROM verifications WHERE verdict IS NOT NULL)"
    )
    _index()


def _index() -> None:
    live = sa.column("deleted_at").is_(None)
    own_run = sa.and_(
        live,
        sa.column("status") == "succeeded",
        sa.column("runtime_s") > 0,
        sa.or_(sa.column("relation").is_(None), sa.column("relation") != "import"),
    )
    op.drop_index("ix_generations_gallery", "generations")
    partial = {
        "gallery": (
            [
                "number",
                "status",
                "model",
                "device",
                "scheduler",
                "favourite",
                "rating",
                "width",
                "height",
                "runtime_s",
                "parent_id",
                "verdict",
            ],
            live,
        ),
        "verdicts": (["verdict", "number"], live & sa.column("verdict").is_not(None)),
        "runs": (["model", "device", "number", "num_inference_steps", "working_px", "runtime_s"], own_run),
    }
    for name, (columns, where) in partial.items():
        op.create_index(f"ix_generations_{name}", "generations", columns, sqlite_where=where, postgresql_where=where)


def _count_verdicts_too() -> None:
    """The table of counts with one more dimension; until now nothing has a verdict."""
    for name in ("add", "move", "untag", "remove", "tagged", "untagged"):
        op.execute(f"DROP TRIGGER facet_counts_{name}")
    op.rename_table("facet_counts", "facet_counts_old")
    dimensions: list[sa.Column[Any]] = [
        sa.Column("tag_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("in_trash", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=300), nullable=False),
        sa.Column("device", sa.String(length=40), nullable=False),
        sa.Column("scheduler", sa.String(length=40), nullable=False),
        sa.Column("favourite", sa.Boolean(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("has_parent", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
    ]
    op.create_table(
        "facet_counts",
        *dimensions,
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*(c.name for c in dimensions), name=op.f("pk_facet_counts")),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO facet_counts (tag_id, {DIMENSIONS}, verdict, n) "
        f"SELECT tag_id, {DIMENSIONS}, '', n FROM facet_counts_old"
    )
    op.drop_table("facet_counts_old")
    _make_triggers()


def _make_triggers() -> None:
    tags_of = "SELECT 0 AS tag_id UNION ALL SELECT tag_id FROM generation_tags WHERE number = {}.number"
    changed = " OR ".join(
        f"{old} IS NOT {new}" for old, new in zip(_dimensions("old"), _dimensions("new"), strict=True)
    )
    dimensions = "deleted_at, status, model, device, scheduler, favourite, rating, parent_id, verdict"
    triggers = {
        "add": ("AFTER INSERT ON generations", _count("new", "+1", "SELECT 0 AS tag_id")),
        "move": (
            f"AFTER UPDATE OF {dimensions} ON generations WHEN {changed}",
            _count("old", "-1", tags_of.format("old")) + _count("new", "+1", tags_of.format("new")),
        ),
        # Before, as its tags are counted by what the row holds.
        "untag": ("BEFORE DELETE ON generations", "DELETE FROM generation_tags WHERE number = old.number; "),
        "remove": ("AFTER DELETE ON generations", _count("old", "-1", "SELECT 0 AS tag_id")),
    }
    for name, (event, body) in triggers.items():
        op.execute(f"CREATE TRIGGER facet_counts_{name} {event} BEGIN {body}END")
    for name, event, row, by in (("tagged", "INSERT", "new", "+1"), ("untagged", "DELETE", "old", "-1")):
        body = _count("g", by, f"SELECT {row}.tag_id AS tag_id", f"generations AS g WHERE g.number = {row}.number")
        op.execute(f"CREATE TRIGGER facet_counts_{name} AFTER {event} ON generation_tags BEGIN {body}END")


def _dimensions(row: str) -> list[str]:
    return [
        f"{row}.deleted_at IS NOT NULL",
        f"{row}.status",
        f"{row}.model",
        f"{row}.device",
        f"{row}.scheduler",
        f"{row}.favourite",
        f"coalesce({row}.rating, 0)",
        f"{row}.parent_id IS NOT NULL",
        f"coalesce({row}.verdict, '')",
    ]


def _count(row: str, by: str, tags: str, joined: str = "") -> str:
    """One more, or one less, of this row's combination, for each of these tags."""
    return (
        f"INSERT INTO facet_counts (tag_id, {DIMENSIONS}, verdict, n) "
        f"SELECT t.tag_id, {', '.join(_dimensions(row))}, {by} "
        f"FROM ({tags}) AS t{', ' + joined if joined else ' WHERE true'} "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n; "
    )


def downgrade() -> None:
    raise NotImplementedError("The verdicts' counts would be lost. Restore the backup instead.")
