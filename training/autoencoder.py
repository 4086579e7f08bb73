"""Train the autoencoder: `python -m training.autoencoder [--work DIR] [--minutes M] [--decoder-only] [--wider N]`.

An AutoencoderTiny of factor 4: pictures (3, 256, 256) become latents (4, 64, 64). Resumes from
WORK/autoencoder/ when there. `--decoder-only` freezes the encoder, so that an inpainter already
trained on its latents stays valid, and sharpens the decoder further.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from PIL import Image

from training.data import training_source
from training.fetch import work_argument

CROP = 64  # pixels; fully convolutional, and crops around objects teach more than flat backgrounds
LATENT_NOISE = 0.05  # what the inpainter leaves wrong must not show


def autoencoder_folder(work: Path) -> Path:
    return work / "autoencoder"


def new_autoencoder() -> AutoencoderTiny:
    vae = AutoencoderTiny(
        encoder_block_out_channels=(24,) * 3,
        decoder_block_out_channels=(32,) * 3,
        num_encoder_blocks=(0, 1, 2),
        num_decoder_blocks=(2, 2, 1),
        latent_channels=4,
        scaling_factor=1.0,
    )
    start_as_identity(vae)
    return vae


@torch.no_grad()
def start_as_identity(vae: AutoencoderTiny) -> None:
    """Three channels carry the picture's RGB from end to end; without this, colour comes very late.

    The strided convolutions average those channels down and the upsampling ones copy them up; the
    latents' first three channels are then 4 * rgb - 2 for rgb in 0..1.
    """
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    for network in (vae.encoder, vae.decoder):
        for layer in network.layers:
            if isinstance(layer, torch.nn.Conv2d):
                _pass_rgb_through(layer)
            elif isinstance(layer, AutoencoderTinyBlock):
                layer.conv[4].weight.mul_(0.2)
                layer.conv[4].weight[:3] = 0
    to_latent = [layer for layer in vae.encoder.layers if isinstance(layer, torch.nn.Conv2d)][-1]
    to_latent.weight[:3] *= 4
    to_latent.bias[:3] = -2.0
    to_latent.weight[3] *= 0.3
    from_latent, *_, to_picture = [layer for layer in vae.decoder.layers if isinstance(layer, torch.nn.Conv2d)]
    from_latent.weight[:3] *= 0.25
    from_latent.bias[:3] = 0.5
    to_picture.weight[:3, 3:] *= 0.05


def _pass_rgb_through(layer: torch.nn.Conv2d) -> None:
    layer.weight[:3] = 0
    for channel in range(3):
        if layer.stride == (2, 2):
            layer.weight[channel, channel, 1:, 1:] = 0.25
        else:
            layer.weight[channel, channel, 1, 1] = 1.0


def as_tensor(pictures: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def crops(pool: list[np.ndarray], count: int, rng: np.random.Generator) -> torch.Tensor:
    chosen = []
    for picture in (pool[i] for i in rng.integers(0, len(pool), count)):
        y, x = rng.integers(0, picture.shape[0] - CROP + 1, 2)
        chosen.append(picture[y : y + CROP, x : x + CROP])
    return as_tensor(np.stack(chosen))


def reconstruction_loss(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """L1, L1 of the gradients (edges) and squared error."""
    across = (made.diff(dim=-1) - true.diff(dim=-1)).abs().mean()
    down = (made.diff(dim=-2) - true.diff(dim=-2)).abs().mean()
    return (made - true).abs().mean() + 0.5 * (across + down) + (made - true).square().mean()


def train(work: Path, minutes: float, decoder_only: bool, seed: int, batch: int = 12) -> None:
    torch.manual_seed(seed)
    folder = autoencoder_folder(work)
    vae = AutoencoderTiny.from_pretrained(folder) if folder.exists() else new_autoencoder()
    vae.encoder.requires_grad_(not decoder_only)
    rng = np.random.default_rng(seed)
    source = training_source(work, seed)
    pool = [source.draw().picture for _ in range(400)]
    trained = [p for p in vae.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, betas=(0.9, 0.99))
    start, step, saved, top_rate = time.time(), 0, time.time(), 1.5e-3
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = top_rate * min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + np.cos(np.pi * done)))
        pool[rng.integers(len(pool))] = source.draw().picture
        true = crops(pool, batch, rng)
        latents = vae.encode(true).latents
        made = vae.decode(latents + LATENT_NOISE * torch.randn_like(latents)).sample
        loss = reconstruction_loss(made, true) + 1e-3 * latents.square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            error = (made - true).abs().mean().item()
            spread = [round(s, 2) for s in latents.std(dim=(0, 2, 3)).tolist()]
            print(f"{step} steps {time.time() - start:.0f} s L1 {error:.4f} latents {spread}", flush=True)
        if time.time() - saved > 120:
            vae.save_pretrained(folder)
            saved = time.time()
    if not decoder_only:
        even_out(vae, pool[:256])
    vae.save_pretrained(folder)
    report(vae, pool[:16], folder / "reconstructions.png")


@torch.no_grad()
def report(vae: AutoencoderTiny, pictures: list[np.ndarray], path: Path) -> None:
    """Save originals over reconstructions and print the error."""
    true = as_tensor(np.stack(pictures))
    latents = vae.encode(true).latents
    made = vae.decode(latents).sample.clamp(-1, 1)
    print(f"L1 {(made - true).abs().mean():.4f}, latents std {latents.std():.3f} mean {latents.mean():.3f}")
    both = torch.cat([true, made], 2).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()
    Image.fromarray(np.concatenate(list(both), 1)).save(path)


@torch.no_grad()
def even_out(vae: AutoencoderTiny, pictures: list[np.ndarray]) -> None:
    """Bring the four latent channels to equal spread and set the scaling factor, so that one noise level fits all.

    The fourth channel starts small. The decoder undoes the change in its first convolution (but for the slight
    bend of its tanh, which decoder-only training takes out).
    """
    spread = vae.encode(as_tensor(np.stack(pictures))).latents.std(dim=(0, 2, 3))
    gain = spread[:3].mean() / spread[3]
    to_latent = [layer for layer in vae.encoder.layers if isinstance(layer, torch.nn.Conv2d)][-1]
    from_latent = next(layer for layer in vae.decoder.layers if isinstance(layer, torch.nn.Conv2d))
    to_latent.weight[3] *= gain
    to_latent.bias[3] *= gain
    from_latent.weight[:, 3] /= gain
    vae.register_to_config(scaling_factor=round(float(1 / spread[:3].mean()), 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--decoder-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train(options.work, options.minutes, options.decoder_only, options.seed)


if __name__ == "__main__":
    main()
