"""A model as the rest of the program knows it: a row of the model table, and what was loaded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """The one file that a model of the hub consists of. sha256: what it must be, whatever the hub has; None: what the
    hub says that it is. size: bytes; None where not known."""

    name: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model that can be chosen.

    key: what params and rows name. repository: a hub id, or None for a local folder. revision: branch, tag or commit.
    native_px: the size it was trained at. download_gb, memory_gb: rough, to plan with; None where not known.
    memory_dtype: in which type its weights take so much memory; bfloat16 of those that bear it.
    file: a checkpoint in one file; folder then holds what the file does not contain, if there is anything. pinned: the
    file of a repository that is all of it. predicts: what the model of a checkpoint in one file predicts, as diffusers'
    schedulers name it. recommended: values of InpaintParams that suit it. unused: names of InpaintParams that have no
    effect with it. wording: of the instructions that it takes, a key of instructions.TEMPLATES; None for one that is
    told what is to be seen. references: pictures that it takes as references without an IP-Adapter.
    lacks_vae: whether one must be chosen for it. place: of what is added to models and paints nothing by itself, where
    its pinned file is kept, below the folder of models.
    engine: what runs it, a key of core.engine.loading.
    """

    key: str
    title: str
    description: str
    native_px: int
    repository: str | None = None
    folder: str | None = None
    file: str | None = None
    pinned: PinnedFile | None = None
    predicts: str | None = None
    revision: str = "main"
    licence: str = "see the model's page"
    licence_url: str | None = None
    download_gb: float | None = None
    memory_gb: float | None = None
    memory_dtype: str = "float32"
    recommended: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    wording: str | None = None
    references: int = 0
    lacks_vae: bool = False
    place: str | None = None
    engine: str = "diffusers"

    @property
    def has_files(self) -> bool:
        return any((self.folder, self.repository, self.file))

    @property
    def url(self) -> str | None:
        return f"https://huggingface.co/{self.repository}" if self.repository else None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The short list of words that a pocket model knows. objects: word -> its other forms."""

    objects: Mapping[str, tuple[str, ...]]
    colours: tuple[str, ...] = ()
    background_words: tuple[str, ...] = ()

    def knows(self, prompt: str) -> bool:
        """Whether the prompt is empty (fill from the surroundings) or has at least one word of the list."""
        text = f" {' '.join(_search_words(prompt))} "
        if not text.strip():
            return True
        known = [*self.background_words]
        for word, forms in self.objects.items():
            known += [word, *forms]
        return any(f" {' '.join(_search_words(word))} " in text for word in known)


def _search_words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What was really loaded: for the record of every generation made with it.

    revision: the commit or, for a folder, the hash of its files' hashes. cell: pixels a side that share one latent.
    details: further facts in words and numbers (pipeline class, channels, weight files, attention).
    """

    key: str
    repository: str | None
    revision: str
    device: str
    dtype: str
    cell: int
    native_px: int
    load_s: float
    details: Mapping[str, Any] = field(default_factory=dict)
