"""The least memory that a picture takes: whole runs, load included, under a limit on the data of the process.

    python -m tests.benchmarks.fit
    python -m tests.benchmarks.fit --only fit-int8-bf16 --steps 4

Stable Diffusion 1.5 inpainting at full size with random weights (about 4.3 GB, made once in --folder), one picture at
512 px with guidance, decoded by a tiny autoencoder. prlimit --data counts all memory that is the process's own, and
files that are mapped to be written. peak_mb is the most that lay in memory (VmHWM), files that were read by mapping
included. A run that does not fit says ok: false and what it died of. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import core.__main__  # noqa: F401 - sets what libraries read when they are loaded, as it does for a worker
from tests.benchmarks import full_size
from tests.benchmarks.speed_runs import TAESD, Case, run_ours

DEFAULT_FOLDER = Path(tempfile.gettempdir()) / "sd15-random" / "model"

CASES: Mapping[str, tuple[Case, int]] = {
    "fit-int8": (Case(2, {"dtype": "int8+float32", "vae": TAESD}), 2200),
    "fit-int8-bf16": (Case(2, {"dtype": "int8+bfloat16", "vae": TAESD}), 1900),
}
"""And the limit that each is to fit in, in 10^6 bytes."""


def measured(name: str, folder: Path, steps: int, limit: int) -> Mapping[str, Any]:
    """One run in a process of its own, under this limit in 10^6 bytes."""
    command = ["prlimit", f"--data={limit * 10**6}", sys.executable, "-m", __spec__.name, "--run", name]
    ended = subprocess.run(
        [*command, "--folder", str(folder), "--steps", str(steps)], capture_output=True, text=True, check=False
    )
    row: dict[str, Any] = {"name": name, "limit_mb": limit, "ok": ended.returncode == 0}
    if ended.returncode:
        return {**row, "error": (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]}
    found = json.loads(ended.stdout.splitlines()[-1])
    cpu_s = found["load_s"] + found["cpu_s"]
    return {**row, "peak_mb": round(found["peak_mb"]), "cpu_s": round(cpu_s, 1), "dtype": found["dtype"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--limit", type=int, help="in 10^6 bytes, in the place of each one's own")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--run", choices=CASES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        case, _ = CASES[chosen.run]
        print(json.dumps(run_ours(chosen.folder, case, chosen.steps, threads=1)))
        return
    full_size.save(chosen.folder)
    for name in chosen.only:
        if CASES[name][0].can_run:
            print(json.dumps(measured(name, chosen.folder, chosen.steps, chosen.limit or CASES[name][1])), flush=True)


if __name__ == "__main__":
    main()
