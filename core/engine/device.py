"""The devices of this machine, and the facts about it that decide the last bits of a picture."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import core
from core.domain.environment import AUTOMATIC, OPENVINO, Device, Environment, named
from core.domain.params import BFLOAT16
from core.engine.card import AMPERE, Card

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "tokenizers",
    "huggingface_hub",
    "safetensors",
    "accelerate",
    "numpy",
    "pillow",
    "streamlit",
)

MAX_THREADS = 256


def devices() -> Sequence[Device]:
    """Best first: CUDA, MPS, XPU, CPU; then what is only used where it is chosen."""
    return (
        *_cards("cuda"),
        *_mps(),
        *_cards("xpu"),
        Device("cpu", cpu_name(), "float32", takes_bfloat16=bool(_bfloat16_units())),
        *_openvino(),
    )


def resolve(setting: str) -> Device:
    """The device that a setting means: "auto" is the best one. Raises DeviceUnavailable."""
    here = devices()
    return here[0] if setting == AUTOMATIC else named(setting, here)


def set_threads(count: int | None) -> int:
    """Use this many CPU threads (None: as torch finds best) and return how many there are now."""
    import torch

    if count is not None and torch.get_num_threads() != count:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def recorded_threads(recorded: Mapping[str, Any]) -> int | None:
    """How many an earlier run used, by what an inpainter recorded of it."""
    threads = recorded.get("threads")
    return threads if isinstance(threads, int) and 1 <= threads <= MAX_THREADS else None


def prefer_exact(device: Device) -> None:
    """On a card, ask for the same bits each time at a small loss of speed. The CPU gives them anyway."""
    if device.is_processor:
        return
    import torch

    # Read when the library starts, so it must be set before the first use of the card.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def environment(device: Device) -> Environment:
    """Everything that can make the same request give other bits, as text."""
    import torch

    facts = {
        "python": platform.python_version(),
        **{name: version for name in PACKAGES if (version := _version(name))},
        "os": _system(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "device": device.key,
        "dtype": device.dtype,
        "deterministic_algorithms": str(torch.are_deterministic_algorithms_enabled()),
        "tf32": str(torch.backends.cuda.matmul.allow_tf32),
    }
    if device.is_processor and device.dtype == BFLOAT16:
        facts["cpu_bfloat16"] = _bfloat16_units() or "none"
    if device.key == OPENVINO:
        facts[OPENVINO] = _version(OPENVINO) or "unknown"
    if device.key.startswith(("cuda", "xpu")):
        facts |= _card_facts(device)
    if commit := app_commit():
        facts["app_commit"] = commit
    return Environment(facts)


@functools.cache
def app_commit() -> str | None:
    """The commit of this program: from INPAINT_STUDIO_COMMIT (an image without git), else asked of git."""
    if given := os.environ.get("INPAINT_STUDIO_COMMIT", "").strip():
        return given
    root = Path(core.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        asked = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None


@functools.cache
def cpu_name() -> str:
    """What the processor calls itself."""
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
                if line.lower().startswith(("model name", "hardware")):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    if sys.platform == "darwin":
        try:
            asked = subprocess.run(
                ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5, check=True
            )
            return asked.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine()


def _bfloat16_units() -> str | None:
    """Those of the processor that multiply bfloat16; without them it takes seventy times as long as float32."""
    import torch

    if torch.cpu._is_amx_tile_supported():
        return "amx"
    return "avx512_bf16" if torch.cpu._is_avx512_bf16_supported() else None


def _cards(kind: str) -> list[Device]:
    import torch

    backend = getattr(torch, kind, None)
    if backend is None or not backend.is_available():
        return []
    cards = []
    for number in range(backend.device_count()):
        about = backend.get_device_properties(number)
        title = f"{about.name}, {about.total_memory / 2**30:.0f} GB"
        half, takes_bfloat16 = _card(kind, about).half, _takes_bfloat16(kind, about)
        cards.append(Device(f"{kind}:{number}", title, half, about.total_memory, takes_bfloat16=takes_bfloat16))
    return cards


def card(device: Device) -> Card | None:
    """What decides how it is used; None for a device that is no graphics card with a memory of its own."""
    import torch

    kind = device.key.partition(":")[0]
    return _card(kind, getattr(torch, kind).get_device_properties(device.key)) if kind in ("cuda", "xpu") else None


def _card(kind: str, about: Any) -> Card:
    """about: what torch tells of it."""
    import torch

    # AMD's cards go by the name of CUDA, too.
    is_nvidias = kind == "cuda" and torch.version.hip is None
    capability = (int(about.major), int(about.minor)) if is_nvidias else None
    return Card(str(about.name), capability, has_compiler=importlib.util.find_spec("triton") is not None)


def _takes_bfloat16(kind: str, about: Any) -> bool:
    """Not of a card where torch computes it in float32, which on NVIDIA's earlier ones it does without a word."""
    import torch

    capability = _card(kind, about).capability
    return bool(getattr(torch, kind).is_bf16_supported()) and (capability is None or capability >= AMPERE)


def _mps() -> list[Device]:
    import torch

    # float32: half precision gives black pictures with several models on Apple's devices.
    return [Device("mps", f"{cpu_name()}, graphics", "float32")] if torch.backends.mps.is_available() else []


def _openvino() -> list[Device]:
    if importlib.util.find_spec(OPENVINO) is None:
        return []
    title = f"OpenVINO: {cpu_name()}"
    return [Device(OPENVINO, title, "float32", takes_bfloat16=bool(_bfloat16_units()))]


def _card_facts(device: Device) -> dict[str, str]:
    import torch

    facts = {"gpu": device.title}
    if torch.version.cuda:
        facts["cuda"] = torch.version.cuda
        facts["cudnn"] = str(torch.backends.cudnn.version())
    if driver := _driver(device):
        facts["driver"] = driver
    return facts


def _driver(device: Device) -> str | None:
    if not device.key.startswith("cuda"):
        return None
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.splitlines()[0].strip() if asked.stdout.strip() else None


def _system() -> str:
    libc = " ".join(platform.libc_ver())
    return " ".join(part for part in (platform.system(), platform.release(), libc) if part.strip())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
