"""python -m core presets ...: parameters under a name, from one installation to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import cli
from core.domain.errors import StorageFull
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
    output: Annotated[Path, typer.Option("--output", help="The JSON file to write.")], as_json: cli.JSON = False
) -> None:
    """Write all presets into a file."""
    with cli.exit_codes():
        presets = cli.make_studio().presets
        names = list(presets.all())
        try:
            output.write_text(presets.export(), encoding="utf-8")
        except OSError as error:
            raise StorageFull(f"{output} cannot be written: {error.strerror or error}.") from error
        cli.print_json({"output": str(output), "names": names}) if as_json else print(f"{output}: {len(names)} presets")


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
