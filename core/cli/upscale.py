"""python -m core upscale: the result of a generation, enlarged."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.common import JSON, SESSION, make_studio
from core.cli.exits import exit_codes
from core.cli.inpaint import work_off
from core.cli.output import FORCE, GPS, OUTPUT, STRIP, place_of
from core.cli.running import running
from core.domain.upscale import FACTORS, LANCZOS

app = typer.Typer()


@app.command()
def upscale(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of the generation whose result is to be enlarged.")],
    factor: Annotated[int, typer.Option("--factor", help=f"By how much. [{' or '.join(map(str, FACTORS))}]")] = FACTORS[
        0
    ],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help=f"{LANCZOS} (needs no model), or an upscaler: an .onnx file, or its name in `models list`.",
        ),
    ] = LANCZOS,
    part_only: Annotated[
        bool,
        typer.Option("--part-only", help="Use the upscaler for the painted part only, and Lanczos around it."),
    ] = False,
    output: OUTPUT = None,
    force: FORCE = False,
    strip: STRIP = False,
    gps: GPS = False,
    as_json: JSON = False,
) -> None:
    """Enlarge a result from the gallery, as a new generation."""
    with exit_codes():
        studio = make_studio(context)
        original = studio.gallery.get(id)
        chosen = studio.upscales.named(method, factor)
        size = studio.upscales.size(original, factor)
        place = place_of(studio, output, size, force=force) if output is not None else None
        device = studio.machine.device("auto")
        with running(studio) as run:
            ids = [studio.upscales.submit(original, chosen, part_only=part_only, device=device, session=SESSION)]
            work_off(studio, run, ids, place, as_json, strip, gps)
