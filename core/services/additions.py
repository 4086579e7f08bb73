"""Files that are added to a model, or take the place of a part of it: which there are for a model, and which fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.domain.errors import StudioError
from core.domain.model import ModelSpec
from core.domain.model_file import Base, NamedFile
from core.ports import FileLibrary, ModelCatalogue

Bases = Collection[Base] | None
"""The architectures that a model can have; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Of one kind. FIELD: of InpaintParams, which names them."""

    FIELD: ClassVar[str]

    library: FileLibrary
    models: ModelCatalogue

    def for_model(self, model: str) -> Sequence[NamedFile]:
        """Those in the folders that can have been made for this model, by name; none for one that takes none."""
        spec, bases = self._spec(model), self._bases(model)
        if spec is None or self.FIELD in spec.unused:
            return ()
        return [file for file in self.library.listed() if self._problem(file, bases) is None]

    def _problem(self, file: NamedFile, bases: Bases) -> str | None:
        """Why it cannot be used with a model of one of these architectures, as far as headers tell."""
        return file.problem_for(bases)

    def _spec(self, model: str) -> ModelSpec | None:
        try:
            return self.models.find(model)
        except StudioError:
            return None  # told elsewhere

    def _bases(self, model: str) -> Bases:
        try:
            return self.models.bases(model)
        except StudioError:
            return None  # told when it is loaded
