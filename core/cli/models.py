"""python -m core models ...: what is on this machine, and bringing, checking and removing models."""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from core.bootstrap import Studio
from core.cli.common import JSON, errors, make_studio, tell
from core.cli.exits import exit_codes
from core.cli.running import GRACE_S, LOOK_EVERY_S, in_thread
from core.domain.download import DownloadStatus
from core.domain.errors import InvalidInput, ModelUnavailable
from core.domain.model_library import KindFilter, ModelEntry, ModelUse, gigabytes, matching

app = typer.Typer(no_args_is_help=True)

KEY = Annotated[str, typer.Argument(help="Key, name or path of a model, as list shows it.")]


@app.command("list")
def list_models(
    context: typer.Context,
    kind: Annotated[KindFilter | None, typer.Option(help="Only those of this kind.")] = None,
    search: Annotated[str, typer.Option(help="Only those with these words in name, family or trigger words.")] = "",
    as_json: JSON = False,
) -> None:
    """List the models on this machine, by name."""
    with exit_codes():
        studio = make_studio(context)
        entries = matching(studio.library.here(), kind=kind, words=search)
        uses = studio.library.uses(entries)
        for entry in entries:
            about = _about(studio, entry, uses.get(entry.key, ModelUse()))
            tell(about, _line(entry, about), as_json)
        if not as_json:
            errors.print(f"{len(entries):,} models, {gigabytes(sum(entry.found.size for entry in entries))}")


@app.command()
def add(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A .safetensors file, or the folder of a diffusers pipeline.")],
    link: Annotated[bool, typer.Option("--link", help="Link to it instead of copying it.")] = False,
    as_json: JSON = False,
) -> None:
    """Add a model to the models folder, after looking what it is."""
    with exit_codes():
        studio = make_studio(context)
        entry = studio.library.add(path, link=link)
        about = _about(studio, entry, ModelUse())
        tell(about, f"{entry.found.title}: {_kind(entry)}, in {entry.key}", as_json)


@app.command()
def download(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A key of the model table, a hub id such as owner/name, or its address.")
    ],
    pause: Annotated[bool, typer.Option("--pause", help="Pause its download instead.")] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Give its download up, and delete what is there of it.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Download a model from the hub, or go on with its download. A running worker does it, else this command.

    Ctrl+C leaves it to a running worker, and pauses it where there is none.
    """
    with exit_codes():
        if pause and cancel:
            raise InvalidInput("Give --pause or --cancel, not both.")
        studio = make_studio(context)
        key = studio.models.on_hub(model).key
        if pause or cancel:
            (studio.downloads.cancel if cancel else studio.downloads.pause)(key)
        elif not studio.models.is_ready(key):
            studio.downloads.ask(key)
            _follow(studio, key, show=not as_json and sys.stderr.isatty())
        download, is_ready = studio.downloads.get(key), studio.models.is_ready(key)
        status = "ready" if is_ready else download.status if download else "not downloaded"
        tell({"model": key, "ready": is_ready, "status": status}, f"{key} is {status}", as_json)
        if not (is_ready or pause or cancel):
            raise ModelUnavailable(download.error if download and download.error else f"{key} was not downloaded.")


def _follow(studio: Studio, key: str, *, show: bool) -> None:
    """Until it has ended, was paused or cancelled."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    work: Future[None] | None = None
    try:
        with Progress(*columns, console=errors, disable=not show, transient=True) as bar:
            task = bar.add_task(key, total=None)
            while (at := studio.downloads.get(key)) is not None and at.status.is_active:
                bar.update(task, completed=at.done_bytes, total=at.total_bytes or None)
                if at.status is DownloadStatus.QUEUED and work is None and not studio.workers.is_there():
                    work = in_thread(lambda: studio.downloads.run(key))
                time.sleep(LOOK_EVERY_S)
        if work is not None:
            work.result()
    except BaseException:
        if work is not None:
            studio.downloads.halt()
            wait([work], GRACE_S)
            studio.downloads.give_back()
            studio.downloads.pause(key)
        raise


@app.command()
def verify(context: typer.Context, key: KEY, as_json: JSON = False) -> None:
    """Read all of a model's files, compute the sha256, and compare it with the one kept before."""
    with exit_codes():
        studio = make_studio(context)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, disable=as_json or not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task("reading", total=None)
            done = studio.library.verify(key, lambda done, total: bar.update(task, completed=done, total=total))
        about = {"model": key, "sha256": done.sha256, "as_before": done.is_as_before}
        tell(about, f"{done.words}\n{done.sha256}", as_json)
        if done.is_as_before is False:
            raise typer.Exit(1)


@app.command()
def remove(
    context: typer.Context,
    key: KEY,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it, instead of only saying what would be lost.")] = False,
    as_json: JSON = False,
) -> None:
    """Delete a model from the models folder or the hub's cache. Files of other programs are never deleted."""
    with exit_codes():
        studio = make_studio(context)
        entry = studio.library.find(key)
        loss = studio.library.loss(entry)
        if not yes:
            raise InvalidInput(f"{loss} Nothing was deleted: add --yes to do it.")
        studio.library.remove(entry.key)
        about = {"model": entry.key, "freed_bytes": entry.found.size}
        tell(about, f"{entry.found.title} is deleted, {gigabytes(entry.found.size)} are free again", as_json)


@app.command()
def prepared(
    context: typer.Context,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them; they are made again when needed.")] = False,
    as_json: JSON = False,
) -> None:
    """Say how much of the disk the copies take that were made of models kept in eight bits (int8)."""
    with exit_codes():
        library = make_studio(context).library
        size = library.remove_prepared() if delete else library.prepared()
        words = f"{gigabytes(size)} are free again" if delete else f"The prepared copies take {gigabytes(size)}"
        tell({"bytes": size, "deleted": delete}, words, as_json)


def _about(studio: Studio, entry: ModelEntry, use: ModelUse) -> dict[str, Any]:
    found, told, plan = entry.found, entry.told, studio.library.plan(entry)
    return {
        "model": entry.key,
        "title": found.title,
        "kind": entry.kind,
        "about": told.about.title if told.about else told.kind,
        "family": told.family,
        "place": found.place,
        "path": str(found.path) if found.path else None,
        "size": found.size,
        "licence": entry.licence,
        "sha256": entry.sha256,
        "memory": str(plan) if plan else None,
        "generations": use.count,
        "last_used": use.last_at.isoformat() if use.last_at else None,
        "trigger_words": list(studio.library.trigger_words(entry)),
        "problem": told.problem,
    }


def _line(entry: ModelEntry, about: dict[str, Any]) -> str:
    parts = [_kind(entry), gigabytes(entry.found.size), entry.found.place, about["memory"]]
    if about["generations"]:
        parts.append(f"{about['generations']:,} generations")
    line = f"{entry.found.title}: {', '.join(part for part in parts if part)}"
    words = f"\n  trigger words: {', '.join(about['trigger_words'])}" if about["trigger_words"] else ""
    problem = f"\n  {entry.told.problem}" if entry.told.problem else ""
    return f"{line}\n  {entry.key}{words}{problem}"


def _kind(entry: ModelEntry) -> str:
    if entry.told.about is not None:
        return entry.told.about.title
    return f"{entry.told.kind} for {entry.told.family}" if entry.told.family else str(entry.told.kind)
