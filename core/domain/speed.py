"""Draft, Balanced, Best: three sets of ordinary parameters by what they cost. The one table of them.

A speed is a choice of the form and the command line, not of the record: it sets parameters, and those are recorded.
The figures behind it: docs/decisions/0042-three-speeds.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.domain.geometry import MULTIPLE
from core.domain.model_file import Base
from core.domain.modes import ADD, REPLACE
from core.domain.params import AUTO_DTYPE, BFLOAT16

DRAFT, BALANCED, BEST = "draft", "balanced", "best"
"""The keys of SPEEDS."""

SPEEDS: Mapping[str, tuple[str, str]] = {
    DRAFT: (
        "Draft",
        "A few steps in a smaller crop, to find a seed and a composition. Stable Diffusion needs an LCM-LoRA for it, "
        "and is faster still with TAESD.",
    ),
    BALANCED: (
        "Balanced",
        "A third of the steps with a scheduler made for few, and only as many pixels as the mask needs: close to Best.",
    ),
    BEST: ("Best", "The model's own number of steps at its own size, in full precision: nothing is left out."),
}
"""Titles and explanations, in order."""

ANOTHER_SEED = "another seed"

LIKENESS: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("pocket-inpaint", REPLACE): {DRAFT: 35.3, BALANCED: 40.4, ANOTHER_SEED: 19.4},
    ("pocket-inpaint", ADD): {DRAFT: 25.8, BALANCED: 31.4, ANOTHER_SEED: 19.5},
}
"""By model and mode, how near each comes to Best: PSNR inside the mask, in dB, in float32. Medians over 52 words and
six photographs, as tests/benchmarks/likeness.py prints them. Of models whose weights were not at hand nothing is known.
"""

SOLVER = "dpmpp-2m"
BALANCED_SHARE = 1 / 3
DRAFT_SHARE = 1 / 5
LEAST_BALANCED_STEPS = 6
DRAFT_STEPS = 4, 8
DRAFT_SIZE_SHARE = 3 / 4
SMALL_PX = 256
"""A model trained at so little has nothing to spare."""


@dataclass(frozen=True, slots=True)
class FewSteps:
    """A LoRA that draws in few steps, by the names that its file has. steps: what its authors recommend."""

    names: Sequence[str]
    scheduler: str
    steps: int


FEW_STEPS: Mapping[Base, Sequence[FewSteps]] = {
    Base.SD1: (
        FewSteps(("lcm-lora-sdv1-5", "lcm_lora_sd15", "lcm-lora-sd15"), "lcm", 4),
        FewSteps(("tcd-sd15-lora",), "tcd", 4),
        FewSteps(("Hyper-SD15-8steps-lora",), "ddim-trailing", 8),
    ),
    Base.SDXL: (
        FewSteps(("lcm-lora-sdxl", "lcm_lora_sdxl"), "lcm", 4),
        FewSteps(("sdxl_lightning_4step_lora",), "euler-trailing", 4),
        FewSteps(("tcd-sdxl-lora",), "tcd", 4),
        FewSteps(("Hyper-SDXL-8steps-lora",), "ddim-trailing", 8),
    ),
}
"""Of those that are there the first is taken: the fastest first. LCM-LoRA: Luo et al., 2023, 4 to 8 steps without
guidance; TCD: Zheng et al., 2024, 4 and more; SDXL-Lightning: Lin et al., 2024; Hyper-SD: Ren et al., 2024: as many as
their names say, without guidance."""

SMALL_VAES: Mapping[Base, Sequence[str]] = {Base.SD1: ("taesd",), Base.SDXL: ("taesdxl",)}
"""By the names of their files (madebyollin/taesd)."""


NOTHING: Mapping[str, Any] = {"loras": (), "vae": ""}
"""Of a form, where no files are chosen."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is for a model. recommended: for each parameter that depends on it. unused: parameters without any
    effect. bases: its architectures. loras, vaes: names of files. takes_bfloat16: whether its device computes in it
    at full speed. takes_loras: whether it takes any there."""

    recommended: Mapping[str, Any]
    unused: Collection[str] = ()
    bases: Collection[Base] = ()
    loras: Collection[str] = ()
    vaes: Collection[str] = ()
    takes_bfloat16: bool = False
    takes_loras: bool = True

    @property
    def base(self) -> Base | None:
        """None of a model that can be several, of which each needs others, and of one that has no LoRA of few steps."""
        found = [base for base in self.bases if base in FEW_STEPS]
        return found[0] if len(found) == 1 == len(self.bases) else None

    @property
    def few_steps(self) -> tuple[str, FewSteps] | None:
        """The name of the LoRA of few steps, as it is on this machine, and what it wants; None where there is none."""
        kinds = FEW_STEPS[self.base] if self.base and self.takes_loras else ()
        found = ((_first(kind.names, self.loras), kind) for kind in kinds)
        return next(((name, kind) for name, kind in found if name is not None), None)

    @property
    def vae(self) -> str | None:
        return _first(SMALL_VAES[self.base], self.vaes) if self.base else None

    @property
    def draft_size(self) -> int:
        """Pixels along the longer side, at most."""
        size = int(self.recommended["size"])
        return size if size <= SMALL_PX else int(size * DRAFT_SIZE_SHARE) // MULTIPLE * MULTIPLE

    @property
    def missing(self) -> tuple[str, ...]:
        """Files that would make a draft faster, by their place below the folder of models."""
        if self.base is None:
            return ()
        of_loras = [("loras", self.few_steps, FEW_STEPS[self.base][0].names)] if self.takes_loras else []
        wanted = (*of_loras, ("vae", self.vae, SMALL_VAES[self.base]))
        return tuple(f"{folder}/{names[0]}.safetensors" for folder, found, names in wanted if found is None)


def values(speed: str, around: Surroundings, form: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """The parameters of a speed, and of the form whether the mask decides the size (auto_size).

    Nothing for a model without steps. form: what is chosen; the artist's own LoRAs and VAE stay.
    """
    if "num_inference_steps" in around.unused:
        return {}
    best = around.recommended
    steps = int(best["num_inference_steps"])
    own = [one for one in form["loras"] if not _is_of_few_steps(str(one["name"]))]
    vae = str(form["vae"])
    found: dict[str, Any] = {
        **{name: best[name] for name in ("num_inference_steps", "guidance_scale", "scheduler", "size")},
        "dtype": AUTO_DTYPE,
        "cache_interval": 1,
        "vae": "" if _is_of_few_steps(vae) else vae,
        "loras": own,
        "auto_size": False,
    }
    # One that needs no guidance was distilled to its number of steps.
    is_distilled = best["guidance_scale"] <= 1
    if speed != BEST:
        found["auto_size"] = True
        found["dtype"] = BFLOAT16 if around.takes_bfloat16 else AUTO_DTYPE
    if speed != BEST and not is_distilled:
        found["scheduler"] = SOLVER
        of_balanced = BALANCED_SHARE, (LEAST_BALANCED_STEPS, steps)
        share, limits = of_balanced if speed == BALANCED else (DRAFT_SHARE, DRAFT_STEPS)
        found["num_inference_steps"] = _fewer(steps, share, limits)
    if speed == DRAFT:
        found["size"] = around.draft_size
        if few := around.few_steps:
            lora, wants = few
            found |= {
                "loras": [*own, {"name": lora, "weight": 1.0}],
                "scheduler": wants.scheduler,
                "num_inference_steps": wants.steps,
                "guidance_scale": 1.0,
            }
        if not found["vae"] and around.vae is not None:
            found["vae"] = around.vae
    return {name: value for name, value in found.items() if name not in around.unused}


def chosen(form: Mapping[str, Any], around: Surroundings) -> str | None:
    """The speed that these values of a form come to; the slowest of several, None for values of none."""
    return next((speed for speed in (BEST, BALANCED, DRAFT) if _is_of(speed, form, around)), None)


def can_be_finished(params: Mapping[str, Any], around: Surroundings) -> bool:
    """Whether a generation with these parameters was made as Draft or Balanced, at whatever size its mask needed."""
    if _is_of(BEST, {**params, "auto_size": False}, around):
        return False
    # Also where the files of few steps came or went since.
    with_files = [replace(around, loras=loras, vaes=vaes) for loras in (around.loras, ()) for vaes in (around.vaes, ())]
    return any(
        _is_of(speed, {**params, "size": values(speed, then).get("size"), "auto_size": True}, then)
        for then in with_files
        for speed in (BALANCED, DRAFT)
    )


def _is_of(speed: str, form: Mapping[str, Any], around: Surroundings) -> bool:
    """The order of LoRAs is the artist's affair."""
    wanted = values(speed, around, form)
    return all(_unordered(form.get(name)) == _unordered(value) for name, value in wanted.items())


def _unordered(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value


def _fewer(steps: int, share: float, limits: tuple[int, int]) -> int:
    least, most = limits
    return min(steps, most, max(least, round(steps * share)))


def _first(wanted: Sequence[str], there: Collection[str]) -> str | None:
    """The name of the first of these files that is there, in whatever folder."""
    by_stem = {name.rpartition("/")[2].casefold(): name for name in there}
    return next((by_stem[name] for name in map(str.casefold, wanted) if name in by_stem), None)


def _is_of_few_steps(name: str) -> bool:
    return name.rpartition("/")[2].casefold() in _OF_FEW_STEPS


_OF_FEW_STEPS = {
    name.casefold()
    for names in (*(few.names for kinds in FEW_STEPS.values() for few in kinds), *SMALL_VAES.values())
    for name in names
}
