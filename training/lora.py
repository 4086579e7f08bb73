"""Train the bundled LoRA: `python -m training.lora [--work DIR] [--steps N]`, then `--export FILE`.

It teaches the released 128 px model one style: drawings in ink (training.ink). Its samples are drawn like those of the
model itself, with one drawing a word; only the object is in ink, and where nothing is asked for nothing changes, so
that removing still removes. Resumes from WORK/lora.pt, which is written once a minute. One thread: on the same
machine the same command gives the same file.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image
from safetensors.torch import save_file

from training.data import Sample, SampleSource
from training.drawings import MAKERS, Drawings, cut_out, drawing, other_pictures, recoloured
from training.fetch import work_argument
from training.ink import inked
from training.inpainter import OUTSIDE_WEIGHT
from training.stock import encoded
from training.text import PromptTokens
from training.words import COLOURS, OBJECTS

MODEL = Path(__file__).parents[1] / "assets" / "models" / "pocket-inpaint"
PIXELS = 128
RANK = 4
ALPHA = 4.0
BATCH = 16
STOCK = 1200
OTHERS = 100
GENERATED = 150
SAVE_EVERY_S = 60
AVERAGED_STEPS = 300
SEED = 1

METADATA = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.title": "Ink drawing",
    "modelspec.architecture": "pocket-inpaint/lora",
    "modelspec.implementation": "https://github.com/huggingface/diffusers",
    "modelspec.description": "Objects as drawings in ink on paper, for the bundled pocket model",
    "modelspec.license": "MIT",
    "modelspec.trigger_phrase": "ink drawing",
    "modelspec.prediction_type": "v",
    "modelspec.resolution": f"{PIXELS}x{PIXELS}",
    "ss_network_module": "networks.lora",
    "ss_network_dim": str(RANK),
    "ss_network_alpha": str(ALPHA),
    "ss_base_model_version": "pocket-inpaint",
    "ss_sd_model_name": "pocket-inpaint",
}


class Adapted(torch.nn.Module):
    """A layer that stays as it is, and beside it the product of two small ones, which is trained."""

    def __init__(self, layer: torch.nn.Module):
        super().__init__()
        self.layer = layer
        if isinstance(layer, torch.nn.Conv2d):
            same = {"kernel_size": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
            self.down: torch.nn.Module = torch.nn.Conv2d(layer.in_channels, RANK, **same, bias=False)
            self.up: torch.nn.Module = torch.nn.Conv2d(RANK, layer.out_channels, 1, bias=False)
        else:
            self.down = torch.nn.Linear(layer.in_features, RANK, bias=False)
            self.up = torch.nn.Linear(RANK, layer.out_features, bias=False)
        torch.nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.up(self.down(x)) * (ALPHA / RANK)


def adapt(unet: torch.nn.Module) -> dict[str, Adapted]:
    """By the names of the layers: all but those that only know the time."""
    unet.requires_grad_(False)
    chosen = [
        name
        for name, layer in unet.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) and "time_emb" not in name
    ]
    adapted = {}
    for name in chosen:
        parent, _, last = name.rpartition(".")
        adapted[name] = Adapted(unet.get_submodule(name))
        setattr(unet.get_submodule(parent), last, adapted[name])
    return adapted


def ink_source(work: Path, seed: int) -> SampleSource:
    """Samples on generated backgrounds, as the released model was trained on, with its drawings in ink."""
    plain = {word: drawing(work, "fluent", word) for word in OBJECTS}
    coloured = {
        (word, colour): inked(recoloured(sprite, colour))
        for word, sprite in plain.items()
        if OBJECTS[word].recoloured
        for colour in COLOURS
    }
    paths = other_pictures(work)
    others = [cut_out(Image.open(paths[i]), 160) for i in np.random.default_rng(0).permutation(len(paths))[:OTHERS]]
    drawings = Drawings(
        {(word, maker): inked(sprite) for word, sprite in plain.items() for maker in MAKERS},
        {(word, maker, colour): sprite for (word, colour), sprite in coloured.items() for maker in MAKERS},
        others,
    )
    return SampleSource(drawings, (), seed, GENERATED)


def stock(work: Path, vae: torch.nn.Module) -> dict[str, np.ndarray]:
    """Encoded samples, made once: targets and masked pictures (N, 4, 32, 32), masks (N, 32, 32), labels (N, 2)."""
    path = work / "lora-stock.npz"
    if not path.exists():
        source = ink_source(work, SEED)
        words, colours = list(OBJECTS), list(COLOURS)
        parts = []
        for _ in range(0, STOCK, BATCH):
            samples: list[Sample] = [source.draw() for _ in range(BATCH)]
            labels = [
                (words.index(s.word) if s.word else -1, colours.index(s.colour) if s.colour else -1) for s in samples
            ]
            parts.append((*encoded(samples, vae, PIXELS), np.array(labels, np.int16)))
        arrays = [np.concatenate(part) for part in zip(*parts, strict=True)]
        np.savez(path.with_suffix(".part.npz"), **dict(zip(("target", "masked", "mask", "label"), arrays, strict=True)))
        os.replace(path.with_suffix(".part.npz"), path)
    return dict(np.load(path))


def batches(content: dict[str, np.ndarray], tokenizer, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, ...]]:
    """Endless: targets, masks, masked pictures, tokens."""
    prompts = PromptTokens(tokenizer)
    while True:
        chosen = rng.integers(0, len(content["mask"]), BATCH)
        target, masked = (torch.from_numpy(content[name][chosen]).float() for name in ("target", "masked"))
        mask = torch.from_numpy(content["mask"][chosen]).float()[:, None]
        yield target, mask, masked, torch.tensor([prompts.drawn(label, rng) for label in content["label"][chosen]])


def loss_of(
    pipe: StableDiffusionInpaintPipeline, alphas: torch.Tensor, batch: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Weighted squared error of v, as in training.inpainter."""
    target, mask, masked, tokens = batch
    timestep = (1000 * (1 - torch.rand(BATCH) ** 2)).long().clamp(0, 999)
    alpha = alphas[timestep].view(-1, 1, 1, 1)
    noise = torch.randn_like(target)
    noisy = alpha.sqrt() * target + (1 - alpha).sqrt() * noise
    wanted = alpha.sqrt() * noise - (1 - alpha).sqrt() * target
    with torch.no_grad():
        seen = pipe.text_encoder(tokens).last_hidden_state
    with torch.autocast("cpu", torch.bfloat16):
        made = pipe.unet(torch.cat([noisy, mask, masked], 1), timestep, seen).sample
    weight = OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * mask
    return ((made.float() - wanted).square() * weight).sum() / (weight.sum() * 4)


def train(work: Path, steps: int, rate: float) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    pipe = StableDiffusionInpaintPipeline.from_pretrained(MODEL, safety_checker=None)
    content = stock(work, pipe.vae)
    layers = torch.nn.ModuleList(adapt(pipe.unet).values())
    learned = [parameter for parameter in layers.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, betas=(0.9, 0.99), weight_decay=0.01)
    average = [parameter.detach().clone() for parameter in learned]
    done, path = 0, work / "lora.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        done = state["steps"]
        _put(learned, state["learned"])
        _put(average, state["average"])
        optimiser.load_state_dict(state["optimiser"])
    torch.manual_seed(SEED + done)
    drawn = batches(content, pipe.tokenizer, np.random.default_rng(SEED + done))
    alphas, losses, saved_at = pipe.scheduler.alphas_cumprod, [], time.monotonic()
    for step in range(done, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
        optimiser.zero_grad()
        loss = loss_of(pipe, alphas, next(drawn))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        for slow, fast in zip(average, learned, strict=True):
            slow.lerp_(fast.detach(), max(1 / (step + 1), 1 / AVERAGED_STEPS))
        losses.append(loss.item())
        if step % 25 == 24:
            print(f"{step + 1} steps, loss {np.mean(losses[-25:]):.4f}, {time.process_time():.0f} CPU s", flush=True)
        if time.monotonic() - saved_at > SAVE_EVERY_S or step == steps - 1:
            state = {"steps": step + 1, "learned": learned, "average": average, "optimiser": optimiser.state_dict()}
            torch.save(state, path.with_suffix(".part"))
            os.replace(path.with_suffix(".part"), path)
            saved_at = time.monotonic()


def export(work: Path, file: Path) -> None:
    """The average of the steps, its tensors named as kohya's trainer does, in half precision."""
    pipe = StableDiffusionInpaintPipeline.from_pretrained(MODEL, safety_checker=None)
    adapted = adapt(pipe.unet)
    state = torch.load(work / "lora.pt", weights_only=True)
    _put([p for p in torch.nn.ModuleList(adapted.values()).parameters() if p.requires_grad], state["average"])
    tensors = {}
    for name, layer in adapted.items():
        stem = "lora_unet_" + name.replace(".", "_")
        tensors[f"{stem}.lora_down.weight"] = layer.down.weight.detach().half().contiguous()
        tensors[f"{stem}.lora_up.weight"] = layer.up.weight.detach().half().contiguous()
        tensors[f"{stem}.alpha"] = torch.tensor(ALPHA).half()
    save_file(tensors, file, {**METADATA, "ss_steps": json.dumps(state["steps"])})
    file.chmod(0o644)


@torch.no_grad()
def _put(parameters: Sequence[torch.Tensor], values: list[torch.Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--export", type=Path, help="write the .safetensors file from the checkpoint and stop")
    options = parser.parse_args()
    if options.export:
        export(options.work, options.export)
        return
    train(options.work, options.steps, options.rate)


if __name__ == "__main__":
    main()
