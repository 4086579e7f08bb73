"""What strangers send: each is a value or a sentence, within bounds of time and memory.

Pictures, metadata, masks, bundles, presets, messages of the painter, models, and the command line with its settings;
each made by chance from one that is well-formed. A failing one is written into the folder of --keep.
"""

from __future__ import annotations

import argparse
import re
import resource
import time
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from core.domain.errors import StudioError
from tests.harness import bombs, commands, inputs
from tests.harness.common import Child, Say, Tally, chances, in_child, in_short, main, work_folder
from tests.harness.inputs import Bench
from tests.harness.studio import a_template, drain, open_studio

KINDS = {**inputs.KINDS, **commands.KINDS, **bombs.KINDS}

ROOM_MB = 6_000
"""Beyond this the process gets no memory at all, so that the machine stays usable."""

SILENT_S = 60.0
"""After that long without a word the process hangs."""


def run(tally: Tally, options: argparse.Namespace) -> None:
    chosen = {name: KINDS[name] for name in options.kinds}
    parts = sum(kind.part for kind in chosen.values())
    with work_folder("hostile") as work:
        template = work / "bundle.zip"
        in_child(lambda say: template.write_bytes(a_template(work / "template")))
        for name, kind in chosen.items():
            _try_all(tally, options, work / name, template, name, max(1, round(options.count * kind.part / parts)))


def _try_all(tally: Tally, options: argparse.Namespace, folder: Path, template: Path, name: str, count: int) -> None:
    """One process after the other: each goes on where the one before it hung or crashed."""
    number = 0
    while number < count:
        folder.mkdir(exist_ok=True)
        child = Child(
            partial(
                _read_all, folder=folder, template=template, name=name, seed=options.seed, numbers=range(number, count)
            )
        )
        heard = -1
        while len(child.said) > heard:
            heard = len(child.said)
            if child.until(SILENT_S):
                break
        hangs = len(child.said) == heard
        child.kill() if hangs else None
        code = child.end(10)
        for line in child.said:
            _tell(tally, options, name, line)
        done = [line["done"] for line in child.said if "done" in line]
        number = (done[-1] if done else number - 1) + 1
        if number < count:
            why = "hangs" if hangs else f"ends the process ({code}): {child.said[-1:]}"
            tally.tried += 1
            tally.fail(f"{name}: {'hangs' if hangs else 'ends the process'}", f"number {number} {why}")
            number += 1


def _tell(tally: Tally, options: argparse.Namespace, name: str, line: dict[str, Any]) -> None:
    if "done" not in line:
        if "logged" in line or "traceback" in line:
            tally.fail(f"{name}: traceback", str(line), is_traceback=True)
        return
    tally.tried += 1
    tally.facts[f"{name}: {line['told'] if line['outcome'] == 'value' and line['told'] else line['outcome']}"] += 1
    told = f"number {line['done']}: {line.get('told', '')}"
    if line["outcome"] == "traceback":
        tally.fail(f"{name}: {line['told'].partition(':')[0]}", told, is_traceback="hung" not in told)
    elif line["seconds"] > KINDS[name].seconds:
        tally.fail(f"{name}: slow", f"{told} took {line['seconds']:.1f} s of processor time")
    elif line["grown_mb"] > KINDS[name].mb:
        tally.fail(f"{name}: large", f"{told} took {line['grown_mb']} MB")
    else:
        return
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        (options.keep / f"{name}-{options.seed}-{line['done']}").write_bytes(bytes.fromhex(line.get("input", "")))


def _read_all(say: Say, folder: Path, template: Path, name: str, seed: int, numbers: range) -> None:
    warnings.simplefilter("ignore")
    kind = KINDS[name]
    bench = Bench(folder, open_studio(folder / "data"), template.read_bytes())
    _warm(bench, name)
    limit = _peak_mb() + ROOM_MB
    resource.setrlimit(resource.RLIMIT_AS, (limit * 2**20, limit * 2**20))
    for number in numbers:
        chance = chances("hostile", seed, name, number)
        given, outcome, told = kind.make(chance, bench), "value", ""
        _forget_peak()
        had_mb, began = _peak_mb(), _seconds()
        try:
            told = str(kind.read(bench, given) or "")
        except StudioError as error:
            outcome, told = "in words", error.code
        except MemoryError as error:
            outcome, told = "traceback", in_short(error)
        except Exception as error:
            outcome, told = "traceback", in_short(error)
        seconds, grown_mb = _seconds() - began, _peak_mb() - had_mb
        is_good = outcome != "traceback" and seconds <= kind.seconds and grown_mb <= kind.mb
        kept = {} if is_good else {"input": _as_bytes(given)[: 2**22].hex()}
        say(done=number, outcome=outcome, told=told, seconds=seconds, grown_mb=grown_mb, **kept)


def _warm(bench: Bench, name: str) -> None:
    """What the first one would pay for all: a row to work with, and libraries."""
    from tests.harness.studio import a_request

    bench.studio.generations.submit(a_request(1), count=3)
    drain(bench.studio)
    if name == "messages":
        import pages.ui.inpaint.painter  # noqa: F401
    if name == "loading":
        from core.bootstrap import warm_up

        warm_up()


def _seconds() -> float:
    """Of processor time, with that of the processes that were waited for."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def _forget_peak() -> None:
    """So that the peak of one is not hidden behind that of another before it. Linux only: elsewhere it is."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> int:
    """The most memory that this process had, or any that it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        [own] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except (OSError, ValueError):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(int(own), children) // 1024


def _as_bytes(given: Any) -> bytes:
    if isinstance(given, bombs.Bomb):
        return given.name.encode()
    if isinstance(given, bytes):
        return given
    return given.encode("utf-8", "surrogatepass") if isinstance(given, str) else repr(given).encode("utf-8", "replace")


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="only these")


def start(arguments: list[str] | None = None) -> int:
    return main("hostile", run, count=5000, about=__doc__, more=_more, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(start())
