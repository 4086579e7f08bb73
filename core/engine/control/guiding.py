"""Runs that ControlNets guide: which are in memory, the pipeline that calls them, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.domain.control import Control
from core.domain.environment import Device
from core.domain.guide import Role, picture_in
from core.domain.hashing import sha256_of
from core.domain.model_file import NamedFile
from core.domain.request import WorkingRequest
from core.engine import memory, pipelines
from core.engine.control import hints, nets
from core.engine.families import Family
from core.engine.models.hashed_files import HashedFile, hashed_files
from core.engine.quiet import quiet_libraries
from core.ports import FileLibrary

RECORDED = "controlnet"
"""The field of an inpainter's record."""


@dataclass(frozen=True, slots=True)
class Guiding(HashedFile):
    """A ControlNet as it is to guide. hint: (H, W, 3), as hints.hint makes it."""

    control: Control
    hint: np.ndarray

    @property
    def details(self) -> Mapping[str, Any]:
        return {
            **self.control.model_dump(exclude={"name"}),
            **hints.record(self.control.hint),
            "hint_sha256": sha256_of(np.ascontiguousarray(self.hint).tobytes()),
        }


def of(request: WorkingRequest, library: FileLibrary) -> list[Guiding]:
    """Of the ControlNets of this request, with hints made of what it shows them. Raises InvalidControlNet."""
    controls = request.params.controlnet
    files = hashed_files([control.name for control in controls], library, request.recorded.get(RECORDED))
    guides = []
    for at, (control, found) in enumerate(zip(controls, files, strict=True)):
        shown = picture_in(request.guides, Role.CONTROL, at) or request.image
        hint = hints.hint(shown, request.mask, control.hint)
        guides.append(Guiding(found.file, found.sha256, control, hint))
    return guides


class Guided:
    """The ControlNets that are in memory at this moment, beside a pipeline, which they leave as it is."""

    def __init__(self, pipe: Any, family: Family, device: Device) -> None:
        self._pipe = pipe
        self._family = family
        self._device = device
        self._nets: dict[str, Any] = {}

    def pipe(self, guides: Sequence[Guiding]) -> Any:
        """The pipeline to call, of the plain one's very components; where nothing guides, the plain one itself.

        No other nets than these are in memory afterwards. Raises InvalidControlNet or OutOfMemory.
        """
        wanted = {guide.sha256: guide.file for guide in guides}
        if self._nets.keys() != wanted.keys():
            self._change_to(wanted)
        if not guides:
            return self._pipe
        import diffusers

        kind = getattr(diffusers, str(self._family.controlled))
        switches = kind._get_signature_keys(kind)[1]
        chosen = [self._nets[guide.sha256] for guide in guides]
        with quiet_libraries():
            pipe = kind(
                **self._pipe.components,
                controlnet=chosen if len(chosen) > 1 else chosen[0],
                **{name: value for name, value in self._pipe.config.items() if name in switches},
            )
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _change_to(self, wanted: Mapping[str, NamedFile]) -> None:
        """wanted: files by their hashes."""
        self._nets = {sha256: net for sha256, net in self._nets.items() if sha256 in wanted}
        memory.empty_cache(self._device)
        unet = pipelines.denoiser_of(self._pipe)
        dtype = str(unet.dtype).removeprefix("torch.")
        new = [file for sha256, file in wanted.items() if sha256 not in self._nets]
        memory.check_room(new, dtype, self._device, "These ControlNets")
        for sha256, file in wanted.items():
            if sha256 not in self._nets:
                self._nets[sha256] = nets.load(file, unet, unet.dtype).to(self._device.key)


def arguments(guides: Sequence[Guiding]) -> Mapping[str, Any]:
    """Of a call of the pipeline; none where nothing guides."""
    if not guides:
        return {}
    import torch

    # As tensors: a picture cannot say what a hint for inpainting leaves out.
    each: dict[str, list[Any]] = {"control_image": [torch.from_numpy(g.hint).permute(2, 0, 1)[None] for g in guides]}
    for name in ("controlnet_conditioning_scale", "control_guidance_start", "control_guidance_end"):
        each[name] = [getattr(guide.control, name) for guide in guides]
    return each if len(guides) > 1 else {name: values[0] for name, values in each.items()}
