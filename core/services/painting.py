"""From a plan to the finished picture: one call of the inpainter, or several of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from core.domain.geometry import Crop
from core.domain.hashing import pixels_sha256
from core.domain.model import LoadedModel
from core.domain.record import InpainterRun, part_name
from core.domain.request import Plan, WorkingRequest
from core.ports import Inpainter, OnStep, Repainted, StepReport

UNRECORDED = InpainterRun()


@dataclass(frozen=True, slots=True)
class Painted:
    """result: the whole picture. record: what the inpainter did. runtime_s: seconds that it took."""

    result: Image.Image
    record: Mapping[str, Any]
    runtime_s: float


def paint(plan: Plan, inpainter: Inpainter, on_step: OnStep, recorded: InpainterRun = UNRECORDED) -> Painted:
    """recorded: what the inpainter recorded of an earlier run, so that its conditions are restored.

    Raises whatever the inpainter or on_step raises.
    """
    cell = inpainter.model.cell
    if plan.parts is not None:
        return _part_by_part(plan, len(plan.parts), inpainter, on_step, recorded)
    if plan.context is None:
        return _painted(plan, inpainter, plan.working_request(cell), on_step, recorded.raw)
    in_context = plan.context.working_request(cell)
    left = plan.request.params.effective_steps - in_context.params.effective_steps
    first = _painted(plan.context, inpainter, in_context, _part_of(on_step, 0, left), recorded.first_pass)
    detail = plan.working_request(cell, start=first.result)
    # Some models run more steps than the strength says.
    second = _painted(plan, inpainter, detail, _part_of(on_step, first.record["effective_steps"], 0), recorded.raw)
    record = {**second.record, "first_pass": first.record}
    return Painted(second.result, record, first.runtime_s + second.runtime_s)


def _part_by_part(plan: Plan, count: int, inpainter: Inpainter, on_step: OnStep, recorded: InpainterRun) -> Painted:
    """The record is that of the first part, with those of the others as "part_2", "part_3", ..."""
    cell, steps, done, runtime_s = inpainter.model.cell, plan.request.params.effective_steps, 0, 0.0
    picture, record = plan.request.image, dict[str, Any]()
    for nth in range(count):
        part = plan.part(nth, picture, cell)
        work, before = part.working_request(cell), recorded.part(nth)
        painted = _painted(part, inpainter, work, _part_of(on_step, done, (count - nth - 1) * steps), before)
        picture, runtime_s = painted.result, runtime_s + painted.runtime_s
        done += painted.record["effective_steps"]
        record |= {part_name(nth): painted.record} if nth else painted.record
    return Painted(picture, record, runtime_s)


def _painted(
    plan: Plan, inpainter: Inpainter, work: WorkingRequest, on_step: OnStep, recorded: Mapping[str, Any]
) -> Painted:
    started = time.perf_counter()
    repainted = inpainter.inpaint(replace(work, recorded=recorded), on_step)
    runtime_s = time.perf_counter() - started
    return Painted(plan.finish(repainted.image), _record_of(repainted), runtime_s)


def _part_of(on_step: OnStep, done: int, left: int) -> OnStep:
    """Reports of one pass, counted as a part of all. done, left: steps of the others, before and after it."""

    def report(step: StepReport) -> None:
        on_step(replace(step, step=done + step.step, total=done + step.total + left))

    return report


def _record_of(repainted: Repainted) -> dict[str, Any]:
    return {**repainted.record, "decoded_sha256": pixels_sha256(repainted.image)}


def planned(plan: Plan, model: LoadedModel) -> dict[str, Any]:
    """What is recorded before the first step: how it will be painted."""
    first = {"first_pass": _crop_of(plan.context.crop)} if plan.context else {}
    seeds = (plan.request.params.nth(nth) for nth in range(len(plan.part_crops)))
    parts = {
        part_name(nth): {**_crop_of(crop), "seed": params.seed, "variation_seed": params.variation_seed}
        for nth, (crop, params) in enumerate(zip(plan.part_crops, seeds, strict=True))
    }
    return {
        "processing_version": plan.request.params.processing,
        **_crop_of(plan.crop),
        **first,
        **({"parts": parts} if parts else {}),
        "effective_steps": plan.effective_steps,
        "mask_coverage": plan.request.painted.coverage,
        **({"colour": plan.request.space.record} if plan.request.space else {}),
        "model": {
            "key": model.key,
            "repository": model.repository,
            "revision": model.revision,
            "native_px": model.native_px,
            "cell": model.cell,
            **model.details,
        },
    }


def _crop_of(crop: Crop) -> dict[str, Any]:
    return {"crop": list(crop.bounds.box), "working_size": list(crop.working)}
