"""One run of a pipeline: called as its family wants it, and watched."""

from __future__ import annotations

import hashlib
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from core.domain.errors import BrokenResult
from core.domain.generation import Phase
from core.domain.params import AUTO_DTYPE, InpaintParams
from core.domain.request import WorkingRequest
from core.engine.families import Family
from core.engine.quiet import quiet_libraries
from core.engine.run import filling, noise, prompts, schedulers, variation
from core.engine.run.latents import Layout
from core.engine.run.preview import Colours, Preview
from core.engine.run.soft import SoftMask
from core.memory import trim
from core.ports import OnStep, StepReport

_one_at_a_time = threading.Lock()
"""The name that pipelines draw their noise by is that of a whole module: of two runs of two models, as there can be
for a moment while one is put away, the first to end would take the watch from the other."""


class Run:
    """One call of the pipeline, watched."""

    def __init__(
        self,
        pipe: Any,
        family: Family,
        own_scheduler: Any,
        request: WorkingRequest,
        on_step: OnStep,
        *,
        colours: Colours | None,
    ) -> None:
        params = request.params
        self._pipe = pipe
        self._family = family
        self._request = request
        self._start = filling.start(request.image, request.degree or request.mask, params)
        self._on_step = on_step
        self._scheduler = _scheduler(request, own_scheduler)
        self._timesteps = schedulers.planned(
            _scheduler(request, own_scheduler),
            num_inference_steps=params.num_inference_steps,
            strength=params.strength if family.takes_strength else 1.0,
        )
        self.total = schedulers.steps_of(len(self._timesteps), self._scheduler.order)
        # On the CPU: the same noise on every device. New each time: it is used up by a run.
        self._generator = _generator(params.seed)
        self._colours = colours
        self._soft: SoftMask | None = None
        self._preview: Preview | None = None
        self._noise: Any = None
        self._noise_sha256 = self._latents_sha256 = ""
        self._started = self._prepared = self._denoised = self._decoded = 0.0

    def start(self, pipe: Any, params: InpaintParams, further: Mapping[str, Any]) -> tuple[np.ndarray, bool]:
        """((H, W, 3) of 0..1, whether the safety checker withheld it).

        pipe: the one to call, of this run's very components. params: those of the request, with prompts as this pipe
        reads them now. further: arguments beside those of its family.
        Raises BrokenResult.
        """
        places = {
            "mask_image": self._request.mask.to_image(),
            "width": self._request.image.width,
            "height": self._request.image.height,
        }
        pipe.scheduler = self._scheduler
        self._started = self._prepared = self._denoised = time.perf_counter()
        try:
            with _one_at_a_time, self._watched(pipe), quiet_libraries():
                result = pipe(
                    **self._family.arguments(prompts.arguments(pipe, self._family, params), params),
                    **schedulers.ARGUMENTS.get(self._request.params.scheduler, {}),
                    **further,
                    image=self._start,
                    **{name: value for name, value in places.items() if name not in self._family.without},
                    num_inference_steps=params.num_inference_steps,
                    generator=self._generator,
                    callback_on_step_end=self._after_model_call,
                    output_type="np",
                )
        finally:
            # What the pipeline does at its own end only; these hooks are the plain one's.
            self._pipe.maybe_free_model_hooks()
        self._decoded = time.perf_counter()
        pixels = result.images[0]
        if not np.isfinite(pixels).all():
            raise BrokenResult
        return pixels, bool(getattr(result, "nsfw_content_detected", None) and result.nsfw_content_detected[0])

    def record(self) -> dict[str, Any]:
        return {
            "scheduler": schedulers.configuration(self._scheduler),
            **schedulers.ARGUMENTS.get(self._request.params.scheduler, {}),
            "timesteps": self._timesteps,
            "model_calls": len(self._timesteps),
            "effective_steps": self.total,
            "noise_sha256": self._noise_sha256,
            "latents_sha256": self._latents_sha256,
            "prepare_s": round(self._prepared - self._started, 3),
            "denoise_s": round(self._denoised - self._prepared, 3),
            "decode_s": round(self._decoded - self._denoised, 3),
        }

    def _after_model_call(self, pipe: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Raises whatever on_step raises: the pipeline stops there. Its own interrupt flag would decode first."""
        import torch

        latents = values["latents"]
        is_last = index == len(self._timesteps) - 1
        # Heun calls the model twice a step: the step is done after the second call.
        step = self.total if is_last else (index + 1) // self._scheduler.order
        if not bool(torch.isfinite(latents).all()):
            raise BrokenResult  # it cannot recover: spare the rest of the steps
        preview = self._preview.of(latents) if self._preview else None
        self._on_step(StepReport(Phase.DENOISING, step, self.total, preview))
        if is_last:
            # What the steps have let go of lies between what stays, where the decoder's large pictures find no room.
            trim()
            self._latents_sha256 = _values_sha256(latents)
            self._denoised = time.perf_counter()
            self._on_step(StepReport(Phase.DECODING, self.total, self.total, preview))
        return {} if self._soft is None else {"latents": self._soft.after_call(self._scheduler, index, latents)}

    @contextmanager
    def _watched(self, pipe: Any) -> Iterator[None]:
        """Take what the pipeline works with as it comes up; leave the pipeline as it was."""
        # Of two that work together the one that denoises latents.
        pipe = getattr(pipe, "decoder", pipe)
        methods = {
            "get_timesteps": self._after_timesteps,
            "prepare_latents": self._after_latents,
            "prepare_mask_latents": self._look_at_clock,
        }
        with ExitStack() as watches:
            if self._request.params.dtype != AUTO_DTYPE:
                watches.enter_context(noise.drawn_in_float32(pipe, self._scheduler))
            for name, after in methods.items():
                if hasattr(pipe, name):
                    watches.enter_context(_watch(pipe, name, after))
            # The name that the pipeline's own module draws its noise by; autoencoders have another one.
            watches.enter_context(_watch(sys.modules[type(pipe).__module__], "randn_tensor", self._after_noise))
            yield

    def _after_timesteps(self, result: Any, arguments: Mapping[str, Any]) -> Any:
        self._timesteps = [float(timestep) for timestep in result[0]]
        self.total = schedulers.steps_of(len(self._timesteps), self._scheduler.order)
        return result

    def _after_noise(self, drawn: Any, arguments: Mapping[str, Any]) -> Any:
        if arguments.get("generator") is not self._generator:
            return drawn
        self._noise = variation.blend_noise(drawn, self._request.params)
        self._noise_sha256 = _values_sha256(self._noise)
        return self._noise

    def _after_latents(self, result: Any, arguments: Mapping[str, Any]) -> Any:
        request = self._request
        # Some pipelines work at another size than they were asked for.
        width, height = arguments.get("width", request.image.width), arguments.get("height", request.image.height)
        layout = Layout(self._pipe, width, height)
        if self._colours is not None:
            self._preview = Preview(request, self._colours, layout)
        if request.degree is not None:
            calls = len(self._timesteps)
            self._soft = SoftMask(layout, request.image, request.degree, noise=self._noise, calls=calls)
        return self._look_at_clock(result, arguments)

    def _look_at_clock(self, result: Any, arguments: Mapping[str, Any]) -> Any:
        self._prepared = time.perf_counter()
        return result


def _generator(seed: int) -> Any:
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def _scheduler(request: WorkingRequest, own: Any) -> Any:
    """A new one for each call."""
    return schedulers.as_recorded(schedulers.fresh(request.params.scheduler, own), request.recorded.get("scheduler"))


def _values_sha256(tensor: Any) -> str:
    values = np.ascontiguousarray(tensor.detach().float().cpu().numpy())
    return "sha256:" + hashlib.sha256(values.tobytes()).hexdigest()


@contextmanager
def _watch(target: Any, name: str, after: Callable[[Any, Mapping[str, Any]], Any]) -> Iterator[None]:
    """target: a pipeline or a module. after: gets a result and the arguments by name, and returns what goes on."""
    original = getattr(target, name)
    before = target.__dict__.get(name)
    signature = inspect.signature(original)

    def watched(*args: Any, **kwargs: Any) -> Any:
        return after(original(*args, **kwargs), signature.bind(*args, **kwargs).arguments)

    target.__dict__[name] = watched
    try:
        yield
    finally:
        if before is None:
            del target.__dict__[name]
        else:
            target.__dict__[name] = before
