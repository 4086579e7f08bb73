"""The Inpainter over a diffusers pipeline: loads it from a folder, and runs it for one picture at a time."""

from __future__ import annotations

import hashlib
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.domain.environment import Device
from core.domain.errors import (
    BrokenResult,
    Busy,
    DamagedModel,
    InvalidParams,
    ModelUnavailable,
    NotAnInpaintingModel,
    OutOfMemory,
    ResultWithheld,
)
from core.domain.generation import Phase
from core.domain.geometry import Size
from core.domain.model import LoadedModel
from core.domain.params import MODEL_DEFAULT, SCHEDULERS, InpaintParams
from core.domain.request import WorkingRequest
from core.engine import device as devices
from core.engine import families, filling, fingerprint, memory, prompts, schedulers, variation
from core.engine.calm import calm
from core.engine.families import Family
from core.engine.latents import Layout
from core.engine.models import Catalogue, native_size, read_index
from core.engine.preview import Colours, Preview, colours_of
from core.engine.soft import SoftMask
from core.engine.weights import SAFETY_CHECKER, Choice
from core.ports import OnStep, Repainted, StepReport
from core.settings import Settings

CALL_VERSION = 2
"""Raised when a change here makes other pixels of the same request."""

MAX_THREADS = 256

OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def load(model: str, device: str, catalogue: Catalogue, settings: Settings) -> DiffusersInpainter:
    """Load a model that is on this machine; nothing is ever downloaded here.

    model: key of the table, folder or hub id. device: "auto", or the key of a device.
    Raises ModelNotDownloaded, UnsafeWeights, NotAnInpaintingModel, DamagedModel, DeviceUnavailable or OutOfMemory.
    """
    started = time.perf_counter()
    spec, folder = catalogue.find(model), catalogue.locate(model)
    where = devices.resolve(device)
    devices.prefer_exact(where)
    threads = devices.set_threads(settings.threads)
    family = families.of(read_index(folder))
    family.check_package()
    where = replace(where, dtype=family.dtype(where.dtype))
    choice = catalogue.choice(folder, where.dtype)
    parts, free = memory.of_parts(folder, choice.files, where.dtype), memory.free_on(where)
    where = replace(where, dtype=memory.smaller_dtype(parts, where, family.half, free))
    with _memory_errors_in_words(where):
        pipe = _pipeline(family, folder, choice, where, safety_checker=settings.safety_checker)
        placement = _place(pipe, where, parts, settings.offload)
    files = fingerprint.of_files(folder, choice.files)
    loaded = LoadedModel(
        key=model,
        repository=spec.repository,
        revision=folder.name if spec.repository else fingerprint.of_all(files),
        device=where.key,
        dtype=where.dtype,
        cell=pipe.vae_scale_factor * family.patch,
        native_px=native_size(folder),
        load_s=round(time.perf_counter() - started, 3),
        details={
            "pipeline": type(pipe).__name__,
            "in_channels": _denoiser(pipe).config.in_channels,
            "variant": choice.variant,
            "placement": placement,
            "weights": {name: sha for name, sha in files.items() if name.endswith(".safetensors")},
            "safety_checker": getattr(pipe, SAFETY_CHECKER, None) is not None,
            "scheduler": type(pipe.scheduler).__name__,
            "attention": _attention(pipe),
        },
    )
    return DiffusersInpainter(pipe, family, loaded, where, threads=threads, preview=settings.preview)


class DiffusersInpainter:
    """A ports.Inpainter. Made by load()."""

    def __init__(
        self, pipe: Any, family: Family, model: LoadedModel, device: Device, *, threads: int, preview: bool = True
    ) -> None:
        self.model = model
        self.environment = devices.environment(device)
        self._pipe = pipe
        self._family = family
        self._own_scheduler = pipe.scheduler
        self._device = device
        self._threads = threads
        self._with_preview = preview
        self._colours: Colours | None = None
        self._lock = threading.Lock()
        self._closed = False

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        if not self._lock.acquire(blocking=False):
            raise Busy
        try:
            if self._closed:
                raise ModelUnavailable("This model was put away to make room for another one. Run it again.")
            with _memory_errors_in_words(self._device):
                return self._inpaint(request, on_step)
        finally:
            self._lock.release()
            if self._closed:
                self._let_go()

    def close(self) -> None:
        """Give the memory back, at once or when the picture in work is done."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()

    def _let_go(self) -> None:
        self._pipe = self._own_scheduler = None
        _empty_cache(self._device)

    def _inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        self._check(request)
        # Other code in this process may have changed it, and it decides the last bits.
        threads = devices.set_threads(_recorded_threads(request) or self._threads)
        run = _Run(self._pipe, self._family, self._own_scheduler, request, on_step, colours=self._known_colours())
        on_step(StepReport(Phase.PREPARING, 0, run.total))
        _reset_peak(self._device)
        pixels, withheld = run.start()
        if withheld:
            raise ResultWithheld
        return Repainted(_picture(pixels, request.image.size), record=self._record(request, run, threads))

    def _known_colours(self) -> Colours | None:
        if self._with_preview and self._colours is None:
            self._colours = colours_of(self._pipe)
        return self._colours

    def _check(self, request: WorkingRequest) -> None:
        size, cell = Size(*request.image.size), self.model.cell
        if request.mask.size != size or request.image.mode != "RGB":
            raise InvalidParams(f"The model was handed a {request.image.mode} picture of {size} and another mask.")
        if size.width % cell or size.height % cell:
            raise InvalidParams(f"This model takes sizes in multiples of {cell} pixels, not {size}. Change the size.")
        if self._family.is_flow and request.params.scheduler != MODEL_DEFAULT:
            raise InvalidParams(
                f"{self._family.title} models run with their own scheduler only. Choose {SCHEDULERS[MODEL_DEFAULT]!r}."
            )

    def _record(self, request: WorkingRequest, run: _Run, threads: int) -> Mapping[str, Any]:
        return {
            "call_version": CALL_VERSION,
            "pipeline": type(self._pipe).__name__,
            "in_channels": _denoiser(self._pipe).config.in_channels,
            "dtype": self.model.dtype,
            "attention": _attention(self._pipe),
            "vae_slicing": bool(getattr(self._pipe.vae, "use_slicing", False)),
            "vae_tiling": bool(getattr(self._pipe.vae, "use_tiling", False)),
            "threads": threads,
            "width": request.image.width,
            "height": request.image.height,
            "model_revision": self.model.revision,
            "safety_checker": getattr(self._pipe, SAFETY_CHECKER, None) is not None,
            **run.record(),
            **filling.record(request.params),
            **prompts.record(request.params),
            **_cut_off(self._pipe, request.params),
            **_peak(self._device),
        }


class _Run:
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
            strength=params.strength,
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

    def start(self) -> tuple[np.ndarray, bool]:
        """((H, W, 3) of 0..1, whether the safety checker withheld it). Raises BrokenResult."""
        params, pipe = self._request.params, self._pipe
        pipe.scheduler = self._scheduler
        self._started = self._prepared = self._denoised = time.perf_counter()
        try:
            with self._watched(), calm():
                result = pipe(
                    **self._family.arguments(prompts.arguments(pipe, params), params),
                    image=self._start,
                    mask_image=self._request.mask.to_image(),
                    width=self._request.image.width,
                    height=self._request.image.height,
                    num_inference_steps=params.num_inference_steps,
                    strength=params.strength,
                    generator=self._generator,
                    callback_on_step_end=self._after_model_call,
                    output_type="np",
                )
        finally:
            # What the pipeline does at its own end only.
            pipe.maybe_free_model_hooks()
        self._decoded = time.perf_counter()
        pixels = result.images[0]
        if not np.isfinite(pixels).all():
            raise BrokenResult
        return pixels, bool(getattr(result, "nsfw_content_detected", None) and result.nsfw_content_detected[0])

    def record(self) -> dict[str, Any]:
        return {
            "scheduler": schedulers.configuration(self._scheduler),
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
            self._latents_sha256 = _values_sha256(latents)
            self._denoised = time.perf_counter()
            self._on_step(StepReport(Phase.FINISHING, self.total, self.total, preview))
        return {} if self._soft is None else {"latents": self._soft.after_call(self._scheduler, index, latents)}

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Take what the pipeline works with as it comes up; leave the pipeline as it was."""
        with ExitStack() as watches:
            watches.enter_context(_watch(self._pipe, "get_timesteps", self._after_timesteps))
            watches.enter_context(_watch(self._pipe, "prepare_latents", self._after_latents))
            watches.enter_context(_watch(self._pipe, "prepare_mask_latents", self._look_at_clock))
            # The name that the pipeline's own module draws its noise by; autoencoders have another one.
            module = sys.modules[type(self._pipe).__module__]
            watches.enter_context(_watch(module, "randn_tensor", self._after_noise))
            yield

    def _after_timesteps(self, result: Any, arguments: Mapping[str, Any]) -> Any:
        self._timesteps = [float(timestep) for timestep in result[0]]
        self.total = schedulers.steps_of(len(self._timesteps), self._scheduler.order)
        return result

    def _after_noise(self, noise: Any, arguments: Mapping[str, Any]) -> Any:
        if arguments.get("generator") is not self._generator:
            return noise
        self._noise = variation.turned(noise, self._request.params)
        self._noise_sha256 = _values_sha256(self._noise)
        return self._noise

    def _after_latents(self, result: Any, arguments: Mapping[str, Any]) -> Any:
        # Some pipelines work at another size than they were asked for.
        layout = Layout(self._pipe, arguments["width"], arguments["height"])
        request = self._request
        if self._colours is not None:
            self._preview = Preview(request, self._colours, layout)
        if request.degree is not None:
            calls = len(self._timesteps)
            self._soft = SoftMask(layout, request.image, request.degree, noise=self._noise, calls=calls)
        return result

    def _look_at_clock(self, result: Any, arguments: Mapping[str, Any]) -> Any:
        self._prepared = time.perf_counter()
        return result


def _generator(seed: int) -> Any:
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def _scheduler(request: WorkingRequest, own: Any) -> Any:
    """A new one for each call."""
    return schedulers.as_recorded(schedulers.fresh(request.params.scheduler, own), request.recorded.get("scheduler"))


def _recorded_threads(request: WorkingRequest) -> int | None:
    threads = request.recorded.get("threads")
    return threads if isinstance(threads, int) and 1 <= threads <= MAX_THREADS else None


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


def _pipeline(family: Family, folder: Path, choice: Choice, device: Device, *, safety_checker: bool) -> Any:
    import torch
    from safetensors import SafetensorError

    without: dict[str, Any] = {}
    if not safety_checker and SAFETY_CHECKER in read_index(folder):
        without = {SAFETY_CHECKER: None, "requires_safety_checker": False}
    try:
        with calm():
            import diffusers

            pipe = getattr(diffusers, family.pipeline).from_pretrained(
                str(folder),
                use_safetensors=True,
                local_files_only=True,
                dtype=getattr(torch, device.dtype),
                variant=choice.variant,
                **without,
            )
    except SafetensorError as error:
        raise DamagedModel from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedModel(f"This model cannot be loaded: {_first_line(error)} Get a complete copy of it.") from error
    _check_pipeline(pipe)
    denoiser = _denoiser(pipe)
    denoiser.register_to_config(**{k: v for k, v in family.missing.items() if k not in denoiser.config})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _place(pipe: Any, device: Device, parts: Mapping[str, int], wish: str) -> str:
    """Bring it to its device, as a whole or as it is needed. wish: a placement, or "auto"."""
    if device.key == "cpu":
        return memory.WHOLE
    is_card = device.key.startswith(("cuda", "xpu"))
    placement = wish if wish != "auto" else memory.placement(parts, memory.free_on(device) if is_card else None)
    if placement == memory.BY_PART:
        pipe.enable_model_cpu_offload(device=device.key)
    elif placement == memory.BY_LAYER:
        pipe.enable_sequential_cpu_offload(device=device.key)
    else:
        pipe.to(device.key)
    return placement


def _check_pipeline(pipe: Any) -> None:
    unet = getattr(pipe, "unet", None)
    if unet is not None and unet.config.in_channels not in (4, 9):
        raise NotAnInpaintingModel
    for name, component in pipe.components.items():
        parameters = getattr(component, "parameters", None)
        # Left without values when the file lacks them.
        if parameters is not None and any(parameter.is_meta for parameter in parameters()):
            raise DamagedModel(f"The {name} of this model lacks some of its weights. Get a complete copy of it.")


def _denoiser(pipe: Any) -> Any:
    return getattr(pipe, "unet", None) or pipe.transformer


def _attention(pipe: Any) -> str:
    processors = getattr(_denoiser(pipe), "attn_processors", {})
    return ", ".join(sorted({type(processor).__name__ for processor in processors.values()}))


def _picture(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Of that size, though some pipelines choose their own."""
    picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _cut_off(pipe: Any, params: InpaintParams) -> dict[str, Any]:
    """The end of a prompt that no text encoder takes."""
    tokenizer, longest = _reader(pipe)
    cut = {}
    for name, text in prompts.words(params).items():
        with calm():
            lost = tokenizer(text, add_special_tokens=False).input_ids[longest:]
        if lost:
            cut[f"{name}_cut"] = tokenizer.decode(lost).strip()
            cut[f"{name}_cut_tokens"] = len(lost)
    return cut


def _reader(pipe: Any) -> tuple[Any, int]:
    """The tokenizer that takes the longest prompts, and how many tokens of them."""
    taken = inspect.signature(pipe.__call__).parameters.get("max_sequence_length")
    if taken is None:
        tokenizer, longest = pipe.tokenizer, pipe.tokenizer.model_max_length
    else:
        others = (getattr(pipe, name, None) for name in ("tokenizer_3", "tokenizer_2"))
        tokenizer = next(filter(None, others), pipe.tokenizer)
        longest = min(taken.default, tokenizer.model_max_length)
    return tokenizer, longest - tokenizer.num_special_tokens_to_add()


@contextmanager
def _memory_errors_in_words(device: Device) -> Iterator[None]:
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        _empty_cache(device)
        raise OutOfMemory from error
    except RuntimeError as error:
        if not any(words in str(error).lower() for words in OUT_OF_MEMORY):
            raise
        _empty_cache(device)
        raise OutOfMemory from error


def _empty_cache(device: Device) -> None:
    import gc

    import torch

    gc.collect()
    kind = device.key.partition(":")[0]
    if kind != "cpu":
        getattr(torch, kind).empty_cache()


def _reset_peak(device: Device) -> None:
    import torch

    if device.key.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device.key)


def _peak(device: Device) -> dict[str, float]:
    """The most memory ever used, in MB: of the card in this run, and of this process since its start."""
    peak = {}
    if device.key.startswith("cuda"):
        import torch

        peak["peak_device_mb"] = round(torch.cuda.max_memory_allocated(device.key) / 1e6, 1)
    if sys.platform != "win32":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        peak["peak_process_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
    return peak


def _first_line(error: BaseException) -> str:
    line = str(error).strip().partition("\n")[0][:200]
    return line if line.endswith(".") else f"{line}."
