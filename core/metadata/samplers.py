"""Schedulers under the names of other tools, there and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SAMPLERS: Mapping[str, str] = {
    "ddim": "ddim",
    "unipc": "unipc",
    "unipcmultistep": "unipc",
    "dpmpp2m": "dpmpp-2m",
    "dpmsolvermultistep": "dpmpp-2m",
    "euler": "euler",
    "eulera": "euler-ancestral",
    "eulerancestral": "euler-ancestral",
    "heun": "heun",
    "lms": "lms",
    "plms": "pndm",
    "pndm": "pndm",
    "lcm": "lcm",
    "tcd": "tcd",
    "ddimtrailing": "ddim-trailing",
    "eulertrailing": "euler-trailing",
}
"""Names without their spelling: of A1111, SD.Next, ComfyUI, Fooocus, InvokeAI, NovelAI, and diffusers' classes."""

PLAIN_SCHEDULES = {"", "normal", "uniform", "native", "default", "automatic", "none"}
OWN_SCHEDULES = {"ddim": {"ddim", "ddimuniform"}, "lcm": {"lcm", "sgmuniform"}}

NO_LETTER = re.compile(r"[\W_]+")

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
    "tcd": ("TCD", None),
    # Its own SGM Uniform is a timestep off.
    "ddim-trailing": ("DDIM trailing", None),
    "euler-trailing": ("Euler trailing", None),
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
    "TCDScheduler": "tcd",
}


def scheduler_of(sampler: Any, schedule: Any = None) -> str | None:
    """Our key for a sampler and its noise schedule; None if we have not exactly that.

    Either may be a class of diffusers, and the schedule may stand behind the sampler's name: "dpmpp_2m_karras".
    """
    name, by_class = _plain(sampler), _is_class(schedule)
    written = _plain(schedule)
    if name not in SAMPLERS and name.endswith("karras"):
        name, written = name.removesuffix("karras"), written if by_class else "karras"
    if by_class:
        # SD.Next names the class beside its sampler, which may be "Default". It must be a class of that sampler.
        if written not in SAMPLERS or SAMPLERS.get(name, SAMPLERS[written]) != SAMPLERS[written]:
            return None
        name, written = written, "karras" if _plain(sampler).endswith("karras") else ""
    key = SAMPLERS.get(name)
    is_a1111 = str(sampler).strip().lower() == "dpm++ 2m"
    if key == "dpmpp-2m" and (written == "karras" or (is_a1111 and written == "automatic")):
        return "dpmpp-2m-karras"
    return key if key and written in PLAIN_SCHEDULES | OWN_SCHEDULES.get(key, set()) else None


def _plain(name: Any) -> str:
    """Without the spelling: "DPM++ 2M", "dpmpp_2m", "k_dpmpp_2m" and "dpm++2m" are one, and so are
    "EulerDiscreteScheduler" and "euler"."""
    text = str(name)[:100].strip().lower() if isinstance(name, str) else ""
    text = NO_LETTER.sub("", text.removeprefix("k_").removeprefix("sample_").replace("++", "pp"))
    return text.removesuffix("scheduler").removesuffix("discrete") if _is_class(text) else text


def _is_class(name: Any) -> bool:
    return isinstance(name, str) and name.strip().lower().endswith("scheduler")


def a1111_names(scheduler: str, configuration: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """A1111's sampler and schedule type for a key of ours.

    configuration: of the scheduler that really ran, which tells what "the model's own" was.
    """
    if scheduler in A1111_NAMES:
        return A1111_NAMES[scheduler]
    sampler, schedule = A1111_NAMES.get(CLASSES.get(str(configuration.get("class")), ""), (None, None))
    return sampler, "Karras" if sampler and configuration.get("use_karras_sigmas") else schedule
