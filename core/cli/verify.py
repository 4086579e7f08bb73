"""python -m core verify: proof that recorded generations can be made again on this machine, today."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from core.bootstrap import Studio
from core.cli.common import JSON, errors, make_studio, tell
from core.cli.exits import exit_codes
from core.cli.running import running
from core.domain.errors import InvalidInput
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Status, Verdict
from core.domain.reproduction import Verification, reasons_of

app = typer.Typer()

REASONS_TOLD = 10


@app.command()
def verify(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of generations.")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every generation with a result, except imported pictures.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Run generations again and compare: EXACT, CLOSE or DIFFERENT, and why. Ends with 1 if any is DIFFERENT."""
    with exit_codes():
        if bool(ids) == all_:
            raise InvalidInput("Name the generations to verify, or give --all, but not both.")
        studio = make_studio(context)
        done = []
        with running(studio) as run:
            for generation_id in _all(studio) if all_ else ids or ():
                [id] = studio.reproductions.verify([generation_id])
                done.append(verification := run.verification(id))
                tell(_summary(verification), _describe(verification), as_json)
        _tell_counts(done)
        if any(v.reproduction is None or v.reproduction.verdict is Verdict.DIFFERENT for v in done):
            raise typer.Exit(1)


def _all(studio: Studio) -> Iterator[str]:
    """Oldest work last, page by page: what is added meanwhile is newer and not part of it."""
    cursor = None
    while True:
        page = studio.gallery.browse(GalleryFilter(statuses=(Status.SUCCEEDED,)), cursor)
        yield from (g.id for g in page.generations if not g.is_imported_picture)
        cursor = page.next
        if cursor is None:
            return


def _summary(verification: Verification) -> dict[str, Any]:
    found = verification.reproduction
    difference = found.difference if found else None
    return {
        "id": verification.generation_id,
        "verdict": found.verdict if found else None,
        "max_difference": difference.max_difference if difference else None,
        "psnr": difference.psnr if difference else None,
        "changed": [str(change) for change in found.changes] if found else [],
        "changed_share": difference.changed if difference else None,
        "outside_equal": difference.outside_equal if difference else None,
        "stage": found.stage if found else None,
        "restored": list(verification.restored),
        "error": verification.error,
    }


def _describe(verification: Verification) -> str:
    found = verification.reproduction
    if found is None:
        return f"{verification.generation_id} not verified: {verification.error}"
    line = f"{verification.generation_id} {found.verdict}"
    if found.verdict is Verdict.EXACT:
        return line
    difference = found.difference
    psnr = f", {difference.psnr:.1f} dB" if difference.psnr is not None else ""
    line += (
        f" ({difference.changed:.2%} of the repainted pixels differ, at most by {difference.max_difference:.2%}{psnr})"
    )
    if found.stage:
        line += f"; first difference: {found.stage}"
    return "\n  ".join([line, *map(str, found.changes)])


def _tell_counts(done: Sequence[Verification]) -> None:
    counts = Counter(str(v.reproduction.verdict) if v.reproduction else "not verified" for v in done)
    errors.print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "nothing to verify")
    found = ((v.reproduction.verdict, v.reproduction.changes) for v in done if v.reproduction)
    for reason in reasons_of(found)[:REASONS_TOLD]:
        errors.print(f"{reason.count}: {reason.words}", markup=False, soft_wrap=True, highlight=False)
