"""What is known of the files of models, so that none is opened or hashed twice, and how often models were used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, func, insert, select, update

from core.domain.model_file import ModelFile
from core.domain.model_library import FileHash, Found, ModelUse, Told
from db.mapping import EPOCH, record_of
from db.repo import Repo, in_batches
from db.tables import GenerationRow, ModelFileRow

_about = TypeAdapter(ModelFile)

NEWEST = 20_000
"""Generations whose records are looked through for LoRAs: no index leads from a LoRA to them."""


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

    def hashes(self) -> Mapping[str, FileHash]:
        """By the path of the file."""
        with self._sessions() as session:
            rows = session.scalars(select(ModelFileRow).where(ModelFileRow.sha256.is_not(None)))
            return {row.path: hashed for row in rows if (hashed := _hashed(row)) is not None}

    def keep_hash(self, path: str, hashed: FileHash, rules: str) -> None:
        values = {
            "sha256": hashed.sha256,
            "hashed_size": hashed.size,
            "hashed_mtime_ns": hashed.mtime_ns,
            "hashed_at": hashed.at,
        }
        with self._sessions.begin() as session:
            if session.get(ModelFileRow, path) is None:
                # No time that a file has: what it is will be asked of the file itself.
                session.add(ModelFileRow(path=path, size=-1, mtime_ns=-1, rules=rules))
                session.flush()
            session.execute(update(ModelFileRow).where(ModelFileRow.path == path).values(values))

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

    def lora_uses(self) -> Mapping[str, ModelUse]:
        """By the names and by the hashes that are recorded, of the NEWEST generations."""
        newest = select(GenerationRow.number).order_by(GenerationRow.number.desc()).limit(NEWEST).subquery()
        query = (
            select(GenerationRow.number, GenerationRow.record_json)
            .where(GenerationRow.number >= select(func.min(newest.c.number)).scalar_subquery())
            .where(GenerationRow.record_json.contains('"loras":[{', autoescape=True))
            .order_by(GenerationRow.number.desc())
        )
        uses: dict[str, ModelUse] = {}
        with self._sessions() as session:
            for number, record_json in session.execute(query):
                loras = record_of(record_json).inpainter.loras
                for called in {name for lora in loras for name in (lora.name, lora.sha256)}:
                    known = uses.get(called) or ModelUse(0, _moment(number))
                    uses[called] = ModelUse(known.count + 1, known.last_at)
        return uses


def _moment(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)


def _hashed(row: ModelFileRow) -> FileHash | None:
    if row.sha256 is None or row.hashed_size is None or row.hashed_mtime_ns is None or row.hashed_at is None:
        return None
    return FileHash(row.sha256, row.hashed_size, row.hashed_mtime_ns, row.hashed_at)


def _told(about_json: str | None, problem: str | None) -> Told | None:
    """None if what is stored was written by another version, with other words."""
    if about_json is None:
        return Told(problem=problem)
    try:
        return Told.of(_about.validate_json(about_json), problem)
    except ValidationError:
        return None
