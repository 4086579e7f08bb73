"""python -m core gallery export and import: bundles from one installation to another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from core import cli
from core.domain.errors import InvalidInput, StorageFull


@cli.gallery_app.command()
def export(
    ids: Annotated[list[str], typer.Argument(help="The generations.")],
    output: Annotated[Path, typer.Option("--output", help="The zip file to write.")],
    as_json: cli.JSON = False,
) -> None:
    """Write generations into a bundle: record, source, mask, result and hashes; no weights."""
    with cli.exit_codes():
        unfinished = output.with_name(output.name + ".part")
        try:
            with unfinished.open("wb") as file:
                cli.make_studio().bundles.export(ids, file)
            os.replace(unfinished, output)
        except OSError as error:
            raise StorageFull(f"{output} cannot be written: {error.strerror or error}.") from error
        finally:
            unfinished.unlink(missing_ok=True)
        if as_json:
            cli.print_json({"output": str(output), "generations": len(set(ids)), "bytes": output.stat().st_size})
        else:
            print(f"{output}: {len(set(ids))} generations, {output.stat().st_size / 1e6:.1f} MB")


@cli.gallery_app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Bundles, or folders that hold bundles (*.zip).")],
    as_json: cli.JSON = False,
) -> None:
    """Read bundles into the gallery. A bundle that was damaged or changed is refused whole."""
    with cli.exit_codes():
        studio = cli.make_studio()
        for path in _files(paths):
            try:
                with path.open("rb") as file:
                    result = studio.bundles.import_(file)
            except OSError as error:
                raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error
            except InvalidInput as error:
                raise type(error)(f"{path}: {error}") from error
            for id in result.ids:
                _tell(as_json, id, path, "imported")
            for id in result.known:
                _tell(as_json, id, path, "already here")


def _files(paths: list[Path]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.rglob("*.zip")) if path.is_dir() else [path])]
    if not files:
        raise InvalidInput("There is no bundle (*.zip) in this folder.")
    return files


def _tell(as_json: bool, id: str, path: Path, what: str) -> None:
    if as_json:
        cli.print_json({"id": id, "file": str(path), "result": what})
    else:
        print(f"{id} {what} ({path})")
