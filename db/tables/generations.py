"""Generations, and what is kept of them: verifications, tags, searches, counts, grids, replays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    and_,
    column,
    false,
    literal,
    or_,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.domain.generation import Relation, Status, Verdict
from core.domain.params import number
from db.tables.base import Number, Table


def _within_limits(column: str) -> CheckConstraint:
    limits = number(column)
    return CheckConstraint(f"{column} BETWEEN {limits.low:.10g} AND {limits.high:.10g}", name=column)


class EnvironmentRow(Table):
    """Shared by all generations made under the same versions and switches. id: the hash of facts_json."""

    __tablename__ = "environments"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    facts_json: Mapped[str] = mapped_column(Text)


LIVE = column("deleted_at").is_(None)
IN_TRASH = column("deleted_at").is_not(None)


def _constant(value: object) -> ColumnElement[Any]:
    """Written out in every statement: SQLite takes a partial index only for a condition that it can read."""
    return literal(value, literal_execute=True)


LOOKED_AT = (
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
)
"""What filters look at."""

# Successes of this installation, whose times are known.
OWN_RUN = and_(
    LIVE,
    column("status") == _constant(Status.SUCCEEDED.value),
    column("runtime_s") > _constant(0),
    or_(column("relation").is_(None), column("relation") != _constant(Relation.IMPORT.value)),
)
# What can be run again: not the pictures of other tools, which are their own source.
REPRODUCIBLE = and_(LIVE, column("status") == _constant(Status.SUCCEEDED.value), column("source") != column("output"))
VERDICTS = "verdict IN ({})".format(", ".join(f"'{v.value}'" for v in Verdict))


def _partial(name: str, *columns: str, where: ColumnElement[bool]) -> Index:
    return Index(f"ix_generations_{name}", *columns, sqlite_where=where, postgresql_where=where)


class GenerationRow(Table):
    """number: microseconds since 1970 at creation, moved on by one where taken. It is the primary key, so that the
    table itself, each index and the search index lie in the order in which the gallery is read (decision 5).
    tags: the names of its tags, one a line; kept here too, so that a search finds them. verdict: of its newest
    verification. working_px: pixels that went through the model. attempts: how often a worker has begun it since a
    person asked for it, not counting those that gave it back.
    """

    __tablename__ = "generations"
    __table_args__ = (
        CheckConstraint("status IN ({})".format(", ".join(f"'{s.value}'" for s in Status)), name="status"),
        *(_within_limits(column) for column in ("num_inference_steps", "guidance_scale", "strength", "seed")),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
        CheckConstraint(VERDICTS, name="verdict"),
        UniqueConstraint("id"),
        # All that filters look at, in the order of the gallery: a page under filters never touches the wide rows.
        _partial("gallery", *LOOKED_AT, where=LIVE),
        # The few that are asked for most, and those that are seldom among them.
        _partial("favourites", *LOOKED_AT, where=LIVE & column("favourite").is_(true())),
        _partial("trash", *LOOKED_AT, "deleted_at", where=IN_TRASH),
        _partial("ratings", "rating", "number", where=LIVE & column("rating").is_not(None)),
        _partial("runtimes", "runtime_s", "number", where=LIVE & column("runtime_s").is_not(None)),
        _partial("verdicts", "verdict", "number", where=LIVE & column("verdict").is_not(None)),
        # All that the statistics look at.
        _partial(
            "runs", "model", "device", "number", "num_inference_steps", "working_px", "runtime_s", where=OWN_RUN,
        ),
        _partial("reproducible", "environment_id", "verdict", "number", where=REPRODUCIBLE),
        # The same picture is imported once.
        _partial("imported", "pixels_sha256", where=column("relation") == Relation.IMPORT.value),
        # For values that are rare, where reading in order would find few.
        Index("ix_generations_status", "status", "number"),
        Index("ix_generations_model", "model", "number"),
        Index("ix_generations_device", "device", "number"),
        Index("ix_generations_scheduler", "scheduler", "number"),
        Index("ix_generations_parent_id", "parent_id", "number"),
        # Whom the queue served last.
        Index("ix_generations_session", "session", "started_at"),
    )  # fmt: skip

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(80))
    queue_place: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")

    params_json: Mapped[str] = mapped_column(Text)
    prompt: Mapped[str] = mapped_column(Text)
    negative_prompt: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(300))
    scheduler: Mapped[str] = mapped_column(String(40))
    num_inference_steps: Mapped[int]
    guidance_scale: Mapped[float]
    strength: Mapped[float]
    seed: Mapped[int] = mapped_column(BigInteger)  # 0..2**32-1 does not fit a signed 32-bit INTEGER

    source: Mapped[str] = mapped_column(String(80))
    source_name: Mapped[str | None] = mapped_column(Text)
    source_exif: Mapped[str | None] = mapped_column(String(90))
    extended_json: Mapped[str | None] = mapped_column(Text)
    mask: Mapped[str] = mapped_column(String(80))
    width: Mapped[int]
    height: Mapped[int]
    output: Mapped[str | None] = mapped_column(String(80))
    thumbnail: Mapped[str | None] = mapped_column(String(90))
    pixels_sha256: Mapped[str | None] = mapped_column(String(80))

    device: Mapped[str] = mapped_column(String(40))
    dtype: Mapped[str | None] = mapped_column(String(20))
    model_revision: Mapped[str | None] = mapped_column(String(120))
    runtime_s: Mapped[float | None]
    load_s: Mapped[float | None]
    environment_id: Mapped[str | None] = mapped_column(ForeignKey("environments.id"))
    record_json: Mapped[str] = mapped_column(Text, default="{}")
    working_px: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)

    # A child outlives its parent: its relation still says that there was one.
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id", ondelete="SET NULL"))
    relation: Mapped[str | None] = mapped_column(String(16))
    session: Mapped[str | None] = mapped_column(String(40))

    favourite: Mapped[bool] = mapped_column(default=False, server_default=false())
    rating: Mapped[int | None]
    title: Mapped[str] = mapped_column(Text, default="", server_default="")
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    tags: Mapped[str] = mapped_column(Text, default="", server_default="")
    verdict: Mapped[str | None] = mapped_column(String(16))


class GuideRow(Table):
    """A picture of a generation in another role than those that have columns: see core.domain.guide."""

    __tablename__ = "guides"
    __table_args__ = (Index(None, "picture"), {"sqlite_with_rowid": False})

    number: Mapped[int] = mapped_column(
        Number, ForeignKey("generations.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    picture: Mapped[str] = mapped_column(String(80))


class ProgressRow(Table):
    """How far a running generation is. Apart from its row, as it is written twice a second."""

    __tablename__ = "progress"

    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(String(32))
    step: Mapped[int]
    total: Mapped[int]
    eta_s: Mapped[float | None]
    preview: Mapped[bytes | None] = mapped_column(LargeBinary)


class TagRow(Table):
    """name: as it was first written. folded: the same for all spellings that count as one tag."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("folded"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    folded: Mapped[str] = mapped_column(String(200))


class GenerationTagRow(Table):
    __tablename__ = "generation_tags"
    __table_args__ = (Index("ix_generation_tags_number", "number"), {"sqlite_with_rowid": False})

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(
        Number, ForeignKey("generations.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class SavedSearchRow(Table):
    """query_json: a GalleryFilter as in the page's address."""

    __tablename__ = "saved_searches"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    created_at: Mapped[datetime]
    query_json: Mapped[str] = mapped_column(Text)


class FacetCountRow(Table):
    """How many generations there are of each combination of values that occurs: for all (tag_id 0), and for each tag.

    Kept by triggers, SQLite only. rating 0, verdict "": none.
    """

    __tablename__ = "facet_counts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    tag_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    in_trash: Mapped[bool] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16), primary_key=True)
    model: Mapped[str] = mapped_column(String(300), primary_key=True)
    device: Mapped[str] = mapped_column(String(40), primary_key=True)
    scheduler: Mapped[str] = mapped_column(String(40), primary_key=True)
    favourite: Mapped[bool] = mapped_column(primary_key=True)
    rating: Mapped[int] = mapped_column(primary_key=True)
    has_parent: Mapped[bool] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16), primary_key=True)
    n: Mapped[int]


class VerificationRow(Table):
    """One re-run of a generation for comparison. details_json: the difference, the reasons, the environment.

    attempts: as of a generation.
    """

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint("status IN ({})".format(", ".join(f"'{s.value}'" for s in Status)), name="status"),
        CheckConstraint(VERDICTS, name="verdict"),
        Index(None, "status", "requested_at", "id"),
        Index(None, "generation_id", "requested_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    step: Mapped[int | None]
    total: Mapped[int | None]
    worker: Mapped[str | None] = mapped_column(String(80))
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    verdict: Mapped[str | None] = mapped_column(String(16))
    output: Mapped[str | None] = mapped_column(String(80))
    details_json: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    error: Mapped[str | None] = mapped_column(Text)


class SheetRow(Table):
    """Generations that were made together, over one or two parameters. sheet_json: the axes and the ids."""

    __tablename__ = "sheets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime]
    sheet_json: Mapped[str] = mapped_column(Text)


class ReplayRow(Table):
    """A chain that is painted again from its first source. ended_at: when nothing of it was left to do."""

    __tablename__ = "replays"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    session: Mapped[str | None] = mapped_column(String(40))


class ReplayStepRow(Table):
    """One step of a replay. original_id: what is painted again. generation_id: the new one, None until its turn.

    interruptions: how often it was queued again after its worker died.
    """

    __tablename__ = "replay_steps"

    replay_id: Mapped[str] = mapped_column(ForeignKey("replays.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    original_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id", ondelete="SET NULL"), index=True)
    generation_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id", ondelete="SET NULL"), index=True)
    device: Mapped[str] = mapped_column(String(40))
    interruptions: Mapped[int] = mapped_column(default=0, server_default="0")
