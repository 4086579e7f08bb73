"""The models on this machine, as pages and commands show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.domain.model_file import FileKind, ModelFile


class Place(StrEnum):
    """Where a model lies. The values are words for people."""

    BUNDLED = "bundled"
    HUB = "hub cache"
    OURS = "models folder"
    ELSEWHERE = "further folder"


class KindFilter(StrEnum):
    """Of which kinds models are asked for."""

    CHECKPOINT = "checkpoint"
    LORA = "lora"
    EMBEDDING = "embedding"
    VAE = "vae"
    CONTROLNET = "controlnet"
    OTHER = "other"

    @classmethod
    def of(cls, kind: FileKind) -> KindFilter:
        return _FILTERS.get(kind, cls.OTHER)


_FILTERS = {
    FileKind.CHECKPOINT: KindFilter.CHECKPOINT,
    FileKind.LORA: KindFilter.LORA,
    FileKind.EMBEDDING: KindFilter.EMBEDDING,
    FileKind.VAE: KindFilter.VAE,
    FileKind.CONTROLNET: KindFilter.CONTROLNET,
}


FLOAT32 = 4
BYTES = {"float64": 8, "float32": FLOAT32, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
"""Of one number, by the names that a ModelFile has for its dtypes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of weights, or the folder of a pipeline, before it is looked into.

    key: what params and commands call it: a key of the table, a hub id, or its path. title: its name. path: None for
    what has no files. size: bytes. mtime_ns: of the file. is_folder: a whole pipeline, as diffusers saves it.
    """

    key: str
    title: str
    place: Place
    path: Path | None = None
    size: int = 0
    mtime_ns: int = 0
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What was found out about a model. family: the architecture that it has, or was made for; None: not told.

    about: what the header of a single file says. problem: why it cannot be used. needs: bytes of its weights once they
    are loaded in numbers of four bytes.
    """

    kind: FileKind = FileKind.UNKNOWN
    family: str | None = None
    about: ModelFile | None = None
    problem: str | None = None
    needs: int | None = None

    @classmethod
    def of(cls, about: ModelFile, problem: str | None) -> Told:
        """Of a single file."""
        needs = None
        if about.kind is FileKind.CHECKPOINT and about.dtypes:
            needs = about.size * FLOAT32 // BYTES[about.dtypes[0]]
        return cls(about.kind, about.base.value if about.base else None, about, problem, needs)


@dataclass(frozen=True, slots=True)
class FileHash:
    """The sha256 of a file, and the size and time that it had then."""

    sha256: str
    size: int
    mtime_ns: int
    at: datetime

    def is_of(self, found: Found) -> bool:
        return (self.size, self.mtime_ns) == (found.size, found.mtime_ns)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model on this machine. hashed: None until it was verified; it can be of the file as it was before."""

    found: Found
    told: Told
    licence: str | None = None
    licence_url: str | None = None
    hashed: FileHash | None = None

    @property
    def key(self) -> str:
        return self.found.key

    @property
    def sha256(self) -> str | None:
        """Of the file as it is now, if it is known."""
        return self.hashed.sha256 if self.hashed is not None and self.hashed.is_of(self.found) else None

    @property
    def kind(self) -> KindFilter:
        return KindFilter.of(self.told.kind)

    @property
    def trigger_words(self) -> tuple[str, ...]:
        return self.told.about.trigger_words if self.told.about else ()

    @property
    def is_removable(self) -> bool:
        """Whether it lies where this program put it, and not in a folder of another one."""
        return self.found.place in (Place.OURS, Place.HUB)


@dataclass(frozen=True, slots=True)
class ModelUse:
    """How often a model was painted with, and when for the last time."""

    count: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Whether a model can be loaded. needed, free: bytes."""

    needed: int
    free: int

    @property
    def fits(self) -> bool:
        return self.needed <= self.free

    def __str__(self) -> str:
        fits = "fits into memory" if self.fits else "does not fit into memory"
        return f"{fits}: needs about {gigabytes(self.needed)}, and {gigabytes(self.free)} are free"


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading a model's files came to. sha256: of a file, or of all of a pipeline's files together.

    is_as_before: None where nothing was known of it before. words: the same for people.
    """

    sha256: str
    is_as_before: bool | None
    words: str


def gigabytes(size: int) -> str:
    """Such as "4.3 GB" or "140 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def matching(
    entries: Iterable[ModelEntry], *, kind: KindFilter | None = None, family: str | None = None, words: str = ""
) -> Sequence[ModelEntry]:
    """Those of this kind and family in whose name, path, family or trigger words each of the words occurs."""
    wanted = words.casefold().split()
    return [
        entry
        for entry in entries
        if (kind is None or entry.kind is kind)
        and (family is None or entry.told.family == family)
        and all(word in _searched(entry) for word in wanted)
    ]


def _searched(entry: ModelEntry) -> str:
    texts = (entry.found.title, entry.key, entry.told.kind, entry.told.family or "", *entry.trigger_words)
    return "\n".join(texts).casefold()
