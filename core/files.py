"""Files of this machine. What others have put there is read only if it is a regular file, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """The file, to be read. Raises OSError, with a strerror for people: also of what is not a regular file.

    A FIFO would wait for a writer for ever, a device may have no end, and a name may be one that no file can have.
    """
    try:
        # Without waiting: only what is opened can be asked what it is without being exchanged in between.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, "no file can have such a name") from error
    try:
        about = os.fstat(handle)
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The whole file. Raises OSError as open_regular does, and if it has more bytes than that."""
    with open_regular(path) as file:
        # What is asked for is set aside at once: no more than there is.
        data = file.read(min(max_bytes, os.fstat(file.fileno()).st_size or max_bytes) + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {_format_bytes(max_bytes)}")
    return data


def why(error: OSError) -> str:
    """What the system says of it, in words, to be followed by a full stop."""
    return error.strerror or str(error) or type(error).__name__


def _format_bytes(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size} bytes"


def sync_folder(folder: Path) -> None:
    """A file can be on the disk and its name not yet. Windows keeps its names in a journal, and opens no folders."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
