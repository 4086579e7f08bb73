"""Which engine runs a model: the one place that chooses among the inpainters."""

from __future__ import annotations

from core.engine.models import Catalogue
from core.ports import Inpainter
from core.settings import Settings


def load(model: str, device: str, catalogue: Catalogue, settings: Settings) -> Inpainter:
    """Load a model that is on this machine; nothing is ever downloaded here. Raises what the engine raises."""
    spec = catalogue.find(model)
    if spec.engine == "content-fill":
        from core.engine import content_fill

        return content_fill.load(spec.key, spec.native_px, settings)
    from core.engine import diffusers_inpainter

    return diffusers_inpainter.load(model, device, catalogue, settings)
