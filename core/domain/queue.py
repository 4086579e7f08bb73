"""The queue's rules: whose turn it is among all that wait."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.domain.generation import Generation, Progress


class Move(StrEnum):
    """Where the artist puts a waiting generation: before everything, or elsewhere in the line of its own session."""

    NEXT = "next"
    EARLIER = "earlier"
    LATER = "later"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued generation. number: its place in time.

    place: where the artist put it in the line of its session, before all that have none; below 0: before everything.
    """

    id: str
    session: str | None
    number: int
    place: int | None = None

    @property
    def is_next(self) -> bool:
        return self.place is not None and self.place < 0

    @property
    def in_line(self) -> tuple[float, int]:
        """What its session's line is sorted by."""
        return (math.inf if self.place is None else self.place, self.number)


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """progress: of a running one. starts_in_s, takes_s: seconds, estimated from earlier runtimes; None if unknown."""

    generation: Generation
    progress: Progress | None = None
    starts_in_s: float | None = None
    takes_s: float | None = None

    @property
    def ends_in_s(self) -> float | None:
        return None if self.starts_in_s is None or self.takes_s is None else self.starts_in_s + self.takes_s


@dataclass(frozen=True, slots=True)
class QueueView:
    """The queue as it stands, in the order of work. waiting: the first of waiting_count."""

    running: tuple[QueueEntry, ...] = ()
    waiting: tuple[QueueEntry, ...] = ()
    waiting_count: int = 0
    is_paused: bool = False


def in_turn(waiting: Sequence[Waiting], served: Mapping[str | None, int]) -> list[Waiting]:
    """All that wait, in the order in which they are worked on.

    What was put before everything comes first. Then the sessions take turns, so that sixty pictures of one do not
    keep another waiting; the one that was served longest ago begins. Within a session: as it was put, else as it was
    asked for.

    served: for each session when it was served last, as a number that grows; sessions never served are missing.
    """
    ahead = sorted((w for w in waiting if w.is_next), key=lambda w: w.in_line)
    lines: dict[str | None, list[Waiting]] = {}
    for one in sorted((w for w in waiting if not w.is_next), key=lambda w: w.in_line):
        lines.setdefault(one.session, []).append(one)
    sessions = sorted(lines, key=lambda s: (served.get(s, -1), min(w.number for w in lines[s])))
    rounds = max((len(line) for line in lines.values()), default=0)
    return ahead + [lines[s][nth] for nth in range(rounds) for s in sessions if nth < len(lines[s])]


def moved(waiting: Sequence[Waiting], id: str, move: Move) -> dict[str, int]:
    """The new places of those whose place changes. Nothing for an id that does not wait.

    Each move changes the line of one session only, except NEXT, which goes before everything that waits.
    """
    mine = next((w for w in waiting if w.id == id), None)
    if mine is None:
        return {}
    if move is Move.NEXT:
        return {id: min(0, *(w.place or 0 for w in waiting)) - 1}
    line = _line_of(waiting, mine.session)
    at = line.index(mine)
    return _put(line, mine, {Move.EARLIER: max(0, at - 1), Move.LATER: at + 1, Move.LAST: len(line)}[move])


def placed(waiting: Sequence[Waiting], id: str, after: str | None) -> dict[str, int]:
    """As moved, where somebody drops it below another one; None, or one that waits no more: at the top.

    waiting: in the order of work. It goes behind those of its own session that stand above that place, so that the
    sessions take turns as before: whoever drops his own before all others comes first among his own.
    """
    mine = next((w for w in waiting if w.id == id), None)
    if mine is None or id == after:
        return {}
    ids = [w.id for w in waiting]
    above = waiting[: ids.index(after) + 1] if after in ids else ()
    return _put(_line_of(waiting, mine.session), mine, sum(w.session == mine.session and w != mine for w in above))


def _line_of(waiting: Sequence[Waiting], session: str | None) -> list[Waiting]:
    return sorted((w for w in waiting if w.session == session), key=lambda w: w.in_line)


def _put(line: list[Waiting], one: Waiting, at: int) -> dict[str, int]:
    """The places that differ once it stands there in its line."""
    line.remove(one)
    line.insert(at, one)
    # What stood before everything else of all sessions takes its turn again once its line is put in order.
    return {w.id: place for place, w in enumerate(line, 1) if w.place != place}
