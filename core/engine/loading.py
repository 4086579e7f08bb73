"""Which engine runs a model: the one place that chooses among the inpainters."""

from __future__ import annotations

import logging
import threading

from core.domain.params import AUTO_DTYPE
from core.engine.libraries import import_libraries
from core.engine.models import removers, upscalers
from core.engine.models.catalogue import Catalogue
from core.engine.quiet import quiet_libraries
from core.ports import Inpainter
from core.settings import Settings

log = logging.getLogger(__name__)

_importing = threading.Lock()
"""Two threads that import the same large libraries at the same time may see halves of them."""


def warm_up() -> None:
    """Import what loading a pipeline will need: seconds, which pass while an artist still paints the mask."""
    with _importing:
        try:
            with quiet_libraries():
                import_libraries()
        except ImportError:
            # Told in words when a model is really loaded.
            log.exception("the engine's libraries cannot be imported")


def load(
    model: str,
    device: str,
    catalogue: Catalogue,
    settings: Settings,
    *,
    dtype: str = AUTO_DTYPE,
    smaller: bool = False,
) -> Inpainter:
    """Load a model that is on this machine; nothing is ever downloaded here. Raises what the engine raises."""
    spec = catalogue.find(model)
    if spec.engine == "content-fill":
        from core.engine import content_fill

        return content_fill.load(spec.key, spec.native_px, settings)
    if spec.engine == upscalers.ENGINE:
        from core.engine import upscaler

        return upscaler.load(spec, catalogue.locate(model) if spec.has_files else None, settings)
    if spec.engine == removers.ENGINE:
        from core.engine import remover

        return remover.load(spec, catalogue.locate(model), settings)
    from core.engine import diffusers_inpainter

    with _importing:
        return diffusers_inpainter.load(model, device, catalogue, settings, dtype=dtype, smaller=smaller)
