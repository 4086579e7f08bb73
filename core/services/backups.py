"""Daily copies of the database, and the way back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.domain.errors import InvalidInput, StorageFull
from db import backup
from db.copying import copy

NAME, KEPT = "studio", "before-restoring"
LEFT_BEHIND = timedelta(days=1)
TIME = "%Y-%m-%dT%H-%M-%S.%fZ"
_NAME = re.compile(rf"({NAME}|{KEPT})-(\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{{6}}Z)\.db")


@dataclass(frozen=True, slots=True)
class Backup:
    """generations: how many it holds; None if it cannot be read. is_kept: put aside when another one was restored."""

    name: str
    made_at: datetime
    bytes: int
    generations: int | None
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Backups:
    """database: None where it is no SQLite file. days: of so many days copies are kept; 0: none is made by itself."""

    database: Path | None
    folder: Path
    days: int
    now: Callable[[], datetime]

    def daily(self) -> Backup | None:
        """One copy a day, and those of long ago go. Raises StudioError; then none goes."""
        if self.database is None or not self.days:
            return None
        today = self.now().date()
        if any(not kept and made_at.date() == today for _, made_at, kept in self._files()):
            return None
        made = self.make()
        self._forget_old()
        return made

    def make(self) -> Backup:
        """A copy of the database as it is now, checked page by page.

        Raises InvalidInput for a database that is no file of ours, StorageFull, or DatabaseUnusable if it is damaged.
        """
        database = self._database()
        self._check_room(database)
        now = self.now()
        file = self.folder / f"{NAME}-{now.astimezone(UTC):{TIME}}.db"
        copy(database, file)
        try:
            backup.check(file)
        except Exception:
            file.unlink(missing_ok=True)
            raise
        return self._backup(file, now, False)

    def all(self) -> list[Backup]:
        """The newest first."""
        return [self._backup(*found) for found in self._files()]

    def restore(self, name: str) -> Path:
        """This copy becomes the database; the present one is kept beside the copies. Returns where.

        Raises InvalidInput if there is none of that name, DatabaseBusy while another program has the gallery open,
        DatabaseUnusable if the copy cannot be used. Then everything is as it was.
        """
        database = self._database()
        found = [file for file, _, _ in self._files() if name == file.name]
        if not found:
            raise InvalidInput(f"There is no backup “{name}” in {self.folder}. See: python -m core gallery backups.")
        kept = self.folder / f"{KEPT}-{self.now().astimezone(UTC):{TIME}}.db"
        backup.put_back(found[0], database, kept)
        return kept

    def _database(self) -> Path:
        if self.database is None:
            raise InvalidInput("This database is not SQLite: use its own backup tools, such as pg_dump.")
        return self.database

    def _check_room(self, database: Path) -> None:
        """A copy must not take the room that pictures need next."""
        try:
            needed = 2 * database.stat().st_size
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise StorageFull(f"The database cannot be copied: {error.strerror or error}.") from error
        if free < needed:
            raise StorageFull(
                f"There is no room for a copy of the database: {needed / 1e6:.0f} MB must be free, and "
                f"{free / 1e6:.0f} MB are."
            )

    def _forget_old(self) -> None:
        made = [(file, made_at.date()) for file, made_at, is_kept in self._files() if not is_kept]
        kept = sorted({day for _, day in made}, reverse=True)[: self.days]
        for file, day in made:
            if day not in kept:
                file.unlink(missing_ok=True)
        # What a program that was killed had begun; none takes a day.
        for file in self.folder.glob(".new-*"):
            if self.now().timestamp() - file.stat().st_mtime > LEFT_BEHIND.total_seconds():
                file.unlink(missing_ok=True)

    def _files(self) -> list[tuple[Path, datetime, bool]]:
        found = []
        for file in self.folder.glob("*.db"):
            match = _NAME.fullmatch(file.name)
            if match:
                made_at = datetime.strptime(match[2], TIME).replace(tzinfo=UTC)
                found.append((file, made_at, match[1] == KEPT))
        return sorted(found, key=lambda one: one[1], reverse=True)

    def _backup(self, file: Path, made_at: datetime, is_kept: bool) -> Backup:
        return Backup(file.name, made_at, file.stat().st_size, backup.count(file), is_kept)
