"""The tables. Typed columns for what is filtered or sorted; params_json and record_json for the whole truth."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from core.domain.generation import Status
from core.domain.params import PARAMETERS


class UtcDateTime(TypeDecorator):
    """Aware UTC times in, aware UTC times out, on databases with and without time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    # Named constraints, so that a later migration can find them on every database.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}


def _within_limits(column: str) -> CheckConstraint:
    limits = PARAMETERS[column]
    return CheckConstraint(f"{column} BETWEEN {limits.low:.10g} AND {limits.high:.10g}", name=column)


class EnvironmentRow(Table):
    """Shared by all generations made under the same versions and switches. id: the hash of facts_json."""

    __tablename__ = "environments"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    facts_json: Mapped[str] = mapped_column(Text)


class GenerationRow(Table):
    __tablename__ = "generations"
    __table_args__ = (
        CheckConstraint("status IN ({})".format(", ".join(f"'{s.value}'" for s in Status)), name="status"),
        *(_within_limits(column) for column in ("num_inference_steps", "guidance_scale", "strength", "seed")),
        Index(None, "created_at", "id"),
        Index(None, "status", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(80))

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
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)

    parent_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id"), index=True)
    relation: Mapped[str | None] = mapped_column(String(16))
    session: Mapped[str | None] = mapped_column(String(40))


class ProgressRow(Table):
    """How far a running generation is. Apart from its row, as it is written twice a second."""

    __tablename__ = "progress"

    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    phase: Mapped[str] = mapped_column(String(32))
    step: Mapped[int]
    total: Mapped[int]
    eta_s: Mapped[float | None]
    preview: Mapped[bytes | None] = mapped_column(LargeBinary)


class DraftRow(Table):
    """What an artist has open: it survives a page switch, a browser refresh and a restart."""

    __tablename__ = "drafts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(index=True)
    draft_json: Mapped[str] = mapped_column(Text)
