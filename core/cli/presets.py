"""python -m core presets ...: parameters under a name, from one installation to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.common import JSON, make_studio, print_json, read_file, tell
from core.cli.exits import exit_codes
from core.cli.output import FORCE, output_of
from core.services.presets import MAX_FILE_BYTES

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_presets(context: typer.Context, as_json: JSON = False) -> None:
    """List presets, by name."""
    with exit_codes():
        for name, values in make_studio(context).presets.all().items():
            tell({"name": name, "params": dict(values)}, name, as_json)


@app.command()
def export(
    context: typer.Context,
    output: Annotated[str, typer.Option("--output", help="Output file ending in .json, or a folder.")],
    force: FORCE = False,
    as_json: JSON = False,
) -> None:
    """Export all presets to a file."""
    with exit_codes():
        presets = make_studio(context).presets
        names = list(presets.all())
        data = presets.export().encode()
        file = output_of(output, [".json"], force=force).write("presets.json", lambda file: file.write(data))
        tell({"output": str(file), "names": names}, f"{file}: {len(names)} presets", as_json)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file written by export.")],
    as_json: JSON = False,
) -> None:
    """Import presets from a file; existing ones are not replaced."""
    with exit_codes():
        done = make_studio(context).presets.import_(read_file(file, MAX_FILE_BYTES))
        if as_json:
            print_json({"new": list(done.new), "known": list(done.known)})
            return
        for name in done.new:
            print(f"{name} taken")
        for name in done.known:
            print(f"{name} was already here")
