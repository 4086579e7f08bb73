"""ControlNets that are asked for: which, what they are shown, and how strongly and how long they guide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.domain.errors import InvalidControlNet
from core.domain.guide import Guide, P, Role, picture_in
from core.domain.lora import MAX_NAME, is_name, shared_name
from core.domain.model_file import Base, ModelFile

MAX_CONTROLNETS = 4
MAX_SCALE = 2.0
"""As A1111's slider; above it pictures fall apart."""

INPAINT, CANNY, LINEART, SOFT_EDGE, TILE, GIVEN = "inpaint", "canny", "lineart", "softedge", "tile", "none"

HINTS: Mapping[str, str] = {
    INPAINT: "The picture around the mask",
    CANNY: "Edges (Canny)",
    LINEART: "Lines",
    SOFT_EDGE: "Soft edges",
    TILE: "The picture itself",
    GIVEN: "A hint made elsewhere: depth, pose, ...",
}
"""Stable keys, and what a ControlNet is then shown; made by core/engine/control/hints.py."""

TOLD_BY_NAME: Sequence[tuple[str, str]] = (
    ("inpaint", INPAINT),
    ("canny", CANNY),
    ("lineart", LINEART),
    ("softedge", SOFT_EDGE),
    ("hed", SOFT_EDGE),
    ("tile", TILE),
)
"""What files of ControlNets are called by; those for depth, pose and others are shown a hint made elsewhere."""


class Control(BaseModel):
    """name: as a file below one of the folders of ControlNets is called, without its ending; or a path.

    hint: a key of HINTS. The others are named as diffusers' arguments: the scale of what it adds, 0 is nothing, and the
    share of the steps from which on and up to which it guides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    hint: str = GIVEN
    controlnet_conditioning_scale: Annotated[float, Field(ge=0, le=MAX_SCALE)] = 1.0
    control_guidance_start: Annotated[float, Field(ge=0, le=1)] = 0.0
    control_guidance_end: Annotated[float, Field(ge=0, le=1)] = 1.0

    @field_validator("name")
    @classmethod
    def _is_text(cls, value: str) -> str:
        if not is_name(value):
            raise ValueError("the name of a file holds characters that are not text")
        return value.strip()

    @field_validator("hint")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in HINTS:
            raise ValueError(f"the hint must be one of {', '.join(HINTS)}, not {value[:40]!r}")
        return value

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Control:
        if self.control_guidance_start >= self.control_guidance_end:
            raise ValueError("it must start to guide before it ends")
        return self

    def __str__(self) -> str:
        scale = repr(self.controlnet_conditioning_scale).removesuffix(".0")
        part = f", {self.control_guidance_start:g} to {self.control_guidance_end:g}"
        whole = (self.control_guidance_start, self.control_guidance_end) == (0.0, 1.0)
        return f"{self.name}:{scale} ({self.hint}{'' if whole else part})"


def control_values(text: str) -> dict[str, Any]:
    """Fields of a Control of "name:weight" or a name alone; its hint is what its name tells."""
    name, colon, weight = text.strip().rpartition(":")
    try:
        scale = float(weight)
    except ValueError:
        # The colon of a path such as C:\canny.safetensors has no number behind it.
        colon = ""
    if not colon:
        name, scale = text.strip(), 1.0
    return {"name": name.strip(), "hint": hint_of(name), "controlnet_conditioning_scale": scale}


def hint_of(name: str) -> str:
    """The hint that a ControlNet of this name was made for, as far as it tells."""
    folded = name.casefold()
    return next((hint for word, hint in TOLD_BY_NAME if word in folded), GIVEN)


def written(values: Iterable[Mapping[str, Any]]) -> str:
    """Of the fields of Controls, for people: "canny:0.8 (canny, 0 to 0.6), depth:1 (none)"."""
    return ", ".join(str(Control(**one)) for one in values)


def problem_of(about: ModelFile, name: str) -> str | None:
    """Why a file that is a ControlNet cannot be used here, by its header. name: of the file."""
    if about.variant is None and about.quantised is None and about.base in (None, Base.SD1, Base.SD2, Base.SDXL):
        return None
    return (
        f"{name} is a {about.title}, which cannot be used yet. Choose a plain ControlNet for Stable Diffusion 1, 2 or "
        "XL, in float32, float16 or bfloat16."
    )


def takes_picture(hint: str) -> bool:
    """Whether it can be made of another picture than the one that is repainted."""
    return hint != INPAINT


def used_guides(controls: Sequence[Control], guides: Iterable[Guide[P]]) -> tuple[Guide[P], ...]:
    """Without control pictures that none of these would look at."""

    def is_used(guide: Guide[P]) -> bool:
        at = guide.position
        return guide.role is not Role.CONTROL or (at < len(controls) and takes_picture(controls[at].hint))

    return tuple(guide for guide in guides if is_used(guide))


def check_pictures(controls: Sequence[Control], guides: Collection[Guide[Any]]) -> None:
    """Raises InvalidControlNet for one that needs a picture and has none."""
    for at, control in enumerate(controls):
        if control.hint == GIVEN and picture_in(guides, Role.CONTROL, at) is None:
            raise InvalidControlNet(
                f"ControlNet: {shared_name(control.name)} needs a control picture. Choose one, or another hint, which "
                "is made from your picture."
            )
