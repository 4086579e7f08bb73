"""Pipelines from their folders, whole and on their device."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from core.domain.environment import Device
from core.domain.errors import DamagedModel, InvalidParams, NotAnInpaintingModel, StudioError
from core.domain.model import ModelSpec
from core.engine import card, families, memory, vae
from core.engine.families import Family
from core.engine.kandinsky import Kandinsky
from core.engine.libraries import without_extras
from core.engine.models import fingerprint, transformer_file
from core.engine.models.catalogue import Catalogue
from core.engine.models.integrity import read_index, read_object
from core.engine.models.single_file import SingleFile, empty, filled, matching
from core.engine.models.weights import SAFETY_CHECKER, WITHOUT_WEIGHTS, Choice
from core.engine.plan import INT8_PARTS, UNET
from core.engine.quiet import quiet_libraries
from core.engine.storage.prepared import ENDING
from core.engine.storage.reader import stored
from core.engine.storage.unloaded import take_out
from core.memory import free_memory


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that one pipeline comes from. prefix: what the names of its files begin with in the record.

    denoiser: a file with the weights of its denoiser, in the place of its own.
    """

    family: Family
    folder: Path
    choice: Choice
    prefix: str
    denoiser: Path | None = None

    @classmethod
    def of(
        cls, folder: Path, catalogue: Catalogue, dtype: str, *, prefix: str = "", denoiser: Path | None = None
    ) -> Folder:
        family = families.of(read_index(folder))
        choice = catalogue.choice(folder, dtype, without=family.denoiser if denoiser else None)
        return cls(family, folder, choice, prefix, denoiser)

    @property
    def files(self) -> Mapping[str, Path]:
        own = {self.prefix + name: self.folder / name for name in self.choice.files}
        if self.denoiser is None:
            return own
        part = self.family.denoiser
        about = f"{part}/config.json"
        return {**own, about: self.folder / about, f"{part}/{self.denoiser.name}": self.denoiser}

    @property
    def details(self) -> Mapping[str, Any]:
        """For the record."""
        return {"variant": self.choice.variant}

    def parts(self, dtype: str) -> Mapping[str, int]:
        """Bytes of each component once loaded in this dtype."""
        return memory.of_parts(self.files, dtype)

    def weights(self, part: str, module: Any) -> Mapping[str, Any]:
        """Of one component, by their names in this module of it; they are read when they are needed."""
        files = (self.folder / name for name in self.choice.files if name.startswith(f"{part}/"))
        found = {name: one for file in files if file.suffix == ".safetensors" for name, one in stored(file).items()}
        if part == SAFETY_CHECKER:
            return {name.replace("vision_model.vision_model.", "vision_model."): one for name, one in found.items()}
        return dict(vae.in_todays_names(found)) if part == "vae" else found


Source = Folder | SingleFile

READ_AGAIN = {
    "text_encoder": "CLIPTextModel",
    "text_encoder_2": "CLIPTextModelWithProjection",
    "vae": "AutoencoderKL",
    SAFETY_CHECKER: "StableDiffusionSafetyChecker",
}
"""Components whose weights can leave the memory, and the class that each has to be of: of that the names of weights in
files are known."""


def sources(spec: ModelSpec, folder: Path, catalogue: Catalogue, dtype: str) -> Sequence[Source]:
    """The model's own pipeline, and the one that it needs beside it, if it does. Raises ModelUnavailable."""
    if spec.file and spec.predicts is None:
        return [Folder.of(folder, catalogue, dtype, denoiser=Path(spec.file))]
    if spec.file:
        return [SingleFile(families.of(read_index(folder)), Path(spec.file), folder, str(spec.predicts))]
    own, companion = Folder.of(folder, catalogue, dtype), catalogue.companion(folder)
    return [own, Folder.of(companion, catalogue, dtype, prefix="prior/")] if companion else [own]


def load(
    sources: Sequence[Source],
    device: Device,
    *,
    safety_checker: bool,
    as_int8: bool = False,
    prepared: Path | None = None,
) -> Any:
    """as_int8: what the weights of a U-Net are kept as. prepared: the folder for what was made so, see its module."""
    how: dict[str, Any] = {"safety_checker": safety_checker, "as_int8": as_int8, "prepared": prepared}
    pipe, *prior = (_loaded(source, device, **how) for source in sources)
    return Kandinsky(pipe, *prior) if prior else pipe


def _loaded(source: Source, device: Device, *, safety_checker: bool, as_int8: bool, prepared: Path | None) -> Any:
    import torch

    dtype, as_int8 = getattr(torch, device.dtype), as_int8 and source.family.denoiser in INT8_PARTS
    try:
        with quiet_libraries(), without_extras():
            if isinstance(source, SingleFile):
                pipe = source.load(dtype, without_unet=as_int8)
            else:
                pipe = _of_folder(source, dtype, safety_checker=safety_checker, without_denoiser=as_int8)
            _check_words(pipe, source.family)
            _check_pipeline(pipe, source.family, without_denoiser=as_int8)
            if as_int8:
                _fill_denoiser(pipe, source, dtype, prepared)
    except StudioError:
        raise
    except Exception as error:  # whatever the libraries raise over files that are not what they take
        if memory.is_lack_of_memory(error):
            raise
        raise DamagedModel(f"This model cannot be loaded: {_first_line(error)} Download or copy it again.") from error
    denoiser = getattr(pipe, source.family.denoiser)
    denoiser.register_to_config(**{k: v for k, v in source.family.missing.items() if k not in denoiser.config})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _of_folder(source: Folder, dtype: Any, *, safety_checker: bool, without_denoiser: bool) -> Any:
    import diffusers

    index = read_index(source.folder)
    without: dict[str, Any] = {}
    if not safety_checker and SAFETY_CHECKER in index:
        without = {SAFETY_CHECKER: None, "requires_safety_checker": False}
    saved = _saved(source, dtype)
    _check_scheduler(source.folder, index)
    given = _read_when_needed(source, index, dtype, without) if without_denoiser else {}
    given |= _encoders(source.folder, {k: v for k, v in index.items() if k not in {**without, **given}}, saved)
    name = source.family.denoiser
    if without_denoiser:
        if source.denoiser is not None:
            raise InvalidParams(
                "A transformer in a file of its own cannot be kept as int8 yet. Choose a model whose folder has it, or "
                "another precision."
            )
        given[name] = _empty(source.folder, name, str(index[name][1]))
    if source.denoiser is not None:
        given[name] = transformer_file.load(source.denoiser, source.folder, name, dtype)
    return getattr(diffusers, source.family.pipeline).from_pretrained(str(source.folder), **saved, **given, **without)


def _read_when_needed(source: Folder, index: Mapping[str, Any], dtype: Any, without: Container[str]) -> dict[str, Any]:
    """Components without weights, by name, of which it is certain that their files hold all of them."""
    if not source.family.takes_additions:
        return {}
    found = {}
    for name, kind in READ_AGAIN.items():
        entry = index.get(name)
        if isinstance(entry, list) and entry[1] == kind and name not in without:
            module = _empty(source.folder, name, kind).to(dtype).eval()
            # What is named in another way is left to the libraries, which also say what a damaged file lacks.
            with suppress(DamagedModel):
                matching(name, module, partial(source.weights, name, module))
                found[name] = module
    take_out(found.values())
    return found


def _empty(folder: Path, name: str, kind: str) -> Any:
    """A component of a folder, without any memory for its weights."""
    import diffusers
    import transformers
    from diffusers.pipelines import stable_diffusion

    if name in READ_AGAIN and name != "vae":
        of_kind = getattr(stable_diffusion if name == SAFETY_CHECKER else transformers, kind)
        config = of_kind.config_class.from_pretrained(str(folder / name), local_files_only=True)
        return empty(lambda: of_kind(config))
    of_images = getattr(diffusers, kind)
    about = of_images.load_config(str(folder), subfolder=name)
    return empty(lambda: of_images.from_config(about))


def _fill_denoiser(pipe: Any, source: Source, dtype: Any, prepared: Path | None) -> None:
    """With int8. Last: of what else is read nothing lies beside it."""
    from core.engine.storage import int8

    name = source.family.denoiser
    denoiser = getattr(pipe, name)
    weights = matching(name, denoiser, lambda: source.weights(name, denoiser))
    kept = None
    if prepared is not None:
        made_from = {file: fingerprint.of_file(path) for file, path in source.files.items() if _holds(file, name)}
        key = fingerprint.of_all({**made_from, "int8": str(int8.VERSION)})
        kept = prepared / f"{key.removeprefix('sha256:')}{ENDING}"
    int8.fill(denoiser, weights, dtype, kept)


def _holds(name: str, part: str) -> bool:
    """Whether a file of a model, by its name in it, holds weights of this part: that of its folder, or a checkpoint,
    which holds everything."""
    folder, _, file = name.rpartition("/")
    return file.endswith(".safetensors") and folder.rpartition("/")[2] in ("", part)


def read_again(source: Source, dtype: str, name: str, component: Any) -> None:
    """Give a component its weights, as they are in its files. dtype: as torch calls it. Raises DamagedModel."""
    import torch

    filled(name, component, lambda: source.weights(name, component), getattr(torch, dtype))


def _saved(source: Folder, dtype: Any) -> Mapping[str, Any]:
    """Arguments for what is loaded from a folder. dtype: of torch."""
    return {"use_safetensors": True, "local_files_only": True, "dtype": dtype, "variant": source.choice.variant}


def _encoders(folder: Path, index: Mapping[str, Any], saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """The components that are built on transformers, by name. Raises DamagedModel if one lacks some of its weights.

    The library fills by chance what is missing, and tells only who asks; diffusers does not ask.
    """
    import transformers
    from diffusers.pipelines import stable_diffusion

    libraries = {"transformers": transformers, "stable_diffusion": stable_diffusion}
    encoders = {}
    for name, entry in index.items():
        if not isinstance(entry, list) or entry[0] not in libraries or WITHOUT_WEIGHTS.search(str(entry[1])):
            continue
        kind = getattr(libraries[entry[0]], entry[1])
        encoders[name], told = kind.from_pretrained(str(folder / name), **saved, output_loading_info=True)
        if missing := sorted(told["missing_keys"]):
            raise DamagedModel(
                f"The {name} of this model lacks some of its weights ({missing[0]}). Download or copy it again."
            )
    return encoders


def _check_scheduler(folder: Path, index: Mapping[str, Any]) -> None:
    """Raises DamagedModel if a scheduler's settings were written for a class that the library does not have."""
    import diffusers

    for name, entry in index.items():
        if isinstance(entry, list) and str(entry[1]).endswith("Scheduler"):
            named = (read_object(folder / name / "scheduler_config.json") or {}).get("_class_name")
            if not isinstance(named, str) or not hasattr(diffusers, named):
                raise DamagedModel(f"The {name} of this model is of a kind that is not known: {named!r}.")


def _check_words(pipe: Any, family: Family) -> None:
    """Raises DamagedModel if a tokenizer does not know the words that its text encoder knows."""
    for name, tokenizer in pipe.components.items():
        encoder = getattr(pipe, name.replace("tokenizer", "text_encoder"), None)
        if not name.startswith("tokenizer") or tokenizer is None or encoder is None:
            continue
        known, embedded = len(tokenizer), encoder.get_input_embeddings().num_embeddings
        if not embedded // 2 <= known <= embedded:
            raise DamagedModel(
                f"The {name} of this model knows {known} words, and its text encoder {embedded}: one of its files is "
                "missing or of another model. Download or copy it again."
            )
        longest = getattr(encoder.config, "max_position_embeddings", None)
        if family.max_sequence_length is None and longest and tokenizer.model_max_length > longest:
            raise DamagedModel(
                f"The {name} of this model does not say how long a prompt may be (model_max_length, in "
                "tokenizer_config.json). Download or copy it again."
            )
        if family.is_told_by_chat and not tokenizer.chat_template:
            raise DamagedModel(
                f"The {name} of this model lacks its chat_template.jinja. Download or copy the model again."
            )


def place(pipe: Any, device: Device, parts: Mapping[str, int], wish: str, *, native_px: int) -> str:
    """Bring it to its device, as a whole or as it is needed. wish: a placement, or "auto"."""
    if device.is_processor:
        return card.WHOLE
    is_card = device.key.startswith(("cuda", "xpu"))
    by_group = card.takes_groups(device, of_unet=UNET in parts)
    placement = wish
    if wish == "auto":
        free = memory.free_on(device) if is_card else None
        placement = card.placement(parts, free, device.dtype, native_px=native_px, by_group=by_group)
    elif wish == card.BY_GROUP and not by_group:
        placement = card.BY_LAYER
    if placement == card.BY_PART:
        pipe.enable_model_cpu_offload(device=device.key)
    elif placement == card.BY_LAYER:
        pipe.enable_sequential_cpu_offload(device=device.key)
    elif placement == card.BY_GROUP:
        place_by_group(pipe, device.key, pins_ahead=card.pins_ahead(parts, free_memory()))
    else:
        pipe.to(device.key)
    return placement


def place_by_group(pipe: Any, device: str, *, pins_ahead: bool) -> None:
    """The denoiser's layers come one after the other, on a card the next while one is at work; those of the text
    encoders, which work once for a picture, as they are needed; the autoencoder, which is small, lies there."""
    import torch
    from diffusers.hooks.group_offloading import apply_group_offloading

    where, denoiser = torch.device(device), denoiser_of(pipe)
    layers: dict[str, Any] = {"onload_device": where, "offload_type": "leaf_level"}
    ahead: dict[str, Any] = {"use_stream": where.type == "cuda", "low_cpu_mem_usage": not pins_ahead}
    for name, part in pipe.components.items():
        if part is denoiser:
            apply_group_offloading(part, **layers, **ahead)
        elif name.startswith("text_encoder") and part is not None:
            apply_group_offloading(part, **layers)
        elif isinstance(part, torch.nn.Module):
            part.to(where)


def _check_pipeline(pipe: Any, family: Family, *, without_denoiser: bool) -> None:
    unet = getattr(pipe, "unet", None)
    if unet is not None and unet.config.in_channels not in family.in_channels:
        raise NotAnInpaintingModel
    for name, component in pipe.components.items():
        parameters = getattr(component, "parameters", None)
        if without_denoiser and name == family.denoiser:
            continue
        # Left without values when the file lacks them.
        if parameters is not None and any(parameter.is_meta for parameter in parameters()):
            raise DamagedModel(f"The {name} of this model lacks some of its weights. Download or copy it again.")


def denoiser_of(pipe: Any) -> Any:
    return getattr(pipe, "unet", None) or pipe.transformer


def attention_of(pipe: Any) -> str:
    processors = getattr(denoiser_of(pipe), "attn_processors", {})
    return ", ".join(sorted({type(processor).__name__ for processor in processors.values()}))


def _first_line(error: BaseException) -> str:
    line = str(error).strip().partition("\n")[0][:200]
    return line if line.endswith(".") else f"{line}."
