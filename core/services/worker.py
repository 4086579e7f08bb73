"""The worker: claim -> load -> inpaint -> store -> record. It knows nothing of pages; the rows are the bus."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from PIL import Image

from core import last_resort
from core.domain.enlarging import plan_of
from core.domain.environment import AUTOMATIC, IN_OWN_MEMORY
from core.domain.errors import GenerationCancelled, OutOfMemory, StudioError
from core.domain.generation import Generation, Outcome, Phase, Status
from core.domain.hashing import picture_and_pixels_sha256
from core.domain.params import AUTO_DTYPE, DTYPES
from core.domain.pixels.mask import Mask
from core.domain.record import Record
from core.domain.reproduction import Verification
from core.domain.request import InpaintRequest, Plan
from core.domain.worker import BEAT_EVERY_S, DEAD_AFTER, MEMORY_RAN_OUT
from core.ports import ImageStore, Inpainter, LoadInpainter, StepReport
from core.services.collector import store_again
from core.services.painting import paint, planned
from core.services.patience import Forgiving, Patience
from core.services.reporting import REPORT_EVERY_S, GoOn, Halted, Reporter
from core.services.reproduction import Rerun, judged
from core.services.thumbnails import thumbnail
from core.services.watchdog import Watch, Watchdog
from db.generations import GenerationRepo
from db.queue import QueueRepo
from db.verifications import VerificationRepo

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_AGAIN_S = 2 * BEAT_EVERY_S
"""When the clock jumps, every worker looks dead until its next sign of life."""


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
    resolve_device: Callable[[str], str] = lambda wish: wish
    """Turns a wish that nobody could resolve yet into the key of a device here. Raises DeviceUnavailable."""
    follow_up: Callable[[], object] = lambda: None
    """Queues what follows generations that have ended, such as the next step of a replay."""
    patience: Patience = Patience()
    on_end: Callable[[str], object] = lambda id: None
    """Told of each generation that has ended here, however it ended."""
    watchdog: Watchdog | None = None
    """Where a process can be replaced by another one."""
    _halted: threading.Event = field(default_factory=threading.Event)

    def run_next(self) -> bool:
        """Work on the generation whose turn it is, else on the oldest verification. False if nothing is to be done."""
        forgiving = Forgiving(0)
        forgiving(self.clear_stale, None)
        forgiving(self.follow_up, None)
        if self._halted.is_set() or self.queue.is_paused():
            return False
        id = self.queue.next_queued() or self.verifications.next_queued()
        if id is None:
            return False
        self.run(id)
        return True

    def is_anything_queued(self) -> bool:
        """Whether run_next would begin something. A cheap question: it is asked several times a second."""
        is_queued = self.repo.is_any_queued() or self.verifications.next_queued() is not None
        return is_queued and not self.queue.is_paused()

    def run(self, id: str) -> None:
        """Work on one generation or verification, unless another worker has it. Failures are written to its row.

        Raises DatabaseUnusable or StorageFull if not even that can be done, after it was tried for a while.
        """
        if self._halted.is_set():
            return
        if self.insist(lambda: self.repo.claim(id, self.name, self.now())):
            self._generate(id)
        elif self.insist(lambda: self.verifications.claim(id, self.name, self.now())):
            self._verify(id)

    def clear_stale(self) -> None:
        """What a worker had claimed that has died since waits again, and fails in the end.

        Where there is anything, it waits for some seconds whether its worker gives another sign of life.
        """
        now = self.now()
        before = now - DEAD_AFTER
        generations, verifications = self.repo.seem_lost(before, now), self.verifications.seem_lost(before, now)
        if generations or verifications:
            self._halted.wait(LOOK_AGAIN_S)
            now = self.now()
            self.repo.requeue_lost(generations, now)
            self.verifications.requeue_lost(verifications, now)

    def halt(self) -> None:
        """Begin nothing more. What is being worked on stops at its next step, and waits again."""
        self._halted.set()

    def release(self) -> None:
        """Give back what is being worked on, without waiting for its next step: the program ends."""
        self.halt()
        self.repo.release(self.name, self.now())
        self.verifications.release(self.name)

    def insist(self, do: Callable[[], T], *, though_halted: bool = False) -> T:
        """The database's answer, as soon as it gives one. Raises DatabaseUnusable or StorageFull after a while.

        After halt a failure is the last one; not so with though_halted, for what must be written before the end.
        """
        return self.patience.insist(do, threading.Event() if though_halted else self._halted)

    def _generate(self, id: str) -> None:
        go_on = self._go_on(lambda: not self.repo.is_wanted(id, self.name))
        report, result = Reporter(id, self.name, self.repo, self.now, go_on), None

        def end(outcome: Outcome) -> bool:
            report.record_start()
            return self.repo.finish(id, self.name, outcome, self.now())

        def end_hung(error: StudioError) -> None:
            if self.insist(lambda: end(_outcome_of(id, error)), though_halted=True):
                self.on_end(id)

        row = _Row(
            beat=lambda: self.repo.beat(id, self.name, self.now()),
            is_wanted=lambda: self.repo.is_wanted(id, self.name),
            end=end_hung,
        )
        try:
            generation = self.insist(lambda: self.repo.get(id))
            with self._holding(row, generation.params.model) as watch:
                outcome, result = self._paint(generation, report, watch)
        except Halted:
            self.insist(self.release)
            return
        # Libraries also raise what is no Exception. Whatever it is, no row is left running.
        except BaseException as error:  # noqa: BLE001
            outcome = _outcome_of(id, error)
        if not self.insist(lambda: end(outcome)):
            log.warning("generation %s was taken over by another worker; this result is dropped", id)
            return
        if result is not None:
            self.insist(lambda: self._make_sure(outcome, result))
        self.on_end(id)

    def _make_sure(self, outcome: Outcome, result: Image.Image) -> None:
        """The row names its files now, so nothing takes them away any more; something may have until then."""
        if outcome.output:
            store_again(self.images, {outcome.output: result})
        if outcome.thumbnail and not self.images.has(outcome.thumbnail):
            self.images.put_file(thumbnail(result), ".webp")

    def _paint(self, generation: Generation, report: Reporter, watch: Watch) -> tuple[Outcome, Image.Image]:
        """Once more in less memory, if it ran out and the precision was left to this machine."""
        placed, dtype = self._placed(generation), None
        smaller = generation.error_code == MEMORY_RAN_OUT
        try:
            plan, inpainter, load_s = self._prepare(placed, watch, smaller=smaller)
            dtype = inpainter.model.dtype
            return self._painted(generation, plan, inpainter, load_s, report, watch)
        except OutOfMemory as error:
            if smaller or placed.params.dtype != AUTO_DTYPE or placed.device not in IN_OWN_MEMORY:
                raise
            # What the run held hangs on the frames of the error.
            ran_out = type(error)(*error.args)
        log.info("generation %s: memory ran out in %s", generation.id, dtype)
        plan, inpainter, load_s = self._prepare(placed, watch, smaller=True)
        if inpainter.model.dtype == dtype:
            raise ran_out
        return self._painted(generation, plan, inpainter, load_s, report, watch)

    def _painted(
        self, generation: Generation, plan: Plan, inpainter: Inpainter, load_s: float, report: Reporter, watch: Watch
    ) -> tuple[Outcome, Image.Image]:
        on_step = watch.before(report)
        on_step(StepReport(Phase.PREPARING))
        record = planned(plan, inpainter.model)
        if generation.record.selection:
            record["selection"] = generation.record.selection
        report.is_known(inpainter, load_s, Record.of(record))
        painted = paint(plan, inpainter, on_step)
        on_step(StepReport(Phase.STORING))
        result = painted.result
        record |= {"inpainter": painted.record, "outside_mask_unchanged": plan.unchanged_outside(result)}
        key, pixels = picture_and_pixels_sha256(result)
        outcome = Outcome(
            Status.SUCCEEDED,
            output=self.images.put(result, key),
            thumbnail=self.images.put_file(thumbnail(result), ".webp"),
            pixels_sha256=pixels,
            runtime_s=painted.runtime_s,
            record=Record.of(record),
        )
        return outcome, result

    def _verify(self, id: str) -> None:
        verification, result = self.insist(lambda: self.verifications.get(id)), None

        def end(ended: Verification) -> None:
            self.verifications.finish(replace(ended, finished_at=self.now()), self.name)

        def end_hung(error: StudioError) -> None:
            # Who took it back has written that already, and no failure is written over it.
            self.insist(lambda: end(_failed(verification, error)), though_halted=True)

        row = _Row(
            beat=lambda: self.verifications.beat(id, self.name, self.now()),
            is_wanted=lambda: self.verifications.is_claimed(id, self.name),
            end=end_hung,
        )
        try:
            generation = self.insist(lambda: self.repo.get(verification.generation_id))
            with self._holding(row, generation.params.model) as watch:
                ended, result = self._run_again(verification, generation, watch)
        except Halted:
            self.insist(self.release)
            return
        except GenerationCancelled:
            return
        except BaseException as error:  # noqa: BLE001 - as above
            ended = _failed(verification, error)
        self.insist(lambda: end(ended))
        if result is not None and ended.output:
            again = {ended.output: result}
            self.insist(lambda: store_again(self.images, again))

    def _run_again(
        self, verification: Verification, generation: Generation, watch: Watch
    ) -> tuple[Verification, Image.Image]:
        original = self.images.get(generation.result)
        plan, inpainter, _ = self._prepare(generation, watch, smaller=generation.was_made_smaller)
        watch.loading()
        inpainter = self._in_its_dtype(generation, self._at_its_revision(generation, inpainter))
        go_on = self._go_on(lambda: not self.verifications.is_claimed(verification.id, self.name))
        forgiving, reported_at = Forgiving(self.patience.pause_s), float("-inf")

        def report(step: StepReport) -> None:
            nonlocal reported_at
            go_on()
            if (at := time.perf_counter()) - reported_at >= REPORT_EVERY_S:
                reported_at = at
                write, how_far = self.verifications.report, (step.step, step.total, self.now())
                forgiving(lambda: write(verification.id, self.name, *how_far), None)

        painted = paint(plan, inpainter, watch.before(report), generation.record.inpainter)
        watch.progress(StepReport(Phase.STORING))
        record = planned(plan, inpainter.model)
        # Loaded by its revision or by its usual name: it is the same model.
        record["model"]["key"] = generation.params.model
        rerun = Rerun(
            inpainter=inpainter,
            result=painted.result,
            mask=plan.blend_mask,
            record=Record.of(record | {"inpainter": painted.record}),
        )
        output = self.images.put(rerun.result)
        return replace(judged(verification, generation, original, rerun), output=output), rerun.result

    def _at_its_revision(self, generation: Generation, inpainter: Inpainter) -> Inpainter:
        """The model at the revision on record, if that one is on this machine; else as it is today."""
        then = generation.record.model
        load = partial(
            self.load_inpainter,
            device=generation.device,
            dtype=generation.params.dtype,
            smaller=generation.was_made_smaller,
        )
        if not then.repository or then.revision in (None, inpainter.model.revision):
            return inpainter
        try:
            return load(f"{then.repository}@{then.revision}")
        except StudioError as error:
            log.info("revision %s of %s cannot be loaded: %s", then.revision, then.repository, error)
            # The host may have put the other one away to make room.
            return load(generation.params.model)

    def _in_its_dtype(self, generation: Generation, inpainter: Inpainter) -> Inpainter:
        """The model in the dtype on record, if this machine can load it so; else as it would be painted today."""
        if generation.dtype not in DTYPES or generation.dtype == inpainter.model.dtype:
            return inpainter
        load = partial(self.load_inpainter, inpainter.model.key, generation.device)
        try:
            return load(dtype=generation.dtype)
        except StudioError as error:
            log.info("%s cannot be loaded in %s: %s", inpainter.model.key, generation.dtype, error)
            return load(dtype=generation.params.dtype, smaller=generation.was_made_smaller)

    def _placed(self, generation: Generation) -> Generation:
        """On a device of this machine: who asked for it may not have known any."""
        if generation.device != AUTOMATIC:
            return generation
        device = self.resolve_device(generation.device)
        self.insist(lambda: self.repo.place(generation.id, self.name, device))
        return replace(generation, device=device)

    def _prepare(self, generation: Generation, watch: Watch, *, smaller: bool) -> tuple[Plan, Inpainter, float]:
        """What is to be painted, with what, and the seconds that loading took."""
        watch.loading()
        request = InpaintRequest(
            self.images.get(generation.source),
            Mask.stored(self.images.get(generation.mask)),
            generation.params,
            tuple(guide.showing(self.images.get(guide.picture)) for guide in generation.guides),
        )
        asked_at = time.perf_counter()
        params, device = generation.params, generation.device
        inpainter = self.load_inpainter(params.model, device, dtype=params.dtype, smaller=smaller)
        load_s = time.perf_counter() - asked_at
        plan = plan_of(request, inpainter.model.cell)
        watch.paints(max(crop.working.pixels for crop in (plan.crop, *plan.part_crops)), inpainter.model.native_px)
        return plan, inpainter, load_s

    def _go_on(self, is_cancelled: Callable[[], bool]) -> GoOn:
        return GoOn(is_cancelled, self._halted, self.patience)

    @contextmanager
    def _holding(self, row: _Row, model: str) -> Iterator[Watch]:
        """A sign of life every few seconds, also while a model is loaded and no step is reported; and the watchdog."""
        stop, forgiving = threading.Event(), Forgiving(0)

        def keep_beating(watch: Watch) -> None:
            while not stop.wait(BEAT_EVERY_S):
                forgiving(row.beat, None)
                if not forgiving(row.is_wanted, True):
                    watch.cancel()

        with self.watchdog.over(model, row.end) if self.watchdog else nullcontext(Watch()) as watch:
            threading.Thread(target=keep_beating, args=[watch], name="heartbeat", daemon=True).start()
            try:
                yield watch
            finally:
                stop.set()


@dataclass(frozen=True, slots=True)
class _Row:
    """What a worker asks and tells of the row that it has claimed. end: is told what it had to be ended with."""

    beat: Callable[[], object]
    is_wanted: Callable[[], bool]
    end: Callable[[StudioError], object]


def _outcome_of(id: str, error: BaseException) -> Outcome:
    if isinstance(error, GenerationCancelled):
        return Outcome(Status.CANCELLED, error=str(error))
    code, sentence = _describe_error(id, error)
    return Outcome(Status.FAILED, error_code=code, error=sentence)


def _failed(verification: Verification, error: BaseException) -> Verification:
    return replace(verification, status=Status.FAILED, error=_describe_error(verification.id, error)[1])


def _describe_error(id: str, error: BaseException) -> tuple[str, str]:
    """The code and the sentence for the row. What we do not know goes to the log, not to the screen."""
    if isinstance(error, StudioError):
        log.warning("%s failed: %s: %s", id, error.code, error)
        return error.code, str(error)
    log.error("%s failed: %s", id, last_resort.told(error))
    return type(error).__name__, str(StudioError())
