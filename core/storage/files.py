"""Writing files so that a power cut leaves the old one or the new one, and saying why one cannot be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from core.domain.errors import StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def synced(handle: int) -> Iterator[BinaryIO]:
    """The open file, whose bytes are on the disk at the end."""
    with os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def unwritable(error: OSError, what: str) -> StorageFull:
    """what: the beginning of a sentence, such as “The file cannot be written”."""
    if error.errno in _FULL:
        return StorageFull(f"{what}: the disk is full. Make room, then try again.")
    if error.errno in _FORBIDDEN:
        return StorageFull(f"{what}: {error.strerror}. Check who may write there, and that it is not read-only.")
    return StorageFull(f"{what}: {error.strerror or error}.")
