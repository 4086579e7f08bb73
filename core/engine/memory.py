"""Memory of the machine and its cards: whether a model fits, asked before it is loaded, and what if it runs out."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.domain.environment import Device
from core.domain.errors import DamagedModel, OutOfMemory
from core.domain.model_file import NamedFile
from core.memory import free_memory, trim

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}

OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def of_parts(files: Mapping[str, Path], dtype: str) -> Mapping[str, int]:
    """Bytes of each component once loaded in this dtype, by the headers of its weights. Raises DamagedModel.

    files: by their names, each in the folder of its component.
    """
    from safetensors import SafetensorError, safe_open

    parts: dict[str, int] = {}
    for name, file in files.items():
        if not name.endswith(".safetensors"):
            continue
        part = name.rpartition("/")[0]
        try:
            with safe_open(file, "numpy") as weights:
                values = sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118
        except SafetensorError as error:
            raise DamagedModel from error
        parts[part] = parts.get(part, 0) + values * BYTES[dtype]
    return parts


def free_on(device: Device) -> int | None:
    """Free bytes of a card, or of the machine; None where it cannot be told."""
    kind, _, number = device.key.partition(":")
    if kind in ("cuda", "xpu"):
        import torch

        backend, nth = getattr(torch, kind), int(number or 0)
        free: int = backend.mem_get_info(nth)[0]
        # What torch keeps there for the next tensors is as good as free.
        return free + int(backend.memory_reserved(nth) - backend.memory_allocated(nth))
    return free_memory()


def check_room(files: Sequence[NamedFile], dtype: str, device: Device, what: str) -> None:
    """Raises OutOfMemory if there is no room for these in this dtype; what stays in its file takes none.

    what: they are, such as "These ControlNets".
    """
    needed = sum(
        file.about.size * BYTES[dtype] // BYTES.get(file.about.dtypes[0], 4)
        for file in files
        if file.about.dtypes and not (device.is_processor and file.about.dtypes == (dtype,))
    )
    free = free_on(device)
    if free is not None and needed > free:
        raise OutOfMemory(
            f"{what}: {needed / 1e9:.1f} GB of memory are needed, and {free / 1e9:.1f} GB are free. Use a smaller one, "
            "or close other programs."
        )


@contextmanager
def translate_errors(device: Device) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        empty_cache(device)
        raise OutOfMemory from error


def is_lack_of_memory(error: BaseException) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)


def empty_cache(device: Device) -> None:
    """Give back to the system, and to a card, what nothing holds any more."""
    import gc

    import torch

    gc.collect()
    trim()
    if not device.is_processor:
        getattr(torch, device.key.partition(":")[0]).empty_cache()


def reset_peak(device: Device) -> None:
    import torch

    if device.key.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device.key)


def peak(device: Device) -> dict[str, float]:
    """The most memory ever used, in MB: of the card in this run, and of this process since its start."""
    peak = {}
    if device.key.startswith("cuda"):
        import torch

        peak["peak_device_mb"] = round(torch.cuda.max_memory_allocated(device.key) / 1e6, 1)
    if sys.platform != "win32":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        peak["peak_process_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
    return peak
