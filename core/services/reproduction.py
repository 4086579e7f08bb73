"""Proof of reproduction: running a generation again under the conditions of its record, and judging the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from PIL import Image

from core.domain.errors import InvalidMove
from core.domain.generation import Generation, Status
from core.domain.mask import Mask
from core.domain.reproduction import (
    Reproduction,
    Verdict,
    Verification,
    changes_between,
    compare,
    first_stage,
)
from core.ports import Dispatcher, ImageStore, Inpainter
from db.generations import GenerationRepo
from db.verifications import VerificationRepo

EFFECTS = frozenset({"noise_sha256", "latents_sha256", "decoded_sha256", "peak_process_mb", "peak_device_mb"})
"""Fields of the inpainter's record that follow from a run; all others may be reasons."""

RESTORABLE = ("threads", "scheduler", "dtype", "attention")
"""Conditions of a run that an inpainter takes from the record, or has anyway."""


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
        queued = [
            Verification(self.new_id(), generation_id, Status.QUEUED, self.now()) for generation_id in generation_ids
        ]
        self.repo.add(queued)
        for verification in queued:
            self.dispatcher.enqueue(verification.id)
        return [verification.id for verification in queued]

    def get(self, id: str) -> Verification:
        return self.repo.get(id)

    def of(self, generation_id: str) -> tuple[Verification, ...]:
        """All verifications of a generation, newest first."""
        return self.repo.of(generation_id)

    def latest(self, generation_ids: Sequence[str]) -> Mapping[str, Verdict]:
        """The newest verdict of each generation that has one: for badges."""
        return self.repo.latest(generation_ids)

    def cancel_waiting(self) -> int:
        """Take back the verifications that wait. Returns how many."""
        return self.repo.cancel_queued()


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a worker has after running a recorded request again. mask: the one that weighed the result."""

    inpainter: Inpainter
    result: Image.Image
    mask: Mask
    record: Mapping[str, Any]


def judged(verification: Verification, generation: Generation, original: Image.Image, rerun: Rerun) -> Verification:
    """The verification with its verdict and the reasons for it."""
    difference = compare(original, rerun.result, rerun.mask)
    environment = dict(rerun.inpainter.environment.facts)
    then = generation.record.get("inpainter", {})
    now = rerun.record["inpainter"]
    changes = changes_between(
        _reasons(generation.environment, generation.record, generation.dtype, generation.device),
        _reasons(environment, rerun.record, rerun.inpainter.model.dtype, rerun.inpainter.model.device),
    )
    return replace(
        verification,
        status=Status.SUCCEEDED,
        reproduction=Reproduction(difference.verdict, difference, changes, first_stage(then, now, difference.verdict)),
        restored=tuple(name for name in RESTORABLE if name in then and then[name] == now.get(name)),
        environment=environment,
    )


def _reasons(
    environment: Mapping[str, str], record: Mapping[str, Any], dtype: str | None, device: str
) -> dict[str, Any]:
    """All that can decide pixels, without what follows from a run and without times."""
    inpainter = dict(_lasting(record.get("inpainter", {})))
    # Said by the environment already; the recorded number of threads counts for the run.
    facts = {name: fact for name, fact in environment.items() if name != "app_commit"}
    rest = {name: value for name, value in record.items() if name not in ("inpainter", "outside_mask_unchanged")}
    return {**facts, **rest, **inpainter, "dtype": dtype, "device": device}


def _lasting(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name not in EFFECTS and not name.endswith("_s"):
            yield name, dict(_lasting(value)) if isinstance(value, Mapping) else value
