from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import core.engine

HEAVY = ("torch", "diffusers", "transformers", "huggingface_hub", "safetensors")


NETWORKS = ("storage.int8",)
"""Modules that are layers of torch themselves; the others import them where a model is loaded."""


@pytest.mark.slow
def test_importing_the_engine_loads_none_of_the_heavy_libraries():
    folder = Path(core.engine.__file__).parent
    modules = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.stem != "__init__"
    )
    modules = [name for name in modules if name not in NETWORKS]
    code = "\n".join(
        [
            *(f"import core.engine.{name}" for name in modules),
            "import sys",
            f"print([m for m in {HEAVY} if m in sys.modules])",
        ]
    )

    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert {"diffusers_inpainter", "models.hub", "run.schedulers"} <= set(modules)
    assert asked.stdout.strip() == "[]"
