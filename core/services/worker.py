"""The worker: claim -> load -> inpaint -> store -> record. It knows nothing of pages; the rows are the bus."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from core.domain import compositing
from core.domain.errors import GenerationCancelled, StudioError
from core.domain.generation import Generation, Outcome, Phase, Progress, Status
from core.domain.hashing import pixels_sha256
from core.domain.mask import Mask
from core.domain.reproduction import Verification
from core.domain.request import InpaintRequest, Plan
from core.ports import ImageStore, Inpainter, LoadInpainter, StepReport
from core.services.painting import paint
from core.services.reproduction import Rerun, judged
from core.services.thumbnails import thumbnail
from db.generations import GenerationRepo
from db.queue import QueueRepo
from db.verifications import VerificationRepo

log = logging.getLogger(__name__)

REPORT_EVERY_S = 0.5
"""Progress is written at most twice a second: pages ask no oftener, and a fast model takes 50 steps a second."""

BEAT_EVERY_S = 2.0
DEAD_AFTER = timedelta(seconds=20)
"""Ten missed beats. Loading holds the interpreter for seconds at a time; half a minute later a restart is visible."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker works on one generation at a time. name: unique, so that a late result finds its own claim."""

    name: str
    repo: GenerationRepo
    verifications: VerificationRepo
    queue: QueueRepo
    images: ImageStore
    load_inpainter: LoadInpainter
    now: Callable[[], datetime]
    follow_up: Callable[[], object] = lambda: None
    """Queues what follows generations that have ended, such as the next step of a replay."""

    def run_next(self) -> bool:
        """Work on the generation whose turn it is, else on the oldest verification. False if nothing is to be done."""
        long_ago = self.now() - DEAD_AFTER
        self.repo.interrupt_stale(long_ago, self.now())
        self.verifications.requeue_stale(long_ago)
        self.follow_up()
        if self.queue.is_paused():
            return False
        id = self.queue.next_queued() or self.verifications.next_queued()
        if id is None:
            return False
        self.run(id)
        return True

    def run(self, id: str) -> None:
        """Work on one generation or verification, unless another worker has it. Failures are written to its row."""
        if self.repo.claim(id, self.name, self.now()):
            self._generate(id)
        elif self.verifications.claim(id, self.name, self.now()):
            self._verify(id)

    def _generate(self, id: str) -> None:
        try:
            with _beating(lambda: self.repo.beat(id, self.name, self.now())):
                outcome = self._paint(self.repo.get(id))
        except GenerationCancelled as error:
            outcome = Outcome(Status.CANCELLED, error=str(error))
        except Exception as error:
            code, sentence = _in_words(id, error)
            outcome = Outcome(Status.FAILED, error_code=code, error=sentence)
        if not self.repo.finish(id, self.name, outcome, self.now()):
            log.warning("generation %s was taken over by another worker; this result is dropped", id)

    def _paint(self, generation: Generation) -> Outcome:
        plan, inpainter, load_s = self._prepare(generation)
        report = _Reporter(self, generation.id)
        report(StepReport(Phase.PREPARING))
        record = _record_of(plan, inpainter)
        self.repo.describe(generation.id, self.name, inpainter.model, inpainter.environment, load_s, record)
        painted = paint(plan, inpainter, report)
        report(StepReport(Phase.STORING))
        result = painted.result
        record |= {
            "inpainter": painted.record,
            "outside_mask_unchanged": compositing.unchanged_outside(plan.request.image, result, plan.blend_mask),
        }
        return Outcome(
            Status.SUCCEEDED,
            output=self.images.put(result),
            thumbnail=self.images.put_file(thumbnail(result), ".webp"),
            pixels_sha256=pixels_sha256(result),
            runtime_s=painted.runtime_s,
            record=record,
        )

    def _verify(self, id: str) -> None:
        verification = self.verifications.get(id)
        try:
            with _beating(lambda: self.verifications.beat(id, self.name, self.now())):
                verification = self._run_again(verification)
        except Exception as error:
            verification = replace(verification, status=Status.FAILED, error=_in_words(id, error)[1])
        self.verifications.finish(replace(verification, finished_at=self.now()), self.name)

    def _run_again(self, verification: Verification) -> Verification:
        generation = self.repo.get(verification.generation_id)
        original = self.images.get(generation.output)
        plan, inpainter, _ = self._prepare(generation)
        inpainter = self._at_its_revision(generation, inpainter)
        recorded = generation.record.get("inpainter", {})
        painted = paint(plan, inpainter, lambda report: None, recorded)
        record = _record_of(plan, inpainter)
        # Loaded by its revision or by its usual name: it is the same model.
        record["model"]["key"] = generation.params.model
        rerun = Rerun(
            inpainter=inpainter,
            result=painted.result,
            mask=plan.blend_mask,
            record=record | {"inpainter": painted.record},
        )
        output = self.images.put(rerun.result)
        return replace(judged(verification, generation, original, rerun), output=output)

    def _at_its_revision(self, generation: Generation, inpainter: Inpainter) -> Inpainter:
        """The model at the revision on record, if that one is on this machine; else as it is today."""
        about = generation.record.get("model", {})
        repository, revision = about.get("repository"), about.get("revision")
        if not repository or revision in (None, inpainter.model.revision):
            return inpainter
        try:
            return self.load_inpainter(f"{repository}@{revision}", generation.device)
        except StudioError as error:
            log.info("revision %s of %s cannot be loaded: %s", revision, repository, error)
            # The host may have put the other one away to make room.
            return self.load_inpainter(generation.params.model, generation.device)

    def _prepare(self, generation: Generation) -> tuple[Plan, Inpainter, float]:
        """What is to be painted, with what, and the seconds that loading took."""
        request = InpaintRequest(
            self.images.get(generation.source),
            Mask.from_image(self.images.get(generation.mask)),
            generation.params,
        )
        asked_at = time.perf_counter()
        inpainter = self.load_inpainter(generation.params.model, generation.device)
        load_s = time.perf_counter() - asked_at
        return Plan.of(request, inpainter.model.cell), inpainter, load_s


@contextmanager
def _beating(beat: Callable[[], None]) -> Iterator[None]:
    """A sign of life every few seconds, also while a model is loaded and no step is reported."""
    stop = threading.Event()

    def keep_beating() -> None:
        while not stop.wait(BEAT_EVERY_S):
            try:
                beat()
            except Exception:
                log.exception("no heartbeat")

    thread = threading.Thread(target=keep_beating, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _in_words(id: str, error: Exception) -> tuple[str, str]:
    """The code and the sentence for the row. What we do not know goes to the log, not to the screen."""
    if isinstance(error, StudioError):
        log.warning("%s failed: %s: %s", id, error.code, error)
        return error.code, str(error)
    log.error("%s failed", id, exc_info=error)
    return type(error).__name__, str(StudioError())


class _Reporter:
    """Turns step reports into progress rows, and a cancel request into GenerationCancelled."""

    def __init__(self, worker: Worker, id: str) -> None:
        self._worker, self._id = worker, id
        self._written_at = float("-inf")
        self._first_step_at: float | None = None
        self._phase: Phase | None = None

    def __call__(self, report: StepReport) -> None:
        if self._worker.repo.is_cancel_requested(self._id) and report.phase is not Phase.STORING:
            raise GenerationCancelled
        at = time.perf_counter()
        if report.phase is self._phase and at - self._written_at < REPORT_EVERY_S:
            return
        self._written_at, self._phase = at, report.phase
        progress = Progress(Status.RUNNING, report.phase, report.step, report.total, preview=report.preview)
        progress = replace(progress, eta_s=self._eta_s(report, at))
        self._worker.repo.report(self._id, self._worker.name, progress, self._worker.now())

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


def _record_of(plan: Plan, inpainter: Inpainter) -> dict[str, Any]:
    model = inpainter.model
    first = {"first_pass": _crop_of(plan.context)} if plan.context else {}
    return {
        "processing_version": compositing.PROCESSING_VERSION,
        **_crop_of(plan),
        **first,
        "effective_steps": plan.request.params.effective_steps,
        "mask_coverage": plan.request.mask.coverage,
        "model": {
            "key": model.key,
            "repository": model.repository,
            "revision": model.revision,
            "native_px": model.native_px,
            "cell": model.cell,
            **model.details,
        },
    }


def _crop_of(plan: Plan) -> dict[str, Any]:
    return {"crop": list(plan.crop.bounds.box), "working_size": list(plan.crop.working)}
