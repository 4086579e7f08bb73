"""The studio around its generations: drafts, presets, switches, workers, files of models, downloads."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Table


class DraftRow(Table):
    """What an artist has open: it survives a page switch, a browser refresh and a restart.

    person: whose it is; nobody's until somebody opens it in a browser. title: kept for good if it has one.
    """

    __tablename__ = "drafts"
    __table_args__ = (Index("ix_drafts_person", "person", "updated_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(index=True)
    draft_json: Mapped[str] = mapped_column(Text)
    person: Mapped[str | None] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(String(200), default="", server_default="")
    deleted_at: Mapped[datetime | None]


class ReleasedFileRow(Table):
    """A stored file that something needed until then; what else needs it is for the collector to find out."""

    __tablename__ = "released_files"

    key: Mapped[str] = mapped_column(String(90), primary_key=True)
    released_at: Mapped[datetime] = mapped_column(index=True)


class GalleryIdRow(Table):
    """One row: the id that the folder of the pictures carries too."""

    __tablename__ = "gallery_id"

    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(40))


class SwitchRow(Table):
    """Something that is on for the whole studio, for as long as its row is there."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    turned_on_at: Mapped[datetime]


class PresetRow(Table):
    """params_json: fields of InpaintParams with values, not necessarily all."""

    __tablename__ = "presets"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    created_at: Mapped[datetime]
    params_json: Mapped[str] = mapped_column(Text)


class WorkerRow(Table):
    """A process that paints, or that did. machine_json: its MachineFacts. close_asked_at: its model is to be closed."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    host: Mapped[str] = mapped_column(String(80))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    machine_json: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(300))
    device: Mapped[str | None] = mapped_column(String(40))
    memory_mb: Mapped[float | None]
    close_asked_at: Mapped[datetime | None]


class ModelFileRow(Table):
    """What is known of a file of weights, as long as it has this size and time. rules: by which it was told.

    about_json: a ModelFile. problem: why it can be none. hashed_*: what it was like when it was hashed. verify_*: that
    a worker is to read it, which one does, how many bytes it has read. verified_json: what that came to.
    """

    __tablename__ = "model_files"

    path: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    rules: Mapped[str] = mapped_column(String(80))
    about_json: Mapped[str | None] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(80))
    hashed_size: Mapped[int | None] = mapped_column(BigInteger)
    hashed_mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    hashed_inode: Mapped[int | None] = mapped_column(BigInteger)
    hashed_at: Mapped[datetime | None]
    verify_asked_at: Mapped[datetime | None] = mapped_column(index=True)
    verify_worker: Mapped[str | None] = mapped_column(String(80))
    verify_beat_at: Mapped[datetime | None]
    verify_done: Mapped[int | None] = mapped_column(BigInteger)
    verified_json: Mapped[str | None] = mapped_column(Text)


class DownloadRow(Table):
    """A model that is fetched from the hub, or was. wish: what its worker is asked to do. link: beside the error."""

    __tablename__ = "downloads"
    __table_args__ = (Index("ix_downloads_status", "status", "asked_at"),)

    model: Mapped[str] = mapped_column(String(300), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(80))
    wish: Mapped[str | None] = mapped_column(String(16))
    done_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    total_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[str | None] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(Text)
