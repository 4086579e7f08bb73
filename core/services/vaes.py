"""Which VAEs can take the place of a model's own, and whether the one that is asked for can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.errors import InvalidVae, StudioError
from core.domain.model import ModelSpec
from core.domain.model_file import Base, NamedFile
from core.domain.params import PARAMETERS, InpaintParams
from core.ports import FileLibrary, ModelCatalogue

FIELD = "vae"

CHANNELS = 4
"""Of the latents of Stable Diffusion 1, 2 and XL."""

SHARED = (Base.SD1, Base.SD2)
"""They have one space of latents."""

TAKE_ONE = (*SHARED, Base.SDXL)


@dataclass(frozen=True, slots=True)
class Vaes:
    library: FileLibrary
    models: ModelCatalogue

    def for_model(self, model: str) -> Sequence[NamedFile]:
        """Those in the folders that can have been made for this model, by name; none for one that takes none."""
        spec = self._spec(model)
        if spec is None or FIELD in spec.unused:
            return ()
        return [file for file in self.library.listed() if self._problem(file, model) is None]

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidVae for one that is not there or was made for other models, for a model that takes none, and
        where none was chosen for a checkpoint that comes without its own."""
        spec = self._spec(params.model)
        if spec is None:
            return
        if not params.vae:
            if spec.lacks_vae:
                raise InvalidVae(
                    f"{spec.title} comes without its VAE. Choose one under {PARAMETERS[FIELD].title}, among More "
                    "parameters (--vae), or a version of this checkpoint that contains it."
                )
            return
        if FIELD in spec.unused:
            raise InvalidVae(f"{spec.title} takes no other VAE. Use its own, or choose another model.")
        if problem := self._problem(self.library.find(params.vae), params.model):
            raise InvalidVae(problem)

    def _problem(self, file: NamedFile, model: str) -> str | None:
        about, bases = file.about, self.models.bases(model)
        if about.latent_channels not in (None, CHANNELS):
            return (
                f"VAE: {file.path.name} has latents of {about.latent_channels} channels, and those of this model have "
                f"{CHANNELS}. Choose one that was made for this model."
            )
        if bases and not set(bases) & set(TAKE_ONE):
            return f"VAE: {file.path.name} is for Stable Diffusion, and this model is {next(iter(bases))}. Use its own."
        bases = SHARED if bases and about.base in SHARED and set(bases) & set(SHARED) else bases
        if not file.can_be_for(bases):
            this = next(iter(bases or ()), "another one")
            return (
                f"VAE: {file.path.name} was made for {about.base}, and this model is {this}. Choose one that was made "
                "for this model."
            )
        return None

    def _spec(self, model: str) -> ModelSpec | None:
        try:
            return self.models.find(model)
        except StudioError:
            return None  # told elsewhere
