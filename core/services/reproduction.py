"""Proof of reproduction: running a generation again under the conditions of its record, and judging the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from PIL import Image

from core.domain.errors import InvalidMove
from core.domain.generation import Generation, Status, Verdict
from core.domain.pixels.mask import Mask
from core.domain.record import Record
from core.domain.reproduction import (
    Batch,
    Overview,
    Reason,
    Reproduction,
    Verification,
    VerifyScope,
    changes_between,
    compare,
    first_stage,
    overview_of,
    reasons_of,
)
from core.ports import Dispatcher, ImageStore, Inpainter
from db.generations import GenerationRepo
from db.verifications import VerificationRepo

EFFECTS = frozenset({"noise_sha256", "latents_sha256", "decoded_sha256", "peak_process_mb", "peak_device_mb"})
"""Fields of the inpainter's record that follow from a run; all others may be reasons."""

KERNELS = ("attention", "attention_kernels", "channels_last", "compiled")

RESTORABLE = ("threads", "scheduler", "dtype", *KERNELS, "model_revision")
"""Conditions of a run that an inpainter takes from the record, or has anyway."""


LOOKED_AT = 5_000
"""Verifications that reasons are counted in: half a second of reading."""

FAILURES_SHOWN = 20
HISTORY_DAYS = 90


@dataclass(frozen=True, slots=True)
class Reproductions:
    repo: VerificationRepo
    generations: GenerationRepo
    images: ImageStore
    dispatcher: Dispatcher
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def verify(self, generation_ids: Sequence[str]) -> list[str]:
        """Queue a verification of each; returns their ids. Raises InvalidMove for one without a result or imported."""
        for id in generation_ids:
            generation = self.generations.get(id)
            if generation.output is None:
                raise InvalidMove(f"Generation {id} has no result, so there is nothing to verify. Run it again first.")
            generation.check_can_run_again()
        return self._queue(generation_ids)

    def verify_all(self, scope: VerifyScope, here: Sequence[Mapping[str, str]] = ()) -> list[str]:
        """Queue a verification of all of these that do not wait for one already. Returns the new ids.

        here: the environments of this machine, one for each device.
        """
        if scope is VerifyScope.OTHER_ENVIRONMENT:
            environments = [other.group.environment_id for other in self.overview(here).other_environments]
            return self._queue(self.repo.candidates(environments=environments))
        return self._queue(self.repo.candidates(unverified=scope is VerifyScope.UNVERIFIED))

    def _queue(self, generation_ids: Sequence[str]) -> list[str]:
        """One moment for all: by it they are known as one batch."""
        now = self.now()
        queued = [Verification(self.new_id(), generation_id, Status.QUEUED, now) for generation_id in generation_ids]
        self.repo.add(queued)
        for verification in queued:
            self.dispatcher.enqueue(verification.id)
        return [verification.id for verification in queued]

    def overview(self, here: Sequence[Mapping[str, str]] = ()) -> Overview:
        """What can be verified, what was found, and what was made under other environments than those here."""
        return overview_of(self.repo.environment_groups(), here)

    def batch(self) -> Batch:
        """How far the verifications are that are under way."""
        return self.repo.batch()

    def reasons(self) -> tuple[Reason, ...]:
        """What changed in the newest verification of each generation, most frequent first."""
        return reasons_of(self.repo.changes(LOOKED_AT))

    def failures(self) -> list[tuple[str, int]]:
        """Why verifications could not be done, and how many of each."""
        return self.repo.failures(FAILURES_SHOWN)

    def history(self) -> list[tuple[date, Verdict, int]]:
        """How many verdicts of each kind were found on each day, newest first."""
        return self.repo.history(HISTORY_DAYS)

    def get(self, id: str) -> Verification:
        return self.repo.get(id)

    def of(self, generation_id: str) -> tuple[Verification, ...]:
        """All verifications of a generation, newest first."""
        return self.repo.of(generation_id)

    def cancel(self, id: str) -> None:
        """Take back one verification, also one that is being done."""
        self.repo.cancel(id)

    def cancel_all(self) -> int:
        """Take back all that wait, and stop what is being run again at its next step. Returns how many."""
        return self.repo.cancel_all()

    def cancel_waiting(self) -> int:
        """Take back the verifications that wait. Returns how many."""
        return self.repo.cancel_queued()


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a worker has after running a recorded request again. mask: the one that weighed the result."""

    inpainter: Inpainter
    result: Image.Image
    mask: Mask
    record: Record


def judged(verification: Verification, generation: Generation, original: Image.Image, rerun: Rerun) -> Verification:
    """The verification with its verdict and the reasons for it."""
    difference = compare(original, rerun.result, rerun.mask)
    environment = dict(rerun.inpainter.environment.facts)
    then = generation.record.inpainter.raw
    now = rerun.record.inpainter.raw
    changes = changes_between(
        _reasons(generation.environment, generation.record, generation.dtype, generation.device),
        _reasons(environment, rerun.record, rerun.inpainter.model.dtype, rerun.inpainter.model.device),
    )
    return replace(
        verification,
        status=Status.SUCCEEDED,
        error=None,
        reproduction=Reproduction(difference.verdict, difference, changes, first_stage(then, now, difference.verdict)),
        restored=tuple(name for name in RESTORABLE if name in then and then[name] == now.get(name)),
        environment=environment,
    )


def _reasons(environment: Mapping[str, str], record: Record, dtype: str | None, device: str) -> dict[str, Any]:
    """All that can decide pixels, without what follows from a run and without times."""
    inpainter = dict(_lasting(record.inpainter.raw))
    # Said by the environment already; the recorded number of threads counts for the run.
    facts = {name: fact for name, fact in environment.items() if name != "app_commit"}
    rest = {
        name: value
        for name, value in record.raw.items()
        if name not in ("inpainter", "outside_mask_unchanged", "model")
    }
    # Content fill's method once stood there; it follows from the rules of processing. Of the memory plan its dtype is
    # looked at, and not how much was free.
    model = {name: value for name, value in record.model.raw.items() if name not in ("method", "memory_plan")}
    return {**facts, **rest, "model": model, **inpainter, "dtype": dtype, "device": device}


def _lasting(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name not in EFFECTS and not name.endswith("_s"):
            yield name, dict(_lasting(value)) if isinstance(value, Mapping) else value
