"""What is known of the files of models, so that none is opened or hashed twice, and how often models were used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from core.domain.model_file import ModelFile
from core.domain.model_library import (
    Checked,
    FileHash,
    FileState,
    Found,
    ModelUse,
    Told,
    Verified,
    Verifying,
)
from db.mapping import EPOCH, record_of
from db.repo import Repo, in_batches
from db.tables import GenerationRow, ModelFileRow

_about = TypeAdapter(ModelFile)
_verified = TypeAdapter(Verified)

NEWEST = 20_000
"""Generations whose records are looked through for LoRAs and embeddings: no index leads from these to them."""


class ModelFileRepo(Repo):
    def told(self, found: Iterable[Found], rules: str) -> Mapping[str, Told]:
        """What is known by these rules of the files that have not changed since, by their keys."""
        with self._sessions() as session:
            rows = session.execute(
                select(
                    ModelFileRow.path,
                    ModelFileRow.size,
                    ModelFileRow.mtime_ns,
                    ModelFileRow.about_json,
                    ModelFileRow.problem,
                ).where(ModelFileRow.rules == rules)
            )
            known = {path: (size, mtime_ns, about, problem) for path, size, mtime_ns, about, problem in rows}
        told = {}
        for one in found:
            size, mtime_ns, about, problem = known.get(str(one.path), (None, None, None, None))
            if (size, mtime_ns) == (one.size, one.mtime_ns):
                told[one.key] = _told(about, problem)
        return {key: one for key, one in told.items() if one is not None}

    def learn(self, told: Mapping[Found, Told], rules: str) -> None:
        """Keep this. What is known of the hash of a file stays."""
        rows = [
            {
                "path": str(found.path),
                "size": found.size,
                "mtime_ns": found.mtime_ns,
                "rules": rules,
                "about_json": _about.dump_json(one.about).decode() if one.about else None,
                "problem": one.problem,
            }
            for found, one in told.items()
        ]
        with self._sessions.begin() as session:
            for batch in in_batches(rows):
                paths = [row["path"] for row in batch]
                known = set(session.scalars(select(ModelFileRow.path).where(ModelFileRow.path.in_(paths))))
                if changed := [row for row in batch if row["path"] in known]:
                    session.execute(update(ModelFileRow), changed)
                if new := [row for row in batch if row["path"] not in known]:
                    session.execute(insert(ModelFileRow), new)

    def checked(self) -> Mapping[str, Checked]:
        """What is known of hashes, by the path where each file really stands."""
        known = or_(
            ModelFileRow.sha256.is_not(None),
            ModelFileRow.verify_asked_at.is_not(None),
            ModelFileRow.verified_json.is_not(None),
        )
        with self._sessions() as session:
            return {row.path: _checked(row) for row in session.scalars(select(ModelFileRow).where(known))}

    def hashed(self, path: str) -> FileHash | None:
        with self._sessions() as session:
            row = session.get(ModelFileRow, path)
            return None if row is None else _hashed(row)

    def keep_hash(self, path: str, hashed: FileHash) -> None:
        values = {
            "sha256": hashed.sha256,
            "hashed_size": hashed.state.size,
            "hashed_mtime_ns": hashed.state.mtime_ns,
            "hashed_inode": hashed.state.inode,
            "hashed_at": hashed.at,
        }
        with self._sessions.begin() as session:
            put(session, path, values)

    def forget(self, path: str) -> None:
        with self._sessions.begin() as session:
            session.execute(delete(ModelFileRow).where(ModelFileRow.path == path))

    def uses(self, keys: Iterable[str]) -> Mapping[str, ModelUse]:
        """Of models, by what generations call them."""
        query = (
            select(GenerationRow.model, func.count(), func.max(GenerationRow.number))
            .where(GenerationRow.model.in_(list(keys)))
            .group_by(GenerationRow.model)
        )
        with self._sessions() as session:
            return {model: ModelUse(count, _moment(last)) for model, count, last in session.execute(query)}

    def uses_of_files(self, kind: str) -> Mapping[str, ModelUse]:
        """By the names and by the hashes that are recorded, of the NEWEST generations.

        kind: the field of an InpainterRun that lists them.
        """
        newest = select(GenerationRow.number).order_by(GenerationRow.number.desc()).limit(NEWEST).subquery()
        query = (
            select(GenerationRow.number, GenerationRow.record_json)
            .where(GenerationRow.number >= select(func.min(newest.c.number)).scalar_subquery())
            .where(GenerationRow.record_json.contains(f'"{kind}":[{{', autoescape=True))
            .order_by(GenerationRow.number.desc())
        )
        uses: dict[str, ModelUse] = {}
        with self._sessions() as session:
            for number, record_json in session.execute(query):
                files = getattr(record_of(record_json).inpainter, kind)
                for called in {name for file in files for name in (file.name, file.sha256)}:
                    known = uses.get(called) or ModelUse(0, _moment(number))
                    uses[called] = ModelUse(known.count + 1, known.last_at)
        return uses


def _moment(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)


def put(session: Session, path: str, values: Mapping[str, Any]) -> None:
    """Keep these values of a file, whether anything is known of it or not."""
    if session.get(ModelFileRow, path) is None:
        # No size that a file has: what it is will be asked of the file itself.
        session.add(ModelFileRow(path=path, size=-1, mtime_ns=-1, rules=""))
        session.flush()
    session.execute(update(ModelFileRow).where(ModelFileRow.path == path).values(**values))


def _checked(row: ModelFileRow) -> Checked:
    verifying = verified = None
    if row.verify_asked_at is not None:
        verifying = Verifying(row.verify_asked_at, row.verify_done or 0)
    if row.verified_json is not None:
        # Another version may have written it.
        with suppress(ValidationError):
            verified = _verified.validate_json(row.verified_json)
    return Checked(_hashed(row), verifying, verified)


def _hashed(row: ModelFileRow) -> FileHash | None:
    if row.sha256 is None or row.hashed_size is None or row.hashed_mtime_ns is None or row.hashed_at is None:
        return None
    return FileHash(row.sha256, FileState(row.hashed_size, row.hashed_mtime_ns, row.hashed_inode), row.hashed_at)


def _told(about_json: str | None, problem: str | None) -> Told | None:
    """None if what is stored was written by another version, with other words."""
    if about_json is None:
        return Told(problem=problem)
    try:
        return Told.of(_about.validate_json(about_json), problem)
    except ValidationError:
        return None
