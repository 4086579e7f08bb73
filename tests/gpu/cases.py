"""One case in a process of its own: a model, loaded as the product loads it, and what is checked of it."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from core.bootstrap import make_loader
from core.domain.errors import GenerationCancelled, OutOfMemory
from core.domain.generation import Phase
from core.domain.hashing import pixels_sha256
from core.domain.params import AUTO_DTYPE
from core.engine.quiet import quiet_libraries
from core.engine.run.kernels import Kernels
from core.ports import StepReport
from core.settings import Settings
from tests.engine.tiny import a_working_request

AS_BEFORE: Mapping[str, Any] = {"call_version": 2}
"""The record of a run before kernels were recorded: torch's own choice."""

VARIANTS: Mapping[str, Callable[[Kernels], Kernels]] = {
    "as before": lambda usual: Kernels(),
    "attention-efficient": lambda usual: replace(usual, attention=("efficient", "math")),
    "attention-written-out": lambda usual: replace(usual, attention=("math",)),
    "channels-last": lambda usual: replace(usual, channels_last=True),
    "channels-first": lambda usual: replace(usual, channels_last=False),
}
"""From the kernels that are usual there to others."""

SLACK_S = 0.25
"""What a cancelled run may take beyond a step, to give back what it held."""

LEFT_FREE = 48 * 2**20
"""Bytes that a picture which needs many times as much is to run out of."""


@dataclass(frozen=True, slots=True)
class Case:
    """offload: a placement of core/engine/card.py. limit_gb: of the card, as if it were a smaller one. plain: the same
    by diffusers alone. compiled: by torch.compile. kernels: of VARIANTS those that are tried besides."""

    model: str
    offload: str = "whole"
    limit_gb: float | None = None
    dtype: str = AUTO_DTYPE
    plain: bool = False
    compiled: bool = False
    variants: tuple[str, ...] = ("as before",)

    @property
    def name(self) -> str:
        dtype = "" if self.dtype == AUTO_DTYPE else self.dtype
        place = "" if self.offload == "whole" else self.offload
        rest = ("compiled" if self.compiled else "", "plain" if self.plain else "")
        return "-".join(part for part in (self.model, place, dtype, *rest) if part)

    def counterpart(self) -> Case:
        """The same by diffusers alone, which brings layers one by one."""
        offload = "sequential" if self.offload == "group" else self.offload
        return Case(self.model, offload, self.limit_gb, self.dtype, plain=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """device: a key. side: pixels. steps, rounds: of what is timed."""

    folder: Path
    device: str
    side: int
    steps: int
    rounds: int

    @property
    def on_card(self) -> bool:
        return self.device != "cpu"

    def request(self, **params: Any) -> Any:
        side = params.pop("side", self.side)
        mask = {"num_inference_steps": self.steps, "guidance_scale": 5.0, "strength": 1.0, "size": side}
        return a_working_request(side, side, **{**mask, **params})

    def small_card(self, limit_gb: float | None) -> None:
        """From now on torch gets no more of the card than this."""
        if limit_gb is not None and self.on_card:
            import torch

            torch.cuda.set_per_process_memory_fraction(min(1.0, limit_gb * 1e9 / _total(self.device)), self.device)

    def peak_mb(self) -> float:
        if self.on_card:
            import torch

            return round(torch.cuda.max_memory_allocated(self.device) / 1e6, 1)
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1)


def run(case: Case, bench: Bench, record: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """The row of this case. record: only what is on it is painted again, as in another process a verification does."""
    bench.small_card(case.limit_gb)
    if case.plain:
        return _plain(case, bench)
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(
            _env_file=None,
            data=Path(data),
            offload=case.offload,
            compile=case.compiled,
            threads=None if bench.on_card else 1,
            HF_TOKEN=None,
        )
        started = time.perf_counter()
        inpainter = make_loader(settings)(str(bench.folder), bench.device, dtype=case.dtype)
        load_s = time.perf_counter() - started
        if record is not None:
            again = inpainter.inpaint(replace(bench.request(), recorded=record), lambda report: None)
            return {"pixels_sha256": pixels_sha256(again.image)}
        return {"load_s": load_s, **_checked(inpainter, bench, case)}


def _checked(inpainter: Any, bench: Bench, case: Case) -> Mapping[str, Any]:
    request = bench.request(dtype=case.dtype)
    painted = inpainter.inpaint(request, lambda report: None)
    first, record = pixels_sha256(painted.image), painted.record
    seconds = _seconds(partial(inpainter.inpaint, request, lambda report: None), bench.rounds)
    again = inpainter.inpaint(replace(request, recorded=record), lambda report: None)
    found = {
        "seconds": seconds,
        "step_s": record["denoise_s"] / record["effective_steps"],
        "peak_mb": bench.peak_mb(),
        "dtype": record["dtype"],
        "placement": inpainter.model.details["placement"],
        "plan": inpainter.model.details["memory_plan"],
        **Kernels.recorded(record).record,
        "pixels_sha256": first,
        "exact": pixels_sha256(again.image) == first,
        "record": record,
    }
    return {
        **found,
        "variants": list(_variants(inpainter, bench, case, Kernels.recorded(record))),
        **_cancelled(inpainter, bench, request, first),
        **_out_of_memory(inpainter, bench, request, first),
    }


def _variants(inpainter: Any, bench: Bench, case: Case, usual: Kernels) -> Iterator[Mapping[str, Any]]:
    """The same model in other kernels: how long a picture takes, and whether each verifies."""
    for name in case.variants:
        kernels = VARIANTS[name](usual)
        request = replace(bench.request(dtype=case.dtype), recorded={**AS_BEFORE, **kernels.record})
        painted = inpainter.inpaint(request, lambda report: None)
        seconds = _seconds(partial(inpainter.inpaint, request, lambda report: None), bench.rounds)
        again = inpainter.inpaint(replace(request, recorded=painted.record), lambda report: None)
        exact = pixels_sha256(again.image) == pixels_sha256(painted.image)
        yield {"name": name, "seconds": seconds, "exact": exact, **kernels.record}


def _cancelled(inpainter: Any, bench: Bench, request: Any, first: str) -> Mapping[str, Any]:
    """Cancelled in the middle of the second step: the seconds until the run had ended, and whether it left a trace."""
    asked, steps, asked_at = threading.Event(), list[float](), list[float]()

    def ask() -> None:
        asked_at.append(time.perf_counter())
        asked.set()

    def on_step(report: StepReport) -> None:
        if report.phase is not Phase.DENOISING:
            return
        steps.append(time.perf_counter())
        if asked.is_set():
            raise GenerationCancelled
        if len(steps) == 2:
            threading.Timer((steps[1] - steps[0]) / 2, ask).start()

    try:
        inpainter.inpaint(replace(request, params=request.params.changed(num_inference_steps=60)), on_step)
    except GenerationCancelled:
        cancel_s = time.perf_counter() - asked_at[0]
    else:
        return {"cancelled": False}
    longest = max(after - before for before, after in zip(steps, steps[1:], strict=False))
    after = inpainter.inpaint(request, lambda report: None)
    return {
        "cancel_s": cancel_s,
        "cancelled": cancel_s <= longest + SLACK_S,
        "exact_after_cancel": pixels_sha256(after.image) == first,
    }


def _out_of_memory(inpainter: Any, bench: Bench, request: Any, first: str) -> Mapping[str, Any]:
    """What is said of a picture for which there is no memory, and whether the next one is painted as before."""
    large = bench.request(side=max(2048, 2 * bench.side), num_inference_steps=1)
    with _no_more_memory(bench):
        try:
            inpainter.inpaint(large, lambda report: None)
        except OutOfMemory as error:
            words = str(error)
        else:
            words = ""
    after = inpainter.inpaint(request, lambda report: None)
    return {"out_of_memory": words, "exact_after_out_of_memory": pixels_sha256(after.image) == first}


@contextmanager
def _no_more_memory(bench: Bench) -> Iterator[None]:
    import torch

    if bench.on_card:
        before = torch.cuda.get_per_process_memory_fraction(bench.device)
        torch.cuda.empty_cache()
        most = torch.cuda.memory_reserved(bench.device) + LEFT_FREE
        torch.cuda.set_per_process_memory_fraction(most / _total(bench.device), bench.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(before, bench.device)
        return
    import resource

    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + LEFT_FREE, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def _data_bytes() -> int:
    """Of this process, as the limit counts them."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


def _total(device: str) -> int:
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)


def _plain(case: Case, bench: Bench) -> Mapping[str, Any]:
    """diffusers alone: the same model, type, size, steps and place."""
    import diffusers
    import torch

    from core.engine import device as devices
    from core.engine import families
    from core.engine.models.integrity import read_index

    family = families.of(read_index(bench.folder))
    where = devices.resolve(bench.device)
    dtype = family.dtype(where) if case.dtype == AUTO_DTYPE else case.dtype
    if not bench.on_card:
        torch.set_num_threads(1)
    started = time.perf_counter()
    with quiet_libraries():
        pipe = getattr(diffusers, family.pipeline).from_pretrained(bench.folder, dtype=getattr(torch, dtype))
    pipe.set_progress_bar_config(disable=True)
    if case.offload == "model":
        pipe.enable_model_cpu_offload(device=bench.device)
    elif case.offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=bench.device)
    else:
        pipe.to(bench.device)
    load_s = time.perf_counter() - started
    request = bench.request()

    def call() -> None:
        pipe(
            prompt=request.params.prompt,
            image=request.image,
            mask_image=request.mask.to_image(),
            width=bench.side,
            height=bench.side,
            num_inference_steps=bench.steps,
            guidance_scale=5.0,
            strength=1.0,
            generator=torch.Generator().manual_seed(7),
        )

    with quiet_libraries():
        call()
        seconds = _seconds(call, bench.rounds)
    return {"load_s": load_s, "seconds": seconds, "peak_mb": bench.peak_mb(), "dtype": dtype}


def _seconds(call: Callable[[], Any], rounds: int) -> float:
    """Of one call, which ends with the picture in the machine's memory: the card has done it by then. The median."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
