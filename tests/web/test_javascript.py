"""The half of the pages that runs in the browser: its own tests, and whether what is served is what its source says."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pages.ui.inpaint.painter import CODE

ROOT = Path(__file__).parents[2]
UI = ROOT / "pages" / "ui"
REQUIRE_NODE = "INPAINT_STUDIO_REQUIRE_NODE"


def npm(script: str) -> subprocess.CompletedProcess[str]:
    """Run this script of pages/ui/package.json, or skip the test where node and its packages are missing."""
    command = shutil.which("npm")
    if (command is None or not (UI / "node_modules").is_dir()) and not os.environ.get(REQUIRE_NODE):
        pytest.skip("node's packages are not installed: cd pages/ui && npm ci")
    return subprocess.run([command or "npm", "run", "--silent", script], cwd=UI, capture_output=True, encoding="utf-8")


def test_the_committed_painter_is_what_its_source_builds():
    built = npm("bundle")

    assert built.returncode == 0, built.stderr
    assert built.stdout == CODE.read_text("utf-8"), "painter.js is not what src/ builds: cd pages/ui && npm run build"


@pytest.mark.slow
def test_the_units_of_the_painter_pass_their_own_tests():
    run = npm("test")

    assert run.returncode == 0, run.stdout + run.stderr


def test_every_file_of_the_pages_is_shipped_in_the_image():
    ignored = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split() if line[0] not in "#!"]
    served = [
        file for kind in ("js", "css", "html") for file in UI.rglob(f"*.{kind}") if "node_modules" not in file.parts
    ]

    assert len(served) >= 10
    left_out = [
        file
        for file in served
        for pattern in ignored
        if any(fnmatch.fnmatch(part, pattern) for part in file.relative_to(ROOT).parts)
    ]
    assert left_out == []
    assert "COPY pages/ pages/" in (ROOT / "Dockerfile").read_text()
