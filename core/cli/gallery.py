"""python -m core gallery ...: finding what was made, putting it in order, and throwing it away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from core import cli
from core.bootstrap import Studio
from core.domain.errors import InvalidInput
from core.domain.gallery import PAGE_ROWS, VERDICTS, Cursor, GalleryFilter, GallerySlice, Sort, day
from core.domain.generation import Generation, Status

app = cli.gallery_app

IDS = Annotated[list[str], typer.Argument(help="The generations.")]
LIMIT = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]
AFTER = Annotated[str | None, typer.Option(help="The cursor of the page before, as printed with it.")]
STATUSES = Annotated[list[Status] | None, typer.Option(help="Only these; may be given several times.")]


@app.command("list")
def list_generations(
    limit: LIMIT = 20,
    status: STATUSES = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model.")] = None,
    trash: Annotated[bool, typer.Option("--trash", help="Those in the trash.")] = False,
    after: AFTER = None,
    as_json: cli.JSON = False,
) -> None:
    """The generations, newest first."""
    with cli.exit_codes():
        filter = GalleryFilter(statuses=tuple(status or ()), model=model, in_trash=trash)
        _browse(cli.make_studio(), filter, limit, after, as_json)


@app.command()
def search(
    text: Annotated[
        str, typer.Argument(help='Words, beginnings of words (cas*) and "quoted phrases", all to be found.')
    ] = "",
    model: Annotated[list[str] | None, typer.Option(help="Only of these models; may be given several times.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only made on these.")] = None,
    scheduler: Annotated[list[str] | None, typer.Option(help="Only with these schedulers.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with all of these tags.")] = None,
    status: STATUSES = None,
    rating: Annotated[int | None, typer.Option(help="Only with at least this rating, 1 to 5.")] = None,
    favourite: Annotated[bool | None, typer.Option("--favourite/--no-favourite", help="Only favourites.")] = None,
    since: Annotated[str | None, typer.Option(help="From this day on, such as 2026-01-31 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Up to and with this day (UTC).")] = None,
    min_px: Annotated[int | None, typer.Option(help="Longer side of the picture, at least.")] = None,
    max_px: Annotated[int | None, typer.Option(help="Longer side of the picture, at most.")] = None,
    has_parent: Annotated[
        bool | None, typer.Option("--has-parent/--no-parent", help="Only what was made from another, or not.")
    ] = None,
    parent: Annotated[str | None, typer.Option(help="Only what was made from this generation.")] = None,
    trash: Annotated[bool, typer.Option("--trash", help="In the trash.")] = False,
    verdict: Annotated[
        list[str] | None, typer.Option(help=f"Only with these newest verdicts: {', '.join(VERDICTS)}.")
    ] = None,
    sort: Annotated[Sort | None, typer.Option(help="The order. [default: newest]")] = None,
    saved: Annotated[
        str | None, typer.Option(help="Start from the saved search of this name; what else is given replaces its part.")
    ] = None,
    save: Annotated[str | None, typer.Option(help="Also save this search under a name.")] = None,
    limit: LIMIT = PAGE_ROWS,
    after: AFTER = None,
    as_json: cli.JSON = False,
) -> None:
    """Search prompt, negative prompt, title, notes and tags, under filters."""
    with cli.exit_codes():
        asked = {
            "text": text, "models": tuple(model or ()), "devices": tuple(device or ()),
            "schedulers": tuple(scheduler or ()), "tags": tuple(tag or ()), "verdicts": tuple(verdict or ()),
            "statuses": tuple(status or ()), "rating": rating, "favourite": favourite,
            "since": day(since) if since else None, "until": day(until) if until else None,
            "min_px": min_px, "max_px": max_px, "has_parent": has_parent, "parent_id": parent,
            "in_trash": trash or None, "sort": sort,
        }  # fmt: skip
        studio = cli.make_studio()
        filter = _saved(studio, saved) if saved else GalleryFilter()
        filter = replace(filter, **{name: value for name, value in asked.items() if value not in ("", (), None)})
        if save:
            studio.gallery.save_search(save, filter)
        _browse(studio, filter, limit, after, as_json)


@app.command()
def searches(as_json: cli.JSON = False) -> None:
    """The saved searches, by name."""
    with cli.exit_codes():
        for search in cli.make_studio().gallery.saved_searches():
            query = search.filter.to_query()
            _tell({"name": search.name, "query": query}, f"{search.name}: {_in_words(query)}", as_json)


@app.command("forget-search")
def forget_search(name: Annotated[str, typer.Argument(help="The saved search.")], as_json: cli.JSON = False) -> None:
    """Delete a saved search; what it finds stays."""
    with cli.exit_codes():
        cli.make_studio().gallery.delete_search(name)
        _tell({"name": name, "saved": False}, f"“{name}” is no longer saved", as_json)


@app.command()
def show(id: Annotated[str, typer.Argument(help="The generation.")], as_json: cli.JSON = False) -> None:
    """Everything that is on record about one generation."""
    with cli.exit_codes():
        studio = cli.make_studio()
        generation = studio.gallery.get(id)
        record = _found(studio, generation) | _details(generation)
        record["sheets"] = [{"id": made.id, **json.loads(made.sheet.to_json())} for made in studio.sheets.of(id)]
        if as_json:
            cli.print_json(record)
            return
        table = Table("", "", box=None, show_header=False)
        for name, value in record.items():
            shown = json.dumps(value, indent=1, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
            table.add_row(name, cli.plain(shown))
        Console().print(table)


@app.command()
def tag(
    ids: IDS,
    add: Annotated[list[str] | None, typer.Option(help="A tag to add; may be given several times.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away.")] = None,
    as_json: cli.JSON = False,
) -> None:
    """Add tags and take tags away."""
    with cli.exit_codes():
        if not (add or remove):
            raise InvalidInput("Give a tag with --add or --remove.")
        studio = cli.make_studio()
        if add:
            studio.gallery.tag(ids, add)
        if remove:
            studio.gallery.untag(ids, remove)
        for id in ids:
            tags = list(studio.gallery.get(id).tags)
            _tell({"id": id, "tags": tags}, f"{id} {', '.join(tags) or 'has no tags'}", as_json)


@app.command()
def rename(
    ids: IDS,
    title: Annotated[str, typer.Option(help="The new title; an empty one takes it away.")],
    as_json: cli.JSON = False,
) -> None:
    """Give generations a title."""
    with cli.exit_codes():
        studio = cli.make_studio()
        studio.gallery.rename(ids, title)
        for id in ids:
            kept = studio.gallery.get(id).title
            _tell({"id": id, "title": kept}, f"{id} {kept or 'has no title'}", as_json)


@app.command()
def note(
    ids: IDS,
    text: Annotated[str, typer.Option(help="The note, in place of the one before; an empty one takes it away.")],
    as_json: cli.JSON = False,
) -> None:
    """Write a note on generations."""
    with cli.exit_codes():
        studio = cli.make_studio()
        studio.gallery.note(ids, text)
        for id in ids:
            kept = studio.gallery.get(id).notes
            _tell({"id": id, "notes": kept}, f"{id} {kept or 'has no note'}", as_json)


@app.command()
def rate(
    ids_and_rating: Annotated[list[str], typer.Argument(metavar="ID... N", help="1 to 5; 0 takes the rating away.")],
    as_json: cli.JSON = False,
) -> None:
    """Rate generations from 1 to 5."""
    with cli.exit_codes():
        *ids, number = ids_and_rating
        if not ids or number not in ("0", "1", "2", "3", "4", "5"):
            raise InvalidInput("Give the generations first, then the rating: a number from 1 to 5, or 0 for none.")
        rating = int(number) or None
        cli.make_studio().gallery.rate(ids, rating)
        for id in ids:
            _tell({"id": id, "rating": rating}, f"{id} {'*' * (rating or 0) or 'is not rated'}", as_json)


@app.command()
def favourite(
    ids: IDS,
    off: Annotated[bool, typer.Option("--off", help="No longer a favourite.")] = False,
    as_json: cli.JSON = False,
) -> None:
    """Mark generations as favourites."""
    with cli.exit_codes():
        cli.make_studio().gallery.set_favourite(ids, not off)
        for id in ids:
            _tell({"id": id, "favourite": not off}, f"{id} is {'no' if off else 'a'} favourite", as_json)


@app.command()
def delete(
    ids: IDS,
    restore: Annotated[bool, typer.Option("--restore", help="Take them out of the trash again.")] = False,
    as_json: cli.JSON = False,
) -> None:
    """Move generations into the trash, or out of it with --restore."""
    _move(ids, not restore, as_json)


@app.command()
def trash(ids: IDS, as_json: cli.JSON = False) -> None:
    """Move generations into the trash."""
    _move(ids, True, as_json)


@app.command()
def restore(ids: IDS, as_json: cli.JSON = False) -> None:
    """Take generations out of the trash again."""
    _move(ids, False, as_json)


# What the commands are made of ---------------------------------------------------------------------------------


def _browse(studio: Studio, filter: GalleryFilter, limit: int, after: str | None, as_json: bool) -> None:
    page = studio.gallery.browse(filter, Cursor.from_text(after) if after else None, limit)
    if as_json:
        for generation in page.generations:
            cli.print_json(_found(studio, generation))
    else:
        Console().print(_table(page))
    if page.next:
        cli.errors.print(f"more: --after {page.next.to_text()}", markup=False, soft_wrap=True)


def _saved(studio: Studio, name: str) -> GalleryFilter:
    for search in studio.gallery.saved_searches():
        if search.name == name:
            return search.filter
    raise InvalidInput(f"There is no saved search “{name}”. See: python -m core gallery searches.")


def _in_words(query: dict[str, str | list[str]]) -> str:
    parts = (f"{key} {value if isinstance(value, str) else ', '.join(value)}" for key, value in query.items())
    return "; ".join(parts) or "everything"


def _table(page: GallerySlice) -> Table:
    table = Table("id", "status", "seed", "model", "runtime", "prompt", box=None)
    for g in page.generations:
        runtime = f"{g.runtime_s:.1f} s" if g.runtime_s is not None else ""
        words = cli.plain((g.title or g.params.prompt)[:60])
        table.add_row(g.id, g.status, str(g.params.seed), g.params.model, runtime, words)
    return table


def _move(ids: Sequence[str], into_trash: bool, as_json: bool) -> None:
    with cli.exit_codes():
        studio = cli.make_studio()
        for id in ids:
            studio.gallery.get(id)
        studio.gallery.trash(ids) if into_trash else studio.gallery.restore(ids)
        for id in ids:
            words = f"{id} {'moved to the trash' if into_trash else 'restored'}"
            _tell({"id": id, "in_trash": into_trash}, words, as_json)


def _found(studio: Studio, generation: Generation) -> dict[str, Any]:
    return cli.summary(studio, generation) | {
        "title": generation.title,
        "favourite": generation.favourite,
        "rating": generation.rating,
        "tags": list(generation.tags),
        "verdict": generation.verdict,
        "in_trash": generation.deleted_at is not None,
    }


def _details(generation: Generation) -> dict[str, Any]:
    return {
        "notes": generation.notes,
        "params": generation.params.model_dump(),
        "width": generation.width,
        "height": generation.height,
        "dtype": generation.dtype,
        "load_s": generation.load_s,
        "queue_s": generation.queue_s,
        "model_revision": generation.model_revision,
        "relation": generation.relation,
        "extended": json.loads(generation.extended.to_json()) if generation.extended else None,
        "source_name": generation.source_name,
        "environment": dict(generation.environment),
        "record": dict(generation.record),
    }


def _tell(value: dict[str, Any], words: str, as_json: bool) -> None:
    cli.print_json(value) if as_json else print(words)
