"""Sheets: one press of a button, every combination, one picture with labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from PIL import Image, ImageDraw, ImageFont

from core.domain.errors import GenerationNotFound, StudioError
from core.domain.generation import Generation, Origin
from core.domain.geometry import Bounds, Size
from core.domain.params import InpaintParams
from core.domain.pixels import compositing
from core.domain.pixels.colour import space_of
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest, StoredRequest
from core.domain.sheet import Sheet, StoredSheet
from core.domain.working_size import sized_by_mask
from core.ports import ImageStore
from core.services.generations import UNKNOWN_ORIGIN, Generations
from core.services.speeds import Speeds
from db.generations import GenerationRepo
from db.sheets import SheetRepo

CELL = Size(320, 320)
GAP_PX = 8
LABEL_PX = 18
LONGEST_LABEL = 28
"""Characters."""
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INK, PAPER, EMPTY = (38, 39, 48), (255, 255, 255), (236, 236, 240)


@dataclass(frozen=True, slots=True)
class SheetWithGenerations:
    """cells: row by row; None where a generation was deleted for good."""

    id: str
    sheet: Sheet
    cells: tuple[tuple[Generation | None, ...], ...]

    @property
    def generations(self) -> list[Generation]:
        return [cell for line in self.cells for cell in line if cell is not None]


@dataclass(frozen=True, slots=True)
class Sheets:
    repo: SheetRepo
    rows: GenerationRepo
    images: ImageStore
    generations: Generations
    speeds: Speeds
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    def submit(
        self,
        request: InpaintRequest | StoredRequest,
        sheet: Sheet,
        *,
        device: str = "auto",
        origin: Origin = UNKNOWN_ORIGIN,
    ) -> SheetWithGenerations:
        """Queue every cell. Raises InvalidParams for a value that does not fit, before anything is stored.

        Cells of one model are worked on one after the other: changing the model takes longer than painting.
        """
        key = self.generations.resolve_device(device)

        def at_speed(params: InpaintParams, speed: str) -> InpaintParams:
            return params.changed(**self.speeds.changes(speed, params, key, lambda found: self._sized(found, request)))

        lines = sheet.all_params(request.params, at_speed)
        places = [(row, column) for row, line in enumerate(lines) for column in range(len(line))]
        models = list(dict.fromkeys(params.model for line in lines for params in line))
        places.sort(key=lambda at: models.index(lines[at[0]][at[1]].model))
        id = self.new_id()

        def kept(made: Sequence[str]) -> StoredSheet:
            ids = [[""] * len(line) for line in lines]
            for (row, column), cell in zip(places, made, strict=True):
                ids[row][column] = cell
            return StoredSheet(id, self.now(), sheet, tuple(tuple(line) for line in ids))

        in_turn = [lines[row][column] for row, column in places]
        self.generations.submit_all(request, in_turn, device=device, origin=origin, sheet=kept)
        return self.get(id)

    def get(self, id: str) -> SheetWithGenerations:
        """Raises InvalidInput if there is no such sheet."""
        return self._made(self.repo.get(id))

    def of(self, generation_id: str) -> tuple[SheetWithGenerations, ...]:
        """The sheets that this generation is part of, newest first."""
        return tuple(self._made(kept) for kept in self.repo.holding([generation_id]))

    def picture(self, made: SheetWithGenerations) -> Image.Image:
        """All of it as one RGB picture with labels. What is not there yet is an empty field with a word.

        Each cell shows the part that was painted, with its surroundings, as the model saw it.
        """
        return _drawn(made.sheet, [[self._cell(generation) for generation in line] for line in made.cells])

    def room(self, sheet: Sheet) -> Size:
        """The largest size that its picture can have, whatever will be in it."""
        rows = sheet.cells // len(sheet.columns.values)
        left = LABEL_PX * LONGEST_LABEL if sheet.rows else 0
        return Size(
            left + 2 * GAP_PX + len(sheet.columns.values) * (CELL.width + GAP_PX),
            LABEL_PX + 2 * GAP_PX + rows * (CELL.height + GAP_PX),
        )

    def _sized(self, params: InpaintParams, request: InpaintRequest | StoredRequest) -> InpaintParams:
        if isinstance(request, InpaintRequest):
            return sized_by_mask(params, request.painted, Size(*request.image.size))
        return sized_by_mask(params, Mask.from_image(self.images.get(request.mask)), request.size)

    def _made(self, kept: StoredSheet) -> SheetWithGenerations:
        return SheetWithGenerations(
            kept.id, kept.sheet, tuple(tuple(self._generation(id) for id in line) for line in kept.ids)
        )

    def _generation(self, id: str) -> Generation | None:
        try:
            return self.rows.get(id)
        except GenerationNotFound:
            return None

    def _cell(self, generation: Generation | None) -> Image.Image | str:
        if generation is None:
            return "deleted"
        if generation.output is None:
            return str(generation.status)
        try:
            image = self.images.get(generation.output)
        except StudioError:
            return "missing"
        bounds = generation.painted_part or Bounds(0, 0, *image.size)
        return compositing.for_model(image, bounds, bounds.size.fitted(CELL), space_of(image))


def _drawn(sheet: Sheet, cells: Sequence[Sequence[Image.Image | str]]) -> Image.Image:
    font = ImageFont.load_default(LABEL_PX)
    pictures = [cell for line in cells for cell in line if isinstance(cell, Image.Image)]
    width = max((cell.width for cell in pictures), default=CELL.width)
    height = max((cell.height for cell in pictures), default=CELL.height)
    top = LABEL_PX + 2 * GAP_PX
    rows = sheet.rows.labels if sheet.rows else ("",)
    left = max((_text_width(_short(label), font) for label in rows), default=0) + 2 * GAP_PX if sheet.rows else GAP_PX
    whole = Image.new(
        "RGB", (left + len(sheet.columns.values) * (width + GAP_PX), top + len(rows) * (height + GAP_PX)), PAPER
    )
    draw = ImageDraw.Draw(whole)
    for column, label in enumerate(sheet.columns.labels):
        x = left + column * (width + GAP_PX) + width // 2
        draw.text((x, top // 2), _fitting(label, width, font), INK, font, anchor="mm")
    for row, (label, line) in enumerate(zip(rows, cells, strict=True)):
        y = top + row * (height + GAP_PX)
        draw.text((GAP_PX, y + height // 2), _short(label), INK, font, anchor="lm")
        for column, cell in enumerate(line):
            x = left + column * (width + GAP_PX)
            if isinstance(cell, Image.Image):
                whole.paste(cell, (x + (width - cell.width) // 2, y + (height - cell.height) // 2))
            else:
                draw.rectangle((x, y, x + width - 1, y + height - 1), EMPTY)
                draw.text((x + width // 2, y + height // 2), cell, INK, font, anchor="mm")
    return whole


def _text_width(text: str, font: Font) -> int:
    return int(font.getlength(text)) + 1


def _short(label: str, longest: int = LONGEST_LABEL) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"


def _fitting(label: str, width: int, font: Font) -> str:
    longest = min(len(label), width)  # no letter is narrower than a pixel
    while longest > 3 and _text_width(_short(label, longest), font) > width:
        longest -= 1
    return _short(label, longest)
