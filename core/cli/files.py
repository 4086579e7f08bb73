"""python -m core gallery export, import and save: bundles, pictures of other tools, and results as files."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.bootstrap import Studio
from core.cli.common import IDS, JSON, errors, make_studio, print_json
from core.cli.exits import exit_codes
from core.cli.output import FORCE, GPS, STRIP, output_of, place_of
from core.domain.errors import InvalidInput
from core.domain.geometry import Size
from core.files import open_regular, read_regular, why
from core.services.exports import FileType
from core.services.imports import ImportedFile, Result

ENDINGS = {".zip", ".png", ".jpg", ".jpeg", ".webp", ".avif"}
MAX_TEXT_FILE = 2**20

app = typer.Typer()


@app.command()
def export(
    context: typer.Context,
    ids: IDS,
    output: Annotated[str, typer.Option("--output", help="Output file ending in .zip, or a folder.")],
    force: FORCE = False,
    as_json: JSON = False,
) -> None:
    """Export generations as a bundle: record, source, mask, result and hashes; no model weights."""
    with exit_codes():
        studio = make_studio(context)
        place = output_of(output, [".zip"], force=force, gallery=studio.settings.images)
        file = place.write("inpaint-studio.zip", lambda file: studio.bundles.export(ids, file))
        if as_json:
            print_json({"output": str(file), "generations": len(set(ids)), "bytes": file.stat().st_size})
        else:
            print(f"{file}: {len(set(ids))} generations, {file.stat().st_size / 1e6:.1f} MB")


@app.command("import")
def import_(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(help="Bundles (.zip), pictures (PNG, JPEG, WEBP, AVIF), or folders of them.")
    ],
    without_metadata: Annotated[
        bool, typer.Option("--without-metadata", help="Include pictures without generation metadata.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Import bundles, and pictures of other tools. Duplicates are skipped.

    With --json one object per file: file, result (imported, already here, no metadata, refused), ids, known, tool,
    stated, reason; and id, where it is one. Ends with 2 if anything was refused, after importing everything else.
    """
    with exit_codes():
        files = _files(paths)
        studio = make_studio(context)
        results: Counter[Result] = Counter()
        for path in files:
            done = _import(studio, path, without_metadata)
            results[done.result] += 1
            _tell_import(as_json, path, done)
        if len(files) > 1:
            errors.print(", ".join(f"{n} {result}" for result, n in sorted(results.items())), markup=False)
        if results[Result.REFUSED]:
            raise typer.Exit(2)


@app.command()
def save(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of the generation.")],
    output: Annotated[
        str, typer.Option("--output", help="Output file, whose extension sets the format; or a folder, for a PNG.")
    ],
    force: FORCE = False,
    strip: STRIP = False,
    gps: GPS = False,
    small: Annotated[bool, typer.Option("--small", help="Write WEBP lossy and small.")] = False,
    as_json: JSON = False,
) -> None:
    """Save a result as PNG, WEBP, JPEG or AVIF, with or without metadata."""
    with exit_codes():
        studio = make_studio(context)
        generation = studio.gallery.get(id)
        place = place_of(studio, output, Size(generation.width, generation.height), force=force)
        type = FileType.WEBP_LOSSY if small and place.type is FileType.WEBP else place.type
        data = studio.exports.file(generation, type, metadata=not strip, place=gps)
        losses = studio.exports.losses(generation, type)
        file = place.write(f"{id}-{generation.params.seed}{type.suffix}", lambda file: file.write(data))
        if as_json:
            print_json({"id": id, "output": str(file), "bytes": len(data), "losses": list(losses)})
            return
        print(f"{file}: {len(data) / 1e6:.1f} MB")
        for loss in losses:
            errors.print(loss, markup=False, soft_wrap=True)


def _files(paths: list[Path]) -> list[Path]:
    files = [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]
    if not files:
        raise InvalidInput("There is neither a bundle nor a picture in this folder.")
    return files


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())


def _import(studio: Studio, path: Path, without_metadata: bool) -> ImportedFile:
    try:
        with open_regular(path) as file:
            return studio.imports.import_(file, path.name, beside=_text_beside(path), without_metadata=without_metadata)
    except OSError as error:
        reason = f"It cannot be read: {why(error)}."
        return ImportedFile(path.name, Result.REFUSED, reason=reason)


def _text_beside(path: Path) -> str | None:
    """Some tools write the parameters into a file beside the picture."""
    try:
        return read_regular(path.with_suffix(".txt"), MAX_TEXT_FILE).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def _tell_import(as_json: bool, path: Path, done: ImportedFile) -> None:
    if as_json:
        told = {**asdict(done), "file": str(path), "id": done.ids[0] if len(done.ids) == 1 else None}
        del told["name"]
        print_json(told)
        return
    if done.result is Result.REFUSED:
        errors.print(f"{path} {done.result}: {done.reason}", markup=False, soft_wrap=True, highlight=False)
        return
    for id in done.ids or ("",):
        what = Result.KNOWN if id in done.known else done.result
        print(f"{id} {what} ({path}). {done.reason or ''}".strip())
