"""The families of models that repaint: which diffusers pipeline does it, and what it makes of our params.

A family is known by the class that its folder names in model_index.json, before anything is downloaded or loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from core.domain import instructions
from core.domain.environment import IN_OWN_MEMORY, Device
from core.domain.errors import ModelUnavailable, NotAnInpaintingModel
from core.domain.params import BFLOAT16, InpaintParams
from core.domain.reference import MAX_REFERENCES


@dataclass(frozen=True, slots=True)
class Family:
    """pipeline: the class of diffusers that repaints. saved_as: classes whose folders hold what it needs.

    denoiser, autoencoder, text_encoder: names of these components. guidance: the argument that guidance_scale goes to.
    takes_negative_prompt: whether it has any effect. takes_strength: or it always begins with pure noise.
    takes_adapters: whether an IP-Adapter can be put into it. references: pictures that its pipeline takes as references
    by itself. controlled: the same pipeline as `pipeline` beside ControlNets, if there is one.
    takes_additions: whether its modules are those that files of LoRAs and embeddings are matched with.
    is_told_by_chat: its prompts are put into the template of a chat. wording: see ModelSpec.
    own_scheduler_only: it runs with no other than the one it came with. patch: latents a side that its sizes are
    multiples of, as those of one token. max_sequence_length: tokens of a prompt that its pipeline takes if nothing is
    said; None: what the tokenizer says. native_px: where the folder does not say it. half: what it computes in on a
    card; float16 overflows in the large transformers. steps, guidance_scale, strength: what its pipeline takes if
    nothing is said. distilled: what suits one whose folder says is_distilled. options: further arguments of the call.
    without: arguments that its call does not take; without mask_image all of the crop is repainted, and what lies
    outside the mask is put back like around any result. in_channels: those that its U-Net may have. missing: settings
    of the denoiser that its pipeline reads, though its class does not have them. package: one that it needs besides
    requirements.txt. companion: hub id of a second repository that it needs. companion_of: hub id of the model that
    needs this one, which by itself paints nothing.
    """

    title: str
    pipeline: str
    saved_as: tuple[str, ...] = ()
    denoiser: str = "transformer"
    autoencoder: str = "vae"
    text_encoder: str | None = "text_encoder"
    guidance: str = "guidance_scale"
    takes_negative_prompt: bool = True
    takes_strength: bool = True
    takes_additions: bool = False
    takes_adapters: bool = False
    references: int = 0
    controlled: str | None = None
    is_told_by_chat: bool = False
    wording: str | None = None
    own_scheduler_only: bool = True
    patch: int = 2
    max_sequence_length: int | None = 512
    native_px: int = 1024
    half: str = "bfloat16"
    steps: int = 50
    guidance_scale: float = 7.5
    strength: float = 1.0
    distilled: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    in_channels: tuple[int, ...] = (4, 9)
    missing: Mapping[str, Any] = field(default_factory=dict)
    package: str | None = None
    companion: str | None = None
    companion_of: str | None = None

    @property
    def parts(self) -> set[str]:
        """Names of the components without which it is none of this family."""
        return {name for name in (self.denoiser, self.autoencoder, self.text_encoder) if name}

    @property
    def unused(self) -> tuple[str, ...]:
        """Params that have no effect, or must stay as they are by default."""
        unused = () if self.takes_negative_prompt else ("negative_prompt",)
        if not self.takes_strength:
            # An edit model looks at the picture as it was filled, from whatever noise it begins.
            unused = (*unused, "strength", *(() if self.wording else ("fill",)))
        if not self.takes_additions:
            unused = (*unused, "loras", "embeddings", "clip_skip", "vae")
        if self.denoiser != "unet":
            unused = (*unused, "cache_interval")
        if self.controlled is None:
            unused = (*unused, "controlnet")
        if not self.takes_adapters:
            unused = (*unused, "ip_adapter", "ip_adapter_scale")
        return (*unused, "scheduler", "prompt_weights", "long_prompt") if self.own_scheduler_only else unused

    def recommended(self, index: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values of InpaintParams for a model of which only its model_index.json is known."""
        # A strength of all but 1 is written with two digits.
        return {
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance_scale,
            "strength": math.floor(self.strength * 100) / 100,
            **(instructions.SUITED if self.wording else {}),
            **(self.distilled if index.get("is_distilled") is True else {}),
        }

    def seen(self, params: InpaintParams) -> InpaintParams:
        """Without the instruction that it would not understand."""
        return params.changed(instruction="") if params.instruction and not self.wording else params

    def check(self) -> None:
        """Raises NotAnInpaintingModel if it is but a part of one, ModelUnavailable if its package is not there."""
        if self.companion_of:
            raise NotAnInpaintingModel(
                f"This model is a part of {self.companion_of}: it only reads the prompt for that one, and cannot paint "
                "on its own. Choose that one."
            )
        if self.package and find_spec(self.package) is None:
            raise ModelUnavailable(
                f"{self.title} models need the package {self.package}, which is not installed. Install the one that "
                "belongs to your PyTorch, and start again."
            )

    def dtype(self, device: Device) -> str:
        """What it computes in there, if nothing else was asked for."""
        on_card = device.key not in IN_OWN_MEMORY
        return self.half if on_card and self.half == BFLOAT16 else device.dtype

    def arguments(self, prompts: Mapping[str, Any], params: InpaintParams) -> Mapping[str, Any]:
        """Prompts, guidance and strength as this pipeline calls them. prompts: with a negative one."""
        given = {**prompts, self.guidance: params.guidance_scale, **self.options}
        if self.takes_strength:
            given["strength"] = params.strength
        if not self.takes_negative_prompt:
            given.pop("negative_prompt", None)
        elif self.guidance == "true_cfg_scale":
            # Without a negative prompt there would be no guidance at all: a space stands for an empty one.
            negative = given.pop("negative_prompt", None) or " "
            if params.guidance_scale > 1:
                given["negative_prompt"] = negative
        return given


def _unet(title: str, stem: str, *others: str, **more: Any) -> Family:
    kinds = (f"{stem}{kind}Pipeline" for kind in ("", "Img2Img", "PAG", "PAGImg2Img", "PAGInpaint"))
    return Family(
        title,
        f"{stem}InpaintPipeline",
        (*kinds, *others),
        denoiser="unet",
        takes_additions=True,
        takes_adapters=True,
        controlled=f"{stem}ControlNetInpaintPipeline",
        own_scheduler_only=False,
        patch=1,
        max_sequence_length=None,
        half="float16",
        **more,
    )


FAMILIES: tuple[Family, ...] = (
    _unet(
        "Stable Diffusion",
        "StableDiffusion",
        "StableDiffusionInpaintPipelineLegacy",
        "LatentConsistencyModelPipeline",
        "LatentConsistencyModelImg2ImgPipeline",
        native_px=512,
    ),
    _unet("Stable Diffusion XL", "StableDiffusionXL", strength=0.9999),
    Family(
        "InstructPix2Pix",
        "StableDiffusionInstructPix2PixPipeline",
        denoiser="unet",
        takes_strength=False,
        takes_additions=True,
        wording=instructions.PHRASES,
        own_scheduler_only=False,
        patch=1,
        max_sequence_length=None,
        native_px=512,
        half="float16",
        steps=100,
        # How closely it keeps to the picture, beside how closely to the words.
        options={"image_guidance_scale": 1.5},
        without=("mask_image", "width", "height"),
        # The latents of the picture lie beside those that become the result.
        in_channels=(8,),
    ),
    Family(
        "Stable Diffusion 3",
        "StableDiffusion3InpaintPipeline",
        ("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
        max_sequence_length=256,
        guidance_scale=7.0,
        strength=0.6,
    ),
    Family(
        "FLUX.1",
        "FluxInpaintPipeline",
        ("FluxPipeline", "FluxImg2ImgPipeline"),
        takes_negative_prompt=False,
        steps=28,
        guidance_scale=7.0,
        strength=0.6,
    ),
    Family("FLUX.1 Fill", "FluxFillPipeline", takes_negative_prompt=False, guidance_scale=30.0),
    Family(
        "FLUX.1 Kontext",
        "FluxKontextInpaintPipeline",
        ("FluxKontextPipeline",),
        takes_negative_prompt=False,
        wording=instructions.SENTENCES,
        references=1,
        steps=28,
        guidance_scale=3.5,
        # The picture comes at the size that the artist chose.
        options={"_auto_resize": False},
    ),
    Family(
        "FLUX.2 klein",
        "Flux2KleinInpaintPipeline",
        ("Flux2KleinPipeline",),
        takes_negative_prompt=False,
        is_told_by_chat=True,
        wording=instructions.SENTENCES,
        references=MAX_REFERENCES,
        guidance_scale=8.0,
        strength=0.8,
        distilled={"num_inference_steps": 4, "guidance_scale": 1.0},
    ),
    Family(
        "Chroma",
        "ChromaInpaintPipeline",
        ("ChromaPipeline", "ChromaImg2ImgPipeline"),
        max_sequence_length=256,
        steps=28,
        guidance_scale=7.0,
        strength=0.6,
        missing={"guidance_embeds": False},
    ),
    Family(
        "Qwen-Image",
        "QwenImageInpaintPipeline",
        ("QwenImagePipeline", "QwenImageImg2ImgPipeline"),
        guidance="true_cfg_scale",
        guidance_scale=4.0,
        strength=0.6,
    ),
    Family(
        "Qwen-Image-Edit",
        "QwenImageEditInpaintPipeline",
        ("QwenImageEditPipeline",),
        wording=instructions.SENTENCES,
        guidance="true_cfg_scale",
        guidance_scale=4.0,
        strength=0.6,
        # It also reads the picture, by a processor that stands on this.
        package="torchvision",
    ),
    Family(
        "Qwen-Image-Edit Plus",
        "QwenImageEditPlusPipeline",
        wording=instructions.SENTENCES,
        guidance="true_cfg_scale",
        takes_strength=False,
        guidance_scale=4.0,
        package="torchvision",
        without=("mask_image",),
    ),
    Family(
        "Z-Image",
        "ZImageInpaintPipeline",
        ("ZImagePipeline", "ZImageImg2ImgPipeline"),
        guidance_scale=5.0,
        is_told_by_chat=True,
    ),
    Family(
        "Kandinsky 2.2",
        "KandinskyV22InpaintPipeline",
        denoiser="unet",
        autoencoder="movq",
        text_encoder=None,
        takes_strength=False,
        # Its pipeline rounds the sizes of pictures up to 64 pixels.
        patch=8,
        max_sequence_length=None,
        native_px=512,
        half="float16",
        steps=100,
        guidance_scale=4.0,
        companion="kandinsky-community/kandinsky-2-2-prior",
    ),
)

PRIOR = Family(
    "Kandinsky 2.2 prior",
    "KandinskyV22PriorPipeline",
    denoiser="prior",
    autoencoder="image_encoder",
    half="float16",
    companion_of="kandinsky-community/kandinsky-2-2-decoder-inpaint",
)
"""What the decoder of Kandinsky 2.2 is told its words by. Its encoder of pictures sees what no words look like."""


def named(title: str) -> Family:
    return next(family for family in FAMILIES if family.title == title)


def of(index: Mapping[str, Any]) -> Family:
    """The family of a model, or a part of one, by the content of its model_index.json. Raises NotAnInpaintingModel."""
    name = index.get("_class_name")
    for family in (*FAMILIES, PRIOR):
        if name == family.pipeline or name in family.saved_as:
            return family
    titles = ", ".join(family.title for family in FAMILIES)
    raise NotAnInpaintingModel(f"A model of the kind {name!r} cannot repaint. These families can: {titles}.")
