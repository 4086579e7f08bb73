"""The models on this machine, as pages and commands show them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.domain.environment import IN_OWN_MEMORY, Device
from core.domain.model_file import Base, FileKind, ModelFile
from core.domain.parameter_table import BFLOAT16
from core.domain.run_memory import LEAST_PX, OnCard, Work


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
    IP_ADAPTER = "ip-adapter"
    IMAGE_ENCODER = "image-encoder"
    REMOVER = "remover"
    CONTENT_FILL = "content-fill"
    UPSCALER = "upscaler"
    OTHER = "other"

    @classmethod
    def of(cls, kind: FileKind) -> KindFilter:
        return _FILTERS.get(kind, cls.OTHER)


_FILTERS = {
    FileKind.CHECKPOINT: KindFilter.CHECKPOINT,
    FileKind.LORA: KindFilter.LORA,
    FileKind.EMBEDDING: KindFilter.EMBEDDING,
    FileKind.VAE: KindFilter.VAE,
    FileKind.TINY_VAE: KindFilter.VAE,
    FileKind.CONTROLNET: KindFilter.CONTROLNET,
    FileKind.IP_ADAPTER: KindFilter.IP_ADAPTER,
    FileKind.IMAGE_ENCODER: KindFilter.IMAGE_ENCODER,
    FileKind.REMOVER: KindFilter.REMOVER,
    FileKind.CONTENT_FILL: KindFilter.CONTENT_FILL,
    FileKind.UPSCALER: KindFilter.UPSCALER,
}

PAINT = (KindFilter.CHECKPOINT, KindFilter.REMOVER, KindFilter.CONTENT_FILL)
"""Kinds that can be chosen as the model."""

FLOAT32 = 4
UNET_VALUES: Mapping[Base | None, int] = {Base.SD1: 859_520_964, Base.SD2: 865_910_724, Base.SDXL: 2_567_463_684}
"""How many weights the U-Net of a checkpoint has, with four channels."""

BYTES = {"float64": 8, "float32": FLOAT32, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
"""Of one number, by the names that a ModelFile has for its dtypes."""


@dataclass(frozen=True, slots=True)
class FileState:
    """By what a file is taken for unchanged. inode: None where its file system has none, or it was not kept."""

    size: int
    mtime_ns: int
    inode: int | None = None

    @classmethod
    def of(cls, path: Path) -> FileState:
        """Raises OSError."""
        return cls.told_by(path.stat())

    @classmethod
    def told_by(cls, about: os.stat_result) -> FileState:
        # Some file systems have numbers of 64 bits and more, and a database keeps 63.
        return cls(about.st_size, about.st_mtime_ns, about.st_ino & (2**63 - 1) or None)

    def is_like(self, other: FileState) -> bool:
        """Whether nothing tells them apart."""
        same_inode = self.inode is None or other.inode is None or self.inode == other.inode
        return same_inode and (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class Found:
    """A file of weights, or the folder of a pipeline, before it is looked into.

    key: what params and commands call it: a key of the table, a hub id, or its path. title: its name. path: None for
    what has no files. size: bytes. mtime_ns, inode: of the file. is_folder: a whole pipeline, as diffusers saves it.
    """

    key: str
    title: str
    place: Place
    path: Path | None = None
    size: int = 0
    mtime_ns: int = 0
    is_folder: bool = False
    inode: int | None = None

    @property
    def state(self) -> FileState:
        return FileState(self.size, self.mtime_ns, self.inode)

    @property
    def stored(self) -> str | None:
        """Where it really stands, links resolved: what is known of its hash is known of this path."""
        return None if self.path is None else os.path.realpath(self.path)


@dataclass(frozen=True, slots=True)
class Told:
    """What was found out about a model. family: the architecture that it has, or was made for; None: not told.

    about: what the header of a single file says. problem: why it cannot be used. needs: bytes of its weights once they
    are loaded in numbers of four bytes, of_unet: of those that can be kept as int8. bears_half: whether a processor may
    load them in bfloat16.
    """

    kind: FileKind = FileKind.UNKNOWN
    family: str | None = None
    about: ModelFile | None = None
    problem: str | None = None
    needs: int | None = None
    of_unet: int = 0
    bears_half: bool = False

    @classmethod
    def of(cls, about: ModelFile, problem: str | None) -> Told:
        """Of a single file."""
        needs, of_unet = None, 0
        if about.kind is FileKind.CHECKPOINT and about.dtypes:
            needs = about.size * FLOAT32 // BYTES[about.dtypes[0]]
            of_unet = min(needs, UNET_VALUES.get(about.base, 0) * FLOAT32)
        return cls(about.kind, about.base.value if about.base else None, about, problem, needs, of_unet)


@dataclass(frozen=True, slots=True)
class FileHash:
    """The sha256 of a file, or of all of a pipeline's files together, and what it was like when it was read."""

    sha256: str
    state: FileState
    at: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading a model's files came to. sha256: of a file, or of all of a pipeline's files together; empty if they
    could not be read.

    is_as_before: None where nothing was known of it before. words: the same for people.
    """

    sha256: str
    is_as_before: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Verifying:
    """A model that a worker reads, or will as soon as it has time. done_bytes: 0 until it has begun."""

    asked_at: datetime
    done_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """What is kept of a model's files. verified: what reading them came to the last time that a worker was asked."""

    hashed: FileHash | None = None
    verifying: Verifying | None = None
    verified: Verified | None = None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model on this machine. checked: it can be of the file as it was before."""

    found: Found
    told: Told
    licence: str | None = None
    licence_url: str | None = None
    checked: Checked = Checked()

    @property
    def key(self) -> str:
        return self.found.key

    @property
    def sha256(self) -> str | None:
        """Of the file as it is now, if it is known."""
        hashed = self.checked.hashed
        return hashed.sha256 if hashed is not None and hashed.state.is_like(self.found.state) else None

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


class Fit(StrEnum):
    """The values are words for people."""

    WHOLE = "fits"
    HALF = "fits in bfloat16"
    INT8 = "fits in int8"
    IN_PARTS = "fits in parts, which is slower"
    NOT = "does not fit"


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Whether a model can be loaded on a device. needed, free: bytes of the machine's memory, or of the card's."""

    fit: Fit
    needed: int
    free: int
    is_card: bool = False

    @classmethod
    def of(
        cls,
        needs: int,
        device: Device | None,
        free: int,
        *,
        bears_half: bool = False,
        of_unet: int = 0,
        native_px: int | None = None,
        offloads: bool = True,
    ) -> MemoryPlan:
        """By the rules that it is loaded by (core/engine/plan.py). needs: bytes of its weights in float32, of_unet: of
        those of its U-Net. device: None if none is known, and then a processor. free: bytes of the machine's memory.
        native_px: a side of its own size; None: by its kind. offloads: whether a card may hold a model in parts.
        """
        side = native_px or _usual_px(of_unet, bears_half=bears_half)
        if device is None or device.key in IN_OWN_MEMORY:
            as_int8 = of_unet if device is None or device.keeps_int8 else 0
            has_less, least = bears_half or as_int8 > 0, Work().whole(LEAST_PX**2)
            if needs + FLOAT32 * (Work().whole(side**2) if has_less else least) <= free:
                return cls(Fit.WHOLE, needs, free)
            needed, fit, each = (needs // 2, Fit.HALF, 2) if bears_half else (needs - as_int8 * 3 // 4, Fit.INT8, 4)
            return cls(fit if needed + each * least <= free else Fit.NOT, needed, free)
        half, card = needs if device.dtype == "float32" and not bears_half else needs // 2, device.memory
        needed = half + OnCard(Work(), BFLOAT16 if bears_half else device.dtype, side**2).most
        if card is None or needed <= card:
            return cls(Fit.WHOLE, needed, card or needed, is_card=True)
        # What is not on the card at the moment lies in the machine's memory.
        return cls(Fit.IN_PARTS if offloads and half <= free else Fit.NOT, needed, card, is_card=True)

    @property
    def fits(self) -> bool:
        return self.fit is not Fit.NOT

    def __str__(self) -> str:
        needs = f"needs about {gigabytes(self.needed)}"
        has = f"the card has {gigabytes(self.free)}" if self.is_card else f"{gigabytes(self.free)} are free"
        return f"{self.fit}: {needs}, and {has}" if self.fits else f"{self.fit}, because it {needs}, and {has}"


def _usual_px(of_unet: int, *, bears_half: bool) -> int:
    """A side of what such a model was trained at: a large transformer, or a U-Net of so many bytes in float32."""
    return 1024 if bears_half or of_unet >= FLOAT32 * UNET_VALUES[Base.SDXL] // 2 else 512


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
