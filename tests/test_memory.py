"""How much memory is free, under whichever limit, and large pictures one after the other."""

from __future__ import annotations

import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core import memory
from core.domain.errors import OutOfMemory


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """An empty folder in place of the system's, with the group that this process is said to be in."""
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "own")

    def own(text: str) -> None:
        (tmp_path / "own").write_text(text)

    own("0::/\n")
    (tmp_path / "cgroup").mkdir()
    return tmp_path / "cgroup", own


def limit(folder, most: str, used: int, **stat: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text("".join(f"{name} {n}\n" for name, n in stat.items()))


def test_a_container_counts_more_than_the_machine(cgroup):
    root, _ = cgroup
    whole = memory.free_memory()
    limit(root, "max", 900)
    unlimited = memory.free_memory()
    limit(root, "1000", 900, anon=500, active_file=100, inactive_file=50)

    assert min(whole, unlimited) > 10**6
    assert memory.free_memory() == 250


def test_of_groups_inside_each_other_the_tightest_counts(cgroup):
    root, own = cgroup
    own("0::/system.slice/studio.service\n")
    limit(root / "system.slice", "5000", 1000)
    limit(root / "system.slice" / "studio.service", "3000", 500)

    assert memory.free_memory() == 2500
    limit(root / "system.slice", "5000", 4000)
    assert memory.free_memory() == 1000


def test_the_older_kind_of_groups_counts_too(cgroup):
    root, own = cgroup
    own("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n")
    inner = root / "memory" / "docker" / "abc"
    inner.mkdir(parents=True)
    for folder, most in ((root / "memory", 2**63 - 4096), (inner, 10_000)):
        (folder / "memory.limit_in_bytes").write_text(str(most))
        (folder / "memory.usage_in_bytes").write_text("4000")
    (inner / "memory.stat").write_text("total_inactive_file 500\ninactive_file 7\n")

    assert memory.free_memory() == 6500


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_systems_that_make_room_as_it_is_needed_offer_all_they_have(monkeypatch, platform):
    import psutil

    monkeypatch.setattr(memory.sys, "platform", platform)

    assert memory.free_memory() >= psutil.virtual_memory().total


def test_a_large_picture_that_does_not_fit_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 500_000_000)

    with pytest.raises(OutOfMemory, match=r"50 megapixels.* 1\.0 GB of memory, and 0\.5 GB are free"):  # noqa: SIM117
        with memory.decoding(50_000_000, 20):
            pass
    with memory.decoding(memory.LARGE_PIXELS - 1, 10**6):
        pass


@pytest.mark.parametrize(("pixels", "at_once"), [(memory.LARGE_PIXELS, False), (1000, True)])
def test_large_pictures_are_decoded_one_after_the_other_and_small_ones_at_once(monkeypatch, pixels, at_once):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)
    inside, most = [], []

    def decode() -> None:
        with memory.decoding(pixels):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.05)
            inside.pop()

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert (max(most) > 1) is at_once


HEAPS = """
import ctypes
from core.memory import LARGE_BYTES, keep_heaps_small

class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
    )]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Counts
if {small}:
    keep_heaps_small()
before = libc.mallinfo2().hblks
bytearray(8 * LARGE_BYTES)
kept = bytearray(4 * LARGE_BYTES)
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
@pytest.mark.parametrize(("small", "own_pages"), [(True, 1), (False, 0)])
def test_a_large_block_has_pages_of_its_own_also_after_a_larger_one_was_freed(small, own_pages):
    """What glibc does by itself is why it is told so: the day that it does not, nothing is left to tell."""
    code = HEAPS.replace("{small}", str(small))
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=60
    )

    assert run.stdout.strip() == str(own_pages), run.stderr
