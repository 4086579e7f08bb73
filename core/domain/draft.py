"""Draft: what an artist has open on the Inpaint page, kept until it is replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from core.domain.errors import InvalidInput
from core.domain.generation import Relation
from core.domain.guide import Guide, guides_of
from core.domain.pixels.outpaint import ExtensionHistory


@dataclass(frozen=True, slots=True)
class Draft:
    """source: key of the picture in the image store; source_exif: of what its file says about it; thumbnail: of a small
    WEBP of it. drawing: the canvas's own JSON, as text, at canvas_width px.

    base_mask: key of a mask that lies under the drawing (uploaded, inverted, or taken from a generation), or, with
    the painter, the whole mask; of the picture's shape, at any size. mask_notes: what was understood of it beyond
    white on black, one sentence each. selection: what was found for it, as Selected.origin tells it.
    has_simple_canvas: paint without the painter.
    params: values of the form, possibly not all. parent_id, relation: the generation this came from, and how.
    said: the generation metadata of the opened picture, as Imported.offer; empty once it was used or dismissed.
    guides: pictures in other roles. extended: how the source came about, if the canvas was extended; nothing is painted
    on the new part yet.
    before: id of the draft from which this one was opened; to go back to. generations: ids submitted last, newest last;
    earlier: those before them. sheet: id of the sheet that they belong to.
    """

    source: str | None = None
    source_exif: str | None = None
    source_name: str | None = None
    thumbnail: str | None = None
    notes: tuple[str, ...] = ()
    drawing: str | None = None
    canvas_width: int | None = None
    base_mask: str | None = None
    mask_notes: tuple[str, ...] = ()
    selection: tuple[Mapping[str, Any], ...] = ()
    has_simple_canvas: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    parent_id: str | None = None
    relation: Relation | None = None
    extended: ExtensionHistory | None = None
    guides: tuple[Guide[str], ...] = ()
    before: str | None = None
    generations: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    sheet: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def picture(self) -> str:
        """Its source, once there is one. Raises InvalidInput before."""
        if self.source is None:
            raise InvalidInput("No picture is open. Open one first.")
        return self.source

    @property
    def has_no_mask(self) -> bool:
        return self.drawing is None and self.base_mask is None

    @property
    def files(self) -> tuple[str, ...]:
        """Keys of the image store."""
        own = (self.source, self.source_exif, self.thumbnail, self.base_mask, *(guide.picture for guide in self.guides))
        return tuple(key for key in own if key)

    def changed(self, **changes: Any) -> Draft:
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "extended": self.extended.to_dict() if self.extended else None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Draft:
        """Read what any earlier version wrote."""
        values = {k: v for k, v in values.items() if k in cls.__dataclass_fields__}
        for name in ("notes", "mask_notes", "selection", "generations", "earlier"):
            values[name] = tuple(values.get(name, ()))
        values["relation"] = Relation(values["relation"]) if values.get("relation") else None
        values["extended"] = _extended(values.get("extended"))
        values["guides"] = guides_of(values.get("guides", ()))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A draft as a row. title: what the artist calls it, or "". Times are UTC; deleted_at: it lies in the trash."""

    id: str
    draft: Draft
    title: str
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.title or self.draft.source_name or "Picture"

    def goes_on_from(self, other: KeptDraft) -> bool:
        """Whether it is the next step of the other, which nobody has touched since: a result of it that is painted on,
        or its picture with more canvas."""
        mine = self.draft
        is_result = mine.relation is Relation.CONTINUATION and mine.parent_id in (
            *other.draft.generations,
            *other.draft.earlier,
        )
        is_larger = mine.extended is not None and mine.before == other.id
        return self.id != other.id and self.updated_at >= other.updated_at and (is_result or is_larger)


def latest_steps(drafts: Sequence[KeptDraft]) -> list[KeptDraft]:
    """Without those from which another one of them goes on."""
    return [one for one in drafts if not any(other.goes_on_from(one) for other in drafts)]


def _extended(value: Mapping[str, Any] | str | None) -> ExtensionHistory | None:
    """It was JSON text of its own once."""
    values = json.loads(value) if isinstance(value, str) else value
    return ExtensionHistory.from_dict(values) if values else None
