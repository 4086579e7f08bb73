"""python -m core select: a mask that is found in a picture, as a file to paint by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.common import JSON, errors, make_studio, tell
from core.cli.exits import exit_codes
from core.cli.output import FORCE, output_of
from core.cli.pictures import read_picture
from core.domain.errors import InvalidInput, NothingFound
from core.domain.geometry import Bounds
from core.domain.selecting import Selected, Selection

app = typer.Typer()

MAX_GROW_PX = 256


@app.command()
def select(
    context: typer.Context,
    picture: Annotated[Path, typer.Argument(help="The picture: PNG, JPEG, WEBP or AVIF.")],
    output: Annotated[str, typer.Option("--output", help="Output file ending in .png: white is what was found.")],
    box: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option("--box", metavar="X Y W H", help="The object in this box: left, top, width and height. [px]"),
    ] = None,
    other: Annotated[
        bool, typer.Option("--other", help="With --box: the second likeliest mask, found by another method.")
    ] = False,
    subject: Annotated[bool, typer.Option("--subject", help="What stands out in the picture.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Everything else.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Each line of text.")] = False,
    faces: Annotated[bool, typer.Option("--faces", help="Each face, in an ellipse.")] = False,
    grow: Annotated[
        int, typer.Option("--grow", help="Expand the mask on every side. [px]", min=0, max=MAX_GROW_PX)
    ] = 0,
    force: FORCE = False,
    as_json: JSON = False,
) -> None:
    """Find an object, the subject, the background, text or faces in a picture, and write it as a mask.

    Ends with 1 if nothing was found.
    """
    with exit_codes():
        kinds = {Selection.SUBJECT: subject, Selection.BACKGROUND: background, Selection.TEXT: text}
        kinds |= {Selection.FACES: faces, Selection.OBJECT: box is not None}
        chosen = [kind for kind, is_chosen in kinds.items() if is_chosen]
        if len(chosen) != 1:
            raise InvalidInput("Give one of --box, --subject, --background, --text and --faces.")
        if other and box is None:
            raise InvalidInput("--other is for --box only.")
        opened = read_picture(picture)
        studio = make_studio(context)
        place = output_of(output, [".png"], force=force, keep=[picture], gallery=studio.settings.images)
        found = studio.selections.find(opened.image, chosen[0], bounds_of(box) if box else None)
        if other and len(found) < 2:
            raise NothingFound("The second method found nothing in this box. Leave --other away.")
        selected = found[int(other)]
        mask = selected.mask.grown(grow)
        for note in opened.notes:
            errors.print(note, markup=False, soft_wrap=True)
        file = place.write("mask.png", lambda file: mask.to_image().save(file, "PNG"))
        value = {"output": str(file), "mask_sha256": mask.sha256, "coverage": mask.coverage, "grown_px": grow}
        tell({**value, **selected.origin}, f"{file}: {_words(selected)}, {mask.coverage:.1%} of the picture", as_json)


def bounds_of(box: tuple[int, int, int, int]) -> Bounds:
    """Raises InvalidInput."""
    left, top, width, height = box
    if width < 1 or height < 1:
        raise InvalidInput("--box takes left, top, width and height in pixels, such as --box 40 60 200 300.")
    return Bounds(left, top, left + width, top + height)


def _words(selected: Selected) -> str:
    titles = {
        Selection.TEXT: ("line of text", "lines of text"),
        Selection.FACES: ("face", "faces"),
    }
    if selected.count is None:
        return selected.kind.value
    one, several = titles[selected.kind]
    return f"{selected.count} {one if selected.count == 1 else several}"
