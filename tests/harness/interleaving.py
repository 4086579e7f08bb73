"""One process is held at its nth call of the store or of the database, while something else happens there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.harness.actions import Artist
from tests.harness.common import Say, chances, in_child
from tests.harness.points import around_calls
from tests.harness.studio import open_studio

ACTIONS = ("paint", "submit", "rerun", "import_bundle", "sheet", "draft", "verify", "restore", "tag", "presets")

Meanwhile = Callable[[Say, Path], object]


def held(say: Say, folder: Path, template: Path, action: str, nth: int, meanwhile: Meanwhile) -> None:
    """Do this action; before or after its nth call do something else. Meant for a child that ends then."""
    artist = Artist(open_studio(folder, say), chances("held"), say, folder, template.read_bytes())
    calls = 0
    if action == "paint":
        artist.do("rerun")

    def pass_by() -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            say(held=nth)
            meanwhile(say, folder)

    around_calls(pass_by)
    artist.do(action)
    say(did=action, calls=calls)


@cache
def calls_of(action: str, first: Path, folder: Path, template: Path) -> int:
    """How many such calls it makes, counted before and after each, in a copy of the first folder."""
    shutil.copytree(first, folder)
    said = in_child(lambda say: held(say, folder, template, action, 0, lambda *_: None))
    shutil.rmtree(folder)
    return next(line["calls"] for line in said if "calls" in line)


def in_another_process(action: str, template: Path) -> Meanwhile:
    """The whole action, by a studio of its own, from its beginning to its end."""

    def do(say: Say, folder: Path) -> None:
        child = os.fork()
        if child == 0:
            # What is inherited of the other studio is left alone.
            Artist(open_studio(folder, say), chances("other"), say, folder, template.read_bytes()).do(action)
            os._exit(0)
        os.waitpid(child, 0)

    return do
