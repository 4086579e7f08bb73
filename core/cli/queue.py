"""python -m core queue ...: what is being painted and what waits, also in a running dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.common import JSON, errors, make_studio, print_json
from core.cli.exits import exit_codes
from core.domain.errors import InvalidInput
from core.domain.queue import Move

app = typer.Typer(no_args_is_help=True)

ID = Annotated[str, typer.Argument(help="Id of the generation.")]


@app.command("list")
def list_queue(context: typer.Context, as_json: JSON = False) -> None:
    """List what is being painted and what waits, in order."""
    with exit_codes():
        studio = make_studio(context)
        view = studio.queue.view(limit=1000)
        for entry in (*view.running, *view.waiting):
            generation = entry.generation
            if as_json:
                print_json(
                    {
                        "id": generation.id,
                        "status": generation.status,
                        "prompt": generation.params.prompt,
                        "model": generation.params.model,
                        "device": generation.device,
                        "starts_in_s": entry.starts_in_s,
                        "takes_s": entry.takes_s,
                        "error": generation.error,
                    }
                )
            else:
                prompt = " ".join(generation.params.prompt.split())[:60]
                print(f"{generation.id} {generation.status} {generation.params.model} {prompt}")
                if generation.error:
                    print(f"  {generation.error}")
        if view.is_paused:
            errors.print("The queue is paused: nothing new starts. Go on with: python -m core queue resume")


@app.command()
def pause(context: typer.Context) -> None:
    """Start nothing new until resume, even after a restart. The current picture will finish."""
    with exit_codes():
        make_studio(context).queue.pause()


@app.command()
def resume(context: typer.Context) -> None:
    """Resume after a pause."""
    with exit_codes():
        make_studio(context).queue.resume()


@app.command()
def move(context: typer.Context, id: ID, to: Annotated[Move, typer.Argument(help="Where to move it.")]) -> None:
    """Move a waiting generation within the queue."""
    with exit_codes():
        studio = make_studio(context)
        studio.gallery.get(id)
        studio.queue.move(id, to)


@app.command("cancel")
def cancel_some(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of generations.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that waits, and what is being painted.")] = False,
) -> None:
    """Cancel generations; they stay in the gallery and can be run again."""
    with exit_codes():
        if bool(ids) == all_:
            raise InvalidInput("Name the generations to cancel, or give --all, but not both.")
        studio = make_studio(context)
        if all_:
            print(f"{studio.queue.cancel_all()} cancelled")
        for id in ids or ():
            studio.gallery.get(id)
            studio.generations.cancel(id)
