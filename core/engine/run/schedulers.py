"""Our stable scheduler keys, and the diffusers classes and settings behind them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from core.domain.errors import InvalidParams
from core.domain.params import MODEL_DEFAULT, SCHEDULERS

PLAIN_SIGMAS = {"use_karras_sigmas": False, "use_exponential_sigmas": False, "use_beta_sigmas": False}
"""Stated, so that a key means the same for a model whose own scheduler uses one of them."""

# Latents are not pixels in -1..1: clipping them there, the default of some classes, spoils the picture.
UNCLIPPED = {"clip_sample": False}

# From pure noise on, as models of few steps were distilled; the usual spacing begins below it (SGM Uniform in A1111).
TRAILING = {"timestep_spacing": "trailing"}

DPMPP_2M = {**PLAIN_SIGMAS, "algorithm_type": "dpmsolver++", "solver_order": 2, "use_lu_lambdas": False}

CLASSES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ddim": ("DDIMScheduler", UNCLIPPED),
    "ddim-trailing": ("DDIMScheduler", {**UNCLIPPED, **TRAILING}),
    "unipc": ("UniPCMultistepScheduler", PLAIN_SIGMAS),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", DPMPP_2M),
    "dpmpp-2m-karras": ("DPMSolverMultistepScheduler", {**DPMPP_2M, "use_karras_sigmas": True}),
    "euler": ("EulerDiscreteScheduler", {**PLAIN_SIGMAS, "timestep_type": "discrete"}),
    "euler-trailing": ("EulerDiscreteScheduler", {**PLAIN_SIGMAS, **TRAILING, "timestep_type": "discrete"}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {**PLAIN_SIGMAS, **UNCLIPPED}),
    "lms": ("LMSDiscreteScheduler", PLAIN_SIGMAS),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "lcm": ("LCMScheduler", UNCLIPPED),
    "tcd": ("TCDScheduler", UNCLIPPED),
}

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {"tcd": {"eta": 0.3}}
"""Of the pipeline's call. eta: how much new noise each step adds; the value of TCD's authors (h1t/TCD-SD15-LoRA)."""

WITHOUT_ZERO_SNR = {"heun", "lms", "pndm"}
"""These classes do not know rescale_betas_zero_snr and would denoise along another schedule than the model's."""


def fresh(key: str, own: Any) -> Any:
    """A new scheduler object for one run: they keep state, so none is used twice.

    own: the scheduler that came with the model. Everything its configuration states (betas, prediction_type,
    rescale_betas_zero_snr, timestep_spacing) is kept.

    Raises InvalidParams if this scheduler cannot run this model.
    """
    if key == MODEL_DEFAULT:
        return type(own).from_config(own.config)
    import diffusers

    if key in WITHOUT_ZERO_SNR and own.config.get("rescale_betas_zero_snr"):
        raise InvalidParams(
            f"The scheduler {SCHEDULERS[key]} cannot run this model, which starts from pure noise (zero terminal SNR). "
            "Choose another one, such as DDIM or Euler."
        )
    name, overrides = CLASSES[key]
    kind = getattr(diffusers, name)
    # What this class does not know would stay in its configuration, and so in the record, without any effect.
    known = {*inspect.signature(kind.__init__).parameters, "_use_default_values"}
    try:
        return kind.from_config({k: v for k, v in own.config.items() if k in known}, **overrides)
    except ImportError as error:
        raise InvalidParams(
            f"The scheduler {SCHEDULERS[key]} needs the package scipy. Install it, or choose another scheduler."
        ) from error


def as_recorded(scheduler: Any, recorded: Any) -> Any:
    """A new scheduler with the configuration that an earlier run recorded, if it is of the same class.

    recorded: what configuration() gave then. A model's own configuration, or a default of the library, may have
    changed since. Anything that does not fit leaves the scheduler as it is.
    """
    kind = type(scheduler)
    if not isinstance(recorded, Mapping) or recorded.get("class") != kind.__name__:
        return scheduler
    known = set(inspect.signature(kind.__init__).parameters)
    values = {name: _number(value) for name, value in recorded.items() if name in known}
    return kind.from_config({**scheduler.config, "_use_default_values": [], **values})


def planned(scheduler: Any, *, num_inference_steps: int, strength: float) -> list[float]:
    """The timesteps of the model calls that a pipeline will make, as far as they can be told beforehand.

    As in StableDiffusionInpaintPipeline.get_timesteps; some schedulers call the model more than once a step. Those of
    flow matching depend on more, and their pipelines round the share that is skipped down.
    Raises InvalidParams if the scheduler cannot run that many steps.
    """
    if is_flow(scheduler):
        return [0.0] * (num_inference_steps - int(max(num_inference_steps - num_inference_steps * strength, 0)))
    try:
        scheduler.set_timesteps(num_inference_steps)
    except ValueError as error:
        raise InvalidParams(
            f"{type(scheduler).__name__.removesuffix('Scheduler')} cannot run {num_inference_steps} steps with this "
            "model. Choose fewer steps (LCM needs 4 to 8), or another scheduler."
        ) from error
    run = min(int(num_inference_steps * strength), num_inference_steps)
    first = max(num_inference_steps - run, 0) * scheduler.order
    return [float(t) for t in scheduler.timesteps[first:]]


def is_flow(scheduler: Any) -> bool:
    """Whether it is one of flow matching, which mixes noise and picture instead of adding noise."""
    return hasattr(scheduler, "scale_noise")


def noised(scheduler: Any, latents: Any, noise: Any, timestep: Any) -> Any:
    """The latents with as much of the noise as belongs to this timestep: of flow matching, or of older schedulers."""
    import torch

    if is_flow(scheduler):
        return scheduler.scale_noise(latents, torch.tensor([timestep]), noise)
    return scheduler.add_noise(latents, noise, torch.tensor([timestep]))


def steps_of(model_calls: int, order: int) -> int:
    """How many denoising steps that many model calls make."""
    return math.ceil(model_calls / order)


def configuration(scheduler: Any) -> dict[str, Any]:
    """The class and its full configuration, as JSON values."""
    values = {name: _plain(value) for name, value in scheduler.config.items() if not name.startswith("_")}
    return {"class": type(scheduler).__name__, **values}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf", "nan") else value
