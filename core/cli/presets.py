"""python -m core presets ...: parameters under a name, from one installation to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import cli
from core.cli.output import FORCE, output_of
from core.services.presets import MAX_FILE_BYTES

app = typer.Typer(help="Parameters under a name.", no_args_is_help=True, rich_markup_mode=None)
cli.app.add_typer(app, name="presets")


@app.command("list")
def list_presets(as_json: cli.JSON = False) -> None:
    """The presets, by name."""
    with cli.exit_codes():
        for name, values in cli.make_studio().presets.all().items():
            cli.print_json({"name": name, "params": dict(values)}) if as_json else print(name)


@app.command()
def export(
    output: Annotated[
        str, typer.Option("--output", help="The file to write, which ends in .json; or a folder for it.")
    ],
    force: FORCE = False,
    as_json: cli.JSON = False,
) -> None:
    """Write all presets into a file."""
    with cli.exit_codes():
        presets = cli.make_studio().presets
        names = list(presets.all())
        data = presets.export().encode()
        file = output_of(output, [".json"], force=force).write("presets.json", lambda file: file.write(data))
        cli.print_json({"output": str(file), "names": names}) if as_json else print(f"{file}: {len(names)} presets")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that export has written.")], as_json: cli.JSON = False
) -> None:
    """Take presets from a file; none that is here is replaced."""
    with cli.exit_codes():
        done = cli.make_studio().presets.import_(cli.read_file(file, MAX_FILE_BYTES))
        if as_json:
            cli.print_json({"new": list(done.new), "known": list(done.known)})
            return
        for name in done.new:
            print(f"{name} taken")
        for name in done.known:
            print(f"{name} was here already")
