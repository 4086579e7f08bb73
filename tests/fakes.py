"""Stand-ins for what stands behind the ports: deterministic, instant, scriptable, without torch.

FakeInpainter paints one flat colour that follows from the params, so equal params give equal pixels.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from PIL import Image

from core.domain.environment import Device, Environment
from core.domain.errors import Busy, DeviceUnavailable, UnknownModel
from core.domain.generation import Phase
from core.domain.geometry import MULTIPLE
from core.domain.hashing import canonical_json
from core.domain.model import LoadedModel, ModelSpec, Vocabulary
from core.domain.model_file import Base
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.prompt_length import PromptLength
from core.domain.request import WorkingRequest
from core.engine.models.names import HUB_ID
from core.engine.one_caller import OneCaller
from core.ports import OnDownload, OnStep, Repainted, StepReport

CPU = Device("cpu", "A made-up processor", "float32")
CUDA = Device("cuda:0", "A made-up card, 8 GB", "float16")


def fake_environment(**facts: str) -> Environment:
    """Facts of a machine that does not exist; any of them can be replaced or added."""
    return Environment({"python": "3.12.0", "torch": "0.0.fake", "cpu": "made-up", "threads": "1", **facts})


def fake_devices() -> Sequence[Device]:
    return (CPU,)


def colour_of(params: InpaintParams) -> tuple[int, int, int]:
    """The colour that FakeInpainter paints with for these params: those of stored bundles as when they were made.

    The precision changes nothing: FakeInpainter is as exact in each.
    """
    values = {**params.to_dict(), "schema": 5}
    del values["dtype"]
    files = ("loras", "controlnet", "embeddings", "vae", "ip_adapter")
    for name in (*files, "instruction", "clip_skip", "cache_interval", "ip_adapter_scale"):
        if getattr(params, name) == PARAMETERS[name].default:
            del values[name]
    red, green, blue = hashlib.sha256(canonical_json(values).encode()).digest()[:3]
    return red, green, blue


class FakeInpainter:
    """An Inpainter that can be told what should happen during its next runs.

    requests: what it was called with. calls, concurrent_calls, closed: what was done to it.
    """

    def __init__(
        self,
        model: str = "pocket-inpaint",
        device: Device | str = CPU,
        *,
        environment: Environment | None = None,
        cell: int = MULTIPLE,
        revision: str = "fake-1",
        native_px: int = 64,
    ) -> None:
        device = Device(device, device, "float32") if isinstance(device, str) else device
        self.model = LoadedModel(
            key=model,
            repository=None,
            revision=revision,
            device=device.key,
            dtype=device.dtype,
            cell=cell,
            native_px=native_px,
            load_s=0.25,
            details={"pipeline": "FakePipeline"},
        )
        self.environment = environment or fake_environment()
        self.requests: list[WorkingRequest] = []
        self.concurrent_calls = 0
        self.closed = 0
        self.shift = 0
        """Added to every colour value: makes a rerun differ, as another machine would."""
        self._hooks: dict[int, list[Callable[[], object]]] = {}
        self._failures: list[tuple[int, BaseException]] = []
        self._one_caller = OneCaller()

    @property
    def calls(self) -> int:
        return len(self.requests)

    def after_step(self, step: int, do: Callable[[], object]) -> None:
        """In every run, call this once the step has been done and reported. Step 0: before the first one."""
        self._hooks.setdefault(step, []).append(do)

    def fail_with(self, error: BaseException, *, at_step: int = 0) -> None:
        """Raise this in the next run instead of doing that step (0: before the first). Further calls queue up."""
        self._failures.append((at_step, error))

    def inpaint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        try:
            with self._one_caller:
                return self._paint(request, on_step)
        except Busy:
            self.concurrent_calls += 1
            raise

    def close(self) -> None:
        self.closed += 1
        self._one_caller.close()

    def _paint(self, request: WorkingRequest, on_step: OnStep) -> Repainted:
        request.check_cells(self.model.cell)
        self.requests.append(request)
        fail_at, error = self._failures.pop(0) if self._failures else (-1, None)
        total = request.params.effective_steps
        colour = tuple((value + self.shift) % 256 for value in colour_of(request.params))
        painted = Image.new("RGB", request.image.size, colour)
        result = Image.composite(painted, request.image, request.mask.to_image())
        on_step(StepReport(Phase.PREPARING, 0, total))
        for step in range(total + 1):
            if error is not None and step == fail_at:
                raise error
            if step:
                on_step(StepReport(Phase.DENOISING, step, total, _preview(painted)))
            for do in self._hooks.get(step, ()):
                do()
        on_step(StepReport(Phase.DECODING, total, total))
        return Repainted(result, record=self._record(request, total))

    def _record(self, request: WorkingRequest, total: int) -> Mapping[str, Any]:
        noise = hashlib.sha256(str(request.params.seed).encode()).hexdigest()
        return {
            "pipeline": "FakePipeline",
            "effective_steps": total,
            "width": request.image.width,
            "height": request.image.height,
            "dtype": self.model.dtype,
            "noise_sha256": f"sha256:{noise}",
        }


class FakeLoader:
    """A LoadInpainter that makes one FakeInpainter for each (model, device) and remembers what was asked for."""

    def __init__(self, *inpainters: FakeInpainter) -> None:
        self.inpainters = {(i.model.key, i.model.device): i for i in inpainters}
        self.loads: list[tuple[str, str]] = []
        self.error: BaseException | None = None
        """Raised by every load while it is set."""

    def __call__(self, model: str, device: str, *, dtype: str = "auto", smaller: bool = False) -> FakeInpainter:
        self.loads.append((model, device))
        if self.error is not None:
            raise self.error
        device = CPU.key if device == "auto" else device
        if device not in (CPU.key, CUDA.key):
            raise DeviceUnavailable
        if (model, device) not in self.inpainters:
            self.inpainters[model, device] = FakeInpainter(model, CPU if device == CPU.key else CUDA)
        return self.inpainters[model, device]


POCKET = ModelSpec(
    key="pocket-inpaint",
    title="Pocket",
    description="A made-up small model that is always there.",
    native_px=64,
    folder="assets/models/pocket-inpaint",
    licence="MIT",
    download_gb=0.0,
    memory_gb=0.1,
    recommended={"num_inference_steps": 4, "guidance_scale": 3.0, "size": 64},
)
REMOTE = ModelSpec(
    key="sd15-inpainting",
    title="Stable Diffusion 1.5 inpainting",
    description="A made-up large model that must be downloaded.",
    native_px=512,
    repository="stable-diffusion-v1-5/stable-diffusion-inpainting",
    licence="CreativeML Open RAIL-M",
    download_gb=4.3,
    memory_gb=6.0,
)
WORDS = Vocabulary(
    objects={"ball": ("balls",), "balloon": ("balloons",), "cat": ("cats", "kitten")},
    colours=("red", "green", "blue"),
    background_words=("sky", "grass"),
)


class FakeCatalogue:
    """A ModelCatalogue with one model that is ready and one that has to be downloaded first."""

    def __init__(self, *specs: ModelSpec, ready: Sequence[str] = (POCKET.key,)) -> None:
        self.specs = {spec.key: spec for spec in specs or (POCKET, REMOTE)}
        self.ready = set(ready)
        self.added: Sequence[ModelSpec] = ()
        self.downloads: list[str] = []
        self.discarded: list[str] = []
        self.tokens = 75
        """How many of a prompt are read at once."""
        self.error: BaseException | None = None
        """Raised half way by every download while it is set."""

    def listed(self) -> Sequence[ModelSpec]:
        return tuple(self.specs.values())

    def find(self, key: str) -> ModelSpec:
        if key in self.specs:
            return self.specs[key]
        if (id := HUB_ID.fullmatch(key)) is None:
            raise UnknownModel
        return ModelSpec(key, id["repository"], "A made-up model of a hub.", 512, repository=id["repository"])

    def additions(self) -> Sequence[ModelSpec]:
        return self.added

    def on_hub(self, key: str) -> ModelSpec:
        return next((spec for spec in self.added if spec.key == key), None) or self.find(key)

    def is_ready(self, key: str) -> bool:
        self.on_hub(key)
        return key in self.ready

    def download(self, key: str, on_progress: OnDownload) -> None:
        self.on_hub(key)
        self.downloads.append(key)
        for done in (0, 50, 100):
            if done == 50 and self.error is not None:
                raise self.error
            on_progress(done, 100)
        self.ready.add(key)

    def discard_download(self, key: str) -> None:
        self.discarded.append(self.on_hub(key).key)

    def prompt_lengths(self, params: InpaintParams) -> Mapping[str, PromptLength]:
        """As if each word were one token."""
        if not self.is_ready(params.model):
            return {}
        texts = {"prompt": params.prompt, "negative_prompt": params.negative_prompt}
        return {
            name: PromptLength(len(words), self.tokens, " ".join(words[self.tokens :]))
            for name, words in ((name, text.split()) for name, text in texts.items())
        }

    def bases(self, key: str) -> Collection[Base] | None:
        self.find(key)
        return None

    def vocabulary(self, key: str) -> Vocabulary | None:
        return WORDS if self.find(key).key == POCKET.key else None


def _preview(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.resize((16, 16)).save(data, "JPEG")
    return data.getvalue()


class InlineDispatcher:
    """run: works on one generation, in the caller's own thread, and returns when it has ended."""

    def __init__(self, run: Callable[[str], None]) -> None:
        self._run = run

    def enqueue(self, generation_id: str) -> None:
        self._run(generation_id)

    def stop(self, wait_s: float = 0) -> bool:
        return True


class WaitingDispatcher(InlineDispatcher):
    """Keeps the ids until drain() is called: for tests that look at what is queued, or cancel in between."""

    def __init__(self, run: Callable[[str], None]) -> None:
        super().__init__(run)
        self.waiting: list[str] = []

    def enqueue(self, generation_id: str) -> None:
        self.waiting.append(generation_id)

    def drain(self) -> None:
        while self.waiting:
            self._run(self.waiting.pop(0))
