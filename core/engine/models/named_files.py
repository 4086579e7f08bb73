"""The files of one kind on this machine, such as LoRAs: below a few folders, by their names, told by their headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath, PureWindowsPath

from core.domain.errors import (
    DamagedModel,
    InvalidControlNet,
    InvalidEmbedding,
    InvalidLora,
    InvalidParams,
    InvalidReference,
    InvalidVae,
    UnsafeWeights,
)
from core.domain.model_file import ENDING, FileKind, ModelFile, NamedFile
from core.engine.models import kinds
from core.engine.models.folders import OWN, walk, watched_for
from core.engine.models.weights import UNSAFE
from core.settings import Settings

SUGGESTED = 10

ERRORS: Mapping[FileKind, type[InvalidParams]] = {
    FileKind.LORA: InvalidLora,
    FileKind.EMBEDDING: InvalidEmbedding,
    FileKind.CONTROLNET: InvalidControlNet,
    FileKind.VAE: InvalidVae,
    FileKind.IP_ADAPTER: InvalidReference,
    FileKind.IMAGE_ENCODER: InvalidReference,
}
NOUNS: Mapping[FileKind, str] = {
    FileKind.LORA: "a LoRA",
    FileKind.EMBEDDING: "an embedding",
    FileKind.CONTROLNET: "a ControlNet",
    FileKind.VAE: "a VAE",
    FileKind.IP_ADAPTER: "an IP-Adapter",
    FileKind.IMAGE_ENCODER: "an image encoder",
}

ALSO: Mapping[FileKind, tuple[FileKind, ...]] = {FileKind.VAE: (FileKind.TINY_VAE,)}
"""Other kinds of files that can be chosen in the place of one."""

OF_A_FOLDER = "diffusion_pytorch_model"
"""What diffusers calls the file in each of its folders: there the folder's name is the model's."""


Folders = Callable[[], Sequence[Path]]
Read = Callable[[Path], ModelFile]


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """A ports.FileLibrary. Of files of one name in several folders the one in the first folder counts.

    folders: asked each time, as one may be made while the program runs. read: tells what a file is; it may remember
    that. Raises as kinds.of.
    """

    kind: FileKind
    folders: Folders = lambda: ()
    read: Read = kinds.of

    @classmethod
    def watched(cls, settings: Settings, kind: FileKind, read: Read = kinds.of) -> NamedFiles:
        return cls(kind, lambda: watched_for(settings, kind), read)

    def listed(self) -> Sequence[NamedFile]:
        found = []
        for name, path in sorted(self.paths().items()):
            about = self._about_or_none(path)
            if about is not None and self._takes(about):
                found.append(NamedFile(name, path, about))
        return found

    def find(self, name: str) -> NamedFile:
        path = self._path_of(name)
        about = self._about(path)
        if not self._takes(about):
            raise refused(
                self.kind, f"{path.name} is not {NOUNS[self.kind]} but another file: {about.title}. Choose another one."
            )
        return NamedFile(name, path, about)

    def _takes(self, about: ModelFile) -> bool:
        return about.kind in (self.kind, *ALSO.get(self.kind, ()))

    def _about_or_none(self, path: Path) -> ModelFile | None:
        try:
            return self._about(path)
        except InvalidParams:
            return None

    def _about(self, path: Path) -> ModelFile:
        try:
            return self.read(path)
        except (UnsafeWeights, DamagedModel) as error:
            raise refused(self.kind, str(error)) from error

    def _path_of(self, name: str) -> Path:
        if (given := _given_path(name)) is not None:
            return given
        files = self.paths()
        wanted = _without_ending(name)
        # A path of another machine, as in a bundle: the file may be here under its own name.
        for candidate in (wanted, _last_part(wanted)):
            if candidate in files:
                return files[candidate]
            alike = [key for key in files if key.casefold() == candidate.casefold()]
            same_stem = [key for key in files if _last_part(key).casefold() == candidate.casefold()]
            if len(alike) == 1:
                return files[alike[0]]
            if len(same_stem) == 1:
                return files[same_stem[0]]
            if same_stem:
                raise refused(self.kind, f"“{name}” can be {', '.join(same_stem[:SUGGESTED])}. Say which.")
        raise refused(self.kind, self._missing(name, files))

    def _missing(self, name: str, files: Mapping[str, Path]) -> str:
        wanted = _last_part(_without_ending(name))
        for path in self._unsafe():
            if path.stem == wanted:
                return (
                    f"{path.name} is in a format that can run code when it is loaded, so it is refused. Use "
                    "the same one in the safetensors format."
                )
        known = f" Known are: {', '.join(islice(files, SUGGESTED))}." if files else ""
        return (
            f"{wanted}{ENDING} is not on this machine. Put it into the folder models/{OWN[self.kind]} in the data "
            f"folder, or paint without it.{known}"
        )

    def unsafe(self) -> Collection[str]:
        return {path.stem for path in self._unsafe()}

    def _unsafe(self) -> Iterator[Path]:
        return (path for folder in self.folders() for path in _files(folder, UNSAFE))

    def paths(self) -> Mapping[str, Path]:
        """Each file by its name without ending: alone where no other file has it, else with the folders above it."""
        paths: dict[str, Path] = {}
        for folder in self.folders():
            for path in _files(folder, (ENDING,)):
                paths.setdefault(_called(path.relative_to(folder)), path)
        stems = Counter(_last_part(long) for long in paths)
        return {(_last_part(long) if stems[_last_part(long)] == 1 else long): path for long, path in paths.items()}


def title_of(path: Path) -> str:
    """The name of a file, or of its folder, where diffusers gives all files the same name."""
    return path.parent.name if path.stem == OF_A_FOLDER else path.stem


def _called(path: Path) -> str:
    """path: below its folder."""
    name = path.with_suffix("").as_posix()
    if not path.name.startswith(OF_A_FOLDER) or path.parent == Path():
        return name
    return name.replace(f"/{OF_A_FOLDER}", "", 1)


def refused(kind: FileKind, sentence: str) -> InvalidParams:
    """The error that says it of a file of this kind."""
    noun = NOUNS[kind].split(maxsplit=1)[-1]
    return ERRORS[kind](f"{noun[:1].upper()}{noun[1:]}: {sentence}")


def _files(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """Those below a folder whose names end so."""
    for parent, _, names in walk(folder, set()):
        yield from (parent / name for name in names if name.lower().endswith(endings))


def _given_path(name: str) -> Path | None:
    """The file that is meant by a path; None for what can only be a name, and for a path that leads nowhere."""
    try:
        path = Path(name).expanduser()
        return path if path.is_absolute() and path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _without_ending(name: str) -> str:
    return name[: -len(ENDING)] if name.lower().endswith(ENDING) else name


def _last_part(name: str) -> str:
    """Of a path of either kind of system."""
    return PurePath(PureWindowsPath(name).name).name
