"""Where models lie on this machine: folders of our own, and those of other programs, which a setting names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import core
from core.domain.model_file import FileKind
from core.settings import Settings

OWN: Mapping[FileKind, str] = {
    FileKind.CHECKPOINT: "checkpoints",
    FileKind.LORA: "loras",
    FileKind.EMBEDDING: "embeddings",
    FileKind.VAE: "vae",
    FileKind.TINY_VAE: "vae",
    FileKind.CONTROLNET: "controlnet",
    FileKind.IP_ADAPTER: "ipadapter",
    FileKind.IMAGE_ENCODER: "clip_vision",
    FileKind.REMOVER: "removers",
    FileKind.UPSCALER: "upscale_models",
}
"""Subfolders of models in the data folder, by what belongs there; the names are ComfyUI's, which has no removers."""

ELSEWHERE: Mapping[FileKind, Sequence[str]] = {
    FileKind.CHECKPOINT: ("checkpoints", "Stable-diffusion", "diffusion_models", "unet"),
    FileKind.LORA: ("loras", "Lora", "LyCORIS"),
    FileKind.EMBEDDING: ("embeddings",),
    FileKind.VAE: ("vae", "VAE", "vae_approx", "VAE-approx"),
    FileKind.CONTROLNET: ("controlnet", "ControlNet", "extensions/sd-webui-controlnet/models"),
    FileKind.IP_ADAPTER: ("ipadapter",),
    FileKind.IMAGE_ENCODER: ("clip_vision",),
    FileKind.UPSCALER: ("upscale_models", "ESRGAN", "RealESRGAN"),
}
"""The same in ComfyUI (folder_paths.py) and in A1111 and Forge (modules/paths.py, shared_cmd_options.py), below the
folder of the installation or its folder models."""

BUNDLED: Mapping[FileKind, Path] = {FileKind.LORA: Path(core.__file__).parent.parent / "assets" / "loras"}
"""What comes with the program, beside the models of the table."""

BESIDE: Mapping[FileKind, Sequence[FileKind]] = {FileKind.IMAGE_ENCODER: (FileKind.IP_ADAPTER,)}
"""Of which kinds the folders can also hold files of this one: an encoder often comes with its adapter."""

SIGNS_OF_INVOKEAI = ("invokeai.yaml", "databases/invokeai.db")
OF_INVOKEAI = ("models", "autoimport")
"""It sorts them in a way of its own, which changed with its versions: there all are looked at."""

MOST_FILES = 10_000
"""That are looked at below one folder, so that a wrong setting (/) does not end in a walk over a whole disk."""


@dataclass(frozen=True, slots=True)
class Watched:
    """kind: what its owner keeps there; None: of every kind. What a file is, is told by its header all the same.

    is_ours: whether files may be put there, and removed.
    """

    path: Path
    kind: FileKind | None = None
    is_ours: bool = False


def watched(settings: Settings) -> Sequence[Watched]:
    """Ours first, then those named by the setting, in its order; those that are not there are left out."""
    own = _own(settings.models)
    further = [folder for root in settings.model_folders for folder in _of_installation(root.expanduser())]
    folders: dict[Path, Watched] = {}
    for folder in (*own, *further):
        if os.path.isdir(folder.path):
            folders.setdefault(folder.path.resolve(), folder)
    return tuple(folders.values())


def watched_for(settings: Settings, kind: FileKind) -> Sequence[Path]:
    """The folders in which files of this kind can be; what is bundled comes last."""
    found = [folder.path for folder in watched(settings) if folder.kind in (kind, None, *BESIDE.get(kind, ()))]
    return [*found, BUNDLED[kind]] if kind in BUNDLED else found


def walk(root: Path, seen: set[str]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As os.walk: each folder, its subfolders and its files, by name and without hidden ones, MOST_FILES in all.

    Links are followed, as people sort their models so, and no folder is walked that was seen. What is taken out of the
    subfolders is left out. A folder that is not there, or cannot be read, has no files.
    """
    left = MOST_FILES
    for parent, subfolders, files in os.walk(root, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))[:left]
        left -= len(names)
        yield Path(parent), subfolders, names
        if not left:
            return


@lru_cache(maxsize=8)
def _own(models: Path) -> Sequence[Watched]:
    return tuple(Watched(models / name, kind, is_ours=True) for kind, name in OWN.items())


def _of_installation(root: Path) -> list[Watched]:
    """The folders with models of A1111, ComfyUI or InvokeAI; the folder itself where it is none of these."""
    if any((root / sign).exists() for sign in SIGNS_OF_INVOKEAI):
        return [Watched(root / name) for name in OF_INVOKEAI]
    found = [
        Watched(place / name, kind)
        for kind, names in ELSEWHERE.items()
        for name in names
        for place in (root, root / "models")
        if (place / name).is_dir()
    ]
    return found or [Watched(root)]
