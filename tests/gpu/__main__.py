"""What only a card can show, in less than ten minutes: seconds and memory beside plain diffusers, and that the promises
hold there.

    python -m tests.gpu
    python -m tests.gpu --quick --json
    python -m tests.gpu --device cpu --tiny

Models of full size with random weights (made once in --folder: Stable Diffusion 1.5 and XL, and Stable Diffusion 3
medium, which has to be offloaded: torch is given no more of the card than 12 and 8 GB). Each case is a process of its
own. Of each is checked that a second run and another process give the same bits (EXACT), that a cancelled run ends
within a step, that a lack of memory is told in words, and that neither leaves a trace. "ratio" is the seconds of plain
diffusers by ours; variants are the same model in other kernels. With --tiny the models are tiny, and nothing is said of
speed: it shows that this program works, also without a card.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.engine.quiet import quiet_libraries
from tests.gpu import models
from tests.gpu.cases import VARIANTS, Bench, Case, run
from tests.gpu.models import SD3, SD15, XL

MINUTES = 10
LAST_START_S = (MINUTES - 1.5) * 60
"""No case is begun after that; those that are left out are told."""

GB_OF_WHOLE = 20
"""Of a card that holds all of Stable Diffusion 3 medium."""

CHECKS = {
    "exact": "a second run gave other pixels",
    "exact_elsewhere": "another process gave other pixels",
    "cancelled": "a cancelled run went on for more than a step",
    "exact_after_cancel": "a cancelled run left a trace",
    "out_of_memory": "a lack of memory was not told in words",
    "exact_after_out_of_memory": "a lack of memory left a trace",
}

SHOWN = ("seconds", "plain_s", "ratio", "peak_mb", "plain_peak_mb", "step_s", "cancel_s", "dtype", "placement")


def cases(card_gb: float | None, *, quick: bool) -> Sequence[Case]:
    """card_gb: None for the processor, on which nothing is offloaded."""
    sd15 = Case(SD15, variants=tuple(VARIANTS))
    if card_gb is None:
        return [sd15, *([] if quick else [Case(XL), Case(SD3)])]
    by_group = Case(SD3, "group", min(8, card_gb))
    if quick:
        return [sd15, by_group]
    return [
        sd15,
        Case(SD15, dtype="bfloat16"),
        Case(SD15, dtype="float32"),
        Case(SD15, compiled=True, variants=()),
        *([Case(XL)] if card_gb >= 12 else [Case(XL, "model")]),
        by_group,
        replace(by_group, offload="sequential"),
        *([Case(SD3, "model", 12)] if card_gb >= 12 else []),
        *([Case(SD3)] if card_gb >= GB_OF_WHOLE else []),
    ]


def measured(case: Case, chosen: argparse.Namespace) -> Mapping[str, Any]:
    """Its row: ours twice, each in a process of its own, and plain diffusers in a third."""
    ours = dict(_in_process(case, chosen))
    record = ours.pop("record")
    again = _in_process(case, chosen, record)
    ours["exact_elsewhere"] = again["pixels_sha256"] == ours.pop("pixels_sha256")
    row: dict[str, Any] = {"name": case.name, "model": models.TITLES[case.model]}
    if case.limit_gb is not None:
        row["limit_gb"] = case.limit_gb
    if not case.compiled:
        plain = _in_process(case.counterpart(), chosen)
        row |= {"plain_s": plain["seconds"], "plain_peak_mb": plain["peak_mb"]}
        row["ratio"] = plain["seconds"] / ours["seconds"]
    return {**row, **ours, "failed": [words for check, words in CHECKS.items() if not ours[check]]}


def _in_process(case: Case, chosen: argparse.Namespace, record: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    asked = {"case": asdict(case), "bench": {**asdict(_bench(case, chosen)), "folder": str(_folder(case, chosen))}}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.gpu", "--run"],
        input=json.dumps({**asked, "record": record}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def _run() -> None:
    """What _in_process asks for on standard input."""
    asked = json.loads(sys.stdin.read())
    bench = Bench(**{**asked["bench"], "folder": Path(asked["bench"]["folder"])})
    print(json.dumps(run(Case(**asked["case"]), bench, asked["record"])))


def _bench(case: Case, chosen: argparse.Namespace) -> Bench:
    is_short = chosen.quick or case.offload != "whole"
    side = 64 if chosen.tiny else models.SIDE[case.model]
    return Bench(_folder(case, chosen), chosen.device, side, steps=4 if is_short else 10, rounds=1 if is_short else 3)


def _folder(case: Case, chosen: argparse.Namespace) -> Path:
    return Path(chosen.folder) / f"{case.model}{'-tiny' if chosen.tiny else ''}"


def problem(chosen: argparse.Namespace) -> str | None:
    """Why it cannot be run here, in a sentence."""
    import torch

    if chosen.device == "cpu":
        return None if chosen.tiny else "On the processor only tiny models are painted with: --device cpu --tiny."
    if not torch.cuda.is_available():
        return (
            "There is no CUDA card here, or this PyTorch is built without CUDA. --device cpu --tiny tries the same "
            "program with tiny models on the processor."
        )
    return None


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two models, fewer steps")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--device", default="cuda:0", help="cuda:0, cuda:1, ... or cpu")
    parser.add_argument("--tiny", action="store_true", help="tiny models")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "inpaint-studio-gpu")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        _run()
        return 0
    if (why_not := problem(chosen)) is not None:
        print(why_not, file=sys.stderr)
        return 2
    tell: Callable[[Mapping[str, Any]], None] = _tell_json if chosen.json else _tell
    failed = 0
    for row in rows(chosen):
        tell(row)
        failed += len(row.get("failed", ()))
    return 1 if failed else 0


def rows(chosen: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    started, card_gb = time.monotonic(), _card_gb(chosen.device)
    yield _machine(chosen.device, card_gb)
    planned = cases(card_gb, quick=chosen.quick)
    for number, case in enumerate(planned):
        if time.monotonic() - started > LAST_START_S:
            yield {"name": "left out", "cases": [case.name for case in planned[number:]]}
            break
        try:
            with quiet_libraries():
                models.save(case.model, _folder(case, chosen), is_tiny=chosen.tiny, device=chosen.device)
            yield measured(case, chosen)
        except subprocess.CalledProcessError as error:
            yield {"name": case.name, "failed": [f"its process ended with {error.returncode}; see above"]}
    yield {"name": "minutes", "minutes": round((time.monotonic() - started) / 60, 1)}


def _machine(device: str, card_gb: float | None) -> Mapping[str, Any]:
    from core.engine import device as devices

    where = devices.resolve(device)
    about = {"name": "machine", "device": where.title, "gb": card_gb, "dtypes": where.dtypes}
    card = devices.card(where)
    facts = devices.environment(where).facts
    return about | {
        "capability": card.capability if card else None,
        "torch_compile": card.has_compiler if card else None,
        **{name: facts[name] for name in ("torch", "diffusers", "cuda", "cudnn", "driver") if name in facts},
    }


def _card_gb(device: str) -> float | None:
    if device == "cpu":
        return None
    import torch

    return round(torch.cuda.get_device_properties(device).total_memory / 1e9, 1)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return {name: _rounded(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def _tell_json(row: Mapping[str, Any]) -> None:
    print(json.dumps(_rounded(row)), flush=True)


def _tell(row: Mapping[str, Any]) -> None:
    failed = row.get("failed")
    shown = SHOWN if failed is not None else tuple(name for name in row if name != "name")
    facts = [f"{name} {_rounded(row[name])}" for name in shown if row.get(name) is not None]
    print(f"{row['name']}: {', '.join(facts)}", flush=True)
    for variant in row.get("variants", ()):
        verdict = "" if variant["exact"] else ", NOT EXACT"
        print(f"    {variant['name']}: {_rounded(variant['seconds'])} s{verdict}")
    if failed is not None:
        print(f"    FAILED: {'; '.join(failed)}" if failed else "    all checks passed", flush=True)


if __name__ == "__main__":
    sys.exit(main())
