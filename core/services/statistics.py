"""What the gallery's rows tell about time: what took how long, and what the next one will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from core.domain.gallery.filter import GalleryFilter
from core.domain.gallery.statistics import NEAREST, DailyCount, RunTimes, estimate_s
from core.domain.params import InpaintParams
from db.statistics import StatisticsRepo

LOADED_S = 0.05
"""A model that is loaded already is there sooner."""

RUNS = 50
"""The newest runs that an estimate looks at: what was long ago may have been another machine."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a filter, text and tags are not asked."""

    repo: StatisticsRepo

    def run_times(self, filter: GalleryFilter) -> Sequence[RunTimes]:
        """How long what was finished here took, for each model, device, number of steps and working size."""
        return self.repo.run_times(filter)

    def daily_counts(self, filter: GalleryFilter) -> Sequence[DailyCount]:
        """How many generations of each day ended how, by day; days without any are left out."""
        return self.repo.daily_counts(filter)

    def estimate_s(self, params: InpaintParams, device: str) -> float | None:
        """Seconds that painting this once will take, without waiting and loading. None if nothing like it ever ran.

        From the newest runs of the same model on the same device; see core.domain.gallery.statistics.
        """
        return self.estimates_s([(params, device)])[0]

    def load_estimate_s(self, model: str, device: str) -> float | None:
        """Seconds until this model is loaded: the median of the newest times it was. None if it never was."""
        loads = [load_s for load_s in self.repo.latest_loads(model, device, RUNS) if load_s >= LOADED_S]
        return median(loads[:NEAREST]) if loads else None

    def estimates_s(self, asked: Sequence[tuple[InpaintParams, str]]) -> list[float | None]:
        """The same for several, with one look at the rows for each model and device among them."""
        pairs = {(params.model, device) for params, device in asked}
        runs = {pair: self.repo.latest_runs(*pair, RUNS) for pair in pairs}
        return [estimate_s(runs[params.model, device], params) for params, device in asked]
