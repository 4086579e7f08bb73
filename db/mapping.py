"""Between rows and generations."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Select, select

from core.domain.generation import Generation, Relation, Status, Verdict
from core.domain.hashing import canonical_json
from core.domain.params import InpaintParams
from core.domain.pixels.outpaint import ExtensionHistory
from core.domain.record import Record
from db import guides
from db.tables import EnvironmentRow, GenerationRow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

SHORT = 20_000
"""Characters of a record that is kept in memory for the next look; what other programs wrote can have a million."""

_CHANGED = ("status", "params", "relation", "extended", "guides", "verdict", "environment", "record", "tags")
_SAME = tuple(name for name in Generation.__dataclass_fields__ if name not in _CHANGED)


@cache
def whole_rows() -> Select[*tuple[Any, ...]]:
    """Every column of a generation, with its guides and the facts of its environment.

    Made once: what is added to it makes another one, and to put it together takes as long as to read a row with it.
    """
    columns = GenerationRow.__table__.columns
    return select(*columns, guides.of_generation(), EnvironmentRow.facts_json).outerjoin(
        EnvironmentRow, GenerationRow.environment_id == EnvironmentRow.id
    )


def to_generation(row: Any) -> Generation:
    """row: one of whole_rows."""
    # A page asks for a hundred rows of sixty columns: by name one by one, that is half of its time.
    values = dict(zip(row._fields, row, strict=True))
    return Generation(
        **{name: values[name] for name in _SAME},
        status=Status(row.status),
        params=params_of(row.params_json),
        relation=Relation(row.relation) if row.relation else None,
        extended=ExtensionHistory.from_dict(json.loads(row.extended_json)) if row.extended_json else None,
        guides=guides.read(row.guides),
        verdict=Verdict(row.verdict) if row.verdict else None,
        environment=dict(_facts_of(row.facts_json)) if row.facts_json else {},
        record=record_of(row.record_json),
        tags=tuple(row.tags.splitlines()),
    )


@lru_cache(maxsize=100)
def _facts_of(text: str) -> dict[str, Any]:
    """A gallery has a few environments, and each of its rows names one."""
    facts: dict[str, Any] = json.loads(text)
    return facts


@lru_cache(maxsize=2_000)
def params_of(text: str) -> InpaintParams:
    """Half the time of a page goes into checking these, and a page is asked for again and again."""
    return InpaintParams.from_dict(json.loads(text))


def record_of(text: str) -> Record:
    """What a row's record_json says."""
    return _short_record(text) if len(text) <= SHORT else Record.of(json.loads(text))


@lru_cache(maxsize=500)
def _short_record(text: str) -> Record:
    """Likewise: a third of the time of a page goes into these."""
    return Record.of(json.loads(text))


def to_row(generation: Generation, number: int) -> GenerationRow:
    """Everything but its tags, guides and verdict, which are rows of their own, and its environment."""
    params = generation.params
    return GenerationRow(
        number=number,
        **{name: getattr(generation, name) for name in _SAME},
        status=generation.status,
        relation=generation.relation,
        extended_json=canonical_json(generation.extended.to_dict()) if generation.extended else None,
        params_json=canonical_json(params.to_dict()),
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        model=params.model,
        scheduler=params.scheduler,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        strength=params.strength,
        seed=params.seed,
        record_json=canonical_json(dict(generation.record.raw)),
        working_px=working_px(generation.record),
    )


def working_px(record: Record) -> int | None:
    """Pixels that went through the model, for the statistics. None where the record does not say."""
    return record.working_size.pixels if record.working_size else None


def number_at(moment: datetime) -> int:
    """The place in the gallery of what is created at this moment: microseconds since 1970."""
    return max(0, (moment - EPOCH) // MICROSECOND)


def number_at_start_of(day: date) -> int:
    return number_at(datetime.combine(day, time(), UTC))


def first_free(wanted: int, is_taken: Callable[[int], bool]) -> int:
    """wanted, or the end of the run of taken numbers it lies in: found in few questions, however long the run is."""
    if not is_taken(wanted):
        return wanted
    step = 1
    while is_taken(wanted + step):
        step *= 2
    taken, free = wanted + step // 2, wanted + step
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_taken(middle):
            taken = middle
        else:
            free = middle
    return free
