"""Reference pictures: what a model is to look at, by an IP-Adapter or by itself, without copying its shapes."""

from __future__ import annotations

from collections.abc import Iterable

from core.domain.guide import Guide, P, Role
from core.domain.model_file import Base, ModelFile

MAX_REFERENCES = 4
"""For one picture. Each is more to attend to in every step."""

FACE_ID, PLUS, FULL = "FaceID", "Plus", "Full Face"
"""Variants of IP-Adapters, beside the plain one."""


def references_in(guides: Iterable[Guide[P]]) -> tuple[Guide[P], ...]:
    return tuple(guide for guide in guides if guide.role is Role.REFERENCE)


def without_references(guides: Iterable[Guide[P]]) -> tuple[Guide[P], ...]:
    return tuple(guide for guide in guides if guide.role is not Role.REFERENCE)


def problem_of(about: ModelFile, name: str) -> str | None:
    """Why a file that is an IP-Adapter cannot be used here, by its header. name: of the file."""
    if about.variant == FACE_ID:
        return (
            f"{name} is a FaceID adapter, which is told a face by a recogniser whose licence forbids most uses. Choose "
            "a plain IP-Adapter, or one named Plus."
        )
    if about.quantised is None and about.base in (None, Base.POCKET, Base.SD1, Base.SDXL):
        return None
    return f"{name} is an {about.title}, which cannot be used. Choose one for Stable Diffusion 1 or XL."


def suits(encoder: ModelFile, adapter: ModelFile) -> bool:
    """Whether an image encoder gives what an adapter reads, as far as headers tell."""
    if adapter.image_states is not None:
        return encoder.image_states == adapter.image_states
    return encoder.image_embeds is not None and encoder.image_embeds == adapter.image_embeds


def encoder_missing(adapter: ModelFile, name: str) -> str:
    """What to do where no image encoder on this machine suits an adapter. name: of its file."""
    width = adapter.image_states or adapter.image_embeds
    usual = {(None, 1024): "ViT-H", (1280, None): "ViT-H", (None, 1280): "ViT-bigG", (1664, None): "ViT-bigG"}
    known = usual.get((adapter.image_states, adapter.image_embeds))
    which = f" (CLIP {known})" if known else ""
    return (
        f"{name} reads pictures by an image encoder{which}, and none that gives vectors {width} wide is on this "
        "machine. Put one into the folder models/clip_vision in the data folder, as a safetensors file."
    )
