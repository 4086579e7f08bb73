"""The gallery's data: favourites, ratings, titles, notes, tags, saved searches, the search index and the counts

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD = (
    "id, status, created_at, started_at, finished_at, heartbeat_at, cancel_requested_at, deleted_at, worker, "
    "params_json, prompt, negative_prompt, model, scheduler, num_inference_steps, guidance_scale, strength, seed, "
    "source, source_name, mask, width, height, output, thumbnail, pixels_sha256, device, dtype, model_revision, "
    "runtime_s, load_s, environment_id, record_json, error_code, error, parent_id, relation, session"
)
MICROSECONDS = {
    "sqlite": "CAST(strftime('%s', created_at) AS INTEGER) * 1000000 "
    "+ CAST(substr(created_at || '.000000', 21, 6) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM created_at) * 1000000 AS BIGINT)",
}

PARENT = sa.ForeignKeyConstraint(
    ["parent_id"], ["generations.id"], name="fk_generations_parent_id", ondelete="SET NULL"
)

TEXTS = "prompt, negative_prompt, notes, title, tags"
DIMENSIONS = "in_trash, status, model, device, scheduler, favourite, rating, has_parent"


def upgrade() -> None:
    _make_generations_anew()
    _make_new_tables()
    if op.get_context().dialect.name == "sqlite":
        _make_search_index()
        _make_facet_counts()


def _make_generations_anew() -> None:
    """With number as the primary key. SQLite cannot change a key, so the rows are copied."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    dialect = op.get_context().dialect.name
    for index in ("created_at_id", "parent_id", "status_created_at_id"):
        op.drop_index(f"ix_generations_{index}", "generations")
    if dialect != "sqlite":
        op.execute("ALTER TABLE generations DROP CONSTRAINT pk_generations CASCADE")
    op.create_table(
        "generations_new",
        sa.Column("number", number, autoincrement=False, nullable=False),
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
        sa.Column("favourite", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')",
            name=op.f("ck_generations_status"),
        ),
        sa.CheckConstraint("guidance_scale BETWEEN 0 AND 30", name=op.f("ck_generations_guidance_scale")),
        sa.CheckConstraint("num_inference_steps BETWEEN 1 AND 150", name=op.f("ck_generations_num_inference_steps")),
        sa.CheckConstraint("seed BETWEEN 0 AND 4294967295", name=op.f("ck_generations_seed")),
        sa.CheckConstraint("strength BETWEEN 0.01 AND 1", name=op.f("ck_generations_strength")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_generations_rating")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_generations")),
        sa.UniqueConstraint("id", name=op.f("uq_generations_id")),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name=op.f("fk_generations_environment_id")),
        *([PARENT] if dialect == "sqlite" else []),
    )
    # Strictly rising: the time of creation, or one more than the row before where that is taken.
    op.execute(
        f"INSERT INTO generations_new (number, {OLD}) "
        f"SELECT nth + max(us - nth) OVER (ORDER BY nth), {OLD} FROM ("
        f"SELECT {OLD}, us, row_number() OVER (ORDER BY us, id) AS nth "
        f"FROM (SELECT {OLD}, {MICROSECONDS[dialect]} AS us FROM generations) AS timed) AS numbered "
        "ORDER BY nth"
    )
    op.drop_table("generations")
    op.rename_table("generations_new", "generations")
    if dialect != "sqlite":
        op.create_foreign_key(
            "fk_generations_parent_id", "generations", "generations", ["parent_id"], ["id"], ondelete="SET NULL"
        )
    _index_generations()
    # How far a run was when the program ended is not worth keeping.
    op.drop_table("progress")
    op.create_table(
        "progress",
        sa.Column("generation_id", sa.String(length=32), nullable=False),
        sa.Column("phase", sa.String(length=32), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("eta_s", sa.Float(53), nullable=True),
        sa.Column("preview", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name=op.f("fk_progress_generation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("generation_id", name=op.f("pk_progress")),
    )


def _index_generations() -> None:
    live, in_trash = sa.column("deleted_at").is_(None), sa.column("deleted_at").is_not(None)
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
            ],
            live,
        ),
        "trash": (["number", "deleted_at"], in_trash),
        "favourites": (["number"], live & sa.column("favourite").is_(sa.true())),
        "ratings": (["rating", "number"], live & sa.column("rating").is_not(None)),
        "runtimes": (["runtime_s", "number"], live & sa.column("runtime_s").is_not(None)),
    }
    for name, (columns, where) in partial.items():
        op.create_index(f"ix_generations_{name}", "generations", columns, sqlite_where=where, postgresql_where=where)
    for column in ("status", "model", "device", "scheduler", "parent_id"):
        op.create_index(f"ix_generations_{column}", "generations", [column, "number"])


def _make_new_tables() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("folded", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("folded", name=op.f("uq_tags_folded")),
    )
    op.create_table(
        "generation_tags",
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("number", number, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_generation_tags_tag_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["number"], ["generations.number"], name=op.f("fk_generation_tags_number"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tag_id", "number", name=op.f("pk_generation_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_generation_tags_number", "generation_tags", ["number"])
    op.create_table(
        "saved_searches",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("query_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_saved_searches")),
    )
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
    ]
    op.create_table(
        "facet_counts",
        *dimensions,
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*(c.name for c in dimensions), name=op.f("pk_facet_counts")),
        sqlite_with_rowid=False,
    )


def _make_search_index() -> None:
    """External content: the words are indexed, the texts stay in their rows. columnsize=0: nothing is ranked."""
    op.execute(
        f"CREATE VIRTUAL TABLE generation_texts USING fts5({TEXTS}, content='generations', content_rowid='number', "
        "columnsize=0, prefix='2 3', "
        """tokenize="unicode61 remove_diacritics 2 categories 'L* M* N* Co So'")"""
    )
    op.execute("INSERT INTO generation_texts (generation_texts) VALUES ('rebuild')")
    columns = TEXTS.split(", ")
    new = ", ".join(f"new.{c}" for c in columns)
    old = ", ".join(f"old.{c}" for c in columns)
    forget = f"INSERT INTO generation_texts (generation_texts, rowid, {TEXTS}) VALUES ('delete', old.number, {old}); "
    learn = f"INSERT INTO generation_texts (rowid, {TEXTS}) VALUES (new.number, {new}); "
    changed = " OR ".join(f"old.{c} <> new.{c}" for c in columns)
    for name, event, body in (
        ("learn", "AFTER INSERT ON generations", learn),
        ("forget", "AFTER DELETE ON generations", forget),
        ("relearn", f"AFTER UPDATE OF {TEXTS} ON generations WHEN {changed}", forget + learn),
    ):
        op.execute(f"CREATE TRIGGER generation_texts_{name} {event} BEGIN {body}END")


def _make_facet_counts() -> None:
    """A row of numbers for each combination that occurs, so that counts never read the gallery itself."""
    for tag, table in (
        ("0", "generations AS g"),
        ("t.tag_id", "generation_tags AS t JOIN generations AS g USING (number)"),
    ):
        op.execute(
            f"INSERT INTO facet_counts (tag_id, {DIMENSIONS}, n) "
            f"SELECT {tag}, {', '.join(_dimensions('g'))}, count(*) FROM {table} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
        )

    tags_of = "SELECT 0 AS tag_id UNION ALL SELECT tag_id FROM generation_tags WHERE number = {}.number"
    changed = " OR ".join(
        f"{old} IS NOT {new}" for old, new in zip(_dimensions("old"), _dimensions("new"), strict=True)
    )
    dimensions = "deleted_at, status, model, device, scheduler, favourite, rating, parent_id"
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
    ]


def _count(row: str, by: str, tags: str, joined: str = "") -> str:
    """One more, or one less, of this row's combination, for each of these tags."""
    return (
        f"INSERT INTO facet_counts (tag_id, {DIMENSIONS}, n) SELECT t.tag_id, {', '.join(_dimensions(row))}, {by} "
        f"FROM ({tags}) AS t{', ' + joined if joined else ' WHERE true'} "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n; "
    )


def downgrade() -> None:
    raise NotImplementedError("The gallery's data would be lost. Restore the backup instead.")
