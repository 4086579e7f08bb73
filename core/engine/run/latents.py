"""How a family's latents lie: as a grid, or packed into one token for each 2 x 2 of them.

The denoising loop of each diffusers pipeline has a layout of its own. What we do with latents between the steps (soft
masks, previews) is written for grids: (1, channels, rows, columns).
"""

from __future__ import annotations

from typing import Any

from PIL import Image


class Layout:
    """The latents of one run of a pipeline. width, height: what it really works at, in pixels."""

    def __init__(self, pipe: Any, width: int, height: int) -> None:
        self._pipe = pipe
        self._width, self._height = width, height
        self.rows, self.columns = height // pipe.vae_scale_factor, width // pipe.vae_scale_factor

    def grid(self, latents: Any) -> Any:
        """Latents of the loop as a grid, not altered."""
        pipe = self._pipe
        if latents.ndim == 4:
            return latents
        if hasattr(pipe, "_unpatchify_latents"):
            tokens = latents.transpose(1, 2).reshape(1, -1, self.rows // 2, self.columns // 2)
            return pipe._unpatchify_latents(tokens)
        grid = pipe._unpack_latents(latents, self._height, self._width, pipe.vae_scale_factor)
        return grid.reshape(1, -1, self.rows, self.columns)

    def packed(self, grid: Any) -> Any:
        """A grid as the loop has it: the inverse of grid()."""
        pipe = self._pipe
        if hasattr(pipe, "_unpatchify_latents"):
            return pipe._pack_latents(pipe._patchify_latents(grid))
        if hasattr(pipe, "_pack_latents"):
            return pipe._pack_latents(grid, 1, grid.shape[1], self.rows, self.columns)
        return grid

    def packed_noise(self, noise: Any) -> Any:
        """Noise as a pipeline draws it, as the loop has it."""
        pipe = self._pipe
        if hasattr(pipe, "_unpatchify_latents"):
            return pipe._pack_latents(noise)
        return self.packed(noise.reshape(1, -1, self.rows, self.columns))

    def encoded(self, image: Image.Image) -> Any:
        """The grid of a picture, of any size, without chance: the numbers of the run's generator stay where they are.

        Scaled as the pipelines of the family do it in _encode_vae_image or prepare_latents.
        """
        import torch

        pipe, vae = self._pipe, self._pipe.vae
        pixels = pipe.image_processor.preprocess(image, height=self._height, width=self._width)
        own = vae.dtype
        # Some autoencoders overflow in float16; their pipelines do the same.
        is_raised = own == torch.float16 and getattr(vae.config, "force_upcast", False)
        try:
            if is_raised:
                vae.to(torch.float32)
            pixels = pixels.to(device=pipe._execution_device, dtype=vae.dtype)
            with torch.no_grad():
                found = vae.encode(pixels.unsqueeze(2) if _is_of_video(vae) else pixels)
        finally:
            if is_raised:
                vae.to(own)
        latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
        return self._scaled(latents).to(own)

    def _scaled(self, found: Any) -> Any:
        import torch

        pipe, config = self._pipe, self._pipe.vae.config
        if _is_of_video(pipe.vae):
            mean, std = (
                torch.tensor(values).to(found)[None, :, None, None]
                for values in (config.latents_mean, config.latents_std)
            )
            return (found.squeeze(2) - mean) / std
        if hasattr(pipe.vae, "bn"):
            patches = pipe._patchify_latents(found)
            mean = pipe.vae.bn.running_mean.view(1, -1, 1, 1).to(patches)
            std = torch.sqrt(pipe.vae.bn.running_var.view(1, -1, 1, 1) + config.batch_norm_eps).to(patches)
            return pipe._unpatchify_latents((patches - mean) / std)
        if hasattr(pipe.vae, "quantize"):
            return found  # of Kandinsky, whose pipelines leave them as they are
        return (found - (getattr(config, "shift_factor", None) or 0.0)) * config.scaling_factor


def _is_of_video(vae: Any) -> bool:
    """Autoencoders with a dimension for time, in which a picture is one frame."""
    return hasattr(vae.config, "latents_std") and hasattr(vae.config, "z_dim")
