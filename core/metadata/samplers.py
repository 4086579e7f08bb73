"""Schedulers under the names of other tools, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SAMPLERS: Mapping[str, str] = {
    "ddim": "ddim",
    "unipc": "unipc",
    "uni_pc": "unipc",
    "dpm++ 2m": "dpmpp-2m",
    "dpmpp_2m": "dpmpp-2m",
    "k_dpmpp_2m": "dpmpp-2m",
    "euler": "euler",
    "k_euler": "euler",
    "euler a": "euler-ancestral",
    "euler_a": "euler-ancestral",
    "euler_ancestral": "euler-ancestral",
    "k_euler_ancestral": "euler-ancestral",
    "heun": "heun",
    "k_heun": "heun",
    "lms": "lms",
    "k_lms": "lms",
    "plms": "pndm",
    "pndm": "pndm",
    "lcm": "lcm",
}
"""Names in lower case: A1111 and SD.Next, ComfyUI and Fooocus, InvokeAI, NovelAI."""

PLAIN_SCHEDULES = {"", "normal", "uniform", "native", "default", "automatic"}
OWN_SCHEDULES = {"ddim": {"ddim", "ddim_uniform", "ddim uniform"}, "lcm": {"lcm", "sgm_uniform", "sgm uniform"}}

A1111_NAMES: Mapping[str, tuple[str, str | None]] = {
    "ddim": ("DDIM", None),
    "unipc": ("UniPC", None),
    # Without a word, A1111 1.9 and later take Karras for this one.
    "dpmpp-2m": ("DPM++ 2M", "Uniform"),
    "dpmpp-2m-karras": ("DPM++ 2M", "Karras"),
    "euler": ("Euler", None),
    "euler-ancestral": ("Euler a", None),
    "heun": ("Heun", None),
    "lms": ("LMS", None),
    "pndm": ("PLMS", None),
    "lcm": ("LCM", None),
}

CLASSES: Mapping[str, str] = {
    "DDIMScheduler": "ddim",
    "UniPCMultistepScheduler": "unipc",
    "DPMSolverMultistepScheduler": "dpmpp-2m",
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler-ancestral",
    "HeunDiscreteScheduler": "heun",
    "LMSDiscreteScheduler": "lms",
    "PNDMScheduler": "pndm",
    "LCMScheduler": "lcm",
}


def scheduler_of(sampler: Any, schedule: Any = None) -> str | None:
    """Our key for a sampler and its noise schedule; None if we have not exactly that."""
    if not isinstance(sampler, str):
        return None
    name, schedule = sampler.strip().lower(), str(schedule or "").strip().lower()
    if name not in SAMPLERS and name.endswith(" karras"):
        name, schedule = name.removesuffix(" karras"), "karras"
    key = SAMPLERS.get(name)
    if key == "dpmpp-2m" and (schedule == "karras" or (name == "dpm++ 2m" and schedule == "automatic")):
        return "dpmpp-2m-karras"
    return key if key and schedule in PLAIN_SCHEDULES | OWN_SCHEDULES.get(key, set()) else None


def a1111_names(scheduler: str, configuration: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """A1111's sampler and schedule type for a key of ours.

    configuration: of the scheduler that really ran, which tells what "the model's own" was.
    """
    if scheduler in A1111_NAMES:
        return A1111_NAMES[scheduler]
    sampler, schedule = A1111_NAMES.get(CLASSES.get(str(configuration.get("class")), ""), (None, None))
    return sampler, "Karras" if sampler and configuration.get("use_karras_sigmas") else schedule
