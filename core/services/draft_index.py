"""draft.json: a draft as its file holds it. Strangers send it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.domain.draft import Draft
from core.domain.errors import InvalidInput, InvalidParams
from core.domain.generation import Relation
from core.domain.guide import Guide, guides_of
from core.domain.hashing import canonical_json
from core.domain.labels import checked_text, title_text
from core.domain.modes import MODES
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.pixels.outpaint import ExtensionHistory
from core.services.generations import MAX_COUNT
from core.services.picture_zip import translate_errors

SCHEMA = 1
MAX_INDEX_BYTES = 2**20
"""Both prompts at their full length, in letters of four bytes, and as much again."""

MAX_NOTES = 20
MAX_NOTE = 2_000


class InvalidDraft(InvalidInput):
    """This file is not a draft of Inpaint Studio, or it was damaged or changed. Save the draft again."""


def _text(text: str) -> str:
    return checked_text(text, "text", MAX_NOTE)


Key = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, AfterValidator(_text)]
Notes = Annotated[list[Text], Field(max_length=MAX_NOTES)]


class _Told(BaseModel):
    """The names are those of Draft."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    title: Annotated[str, AfterValidator(title_text)] = ""
    source: Key
    source_exif: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}\.exif$")] | None = None
    source_name: Text | None = None
    base_mask: Key | None = None
    notes: Notes = []
    mask_notes: Notes = []
    selection: Annotated[list[dict[str, Any]], Field(max_length=MAX_NOTES)] = []
    has_simple_canvas: bool = False
    params: dict[str, Any] = {}
    parent_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")] | None = None
    relation: str | None = None
    extended: dict[str, Any] | None = None
    guides: list[dict[str, Any]] = []


def written(title: str, draft: Draft, source_exif: str | None) -> str:
    """source_exif: the key of what is handed on of it."""
    name = draft.source_name[:MAX_NOTE] if draft.source_name else None
    draft = draft.changed(source_name=name, source_exif=source_exif, params=_of_anywhere(draft.params))
    values = draft.to_dict()
    told = {name: values[name] for name in _Told.model_fields if name in values}
    return canonical_json({"schema": SCHEMA, **told, "title": title})


def read(text: bytes) -> tuple[str, Draft]:
    """Title and draft. Raises InvalidDraft."""
    with translate_errors(InvalidDraft):
        values = json.loads(text)
        # Raises ValueError for what no database takes: halves of characters, and numbers that are none.
        canonical_json(values).encode()
        if values.pop("schema") > SCHEMA:
            raise InvalidDraft("This draft was saved by a newer version of Inpaint Studio. Update first.")
        told = _Told.model_validate(values)
        params, unusable = _usable(told.params)
        guides = guides_of(told.guides)
        if not all(_is_key(guide) for guide in guides):
            raise InvalidDraft
        parts = told.model_dump(exclude={"title", "notes", "mask_notes", "selection", "relation", "extended", "guides"})
        return told.title, Draft(
            **{**parts, "params": params},
            notes=(*told.notes, *_left_out(unusable)),
            mask_notes=tuple(told.mask_notes),
            selection=tuple(told.selection),
            relation=Relation(told.relation) if told.relation else None,
            extended=ExtensionHistory.from_dict(told.extended) if told.extended else None,
            guides=guides,
        )


def _is_key(guide: Guide[str]) -> bool:
    hash = guide.picture.removeprefix("sha256:")
    return len(hash) == 64 and guide.picture != hash and all(c in "0123456789abcdef" for c in hash)


def _of_anywhere(params: Mapping[str, Any]) -> dict[str, Any]:
    """Without the device, which belongs to one machine."""
    return {name: value for name, value in params.items() if name != "device"}


def _usable(params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What this version can put into its form, each value within its limits, and the names of what it cannot."""
    usable, unusable = {}, []
    for name, value in params.items():
        if name in _OF_THE_FORM:
            if _OF_THE_FORM[name](value):
                usable[name] = value
        elif name in InpaintParams.model_fields and value is not None:
            try:
                usable[name] = InpaintParams(**{name: value}).model_dump()[name]
            except InvalidParams:
                unusable.append(name)
    return usable, unusable


_OF_THE_FORM = {
    "mode": lambda value: isinstance(value, str) and value in MODES,
    "random_seed": lambda value: isinstance(value, bool),
    "auto_size": lambda value: isinstance(value, bool),
    "count": lambda value: type(value) is int and 1 <= value <= MAX_COUNT,
}
"""What a form says beside the parameters, and which values it takes."""


def _left_out(names: list[str]) -> list[str]:
    titles = ", ".join(PARAMETERS[name].title if name in PARAMETERS else name for name in names)
    return [f"Not taken from the file, as these values cannot be used here: {titles}."] if names else []
