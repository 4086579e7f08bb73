"""python -m core gallery check, empty-trash, adopt, backup ...: stored files, and backups of the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.bootstrap import make_backups
from core.cli.common import JSON, make_studio, tell
from core.cli.exits import exit_codes
from core.domain.gallery.answers import BrokenFile, StorageAudit
from core.services.backups import Backup
from core.settings import Settings

app = typer.Typer()


@app.command()
def check(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Move unused files to the trash of the data folder.")
    ] = False,
    most_files: Annotated[
        bool, typer.Option("--yes-most-files", help="With --repair: even if that is most of the files.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Check every stored file against the gallery. Ends with 1 if anything is wrong."""
    with exit_codes():
        found = make_studio(context).gallery.check(repair=repair, most_files=most_files)
        lost_files = {"missing": found.missing, "damaged": found.damaged, "unreadable": found.unreadable}
        for problem, files in lost_files.items():
            for lost in files:
                tell({"problem": problem, **_lost(lost)}, f"{problem}: {lost.key} of {_owners(lost)}", as_json)
        for key in found.orphans:
            removed = key in found.removed
            words = f"unused{', removed' if removed else ''}: {key}"
            tell({"problem": "orphaned", "file": key, "ids": [], "removed": removed}, words, as_json)
        tell(_totals(found), "  ".join(f"{n} {name}" for name, n in _totals(found).items()), as_json)
        if not found.is_sound:
            raise typer.Exit(1)


@app.command("empty-trash")
def empty_trash(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those moved to the trash more recently.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Free the space now: files are not kept for another 30 days.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Permanently delete generations that have been in the trash for 30 days.

    An hour later, files that nothing else uses are moved to the folder "trash" in the data folder, and deleted after
    another 30 days. With --now they are deleted at once, with everything in that folder.
    """
    with exit_codes():
        studio = make_studio(context)
        done = studio.gallery.empty_trash(all=all_, at_once=now)
        told = {"generations": done.generations, "files": done.files}
        if done.freed is None:
            studio.collector.collect()
            tell(told, f"{done.generations} generations deleted permanently, {done.files} files to follow", as_json)
        else:
            told |= {"freed_files": done.freed.files, "freed_bytes": done.freed.bytes}
            words = f"{done.generations} generations deleted permanently, {done.freed.bytes / 1e6:.1f} MB freed"
            tell(told, words, as_json)


@app.command()
def adopt(context: typer.Context, as_json: JSON = False) -> None:
    """Declare that this data folder and this database are one gallery, where they do not match."""
    with exit_codes():
        studio = make_studio(context)
        studio.collector.adopt()
        words = f"{studio.settings.data} and {studio.database_title} are one gallery now"
        tell({"data": str(studio.settings.data), "database": studio.database_title}, words, as_json)


@app.command()
def backup(as_json: JSON = False) -> None:
    """Back up the database now, even while a dashboard is running. Pictures are not copied."""
    with exit_codes():
        _tell_backup(make_backups(Settings()).make(), as_json)


@app.command()
def backups(as_json: JSON = False) -> None:
    """List backups of the database, newest first. A running dashboard makes one a day."""
    with exit_codes():
        for found in make_backups(Settings()).all():
            _tell_backup(found, as_json)


@app.command("restore-backup")
def restore_backup(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A backup, as listed by “backups”.")],
    as_json: JSON = False,
) -> None:
    """Replace the database with a backup; the present one is kept beside the backups. Stop the dashboard first.

    Pictures that the backup needs are restored from the trash of the data folder.
    """
    with exit_codes():
        kept = make_backups(Settings()).restore(name)
        generations = int(make_studio(context).gallery.count())
        words = f"{name} is the database again, with {generations} generations; the one before is kept as {kept}"
        tell({"restored": name, "generations": generations, "kept": str(kept)}, words, as_json)


def _tell_backup(found: Backup, as_json: bool) -> None:
    holds = "cannot be read" if found.generations is None else f"{found.generations} generations"
    kept = "  kept when another one was restored" if found.is_kept else ""
    words = f"{found.name}  {holds}  {found.bytes / 1e6:.1f} MB{kept}"
    tell(asdict(found) | {"made_at": found.made_at.isoformat()}, words, as_json)


def _lost(lost: BrokenFile) -> dict[str, Any]:
    return {"file": lost.key, "ids": list(lost.ids)}


def _owners(lost: BrokenFile) -> str:
    return ", ".join(lost.ids) or "an open draft"


def _totals(found: StorageAudit) -> dict[str, int]:
    return {
        "files": found.files,
        "missing": len(found.missing),
        "damaged": len(found.damaged),
        "unreadable": len(found.unreadable),
        "orphaned": len(found.orphans),
        "removed": len(found.removed),
    }
