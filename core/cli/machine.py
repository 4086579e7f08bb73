"""python -m core download and doctor: what this machine needs, and whether it is ready."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from core.bootstrap import Studio, make_catalogue
from core.cli.common import JSON, errors, make_studio, print_facts, print_json
from core.cli.exits import exit_codes
from core.settings import Settings

app = typer.Typer()


@app.command()
def download(
    model: Annotated[
        str, typer.Argument(help="A key of the model table (see doctor), or a hub id such as owner/name.")
    ],
    as_json: JSON = False,
) -> None:
    """Download a model from the hub. No other command downloads anything."""
    with exit_codes():
        catalogue = make_catalogue(Settings())
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, disable=as_json or not sys.stderr.isatty()) as bar:
            task = bar.add_task(model, total=None)
            catalogue.download(model, lambda done, total: bar.update(task, completed=done, total=total))
        if as_json:
            print_json({"model": model, "ready": catalogue.is_ready(model)})
        else:
            print(f"{model} is ready")


@app.command()
def doctor(context: typer.Context, as_json: JSON = False) -> None:
    """Check whether this machine is ready: settings, data folder, device, models."""
    with exit_codes():
        found = _examine(make_studio(context))
        if as_json:
            print_json(found)
        else:
            print_facts({name: _shown(value) for name, value in found.items()})


def _examine(studio: Studio) -> dict[str, Any]:
    settings, chosen = studio.settings, studio.machine.device()
    return {
        "data": str(settings.data.absolute()),
        "database": studio.database_title,
        "generations": studio.gallery.count(),
        "worker": _worker(studio),
        "device": chosen,
        "devices": {d.key: f"{d.title}, {d.dtypes}" for d in studio.machine.devices()},
        "token": "set" if settings.token else "not set",
        "models": {
            s.key: "ready" if studio.models.is_ready(s.key) else "not downloaded" for s in studio.models.listed()
        },
        "environment": next(dict(facts) for facts in studio.machine.environments() if facts["device"] == chosen),
    }


def _worker(studio: Studio) -> str:
    if not studio.workers.is_there() or (worker := studio.workers.newest()) is None:
        return "not running: commands paint by themselves, and a dashboard starts one"
    memory = f", {worker.memory_mb:,.0f} MB" if worker.memory_mb else ""
    return f"running on {worker.host}, process {worker.pid}{memory}, {worker.model or 'no model'} loaded"


def _shown(value: Any) -> str:
    return "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
