"""What the gallery's rows tell about time: what took how long, and what the next one will take."""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.params import InpaintParams
from core.domain.statistics import estimate_s
from db.statistics import StatisticsRepo

RUNS = 50
"""The newest runs that an estimate looks at: what was long ago may have been another machine."""


@dataclass(frozen=True, slots=True)
class Statistics:
    repo: StatisticsRepo

    def estimate_s(self, params: InpaintParams, device: str) -> float | None:
        """Seconds that painting this once will take, without waiting and loading. None if nothing like it ever ran.

        From the newest runs of the same model on the same device; see core.domain.statistics.
        """
        return estimate_s(self.repo.latest_runs(params.model, device, RUNS), params)
