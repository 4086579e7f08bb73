"""python -m core gallery tag, rename, rate, trash ...: what people add to generations, and the trash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from core.cli.common import IDS, JSON, make_studio, tell
from core.cli.exits import exit_codes
from core.domain.errors import InvalidInput

app = typer.Typer()


@app.command()
def tag(
    context: typer.Context,
    ids: IDS,
    add: Annotated[list[str] | None, typer.Option(help="A tag to add; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to remove; repeatable.")] = None,
    as_json: JSON = False,
) -> None:
    """Add and remove tags."""
    with exit_codes():
        if not (add or remove):
            raise InvalidInput("Give a tag with --add or --remove.")
        studio = make_studio(context)
        if add:
            studio.gallery.tag(ids, add)
        if remove:
            studio.gallery.untag(ids, remove)
        for id in ids:
            tags = list(studio.gallery.get(id).tags)
            tell({"id": id, "tags": tags}, f"{id} {', '.join(tags) or 'has no tags'}", as_json)


@app.command()
def rename(
    context: typer.Context,
    ids: IDS,
    title: Annotated[str, typer.Option(help="The new title; an empty one removes it.")],
    as_json: JSON = False,
) -> None:
    """Set the title of generations."""
    with exit_codes():
        studio = make_studio(context)
        studio.gallery.rename(ids, title)
        for id in ids:
            kept = studio.gallery.get(id).title
            tell({"id": id, "title": kept}, f"{id} {kept or 'has no title'}", as_json)


@app.command()
def note(
    context: typer.Context,
    ids: IDS,
    text: Annotated[str, typer.Option(help="The note, replacing the previous one; an empty one removes it.")],
    as_json: JSON = False,
) -> None:
    """Set the note of generations."""
    with exit_codes():
        studio = make_studio(context)
        studio.gallery.note(ids, text)
        for id in ids:
            kept = studio.gallery.get(id).notes
            tell({"id": id, "notes": kept}, f"{id} {kept or 'has no note'}", as_json)


@app.command()
def rate(
    context: typer.Context,
    ids_and_rating: Annotated[list[str], typer.Argument(metavar="ID... N", help="1 to 5; 0 clears the rating.")],
    as_json: JSON = False,
) -> None:
    """Rate generations from 1 to 5."""
    with exit_codes():
        *ids, number = ids_and_rating
        if not ids or number not in ("0", "1", "2", "3", "4", "5"):
            raise InvalidInput("Give the generations first, then the rating: a number from 1 to 5, or 0 for none.")
        rating = int(number) or None
        make_studio(context).gallery.rate(ids, rating)
        for id in ids:
            tell({"id": id, "rating": rating}, f"{id} {'*' * (rating or 0) or 'is not rated'}", as_json)


@app.command()
def favourite(
    context: typer.Context,
    ids: IDS,
    off: Annotated[bool, typer.Option("--off", help="Remove from favourites.")] = False,
    as_json: JSON = False,
) -> None:
    """Mark generations as favourites."""
    with exit_codes():
        make_studio(context).gallery.set_favourite(ids, not off)
        for id in ids:
            tell({"id": id, "favourite": not off}, f"{id} is {'no' if off else 'a'} favourite", as_json)


@app.command()
def delete(
    context: typer.Context,
    ids: IDS,
    restore: Annotated[bool, typer.Option("--restore", help="Restore from the trash.")] = False,
    as_json: JSON = False,
) -> None:
    """Move generations to the trash, or restore them with --restore."""
    _move(context, ids, not restore, as_json)


@app.command()
def trash(context: typer.Context, ids: IDS, as_json: JSON = False) -> None:
    """Move generations to the trash."""
    _move(context, ids, True, as_json)


@app.command()
def restore(context: typer.Context, ids: IDS, as_json: JSON = False) -> None:
    """Restore generations from the trash."""
    _move(context, ids, False, as_json)


def _move(context: typer.Context, ids: Sequence[str], into_trash: bool, as_json: bool) -> None:
    with exit_codes():
        studio = make_studio(context)
        for id in ids:
            studio.gallery.get(id)
        studio.gallery.trash(ids) if into_trash else studio.gallery.restore(ids)
        for id in ids:
            words = f"{id} {'moved to the trash' if into_trash else 'restored'}"
            tell({"id": id, "in_trash": into_trash}, words, as_json)
