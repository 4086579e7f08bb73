"""Speed and memory at full size, beside plain diffusers in the same run.

    python -m tests.benchmarks.speed --quick
    python -m tests.benchmarks.speed --json
    python -m tests.benchmarks.speed --only plain best draft-384

Stable Diffusion 1.5 inpainting with random weights (about 4.3 GB, made once in --folder), one picture at 512 px. Each
run is a process of its own; they take turns, and the figure is the median of the rounds, in CPU seconds: machines are
shared. "plain" is diffusers' own call with 50 steps, guidance 7.5 and float32; "ratio" is its CPU seconds by those of a
run. With --quick, runs of many steps are made with two numbers of few steps and extrapolated: each step costs the same.
It is said of each run ("extrapolated").

parts: CPU seconds of the text encoder, of encoding, of a step, of decoding, of a preview, and of all else around them.
likeness: of the bundled pocket model, PSNR inside the mask to its own full run, in dB, and how much less CPU it took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from core.domain.model_file import Base
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.reproduction import compare
from core.domain.request import InpaintRequest, Plan
from core.domain.speed import BALANCED, BEST, DRAFT, FEW_STEPS, Surroundings
from core.domain.speed import values as values_of
from core.engine.device import cpu_name
from core.settings import Settings
from tests.benchmarks import full_size

PLAIN = "plain"
PLAIN_STEPS = 50
QUICK_STEPS = (1, 3)
FEW_STEPS_ANYWAY = 8
SIDE = 768
EQUAL_DB = 99.0
PROMPT = "a red balloon"
TAESD = "taesd"
SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


@dataclass(frozen=True, slots=True)
class Case:
    """steps: of its full run. values: of InpaintParams, beside prompt, model and seed."""

    steps: int
    values: Mapping[str, Any] = field(default_factory=dict)
    needs_bfloat16: bool = False


AROUND = Surroundings(
    {"num_inference_steps": PLAIN_STEPS, "guidance_scale": 7.5, "scheduler": "model-default", "size": 512},
    bases=(Base.SD1,),
    loras=FEW_STEPS[Base.SD1][0].names[:1],
    vaes=(TAESD,),
)
HALF = {"dtype": "bfloat16"}


def of_speed(speed: str, **changes: Any) -> Case:
    """The parameters of a speed in float32, without its LoRA: once it is in the weights it costs nothing."""
    values = {**values_of(speed, AROUND), "loras": (), "dtype": "auto", **changes}
    return Case(
        values["num_inference_steps"],
        {name: value for name, value in values.items() if name in PARAMETERS and name != "num_inference_steps"},
        needs_bfloat16=values["dtype"] == "bfloat16",
    )


CASES: Mapping[str, Case] = {
    PLAIN: Case(PLAIN_STEPS),
    "best": of_speed(BEST),
    "best-bf16": of_speed(BEST, **HALF),
    "balanced": of_speed(BALANCED),
    "balanced-bf16": of_speed(BALANCED, **HALF),
    **{f"draft-{size}": of_speed(DRAFT, size=size) for size in (512, 384, 256)},
    **{f"draft-{size}-bf16": of_speed(DRAFT, size=size, **HALF) for size in (512, 384, 256)},
}


class Clock:
    """CPU seconds that go into methods, and how often they were called."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    @contextmanager
    def on(self, methods: Mapping[str, tuple[Any, str]]) -> Iterator[None]:
        """methods: by the name of the part, the object and the name of its method."""
        with ExitStack() as undo:
            for part, (target, name) in methods.items():
                setattr(target, name, self._timed(part, getattr(target, name)))
                undo.callback(delattr, target, name)
            yield

    def _timed(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                self.spent[part] = self.spent.get(part, 0.0) + time.process_time() - started
                self.calls[part] = self.calls.get(part, 0) + 1

        return timed


def parts_of(pipe: Any) -> Mapping[str, tuple[Any, str]]:
    return {
        "text": (pipe.text_encoder, "forward"),
        "encode": (pipe.vae, "encode"),
        "step": (pipe.unet, "forward"),
        "decode": (pipe.vae, "decode"),
    }


def picture() -> tuple[Image.Image, Mask]:
    """A photograph of 768 px, and a mask that keeps its crop away from the border."""
    image = Image.open(SAMPLES / "fig-in-a-bowl.jpg").convert("RGB").resize((SIDE, SIDE))
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).ellipse((288, 288, 480, 480), fill=255)
    return image, Mask.from_image(mask)


def run_plain(folder: Path, case: Case, steps: int, threads: int) -> Mapping[str, Any]:
    import torch
    from diffusers import StableDiffusionInpaintPipeline

    torch.set_num_threads(threads)
    started = time.process_time()
    pipe = StableDiffusionInpaintPipeline.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    load_s = time.process_time() - started
    image, mask = picture()
    box = (128, 128, 640, 640)
    given = {"image": image.crop(box), "mask_image": mask.to_image().crop(box), "height": 512, "width": 512}
    clock = Clock()

    def call() -> None:
        pipe(PROMPT, **given, num_inference_steps=steps, generator=torch.Generator().manual_seed(0))

    with clock.on(parts_of(pipe)):
        cpu_s = _cpu_seconds(call)
    return {"load_s": load_s, "cpu_s": cpu_s, "dtype": "float32", **_parts(clock, cpu_s), "peak_mb": _peak_mb()}


def run_ours(folder: Path, case: Case, steps: int, threads: int) -> Mapping[str, Any]:
    """The whole way of a picture through the product, from the request to the finished picture."""
    from core.bootstrap import make_loader
    from core.services.painting import paint

    with tempfile.TemporaryDirectory() as data:
        settings = Settings(_env_file=None, data=Path(data), threads=threads)
        file = full_size.save_tiny_autoencoder(folder.parent / f"{TAESD}.safetensors")
        watched = settings.models / "vae" / file.name
        watched.parent.mkdir(parents=True)
        watched.symlink_to(file)
        image, mask = picture()
        base = {"model": str(folder), "prompt": PROMPT, "strength": 1.0, "size": 512, "crop_padding_px": 160}
        params = InpaintParams(**{**base, "num_inference_steps": steps, **case.values})
        started = time.process_time()
        inpainter = make_loader(settings)(str(folder), "cpu", **_loading(params))
        load_s = time.process_time() - started
        clock, records = Clock(), list[Mapping[str, Any]]()

        def call() -> None:
            painted = paint(_plan(image, mask, params, inpainter), inpainter, lambda report: None)
            records.append(painted.record)

        with clock.on(parts_of(inpainter._pipe)), _previews(clock):  # type: ignore[attr-defined]
            cpu_s = _cpu_seconds(call)
        size = records[-1]["width"]
        return {
            "load_s": load_s,
            "cpu_s": cpu_s,
            "dtype": records[-1]["dtype"],
            "size": size,
            **_parts(clock, cpu_s),
            "peak_mb": _peak_mb(),
        }


def _loading(params: InpaintParams) -> Mapping[str, Any]:
    return {"dtype": params.dtype}


def _plan(image: Image.Image, mask: Mask, params: InpaintParams, inpainter: Any) -> Plan:
    return Plan.of(InpaintRequest(image, mask, params), inpainter.model.cell)


@contextmanager
def _previews(clock: Clock) -> Iterator[None]:
    from core.engine.run.preview import Preview

    of = Preview.of
    Preview.of = clock._timed("preview", of)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Preview.of = of  # type: ignore[method-assign]


def _cpu_seconds(call: Callable[[], None]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _parts(clock: Clock, cpu_s: float) -> Mapping[str, Any]:
    steps = clock.calls["step"]
    return {
        "steps": steps,
        "step_s": clock.spent["step"] / steps,
        **{f"{part}_s": clock.spent.get(part, 0.0) for part in ("text", "encode", "decode", "preview")},
        "around_s": cpu_s - sum(clock.spent.values()),
    }


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def measured(name: str, case: Case, chosen: argparse.Namespace) -> Mapping[str, Any]:
    """One run in a process of its own; of two if it is extrapolated."""
    if not chosen.quick or case.steps <= FEW_STEPS_ANYWAY:
        return {**_in_process(name, case.steps, chosen), "extrapolated": False}
    # The first run of a process also makes what later ones find: it is a part of both, and falls out of the difference.
    few, more = (_in_process(name, steps, chosen) for steps in QUICK_STEPS)
    # A scheduler may call the model once more than it was asked for steps.
    step = (more["cpu_s"] - few["cpu_s"]) / (more["steps"] - few["steps"])
    calls = case.steps + more["steps"] - max(QUICK_STEPS)
    return {**more, "cpu_s": more["cpu_s"] + (calls - more["steps"]) * step, "steps": calls, "extrapolated": True}


def _in_process(name: str, steps: int, chosen: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, "--run", name, "--steps", str(steps)]
    command += ["--folder", str(chosen.folder), "--threads", str(chosen.threads)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def medians(rounds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rows = list(rounds)
    return {
        name: statistics.median(row[name] for row in rows) if isinstance(value, float) else value
        for name, value in rows[-1].items()
    }


def likeness(threads: int) -> Iterator[Mapping[str, Any]]:
    """Of the pocket model with the values of each speed, against its full run: medians over the sample pictures."""
    from core.bootstrap import make_loader

    inpainter = make_loader(Settings(_env_file=None, threads=threads))("pocket-inpaint", "cpu")
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(SAMPLES.glob("*.jpg")):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).ellipse((width * 0.35, height * 0.35, width * 0.65, height * 0.65), fill=255)
        full, full_s = _pocket(image, Mask.from_image(mask), inpainter, {})
        for name, values in LIKENESS.items():
            other, cpu_s = _pocket(image, Mask.from_image(mask), inpainter, values)
            psnr = compare(full, other, Mask.from_image(mask)).psnr
            found.setdefault(name, []).append((EQUAL_DB if psnr is None else psnr, full_s / cpu_s))
    for name, pairs in found.items():
        psnr, ratio = (statistics.median(values) for values in zip(*pairs, strict=True))
        yield {"name": f"pocket-{name}", "psnr_db": round(psnr, 1), "ratio": round(ratio, 2)}


LIKENESS: Mapping[str, Mapping[str, Any]] = {
    "same-values-again": {},
    "other-seed": {"seed": 1},
    **{f"{steps}-steps": {"num_inference_steps": steps} for steps in (15, 12, 10, 7, 5, 4)},
    **{f"dpmpp-2m-{steps}": {"num_inference_steps": steps, "scheduler": "dpmpp-2m"} for steps in (10, 7, 5, 4)},
    **{f"unipc-{steps}": {"num_inference_steps": steps, "scheduler": "unipc"} for steps in (10, 7, 5, 4)},
}


def _pocket(image: Image.Image, mask: Mask, inpainter: Any, values: Mapping[str, Any]) -> tuple[Image.Image, float]:
    from core.services.painting import paint

    params = InpaintParams(
        **{"prompt": PROMPT, "seed": 0, "num_inference_steps": 20, "guidance_scale": 4.0, "size": 128, **values}
    )
    started = time.process_time()
    result = paint(_plan(image, mask, params, inpainter), inpainter, lambda report: None).result
    return result, time.process_time() - started


def cpu_flags() -> list[str]:
    """Those of this processor that decide which kernels run."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return sorted(flag for flag in flags if flag.startswith(("avx", "amx", "fma", "f16c")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sd15-random" / "model")
    parser.add_argument("--run", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run = run_plain if chosen.run == PLAIN else run_ours
        print(json.dumps(run(chosen.folder, CASES[chosen.run], chosen.steps, chosen.threads)))
        return
    full_size.save(chosen.folder)
    names = [name for name in chosen.only if has_bfloat16() or not CASES[name].needs_bfloat16]
    rounds: dict[str, list[Mapping[str, Any]]] = {name: [] for name in dict.fromkeys([PLAIN, *names])}
    for _ in range(chosen.rounds):
        for name, rows in rounds.items():
            rows.append(measured(name, CASES[name], chosen))
            # It takes long: what was measured is told at once.
            print(f"{name}: {rows[-1]['cpu_s']:.1f} CPU seconds", file=sys.stderr, flush=True)
    told: Callable[[Mapping[str, Any]], None] = _tell_json if chosen.json else _tell
    told({"name": "machine", "cpu": cpu_name(), "flags": " ".join(cpu_flags()), "threads": chosen.threads})
    by_name = {name: medians(rows) for name, rows in rounds.items()}
    for name, row in by_name.items():
        told(_rounded({"name": name, "ratio": by_name[PLAIN]["cpu_s"] / row["cpu_s"], **row}))
    if "best" in by_name:
        best = by_name["best"]
        told(_rounded({"name": "preview", "of_a_step": best["preview_s"] / best["steps"] / best["step_s"]}))
        told(_rounded({"name": "overhead", "of_a_run": _around(best) - _around(by_name[PLAIN])}))
    for row in likeness(chosen.threads):
        told(row)


def _around(row: Mapping[str, Any]) -> float:
    """The share of a run that goes into nothing of the model: of plain diffusers the pipeline's own, of ours that and
    all that we do."""
    return float((row["around_s"] + row["preview_s"]) / row["cpu_s"])


def has_bfloat16() -> bool:
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _rounded(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in row.items()}


def _tell(row: Mapping[str, Any]) -> None:
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def _tell_json(row: Mapping[str, Any]) -> None:
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
