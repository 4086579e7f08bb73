"""python -m core queue ... and sheet: the queue of a running dashboard, and sheets over one or two parameters."""

from __future__ import annotations

from typing import Annotated

import typer

from core import cli
from core.cli.output import FORCE, place_of
from core.cli.running import running
from core.domain.errors import InvalidInput
from core.domain.queue import Move
from core.domain.request import InpaintRequest
from core.domain.sheet import Axis, Sheet
from core.services.generations import Origin
from core.services.prompts import asked_again

app = typer.Typer(
    help="What waits to be painted, also by a dashboard that runs on the same data.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
cli.app.add_typer(app, name="queue")

ID = Annotated[str, typer.Argument(help="The generation.")]


@app.command("list")
def list_queue(as_json: cli.JSON = False) -> None:
    """What is being painted and what waits, in the order of work."""
    with cli.exit_codes():
        studio = cli.make_studio()
        view = studio.queue.view(limit=1000)
        for entry in (*view.running, *view.waiting):
            generation = entry.generation
            if as_json:
                cli.print_json(
                    {
                        "id": generation.id, "status": generation.status, "prompt": generation.params.prompt,
                        "model": generation.params.model, "device": generation.device,
                        "starts_in_s": entry.starts_in_s, "takes_s": entry.takes_s,
                    }
                )  # fmt: skip
            else:
                prompt = " ".join(generation.params.prompt.split())[:60]
                print(f"{generation.id} {generation.status} {generation.params.model} {prompt}")
        if view.is_paused:
            cli.errors.print("The queue is paused: nothing new begins. Go on with: python -m core queue resume")


@app.command()
def pause() -> None:
    """Begin nothing new until resume, also after a restart. What is being painted still ends."""
    with cli.exit_codes():
        cli.make_studio().queue.pause()


@app.command()
def resume() -> None:
    """Go on after a pause."""
    with cli.exit_codes():
        cli.make_studio().queue.resume()


@app.command()
def move(id: ID, to: Annotated[Move, typer.Argument(help="Where to.")]) -> None:
    """Put a waiting generation elsewhere in the queue."""
    with cli.exit_codes():
        studio = cli.make_studio()
        studio.gallery.get(id)
        studio.queue.move(id, to)


@app.command("cancel")
def cancel_some(
    ids: Annotated[list[str] | None, typer.Argument(help="The generations.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that wait, and what is being painted.")] = False,
) -> None:
    """Take generations out of the queue; they stay in the gallery and can be run again."""
    with cli.exit_codes():
        if bool(ids) == all_:
            raise InvalidInput("Name the generations to cancel, or give --all, but not both.")
        studio = cli.make_studio()
        if all_:
            print(f"{studio.queue.cancel_all()} cancelled")
        for id in ids or ():
            studio.gallery.get(id)
            studio.generations.cancel(id)


@cli.app.command()
def sheet(
    id: Annotated[str, typer.Argument(help="The generation whose picture, mask and parameters are taken.")],
    columns: Annotated[
        str, typer.Option(help="What to vary: NAME=VALUES, for example guidance_scale=1,5,9 or prompt=red,blue.")
    ],
    output: Annotated[
        str, typer.Option(help="The file of the sheet, which ends in .png, .webp, .jpg or .avif; or a folder for it.")
    ],
    rows: Annotated[str | None, typer.Option(help="A second parameter, in the same way: seed=1-4.")] = None,
    force: FORCE = False,
    as_json: cli.JSON = False,
) -> None:
    """Paint every combination of one or two parameters, and lay them out as one picture with labels."""
    with cli.exit_codes():
        asked = Sheet(_axis(columns), _axis(rows) if rows else None)
        studio = cli.make_studio()
        place = place_of(studio, output, studio.sheets.room(asked), force=force)
        generation = studio.gallery.get(id)
        source, mask = studio.gallery.image(generation.source), studio.gallery.mask(generation)
        request = InpaintRequest(source, mask, asked_again(generation.params))
        origin = Origin.variation_of(generation, "command line")
        with running(studio) as run:
            made = studio.sheets.submit(request, asked, device=generation.device, origin=origin)
            ids = [one.id for one in made.generations]
            run.owns_generations(ids)
            for one in ids:
                run.generation(one)
        done = studio.sheets.get(made.id)
        data = studio.exports.sheet(studio.sheets.picture(done), place.type)
        file = place.write(f"sheet-{done.id}.png", lambda file: file.write(data))
        for one in done.generations:
            if as_json:
                cli.print_json(cli.summary(studio, one))
        if not as_json:
            print(file)
        if any(one.output is None for one in done.generations):
            cli.errors.print("Some of its pictures were not made; the sheet says which.")
            raise typer.Exit(1)


def _axis(text: str) -> Axis:
    name, equals, values = text.partition("=")
    if not equals:
        raise InvalidInput(f"Write NAME=VALUES, for example seed=1-4, not {text!r}.")
    return Axis.parse(name.strip(), values)
