"""The reference pictures of a run: which files read them, and what the pipeline is told of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from core.domain.environment import Device
from core.domain.errors import InvalidReference
from core.domain.hashing import sha256_of
from core.domain.params import InpaintParams
from core.domain.reference import encoder_missing, references_in, suits
from core.domain.request import WorkingRequest
from core.engine import memory, pipelines
from core.engine.families import Family
from core.engine.models.hashed_files import HashedFile, hashed_files
from core.engine.models.named_files import title_of
from core.engine.reference import adapter, encoder
from core.engine.reference.adapter import Adapter
from core.ports import FileLibrary

RECORDED, ENCODERS = "ip_adapter", "image_encoder"
"""Fields of an inpainter's record."""

MOST_KEPT = 8
"""What encoders gave for so many sets of pictures is kept: at most 3 MB each."""

OWN_PIXELS = 1024 * 1024
"""Of a picture that an edit model takes by itself; as klein's pipeline would make it smaller."""


@dataclass(frozen=True, slots=True)
class Chosen(HashedFile):
    """An adapter as it is to look. embeds_sha256: of what it is told; None of one that does nothing."""

    scale: float
    embeds_sha256: str | None

    @property
    def details(self) -> Mapping[str, Any]:
        told = {} if self.embeds_sha256 is None else {"image_embeds_sha256": self.embeds_sha256}
        return {"ip_adapter_scale": self.scale, **told}


@dataclass(frozen=True, slots=True)
class Encoder(HashedFile):
    @property
    def details(self) -> Mapping[str, Any]:
        """In a folder of transformers each is called alike."""
        path = self.file.path
        return {"name": path.parent.name} if path.stem == "model" else {"name": title_of(path)}


class Looking:
    """Adapters beside a pipeline, which they leave as it is. The last one, and what encoders gave, are kept."""

    def __init__(self, pipe: Any, device: Device, adapters: FileLibrary, encoders: FileLibrary) -> None:
        self._pipe = pipe
        self._device = device
        self._adapters = adapters
        self._encoders = encoders
        self._kept: tuple[str, Adapter] | None = None
        self._embeds: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    @contextmanager
    def at(self, request: WorkingRequest) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Sequence[HashedFile]]]]:
        """Meanwhile the model looks at the reference pictures. Gives arguments of the call, and files by their field.

        Raises InvalidReference or OutOfMemory.
        """
        params, recorded = request.params, request.recorded
        files = hashed_files([params.ip_adapter], self._adapters, recorded.get(RECORDED)) if params.ip_adapter else []
        pictures = [guide.picture for guide in references_in(request.guides)]
        if not files:
            self._kept = None
            yield {}, {}
            return
        [found] = files
        if not pictures:
            raise InvalidReference(f"IP-Adapter: {found.file.path.name} has no reference picture to look at. Add one.")
        if not params.ip_adapter_scale:
            # It adds nothing: the picture is the same to the bit without it.
            yield {}, {RECORDED: [Chosen(found.file, found.sha256, 0.0, None)]}
            return
        reader = self._encoder(found, recorded)
        embeds = self._seen(reader, pictures, states=found.file.about.image_states is not None)
        used = Chosen(found.file, found.sha256, params.ip_adapter_scale, _sha256(embeds))
        unet = pipelines.denoiser_of(self._pipe)
        with self._adapter(found, unet).on(unet, params.ip_adapter_scale):
            yield _arguments(embeds, unet, params), {RECORDED: [used], ENCODERS: [reader]}

    def _encoder(self, chosen: HashedFile, recorded: Mapping[str, Any]) -> Encoder:
        """The one of an earlier run, else the first one on this machine that suits."""
        about = chosen.file.about
        first = next((file for file in self._encoders.listed() if suits(file.about, about)), None)
        if first is None:
            raise InvalidReference(f"IP-Adapter: {encoder_missing(about, chosen.file.path.name)}")
        [found] = hashed_files([str(first.path.absolute())], self._encoders, recorded.get(ENCODERS))
        return Encoder(found.file, found.sha256)

    def _seen(self, reader: Encoder, pictures: Sequence[Image.Image], *, states: bool) -> Any:
        dtype = pipelines.denoiser_of(self._pipe).dtype
        key = (reader.sha256, states, str(dtype), *(_pixels_sha256(picture) for picture in pictures))
        if key not in self._embeds:
            memory.check_room([reader.file], str(dtype).removeprefix("torch."), self._device, "This image encoder")
            loaded = encoder.load(reader.file, dtype).to(self._device.key)
            self._embeds[key] = encoder.embeds(loaded, pictures, states=states).cpu()
            del loaded
            memory.empty_cache(self._device)
        self._embeds.move_to_end(key)
        while len(self._embeds) > MOST_KEPT:
            self._embeds.popitem(last=False)
        return self._embeds[key]

    def _adapter(self, chosen: HashedFile, unet: Any) -> Adapter:
        if self._kept is None or self._kept[0] != chosen.sha256:
            self._kept = None
            dtype = str(unet.dtype).removeprefix("torch.")
            memory.check_room([chosen.file], dtype, self._device, "This IP-Adapter")
            self._kept = (chosen.sha256, adapter.load(chosen.file, unet))
        return self._kept[1]


def _arguments(embeds: Any, unet: Any, params: InpaintParams) -> Mapping[str, Any]:
    """As the pipelines take what was encoded before: without guidance without what stands for no picture."""
    is_guided = params.guidance_scale > 1 and unet.config.time_cond_proj_dim is None
    return {"ip_adapter_image_embeds": [(embeds if is_guided else embeds[1:]).to(unet.device)]}


def by_itself(family: Family, request: WorkingRequest) -> Mapping[str, Any]:
    """Arguments of a model that takes reference pictures without an adapter; none where there are none.

    Raises InvalidReference for more than its pipeline takes.
    """
    pictures = [_fitted(guide.picture) for guide in references_in(request.guides)]
    if not pictures or family.takes_adapters:
        return {}
    if len(pictures) > family.references:
        most = family.references or "no"
        raise InvalidReference(
            f"{family.title} models take {most} reference picture{'' if most == 1 else 's'}, not {len(pictures)}. Take "
            "the others away, or choose another model."
        )
    return {"image_reference": pictures if family.references > 1 else pictures[0]}


def _fitted(picture: Image.Image) -> Image.Image:
    """At most OWN_PIXELS: a pipeline takes the size of a reference as it is, at a cost that grows with its square."""
    share = (OWN_PIXELS / (picture.width * picture.height)) ** 0.5
    if share >= 1:
        return picture
    sides = (max(1, int(picture.width * share)), max(1, int(picture.height * share)))
    return picture.resize(sides, Image.Resampling.LANCZOS)


def _pixels_sha256(picture: Image.Image) -> str:
    return sha256_of(np.asarray(picture).tobytes() + repr(picture.size).encode())


def _sha256(tensor: Any) -> str:
    return sha256_of(np.ascontiguousarray(tensor.float().numpy()).tobytes())
