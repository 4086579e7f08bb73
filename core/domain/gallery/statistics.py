"""What the recorded runs tell: how long they took, and how long the next one will take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from core.domain.generation import Status, Verdict
from core.domain.params import AUTO_DTYPE, InpaintParams

BINS_PER_E = 50
"""Durations are counted in bins of 2 % each: any median is right to 1 %, and bins of any groups can be added up."""

NEAREST = 5
"""Runs that an estimate is made of: enough for a median that one slow run does not move."""

OTHER_SCHEDULER = 0.5
"""How far apart another scheduler puts two runs, on the scale of a factor of e: Heun takes twice as long."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long many runs took, as counts. bins: round(log(seconds) * BINS_PER_E) to how many there were."""

    bins: Mapping[int, int]

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Durations:
        return cls(Counter(round(math.log(s) * BINS_PER_E) for s in seconds))

    @classmethod
    def together(cls, several: Iterable[Durations]) -> Durations:
        bins: Counter[int] = Counter()
        for durations in several:
            bins.update(durations.bins)
        return cls(bins)

    @property
    def count(self) -> int:
        return sum(self.bins.values())

    @property
    def total_s(self) -> float:
        return sum(math.exp(bin / BINS_PER_E) * n for bin, n in self.bins.items())

    def within_s(self, share: float) -> float:
        """Seconds within which this share of the runs was done; 0.5: the median. 0 if there was none."""
        seen = 0
        for bin, n in sorted(self.bins.items()):
            seen += n
            if seen >= share * self.count:
                return math.exp(bin / BINS_PER_E)
        return 0.0


@dataclass(frozen=True, slots=True)
class RunTimes:
    """How long runs took that had the same to do. working_px: pixels through the model; None where not recorded."""

    model: str
    device: str
    steps: int
    working_px: int | None
    durations: Durations


@dataclass(frozen=True, slots=True)
class DailyCount:
    """How many generations of one day (UTC) ended like this, and have this newest verdict."""

    day: date
    status: Status
    verdict: Verdict | None
    count: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What decides how long a run takes, on one device with one model.

    steps: really run. calls: of the model in a step, 2 with guidance (once with the prompt, once without).
    pixels: of the working size.
    """

    steps: int
    calls: int
    pixels: float
    scheduler: str
    dtype: str = AUTO_DTYPE

    @classmethod
    def of(cls, params: InpaintParams, pixels: float) -> Workload:
        calls = 2 if params.guidance_scale > 1 else 1
        return cls(params.effective_steps, calls, pixels, params.scheduler, params.dtype)

    def distance(self, other: Workload) -> float:
        """0 for equal work; sums the logarithms of the ratios, as a factor errs the same way at any size."""
        ratios = ((self.steps, other.steps), (self.calls, other.calls), (self.pixels, other.pixels))
        apart = sum(abs(math.log(mine / theirs)) for mine, theirs in ratios)
        return apart + (OTHER_SCHEDULER if self.scheduler != other.scheduler else 0.0)


@dataclass(frozen=True, slots=True)
class PastRun:
    """One finished run. runtime_s: all of it; denoise_s: its steps alone, where recorded.

    side_px: the working size that was asked for, of which a crop that is not square takes less.
    """

    work: Workload
    side_px: int
    runtime_s: float
    denoise_s: float | None = None

    def scaled_to(self, work: Workload) -> float:
        """Seconds that this work would take at the pace of this run.

        Steps cost in proportion to their number, the model's calls and the pixels; what comes before and after them
        (encoding and decoding) in proportion to the pixels only.
        """
        larger = work.pixels / self.work.pixels
        longer = work.steps * work.calls / (self.work.steps * self.work.calls)
        steps_s = self.runtime_s if self.denoise_s is None else min(self.denoise_s, self.runtime_s)
        return steps_s * longer * larger + (self.runtime_s - steps_s) * larger


def estimate_s(runs: Sequence[PastRun], params: InpaintParams) -> float | None:
    """Seconds of painting to expect, from runs of the same model, device and precision, newest first.

    None without any.

    The median of the runs that are nearest in what they had to do, each scaled to what is asked for. Nearest, as
    the proportions hold between like sizes only: a quarter of the pixels takes more than a quarter of the time.
    How much of the square a crop fills is not known before there is a mask: as much as in the median run.
    """
    # Of another precision the pace is another one, by as much as the processor has it.
    runs = [run for run in runs if run.work.dtype == params.dtype]
    if not runs:
        return None
    filled = median(run.work.pixels / run.side_px**2 for run in runs)
    wanted = Workload.of(params, params.size**2 * filled)
    # sorted keeps the order of equals: the newer runs win.
    nearest = sorted(runs, key=lambda run: run.work.distance(wanted))[:NEAREST]
    return median(run.scaled_to(wanted) for run in nearest)
