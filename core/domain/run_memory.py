"""What a run takes of memory beside the weights: what is computed between them, in numbers of the type computed in.

Measured with Stable Diffusion 1.5 at full size (docs/decisions/0044-room-for-the-run.md). The autoencoders of the other
families have as many channels at full size, and their denoisers need less for a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.geometry import MULTIPLE
from core.domain.parameter_table import BFLOAT16, FLOAT32, number

OF_DENOISER = 240
"""For each pixel, and each picture of a batch."""

OF_VAE, OF_TINY_VAE = 1_050, 260
"""For each pixel while it is decoded; encoding takes less."""

TILE_PX = 256
"""A side of what an autoencoder decodes at once where all of a picture takes too much."""

OF_TILE = 2_300
"""For each pixel of a tile."""

LEAST_PX, MOST_PX = int(number("size").low), int(number("size").high)


@dataclass(frozen=True, slots=True)
class Work:
    """batch: pictures that the denoiser sees at once, two with guidance. of_denoiser, of_vae: for each pixel.

    has_tiles: whether the autoencoder can work on a picture in parts.
    """

    batch: int = 2
    of_denoiser: int = OF_DENOISER
    of_vae: int = OF_VAE
    has_tiles: bool = True

    def whole(self, pixels: int) -> int:
        """Numbers that are in memory at once, at the most."""
        return max(self.steps(pixels), pixels * self.of_vae)

    def steps(self, pixels: int) -> int:
        """The same, while the denoiser is at work."""
        return pixels * self.of_denoiser * self.batch

    def decoded(self, pixels: int) -> int:
        """The same, while the autoencoder is: in tiles where these take less."""
        at_once = pixels * self.of_vae
        return min(at_once, TILE_PX**2 * OF_TILE) if self.has_tiles else at_once

    def least(self, pixels: int) -> int:
        """The same, in tiles where these take less."""
        return max(self.steps(pixels), self.decoded(pixels))

    def side(self, room: int) -> int | None:
        """Pixels a side of the largest square that fits, up to the largest that can be chosen; None: not even the least
        one. room: for so many numbers."""
        fitting = (side for side in range(MOST_PX, LEAST_PX - 1, -MULTIPLE) if self.least(side * side) <= room)
        return next(fitting, None)


@dataclass(frozen=True, slots=True)
class OnCard:
    """The same in bytes, on a card that computes in this dtype, for a picture of so many pixels."""

    work: Work
    dtype: str
    pixels: int

    @property
    def steps(self) -> int:
        return self.work.steps(self.pixels) * (4 if self.dtype == FLOAT32 else 2)

    @property
    def decoded_at_once(self) -> int:
        return self.pixels * self.work.of_vae * self._of_vae

    @property
    def decoded(self) -> int:
        return self.work.decoded(self.pixels) * self._of_vae

    @property
    def most(self) -> int:
        """With all of the picture decoded at once."""
        return max(self.steps, self.decoded_at_once)

    @property
    def _of_vae(self) -> int:
        # Stable Diffusion XL raises its autoencoder from float16 to float32.
        return 2 if self.dtype == BFLOAT16 else 4
