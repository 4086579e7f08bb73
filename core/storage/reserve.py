"""Room that is set aside while there is some, so that something can be deleted when the disk is full."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from core.files import sync_folder
from core.storage.files import synced, unwritable

SIZE = 16 * 2**20
"""Bytes. SQLite writes what it changes beside the database first, up to 4 MB before it begins at the front again."""

SPARED = 4
"""Nothing is set aside on a disk that has less than so many times the size."""


class LocalReserve:
    """A file that says nothing and takes its room. size: in bytes."""

    def __init__(self, file: Path, size: int = SIZE) -> None:
        self._file, self._size = file, size

    def keep(self) -> None:
        """Set the room aside, if it is not and the disk has enough of it. Raises StorageFull if that goes wrong."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._is_whole() or shutil.disk_usage(self._file.parent).free < SPARED * self._size:
                return
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with synced(handle) as file:
                # By chance: a file system that compresses would keep no room for zeros.
                file.write(os.urandom(self._size))
            sync_folder(self._file.parent)
        except OSError as error:
            raise unwritable(error, "No room could be set aside in the data folder") from error

    def give(self) -> bool:
        """Give the room back to the disk. False if there was none."""
        with suppress(OSError):
            self._file.unlink()
            return True
        return False

    def _is_whole(self) -> bool:
        return self._file.is_file() and self._file.stat().st_size == self._size
