"""Kandinsky 2.2 as one pipeline: a prior makes of the words what a picture of them would look like to CLIP, and a
decoder paints that.

Each is a pipeline of diffusers, from a repository of its own. diffusers' own pair of both has no place for another
scheduler, and looks for the prior on the hub.
"""

from __future__ import annotations

from typing import Any


class Kandinsky:
    """decoder, prior: a KandinskyV22InpaintPipeline and a KandinskyV22PriorPipeline."""

    def __init__(self, decoder: Any, prior: Any) -> None:
        from diffusers.image_processor import VaeImageProcessor

        self.decoder = decoder
        self._prior = prior
        self.unet, self.vae, self.tokenizer = decoder.unet, decoder.movq, prior.tokenizer
        self.vae_scale_factor = decoder.movq_scale_factor
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.vae_scale_factor)

    @property
    def scheduler(self) -> Any:
        """That of the decoder; the prior keeps its own."""
        return self.decoder.scheduler

    @scheduler.setter
    def scheduler(self, scheduler: Any) -> None:
        self.decoder.scheduler = scheduler

    @property
    def _execution_device(self) -> Any:
        return self.decoder._execution_device

    def to(self, device: str) -> None:
        for pipe in (self.decoder, self._prior):
            pipe.to(device)

    def enable_model_cpu_offload(self, device: str) -> None:
        for pipe in (self.decoder, self._prior):
            pipe.enable_model_cpu_offload(device=device)

    def enable_sequential_cpu_offload(self, device: str) -> None:
        for pipe in (self.decoder, self._prior):
            pipe.enable_sequential_cpu_offload(device=device)

    def maybe_free_model_hooks(self) -> None:
        for pipe in (self.decoder, self._prior):
            pipe.maybe_free_model_hooks()

    def __call__(self, prompt: str, negative_prompt: str, generator: Any, guidance_scale: float, **more: Any) -> Any:
        """more: what else the decoder takes. The prior runs with its own steps and guidance."""
        # With a negative one it draws more noise, so one that is not used must not come to it.
        negative = negative_prompt if negative_prompt and guidance_scale > 1 else None
        seen = self._prior(prompt, negative_prompt=negative, generator=generator)
        return self.decoder(**seen, guidance_scale=guidance_scale, generator=generator, **more)
