"""What one file of weights is, as its header tells it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ENDING = ".safetensors"


class FileKind(StrEnum):
    """The values are words for people."""

    CHECKPOINT = "checkpoint"
    DIFFUSION_MODEL = "diffusion model without VAE and text encoder"
    REFINER = "refiner"
    LORA = "LoRA"
    EMBEDDING = "textual inversion embedding"
    VAE = "VAE"
    TINY_VAE = "tiny autoencoder"
    CONTROLNET = "ControlNet"
    T2I_ADAPTER = "T2I-Adapter"
    IP_ADAPTER = "IP-Adapter"
    TEXT_ENCODER = "text encoder"
    IMAGE_ENCODER = "image encoder"
    UPSCALER = "upscaler"
    REMOVER = "remover"
    CONTENT_FILL = "content fill"
    VIDEO = "video model"
    GGUF = "GGUF file"
    ONNX = "ONNX file of an unknown kind"
    UNKNOWN = "file of an unknown kind"


class Base(StrEnum):
    """The architecture that a model has, or that an addition such as a LoRA was made for."""

    POCKET = "Pocket"
    SD1 = "Stable Diffusion 1"
    SD2 = "Stable Diffusion 2"
    SDXL = "Stable Diffusion XL"
    SD3 = "Stable Diffusion 3"
    CASCADE = "Stable Cascade"
    FLUX1 = "FLUX.1"
    FLUX2 = "FLUX.2"
    CHROMA = "Chroma"
    QWEN = "Qwen-Image"
    Z_IMAGE = "Z-Image"
    LUMINA2 = "Lumina 2"
    KOLORS = "Kolors"
    PIXART = "PixArt"
    AURAFLOW = "AuraFlow"
    HIDREAM = "HiDream"
    SANA = "Sana"
    WAN = "Wan"
    LTX = "LTX-Video"
    HUNYUAN_VIDEO = "HunyuanVideo"
    COGVIDEO = "CogVideoX"
    MOCHI = "Mochi"
    COSMOS = "Cosmos"
    SVD = "Stable Video Diffusion"
    ANIMATEDIFF = "AnimateDiff"


AS_A_PART = "Choose a checkpoint; this file is a part that some checkpoints come without"

WHAT_TO_DO = {
    FileKind.DIFFUSION_MODEL: "Choose a checkpoint that also contains its VAE and text encoder",
    FileKind.REFINER: "It only refines pictures of the base model. Choose a base or inpainting checkpoint",
    FileKind.LORA: "It changes a checkpoint and cannot paint alone. Choose the checkpoint that it was made for",
    FileKind.EMBEDDING: "It adds a word to the prompt and cannot paint alone. Choose a checkpoint",
    FileKind.VAE: AS_A_PART,
    FileKind.TINY_VAE: AS_A_PART,
    FileKind.CONTROLNET: "It guides a checkpoint and cannot paint alone. Choose a checkpoint",
    FileKind.T2I_ADAPTER: "It guides a checkpoint and cannot paint alone. Choose a checkpoint",
    FileKind.IP_ADAPTER: "It guides a checkpoint by a picture and cannot paint alone. Choose a checkpoint",
    FileKind.TEXT_ENCODER: AS_A_PART,
    FileKind.IMAGE_ENCODER: "IP-Adapters need it; it cannot paint. Choose a checkpoint",
    FileKind.UPSCALER: "It enlarges pictures and cannot repaint. Choose a checkpoint",
    FileKind.VIDEO: "It makes videos and cannot repaint pictures. Choose a checkpoint for pictures",
    FileKind.GGUF: "This format cannot be loaded. Choose the same model as safetensors",
    FileKind.ONNX: (
        "It is no remover, which takes a picture and a mask of it and returns the picture, and no upscaler, which "
        "returns it larger. Choose another file"
    ),
    FileKind.UNKNOWN: "Its tensors have names of no known model. Choose a checkpoint for pictures",
}
"""For whoever gives such a file where a model is asked for."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of weights.

    base: None where the file does not tell. size: bytes. dtypes: what its numbers are stored in, by torch's names, the
    most frequent first. quantised: by which method its weights were made smaller in a way that only this method's
    loader understands. in_channels: of a diffusion model: 4, or 9 for inpainting. variant: what else distinguishes it
    from others of its base, such as "instruct-pix2pix". prediction_type: as diffusers' schedulers name it; None where
    neither the file nor its name tells. zero_terminal_snr: whether it was trained so. lacks: parts of a checkpoint that
    the file does not contain. has_ema: whether it also contains averaged weights. latent_channels: of a VAE.
    network: of a LoRA, such as "LoCon". naming: of its tensors: "kohya", "PEFT" or "diffusers". rank: the largest.
    parts: the components that it changes. trigger_words: what its metadata say to put into the prompt. vectors: tokens
    that an embedding takes. image_embeds: width of the vector for a whole picture, that an image encoder gives or an
    IP-Adapter reads; image_states: of those for its patches.
    """

    kind: FileKind
    size: int
    base: Base | None = None
    dtypes: tuple[str, ...] = ()
    quantised: str | None = None
    in_channels: int | None = None
    variant: str | None = None
    prediction_type: str | None = None
    zero_terminal_snr: bool = False
    lacks: tuple[str, ...] = ()
    has_ema: bool = False
    latent_channels: int | None = None
    network: str | None = None
    naming: str | None = None
    rank: int | None = None
    parts: tuple[str, ...] = ()
    trigger_words: tuple[str, ...] = ()
    vectors: int | None = None
    image_embeds: int | None = None
    image_states: int | None = None

    @property
    def title(self) -> str:
        """Such as "LoRA (LoHa) for Stable Diffusion XL"."""
        kind, details = self.kind.value, self.network if self.network != self.kind.value else None
        details = details or self.variant
        title = f"{kind} ({details})" if details else kind
        return f"{title} for {self.base}" if self.base and self.kind != FileKind.GGUF else title

    @property
    def advice(self) -> str | None:
        """What is to be done with it where a model is asked for: one sentence or two. None: it is one."""
        return WHAT_TO_DO.get(self.kind)


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file of this machine. name: what params call it by. about: what its header says."""

    name: str
    path: Path
    about: ModelFile

    def can_be_for(self, bases: Collection[Base] | None) -> bool:
        """Whether it can have been made for a model of one of these architectures, as far as both are told."""
        return bases is None or self.about.base is None or self.about.base in bases

    def problem_for(self, bases: Collection[Base] | None) -> str | None:
        """Why it cannot be for such a model, in words; None where it can."""
        if self.can_be_for(bases):
            return None
        this = next(iter(bases or ()), "another one")
        return (
            f"{self.path.name} was made for {self.about.base}, and this model is {this}. Choose one that was made for "
            "this model."
        )
