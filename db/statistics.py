"""What was made, in numbers."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from core.domain.generation import Relation, Status
from core.domain.params import InpaintParams
from core.domain.statistics import Run, Work
from db.tables import GenerationRow

Row = GenerationRow


class StatisticsRepo:
    """Every method is one question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest_runs(self, model: str, device: str, limit: int) -> list[Run]:
        """The newest successes of this model on this device, newest first; none that was imported."""
        query = (
            select(Row.params_json, Row.record_json, Row.runtime_s)
            .where(Row.model == model, Row.device == device, Row.status == Status.SUCCEEDED)
            .where(Row.runtime_s > 0, Row.relation.is_distinct_from(Relation.IMPORT))
            .order_by(Row.number.desc())
            .limit(limit)
        )
        with Session(self._engine) as session:
            runs = (_run(row) for row in session.execute(query))
            return [run for run in runs if run is not None]


def _run(row: Any) -> Run | None:
    """None if the record does not say how large the part was that went through the model."""
    params, record = InpaintParams.from_json(row.params_json), json.loads(row.record_json)
    width, height = record.get("working_size", (0, 0))
    if not width * height:
        return None
    return Run(
        work=Work.of(params, width * height),
        side_px=params.size,
        runtime_s=row.runtime_s,
        denoise_s=record.get("inpainter", {}).get("denoise_s"),
    )
