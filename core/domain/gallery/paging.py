"""The orders of the gallery, and where a page of it begins."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum

from core.domain.errors import InvalidInput

PAGE_ROWS = 60
MAX_CURSOR = 400


class Sort(StrEnum):
    """The orders of the gallery. Ties: the newer one first in the first of each pair, last in the second.

    Generations that have no rating, or no runtime, come after all that have one, in both directions.
    """

    NEWEST = "newest"
    OLDEST = "oldest"
    BEST = "best"
    WORST = "worst"
    SLOWEST = "slowest"
    FASTEST = "fastest"

    @property
    def column(self) -> str:
        return _COLUMNS[self][0]

    @property
    def descending(self) -> bool:
        return _COLUMNS[self][1]


_COLUMNS = {
    Sort.NEWEST: ("created_at", True),
    Sort.OLDEST: ("created_at", False),
    Sort.BEST: ("rating", True),
    Sort.WORST: ("rating", False),
    Sort.SLOWEST: ("runtime_s", True),
    Sort.FASTEST: ("runtime_s", False),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row seen: paging by it costs the same at any depth, and no row is skipped or shown twice.

    number: that row's place in time. value: what it is sorted by, None if it has none; unused when sorted by date.
    """

    number: int
    value: int | float | None = None
    sort: Sort = Sort.NEWEST

    def to_text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.sort, self.value, self.number]).encode()).decode()

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Raises InvalidInput for anything that to_text did not write."""
        try:
            if len(text) > MAX_CURSOR:
                raise ValueError
            sort, value, number = json.loads(base64.b64decode(text.encode("ascii"), b"-_", validate=True))
            if not (_is_number(number) and isinstance(number, int) and 0 <= number < 2**63):
                raise ValueError
            if value is not None and not _is_number(value):
                raise ValueError
            return cls(number, value, Sort(sort))
        except (ValueError, TypeError, RecursionError, binascii.Error) as error:
            raise InvalidInput("This page of the gallery cannot be found. Start from the first page.") from error

    def check(self, sort: Sort) -> None:
        """Raises InvalidInput if this cursor belongs to another order of the gallery."""
        if self.sort is not sort:
            raise InvalidInput(
                f"This page belongs to the gallery sorted by “{self.sort}”, not “{sort}”. Start from the first page."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
