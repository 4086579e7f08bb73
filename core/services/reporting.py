"""What a worker tells of a generation while it paints it, and whether it is to go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime

from core.domain.errors import GenerationCancelled, StudioError
from core.domain.generation import Phase, Progress, Status
from core.domain.record import Record
from core.domain.worker import BEAT_EVERY_S
from core.ports import Inpainter, StepReport
from core.services.patience import Forgiving, Patience
from db.generations import GenerationRepo

REPORT_EVERY_S = 0.5
"""Progress is written at most twice a second: pages ask no oftener, and a fast model takes 50 steps a second."""


@contextmanager
def sign_of_life(beat: Callable[[], object], name: str) -> Iterator[None]:
    """Inside, beat is called every two seconds by a thread of this name, whatever this one waits for."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(BEAT_EVERY_S):
            with suppress(StudioError):
                beat()

    threading.Thread(target=go_on, name=name, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class Halted(GenerationCancelled):
    """The program was ended while this generation was being painted."""


class GoOn:
    """Asked at each step. Raises GenerationCancelled when the work is no longer wanted."""

    def __init__(self, is_cancelled: Callable[[], bool], halted: threading.Event, patience: Patience) -> None:
        """halted: set when the program ends."""
        self._is_cancelled, self._halted, self._patience = is_cancelled, halted, patience
        self._forgiving = self.forgiving()

    def forgiving(self) -> Forgiving:
        """For what may be asked and told of the rows at each step."""
        return Forgiving(self._patience.pause_s)

    def __call__(self) -> None:
        if self._forgiving(self._is_cancelled, False):
            raise GenerationCancelled
        if self._halted.is_set():
            raise Halted


class Reporter:
    """Turns step reports into progress rows, and a cancel request into GenerationCancelled.

    The picture does not depend on the rows: while they cannot be written, it is painted without them.
    """

    def __init__(self, id: str, worker: str, repo: GenerationRepo, now: Callable[[], datetime], go_on: GoOn) -> None:
        """id: of the generation that the worker of this name has claimed."""
        self._id, self._worker, self._repo, self._now, self._go_on = id, worker, repo, now, go_on
        self._forgiving = go_on.forgiving()
        self._record_start: Callable[[], None] | None = None
        self._written_at = float("-inf")
        self._first_step_at: float | None = None
        self._phase: Phase | None = None

    def __call__(self, report: StepReport) -> None:
        if report.phase is not Phase.STORING:
            self._go_on()
        at = time.perf_counter()
        if report.phase is self._phase and at - self._written_at < REPORT_EVERY_S:
            return
        self._written_at, self._phase = at, report.phase
        progress = Progress(Status.RUNNING, report.phase, report.step, report.total, preview=report.preview)
        progress = replace(progress, eta_s=self._eta_s(report, at))
        self._forgiving(lambda: self._repo.report(self._id, self._worker, progress, self._now()), None)

    def is_known(self, inpainter: Inpainter, load_s: float, record: Record) -> None:
        """Write what is known before the first step, or keep it until record_start is called."""
        known = (inpainter.model, inpainter.environment, load_s, record)
        self._record_start = lambda: self._repo.record_start(self._id, self._worker, *known)
        self._forgiving(self.record_start, None)

    def record_start(self) -> None:
        """Write what is known, unless that is done. Raises what the database raises."""
        if self._record_start is not None:
            self._record_start()
            self._record_start = None

    def _eta_s(self, report: StepReport, at: float) -> float | None:
        """From the pace since the first finished step, which itself is slower than the rest."""
        if report.phase is not Phase.DENOISING or report.step < 1:
            return None
        if self._first_step_at is None:
            self._first_step_at = at
            self._first_step = report.step
            return None
        done = report.step - self._first_step
        return (at - self._first_step_at) / done * (report.total - report.step) if done else None
