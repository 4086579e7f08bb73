"""Silences the libraries' warnings about what is intended; all others come through."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from core.engine.libraries import import_libraries

NOISE = {
    "diffusers.configuration_utils": ("were passed to AutoencoderTiny",),  # it saves one value more than it reads
    "diffusers.models.modeling_utils": ("should be kept in float32: []",),  # said of each autoencoder that is raised
    "diffusers.pipelines.flux.pipeline_flux_kontext_inpaint": ("have been adjusted to",),  # they are not, in the end
    "diffusers.pipelines.flux2.pipeline_flux2_klein_inpaint": ("is ignored for step-wise distilled",),
    "diffusers.pipelines.kandinsky2_2.pipeline_kandinsky2_2_prior": (
        "The following part of your input was truncated",  # the record says so
    ),
    "diffusers.pipelines.pipeline_loading_utils": ("You have passed a non-standard module",),  # the safety checker
    "diffusers.pipelines.pipeline_utils": ("Expected types for vae",),
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint": (
        "You have disabled the safety checker",  # our setting says so
        "The following part of your input was truncated",  # the record says so
    ),
    "diffusers.pipelines.stable_diffusion.safety_checker": ("Potential NSFW content",),  # ResultWithheld says so
    "transformers.tokenization_utils_base": ("Token indices sequence length is longer",),
    "transformers.utils.import_utils": ("requires torchvision (not installed)",),  # pictures are prepared with Pillow
}
"""Warnings about what is intended, by logger."""


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without the libraries' progress bars and the warnings above; others come through."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # A picture of NaN on its way to the safety checker: BrokenResult says so.
        warnings.filterwarnings("ignore", message="invalid value encountered in cast")
        # Chroma's transformer uses an old name of diffusers' own.
        warnings.filterwarnings("ignore", message="`FluxPosEmbed` is deprecated")
        # So does the pipeline of Stable Diffusion XL on a card.
        warnings.filterwarnings("ignore", message="`upcast_vae` is deprecated")
        for name, phrases in NOISE.items():
            logger = logging.getLogger(name)
            quiet = _Without(phrases)
            logger.addFilter(quiet)
            stack.callback(logger.removeFilter, quiet)
        import_libraries()
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        diffusers_logging.disable_progress_bar()
        transformers_logging.disable_progress_bar()
        yield


class _Without(logging.Filter):
    def __init__(self, phrases: tuple[str, ...]) -> None:
        super().__init__()
        self._phrases = phrases

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(phrase in message for phrase in self._phrases)
