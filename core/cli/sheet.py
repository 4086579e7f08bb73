"""python -m core sheet: every combination of one or two parameters, as one picture."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.common import JSON, SESSION, errors, make_studio, print_json, summary
from core.cli.exits import exit_codes
from core.cli.output import FORCE, place_of
from core.cli.running import running
from core.domain.errors import InvalidInput
from core.domain.generation import Origin
from core.domain.sheet import Axis, Sheet
from core.services.prompts import for_resubmission

app = typer.Typer()


@app.command()
def sheet(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of the generation whose picture, mask and parameters are used.")],
    columns: Annotated[
        str,
        typer.Option(
            help="The parameter to vary: NAME=VALUES, such as guidance_scale=1,5,9, prompt=red,blue or "
            "speed=draft,best."
        ),
    ],
    output: Annotated[str, typer.Option(help="Output file ending in .png, .webp, .jpg or .avif; or a folder.")],
    rows: Annotated[str | None, typer.Option(help="A second parameter to vary, such as seed=1-4.")] = None,
    force: FORCE = False,
    as_json: JSON = False,
) -> None:
    """Paint every combination of one or two parameters as one labelled picture (X/Y grid)."""
    with exit_codes():
        asked = Sheet(_axis(columns), _axis(rows) if rows else None)
        studio = make_studio(context)
        place = place_of(studio, output, studio.sheets.room(asked), force=force)
        original = studio.gallery.get(id)
        params = for_resubmission(original.params)
        request = studio.generations.stored(original.source, original.mask, params, original.guides)
        origin = Origin.variation_of(original, SESSION)
        with running(studio) as run:
            queued = studio.sheets.submit(request, asked, device=original.device, origin=origin)
            ids = [generation.id for generation in queued.generations]
            run.owns_generations(ids)
            for made_id in ids:
                run.generation(made_id)
        done = studio.sheets.get(queued.id)
        data = studio.exports.sheet(studio.sheets.picture(done), place.type)
        file = place.write(f"sheet-{done.id}.png", lambda file: file.write(data))
        if as_json:
            for generation in done.generations:
                print_json(summary(studio, generation))
        else:
            print(file)
        if any(generation.output is None for generation in done.generations):
            errors.print("Some of its pictures were not made; the sheet says which.")
            raise typer.Exit(1)


def _axis(text: str) -> Axis:
    name, equals, values = text.partition("=")
    if not equals:
        raise InvalidInput(f"Write NAME=VALUES, for example seed=1-4, not {text!r}.")
    return Axis.parse(name.strip(), values)
