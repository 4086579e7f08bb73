"""One run of a picture in this process, ours or plain diffusers', and where its CPU seconds went."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from core.domain.environment import OPENVINO
from core.domain.model_file import Base
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, Plan
from core.domain.speed import BALANCED, BEST, DRAFT, FEW_STEPS, Surroundings
from core.domain.speed import values as values_of
from core.settings import Settings
from tests.benchmarks import full_size

PLAIN = "plain"
PLAIN_STEPS = 50
SIDE = 768
PROMPT = "a red balloon"
TAESD = "taesd"
SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


@dataclass(frozen=True, slots=True)
class Case:
    """steps: of its full run. values: of InpaintParams, beside prompt, model and seed."""

    steps: int
    values: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def can_run(self) -> bool:
        """Whether this machine has the units and the packages for it."""
        needs_bfloat16 = str(self.values.get("dtype", "")).endswith("bfloat16")
        is_installed = self.device != OPENVINO or importlib.util.find_spec(OPENVINO) is not None
        return is_installed and (has_bfloat16() or not needs_bfloat16)


AROUND = Surroundings(
    {"num_inference_steps": PLAIN_STEPS, "guidance_scale": 7.5, "scheduler": "model-default", "size": 512},
    bases=(Base.SD1,),
    loras=FEW_STEPS[Base.SD1][0].names[:1],
    vaes=(TAESD,),
)
HALF = {"dtype": "bfloat16"}


def of_speed(speed: str, device: str = "cpu", **changes: Any) -> Case:
    """The parameters of a speed in float32, without its LoRA: once it is in the weights it costs nothing."""
    values = {**values_of(speed, AROUND), "loras": (), "dtype": "auto", **changes}
    return Case(
        values["num_inference_steps"],
        {name: value for name, value in values.items() if name in PARAMETERS and name != "num_inference_steps"},
        device,
    )


CASES: Mapping[str, Case] = {
    PLAIN: Case(PLAIN_STEPS),
    "best": of_speed(BEST),
    "best-bf16": of_speed(BEST, **HALF),
    "best-openvino": of_speed(BEST, OPENVINO),
    "best-openvino-bf16": of_speed(BEST, OPENVINO, **HALF),
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
                own = vars(target).get(name)
                undo.callback(partial(delattr, target, name) if own is None else partial(setattr, target, name, own))
                setattr(target, name, self._timed(part, getattr(target, name)))
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
        inpainter = make_loader(settings)(str(folder), case.device, dtype=params.dtype)
        load_s = time.process_time() - started
        clock, records = Clock(), list[Mapping[str, Any]]()

        def call() -> None:
            painted = paint(plan_of(image, mask, params, inpainter), inpainter, lambda report: None)
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


def plan_of(image: Image.Image, mask: Mask, params: InpaintParams, inpainter: Any) -> Plan:
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


def has_bfloat16() -> bool:
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
