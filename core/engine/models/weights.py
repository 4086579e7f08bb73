"""What a diffusers pipeline consists of, and which files of a folder or repository it needs.

Pure: works on file names and the content of model_index.json, so a folder and a repository are judged alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.domain.errors import DamagedModel, NotAnInpaintingModel, UnsafeWeights
from core.engine import families

INDEX = "model_index.json"

LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
"""A component from elsewhere would make diffusers import that module: such a model is refused."""

WITHOUT_WEIGHTS = re.compile(r"(Tokenizer|Scheduler|Processor|FeatureExtractor)(Fast|Pil)?$")

WEIGHTS = re.compile(
    r"(?P<component>[^/]+)/(?:model|diffusion_pytorch_model)(?:\.(?P<variant>\w+))?"
    r"(?:-(?P<shard>\d{5})-of-(?P<shards>\d{5}))?\.safetensors"
)
WEIGHTS_INDEX = re.compile(r"[^/]+/(?:model|diffusion_pytorch_model)\.safetensors\.index(?:\.(?P<variant>\w+))?\.json")

UNSAFE = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5")

TEXT = (".json", ".txt", ".model", ".jinja")
"""Configurations, the vocabularies of tokenizers, and chat templates, which transformers runs in a sandbox."""

SAFETY_CHECKER = "safety_checker"


VOCABULARIES = {
    "CLIP": (("tokenizer.json",), ("vocab.json", "merges.txt")),
    "Qwen": (("tokenizer.json",), ("vocab.json", "merges.txt")),
    "GPT2": (("tokenizer.json",), ("vocab.json", "merges.txt")),
    "T5": (("tokenizer.json",), ("spiece.model",)),
    "": (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",), ("tokenizer.model",), ("vocab.txt",)),
}
"""What the name of a tokenizer's class begins with, and the files one group of which holds its words."""


@dataclass(frozen=True, slots=True)
class Components:
    """kinds: the class of every component that has a folder. weighted: those of them that need weights."""

    kinds: Mapping[str, str]
    weighted: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.kinds)

    @classmethod
    def of(cls, index: Mapping[str, Any], *, safety_checker: bool) -> Components:
        """Read model_index.json. Raises NotAnInpaintingModel."""
        kinds, weighted = {}, []
        for name, entry in index.items():
            if name.startswith("_") or not isinstance(entry, list) or len(entry) != 2 or None in entry:
                continue
            library, kind = entry
            if library not in LIBRARIES or not re.fullmatch(r"[\w-]+", name):
                raise NotAnInpaintingModel(
                    f"This model needs a component from {library!r}, which would run code of its own. It is refused."
                )
            if name == SAFETY_CHECKER and not safety_checker:
                continue
            kinds[name] = str(kind)
            if not WITHOUT_WEIGHTS.search(str(kind)):
                weighted.append(name)
        if not families.of(index).parts <= set(weighted):
            raise NotAnInpaintingModel
        return cls(kinds, tuple(weighted))

    def without(self, name: str | None) -> Components:
        kinds = {one: kind for one, kind in self.kinds.items() if one != name}
        return Components(kinds, tuple(one for one in self.weighted if one != name))


@dataclass(frozen=True, slots=True)
class Choice:
    """variant: None for the plain weights, or "fp16". files: all that is needed, by name."""

    variant: str | None
    files: tuple[str, ...]


def choose(files: Iterable[str], components: Components, *, dtype: str) -> Choice:
    """The files to download or load: the plain weights, or half-precision ones for a float16 device.

    Never both, never a format that can run code, never single-file checkpoints beside the folders. Where only
    one of the two is complete it is taken for every dtype. Raises UnsafeWeights or DamagedModel, also if a file is
    missing that the pipeline reads beside them: without some of those it would paint something else in silence.
    """
    files = sorted(files)
    for component, kind in components.kinds.items():
        _check_texts(component, kind, files, is_weighted=component in components.weighted)
    order = ("fp16", None) if dtype == "float16" else (None, "fp16")
    for variant in order:
        weights = [_weights(files, component, variant) for component in components.weighted]
        if all(weights):
            chosen = [name for group in weights for name in group]
            return Choice(variant, tuple(sorted(chosen + _texts(files, components, chosen))))
    raise _missing(files, components)


def _weights(files: list[str], component: str, variant: str | None) -> list[str]:
    """One file, or every part of a split one with its index; empty if it is not complete."""
    whole, parts, wanted = [], [], 0
    indices = (WEIGHTS_INDEX.fullmatch(name) for name in files if name.startswith(f"{component}/"))
    is_indexed = any(index["variant"] == variant for index in indices if index)
    for name in files:
        match = WEIGHTS.fullmatch(name)
        if match is None or match["component"] != component or match["variant"] != variant:
            continue
        if match["shard"] is None:
            whole.append(name)
        else:
            parts.append(name)
            wanted = int(match["shards"])
    return whole[:1] or (parts if parts and len(parts) == wanted and is_indexed else [])


def _check_texts(component: str, kind: str, files: list[str], *, is_weighted: bool) -> None:
    """Raises DamagedModel if a file is missing that this component is read from, its weights aside."""
    here = {name.removeprefix(f"{component}/") for name in files if name.startswith(f"{component}/")}
    for group in _texts_of(kind, is_weighted=is_weighted):
        if not any(set(these) <= here for these in group):
            wanted = ", or ".join(" with ".join(these) for these in group)
            raise DamagedModel(
                f"The {component} of this model lacks a file that it is read from: {wanted}. "
                "Download or copy the model again."
            )


def _texts_of(kind: str, *, is_weighted: bool) -> Sequence[Sequence[Sequence[str]]]:
    """Groups of files; of each group, one entry must be there whole."""
    if is_weighted:
        return [(("config.json",),)]
    if kind.endswith("Scheduler"):
        return [(("scheduler_config.json",),)]
    words = next(words for begins, words in VOCABULARIES.items() if kind.startswith(begins))
    tokenizer = [(("tokenizer_config.json",),), words]
    if "Tokenizer" in kind:
        return tokenizer
    if "ImageProcessor" in kind or "FeatureExtractor" in kind:
        return [(("preprocessor_config.json",),)]
    # It reads words and pictures.
    return [*tokenizer, (("preprocessor_config.json",), ("processor_config.json",))]


def _texts(files: list[str], components: Components, chosen: list[str]) -> list[str]:
    split = {name.partition("/")[0] for name in chosen if "-of-" in name}
    texts = []
    for name in files:
        folder, _, rest = name.partition("/")
        at_top = not rest and name.endswith(".json")
        inside = rest and "/" not in rest and folder in components.names and name.endswith(TEXT)
        if (at_top or inside) and not (WEIGHTS_INDEX.fullmatch(name) and folder not in split):
            texts.append(name)
    return texts


def _missing(files: list[str], components: Components) -> UnsafeWeights | DamagedModel:
    for component in components.weighted:
        if any(_weights(files, component, variant) for variant in (None, "fp16")):
            continue
        if any(name.startswith(f"{component}/") and name.endswith(UNSAFE) for name in files):
            return UnsafeWeights(
                f"The {component} of this model comes only in a format that can run code when it is loaded, so it is "
                "refused. Use a model whose weights are safetensors."
            )
        return DamagedModel(f"The weights of the {component} are missing. Delete the model and download it again.")
    return DamagedModel("Some weights of this model are plain and others half precision. Use a complete model.")
