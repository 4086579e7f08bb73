"""What commands have in common: the studio they work with, and how they print."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.bootstrap import Engine, Studio, build_studio, make_loader
from core.domain.errors import InvalidInput, StudioError
from core.domain.generation import Generation
from core.files import read_regular, why
from core.ports import LoadInpainter
from core.services.model_cache import ModelCache
from core.services.patience import Patience
from core.settings import Settings

SESSION = "command line"
"""The session of what is queued here."""

IDS = Annotated[list[str], typer.Argument(help="Ids of generations.")]
JSON = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line on standard output, and nothing else.")
]

errors = Console(stderr=True)


def make_studio(context: typer.Context) -> Studio:
    """By the factory that the application was called with, app(obj=factory); without one by open_studio."""
    factory: Callable[[], Studio] = context.obj or open_studio
    return factory()


def open_studio(settings: Settings | None = None, load: LoadInpainter | None = None, **parts: Any) -> Studio:
    """The studio of this machine's settings. parts: in place of the usual ones, as build_studio takes them."""
    settings = settings or Settings()
    studio = build_studio(
        settings,
        load or ModelCache(make_loader(settings)),
        # Somebody waits for the command, and can make room and run it again.
        patience=Patience(otherwise_s=30),
        **{"engine": Engine.EITHER, **parts},
    )
    # Where there is no dashboard, nobody else notices that a process died.
    with suppress(StudioError):
        studio.worker.clear_stale()
    return studio


def read_file(path: Path, max_bytes: int) -> bytes:
    """Never more than that, and nothing that has no end or must be waited for. Raises InvalidInput."""
    try:
        return read_regular(path, max_bytes)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {why(error)}.") from error


def summary(studio: Studio, generation: Generation, output: str | None = None) -> dict[str, Any]:
    """A generation as --json tells it. output: where its picture was written, else it is the stored file."""
    if output is None and generation.output is not None:
        output = studio.gallery.location(generation.output)
    return {
        "id": generation.id,
        "status": generation.status,
        "seed": generation.params.seed,
        "model": generation.params.model,
        "device": generation.device,
        "runtime_s": generation.runtime_s,
        "source_sha256": generation.source,
        "mask_sha256": generation.mask,
        "pixels_sha256": generation.pixels_sha256,
        "output": output,
        "prompt": generation.params.prompt,
        "error": generation.error,
        "created_at": generation.created_at.isoformat(),
        "parent_id": generation.parent_id,
    }


def print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def tell(value: Mapping[str, Any], words: str, as_json: bool) -> None:
    """The value for programs, or the words for people."""
    if as_json:
        print_json(value)
    else:
        print(words)


def print_facts(facts: Mapping[str, str]) -> None:
    """A table of two columns: names, and what they are."""
    table = Table("", "", box=None, show_header=False)
    for name, value in facts.items():
        table.add_row(name, plain(value))
    Console().print(table)


def plain(text: str) -> Text:
    """As it is, also where it looks like rich's markup."""
    return Text(text)
