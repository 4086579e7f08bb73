"""IP-Adapters: attention of a UNet to what an image encoder saw, beside its attention to the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.domain.errors import InvalidReference
from core.domain.model_file import NamedFile
from core.domain.reference import problem_of
from core.engine.quiet import quiet_libraries

PARTS = ("image_proj", "ip_adapter")
TO_PROMPT = "attn2.processor"
"""What the names of the processors end with that attend to the prompt."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """processors: by the names of those whose place they take. projection: from what an encoder gives to tokens."""

    processors: Mapping[str, Any]
    projection: Any

    @contextmanager
    def on(self, unet: Any, scale: float) -> Iterator[None]:
        """Meanwhile the UNet looks at pictures; afterwards it has its very own processors again."""
        own, kind = dict(unet.attn_processors), unet.config.encoder_hid_dim_type
        for processor in self.processors.values():
            processor.scale = [scale]
        try:
            # Before the projection: one of several layers has processors of its own.
            unet.set_attn_processor({**own, **self.processors})
            unet.encoder_hid_proj = self.projection
            unet.config.encoder_hid_dim_type = "ip_image_proj"
            yield
        finally:
            unet.encoder_hid_proj = None
            unet.config.encoder_hid_dim_type = kind
            unet.set_attn_processor(own)


def load(file: NamedFile, unet: Any) -> Adapter:
    """For this UNet, on its device and in its dtype; the UNet is left as it is.

    Raises InvalidReference, in words, for one that was made for another architecture, or lacks something.
    """
    from diffusers.models.embeddings import MultiIPAdapterImageProjection
    from safetensors.torch import load_file

    name = file.path.name
    if problem := problem_of(file.about, name):
        raise InvalidReference(f"IP-Adapter: {problem}")
    try:
        tensors = load_file(file.path)
    except Exception as error:  # whatever a damaged file makes of the library
        raise InvalidReference(f"IP-Adapter: {name} cannot be read. Download or copy it again.") from error
    state: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for key, tensor in tensors.items():
        part, _, rest = key.partition(".")
        if part in state:
            state[part][rest] = tensor
    _check(name, state["ip_adapter"], unet)
    try:
        with quiet_libraries():
            # Those of IPAdapterMixin.load_ip_adapter, which also converts the whole UNet.
            all_of_them = unet._convert_ip_adapter_attn_to_diffusers([state])
            projection = unet._convert_ip_adapter_image_proj_to_diffusers(state["image_proj"])
    except (KeyError, IndexError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise InvalidReference(_for_another_model(name)) from error
    found = {key: one.to(unet.device, unet.dtype) for key, one in all_of_them.items() if key.endswith(TO_PROMPT)}
    if any(value.is_meta for module in (projection, *found.values()) for value in module.parameters()):
        raise InvalidReference(f"IP-Adapter: {name} lacks some of its weights. Download or copy it again.")
    return Adapter(found, MultiIPAdapterImageProjection([projection]).to(unet.device, unet.dtype))


def _check(name: str, found: Mapping[str, Any], unet: Any) -> None:
    """Raises InvalidReference unless there is a pair of weights for each attention to the prompt, of its width."""
    places = [key for key in unet.attn_processors if key.endswith(TO_PROMPT)]
    wanted = {f"{2 * nth + 1}.to_{kind}_ip.weight" for nth in range(len(places)) for kind in "kv"}
    width = unet.config.cross_attention_dim
    if found.keys() != wanted or any(tensor.shape[-1] != width for tensor in found.values()):
        raise InvalidReference(_for_another_model(name))
    for nth, place in enumerate(places):
        attention = unet.get_submodule(place.removesuffix(".processor"))
        if len(found[f"{2 * nth + 1}.to_k_ip.weight"]) != attention.inner_dim:
            raise InvalidReference(_for_another_model(name))


def _for_another_model(name: str) -> str:
    return f"IP-Adapter: {name} was made for another model. Choose one that was made for this model."
