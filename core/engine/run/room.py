"""Room for a run in the machine's memory, asked for before it begins; and an autoencoder that works in tiles for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.domain.environment import IN_OWN_MEMORY, Device
from core.domain.errors import OutOfMemory
from core.domain.params import InpaintParams
from core.domain.request import WorkingRequest
from core.domain.run_memory import OF_DENOISER, OF_TINY_VAE, OF_VAE, TILE_PX, OnCard, Work
from core.engine import memory
from core.engine.families import Family

TILED = "vae_tiling"
"""Of the record: whether the autoencoder worked in tiles, which makes other bits."""

IN_TILES = "AutoencoderKL"
"""The class of diffusers whose settings for tiles are those below."""

CHANNELS, VAE_CHANNELS, TINY_VAE_CHANNELS = 320, 128, 64
"""At full size, of the networks that were measured: a U-Net and two autoencoders."""


def takes_tiles(pipe: Any, family: Family, request: WorkingRequest, device: Device) -> bool:
    """Whether the autoencoder works in tiles: as it did, of a run that is made again; else only where the picture would
    not fit otherwise. Raises OutOfMemory where it does not fit at all.

    On a card nothing is refused: what does not fit is told there, and costs no other program its memory.
    """
    before = request.recorded.get(TILED)
    work = _work(pipe, family, request.params, may_tile=before is not False)
    free, pixels = memory.free_on(device), request.image.width * request.image.height
    if free is None:
        return before is True and work.has_tiles
    if device.key not in IN_OWN_MEMORY:
        return work.has_tiles and (before is True or OnCard(work, device.dtype, pixels).decoded_at_once > free)
    each = memory.BYTES[device.dtype]
    if work.least(pixels) * each > free:
        raise OutOfMemory(_too_little(request, work.least(pixels) * each, free, work.side(free // each)))
    return work.has_tiles and (before is True or work.whole(pixels) * each > free)


@contextmanager
def in_tiles(vae: Any) -> Iterator[None]:
    """Meanwhile this autoencoder encodes and decodes in tiles of TILE_PX."""
    names = ("use_tiling", "tile_sample_min_size", "tile_latent_min_size")
    before = {name: getattr(vae, name) for name in names}
    vae.enable_tiling()
    vae.tile_sample_min_size = TILE_PX
    vae.tile_latent_min_size = TILE_PX // 2 ** (len(vae.config.block_out_channels) - 1)
    try:
        yield
    finally:
        vars(vae).update(before)


def record(tiled: bool) -> Mapping[str, Any]:
    return {TILED: tiled, **({"vae_tile_px": TILE_PX} if tiled else {})}


def _work(pipe: Any, family: Family, params: InpaintParams, *, may_tile: bool) -> Work:
    vae, denoiser = pipe.vae, getattr(pipe, family.denoiser)
    is_guided = family.takes_negative_prompt and params.guidance_scale > 1
    is_tiny = type(vae).__name__ == "AutoencoderTiny"
    of_vae, blocks = (OF_TINY_VAE, "decoder_block_out_channels") if is_tiny else (OF_VAE, "block_out_channels")
    return Work(
        batch=2 if is_guided else 1,
        of_denoiser=_share(OF_DENOISER, denoiser, "block_out_channels", CHANNELS),
        of_vae=_share(of_vae, vae, blocks, TINY_VAE_CHANNELS if is_tiny else VAE_CHANNELS),
        has_tiles=may_tile and type(vae).__name__ == IN_TILES,
    )


def _share(measured: int, network: Any, blocks: str, channels: int) -> int:
    """Of a network that may have fewer channels, or more. blocks: where its configuration names them."""
    own = network.config.get(blocks)
    return max(1, round(measured * own[0] / channels)) if own else measured


def _too_little(request: WorkingRequest, needed: int, free: int, side: int | None) -> str:
    told = (
        f"To paint {request.image.width} x {request.image.height} pixels takes about {needed / 1e9:.1f} GB of memory "
        f"beside the model, and {free / 1e9:.1f} GB are free. "
    )
    if side is None:
        return f"{told}Close other programs, or choose a smaller model."
    return f"{told}Choose a processing resolution of at most {side}, or close other programs."
