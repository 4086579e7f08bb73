"""python -m core drafts ...: unfinished work of the Inpaint page, from one installation to another."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import typer

from core.cli.common import JSON, make_studio, read_file, tell
from core.cli.exits import exit_codes
from core.cli.output import FORCE, output_of
from core.services.draft_files import MAX_FILE_BYTES, file_name

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_drafts(context: typer.Context, as_json: JSON = False) -> None:
    """List drafts of all people, changed last first."""
    with exit_codes():
        for kept in make_studio(context).drafts.of(None):
            at = kept.updated_at
            value = {"id": kept.id, "name": kept.name, "updated_at": at.isoformat(), "source": kept.draft.source}
            tell(value, f"{kept.id}  {at:%Y-%m-%d %H:%M}  {kept.name}", as_json)


@app.command()
def export(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of a draft, as list shows it.")],
    output: Annotated[str, typer.Option("--output", help="Output file ending in .zip, or a folder.")],
    force: FORCE = False,
    as_json: JSON = False,
) -> None:
    """Save a draft as one file: its picture, its mask, and what the form says."""
    with exit_codes():
        studio = make_studio(context)
        kept = studio.drafts.kept(id)
        out = output_of(output, [".zip"], force=force, gallery=studio.settings.images)
        file = out.write(file_name(kept), lambda file: studio.draft_files.export(id, file))
        tell({"output": str(file), "id": id}, f"{file}: {kept.name}", as_json)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file written by export, or saved in the dashboard.")],
    as_json: JSON = False,
) -> None:
    """Keep a saved draft here: the dashboard's Home shows it under “Continue where you left off”."""
    with exit_codes():
        studio = make_studio(context)
        id = studio.draft_files.import_(io.BytesIO(read_file(file, MAX_FILE_BYTES)))
        tell({"id": id, "name": studio.drafts.kept(id).name}, f"{id}  {studio.drafts.kept(id).name}", as_json)
