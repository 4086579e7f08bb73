"""bundle.json: generations and the sheets they belong to, as a bundle holds them. Strangers send it too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, Strict

from core.domain.errors import InvalidInput
from core.domain.generation import Generation, Status
from core.domain.guide import guides_of
from core.domain.hashing import canonical_json
from core.domain.labels import notes_text, tag_name, title_text
from core.domain.params import InpaintParams
from core.domain.pixels.outpaint import ExtensionHistory
from core.domain.record import MAX_DEVICE, MAX_DTYPE, MAX_REVISION, Record
from core.domain.sheet import Sheet, StoredSheet
from core.services.picture_zip import translate_errors

SCHEMA = 1
MAX_INDEX_BYTES = 64 * 2**20
MAX_GENERATIONS = 10_000


class InvalidBundle(InvalidInput):
    """This file is not a bundle of Inpaint Studio, or it was damaged or changed. Export it again."""


def check_count(count: int) -> None:
    if count > MAX_GENERATIONS:
        raise InvalidInput(f"A bundle holds at most {MAX_GENERATIONS:,} generations, not {count:,}. Make several.")


def written(generations: Sequence[Generation], sheets: Sequence[StoredSheet]) -> bytes:
    """Raises InvalidInput for more than one bundle can hold."""
    index = {
        "schema": SCHEMA,
        "generations": [_to_dict(generation) for generation in generations],
        "sheets": [_sheet_to_dict(kept) for kept in sheets],
    }
    text = canonical_json(index).encode()
    if len(text) > MAX_INDEX_BYTES:
        raise InvalidInput("The records of these generations are too large for one bundle. Make several.")
    return text


def _to_dict(generation: Generation) -> dict[str, Any]:
    columns = {name: getattr(generation, name) for name in _Columns.model_fields}
    times = {name: value.isoformat() for name, value in columns.items() if isinstance(value, datetime)}
    return {
        **columns,
        **times,
        "params": generation.params.to_dict(),
        "extended": generation.extended.to_dict() if generation.extended else None,
        "guides": [guide.to_dict() for guide in generation.guides],
        "tags": list(generation.tags),
        "environment": dict(generation.environment),
        "record": dict(generation.record.raw),
    }


def _sheet_to_dict(kept: StoredSheet) -> dict[str, Any]:
    return {
        "id": kept.id,
        "created_at": kept.created_at.isoformat(),
        "sheet": kept.sheet.to_dict(),
        "ids": [list(line) for line in kept.ids],
    }


def read(text: bytes) -> tuple[list[Generation], list[StoredSheet]]:
    """Raises InvalidBundle."""
    with translate_errors(InvalidBundle):
        values = json.loads(text)
        # Raises ValueError for what no database takes: halves of characters, and numbers that are none.
        canonical_json(values).encode()
        schema, entries = values["schema"], values["generations"]
        if schema > SCHEMA:
            raise InvalidBundle(f"This bundle was written by a newer version (schema {schema}). Update first.")
        # Bundles that were written before have no sheets.
        sheets = values.get("sheets", ())
        check_count(max(len(entries), len(sheets)))
        generations = [_from_dict(entry) for entry in entries]
        sheets = [_sheet_from_dict(entry) for entry in sheets]
    if len({g.id for g in generations}) != len(generations):
        raise InvalidBundle("This bundle holds the same generation twice. Export it again.")
    return generations, sheets


def _sheet_from_dict(entry: Mapping[str, Any]) -> StoredSheet:
    created_at = datetime.fromisoformat(entry["created_at"])
    ids = tuple(tuple(line) for line in entry["ids"])
    if created_at.tzinfo is None or not all(_is_id(id) for line in (*ids, (entry["id"],)) for id in line):
        raise InvalidBundle
    return StoredSheet(entry["id"], created_at, Sheet.from_dict(entry["sheet"]), ids)


def _is_id(text: Any) -> bool:
    return isinstance(text, str) and text.isalnum() and len(text) <= 32


def _checked_id(text: str) -> str:
    if not _is_id(text):
        raise InvalidBundle
    return text


Id = Annotated[str, AfterValidator(_checked_id)]
Time = Annotated[AwareDatetime, Strict(False)]
Seconds = Annotated[float, Field(ge=0)]


class _Columns(BaseModel):
    """What the columns of a generation take. The names are those of Generation."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    id: Id
    device: str = Field(max_length=MAX_DEVICE)
    source: str
    mask: str
    output: str
    pixels_sha256: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    created_at: Time
    started_at: Time | None = None
    finished_at: Time | None = None
    parent_id: Id | None = None
    source_name: str | None = None
    source_exif: str | None = Field(None, pattern=r"^sha256:[0-9a-f]{64}\.exif$")
    dtype: str | None = Field(None, max_length=MAX_DTYPE)
    model_revision: str | None = Field(None, max_length=MAX_REVISION)
    runtime_s: Seconds | None = None
    load_s: Seconds | None = None
    favourite: bool = False
    rating: int | None = Field(None, ge=1, le=5)
    title: Annotated[str, AfterValidator(title_text)] = ""
    notes: Annotated[str, AfterValidator(notes_text)] = ""
    tags: list[Annotated[str, AfterValidator(tag_name)]] = []
    environment: dict[str, str]


def _from_dict(entry: Mapping[str, Any]) -> Generation:
    columns = dict(_Columns.model_validate(entry))
    generation = Generation(
        **{**columns, "tags": tuple(columns["tags"])},
        status=Status.SUCCEEDED,
        params=InpaintParams.from_dict(entry["params"]),
        extended=ExtensionHistory.from_dict(entry["extended"]) if entry.get("extended") else None,
        guides=guides_of(entry.get("guides", ())),
        record=Record.of(dict(entry["record"])),
    )
    if generation.record.malformed or generation.painted_part != generation.record.crop:
        raise InvalidBundle
    return generation
