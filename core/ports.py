"""The seams: what the services need from the outside, in our own words. Read me first.

core/engine, core/storage and core/dispatch each implement one of these; core/bootstrap.py chooses which.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from core.domain.environment import Environment
from core.domain.generation import Phase
from core.domain.geometry import Size
from core.domain.model import LoadedModel, ModelSpec, Vocabulary
from core.domain.model_file import Base, ModelFile, NamedFile
from core.domain.model_library import FileState, Found, Told
from core.domain.params import AUTO_DTYPE, InpaintParams
from core.domain.prompt_length import PromptLength
from core.domain.request import WorkingRequest


@dataclass(frozen=True, slots=True)
class StepReport:
    """step of total denoising steps are done. preview: a small JPEG of what is there so far, if it was asked for."""

    phase: Phase
    step: int = 0
    total: int = 0
    preview: bytes | None = None


OnStep = Callable[[StepReport], None]
"""Called after each step; it may raise GenerationCancelled to stop the run there."""


@dataclass(frozen=True, slots=True)
class Repainted:
    """image: RGB at the working size. record: what was really done, as JSON values."""

    image: Image.Image
    record: Mapping[str, Any] = field(default_factory=dict)


class Inpainter(Protocol):
    """One loaded model on one device. One caller at a time, and none after close. tests/contracts/ says it in tests."""

    model: LoadedModel
    environment: Environment

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        """on_step is called in this thread: before anything is done, after each step, and when only decoding is left.
        Whatever it raises ends the run and comes out.

        Raises Busy for a second caller, ModelUnavailable after close, InvalidParams for what this model cannot do,
        OutOfMemory, ResultWithheld or BrokenResult.
        """

    def close(self) -> None:
        """Give the memory back, at once or when the picture in work is done."""


CheckParams = Callable[[InpaintParams], None]
"""Raises InvalidParams for weights in the prompts that cannot be read, and for files that cannot be used."""


class LoadInpainter(Protocol):
    """What is kept loaded is up to it: see services/model_cache.py."""

    def __call__(self, model: str, device: str, *, dtype: str = AUTO_DTYPE, smaller: bool = False) -> Inpainter:
        """dtype: a key of DTYPES. smaller: if that is for this machine to choose, in less memory than usual, where
        there is a way to, though it may be slower and make other pixels.

        Raises what the engine raises.
        """


class ImageStore(Protocol):
    """Pictures by the hash of their pixels. What is thrown away goes into a trash by the day, and comes back from it
    by itself when it is asked for.
    """

    def put(self, image: Image.Image, key: str | None = None) -> str:
        """Store without loss and return the key ("sha256:..."). On return it is safely on disk, and its age is 0.

        key: its name, where that is known: of a stored picture, or from hashing.picture_and_pixels_sha256.
        A stored file that was damaged is replaced. Raises StorageFull.
        """

    def get(self, key: str) -> Image.Image:
        """Raises StoredImageMissing, StoredImageDamaged or StoredImageUnreadable."""

    def size(self, key: str) -> Size:
        """Of a picture, by the head of its file: nothing is decoded. Raises as get does, but finds no damage behind."""

    def put_file(self, data: bytes, suffix: str) -> str:
        """Store bytes as they are (thumbnails) and return the key of that file."""

    def read_file(self, key: str) -> bytes:
        """The stored bytes: as they are for a picture, checked for others. Raises as get does."""

    def has(self, key: str) -> bool:
        """Whether it can be asked for. Raises StoredImageUnreadable."""

    def keys(self) -> Iterator[str]:
        """Of every stored file, those in the trash left out."""

    def discard(self, key: str, *, min_age_s: float = 0) -> bool:
        """Into the trash. True if it went; left alone if it was stored, also again, within so many seconds."""

    def discarded(self, until: date) -> Iterator[str]:
        """Keys of what was discarded on this day or before."""

    def erase(self, key: str, until: date) -> int:
        """Remove for good what was discarded of it on this day or before. Returns the bytes that it took."""

    def tidy(self) -> None:
        """Remove what writers have left behind that were killed."""

    def owner(self) -> str | None:
        """The id of the gallery that these pictures belong to, if it was ever said."""

    def belong_to(self, owner: str) -> None: ...

    def location(self, key: str) -> str:
        """Where the stored file is, for a person or another program: a path or an address."""


class Reserve(Protocol):
    """Room on the disk that is set aside for deleting something when it is full."""

    def keep(self) -> None:
        """Set it aside, if it is not and there is enough. Raises StorageFull."""

    def give(self) -> bool:
        """Give it back to the disk. False if there was none."""


class Dispatcher(Protocol):
    """Brings the ids of queued generations to a worker."""

    def enqueue(self, generation_id: str) -> None: ...

    def stop(self, wait_s: float = 0) -> bool:
        """Start nothing more. What is being worked on still ends and is recorded; it is waited for so many seconds.

        Returns whether it has ended.
        """


OnDownload = Callable[[int, int], object]
"""(bytes done, bytes in all); it may raise to stop the download."""


class KeptHashes(Protocol):
    """The hashes of files that were read before, also by other processes. Neither method raises."""

    def known(self, path: Path, state: FileState) -> str | None:
        """The "sha256:..." of the file, if it is like this still."""

    def keep(self, path: Path, state: FileState, sha256: str) -> None: ...


DrawHint = Callable[[Image.Image, str], Image.Image]
"""(picture, key of domain.control.HINTS): what a ControlNet is shown of it, both RGB."""


class FileLibrary(Protocol):
    """Which files of one kind, such as LoRAs, are on this machine, told by their headers."""

    def listed(self) -> Sequence[NamedFile]:
        """Those in the folders for this kind, by name."""

    def paths(self) -> Mapping[str, Path]:
        """The files in these folders by name. They are not looked into: any of them may be of another kind."""

    def unsafe(self) -> Collection[str]:
        """Names of files in these folders that are never opened, as their formats can run code."""

    def find(self, name: str) -> NamedFile:
        """The one of this name, or in the file that a path leads to. Raises InvalidParams, such as InvalidLora."""


class ModelCatalogue(Protocol):
    """Which models there are, which of them are on this machine, and how the others get here."""

    def listed(self) -> Sequence[ModelSpec]: ...

    def find(self, key: str) -> ModelSpec:
        """A row of the table, a local file or folder, or a hub id. Raises UnknownModel."""

    def additions(self) -> Sequence[ModelSpec]:
        """What can be downloaded and added to models: LoRAs, small autoencoders."""

    def on_hub(self, key: str) -> ModelSpec:
        """What a download goes by: a model, or one of the additions. Raises UnknownModel."""

    def is_ready(self, key: str) -> bool:
        """Whether it can be loaded without any download."""

    def download(self, key: str, on_progress: OnDownload) -> None:
        """Raises TokenMissing, GateNotAccepted, RepositoryGone, NoNetwork, UnsafeWeights."""

    def discard_download(self, key: str) -> None:
        """Free the room that files take of which only a part was fetched. Complete ones stay. Raises UnknownModel."""

    def vocabulary(self, key: str) -> Vocabulary | None:
        """The words that a pocket model knows; None for models that know the language."""

    def bases(self, key: str) -> Collection[Base] | None:
        """The architectures whose LoRAs and embeddings can fit a model; None where its files do not tell.

        Raises UnknownModel.
        """

    def prompt_lengths(self, params: InpaintParams) -> Mapping[str, PromptLength]:
        """How much of each prompt that counts the model reads; nothing of a model that is not on this machine.

        Raises UnknownModel, DamagedModel, or InvalidParams for weights that cannot be read.
        """


class ModelStore(Protocol):
    """The files of models on this machine: bundled, downloaded, and in the folders that are watched."""

    rules: str
    """Another text as soon as a file may be told for something else than before."""

    def found(self) -> Sequence[Found]:
        """All of them, by name. Single files are not opened."""

    def about(self, path: Path) -> ModelFile:
        """What the header of this file says. Raises UnsafeWeights, DamagedModel."""

    def tell(self, found: Found) -> Told:
        """What it is, by headers and configurations alone."""

    def hashes(self, found: Found, on_progress: OnDownload) -> Mapping[str, str]:
        """The "sha256:..." of each of its files, by name. Raises DamagedModel for one that cannot be read, or that is
        not what its name in the hub's cache says."""

    def picture(self, path: Path) -> bytes | None:
        """A small JPEG of what stands beside a file as its preview, or in its metadata; None if there is none."""

    def words(self, path: Path) -> Sequence[str]:
        """Trigger words that stand beside a file, as A1111 keeps them."""

    def free_disk(self) -> int:
        """Bytes that are free where downloads are kept."""

    def prepared(self) -> int:
        """Bytes of the copies that were made of weights, to be loaded in less memory."""

    def remove_prepared(self) -> int:
        """Delete these copies; they are made again when they are needed. Returns their bytes. Raises StorageFull."""

    def add(self, path: Path, *, link: bool = False) -> Path:
        """Copy a file or the folder of a pipeline into the folder where its kind belongs, or link it there.

        Returns where it is now. Raises InvalidInput or ModelUnavailable for what cannot be used, StorageFull.
        """

    def remove(self, found: Found) -> None:
        """Delete its files. Raises InvalidInput for what lies outside of our own folders, StorageFull."""
