"""What all harnesses share: children that are really killed, what they said before, and the line at the end."""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import StudioError

Say = Callable[..., None]
Action = Callable[[Say], object]

LONGEST_LINE = 1_000


@dataclass
class Tally:
    """What a harness found. lost: rows, pictures or masks that had been acknowledged. facts: what else was counted.

    figures: what was measured.
    """

    harness: str
    seed: int
    tried: int = 0
    failed: int = 0
    lost: int = 0
    tracebacks: int = 0
    facts: Counter[str] = field(default_factory=Counter)
    words: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float | None] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    """Failures by their first words, so that a hundred of one kind are one line."""
    began: float = field(default_factory=time.monotonic)

    def fail(self, kind: str, told: str, *, lost: bool = False, is_traceback: bool = False) -> None:
        self.failed += 1
        self.lost += lost
        self.tracebacks += is_traceback
        self.seen[kind] += 1
        if self.seen[kind] <= 3:
            print(f"{self.harness}: {kind}: {told[:LONGEST_LINE]}", file=sys.stderr, flush=True)

    def line(self) -> dict[str, Any]:
        return {
            "harness": self.harness,
            "tried": self.tried,
            "failed": self.failed,
            "lost": self.lost,
            "tracebacks": self.tracebacks,
            "seconds": round(time.monotonic() - self.began, 1),
            "seed": self.seed,
            **self.words,
            **self.figures,
            **dict(sorted(self.facts.items())),
            "failures": dict(self.seen.most_common()),
        }


def main(
    harness: str,
    run: Callable[[Tally, argparse.Namespace], object],
    *,
    count: int,
    about: str,
    more: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
    arguments: list[str] | None = None,
) -> int:
    """Read the command line, run, print one object; 1 if anything failed."""
    parser = argparse.ArgumentParser(f"python -m tests.harness.{harness}", description=about)
    parser.add_argument("--count", type=int, default=count, help=f"how many are tried (default {count})")
    parser.add_argument("--seed", type=int, default=0, help="the same seed tries the same")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--keep", type=Path, help="a folder for what failed")
    more(parser)
    options = parser.parse_args(arguments)
    tally = Tally(harness, options.seed)
    run(tally, options)
    line = tally.line()
    print(json.dumps(line) if options.json else "\n".join(f"{k}: {v}" for k, v in line.items()), flush=True)
    return 1 if tally.failed else 0


@contextmanager
def work_folder(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"harness-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(options: argparse.Namespace, folder: Path, name: str) -> None:
    """A copy of what failed, where it was asked for."""
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, options.keep / name, dirs_exist_ok=True)


class Child:
    """A process of its own that says things, line by line, until it ends or is killed.

    Forked, so that each costs milliseconds: the parent has imported everything, and has opened no database.
    """

    def __init__(self, action: Action) -> None:
        self.said: list[dict[str, Any]] = []
        self._text = b""
        self._pipe, into = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._pipe)
            _live(action, into)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(self.pid, self.pid)  # whoever comes first, child or parent: it must stand before it is killed
        os.close(into)

    def until(self, seconds: float, word: str | None = None) -> bool:
        """Listen until the child has ended, or has said this word. False if the time was over before."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if not select.select([self._pipe], [], [], left)[0]:
                break
            data = os.read(self._pipe, 1 << 16)
            if not data:
                return True
            *lines, self._text = (self._text + data).split(b"\n")
            told = [json.loads(line) for line in lines]
            self.said += told
            if word is not None and any(word in line for line in told):
                return True
        return False

    def kill(self) -> None:
        """With the processes that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self, seconds: float = 60) -> int:
        """The signal (negative) or exit code. A child that does not end in time is killed, and says "hung"."""
        if not self.until(seconds):
            self.kill()
            self.until(5)
            self.said.append({"hung": seconds})
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._pipe)
        return code

    def heard(self, word: str) -> list[Any]:
        return [line[word] for line in self.said if word in line]


def in_child(action: Action) -> list[dict[str, Any]]:
    """What must not be done here, such as opening a database. Ends the program if it does not work."""
    child = Child(action)
    if child.end():
        raise SystemExit(f"the harness cannot prepare itself: {child.said[-1:]}")
    return child.said


def _live(action: Action, into: int) -> None:
    """The child's whole life. It never comes back to the code of its parent."""
    code = 1
    try:
        os.setpgid(0, 0)
        # Whoever reads what this program prints is not kept waiting by a process that outlives it.
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        threading.excepthook = lambda about: _say(into, {"traceback": in_short(about.exc_value)})
        log = logging.getLogger()
        log.handlers[:] = [_Telling(into)]
        log.setLevel(logging.WARNING)
        action(lambda **words: _say(into, words))
        code = 0
    except StudioError as error:
        _say(into, {"refused": f"{error.code}: {error}"})
    except BaseException as error:
        _say(into, {"traceback": in_short(error)})
    finally:
        os._exit(code)


def _say(into: int, words: dict[str, Any]) -> None:
    os.write(into, json.dumps(words, default=str).encode() + b"\n")


class _Telling(logging.Handler):
    """A traceback that went to the log is one that nobody put into words."""

    def __init__(self, into: int) -> None:
        super().__init__()
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, StudioError):
            _say(self._into, {"logged": f"{record.getMessage()}: {in_short(error)}"})


def in_short(error: BaseException) -> str:
    """The error's first line, and the last lines of our own that led to it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    way = " > ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames[-4:])
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]} ({way})"


def chances(*parts: object) -> random.Random:
    """The same parts draw the same, in every process."""
    return random.Random(":".join(str(part) for part in parts))


@contextmanager
def child(action: Action) -> Iterator[Child]:
    child = Child(action)
    try:
        yield child
    except BaseException:
        child.kill()
        raise
