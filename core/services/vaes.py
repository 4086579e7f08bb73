"""Which VAEs can take the place of a model's own, and whether the one that is asked for can."""

from __future__ import annotations

from core.domain.errors import InvalidVae
from core.domain.model_file import Base, NamedFile
from core.domain.params import PARAMETERS, InpaintParams
from core.services.additions import Additions, Bases

CHANNELS = 4
"""Of the latents of Stable Diffusion 1, 2 and XL."""

SHARED = (Base.SD1, Base.SD2)
"""They have one space of latents."""

TAKE_ONE = (*SHARED, Base.SDXL)


class Vaes(Additions):
    __slots__ = ()

    FIELD = "vae"

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidVae for one that is not there or was made for other models, for a model that takes none, and
        where none was chosen for a checkpoint that comes without its own."""
        spec = self._spec(params.model)
        if spec is None:
            return
        if not params.vae:
            if spec.lacks_vae:
                raise InvalidVae(
                    f"{spec.title} comes without its VAE. Choose one under {PARAMETERS[self.FIELD].title}, among More "
                    "parameters (--vae), or a version of this checkpoint that contains it."
                )
            return
        if self.FIELD in spec.unused:
            raise InvalidVae(f"{spec.title} takes no other VAE. Use its own, or choose another model.")
        if problem := self._problem(self.library.find(params.vae), self._bases(params.model)):
            raise InvalidVae(f"VAE: {problem}")

    def _problem(self, file: NamedFile, bases: Bases) -> str | None:
        about = file.about
        if about.latent_channels not in (None, CHANNELS):
            return (
                f"{file.path.name} has latents of {about.latent_channels} channels, and those of this model have "
                f"{CHANNELS}. Choose one that was made for this model."
            )
        if bases and not set(bases) & set(TAKE_ONE):
            return f"{file.path.name} is for Stable Diffusion, and this model is {next(iter(bases))}. Use its own."
        return file.problem_for((*bases, *SHARED) if bases and set(bases) & set(SHARED) else bases)
