"""Checkpoints in one file: Stable Diffusion 1, 2 and XL in the original layout, loaded without any network.

The weights are converted by diffusers. What the file does not contain (configurations, tokenizer) is bundled, in
assets/single-file. The library's own from_single_file asks the network where it lacks a configuration, takes every
unknown file for Stable Diffusion 1, reads noise or v from no file, and accepts a text encoder that lacks weights. So
the file is judged before (kinds.py), and each component gets all of its weights or none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import DamagedModel, UnknownModel
from core.domain.model_file import Base, ModelFile
from core.engine import memory
from core.engine.families import Family
from core.engine.models import fingerprint, header, kinds
from core.engine.models.integrity import read_index, read_object
from core.engine.storage.reader import stored
from core.engine.storage.unloaded import take_out

FOLDER = "assets/single-file"
"""Of the configurations, relative to the repository; its subfolders are what diffusers saves, without weights."""

LAYOUTS: Mapping[Base | None, str] = {Base.SD1: "sd1", Base.SD2: "sd2", Base.SDXL: "xl"}

TOKENIZER = "tokenizer"
VAE = "VAE"
"""Among what a ModelFile lacks."""
PADDING_OF_OPEN_CLIP = "!"
"""Its first word, where CLIP pads with the end of the text."""

EPSILON, V_PREDICTION = PREDICTIONS = ("epsilon", "v_prediction")

NATIVE_PX = {Base.SD1: 512, Base.SDXL: 1024}
NATIVE_PX_OF_SD2 = {EPSILON: 512, V_PREDICTION: 768}

PREFIXES = {
    "unet": (kinds.LDM,),
    "vae": ("first_stage_model.",),
    "text_encoder": ("cond_stage_model.", "conditioner.embedders.0."),
    "text_encoder_2": ("conditioner.embedders.1.",),
}
"""What the names of each component's tensors begin with."""

TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
WRAPPER = "text_model."


def check(told: ModelFile, name: str) -> None:
    """Raises UnknownModel, in words for whoever chose this file, if it is none that can be loaded here."""
    if told.advice:
        article = "an" if told.title[0] in "AEIOUaeiou" else "a"
        raise UnknownModel(f"{name} is {article} {told.title}. {told.advice}.")
    if told.base not in LAYOUTS:
        raise UnknownModel(
            f"{name} is a {told.title}, which cannot be loaded from a single file. Choose the same model as a "
            "diffusers folder or by its hub id."
        )
    if told.variant not in (None, "inpainting"):
        raise UnknownModel(
            f"{name} is a {told.title}, which cannot repaint. Choose a plain or an inpainting checkpoint."
        )
    check_weights(told, name)
    if set(told.lacks) - {VAE}:
        raise UnknownModel(
            f"{name} comes without its {' and '.join(told.lacks)}. Choose a version of this checkpoint that contains "
            "everything."
        )


def check_weights(told: ModelFile, name: str) -> None:
    """Raises UnknownModel if only the loader of some method understands them."""
    if told.quantised:
        raise UnknownModel(
            f"The weights in {name} are quantised ({told.quantised}), which cannot be loaded. Choose the same model in "
            "float16, bfloat16 or plain float8."
        )


def prediction(told: ModelFile, chosen: str | None, name: str) -> str:
    """ "epsilon" or "v_prediction". Raises UnknownModel where it has to be chosen, and for another choice.

    Inpainting checkpoints of version 2, and all of version 1, predict noise, as do those of XL without their mark.
    """
    if chosen not in (None, *PREDICTIONS):
        raise UnknownModel(f"Behind {name}, @{chosen} is not understood. Write @v_prediction or @epsilon, or nothing.")
    known = chosen or told.prediction_type
    if known is None and told.base == Base.SD2 and told.in_channels != 9:
        raise UnknownModel(
            f"Nothing in {name} tells whether it predicts noise or velocity (v), and the wrong one gives noise instead "
            "of a picture. Models for 768 pixels usually predict v, those for 512 noise: put @v_prediction or @epsilon "
            "after its name."
        )
    return known or EPSILON


def native_px(told: ModelFile, predicts: str) -> int:
    """The size that it was trained at."""
    return NATIVE_PX.get(told.base or Base.SD1) or NATIVE_PX_OF_SD2[predicts]


def layout(told: ModelFile) -> str:
    """The folder of its configurations, relative to the repository."""
    return f"{FOLDER}/{LAYOUTS[told.base]}"


@dataclass(frozen=True, slots=True)
class SingleFile:
    """A checkpoint to load, and where what it does not contain comes from.

    layout: the folder of its configurations. predicts: "epsilon" or "v_prediction".
    """

    family: Family
    file: Path
    layout: Path
    predicts: str

    @property
    def files(self) -> Mapping[str, Path]:
        return {self.file.name: self.file}

    @property
    def details(self) -> Mapping[str, Any]:
        """For the record: what decides the pixels beside the file itself."""
        texts = {path.relative_to(self.layout.parent).as_posix(): path for path in self._texts()}
        return {
            "variant": None,
            "prediction_type": self.predicts,
            "configuration": fingerprint.of_all(fingerprint.of_files(texts)),
        }

    def _texts(self) -> Iterator[Path]:
        for folder in (self.layout, self.layout.parent / TOKENIZER):
            yield from (path for path in folder.rglob("*") if path.suffix in (".json", ".txt"))

    def parts(self, dtype: str) -> Mapping[str, int]:
        """Bytes of each component once loaded in this dtype. Raises DamagedModel."""
        try:
            tensors = header.read(self.file).tensors
        except header.Damaged as error:
            raise DamagedModel(f"The file {self.file.name} {error}. Download or copy it again.") from error
        size = memory.BYTES[dtype]
        return {
            part: size * sum(math.prod(tensor.shape) for name, tensor in tensors.items() if name.startswith(begins))
            for part, begins in PREFIXES.items()
        }

    def load(self, dtype: Any, *, without_unet: bool = False) -> Any:
        """The pipeline on the CPU. dtype: of torch. Raises DamagedModel; what libraries raise comes through.

        Needs no more memory than the model itself: where the file has this dtype, its weights stay in the file and
        are mapped; else they are converted one by one. without_unet: nothing is mapped, the U-Net has no weights yet,
        and the others have given theirs back (storage/unloaded.py).
        """
        import diffusers
        from safetensors.torch import load_file

        all_weights = {} if without_unet else load_file(self.file)
        told = kinds.of(self.file)
        index = read_index(self.layout)

        def of_part(name: str) -> Any:
            return _part(name, self._read(name) if without_unet else all_weights, self.layout, dtype)

        # The small ones first: while they are converted, some of their weights exist twice.
        encoders = {name: of_part(name) for name in index if name in TEXT_ENCODERS}
        vae = _no_vae(self.layout, dtype) if VAE in told.lacks else of_part("vae")
        if without_unet:
            unet = _empty("unet", self.layout, told.in_channels)
            take_out([*encoders.values(), *([] if VAE in told.lacks else [vae])])
        else:
            unet = _part("unet", all_weights, self.layout, dtype, told.in_channels)
        pipeline = getattr(diffusers, self.family.pipeline)
        return pipeline(
            vae=vae,
            unet=unet,
            scheduler=self._scheduler(told),
            **encoders,
            **{name: _tokenizer(name, self.layout) for name in index if name.startswith(TOKENIZER)},
            **_without_what_is_not_there(pipeline),
        )

    def weights(self, part: str, module: Any) -> Mapping[str, Any]:
        """Of one component, by their names in this module of it. Raises DamagedModel.

        Of the U-Net they are read when they are needed; of the others, which are small, at once.
        """
        in_file = stored(self.file) if part == "unet" else self._read(part)
        found: Mapping[str, Any] = _converted(part, module, in_file, self.layout)
        return found

    def _read(self, part: str) -> Mapping[str, Any]:
        begins = PREFIXES[part]
        return {name: one.read() for name, one in stored(self.file).items() if name.startswith(begins)}

    def _scheduler(self, told: ModelFile) -> Any:
        import diffusers

        about = read_object(self.layout / "scheduler" / "scheduler_config.json") or {}
        about["prediction_type"] = self.predicts
        if told.zero_terminal_snr:
            about.update(rescale_betas_zero_snr=True, timestep_spacing="trailing")
            if about["_class_name"] == "PNDMScheduler":  # it does not know of that
                about["_class_name"] = "DDIMScheduler"
        return getattr(diffusers, about["_class_name"]).from_config(about)


def _without_what_is_not_there(pipeline: Any) -> Mapping[str, Any]:
    """Arguments of pipelines: no checkpoint contains a safety checker, and no picture gets a watermark."""
    if "XL" in pipeline.__name__:
        return {"add_watermarker": False}
    return {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def _part(name: str, weights: Mapping[str, Any], layout: Path, dtype: Any, in_channels: int | None = None) -> Any:
    """A component with its weights. weights: by their names in the file, also of other components."""
    module = _empty(name, layout, in_channels)
    return filled(name, module, lambda: _converted(name, module, weights, layout), dtype)


def _empty(name: str, layout: Path, in_channels: int | None = None) -> Any:
    """A component without weights. in_channels: of the U-Net, of which files differ from the configuration."""
    import diffusers
    import transformers

    if name in TEXT_ENCODERS:
        of_text = transformers.CLIPTextConfig.from_pretrained(layout / name, local_files_only=True)
        kind = getattr(transformers, read_index(layout)[name][1])
        return empty(lambda: kind(of_text))
    of_images: Any = diffusers.UNet2DConditionModel if name == "unet" else diffusers.AutoencoderKL
    changed = {"in_channels": in_channels} if name == "unet" else {}
    about = {**of_images.load_config(layout, subfolder=name), **changed}
    return empty(lambda: of_images.from_config(about))


def _converted(name: str, module: Any, weights: Mapping[str, Any], layout: Path) -> Any:
    """By their names in this module. weights: by those in the file, also of other components."""
    from diffusers.loaders import single_file_utils as conversions

    if name == "unet":
        return conversions.convert_ldm_unet_checkpoint(weights, module.config)
    if name == "vae":
        return conversions.convert_ldm_vae_checkpoint(weights, module.config)
    if _is_open_clip(layout, name):
        return conversions.convert_open_clip_checkpoint(module, weights, f"{PREFIXES[name][0]}model.")
    return conversions.convert_ldm_clip_checkpoint(weights)


def _no_vae(layout: Path, dtype: Any) -> Any:
    """For weights that are put into it for each run: its own are whatever was in memory, which takes none unread."""
    return _empty("vae", layout).to(dtype).to_empty(device="cpu").eval()


def _tokenizer(name: str, layout: Path) -> Any:
    from transformers import CLIPTokenizer

    is_open_clip = _is_open_clip(layout, name.replace(TOKENIZER, "text_encoder"))
    tokenizer = CLIPTokenizer.from_pretrained(str(layout.parent / TOKENIZER), local_files_only=True)
    if is_open_clip:
        tokenizer.pad_token = PADDING_OF_OPEN_CLIP
    return tokenizer


def _is_open_clip(layout: Path, text_encoder: str) -> bool:
    """CLIP's own text encoder approximates what those of OpenCLIP compute."""
    return (read_object(layout / text_encoder / "config.json") or {}).get("hidden_act") != "quick_gelu"


def empty(make: Callable[[], Any]) -> Any:
    """A model without any memory for its weights."""
    from accelerate import init_empty_weights

    with init_empty_weights():
        return make()


def filled(part: str, model: Any, convert: Callable[[], Mapping[str, Any]], dtype: Any) -> Any:
    """The model with all of its weights. Raises DamagedModel as matching does."""
    found = matching(part, model, convert)
    # Each is let go of when it is converted: all that is ever needed twice is one tensor.
    state = {name: found.pop(name).to(dtype) for name in list(found)}
    model.load_state_dict(state, assign=True)
    return model.eval()


def matching(part: str, model: Any, convert: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """All weights of the model, by their names in it. Raises DamagedModel if one is missing or of another shape.

    convert: gives them by their names in the model, where transformers has had text_model. before some, and files of
    early tools have not; as tensors, or as storage.reader.Stored.
    """
    try:
        found = {name.removeprefix(WRAPPER): tensor for name, tensor in convert().items()}
    except KeyError as error:
        raise _lacking(part, str(error.args[0])) from error
    wanted = model.state_dict()
    for name, empty in wanted.items():
        tensor = found.get(name.removeprefix(WRAPPER))
        if tensor is None:
            raise _lacking(part, name)
        if tensor.shape != empty.shape:
            raise DamagedModel(
                f"The {part} of this checkpoint is of another architecture than the rest of it: {name} is "
                f"{tuple(tensor.shape)} instead of {tuple(empty.shape)}. Choose another version of it."
            )
    return {name: found[name.removeprefix(WRAPPER)] for name in wanted}


def _lacking(part: str, name: str) -> DamagedModel:
    return DamagedModel(
        f"The {part} of this checkpoint lacks some of its weights ({name}). Download it again, or choose another "
        "version of it."
    )
