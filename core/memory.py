"""Memory of the machine: how much of it is free, and pictures that are decoded only where they fit."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.domain.errors import OutOfMemory

CGROUP = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")

LARGE_PIXELS = 8_000_000
"""From here on pictures are decoded one after the other, and only where there is room."""

BYTES_A_PIXEL = 12
"""While one of our own PNG files is decoded, copied and hashed."""

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""As glibc's malloc.h has them."""

LARGE_BYTES = 128 * 1024
"""From here on a block has pages of its own: the value that glibc begins with."""

_large = threading.RLock()


@contextmanager
def decoding(pixels: int, bytes_a_pixel: int = BYTES_A_PIXEL) -> Iterator[None]:
    """Around the decoding of a picture: of the large ones one at a time in this process, each within free memory.

    Raises OutOfMemory before anything is decoded.
    """
    if pixels < LARGE_PIXELS:
        yield
        return
    with _large:
        needed, free = pixels * bytes_a_pixel, free_memory()
        if needed > free:
            raise OutOfMemory(
                f"This picture has {pixels / 1e6:.0f} megapixels. To open it takes about {needed / 1e9:.1f} GB of "
                f"memory, and {free / 1e9:.1f} GB are free. Make the picture smaller, or close other programs."
            )
        yield


def free_memory() -> int:
    """Bytes that this process can still get: of the machine with its swap, or of the container that it runs in.

    macOS and Windows make room as it is needed: there it is at least the whole memory.
    """
    import psutil

    memory = psutil.virtual_memory()
    free = memory.available + psutil.swap_memory().free
    if sys.platform in ("darwin", "win32"):
        return max(free, memory.total)
    return min([free, *_free_in_cgroups()])


def own_memory_mb() -> float:
    """Of this process: what of it lies in memory (RSS), in 10^6 bytes."""
    import psutil

    return float(psutil.Process().memory_info().rss / 1e6)


def keep_heaps_small() -> None:
    """For many threads that handle pictures, before they begin. Not for tensors, of which each would cost new pages.

    Two heaps for all threads: glibc gives each of many its own, and none gives back to others, 17 to 50 MB with 20
    sessions. And large blocks outside of them: once one was freed, glibc puts the next of its size among the small
    ones, which keep what lies between them from being given back, 20 to 40 MB.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(M_ARENA_MAX, 2)
            libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def trim() -> None:
    """Give freed memory back to the system. glibc keeps up to 64 MB of it in a row, and all that lies below a live
    object; other allocators give it back by themselves.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _free_in_cgroups() -> Iterator[int]:
    """What is left under each limit that counts for this process: its own group's, and those around it."""
    for folder in _groups(CGROUP, own_group("")):
        yield from _free_in(folder, "memory.max", "memory.current", ("inactive_file ", "active_file "))
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file ", "total_active_file "))
    for folder in _groups(CGROUP / "memory", own_group("memory")):
        yield from _free_in(folder, *names)


def own_group(controller: str) -> str:
    """The path of this process's group; version 2 has one for all controllers, named by none."""
    try:
        lines = OWN_CGROUP.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
        if controller in controllers.split(","):
            return path.strip("/")
    return ""


def _groups(root: Path, path: str) -> Iterator[Path]:
    """The root and every group down to this one. Inside of a container the outer ones do not exist."""
    yield root
    for part in Path(path).parts:
        root = root / part
        yield root


def _free_in(folder: Path, limit: str, used: str, given_up: tuple[str, ...]) -> Iterator[int]:
    try:
        most, taken = ((folder / name).read_text().strip() for name in (limit, used))
        if most != "max":
            yield max(0, int(most) - int(taken) + _cache_in(folder, given_up))
    except (OSError, ValueError):
        return


def _cache_in(folder: Path, given_up: tuple[str, ...]) -> int:
    """What counts as used, but is given up when it is needed."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(given_up))
