"""Whether what is painted still makes progress: how long it may take to its next sign of it, and after a cancel.

Time is counted on a monotonic clock, and only while this process ran: neither a clock that is put right nor a machine
that slept looks like a hang.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from core.domain.errors import GenerationCancelled, NoProgress, StudioError
from core.domain.generation import Phase
from core.ports import OnStep, StepReport

LOADING_S, LOADING_S_A_GB = 300.0, 120.0
"""Reading: 120 s a GB is 8 MB/s, slower than a network folder or an SD card. 300 s: the libraries, on such a disk."""

FIRST_STEP_S, FIRST_STEP_S_A_GB = 120.0, 120.0
"""Until the first step is done, and for decoding: nothing of this run tells how fast the machine is. Two old cores need
some 30 s for a step of Stable Diffusion 1.5 (7 GB), and get 16 minutes."""

STEP_S, TIMES_THE_LONGEST = 60.0, 20.0
"""A later step takes as long as those before it, unless the machine has to swap or paints for others too."""

STORING_S = 600.0
"""A disk that is waited for: as long as services/patience.py waits for one that is full."""

CANCEL_LOADING_S = 5.0
"""After a cancel. To kill what is being loaded costs nothing but the load."""

CANCEL_FIRST_STEP_S = 30.0
CANCEL_S, CANCEL_TIMES_THE_LONGEST = 10.0, 3.0
"""To kill what is loaded costs loading it again, so a step that still comes on may end by itself."""

UNKNOWN_GB = 24.0
"""Of a model of which nothing is known: most are smaller."""

LOOK_EVERY_S = 1.0
MOST_A_LOOK_S = 3.0
"""A look that comes later than that comes after a time in which the process stood still."""

LAST_WORDS_S = 15.0
"""So long it is tried to write how it ended: a lock alone is waited for ten seconds."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a run stands.

    gb: the size of its model. area: the pixels that it works on by those that the model was trained at, at least 1.
    longest_step_s: of this run, None until one is done.
    """

    gb: float = UNKNOWN_GB
    area: float = 1.0
    phase: Phase = Phase.LOADING
    step: int = 0
    total: int = 0
    longest_step_s: float | None = None

    @property
    def limit_s(self) -> float:
        """So long it may take from one report to the next."""
        if self.phase is Phase.LOADING:
            return LOADING_S + LOADING_S_A_GB * self.gb
        if self.phase is Phase.STORING:
            return STORING_S
        if self.phase is Phase.DENOISING and self.longest_step_s is not None:
            return max(STEP_S, TIMES_THE_LONGEST * self.longest_step_s)
        return FIRST_STEP_S + FIRST_STEP_S_A_GB * self.gb * self.area

    @property
    def grace_s(self) -> float:
        """So long after a cancel it may take to its next report, which ends it."""
        if self.phase is Phase.LOADING:
            return CANCEL_LOADING_S
        if self.phase is Phase.STORING:
            # The picture is there: it is kept.
            return STORING_S
        by_pace_s = CANCEL_TIMES_THE_LONGEST * (self.longest_step_s or 0)
        return max(CANCEL_S if self.phase is Phase.DENOISING else CANCEL_FIRST_STEP_S, by_pace_s)

    @property
    def words(self) -> str:
        if self.phase is Phase.DENOISING:
            return f"at step {min(self.step + 1, self.total)} of {self.total}"
        return f"while {self.phase}"


class Watch:
    """Over one run. It is told of progress in the thread that paints, and looked at in another one."""

    def __init__(self, gb: float = UNKNOWN_GB, factor: float = 1.0, clock: Callable[[], float] = time.monotonic):
        """factor: times as long as usual everything may take. clock: in seconds."""
        self._clock, self._factor = clock, factor
        self._stand = Stand(gb)
        self._reported_at = self._looked_at = clock()
        # Time in which this process ran. Only the looks move it on, so that no two threads write it.
        self._awake_s = self._silent_since_s = 0.0
        self._cancelled_at_s: float | None = None

    def before(self, on_step: OnStep) -> OnStep:
        """on_step, of whose reports this is told first."""

        def step(report: StepReport) -> None:
            self.progress(report)
            on_step(report)

        return step

    def progress(self, report: StepReport) -> None:
        took_s = self._clock() - self._reported_at
        self._reported_at += took_s
        longest_s = self._stand.longest_step_s
        if report.phase is Phase.DENOISING:
            longest_s = max(longest_s or 0, took_s)
        self._stand = replace(
            self._stand, phase=report.phase, step=report.step, total=report.total, longest_step_s=longest_s
        )
        self._silent_since_s = self._awake_s

    def loading(self) -> None:
        self.progress(StepReport(Phase.LOADING))

    def paints(self, pixels: int, native_px: int) -> None:
        """pixels: of the largest part that goes through the model at once. native_px: a side of what it learned on."""
        self._stand = replace(self._stand, area=max(1.0, pixels / native_px**2))

    def cancel(self) -> None:
        """It is no longer wanted. May be told again and again."""
        if self._cancelled_at_s is None:
            self._cancelled_at_s = self._awake_s

    def look(self) -> StudioError | None:
        """What it ends with, if it has to be ended from outside: GenerationCancelled or NoProgress."""
        now = self._clock()
        self._awake_s += min(now - self._looked_at, MOST_A_LOOK_S)
        self._looked_at = now
        stand, silent_s = self._stand, self._awake_s - self._silent_since_s
        if self._cancelled_at_s is not None and self._awake_s - self._cancelled_at_s > self._factor * stand.grace_s:
            return GenerationCancelled()
        if silent_s > self._factor * stand.limit_s:
            return NoProgress(
                f"No progress for {_told(silent_s)} {stand.words}: the worker was replaced. Run it again; if it ends "
                "like this again, choose a lower processing resolution or a smaller model. On a slow machine raise "
                "INPAINT_STUDIO_TIMEOUT_FACTOR."
            )
        return None


@dataclass(frozen=True, slots=True)
class Watchdog:
    """Ends this process when what it paints hangs: nothing else ends a thread that is inside of a library.

    leave: ends the process, so that another one takes its place. gb_of: the size of a model, None where not known.
    """

    leave: Callable[[], object]
    gb_of: Callable[[str], float | None] = lambda model: None
    factor: float = 1.0
    clock: Callable[[], float] = time.monotonic
    look_every_s: float = LOOK_EVERY_S

    @contextmanager
    def over(self, model: str, end: Callable[[StudioError], object]) -> Iterator[Watch]:
        """end: writes how it ended, which is tried for some seconds. It and leave are called in another thread."""
        watch, stop = Watch(self._gb(model), self.factor, self.clock), threading.Event()

        def keep_looking() -> None:
            while not stop.wait(self.look_every_s):
                if (error := watch.look()) is not None:
                    _within(LAST_WORDS_S, lambda: end(error))
                    self.leave()
                    return

        threading.Thread(target=keep_looking, name="watchdog", daemon=True).start()
        try:
            yield watch
        finally:
            stop.set()

    def _gb(self, model: str) -> float:
        with suppress(StudioError):
            return self.gb_of(model) or UNKNOWN_GB
        return UNKNOWN_GB


def _within(seconds: float, do: Callable[[], object]) -> None:
    """Until it is done, or has failed, or this time is over."""

    def work() -> None:
        with suppress(Exception):
            do()

    thread = threading.Thread(target=work, name="last words", daemon=True)
    thread.start()
    thread.join(seconds)


def _told(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
