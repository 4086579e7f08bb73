"""Which ControlNets there are for a model, what they are shown, and whether those that are asked for can be used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from PIL import Image

from core.domain.control import GIVEN, problem_of
from core.domain.errors import InvalidControlNet, StudioError
from core.domain.files.picture import Picture
from core.domain.geometry import Size
from core.domain.model import ModelSpec
from core.domain.model_file import Base, NamedFile
from core.domain.params import InpaintParams
from core.domain.pixels import compositing
from core.ports import DrawHint, FileLibrary, ImageStore, ModelCatalogue

FIELD = "controlnet"


@dataclass(frozen=True, slots=True)
class ControlNets:
    """draw: makes the picture that a ControlNet is shown."""

    library: FileLibrary
    models: ModelCatalogue
    images: ImageStore
    draw: DrawHint

    def for_model(self, model: str) -> Sequence[NamedFile]:
        """Those in the folders that can have been made for this model, by name; none for one that takes none."""
        spec, bases = self._about(model)
        if spec is None or FIELD in spec.unused:
            return ()
        usable = (file for file in self.library.listed() if problem_of(file.about, file.path.name) is None)
        return [file for file in usable if file.can_be_for(bases)]

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidControlNet for one that is not there or was made for other models, and for a model that takes
        none. What cannot be told by headers is told when it is painted.
        """
        if not params.controlnet:
            return
        spec, bases = self._about(params.model)
        if spec is not None and FIELD in spec.unused:
            raise InvalidControlNet(f"{spec.title} takes no ControlNet. Leave it out, or choose another model.")
        for control in params.controlnet:
            file = self.library.find(control.name)
            if problem := problem_of(file.about, file.path.name):
                raise InvalidControlNet(f"ControlNet: {problem}")
            if not file.can_be_for(bases):
                this = next(iter(bases or ()), "another one")
                raise InvalidControlNet(
                    f"ControlNet: {file.path.name} was made for {file.about.base}, and this model is {this}. Choose "
                    "one that was made for this model."
                )

    def keep(self, picture: Picture) -> str:
        """Store a control picture, and return its key."""
        return self.images.put(control_picture(picture.image))

    def hint(self, key: str, kind: str, longest_px: int) -> Image.Image:
        """What a ControlNet is shown of the picture of this key, RGB, at most so long: for people to look at.

        Raises as the image store does.
        """
        picture = self.images.get(key)
        size = Size(*picture.size)
        fitted = size.fitted(Size(longest_px, longest_px))
        shown = compositing.for_screen(picture, fitted)
        return shown if kind == GIVEN else self.draw(shown, kind)

    def _about(self, model: str) -> tuple[ModelSpec | None, Collection[Base] | None]:
        """What is known of a model; nothing of one that cannot be found, which is told elsewhere."""
        try:
            return self.models.find(model), self.models.bases(model)
        except StudioError:
            return None, None


def control_picture(image: Image.Image) -> Image.Image:
    """As RGB. Transparent parts are black, which tells a ControlNet nothing."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    size = Size(*image.size)
    return compositing.for_screen(image, size)
