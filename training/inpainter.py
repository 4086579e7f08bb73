"""Train the inpainter: `python -m training.inpainter [--work DIR] [--minutes M]`.

A 9-channel UNet with its small text encoder, on latents from `training.stock` (started here), for pictures of 256
pixels or, with `--pixels 128`, of half the side, which learns as much in half the time and can be grown afterwards.
Resumes from WORK/inpainter-PIXELS.pt, which is written every two minutes; the loss goes to WORK/curve-PIXELS.csv.
`--begin-with FOLDER` begins with what a pipeline of the same or of half the side knows. `--export FOLDER` writes the
pipeline folder from the checkpoint's averaged weights and does not train.

Two workers of one thread each move the same shared weights without waiting for each other
("hogwild"): on a busy machine two threads of one process would wait for each other at every layer.
Samples and noise are seeded; the order in which the workers' steps interleave is not.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as processes
from diffusers import AutoencoderTiny, StableDiffusionInpaintPipeline

from training.autoencoder import autoencoder_folder
from training.fetch import work_argument
from training.growth import grow
from training.networks import Networks, new_scheduler
from training.optimiser import Muon
from training.stock import Stock
from training.text import PromptTokens, tokenizer_in
from training.words import NATIVE_SIZE, vocabulary

OUTSIDE_WEIGHT = 0.1  # of the loss outside the mask, which the application pastes over anyway
NEW_PARTS_FIRST = 120  # steps of a grown model in which what it was grown from stays as it is
RECOMMENDED = {"num_inference_steps": 10, "guidance_scale": 2.0, "scheduler": "ddim"}
HALF = NATIVE_SIZE // 2


def checkpoint_file(work: Path, pixels: int) -> Path:
    return work / f"inpainter-{pixels}.pt"


@dataclass
class Run:
    """How one run trains; progress and learning rate follow the clock, since the cores are shared with others."""

    work: Path
    pixels: int
    minutes: float
    rate: float
    cooldown: float  # share of the run, at its end, in which the rate falls to almost nothing
    batch: int
    workers: int
    stock_size: int
    seed: int
    muon: bool

    def rate_at(self, seconds: float, step: int) -> float:
        left = 1 - seconds / (self.minutes * 60)
        return self.rate * min(1, (step + 1) / 30) * max(0.01, min(1, left / max(self.cooldown, 1e-6)))


def optimisers(networks: Networks, muon: bool) -> list[torch.optim.Optimizer]:
    """Muon for the UNet's inner matrices and convolutions, Adam for its ends and all vectors."""
    inner, rest = [], []
    for name, parameter in networks.named_parameters():
        if not parameter.requires_grad:
            continue
        is_inner = name.startswith("unet.") and parameter.ndim >= 2
        is_end = "conv_in" in name or "conv_out" in name
        (inner if muon and is_inner and not is_end else rest).append(parameter)
    chosen = [torch.optim.Adam(rest, betas=(0.9, 0.99))]
    return [*chosen, Muon(inner)] if inner else chosen


def batch_loss(networks: Networks, stock: Stock, prompts: PromptTokens, alphas, rng, batch: int) -> torch.Tensor:
    """Weighted squared error of v on a batch drawn from the stock, with fresh noise and wording."""
    slots = rng.integers(0, max(1, stock.count()), batch)
    target, masked = (torch.from_numpy(np.asarray(a[slots])).float() for a in (stock.target, stock.masked))
    mask = torch.from_numpy(np.asarray(stock.mask[slots])).float()[:, None]
    tokens = torch.tensor([prompts.drawn(label, rng) for label in stock.label[slots]])
    # more of the noisy end, where the shape is decided; the clean end is learned soon
    timestep = (1000 * (1 - torch.rand(batch) ** 2)).long().clamp(0, 999)
    alpha = alphas[timestep].view(-1, 1, 1, 1)
    noise = torch.randn_like(target)
    noisy = alpha.sqrt() * target + (1 - alpha).sqrt() * noise
    wanted = alpha.sqrt() * noise - (1 - alpha).sqrt() * target
    with torch.autocast("cpu", torch.bfloat16):
        made = networks(noisy, mask, masked, timestep, tokens)
    weight = OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * mask
    return ((made.float() - wanted).square() * weight).sum() / (weight.sum() * 4)


def work_on(number: int, run: Run, networks: Networks, average: Networks, state: dict) -> None:
    """One worker: steps on the shared weights until the time is up. Worker 0 also averages, reports and saves."""
    torch.set_num_threads(1)
    tokenizer = tokenizer_in(run.work)
    stock, prompts = Stock(run.work, run.stock_size, run.pixels), PromptTokens(tokenizer)
    seed = run.seed + 1000 * number + state["steps"]
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    alphas = new_scheduler().alphas_cumprod
    steppers = optimisers(networks, run.muon)
    for stepper, saved in zip(steppers, state.get("optimisers", []), strict=False):
        stepper.load_state_dict(saved)
    parameters = list(networks.parameters())
    kept = [parameter for name, parameter in networks.named_parameters() if name in state.get("grown", [])]
    start, saved_at, step, losses = time.time(), time.time(), 0, []
    parent = os.getppid()  # workers end when the run is killed, rather than train on unseen
    while (seconds := time.time() - start) < run.minutes * 60 and os.getppid() == parent:
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = run.rate_at(seconds, step)
            stepper.zero_grad()
        loss = batch_loss(networks, stock, prompts, alphas, rng, run.batch)
        loss.backward()
        if step + state["steps"] < NEW_PARTS_FIRST:
            for parameter in kept:
                parameter.grad = None
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for stepper in steppers:
            stepper.step()
        step += 1
        losses.append(loss.item())
        if number == 0:
            follow(average, networks, min(0.999, 1 - 19 / (20 + step + state["steps"])))
        if number == 0 and step % 25 == 0:
            note(run, state, step, seconds, float(np.mean(losses[-25:])))
        if number == 0 and time.time() - saved_at > 120:
            save(run, networks, average, steppers, state, step, time.time() - start)
            saved_at = time.time()
    if number == 0:
        save(run, networks, average, steppers, state, step, time.time() - start)


def note(run: Run, state: dict, step: int, seconds: float, loss: float) -> None:
    """A line of the curve: samples and hours of training so far, loss of the last steps, rate."""
    samples = state["samples"] + step * run.batch * run.workers
    hours, rate = (state["seconds"] + seconds) / 3600, run.rate_at(seconds, step)
    print(f"{samples} samples, {hours:.3f} h, loss {loss:.4f}, rate {rate:.2e}", flush=True)
    with (run.work / f"curve-{run.pixels}.csv").open("a") as curve:
        curve.write(f"{samples},{hours:.4f},{loss:.5f},{rate:.2e}\n")


@torch.no_grad()
def follow(average: Networks, networks: Networks, keep: float) -> None:
    for slow, fast in zip(average.parameters(), networks.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


def save(run: Run, networks, average, steppers, state: dict, steps: int, seconds: float) -> None:
    """Written beside and moved into place: a killed run never leaves half a checkpoint."""
    target = checkpoint_file(run.work, run.pixels)
    content = {
        "networks": networks.state_dict(),
        "average": average.state_dict(),
        "optimisers": [stepper.state_dict() for stepper in steppers],
        "grown": state.get("grown", []),
        "steps": state["steps"] + steps,  # of worker 0
        "samples": state["samples"] + steps * run.batch * run.workers,  # the other workers keep about the same pace
        "seconds": state["seconds"] + seconds,
    }
    torch.save(content, target.with_suffix(".part"))
    os.replace(target.with_suffix(".part"), target)


def train(run: Run) -> None:
    torch.set_num_threads(1)
    tokenizer = tokenizer_in(run.work)
    torch.manual_seed(run.seed)
    networks = Networks(tokenizer, run.pixels)
    average = copy.deepcopy(networks)
    state = {"steps": 0, "samples": 0, "seconds": 0.0}
    if checkpoint_file(run.work, run.pixels).exists():
        state = torch.load(checkpoint_file(run.work, run.pixels), weights_only=True)
        networks.load_state_dict(state.pop("networks"))
        average.load_state_dict(state.pop("average"))
        print(f"resuming after {state['samples']} samples, {state['seconds'] / 3600:.2f} h", flush=True)
    filler = subprocess.Popen(
        [sys.executable, "-m", "training.stock", "--work", str(run.work), "--size", str(run.stock_size),
         "--pixels", str(run.pixels), "--seed", str(run.seed + 7 * state["steps"] + 1), "--parent", str(os.getpid())]
    )  # fmt: skip
    try:
        while Stock(run.work, run.stock_size, run.pixels).count() < 500:
            time.sleep(2)
        networks.share_memory()
        arguments = (run, networks, average, state)
        # fork: nothing is imported again; safe as this process runs one thread
        processes.start_processes(work_on, arguments, nprocs=run.workers, start_method="fork")
    finally:
        filler.terminate()


def begin_with(folder: Path, work: Path, pixels: int) -> None:
    """A first checkpoint with what a finished pipeline of this or half this side knows; its autoencoder stays."""
    if checkpoint_file(work, pixels).exists():
        return
    pipe = StableDiffusionInpaintPipeline.from_pretrained(folder, safety_checker=None)
    if not autoencoder_folder(work).exists():
        pipe.vae.save_pretrained(autoencoder_folder(work))
    pipe.tokenizer.save_pretrained(work / "tokenizer")
    torch.manual_seed(0)
    networks = Networks(pipe.tokenizer, pixels)
    networks.text.load_state_dict(pipe.text_encoder.state_dict())
    grown: list[str] = []
    if pipe.unet.config.sample_size == networks.unet.config.sample_size:
        networks.unet.load_state_dict(pipe.unet.state_dict())
    else:
        grown = [f"unet.{name}" for name in grow(networks.unet, pipe.unet, new_scheduler())]
    weights = networks.state_dict()
    state = {"networks": weights, "average": weights, "optimisers": [], "grown": grown, "steps": 0, "samples": 0}
    torch.save(state | {"seconds": 0.0}, checkpoint_file(work, pixels))


def load_average(work: Path, pixels: int) -> tuple[Networks, dict]:
    """The averaged networks of the checkpoint, and what it says of the training."""
    networks = Networks(tokenizer_in(work), pixels)
    state = torch.load(checkpoint_file(work, pixels), weights_only=True)
    networks.load_state_dict(state["average"])
    return networks.eval(), {key: state[key] for key in ("steps", "samples", "seconds")}


def pipeline(work: Path, pixels: int) -> StableDiffusionInpaintPipeline:
    networks, _ = load_average(work, pixels)
    pipe = StableDiffusionInpaintPipeline(
        vae=AutoencoderTiny.from_pretrained(autoencoder_folder(work)),
        text_encoder=networks.text,
        tokenizer=tokenizer_in(work),
        unet=networks.unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def export(work: Path, folder: Path, pixels: int) -> None:
    """The pipeline folder in half precision, with the vocabulary beside it."""
    pipeline(work, pixels).to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)
    _tidy(folder)
    text = json.dumps(vocabulary(RECOMMENDED | {"size": pixels}), indent=1)
    (folder / "vocabulary.json").write_text(text + "\n")


def _tidy(folder: Path) -> None:
    """Forget this machine's paths, and let a plain `from_pretrained` load every part in full precision.

    transformers takes the dtype from the text encoder's config, diffusers takes float32; they must agree.
    """
    for config_file in folder.glob("*/config.json"):
        config = json.loads(config_file.read_text())
        config.pop("_name_or_path", None)
        if "dtype" in config:
            config["dtype"] = "float32"
        config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for weights in folder.glob("*/*.safetensors"):
        weights.chmod(0o644)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    work_argument(parser)
    parser.add_argument("--minutes", type=float, default=180)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--cooldown", type=float, default=0.3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stock-size", type=int, default=6144)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--adam-only", action="store_true")
    parser.add_argument("--export", type=Path, help="write the pipeline folder from the checkpoint and stop")
    parser.add_argument("--pixels", type=int, choices=(HALF, NATIVE_SIZE), default=NATIVE_SIZE)
    parser.add_argument("--begin-with", type=Path, help="a pipeline folder to begin with where there is no checkpoint")
    options = parser.parse_args()
    if options.begin_with:
        begin_with(options.begin_with, options.work, options.pixels)
    if options.export:
        export(options.work, options.export, options.pixels)
        return
    train(
        Run(
            work=options.work, pixels=options.pixels, minutes=options.minutes, rate=options.rate,
            cooldown=options.cooldown, batch=options.batch, workers=options.workers, stock_size=options.stock_size,
            seed=options.seed, muon=not options.adam_only,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
