"""Statistics: counts and run times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, func, select

from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.statistics import BINS_PER_E, DailyCount, Durations, PastRun, RunTimes, Workload
from core.domain.generation import Status, Verdict
from db.filters import conditions, within_days
from db.mapping import EPOCH, MICROSECOND, params_of, record_of
from db.recent import remembered
from db.repo import Repo
from db.tables import OWN_RUN, GenerationRow

DAY = timedelta(days=1) // MICROSECOND


class StatisticsRepo(Repo):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._runs: dict[tuple[str, str, int], tuple[int | None, list[PastRun]]] = {}

    def latest_runs(self, model: str, device: str, limit: int) -> list[PastRun]:
        """The newest successes of this model on this device, newest first; none that was imported.

        They are read again when there is a newer one: each run of a page asks for them.
        """
        number = self._newest_run(model, device)
        known = self._runs.get((model, device, limit))
        if known is None or known[0] != number:
            self._runs[model, device, limit] = known = number, self._latest_runs(model, device, limit)
        return known[1]

    @remembered
    def _newest_run(self, model: str, device: str) -> int | None:
        these = (OWN_RUN, GenerationRow.model == model, GenerationRow.device == device)
        newest = select(func.max(GenerationRow.number)).with_hint(
            GenerationRow, "INDEXED BY ix_generations_runs", "sqlite"
        )
        with self._sessions() as session:
            return session.scalar(newest.where(*these))

    def _latest_runs(self, model: str, device: str, limit: int) -> list[PastRun]:
        query = (
            select(GenerationRow.params_json, GenerationRow.record_json, GenerationRow.runtime_s)
            .with_hint(GenerationRow, "INDEXED BY ix_generations_runs", "sqlite")
            .where(OWN_RUN, GenerationRow.model == model, GenerationRow.device == device)
            .order_by(GenerationRow.number.desc())
            .limit(limit)
        )
        with self._sessions() as session:
            runs = (_run(row) for row in session.execute(query))
            return [run for run in runs if run is not None]

    @remembered
    def latest_loads(self, model: str, device: str, limit: int) -> Sequence[float]:
        """Seconds that the newest of these successes waited for the model; next to nothing where it was loaded."""
        query = (
            select(GenerationRow.load_s)
            .with_hint(GenerationRow, "INDEXED BY ix_generations_runs", "sqlite")
            .where(
                OWN_RUN, GenerationRow.model == model, GenerationRow.device == device, GenerationRow.load_s.is_not(None)
            )
            .order_by(GenerationRow.number.desc())
            .limit(limit)
        )
        with self._sessions() as session:
            return tuple(session.scalars(query))

    def run_times(self, filter: GalleryFilter) -> list[RunTimes]:
        """How long the successes of this installation took. Of the filter, text and tags are not asked."""
        bin = func.round(func.ln(GenerationRow.runtime_s) * BINS_PER_E)
        work = (GenerationRow.model, GenerationRow.device, GenerationRow.num_inference_steps, GenerationRow.working_px)
        query = (
            select(*work, bin, func.count())
            .with_hint(GenerationRow, "INDEXED BY ix_generations_runs", "sqlite")
            .where(OWN_RUN, *conditions(filter), *within_days(filter, GenerationRow.number))
            .group_by(*work, bin)
        )
        bins: dict[tuple[str, str, int, int | None], dict[int, int]] = defaultdict(dict)
        with self._sessions() as session:
            for model, device, steps, px, bin_, n in session.execute(query):
                bins[model, device, steps, px][int(bin_)] = n
        return [RunTimes(*of, Durations(counted)) for of, counted in bins.items()]

    def daily_counts(self, filter: GalleryFilter) -> list[DailyCount]:
        """What became of the generations of each day. Of the filter, text and tags are not asked."""
        by = (GenerationRow.number // DAY, GenerationRow.status, GenerationRow.verdict)
        query = (
            select(*by, func.count())
            .with_hint(
                GenerationRow, f"INDEXED BY ix_generations_{'trash' if filter.in_trash else 'gallery'}", "sqlite"
            )
            .where(*conditions(filter), *within_days(filter, GenerationRow.number))
            .group_by(*by)
            .order_by(*by)
        )
        with self._sessions() as session:
            return [
                DailyCount(
                    (EPOCH + timedelta(days=day)).date(), Status(status), Verdict(verdict) if verdict else None, n
                )
                for day, status, verdict, n in session.execute(query)
            ]


def _run(row: Any) -> PastRun | None:
    """None if the record does not say how large the part was that went through the model."""
    params, record = params_of(row.params_json), record_of(row.record_json)
    if record.working_size is None:
        return None
    # Of a mask that was painted part by part the steps, too, are told for one of them.
    passes = len(record.parts) or 1
    return PastRun(
        work=Workload.of(params, record.working_size.pixels),
        side_px=params.size,
        runtime_s=row.runtime_s / passes,
        denoise_s=record.inpainter.denoise_s,
    )
