"""The models that can be chosen: those of the table, and files, folders and hub ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import core
from core.domain.errors import DamagedModel, InvalidParams, ModelNotDownloaded, ModelUnavailable, UnknownModel
from core.domain.geometry import MULTIPLE
from core.domain.model import ModelSpec, Vocabulary
from core.domain.model_file import Base, FileKind, ModelFile
from core.domain.params import InpaintParams, number
from core.domain.prompt_length import PromptLength
from core.domain.upscale import Upscale, upscale_of
from core.engine import families
from core.engine.models import (
    downloaded,
    folders,
    hub,
    integrity,
    kinds,
    names,
    removers,
    single_file,
    transformer_file,
    upscalers,
)
from core.engine.models.additions import ADDITIONS
from core.engine.models.integrity import read_index
from core.engine.models.lora_header import CONTEXT
from core.engine.models.named_files import NamedFiles
from core.engine.models.table import MODELS
from core.engine.models.weights import INDEX, Choice, Components, choose
from core.engine.models.words import Words
from core.engine.run import prompts, tokens
from core.engine.run.signs import MOST_OF_ONE, Signs
from core.ports import OnDownload
from core.settings import Settings

ROOT = Path(core.__file__).parent.parent
"""Folders in the table are relative to the repository."""


class Catalogue:
    """A ports.ModelCatalogue over the table, folders and the hub's cache on this machine.

    root: where folders of the table are. cache: folder of the hub's files; default: the hub library's own.
    endpoint: address of the hub; default: the hub library's own. dtype: what the device in use computes in.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: Sequence[ModelSpec] = MODELS,
        additions: Sequence[ModelSpec] = ADDITIONS,
        root: Path = ROOT,
        cache: Path | None = None,
        endpoint: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self._settings = settings
        self._models = {spec.key: spec for spec in models}
        self._additions = {spec.key: spec for spec in additions}
        self._root = root
        self._hub = hub.Hub(token=settings.token, offline=settings.offline, cache=cache, endpoint=endpoint)
        self._dtype = dtype
        self._with_words: dict[str, tuple[ModelSpec, Words, ModelSpec]] = {}

    def listed(self) -> Sequence[ModelSpec]:
        return tuple(self._completed(spec) for spec in self._models.values())

    def additions(self) -> Sequence[ModelSpec]:
        return tuple(self._additions.values())

    def on_hub(self, key: str) -> ModelSpec:
        if key.strip() in self._additions:
            return self._additions[key.strip()]
        # By its hub id, or the address of it, where the repository has no other.
        repository = names.as_hub_id(names.checked(key))
        found = [spec for spec in self._additions.values() if spec.repository == repository]
        return found[0] if len(found) == 1 else self.find(key)

    def find(self, key: str) -> ModelSpec:
        """A row of the table, a checkpoint in one file, a folder with a model_index.json, a hub id or an address on it.

        Raises UnknownModel, of a folder also DamagedModel.
        """
        key = names.as_hub_id(names.checked(key))
        if upscale := _upscale_of(key):
            return upscalers.spec_of(upscale)
        if key in self._models:
            return self._completed(self._models[key])
        if file := names.file_of(key):
            return self._of_file(key, *file)
        folder = names.folder_of(key)
        return self._of_folder(key, folder) if folder else self._of_hub(key)

    def is_ready(self, key: str) -> bool:
        try:
            spec = self.on_hub(key)
            if spec.place:
                return self._place(spec).is_file()
            return not spec.has_files or self.locate(key).exists()
        except ModelUnavailable:
            return False

    def download(self, key: str, on_progress: OnDownload) -> None:
        """Bring the files of a model here, and of what it needs beside it; what was broken off is continued."""
        spec = self.on_hub(key)
        if not spec.has_files:
            return
        if spec.repository is None:
            self.locate(key)
            return
        if spec.place:
            self._download_addition(spec, on_progress)
            return
        self._hub.download(
            spec, on_progress, dtype=self._download_dtype(), safety_checker=self._settings.safety_checker
        )

    def _download_addition(self, spec: ModelSpec, on_progress: OnDownload) -> None:
        """To its place in the folder of models; in the hub's cache it stays only if it was there before."""
        was_there = self._is_in_cache(spec)
        # Of no precision and no safety checker: it is one file.
        self._hub.download(spec, on_progress, dtype="float32", safety_checker=False)
        downloaded.take_in(self._pinned(spec), self._place(spec))
        if not was_there:
            self._hub.forget(spec)

    def discard_download(self, key: str) -> None:
        spec = self.on_hub(key)
        if spec.repository is not None:
            self._hub.discard_parts(spec)

    def vocabulary(self, key: str) -> Vocabulary | None:
        spec = self.find(key)
        return Words.of(self._folder(spec)).vocabulary if spec.folder else None

    def bases(self, key: str) -> Collection[Base] | None:
        spec = self.find(key)
        folder = self._folder(spec) if spec.folder else self._hub.snapshot(spec) if spec.repository else None
        unet = integrity.read_object(folder / "unet" / "config.json") if folder else None
        width = (unet or {}).get("cross_attention_dim")
        if not isinstance(width, int):
            return None
        return [base for context, base in CONTEXT.items() if context == width]

    def prompt_lengths(self, params: InpaintParams) -> Mapping[str, PromptLength]:
        spec = self.find(params.model)
        if not spec.has_files or spec.engine != "diffusers":
            return {}
        try:
            folder = self.locate(params.model)
        except ModelNotDownloaded:
            return {}
        family = families.of(read_index(folder))
        reading = self.companion(folder) or folder
        index = read_index(reading)
        # Checkpoints in one file share a tokenizer, beside their configurations.
        tokenizer = tokens.reader_of_folder(reading.parent if spec.predicts else reading, index, family)
        if tokenizer is None:
            return {}
        signs, params = self._signs(params), family.seen(params)
        reads = signs.teach(tokens.copy_of(tokenizer)) if signs.all else tokenizer
        found = {n: tokens.measure(reads, family, text) for n, text in prompts.words(signs.written(params)).items()}
        return {name: replace(length, unread=signs.read_back(length.unread)) for name, length in found.items()}

    def _signs(self, params: InpaintParams) -> Signs:
        """For the embeddings of these params, as far as they are on this machine."""
        library, counts = NamedFiles.watched(self._settings, FileKind.EMBEDDING), dict[str, int]()
        for name in params.embeddings:
            with suppress(InvalidParams):
                counts[name] = min(library.find(name).about.vectors or 0, MOST_OF_ONE)
        return Signs.of(counts)

    def locate(self, key: str) -> Path:
        """The folder that the model is loaded from; of a checkpoint in one file, that of what it does not contain; of a
        remover its file.

        Raises ModelNotDownloaded, also if its companion is not there, or another ModelUnavailable.
        """
        spec = self.find(key)
        if spec.engine in (removers.ENGINE, upscalers.ENGINE):
            return Path(spec.file) if spec.file else self._pinned(spec)
        folder = self._folder(spec) if spec.folder else self._hub.snapshot(spec)
        if folder is None or not (folder / INDEX).is_file():
            raise ModelNotDownloaded(
                None
                if spec.repository
                else f"The folder of this model ({spec.folder}) is missing. Get a complete copy of this program."
            )
        if spec.file:
            return folder
        try:
            self.choice(folder, "float32")
            Words.of(folder)
        except DamagedModel as error:
            if spec.repository:
                problem = str(error).partition(". ")[0]
                raise ModelNotDownloaded(
                    f"The download of this model is not complete. {problem}. Download it again: complete files are "
                    "kept."
                ) from None
            raise
        self.companion(folder)
        return folder

    def _pinned(self, spec: ModelSpec) -> Path:
        """The file of a model of the hub that consists of one. Raises ModelNotDownloaded."""
        snapshot = self._hub.snapshot(spec)
        if snapshot is None or spec.pinned is None or not (snapshot / spec.pinned.name).is_file():
            raise ModelNotDownloaded
        return snapshot / spec.pinned.name

    def _is_in_cache(self, spec: ModelSpec) -> bool:
        with suppress(ModelUnavailable):
            self._pinned(spec)
            return True
        return False

    def _place(self, spec: ModelSpec) -> Path:
        return self._settings.models / (spec.place or "")

    def companion(self, folder: Path) -> Path | None:
        """The folder of the companion of the model in this one, if it has one. Raises ModelNotDownloaded."""
        companion = families.of(read_index(folder)).companion
        if companion is None:
            return None
        try:
            return self.locate(companion)
        except ModelNotDownloaded:
            raise ModelNotDownloaded(
                f"This model also needs {companion}, which is not on this machine, or not complete. Download it too."
            ) from None

    def choice(self, folder: Path, dtype: str, *, without: str | None = None) -> Choice:
        """The files of a model folder to load for this dtype, each whole. Raises UnsafeWeights or DamagedModel.

        without: a component that comes from elsewhere.
        """
        components = Components.of(read_index(folder), safety_checker=self._settings.safety_checker).without(without)
        files = [path.relative_to(folder).as_posix() for path in folder.glob("*")]
        files += [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
        choice = choose(files, components, dtype=dtype)
        integrity.check(folder, choice)
        return choice

    def _download_dtype(self) -> str:
        if self._dtype is None:
            from core.engine import device

            self._dtype = device.resolve(self._settings.device).dtype
        return self._dtype

    def _folder(self, spec: ModelSpec) -> Path:
        return self._root / (spec.folder or "")

    def _completed(self, spec: ModelSpec) -> ModelSpec:
        """With what the model's own folder says about it."""
        if not spec.folder:
            return spec
        try:
            words = Words.of(self._folder(spec))
        except DamagedModel:
            return spec  # it is told where its words are needed: one damaged model must not hide the others
        row, read, completed = self._with_words.get(spec.key, (None, None, spec))
        # Words are the same object for as long as their file stays as it is.
        if row is not spec or read is not words:
            completed = replace(spec, recommended={**spec.recommended, **words.values})
            self._with_words[spec.key] = spec, words, completed
        return completed

    def _of_folder(self, key: str, folder: Path) -> ModelSpec:
        spec = ModelSpec(
            key=key,
            title=folder.name,
            description=f"A folder on this machine: {folder}",
            folder=str(folder),
            licence="see the folder",
            **_suited(folder, native_size(folder)),
        )
        return self._completed(spec)

    def _of_file(self, key: str, file: Path, chosen: str | None) -> ModelSpec:
        try:
            told = kinds.of(file)
        except ModelUnavailable as error:
            raise UnknownModel(str(error)) from error
        if told.kind is FileKind.REMOVER:
            return removers.of_file(key, file, told)
        if transformer_file.is_one(told):
            return self._of_transformer(key, file, told, chosen)
        single_file.check(told, file.name)
        predicts = single_file.prediction(told, chosen, file.name)
        layout = single_file.layout(told)
        return ModelSpec(
            key=key,
            title=file.stem,
            description=f"A file on this machine: {file}",
            folder=layout,
            file=str(file),
            predicts=predicts,
            lacks_vae=single_file.VAE in told.lacks,
            licence="see where the file comes from",
            **_suited(self._root / layout, single_file.native_px(told, predicts)),
        )

    def _of_transformer(self, key: str, file: Path, told: ModelFile, chosen: str | None) -> ModelSpec:
        family = transformer_file.family_of(told, file.name)
        folder = self._folder_of_model(chosen) if chosen else self._folder_of_family(family)
        if folder is None:
            raise UnknownModel(
                f"{file.name} is the transformer of a model of the family {chosen or family}. Text encoders and VAE "
                "come from a pipeline of that family, and none is on this machine: download one, put its folder into "
                "models/checkpoints, or write its name behind that of the file, as in "
                f"{file.name}@owner/name."
            )
        return ModelSpec(
            key=key,
            title=file.stem,
            description=f"A file on this machine: {file}, with text encoders and VAE from {folder}",
            folder=str(folder),
            file=str(file),
            licence="see where the file comes from",
            **_suited(folder, native_size(folder)),
        )

    def _folder_of_model(self, key: str) -> Path | None:
        """The folder of a pipeline that is on this machine. Raises UnknownModel."""
        spec = self.find(key)
        if spec.engine != "diffusers":
            raise UnknownModel(f"{key} is no diffusers pipeline. Name the folder of one there, or its hub id.")
        return self._folder(spec) if spec.folder else self._hub.snapshot(spec) if spec.repository else None

    def _folder_of_family(self, title: str) -> Path | None:
        """Of the first pipeline of this family that is on this machine: downloaded, or among the artist's own."""
        downloaded = (self._hub.snapshot(spec) for spec in self._models.values() if spec.repository)
        own = (
            path
            for folder in folders.watched_for(self._settings, FileKind.CHECKPOINT)
            for path in sorted(folder.glob("*"))
        )
        for folder in (*filter(None, downloaded), *own):
            if (folder / INDEX).is_file() and (family := _family(folder)) and family.title == title:
                return folder
        return None

    def _of_hub(self, key: str) -> ModelSpec:
        match = names.HUB_ID.fullmatch(key)
        if match is None or ".." in key or "--" in match["repository"] or len(match["repository"]) > names.LONGEST_ID:
            raise UnknownModel
        for spec in self._models.values():
            if spec.repository == match["repository"]:
                return replace(spec, key=key, revision=match["revision"] or spec.revision)
        spec = ModelSpec(
            key=key,
            title=match["repository"],
            description="A model from the Hugging Face hub.",
            native_px=512,
            repository=match["repository"],
            revision=match["revision"] or "main",
        )
        here = self._hub.snapshot(spec)
        if here is None:
            return replace(spec, recommended={"size": spec.native_px})
        return replace(spec, **_suited(here, native_size(here)))


def _upscale_of(key: str) -> Upscale | None:
    try:
        return upscale_of(key)
    except ValueError as error:
        raise UnknownModel(f"The name of an upscale {error}.") from error


def native_size(folder: Path) -> int:
    """The size a pipeline was trained at, in pixels: its latents' side times the pixels a side of one latent.

    That of its family, where the folder says none that could be chosen.
    """
    family = _family(folder) or families.FAMILIES[0]
    denoiser = integrity.read_object(folder / family.denoiser / "config.json") or {}
    vae = integrity.read_object(folder / family.autoencoder / "config.json") or {}
    blocks = vae.get("block_out_channels") or vae.get("decoder_block_out_channels") or [0] * 4
    side = denoiser.get("sample_size")
    if not isinstance(side, int) or not isinstance(blocks, list):
        return family.native_px
    px = side * 2 ** (len(blocks) - 1)
    return px if px in number("size") and px % MULTIPLE == 0 else family.native_px


def _family(folder: Path) -> families.Family | None:
    try:
        return families.of(read_index(folder))
    except ModelUnavailable:
        # Told when it is to be loaded; a folder can be looked at before.
        return None


def _suited(folder: Path, native_px: int) -> dict[str, Any]:
    """What the folder of a pipeline says of a ModelSpec. native_px: the size it was trained at."""
    family = _family(folder)
    if family is None:
        return {"native_px": native_px, "recommended": {"size": native_px}}
    recommended = {**family.recommended(read_index(folder)), "size": native_px}
    return {
        "native_px": native_px,
        "recommended": recommended,
        "unused": family.unused,
        "wording": family.wording,
        "references": family.references,
    }
