"""python -m core gallery list, search, show ...: finding generations."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from core.bootstrap import Studio
from core.cli.common import JSON, errors, make_studio, plain, print_facts, print_json, summary, tell
from core.cli.exits import exit_codes
from core.domain.errors import InvalidInput
from core.domain.gallery.answers import GallerySlice
from core.domain.gallery.filter import VERDICTS, GalleryFilter, day
from core.domain.gallery.paging import PAGE_ROWS, Cursor, Sort
from core.domain.generation import Generation, Status

app = typer.Typer()

LIMIT = Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of results.")]
AFTER = Annotated[str | None, typer.Option(help="The cursor printed with the previous page.")]
STATUSES = Annotated[list[Status] | None, typer.Option(help="Only these statuses; repeatable.")]


@app.command("list")
def list_generations(
    context: typer.Context,
    limit: LIMIT = 20,
    status: STATUSES = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    trash: Annotated[bool, typer.Option("--trash", help="List the trash.")] = False,
    after: AFTER = None,
    as_json: JSON = False,
) -> None:
    """List generations, newest first."""
    with exit_codes():
        filter = GalleryFilter(statuses=tuple(status or ()), models=(model,) if model else (), in_trash=trash)
        _browse(make_studio(context), filter, limit, after, as_json)


@app.command()
def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help='Words, prefixes (cas*) and "quoted phrases"; all must match.')] = "",
    model: Annotated[list[str] | None, typer.Option(help="Only these models; repeatable.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only these devices; repeatable.")] = None,
    scheduler: Annotated[list[str] | None, typer.Option(help="Only these schedulers; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with all of these tags; repeatable.")] = None,
    status: STATUSES = None,
    rating: Annotated[int | None, typer.Option(help="Minimum rating, 1 to 5.")] = None,
    favourite: Annotated[
        bool | None, typer.Option("--favourite/--no-favourite", help="Only favourites, or only the others.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="On or after this day (UTC), such as 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="On or before this day (UTC).")] = None,
    min_px: Annotated[int | None, typer.Option(help="Minimum length of the longer side. [px]")] = None,
    max_px: Annotated[int | None, typer.Option(help="Maximum length of the longer side. [px]")] = None,
    has_parent: Annotated[
        bool | None, typer.Option("--has-parent/--no-parent", help="Only derived generations, or only originals.")
    ] = None,
    parent: Annotated[str | None, typer.Option(help="Only those made from this generation.")] = None,
    trash: Annotated[bool, typer.Option("--trash", help="Search the trash.")] = False,
    verdict: Annotated[
        list[str] | None, typer.Option(help=f"Only with these latest verdicts: {', '.join(VERDICTS)}; repeatable.")
    ] = None,
    sort: Annotated[Sort | None, typer.Option(help="Sort order. [default: newest]")] = None,
    saved: Annotated[
        str | None, typer.Option(help="Start from this saved search; other options override its parts.")
    ] = None,
    save: Annotated[str | None, typer.Option(help="Save this search under a name.")] = None,
    limit: LIMIT = PAGE_ROWS,
    after: AFTER = None,
    as_json: JSON = False,
) -> None:
    """Search prompts, titles, notes and tags, with filters."""
    with exit_codes():
        asked: dict[str, Any] = {
            "text": text,
            "models": tuple(model or ()),
            "devices": tuple(device or ()),
            "schedulers": tuple(scheduler or ()),
            "tags": tuple(tag or ()),
            "verdicts": tuple(verdict or ()),
            "statuses": tuple(status or ()),
            "rating": rating,
            "favourite": favourite,
            "since": day(since) if since else None,
            "until": day(until) if until else None,
            "min_px": min_px,
            "max_px": max_px,
            "has_parent": has_parent,
            "parent_id": parent,
            "in_trash": trash or None,
            "sort": sort,
        }
        studio = make_studio(context)
        filter = _saved(studio, saved) if saved else GalleryFilter()
        filter = replace(filter, **{name: value for name, value in asked.items() if value not in ("", (), None)})
        if save:
            studio.gallery.save_search(save, filter)
        _browse(studio, filter, limit, after, as_json)


@app.command()
def searches(context: typer.Context, as_json: JSON = False) -> None:
    """List saved searches, by name."""
    with exit_codes():
        for search in make_studio(context).gallery.saved_searches():
            query = search.filter.to_query()
            tell({"name": search.name, "query": query}, f"{search.name}: {_describe(query)}", as_json)


@app.command("forget-search")
def forget_search(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of the saved search.")],
    as_json: JSON = False,
) -> None:
    """Delete a saved search; its generations stay."""
    with exit_codes():
        make_studio(context).gallery.delete_search(name)
        tell({"name": name, "saved": False}, f"“{name}” is no longer saved", as_json)


@app.command()
def show(
    context: typer.Context, id: Annotated[str, typer.Argument(help="Id of the generation.")], as_json: JSON = False
) -> None:
    """Show everything on record about a generation."""
    with exit_codes():
        studio = make_studio(context)
        generation = studio.gallery.get(id)
        record = _found(studio, generation) | _details(generation)
        record["sheets"] = [{"id": made.id, **made.sheet.to_dict()} for made in studio.sheets.of(id)]
        if as_json:
            print_json(record)
            return
        print_facts({name: _shown(value) for name, value in record.items()})


def _browse(studio: Studio, filter: GalleryFilter, limit: int, after: str | None, as_json: bool) -> None:
    page = studio.gallery.browse(filter, Cursor.from_text(after) if after else None, limit)
    if as_json:
        for generation in page.generations:
            print_json(_found(studio, generation))
    else:
        Console().print(_table(page))
    if page.next:
        errors.print(f"more: --after {page.next.to_text()}", markup=False, soft_wrap=True)


def _saved(studio: Studio, name: str) -> GalleryFilter:
    for search in studio.gallery.saved_searches():
        if search.name == name:
            return search.filter
    raise InvalidInput(f"There is no saved search “{name}”. See: python -m core gallery searches.")


def _describe(query: dict[str, str | list[str]]) -> str:
    parts = (f"{key} {value if isinstance(value, str) else ', '.join(value)}" for key, value in query.items())
    return "; ".join(parts) or "everything"


def _table(page: GallerySlice) -> Table:
    table = Table("id", "status", "seed", "model", "runtime", "prompt", box=None)
    for g in page.generations:
        runtime = f"{g.runtime_s:.1f} s" if g.runtime_s is not None else ""
        words = plain((g.title or g.params.prompt)[:60])
        table.add_row(g.id, g.status, str(g.params.seed), g.params.model, runtime, words)
    return table


def _found(studio: Studio, generation: Generation) -> dict[str, Any]:
    return summary(studio, generation) | {
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
        "extended": generation.extended.to_dict() if generation.extended else None,
        "source_name": generation.source_name,
        "environment": dict(generation.environment),
        "record": dict(generation.record.raw),
    }


def _shown(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
