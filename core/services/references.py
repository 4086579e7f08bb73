"""Reference pictures: what reads them for a model, and whether they are as many as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from core.domain.errors import InvalidReference
from core.domain.files.picture import Picture
from core.domain.geometry import Size
from core.domain.guide import Guide
from core.domain.lora import shared_name
from core.domain.model_file import NamedFile
from core.domain.params import InpaintParams
from core.domain.pixels import compositing
from core.domain.reference import (
    MAX_REFERENCES,
    encoder_missing,
    problem_of,
    references_in,
    suits,
    without_references,
)
from core.ports import FileLibrary, ImageStore
from core.services.additions import Additions, Bases


@dataclass(frozen=True, slots=True)
class References(Additions):
    """library: of IP-Adapters. encoders: of what they see by."""

    FIELD = "ip_adapter"

    images: ImageStore
    encoders: FileLibrary

    def most(self, model: str) -> int:
        """How many reference pictures this model takes, by itself or by an IP-Adapter."""
        spec = self._spec(model)
        if spec is None:
            return 0
        return spec.references if self.FIELD in spec.unused else MAX_REFERENCES

    def needs_adapter(self, model: str) -> bool:
        spec = self._spec(model)
        return spec is not None and self.FIELD not in spec.unused

    def usual(self, model: str) -> str:
        """The IP-Adapter that is meant where none is named: the only one for this model; else none."""
        fitting = self.for_model(model)
        return fitting[0].name if len(fitting) == 1 else ""

    def used(self, model: str, guides: Sequence[Guide[Any]]) -> tuple[Guide[Any], ...]:
        """Without reference pictures where the model takes none."""
        return tuple(guides) if self.most(model) else without_references(guides)

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidReference for an IP-Adapter that is not there or was made for other models, that has no image
        encoder on this machine, and for a model that takes none."""
        if not params.ip_adapter:
            return
        spec = self._spec(params.model)
        if spec is not None and self.FIELD in spec.unused:
            raise InvalidReference(f"{spec.title} takes no IP-Adapter. Leave it out, or choose another model.")
        file = self.library.find(params.ip_adapter)
        problem = self._problem(file, self._bases(params.model))
        if problem is None and not any(suits(one.about, file.about) for one in self.encoders.listed()):
            problem = encoder_missing(file.about, file.path.name)
        if problem:
            raise InvalidReference(f"IP-Adapter: {problem}")

    def check_pictures(self, params: InpaintParams, guides: Sequence[Guide[Any]]) -> None:
        """Raises InvalidReference unless there are as many as the model, or its IP-Adapter, takes."""
        count, most = len(references_in(guides)), self.most(params.model)
        spec = self._spec(params.model)
        title = spec.title if spec else params.model
        if params.ip_adapter and not count:
            raise InvalidReference(
                f"IP-Adapter: {shared_name(params.ip_adapter)} has no reference picture to look at. Add one, or choose "
                "no IP-Adapter."
            )
        if count > most:
            takes = f"at most {most} reference picture{'' if most == 1 else 's'}" if most else "no reference picture"
            advice = "Take the others away" if most else "Leave it out"
            raise InvalidReference(f"{title} takes {takes}. {advice}, or choose another model.")
        if count and not params.ip_adapter and self.needs_adapter(params.model):
            raise InvalidReference(
                f"{title} looks at a reference picture by an IP-Adapter. Choose one (--ip-adapter), from the folder "
                "models/ipadapter in the data folder."
            )

    def keep(self, picture: Picture) -> str:
        """Store a reference picture, and return its key."""
        return self.images.put(reference_picture(picture.image))

    def _problem(self, file: NamedFile, bases: Bases) -> str | None:
        return problem_of(file.about, file.path.name) or file.problem_for(bases)


def reference_picture(image: Image.Image) -> Image.Image:
    """As RGB. Transparent parts are white, like behind things in a catalogue."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return compositing.for_screen(image, Size(*image.size))
