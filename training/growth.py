"""Begin a larger inpainter where a smaller one ended: one more level outside, for pictures of twice the side.

Latents of the same autoencoder mean the same at either size, and halved latents of a picture of 256 px look to the
inner levels as those of 128 px did. So all that the smaller model knows of shapes and words is kept; only the outer
level starts from nothing.
"""

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.embeddings import get_timestep_embedding


@torch.no_grad()
def grow(larger: UNet2DConditionModel, smaller: UNet2DConditionModel, scheduler: DDIMScheduler) -> list[str]:
    """Copy into the larger model what fits of the smaller one. Returns the names of the parameters that were copied."""
    kept = []
    inner = {_one_level_further_in(name): value for name, value in smaller.state_dict().items()}
    for name, parameter in larger.named_parameters():
        if name in inner and inner[name].shape == parameter.shape:
            parameter.copy_(inner[name])
            kept.append(name)
    _keep_the_clock(larger, smaller, scheduler)
    _start_upsampling_as_copying(larger, smaller)
    return kept


def _one_level_further_in(name: str) -> str:
    """The smaller model's first level down is the larger one's second; up, both count from the innermost level."""
    if name.startswith(("conv_in", "conv_out", "conv_norm_out", "time_embedding.linear_1")):
        return ""
    if name.startswith("down_blocks."):
        _, level, rest = name.split(".", 2)
        return f"down_blocks.{int(level) + 1}.{rest}"
    return name


def _keep_the_clock(larger: UNet2DConditionModel, smaller: UNet2DConditionModel, scheduler: DDIMScheduler) -> None:
    """Fit the first layer on timesteps, so that the inner levels are told of the noise that they see.

    Halving a picture by averaging halves the noise's spread and keeps the picture: at every timestep the inner levels
    see the noise of an earlier one.
    """
    alphas = scheduler.alphas_cumprod.double()
    noise_ratio = ((1 - alphas) / alphas.clamp_min(1e-12)).sqrt()
    seen = torch.searchsorted(noise_ratio, noise_ratio / 2).clamp(0, 999)
    seen[-1] = 999  # pure noise stays pure noise
    before, after = (sinusoids(model, times) for model, times in ((smaller, seen), (larger, torch.arange(1000))))
    wanted = smaller.time_embedding.linear_1(before).double()
    inputs = torch.cat([after.double(), torch.ones(1000, 1, dtype=torch.double)], 1)
    fitted = torch.linalg.lstsq(inputs, wanted, driver="gelsd").solution
    layer = larger.time_embedding.linear_1
    layer.weight.copy_(fitted[:-1].T)
    layer.bias.copy_(fitted[-1])


def sinusoids(model: UNet2DConditionModel, times: torch.Tensor) -> torch.Tensor:
    config = model.config
    return get_timestep_embedding(
        times, config.block_out_channels[0], config.flip_sin_to_cos, downscale_freq_shift=config.freq_shift
    )


def _start_upsampling_as_copying(larger: UNet2DConditionModel, smaller: UNet2DConditionModel) -> None:
    """The smaller model's outermost level did not upsample; the larger one's copy of it must."""
    level = len(smaller.up_blocks) - 1
    convolution = larger.up_blocks[level].upsamplers[0].conv
    torch.nn.init.dirac_(convolution.weight)
    torch.nn.init.zeros_(convolution.bias)
