"""An inpainter that paints the negative of what it sees: the same bits everywhere, and every rule before it shows."""

from __future__ import annotations

from PIL import ImageChops

from core.domain.environment import Environment
from core.domain.generation import Phase
from core.domain.model import LoadedModel
from core.domain.request import WorkingRequest
from core.ports import OnStep, Repainted, StepReport


class Negative:
    """A ports.Inpainter."""

    model = LoadedModel("negative", None, "1", "cpu", "uint8", 8, 64, 0.0)
    environment = Environment({"python": "3"})

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        total = request.params.effective_steps
        for step in range(total + 1):
            on_step(StepReport(Phase.DENOISING, step, total))
        painted = ImageChops.invert(request.image)
        if request.degree is not None:
            painted = ImageChops.blend(request.image, painted, 0.5)
        return Repainted(painted, {"effective_steps": total, "seed": request.params.seed})

    def close(self) -> None:
        pass
