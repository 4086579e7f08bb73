"""Which stored files something needs, and which were released."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from core.domain.draft import Draft
from core.domain.errors import DatabaseConflict
from core.domain.generation import FILES
from db import guides
from db.connection import writing
from db.repo import BATCH, Repo, in_batches
from db.tables import DraftRow, GalleryIdRow, GenerationRow, ReleasedFileRow, VerificationRow


class FileRepo(Repo):
    def used_among(self, keys: Iterable[str]) -> set[str]:
        """Those of these files that some generation, in whatever state, a verification or an open draft needs."""
        used, keys = set(), sorted(set(keys))
        columns = [getattr(GenerationRow, file) for file in FILES]
        with self._sessions() as session:
            for some in in_batches(keys):
                for row in session.execute(select(*columns).where(or_(*(column.in_(some) for column in columns)))):
                    used.update(set(row) & set(some))
                used.update(session.scalars(select(VerificationRow.output).where(VerificationRow.output.in_(some))))
                used.update(guides.used_among(session, some))
            return used | (set(keys) & set(_draft_files(session)) if keys else set())

    def in_use(self) -> tuple[dict[str, list[str]], set[str]]:
        """Every file that a generation needs, with the ids of those, and those that open drafts need."""
        uses: dict[str, list[str]] = defaultdict(list)
        with self._sessions() as session:
            query = select(GenerationRow.id, *(getattr(GenerationRow, file) for file in FILES)).execution_options(
                yield_per=BATCH
            )
            for id, *keys in session.execute(query):
                for key in {key for key in keys if key}:
                    uses[key].append(id)
            again = select(VerificationRow.generation_id, VerificationRow.output)
            others = session.execute(again.where(VerificationRow.output.is_not(None)))
            for id, key in (*others, *guides.in_use(session)):
                if key is not None and id not in uses[key]:
                    uses[key].append(id)
            return uses, set(_draft_files(session))

    def sample(self, most: int) -> list[str]:
        """Some files that the newest generations, or else drafts, need."""
        with self._sessions() as session:
            newest = session.execute(
                select(GenerationRow.source, GenerationRow.output).order_by(GenerationRow.number.desc()).limit(most)
            )
            keys = [key for pair in newest for key in pair if key]
            return (keys or list(_draft_files(session)))[:most]

    # Released

    def release(self, keys: Iterable[str], now: datetime) -> None:
        """What needed these needs them no more, or was to need them and does not exist."""
        with writing(self._sessions) as session:
            release(session, set(keys), now)

    def released(self, until: datetime) -> list[str]:
        with self._sessions() as session:
            return list(session.scalars(select(ReleasedFileRow.key).where(ReleasedFileRow.released_at <= until)))

    def forget(self, keys: Sequence[str], until: datetime) -> None:
        """Nothing is left to be done for these, unless they were released again since then."""
        with writing(self._sessions) as session:
            for some in in_batches(keys):
                session.execute(
                    delete(ReleasedFileRow).where(ReleasedFileRow.key.in_(some), ReleasedFileRow.released_at <= until)
                )

    # Whose folder it is

    def gallery_id(self) -> str | None:
        with self._sessions() as session:
            return session.scalar(select(GalleryIdRow.id))

    def keep_gallery_id(self, id: str, *, instead: bool = False) -> str:
        """Returns the one that is kept: another process may have been faster. instead: of the one before."""
        # Two processes that start at once agree on one.
        with suppress(DatabaseConflict), writing(self._sessions) as session:
            if instead:
                session.execute(delete(GalleryIdRow))
            if session.scalar(select(GalleryIdRow.id)) is None:
                session.execute(insert(GalleryIdRow).values(one=1, id=id))
        return self.gallery_id() or id


def release(session: Session, keys: Collection[str], now: datetime) -> None:
    """In this transaction. One that was released before is as good as new."""
    keys = sorted(keys)
    for some in in_batches(keys):
        session.execute(delete(ReleasedFileRow).where(ReleasedFileRow.key.in_(some)))
        session.execute(insert(ReleasedFileRow), [{"key": key, "released_at": now} for key in some])


def _draft_files(session: Session) -> Iterator[str]:
    for text in session.scalars(select(DraftRow.draft_json)):
        yield from Draft.from_dict(json.loads(text)).files
