"""The one place where stored files go: what deletes rows releases their files, and here they are looked after.

Released and unused for an hour (GRACE) -> the trash of the data folder -> a month later, for good. Who asks for a
file in the trash gets it back. docs/decisions/0013-keeping-files.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from PIL import Image

from core.domain.errors import ForeignFolder, StudioError
from core.domain.gallery.answers import Freed
from core.ports import ImageStore
from db.files import FileRepo

TRASH_TTL = timedelta(days=30)
"""How long the trash keeps what was put there: the gallery's its pictures, the folder's their files."""

GRACE = timedelta(hours=1)
"""A file that was released, or stored by anybody, within this time is left alone: somebody may be about to use it.
Between storing a file and writing its row lie moments; minutes, where a bundle of some thousand pictures comes in."""

AT_ONCE = timedelta(minutes=1)
"""The same where the artist needs the room now. Who stores a file looks at the end whether it is there."""

SAMPLE = 50
"""Files that are looked for, to tell whether a folder and a database of earlier versions belong together."""


def store_again(images: ImageStore, pictures: Mapping[str, Image.Image]) -> None:
    """For who has just written a row that names these: nothing takes them any more, but something may have till then.

    Who empties a trash looks for rows after the file is gone, who writes a row looks for the file after that: one of
    the two finds out.
    """
    for key, image in pictures.items():
        if not images.has(key):
            images.put(image, key)


@dataclass(frozen=True, slots=True)
class Collector:
    files: FileRepo
    images: ImageStore
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    # Going

    def collect(self) -> int:
        """Move what is due into the trash, and remove for good what was there for a month. Returns how many moved.

        Raises ForeignFolder.
        """
        self.check_owner()
        now = self.now()
        moved = self._discard_released(now - GRACE, GRACE)
        self._erase((now - TRASH_TTL).date() - timedelta(days=1))
        return moved

    def free(self) -> Freed:
        """Remove for good, now, what was released and what lies in the trash of the folder, unless anything uses it.

        What was stored within the last minute is left to collect(). Raises ForeignFolder.
        """
        self.check_owner()
        now = self.now()
        self._discard_released(now, AT_ONCE)
        return self._erase(now.date())

    def discard(self, keys: Collection[str]) -> tuple[str, ...]:
        """Move those that nothing uses and that are older than GRACE into the trash. Returns them.

        Raises ForeignFolder.
        """
        self.check_owner()
        return tuple(self._discard(set(keys) - self.files.used_among(keys), GRACE))

    def _discard_released(self, until: datetime, min_age: timedelta) -> int:
        keys = self.files.released(until)
        unused = set(keys) - self.files.used_among(keys)
        moved = self._discard(unused, min_age)
        # What is used, or gone, needs no further look.
        young = {key for key in unused.difference(moved) if self.images.has(key)}
        self.files.forget([key for key in keys if key not in young], until)
        return len(moved)

    def _discard(self, unused: Collection[str], min_age: timedelta) -> list[str]:
        moved = [key for key in sorted(unused) if self.images.discard(key, min_age_s=min_age.total_seconds())]
        # A row may have been written between the two looks. From here on who writes one finds the file gone.
        back = {key for key in self.files.used_among(moved) if self.images.has(key)}
        return [key for key in moved if key not in back]

    def _erase(self, until: date) -> Freed:
        keys = set(self.images.discarded(until))
        used = {key for key in self.files.used_among(keys) if self.images.has(key)}
        unused = sorted(keys - used)
        return Freed(len(unused), sum(self.images.erase(key, until) for key in unused))

    # Whose folder it is

    def check_owner(self) -> None:
        """Raises ForeignFolder unless folder and database carry the same id; where one has none yet, it gets it.

        A database and a folder of earlier versions belong together if the files that the newest rows name are there,
        or if both are empty.
        """
        theirs, ours = self.images.owner(), self.files.gallery_id()
        if theirs is not None and theirs == ours:
            return
        if (theirs and ours) or not self._look_alike():
            raise ForeignFolder
        self._give(theirs or ours or self.new_id())

    def problem(self) -> str | None:
        """The sentence of check_owner, if there is one to say."""
        try:
            self.check_owner()
        except StudioError as error:
            return str(error)
        return None

    def adopt(self) -> None:
        """From now on folder and database belong together, and to no other."""
        self._give(self.new_id(), instead=True)

    def _give(self, id: str, *, instead: bool = False) -> None:
        # The database first: there two processes agree.
        self.images.belong_to(self.files.keep_gallery_id(id, instead=instead))

    def _look_alike(self) -> bool:
        sample = self.files.sample(SAMPLE)
        if not sample:
            return next(iter(self.images.keys()), None) is None
        return 2 * sum(self.images.has(key) for key in sample) >= len(sample)
