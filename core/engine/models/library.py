"""The files of models on this machine: bundled, in the hub's cache, and in the folders that are watched."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.domain import control, reference
from core.domain.errors import (
    DamagedModel,
    InvalidInput,
    ModelUnavailable,
    NotAnInpaintingModel,
    StorageFull,
    StudioError,
)
from core.domain.hashing import sha256_of
from core.domain.model_file import FileKind, ModelFile
from core.domain.model_library import BYTES, FLOAT32, FileState, Found, Place, Told
from core.engine import families
from core.engine.models import (
    beside,
    fingerprint,
    folders,
    hub,
    kinds,
    lora_header,
    onnx_header,
    onnx_kinds,
    other_kinds,
    placing,
    single_file,
    transformer_file,
)
from core.engine.models.catalogue import ROOT, Catalogue
from core.engine.models.integrity import read_index, read_object
from core.engine.models.lora_header import CONTEXT
from core.engine.models.named_files import title_of
from core.engine.models.names import ENDINGS
from core.engine.models.weights import INDEX
from core.engine.storage import prepared
from core.files import why
from core.ports import OnDownload
from core.settings import Settings

NO_MODELS = (".bin", ".pkl", ".msgpack", ".h5")
"""Endings that files of weights have, and other files as often: those without a model are no news."""

USED = (
    FileKind.LORA,
    FileKind.EMBEDDING,
    FileKind.VAE,
    FileKind.TINY_VAE,
    FileKind.CONTROLNET,
    FileKind.IP_ADAPTER,
    FileKind.IMAGE_ENCODER,
    FileKind.REMOVER,
)
"""Beside checkpoints."""


class LocalModels:
    """A ports.ModelStore. cache: the hub's folder; default: the hub library's own."""

    def __init__(self, settings: Settings, catalogue: Catalogue, *, cache: Path | None = None) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._hub = hub.Hub(offline=True, cache=cache)
        sources = (
            control,
            kinds,
            lora_header,
            onnx_header,
            onnx_kinds,
            other_kinds,
            reference,
            single_file,
            transformer_file,
        )
        self.rules = sha256_of(b"".join(Path(str(source.__file__)).read_bytes() for source in sources))

    def found(self) -> Sequence[Found]:
        found = [*self._bundled(), *self._downloaded(), *self._watched()]
        return sorted(found, key=lambda one: one.title.casefold())

    def about(self, path: Path) -> ModelFile:
        return kinds.of(path)

    def tell(self, found: Found) -> Told:
        if found.path is None:
            return Told(FileKind.CONTENT_FILL)
        if found.is_folder:
            return self._tell_of_pipeline(found, found.path)
        try:
            about = transformer_file.as_checkpoint(kinds.of(found.path))
        except ModelUnavailable as error:
            return Told(problem=str(error))
        return Told.of(about, _problem(about, found.path.name))

    def hashes(self, found: Found, on_progress: OnDownload) -> Mapping[str, str]:
        if found.path is None:
            raise InvalidInput(f"{found.title} has no files, so there is nothing to verify.")
        if not found.is_folder:
            sha256 = _sha256(found.path, lambda done: on_progress(done, found.size))
            _check_name_in_cache(found.path, sha256)
            return {found.path.name: sha256}
        files = self._catalogue.choice(found.path, "float32").files
        sizes = {name: (found.path / name).stat().st_size for name in files}
        hashes, before = {}, 0
        for name, size in sizes.items():
            path, at = found.path / name, before
            hashes[name] = _sha256(path, lambda done, at=at: on_progress(at + done, sum(sizes.values())))  # type: ignore[misc]
            _check_name_in_cache(path, hashes[name])
            before += size
        return hashes

    def picture(self, path: Path) -> bytes | None:
        return beside.picture(path)

    def words(self, path: Path) -> Sequence[str]:
        return beside.trigger_words(path)

    def free_disk(self) -> int:
        folder = self._hub.cache_folder
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def prepared(self) -> int:
        return sum(file.stat().st_size for file in prepared.files(self._settings.prepared))

    def remove_prepared(self) -> int:
        try:
            return prepared.remove(self._settings.prepared)
        except OSError as error:
            raise StorageFull(f"A prepared copy cannot be deleted: {why(error)}. Close what uses it.") from error

    def add(self, path: Path, *, link: bool = False) -> Path:
        try:
            path = path.expanduser().absolute()
            is_folder, exists = path.is_dir(), path.exists()
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidInput(f"{path} cannot be accessed. Check the path.") from error
        if not exists:
            raise InvalidInput(f"{path} does not exist. Check the path.")
        weights = _only_weights(path) if is_folder else None
        if weights is not None and kinds.of(weights).kind is FileKind.CONTROLNET:
            # Of several files of diffusers' one name only the folder tells which it is.
            _check(kinds.of(weights), path.name)
            folder = placing.place(path, self._settings.models / folders.OWN[FileKind.CONTROLNET], link=link)
            return folder / weights.name
        if is_folder:
            kind = self._kind_of_folder(path)
        else:
            about = transformer_file.as_checkpoint(kinds.of(path))
            _check(about, path.name)
            kind = about.kind
        return placing.place(path, self._settings.models / folders.OWN[kind], link=link)

    def remove(self, found: Found) -> None:
        if found.path is None or found.place in (Place.BUNDLED, Place.ELSEWHERE):
            raise InvalidInput(f"{found.title} is not in a folder of Inpaint Studio, so it is not removed.")
        if found.place is Place.HUB:
            # snapshots/COMMIT below the folder of the repository.
            snapshot = found.path if found.is_folder else found.path.parent
            placing.remove(snapshot.parent.parent, within=self._hub.cache_folder)
            return
        placing.remove(found.path, within=self._settings.models)
        for path in beside.files(found.path):
            placing.remove(path, within=self._settings.models)

    # What there is ------------------------------------------------------------------------------------------------

    def _bundled(self) -> Iterator[Found]:
        for spec in self._catalogue.listed():
            if not spec.has_files:
                yield Found(spec.key, spec.title, Place.BUNDLED)
            elif spec.folder:
                yield _pipeline(spec.key, spec.title, Place.BUNDLED, ROOT / spec.folder)
        for folder in folders.BUNDLED.values():
            yield from _models_in(folder, Place.BUNDLED, set())

    def _downloaded(self) -> Iterator[Found]:
        keys = {spec.repository: (spec.key, spec.title) for spec in self._catalogue.listed()}
        for repository in self._hub.repositories():
            key, title = keys.get(repository, (repository, repository))
            with suppress(StudioError, OSError):
                spec = self._catalogue.find(key)
                snapshot = self._hub.snapshot(spec)
                if snapshot is None:
                    continue
                if spec.pinned is not None:
                    yield _file(key, title, Place.HUB, snapshot / spec.pinned.name)
                elif (snapshot / INDEX).is_file():
                    yield _pipeline(key, title, Place.HUB, snapshot)

    def _watched(self) -> Iterator[Found]:
        seen: set[str] = set()
        for folder in folders.watched(self._settings):
            yield from _models_in(folder.path, Place.OURS if folder.is_ours else Place.ELSEWHERE, seen)

    # What it is ---------------------------------------------------------------------------------------------------

    def _tell_of_pipeline(self, found: Found, folder: Path) -> Told:
        family, problem, needs, of_unet, bears_half = _family_or_none(folder), None, None, 0, False
        try:
            self._catalogue.locate(found.key)
            files = self._catalogue.choice(folder, "float32").files
            parts = {name: _needs(folder / name) for name in files if name.endswith(".safetensors")}
            needs, of_unet = sum(parts.values()), sum(n for name, n in parts.items() if name.startswith("unet/"))
            bears_half = families.of(read_index(folder)).half == "bfloat16"
        except StudioError as error:
            problem = str(error)
        return Told(FileKind.CHECKPOINT, family, problem=problem, needs=needs, of_unet=of_unet, bears_half=bears_half)

    def _kind_of_folder(self, path: Path) -> FileKind:
        if not (path / INDEX).is_file():
            raise InvalidInput(
                f"The folder {path} has no {INDEX}, so it is not a diffusers pipeline. Add its files one by one, or "
                "name the folder in INPAINT_STUDIO_MODEL_FOLDERS."
            )
        families.of(read_index(path))
        self._catalogue.choice(path, "float32")
        return FileKind.CHECKPOINT


def _only_weights(folder: Path) -> Path | None:
    """The one file of weights in a folder that is no pipeline."""
    files = [] if (folder / INDEX).exists() else [*folder.glob("*.safetensors")]
    return files[0] if len(files) == 1 else None


def _check(about: ModelFile, name: str) -> None:
    """Raises NotAnInpaintingModel for what cannot be used here."""
    if problem := _problem(about, name):
        raise NotAnInpaintingModel(problem)


def _problem(about: ModelFile, name: str) -> str | None:
    """Why such a file cannot be used here."""
    if about.kind is FileKind.CONTROLNET:
        return control.problem_of(about, name)
    if about.kind is FileKind.IP_ADAPTER:
        return reference.problem_of(about, name)
    if about.kind in USED or (about.kind is FileKind.UPSCALER and name.lower().endswith(onnx_header.ENDING)):
        return None
    try:
        if transformer_file.is_one(about):
            transformer_file.family_of(about, name)
        else:
            single_file.check(about, name)
    except InvalidInput as error:
        return str(error)
    return None


def _models_in(root: Path, place: Place, seen: set[str]) -> Iterator[Found]:
    """Files and pipelines below a folder. seen: as of folders.walk."""
    for folder, subfolders, names in folders.walk(root, seen):
        if INDEX in names:
            subfolders.clear()
            with suppress(OSError):
                yield _pipeline(str(folder), folder.name, place, folder)
            continue
        for path in (folder / name for name in names if _is_of_weights(name)):
            with suppress(OSError, ValueError):
                str(path).encode()  # what is no text can be called by nobody
                if path.is_file():
                    yield _file(str(path), title_of(path), place, path)


def _is_of_weights(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not name.lower().endswith(NO_MODELS)


def _file(key: str, title: str, place: Place, path: Path) -> Found:
    """Raises OSError."""
    state = FileState.told_by(path.stat())
    return Found(key, title, place, path, state.size, state.mtime_ns, inode=state.inode)


def _pipeline(key: str, title: str, place: Place, folder: Path) -> Found:
    """size: of the weights. Raises OSError."""
    states = [path.stat() for path in (*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")) if path.exists()]
    newest = max((state.st_mtime_ns for state in states), default=0)
    return Found(key, title, place, folder, sum(state.st_size for state in states), newest, is_folder=True)


def _family(folder: Path) -> str:
    """Of a UNet, by the width of the text that it reads; else what its pipeline is called."""
    family = families.of(read_index(folder))
    width = (read_object(folder / "unet" / "config.json") or {}).get("cross_attention_dim")
    base = CONTEXT.get(width) if isinstance(width, int) and family.title.startswith("Stable Diffusion") else None
    return base.value if base else family.title


def _family_or_none(folder: Path) -> str | None:
    try:
        return _family(folder)
    except ModelUnavailable:
        return None


def _needs(path: Path) -> int:
    about = kinds.of(path)
    return about.size * FLOAT32 // BYTES[about.dtypes[0]] if about.dtypes else about.size


def _sha256(path: Path, on_progress: Callable[[int], object]) -> str:
    try:
        return fingerprint.read(path, on_progress)
    except OSError as error:
        raise DamagedModel(f"{path.name} cannot be read ({why(error)}). Download or copy it again.") from error


def _check_name_in_cache(path: Path, sha256: str) -> None:
    """Raises DamagedModel for a large file of the hub's cache, which is named by its hash, that is not that file."""
    stored = path.resolve()
    named = stored.parent.name == "blobs" and len(stored.name) == len(sha256.removeprefix("sha256:"))
    if named and sha256 != f"sha256:{stored.name}":
        raise DamagedModel(f"{path.name} is not what was downloaded. Remove the model and download it again.")
