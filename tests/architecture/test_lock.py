"""The lock files hold what the requirements ask for: .ci/lock writes them anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
BUILD_OF_TORCH = re.compile(r"torch$|triton$|nvidia-|cuda-")
"""Left out of the locks: which of them is right depends on the machine."""


def asked_for(path: Path) -> Iterator[Requirement]:
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            yield from asked_for(path.parent / line.removeprefix("-r "))
        elif line:
            yield Requirement(line)


def locked(path: Path) -> dict[str, list[str]]:
    """name -> versions; several where they differ by Python version or system."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def needed(requirement: Requirement, seen: set[str]) -> set[str]:
    """The names of all packages that come along here, as the installed ones state it."""
    name = canonicalize_name(requirement.name)
    if name in seen or BUILD_OF_TORCH.match(name):
        return seen
    seen.add(name)
    for line in metadata.requires(name) or ():
        further = Requirement(line)
        extras = requirement.extras or {""}
        if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
            needed(further, seen)
    return seen


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tests"], ids=["Docker", "tests"])
@pytest.mark.slow_but_first
def test_the_lock_holds_a_version_that_suits_each_requirement_and_all_that_it_brings(folder):
    asked = [r for r in asked_for(folder / "requirements.txt") if not BUILD_OF_TORCH.match(r.name)]
    versions = locked(folder / "requirements.lock")

    unsuited = [
        str(r) for r in asked if not any(map(r.specifier.contains, versions.get(canonicalize_name(r.name), ())))
    ]
    brought = set().union(*(needed(r, set()) for r in asked))

    assert unsuited == []
    assert brought - set(versions) == set()


def test_the_tests_run_with_the_versions_of_the_image():
    image, tests = (locked(folder / "requirements.lock") for folder in (ROOT, ROOT / "tests"))

    assert {name: tests.get(name) for name in image} == image


def test_every_locked_package_is_held_by_a_hash():
    for folder in (ROOT, ROOT / "tests"):
        blocks = re.split(
            r"^(?=[a-z0-9.-]+==)", (folder / "requirements.lock").read_text(encoding="utf-8"), flags=re.M
        )[1:]

        assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
