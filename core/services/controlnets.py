"""Which ControlNets there are for a model, what they are shown, and whether those that are asked for can be used."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from core.domain.control import GIVEN, problem_of
from core.domain.errors import InvalidControlNet
from core.domain.files.picture import Picture
from core.domain.geometry import Size
from core.domain.model_file import NamedFile
from core.domain.params import InpaintParams
from core.domain.pixels import compositing
from core.ports import DrawHint, ImageStore
from core.services.additions import Additions, Bases


@dataclass(frozen=True, slots=True)
class ControlNets(Additions):
    """draw: makes the picture that a ControlNet is shown."""

    FIELD = "controlnet"

    images: ImageStore
    draw: DrawHint

    def check(self, params: InpaintParams) -> None:
        """Raises InvalidControlNet for one that is not there or was made for other models, and for a model that takes
        none. What cannot be told by headers is told when it is painted.
        """
        if not params.controlnet:
            return
        spec = self._spec(params.model)
        if spec is not None and self.FIELD in spec.unused:
            raise InvalidControlNet(f"{spec.title} takes no ControlNet. Leave it out, or choose another model.")
        bases = self._bases(params.model)
        for control in params.controlnet:
            if problem := self._problem(self.library.find(control.name), bases):
                raise InvalidControlNet(f"ControlNet: {problem}")

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

    def _problem(self, file: NamedFile, bases: Bases) -> str | None:
        return problem_of(file.about, file.path.name) or file.problem_for(bases)


def control_picture(image: Image.Image) -> Image.Image:
    """As RGB. Transparent parts are black, which tells a ControlNet nothing."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    size = Size(*image.size)
    return compositing.for_screen(image, size)
