"""The Inpainter over a diffusers pipeline: loads it from a folder, and runs it for one picture at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.domain.environment import OPENVINO, Device
from core.domain.errors import (
    InvalidControlNet,
    InvalidEmbedding,
    InvalidLora,
    InvalidParams,
    InvalidReference,
    InvalidVae,
    ResultWithheld,
)
from core.domain.generation import Phase
from core.domain.model import LoadedModel, ModelSpec
from core.domain.model_file import FileKind
from core.domain.params import AUTO_DTYPE, FLOAT32, MODEL_DEFAULT, PARAMETERS, SCHEDULERS, computed_in
from core.domain.request import WorkingRequest
from core.engine import card, embeddings, families, memory, openvino, pipelines, vae
from core.engine import device as devices
from core.engine import plan as plans
from core.engine.control import guiding
from core.engine.control.guiding import Guided
from core.engine.embeddings import Reading
from core.engine.families import Family
from core.engine.lora import chosen
from core.engine.lora.added import Added, Addition
from core.engine.models import fingerprint
from core.engine.models.catalogue import Catalogue, native_size
from core.engine.models.hashed_files import HashedFile, hashed_files
from core.engine.models.integrity import read_index
from core.engine.models.named_files import NamedFiles
from core.engine.models.weights import SAFETY_CHECKER
from core.engine.one_caller import OneCaller
from core.engine.pipelines import Source
from core.engine.plan import UNET, Plan
from core.engine.quiet import quiet_libraries
from core.engine.reference import chosen as references
from core.engine.reference.chosen import Looking
from core.engine.run import filling, kept_features, prompts, room
from core.engine.run.kernels import Running
from core.engine.run.pipeline_run import Run
from core.engine.run.preview import Colours, colours_of
from core.engine.storage.text_encoders import TextEncoders
from core.engine.storage.unloaded import ReadAgain, Unloaded
from core.engine.vae import Swapped
from core.ports import FileLibrary, OnStep, Repainted, StepReport
from core.settings import Settings

CALL_VERSION = 2
"""Raised when a change here makes other pixels of the same request."""


def load(
    model: str,
    device: str,
    catalogue: Catalogue,
    settings: Settings,
    *,
    dtype: str = AUTO_DTYPE,
    smaller: bool = False,
) -> DiffusersInpainter:
    """Load a model that is on this machine; nothing is ever downloaded here.

    model: key of the table, file, folder or hub id. device: "auto", or the key of a device.
    dtype: a key of DTYPES. smaller: see plan.plan.
    Raises ModelNotDownloaded, UnsafeWeights, NotAnInpaintingModel, DamagedModel, DeviceUnavailable, InvalidParams or
    OutOfMemory.
    """
    started = time.perf_counter()
    spec, folder = catalogue.find(model), catalogue.locate(model)
    where = devices.resolve(device)
    devices.prefer_exact(where)
    threads = devices.set_threads(settings.threads)
    family = families.of(read_index(folder))
    family.check()
    where = replace(where, dtype=family.dtype(where))
    by_openvino = where.key == OPENVINO
    if by_openvino:
        openvino.check(family)
    wanted = FLOAT32 if by_openvino else where.dtype if dtype == AUTO_DTYPE else computed_in(dtype)
    sources = pipelines.sources(spec, folder, catalogue, wanted)
    files = {name: file for source in sources for name, file in source.files.items()}
    native_px = spec.native_px if spec.file else native_size(folder)
    plan = _plan(sources, where, family, native_px, dtype, smaller=smaller)
    where = replace(where, dtype=plan.computed_in)
    parts = {name: size for source in sources for name, size in source.parts(where.dtype).items()}
    with memory.translate_errors(where):
        pipe = pipelines.load(
            sources,
            replace(where, dtype=FLOAT32) if by_openvino else where,
            safety_checker=settings.safety_checker,
            as_int8=plan.as_int8,
            prepared=settings.prepared,
        )
        if by_openvino:
            openvino.take_over(pipe, plan.computed_in)
        placement = pipelines.place(pipe, where, parts, settings.offload, native_px=native_px)
    kernels = partial(card.kernels, devices.card(where), where.dtype, placement, of_unet=UNET in parts)
    hashes = fingerprint.of_files(files)
    loaded = LoadedModel(
        key=model,
        repository=spec.repository,
        revision=_revision(spec, folder, hashes),
        device=where.key,
        dtype=plan.dtype,
        cell=pipe.vae_scale_factor * family.patch,
        native_px=native_px,
        load_s=round(time.perf_counter() - started, 3),
        details={
            "pipeline": family.pipeline,
            "in_channels": pipelines.denoiser_of(pipe).config.in_channels,
            **sources[0].details,
            "placement": placement,
            "memory_plan": plan.reason,
            "weights": {name: sha for name, sha in hashes.items() if name.endswith(".safetensors")},
            "safety_checker": getattr(pipe, SAFETY_CHECKER, None) is not None,
            "scheduler": type(pipe.scheduler).__name__,
            "attention": pipelines.attention_of(pipe),
        },
    )
    library = partial(NamedFiles.watched, settings)
    return DiffusersInpainter(
        pipe,
        family,
        loaded,
        where,
        threads=threads,
        preview=settings.preview,
        library=library,
        lacks_vae=spec.lacks_vae,
        running=Running(
            pipelines.denoiser_of(pipe), kernels(compiles=settings.compile), can_compile=kernels(compiles=True).compiled
        ),
        read_again=partial(pipelines.read_again, sources[0], where.dtype) if plan.as_int8 else None,
    )


def _plan(
    sources: Sequence[Source], where: Device, family: Family, native_px: int, wish: str, *, smaller: bool
) -> Plan:
    parts = {name: size for source in sources for name, size in source.parts("float32").items()}
    if where.key == OPENVINO:
        parts = {**parts, UNET: parts[UNET] * openvino.COPIES[FLOAT32 if wish == AUTO_DTYPE else computed_in(wish)]}
    free = memory.free_on(where)
    return plans.plan(parts, where, half=family.half, free=free, native_px=native_px, wish=wish, smaller=smaller)


def _revision(spec: ModelSpec, folder: Path, hashes: Mapping[str, str]) -> str:
    """The hub's commit; the hash of the file, as the sites where such files come from show it; or of all files."""
    if spec.repository:
        return folder.name
    return hashes[Path(spec.file).name] if spec.file and spec.predicts else fingerprint.of_all(hashes)


class DiffusersInpainter:
    """A ports.Inpainter. Made by load(). library: of the files of a kind on this machine; default: there are none.

    running: its denoiser in the kernels that suit its device; default: in those that torch takes.
    read_again: of components that come without their weights, see Unloaded.
    """

    def __init__(
        self,
        pipe: Any,
        family: Family,
        model: LoadedModel,
        device: Device,
        *,
        threads: int,
        preview: bool = True,
        library: Callable[[FileKind], FileLibrary] = NamedFiles,
        lacks_vae: bool = False,
        running: Running | None = None,
        read_again: ReadAgain | None = None,
    ) -> None:
        self.model = model
        self.environment = devices.environment(device)
        self._pipe = pipe
        self._family = family
        self._own_scheduler = pipe.scheduler
        self._running: Any = running or Running(pipelines.denoiser_of(pipe))
        self._device = device
        self._threads = threads
        self._with_preview = preview
        self._colours: Colours | None = None
        self._loras = library(FileKind.LORA)
        self._embeddings = library(FileKind.EMBEDDING)
        self._vaes = library(FileKind.VAE)
        self._swapped: Any = Swapped(pipe, is_missing=lacks_vae, read_again=read_again)
        self._controlnets = library(FileKind.CONTROLNET)
        self._added: Any = Added(pipe, family.title)
        self._reading: Any = Reading()
        self._guided: Any = Guided(pipe, family, device)
        self._looking: Any = Looking(pipe, device, library(FileKind.IP_ADAPTER), library(FileKind.IMAGE_ENCODER))
        names = ("text_encoder", "text_encoder_2")
        encoders = {name: one for name in names if (one := getattr(pipe, name, None)) is not None}
        self._text: Any = TextEncoders(encoders, read_again)
        self._checker: Any = Unloaded({SAFETY_CHECKER: getattr(pipe, SAFETY_CHECKER, None)}, read_again)
        self._one_caller = OneCaller(self._release)

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        with self._one_caller, memory.translate_errors(self._device):
            return self._inpaint(request, on_step)

    def close(self) -> None:
        self._one_caller.close()

    def _release(self) -> None:
        self._pipe = self._own_scheduler = self._colours = None
        self._text = self._checker = self._swapped = self._added = self._reading = self._guided = self._looking = None
        self._running = None
        memory.empty_cache(self._device)

    def _inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        request = replace(request, params=self._family.seen(request.params))
        self._check(request)
        # Other code in this process may have changed it, and it decides the last bits.
        threads = devices.set_threads(devices.recorded_threads(request.recorded) or self._threads)
        vaes = self._swap_vae(request)
        tiled = room.takes_tiles(self._pipe, self._family, request, self._device)
        with_own_words = not (request.params.all_loras or request.params.embeddings)
        if not with_own_words:
            # What is added to them would not be in what is kept, or read again.
            self._text.bring_back()
        run = Run(self._pipe, self._family, self._own_scheduler, request, on_step, colours=self._known_colours())
        on_step(StepReport(Phase.PREPARING, 0, run.total))
        memory.reset_peak(self._device)
        additions = self._add_loras(request)
        named = embeddings.embeddings(request.params, self._embeddings, request.recorded, self._pipe)
        guides = guiding.of(request, self._controlnets)
        # One that adds nothing is not even loaded: the picture is the same to the bit without it.
        working = [guide for guide in guides if guide.control.controlnet_conditioning_scale]
        pipe = self._guided.pipe(working)
        own = references.by_itself(self._family, request)
        with (
            self._looking.at(request) as (shown, adapters),
            self._reading.of(pipe, named, request.params) as (params, signs),
            self._text.reading(pipe) if with_own_words else nullcontext(),
            self._checker.only_in(pipe, "run_safety_checker"),
            self._running.at(request.recorded) as kernels,
            kept_features.kept(pipelines.denoiser_of(self._pipe), request.params),
            room.in_tiles(self._pipe.vae) if tiled else nullcontext(),
        ):
            pixels, withheld = run.start(pipe, params, {**guiding.arguments(working), **own, **shown})
            if withheld:
                raise ResultWithheld
            read = prompts.record(pipe, self._family, params, signs)
        files: Mapping[str, Sequence[HashedFile]] = {
            vae.RECORDED: vaes,
            chosen.RECORDED: additions,
            embeddings.RECORDED: named,
            guiding.RECORDED: guides,
            **adapters,
        }
        record = {
            **self._record(request, run, threads),
            **room.record(tiled),
            **kernels.record,
            **read,
            **_recorded(files),
        }
        return Repainted(_to_image(pixels, request.image.size), {**record, **memory.peak(self._device)})

    def _add_loras(self, request: WorkingRequest) -> Sequence[Addition]:
        """Exactly those of this request are in the model afterwards; of the next one nothing is to be done if it has
        the same."""
        additions = chosen.additions(request.params.all_loras, self._loras, request.recorded)
        self._added.change_to(additions)
        return additions

    def _swap_vae(self, request: WorkingRequest) -> Sequence[HashedFile]:
        """The one of this request, if it names one, is in the model afterwards."""
        names = [request.params.vae] if request.params.vae else []
        wanted = hashed_files(names, self._vaes, request.recorded.get(vae.RECORDED))
        if self._swapped.change_to(wanted[0] if wanted else None):
            self._colours = None
        return wanted

    def _known_colours(self) -> Colours | None:
        if self._with_preview and self._colours is None:
            with quiet_libraries():
                self._colours = colours_of(self._pipe)
        return self._colours

    def _check(self, request: WorkingRequest) -> None:
        request.check_cells(self.model.cell)
        if self._device.key == OPENVINO:
            self._device.check(request.params)
        if self._family.own_scheduler_only and request.params.scheduler != MODEL_DEFAULT:
            raise InvalidParams(
                f"{self._family.title} models run with their own scheduler only. Choose {SCHEDULERS[MODEL_DEFAULT]!r}."
            )
        if self._family.denoiser != "unet" and request.params.cache_interval > 1:
            raise InvalidParams(
                f"{self._family.title} models have no U-Net whose features could be kept. Set "
                f"{PARAMETERS['cache_interval'].title} to 1."
            )
        if not self._family.takes_additions and request.params.embeddings:
            raise InvalidEmbedding(
                f"{self._family.title} models read no embeddings. Take their names out of the prompts, or choose a "
                "Stable Diffusion model."
            )
        if not self._family.takes_additions and request.params.all_loras:
            raise InvalidLora(
                f"{self._family.title} models take no LoRA yet. Leave it out, also of the prompt, or choose a Stable "
                "Diffusion model."
            )
        if not self._family.takes_additions and request.params.vae:
            raise InvalidVae(f"{self._family.title} models take no other VAE. Use the model's own.")
        if self._family.controlled is None and request.params.controlnet:
            raise InvalidControlNet(
                f"{self._family.title} models take no ControlNet yet. Leave it out, or choose a Stable Diffusion model."
            )
        if not self._family.takes_adapters and request.params.ip_adapter:
            raise InvalidReference(f"{self._family.title} models take no IP-Adapter. Leave it out.")

    def _record(self, request: WorkingRequest, run: Run, threads: int) -> Mapping[str, Any]:
        return {
            "call_version": CALL_VERSION,
            "pipeline": self._family.pipeline,
            "in_channels": pipelines.denoiser_of(self._pipe).config.in_channels,
            "dtype": self.model.dtype,
            "attention": pipelines.attention_of(self._pipe),
            "vae_slicing": bool(getattr(self._pipe.vae, "use_slicing", False)),
            "threads": threads,
            "width": request.image.width,
            "height": request.image.height,
            "model_revision": self.model.revision,
            "safety_checker": getattr(self._pipe, SAFETY_CHECKER, None) is not None,
            **kept_features.record(pipelines.denoiser_of(self._pipe), request.params),
            **run.record(),
            **filling.record(request.params),
        }


def _recorded(files: Mapping[str, Sequence[HashedFile]]) -> Mapping[str, Any]:
    """By kind, without those of which there are none."""
    return {kind: [one.record for one in of_kind] for kind, of_kind in files.items() if of_kind}


def _to_image(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Of that size, though some pipelines choose their own."""
    picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
