"""Generation: one recorded attempt, from the moment it is submitted. Its states, and how it moves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.domain.environment import IN_OWN_MEMORY
from core.domain.errors import InvalidMove
from core.domain.geometry import Bounds, Size
from core.domain.guide import Guide
from core.domain.params import AUTO_DTYPE, BFLOAT16, DTYPES, FLOAT32, InpaintParams
from core.domain.pixels.outpaint import ExtensionHistory
from core.domain.record import NO_RECORD, Record
from core.domain.request import StoredRequest


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        return not MOVES[self]

    @property
    def is_active(self) -> bool:
        return self in (Status.QUEUED, Status.RUNNING)


MAX_ATTEMPTS = 3
"""So often a generation is begun whose worker dies each time. Then it fails: it may be the culprit."""

MOVES: dict[Status, frozenset[Status]] = {
    # It ends in the queue if its worker only seemed dead, and delivers before another one takes it.
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.SUCCEEDED, Status.FAILED}),
    # Also back into the queue: its worker died, or was told to end.
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED, Status.QUEUED}),
    # Of earlier versions, when a worker died. A person queues the same row again.
    Status.INTERRUPTED: frozenset({Status.QUEUED, Status.RUNNING, Status.CANCELLED, Status.SUCCEEDED, Status.FAILED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


class Relation(StrEnum):
    """How a generation came from its parent."""

    RERUN = "rerun"
    VARIATION = "variation"
    CONTINUATION = "continuation"
    UPSCALE = "upscale"
    IMPORT = "import"


class Verdict(StrEnum):
    """Whether it could be made again, as its newest verification found."""

    EXACT = "EXACT"
    CLOSE = "CLOSE"
    DIFFERENT = "DIFFERENT"


class Phase(StrEnum):
    WAITING = "waiting"
    LOADING = "loading the model"
    PREPARING = "preparing"
    DENOISING = "denoising"
    DECODING = "decoding"
    STORING = "storing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a generation is. step and total count denoising steps really run. preview: a small JPEG.

    error: what went wrong; of one that waits or runs, why the worker ended that painted it before.
    """

    status: Status
    phase: Phase = Phase.WAITING
    step: int = 0
    total: int = 0
    eta_s: float | None = None
    preview: bytes | None = None
    ahead: int = 0
    cancel_requested: bool = False
    error: str | None = None

    @property
    def fraction(self) -> float:
        """Of the steps. What is being stored has none left: its report names none."""
        if self.phase is Phase.STORING:
            return 1.0
        return min(1.0, self.step / self.total) if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker writes when a generation ends, however it ended.

    output, thumbnail: keys in the image store. pixels_sha256: of the result. runtime_s: seconds of inference.
    record: what was really done (crop, working size, timings, ...). error_code, error: the class and the sentence
    of what went wrong.
    """

    status: Status
    output: str | None = None
    thumbnail: str | None = None
    pixels_sha256: str | None = None
    runtime_s: float | None = None
    error_code: str | None = None
    error: str | None = None
    record: Record = NO_RECORD


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from: the generation before it, the browser session, the name of the picture's file.

    extended: how its picture came about, if the canvas was extended. source_exif: key of what its file says about it.
    selection: what was found for its mask, as Selected.origin tells it.
    """

    parent_id: str | None = None
    relation: Relation | None = None
    session: str | None = None
    source_name: str | None = None
    extended: ExtensionHistory | None = None
    source_exif: str | None = None
    selection: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def variation_of(cls, generation: Generation, session: str) -> Origin:
        """Of something that is tried again with the same picture and mask."""
        return cls._after(generation, Relation.VARIATION, session)

    @classmethod
    def rerun_of(cls, generation: Generation, session: str | None) -> Origin:
        return cls._after(generation, Relation.RERUN, session)

    @classmethod
    def _after(cls, generation: Generation, relation: Relation, session: str | None) -> Origin:
        return cls(
            generation.id,
            relation,
            session,
            generation.source_name,
            generation.extended,
            generation.source_exif,
            tuple(generation.record.selection),
        )


PICTURES = ("source", "mask", "output")
FILES = (*PICTURES, "source_exif", "thumbnail")
"""Fields of a generation that name files of the image store; its guides name others."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One row of the gallery. Times are UTC. source, mask, output, thumbnail: keys in the image store.

    guides: pictures in other roles, by their keys. extended: how the source came about, if it is a picture with more
    canvas around it. source_exif: key of what the
    photo's file says about it, where the whole chain begins.
    favourite, rating (1 to 5), title, notes, tags: what the artist made of it afterwards. verdict: the newest one.
    """

    id: str
    status: Status
    params: InpaintParams
    device: str
    source: str
    mask: str
    width: int
    height: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    deleted_at: datetime | None = None
    parent_id: str | None = None
    relation: Relation | None = None
    session: str | None = None
    source_name: str | None = None
    source_exif: str | None = None
    extended: ExtensionHistory | None = None
    guides: tuple[Guide[str], ...] = ()
    dtype: str | None = None
    model_revision: str | None = None
    output: str | None = None
    thumbnail: str | None = None
    pixels_sha256: str | None = None
    runtime_s: float | None = None
    load_s: float | None = None
    error_code: str | None = None
    error: str | None = None
    favourite: bool = False
    rating: int | None = None
    title: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    verdict: Verdict | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    record: Record = NO_RECORD

    @classmethod
    def queued(cls, id: str, at: datetime, request: StoredRequest, device: str, origin: Origin) -> Generation:
        """What is asked for at this moment. device: a key, or AUTOMATIC where the worker that begins it says which."""
        return cls(
            id=id,
            status=Status.QUEUED,
            params=request.params,
            device=device,
            source=request.source,
            mask=request.mask,
            width=request.size.width * request.factor,
            height=request.size.height * request.factor,
            guides=request.guides,
            created_at=at,
            parent_id=origin.parent_id,
            relation=origin.relation,
            session=origin.session,
            source_name=origin.source_name,
            source_exif=origin.source_exif,
            extended=origin.extended,
            record=Record.of({"selection": list(origin.selection)}) if origin.selection else NO_RECORD,
        )

    def again(self, id: str, at: datetime, device: str, session: str | None) -> Generation:
        """The same request as a new row: same pictures, parameters and seed; nothing of what became of it."""
        return Generation.queued(id, at, self.request, device, Origin.rerun_of(self, session))

    @property
    def request(self) -> StoredRequest:
        """What was asked for."""
        return StoredRequest(self.source, self.mask, self.source_size, self.params, self.guides)

    @property
    def source_size(self) -> Size:
        """Of the source and the mask: smaller than width and height, which the result has, if it was enlarged."""
        factor = self.params.upscale.factor if self.params.upscale else 1
        return Size(max(1, self.width // factor), max(1, self.height // factor))

    @property
    def sizes(self) -> tuple[tuple[str, Size], ...]:
        """Keys of source, mask and result, as far as they are there, and the size that each must have."""
        whole, source = Size(self.width, self.height), self.source_size
        sized = ((self.source, source), (self.mask, source), (self.output, whole))
        return tuple((key, size) for key, size in sized if key)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Keys of the pictures that it is made of, as far as they are there: also those in other roles."""
        return (*self._named(PICTURES), *(guide.picture for guide in self.guides))

    @property
    def files(self) -> tuple[str, ...]:
        """Keys of all files that it needs, as far as they are there."""
        return (*self._named(FILES), *(guide.picture for guide in self.guides))

    def _named(self, fields: Sequence[str]) -> tuple[str, ...]:
        return tuple(key for name in fields if (key := getattr(self, name)))

    @property
    def was_made_smaller(self) -> bool:
        """Whether its model was loaded in less memory than usual: see ports.LoadInpainter."""
        return self.device in IN_OWN_MEMORY and self.dtype == BFLOAT16 and self.params.dtype == AUTO_DTYPE

    @property
    def params_as_painted(self) -> InpaintParams:
        """The params with the precision that Automatic came to, where to ask for it gives the same bits: not so in half
        precision, for which other noise is drawn where it was chosen (docs/decisions/0039-precision.md)."""
        is_told = self.params.dtype == AUTO_DTYPE and "dtype" in self.record.inpainter.raw
        if is_told and self.dtype in DTYPES and self.dtype.endswith(FLOAT32):
            return self.params.changed(dtype=self.dtype)
        return self.params

    @property
    def painted_part(self) -> Bounds | None:
        """The part that went through the model, as recorded; None if that is no part of the picture."""
        part, whole = self.record.crop, Bounds(0, 0, self.width, self.height)
        return part if part and whole.contains(part) else None

    @property
    def result(self) -> str:
        """The key of its output. Raises InvalidMove if it has none."""
        if self.output is None:
            raise InvalidMove(f"Generation {self.id} has no result. Run it again first.")
        return self.output

    @property
    def is_imported_picture(self) -> bool:
        """A picture that another tool made. What it was painted over and where is not known: it cannot be run again."""
        return self.record.imported is not None

    def check_can_run_again(self) -> None:
        """Raises InvalidMove for an imported picture."""
        if self.is_imported_picture:
            raise InvalidMove(
                f"Generation {self.id} was imported from another program: its original and mask are not known, so it "
                "cannot be run again. Load it into Inpaint with its parameters, and paint a mask."
            )

    @property
    def waited_s(self) -> float | None:
        """Seconds from when it was asked for to when it was there; None as long as it is not."""
        return (self.finished_at - self.created_at).total_seconds() if self.finished_at else None

    @property
    def queue_s(self) -> float | None:
        return (self.started_at - self.created_at).total_seconds() if self.started_at else None
