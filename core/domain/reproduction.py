"""Whether a picture could be made again: the comparison of an original with its re-run, and the reasons."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain.errors import SizeMismatch
from core.domain.generation import Status, Verdict
from core.domain.geometry import Size
from core.domain.pixels.mask import Mask

CLOSE_MAX_DIFFERENCE = 4 / 255
"""Largest difference of one value, of the full range, that still counts as rounding. Measured with the pocket model
(8 pictures each): one thread instead of two, other instruction sets, written-out or sliced attention and
channels_last differ by 1 / 255 at most, at 85 dB and more (docs/decisions/0006-reproduction.md)."""

CLOSE_MIN_PSNR = 48.0
"""dB over the repainted pixels: 8-bit pictures that differ by one step everywhere are at 20 log10(255) = 48.1 dB."""

BAND_PIXELS = 2**20

CONDITIONS = (
    *("threads", "scheduler", "dtype", "attention", "slicing", "tiling", "device", "model."),
    *("channels_last", "compiled"),
)
"""Beginnings of the fields of a record that say under which conditions it was run."""


class Stage(StrEnum):
    """Where two runs of one request first parted."""

    NOISE = "noise"
    LATENTS = "latents"
    DECODE = "decode"
    COMPOSITE = "composite"


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two pictures of one size and mode are apart.

    max_difference: of any one value, 0..1 of the full range. psnr: dB over the repainted pixels, None when they are
    equal. changed: share of the repainted pixels that differ, 0..1. outside_equal: whether every pixel where the
    mask is 0 is the same.
    """

    max_difference: float
    psnr: float | None
    changed: float
    outside_equal: bool

    @property
    def verdict(self) -> Verdict:
        if self.outside_equal and self.changed == 0:
            return Verdict.EXACT
        is_rounding = self.max_difference <= CLOSE_MAX_DIFFERENCE and (self.psnr or 0) >= CLOSE_MIN_PSNR
        return Verdict.CLOSE if self.outside_equal and is_rounding else Verdict.DIFFERENT


@dataclass(frozen=True, slots=True)
class Change:
    """One field of the record or the environment that is not what it was."""

    field: str
    then: str
    now: str

    def __str__(self) -> str:
        if not self.then:
            return f"{self.field}: not recorded then, {self.now} now"
        if not self.now:
            return f"{self.field}: {self.then} then, unknown now"
        return f"{self.field}: {self.then} then, {self.now} now"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The verdict on one re-run, with its reasons. stage: None when nothing parted, or nothing was recorded."""

    verdict: Verdict
    difference: Difference
    changes: tuple[Change, ...] = ()
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification of a generation = one row. It is queued and worked on like a generation.

    output: key of the picture that the re-run made, None until then. restored: conditions that were taken from the
    record; what could not be is among the changes. error: why it could not be done. step of total denoising steps are
    done; total is 0 until the model is loaded.
    """

    id: str
    generation_id: str
    status: Status
    requested_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    step: int = 0
    total: int = 0
    reproduction: Reproduction | None = None
    output: str | None = None
    restored: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def not_restored(self) -> tuple[Change, ...]:
        """Conditions of the record under which it could not be run again; other changes are of the machine."""
        changes = self.reproduction.changes if self.reproduction else ()
        return tuple(change for change in changes if change.field.startswith(CONDITIONS))


class VerifyScope(StrEnum):
    """Which generations are to be verified."""

    UNVERIFIED = "unverified"
    OTHER_ENVIRONMENT = "elsewhere"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class EnvironmentGroup:
    """Generations that can be verified, made under one environment: how many have each newest verdict, or none yet."""

    environment_id: str | None
    environment: Mapping[str, str]
    verdicts: Mapping[Verdict | None, int]

    @property
    def count(self) -> int:
        return sum(self.verdicts.values())


@dataclass(frozen=True, slots=True)
class OtherEnvironment:
    """Generations that were made under another environment than those here, and what is not as it was then."""

    group: EnvironmentGroup
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the gallery holds that can be verified."""

    groups: tuple[EnvironmentGroup, ...]
    other_environments: tuple[OtherEnvironment, ...] = ()

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)

    def verdict(self, verdict: Verdict | None) -> int:
        """How many have this newest verdict; None: none yet."""
        return sum(group.verdicts.get(verdict, 0) for group in self.groups)

    def count(self, scope: VerifyScope) -> int:
        if scope is VerifyScope.ALL:
            return self.total
        if scope is VerifyScope.UNVERIFIED:
            return self.verdict(None)
        return sum(other.group.count for other in self.other_environments)


@dataclass(frozen=True, slots=True)
class Batch:
    """Verifications that are under way: all that were asked for together, and how many of them have ended."""

    total: int = 0
    done: int = 0
    running: int = 0

    @property
    def waiting(self) -> int:
        return self.total - self.done - self.running


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that is not as it was, in words, with how many newest verifications of each verdict it stood in."""

    words: str
    verdicts: Mapping[Verdict, int]

    @property
    def count(self) -> int:
        return sum(self.verdicts.values())


IGNORED_FACTS = frozenset({"app_commit", "threads", "dtype", "cpu_bfloat16"})
"""Of an environment: the number of threads and the dtype are restored from the record, the units for bfloat16 are those
of the processor, whose name counts, and our own commit makes no pixels."""


def overview_of(groups: Sequence[EnvironmentGroup], here: Sequence[Mapping[str, str]]) -> Overview:
    """here: the environments of this machine, one for each device."""
    apart = ((group, _least_changes(group.environment, here)) for group in groups)
    return Overview(tuple(groups), tuple(OtherEnvironment(group, changes) for group, changes in apart if changes))


def _least_changes(then: Mapping[str, str], here: Sequence[Mapping[str, str]]) -> tuple[Change, ...]:
    known = _telling(then)
    return min((changes_between(known, _telling(now)) for now in here), key=len, default=())


def _telling(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: fact for name, fact in facts.items() if name not in IGNORED_FACTS}


def reasons_of(found: Iterable[tuple[Verdict, Sequence[Change]]]) -> tuple[Reason, ...]:
    """Most frequent first. Verdicts without any change are no reason."""
    counted: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for verdict, changes in found:
        for change in changes:
            counted[str(change)][verdict] += 1
    reasons = (Reason(words, dict(verdicts)) for words, verdicts in counted.items())
    return tuple(sorted(reasons, key=lambda reason: (-reason.count, reason.words)))


def compare(original: Image.Image, rerun: Image.Image, mask: Mask) -> Difference:
    """original, rerun: results of the same request. mask: the grown one, so that 0 means "never touched".

    Raises SizeMismatch unless all three agree.
    """
    if original.size != rerun.size or original.mode != rerun.mode or mask.size.sides != original.size:
        raise SizeMismatch("These two pictures have different sizes or kinds, so they cannot be compared.")
    then, now = np.asarray(original), np.asarray(rerun)
    full = int(np.iinfo(then.dtype).max)
    channels = then.shape[2] if then.ndim == 3 else 1
    largest = squared = repainted = changed = 0
    outside_equal = True
    for rows in _bands(original.size):
        apart = np.abs(then[rows].astype(np.int32) - now[rows])
        differs, inside = apart.any(axis=2) if channels > 1 else apart > 0, mask.pixels[rows] > 0
        outside_equal = outside_equal and not (differs & ~inside).any()
        largest = max(largest, int(apart.max()))
        changed += int(np.count_nonzero(differs & inside))
        squared += int((apart[inside].astype(np.int64) ** 2).sum())
        repainted += int(np.count_nonzero(inside))
    return Difference(
        max_difference=largest / full,
        psnr=-10 * math.log10(squared / (repainted * channels * full**2)) if squared else None,
        changed=changed / repainted if repainted else 0.0,
        outside_equal=outside_equal,
    )


def heat_map(original: Image.Image, rerun: Image.Image, within: Size | None = None) -> Image.Image:
    """Where two pictures differ: black where they agree, from dark red to white by the root of the difference.

    within: made smaller to fit; each of its pixels shows the largest difference of those that it stands for, so that
    a single pixel is seen in a large picture too.
    """
    then, now = np.asarray(original), np.asarray(rerun)
    apart = np.zeros(then.shape[:2], np.uint16)
    for rows in _bands(original.size):
        band = np.abs(then[rows].astype(np.int32) - now[rows])
        apart[rows] = band if band.ndim == 2 else band.max(axis=2)
    if within is not None:
        apart = _largest_of_blocks(apart, Size(*original.size).fitted(within))
    share = apart.astype(np.float32) / float(np.iinfo(then.dtype).max)
    # The root lifts single 8-bit steps out of the dark; whatever differs at all is at least dark red.
    heat = np.where(apart > 0, 0.25 + 0.75 * np.sqrt(share), 0.0)[..., None]
    ramp = np.clip(heat * 3 - np.array([0.0, 1.0, 2.0], np.float32), 0, 1)
    return Image.fromarray((ramp * 255).astype(np.uint8))


def _bands(size: tuple[int, int]) -> Iterator[slice]:
    """Rows, a few at a time: two pictures of 100 megapixels are compared in little more memory than they take."""
    width, height = size
    step = max(1, BAND_PIXELS // width)
    return (slice(top, top + step) for top in range(0, height, step))


def _largest_of_blocks(values: NDArray[np.uint16], size: Size) -> NDArray[np.uint16]:
    rows = np.arange(size.height) * values.shape[0] // size.height
    columns = np.arange(size.width) * values.shape[1] // size.width
    return np.maximum.reduceat(np.maximum.reduceat(values, rows, axis=0), columns, axis=1)


def changes_between(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every field, at any depth, in which two records differ; named by its path, "scheduler.beta_start"."""
    before, after = dict(_flat(then)), dict(_flat(now))
    fields = sorted(before.keys() | after.keys())
    return tuple(
        Change(field, before.get(field, ""), after.get(field, ""))
        for field in fields
        if before.get(field, "") != after.get(field, "")
    )


def first_stage(then: Mapping[str, Any], now: Mapping[str, Any], verdict: Verdict) -> Stage | None:
    """The first recorded hash on the way from noise to picture that differs between two inpainter records."""
    if verdict is Verdict.EXACT:
        return None
    for name, stage in (
        ("noise_sha256", Stage.NOISE),
        ("latents_sha256", Stage.LATENTS),
        ("decoded_sha256", Stage.DECODE),
    ):
        if not then.get(name) or not now.get(name):
            return None
        if then[name] != now[name]:
            return stage
    return Stage.COMPOSITE


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        yield from _flat({str(nth): inner for nth, inner in enumerate(value, start=1)}, path)
    else:
        yield path, str(value)
