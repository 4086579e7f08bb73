"""The command line and the settings as strangers give them: arguments, files that are none, an environment."""

from __future__ import annotations

import os
import random
import resource
import runpy
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import cli
from core.bootstrap import make_catalogue
from core.cli.common import errors, open_studio
from core.settings import PREFIX, Settings
from tests.fakes import FakeLoader
from tests.harness.inputs import Bench, Kind, a_picture_file
from tests.harness.mutations import NUMBERS, TEXTS, mutated_text

WAIT_S = 20.0
NAMES = {"{photo}": "photo.png", "{mask}": "mask.png", "{bundle}": "bundle.zip", "{out}": "out.png"}
COMMANDS = (
    "inpaint {photo} {mask} --prompt a_cat --seed 5 --steps 2 --size 64 --output {out} --json",
    "inpaint {photo} {mask} --count 2 --output {folder} --strength 0.5 --scheduler ddim --model pocket-inpaint",
    "inpaint {photo} --extend 16:9 --overlap 8 --steps 1 --size 64 --guidance-scale 2.5 --grow 4 --feather 2",
    "inpaint {photo} {mask} --mode remove --fill blur --area whole --keep 0.1 --colour-match 0.5 --padding 9",
    "inpaint {photo} {mask} --model {folder} --variation-strength 0.3 --variation-seed 4 --soft-mask --strip",
    "rerun {id} --output {out}",
    "sheet {id} --columns guidance_scale=1,2 --rows seed=1-2 --output {out}",
    "verify {id}",
    "verify --all --json",
    "replay {id} --json",
    "gallery list --limit 5 --status succeeded --after abc",
    "gallery show {id}",
    "gallery search cat* --rating 4 --since 2026-01-31 --until 2026-02-01 --min-px 4 --sort newest --save mine",
    "gallery search --tag a --model b --device cpu --verdict EXACT --parent {id} --saved mine cat",
    "gallery tag {id} --add portrait --remove sea",
    "gallery rename {id} --title x",
    "gallery note {id} --text x",
    "gallery rate {id} 3",
    "gallery favourite {id} --off",
    "gallery trash {id}",
    "gallery restore {id}",
    "gallery delete {id}",
    "gallery check --json",
    "gallery empty-trash",
    "gallery forget-search mine",
    "gallery export {id} --output {out}",
    "gallery import {bundle} {photo} --without-metadata --json",
    "gallery import {folder}",
    "gallery save {id} --output {out} --strip --small",
    "queue list --json",
    "queue move {id} next",
    "queue cancel {id}",
    "queue cancel --all",
    "presets list",
    "presets export --output {out}",
    "presets import {photo}",
    "download {folder}",
    "--help",
)
VARIABLES = tuple(field.upper() for field in Settings.model_fields if field != "hf_token")
DATABASES = (
    "sqlite://",
    "sqlite:///",
    "sqlite:///x.db",
    "sqlite:///no/such/x.db",
    "sqlite:///photo.png",
    "sqlite:///.",
    "postgresql://u:secret@localhost:1/x",
    "mysql://x",
    "nonsense://x",
    "sqlite+x:///y",
    "://",
    "sqlite:///x.db?mode=ro",
    "sqlite:///x.db?timeout=x",
    "postgresql://[::1",
    "sqlite:///" + "x" * 300,
    "oracle://secret@x",
)
SECRET = "secret"


@dataclass(frozen=True)
class Command:
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


class NotInWords(Exception):
    """A command ended otherwise than it may."""


def a_command(chance: random.Random, bench: Bench) -> Command:
    """With one or two arguments replaced, and now and then a file that is none."""
    words = chance.choice(COMMANDS).split()
    folder, ids = bench.folder / "files", [row.id for row in bench.studio.gallery.browse().generations[:5]]
    _make_files(chance, bench, folder)
    words = [_filled(chance, word, folder, ids) for word in words]
    for _ in range(chance.choice((0, 1, 1, 2))):
        words[chance.randrange(len(words))] = _strange(chance, words, folder)
    return Command(tuple(word.replace("\x00", "") for word in words))


def an_environment(chance: random.Random, bench: Bench) -> Command:
    _make_files(chance, bench, bench.folder / "files")
    given = {}
    for name in chance.sample(VARIABLES, chance.randint(1, 2)):
        value = chance.choice((*TEXTS, *map(str, NUMBERS), "photo.png", "fifo", "new/folder"))
        given[PREFIX + name] = chance.choice(DATABASES) if name == "DATABASE_URL" else value
    if chance.random() < 0.2:
        given["HF_TOKEN"] = chance.choice(TEXTS) + SECRET
    clean = tuple((k, v.replace("\x00", "").replace("\ud800", "")) for k, v in given.items())
    return Command(tuple(chance.choice(("gallery list", "queue list --json", "presets list")).split()), clean)


def _filled(chance: random.Random, word: str, folder: Path, ids: list[str]) -> str:
    if word == "{id}":
        return chance.choice(ids or ["none"])
    if word == "{folder}":
        return str(folder)
    return str(folder / NAMES[word]) if word in NAMES else word


def _strange(chance: random.Random, words: list[str], folder: Path) -> str:
    files = ("empty.png", "fifo", "missing", "hostile.png", ".", "photo.png/x", "x" * 300 + ".png", "out.gif", "link")
    action = chance.randrange(4)
    if action == 0:
        return str(folder / chance.choice(files))
    if action == 1:
        return chance.choice(("/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/proc/nothing/x.png"))
    if action == 2:
        return chance.choice(TEXTS)
    return mutated_text(chance, chance.choice(words))[:20_000] if chance.random() < 0.5 else str(chance.choice(NUMBERS))


def _make_files(chance: random.Random, bench: Bench, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if not (folder / "photo.png").exists():
        from tests.harness.studio import a_request

        request = a_request(1)
        request.image.save(folder / "photo.png")
        request.mask.to_image().save(folder / "mask.png")
        (folder / "bundle.zip").write_bytes(bench.template)
        (folder / "empty.png").write_bytes(b"")
        os.mkfifo(folder / "fifo")
        (folder / "link").symlink_to("link")
    (folder / "hostile.png").write_bytes(a_picture_file(chance, bench))


def run_command(bench: Bench, command: Command) -> str:
    """In a process of its own, as python -m core; returns its exit code in words. Raises NotInWords."""
    told = bench.folder / "told"
    pid = os.fork()
    if pid == 0:
        _be_the_command(bench, command, told)
    ends = time.monotonic() + WAIT_S
    while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > ends:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise NotInWords(f"hung for {WAIT_S:g} s: {command}")
        time.sleep(0.005)
    code, words = os.waitstatus_to_exitcode(done[1]), told.read_text("utf-8", "replace")
    if code not in (0, 1, 2) or "Traceback" in words or (code and not words.strip()):
        raise NotInWords(f"exit code {code}: {words[-600:]!r} of {command}")
    if any(SECRET in value for _, value in command.environment) and SECRET in words:
        raise NotInWords(f"a secret was told: {words[-600:]!r} of {command}")
    return f"exit code {code}"


def _be_the_command(bench: Bench, command: Command, told: Path) -> None:
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**28, 2**28))
        out = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(out, 2)
        sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        errors.file = sys.stderr
        os.chdir(bench.folder / "files")
        os.environ |= {f"{PREFIX}DATA": str(bench.folder / "data"), f"{PREFIX}OFFLINE": "true", "COLUMNS": "200"}
        os.environ |= dict(command.environment)
        sys.argv = ["core", *command.arguments]
        if command.environment:
            runpy.run_module("core", run_name="__main__")
        else:
            cli.app(obj=_studio)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 71
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def _studio() -> Any:
    """Everything of the command line's own but the engine: whatever model is found, a stand-in paints."""
    settings = Settings()
    return open_studio(settings, FakeLoader(), catalogue=make_catalogue(settings), resolve_device=lambda wish: "cpu")


KINDS = {
    "commands": Kind(0.1, a_command, run_command, WAIT_S),
    "settings": Kind(0.03, an_environment, run_command, WAIT_S),
}
