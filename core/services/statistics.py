"""What the gallery's rows tell about time: what took how long, and what the next one will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.gallery import GalleryFilter
from core.domain.params import InpaintParams
from core.domain.statistics import Made, Pace, estimate_s
from db.statistics import StatisticsRepo

RUNS = 50
"""The newest runs that an estimate looks at: what was long ago may have been another machine."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a filter, text and tags are not asked."""

    repo: StatisticsRepo

    def paces(self, filter: GalleryFilter) -> Sequence[Pace]:
        """How long what was finished here took, for each model, device, number of steps and working size."""
        return self.repo.paces(filter)

    def made(self, filter: GalleryFilter) -> Sequence[Made]:
        """How many generations of each day ended how, by day; days without any are left out."""
        return self.repo.made(filter)

    def estimate_s(self, params: InpaintParams, device: str) -> float | None:
        """Seconds that painting this once will take, without waiting and loading. None if nothing like it ever ran.

        From the newest runs of the same model on the same device; see core.domain.statistics.
        """
        return self.estimates_s([(params, device)])[0]

    def estimates_s(self, asked: Sequence[tuple[InpaintParams, str]]) -> list[float | None]:
        """The same for several, with one look at the rows for each model and device among them."""
        pairs = {(params.model, device) for params, device in asked}
        runs = {pair: self.repo.latest_runs(*pair, RUNS) for pair in pairs}
        return [estimate_s(runs[params.model, device], params) for params, device in asked]
