"""Which way imports point, and what starting costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_building_the_studio_loads_neither_streamlit_nor_torch():
    code = (
        "import sys, core.bootstrap, core.cli; from core.settings import Settings\n"
        "heavy = {'streamlit', 'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )

    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == 0, run.stderr


def test_no_file_of_tests_loads_torch_before_one_of_its_tests_runs():
    """Every process of a run imports every file, and most have nothing to do with torch."""
    heavy = re.compile(
        r"^(import|from) (torch|diffusers|transformers|compel)\b|^\w+ = pytest.importorskip\(.torch", re.M
    )

    found = [str(file) for file in sorted((ROOT / "tests").rglob("*.py")) if heavy.search(file.read_text())]

    assert found == []


def test_fragments_that_run_again_count_in_seconds():
    """Streamlit imports pandas and pyarrow, 65 MB, to read an interval like "1s"."""
    found = [str(file) for file in (ROOT / "pages").rglob("*.py") if re.search(r"run_every=[\"']", file.read_text())]

    assert found == []


def test_tables_and_charts_are_those_of_the_shell():
    """For its own Streamlit imports pandas and pyarrow, 75 MB: pages/ui/shell has some that do without."""
    theirs = re.compile(r"st\.(table|dataframe|data_editor|\w+_chart)\(")
    found = [file.name for file in (ROOT / "pages").rglob("*.py") if theirs.search(file.read_text())]

    assert found == ["chart.py"]


def test_imports_keep_to_the_contracts():
    pytest.importorskip("importlinter")
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
