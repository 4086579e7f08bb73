"""Speed and memory at full size, beside plain diffusers in the same run.

    python -m tests.benchmarks.speed --quick
    python -m tests.benchmarks.speed --json
    python -m tests.benchmarks.speed --only plain best draft-384

Stable Diffusion 1.5 inpainting with random weights (about 4.3 GB, made once in --folder), one picture at 512 px. Each
run is a process of its own; they take turns, and the figure is the median of the rounds, in CPU seconds: machines are
shared. "plain" is diffusers' own call with 50 steps, guidance 7.5 and float32; "ratio" is its CPU seconds by those of a
run. With --quick, runs of many steps are made with two numbers of few steps and extrapolated: each step costs the same.
It is said of each run ("extrapolated").

parts: CPU seconds of the load, the text encoder, encoding, a step, decoding, previews, and all else around them.
preview: share of a step. overhead: share of a run that is ours, beyond what is around the parts in plain diffusers.
fit-...: the runs of tests.benchmarks.fit, under a limit of memory (Linux only).
likeness: of the bundled pocket model, as tests.benchmarks.likeness says; --work: the folder of the training, for its
judge.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from core.engine.device import cpu_name
from tests.benchmarks import fit, full_size
from tests.benchmarks.likeness import judge_in, likeness, speeds
from tests.benchmarks.speed_runs import CASES, PLAIN, Case, run_ours, run_plain

QUICK_STEPS = (1, 3)
FEW_STEPS_ANYWAY = 8

GROW_BY_STEP = ("cpu_s", "around_s", "preview_s")
"""Of the figures of a run."""


def measured(name: str, case: Case, chosen: argparse.Namespace) -> Mapping[str, Any]:
    """One run in a process of its own; of two if it is extrapolated."""
    if not chosen.quick or case.steps <= FEW_STEPS_ANYWAY:
        return {**_in_process(name, case.steps, chosen), "extrapolated": False}
    # The first run of a process also makes what later ones find: it is a part of both, and falls out of the difference.
    few, more = (_in_process(name, steps, chosen) for steps in QUICK_STEPS)
    # A scheduler may call the model once more than it was asked for steps.
    calls = case.steps + more["steps"] - max(QUICK_STEPS)
    further = (calls - more["steps"]) / (more["steps"] - few["steps"])
    grown = {name: more[name] + further * max(0.0, more[name] - few[name]) for name in GROW_BY_STEP}
    return {**more, **grown, "steps": calls, "extrapolated": True}


def _in_process(name: str, steps: int, chosen: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, "--run", name, "--steps", str(steps)]
    command += ["--folder", str(chosen.folder), "--threads", str(chosen.threads)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def medians(rounds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rows = list(rounds)
    return {
        name: statistics.median(row[name] for row in rows) if isinstance(value, float) else value
        for name, value in rows[-1].items()
    }


def cpu_flags() -> list[str]:
    """Those of this processor that decide which kernels run."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return sorted(flag for flag in flags if flag.startswith(("avx", "amx", "fma", "f16c")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[*CASES, *fit.CASES], default=[*CASES, *fit.CASES])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sd15-random" / "model")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--run", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run = run_plain if chosen.run == PLAIN else run_ours
        print(json.dumps(run(chosen.folder, CASES[chosen.run], chosen.steps, chosen.threads)))
        return
    full_size.save(chosen.folder)
    names = [name for name in chosen.only if name in CASES and CASES[name].can_run]
    rounds: dict[str, list[Mapping[str, Any]]] = {name: [] for name in dict.fromkeys([PLAIN, *names])}
    for _ in range(chosen.rounds):
        for name, rows in rounds.items():
            rows.append(measured(name, CASES[name], chosen))
            # It takes long: what was measured is told at once.
            print(f"{name}: {rows[-1]['cpu_s']:.1f} CPU seconds", file=sys.stderr, flush=True)
    told: Callable[[Mapping[str, Any]], None] = _tell_json if chosen.json else _tell
    told({"name": "machine", "cpu": cpu_name(), "flags": " ".join(cpu_flags()), "threads": chosen.threads})
    by_name = {name: medians(rows) for name, rows in rounds.items()}
    for name, row in by_name.items():
        told(_rounded({"name": name, "ratio": by_name[PLAIN]["cpu_s"] / row["cpu_s"], **row}))
    if "best" in by_name:
        best = by_name["best"]
        told(_rounded({"name": "preview", "of_a_step": best["preview_s"] / best["steps"] / best["step_s"]}))
        told(_rounded({"name": "overhead", "of_a_run": _around(best) - _around(by_name[PLAIN])}))
    judge = judge_in(chosen.work) if chosen.work else None
    for row in chain(_fitting(chosen), speeds(chosen.threads, judge), likeness(chosen.threads)):
        told(row)


def _fitting(chosen: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    for name, (case, limit) in fit.CASES.items():
        if name in chosen.only and case.can_run and shutil.which("prlimit"):
            yield fit.measured(name, chosen.folder, case.steps, limit)


def _around(row: Mapping[str, Any]) -> float:
    """The share of a run that goes into nothing of the model: of plain diffusers the pipeline's own, of ours that and
    all that we do."""
    return float((row["around_s"] + row["preview_s"]) / row["cpu_s"])


def _rounded(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in row.items()}


def _tell(row: Mapping[str, Any]) -> None:
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def _tell_json(row: Mapping[str, Any]) -> None:
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
