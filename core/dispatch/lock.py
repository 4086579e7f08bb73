"""The lock that a worker holds while it works: one for each data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.domain.errors import InvalidInput, StudioError
from core.files import why

LOCK = "worker.lock"
"""The file in the data folder that a worker holds. The system lets go of it however the process ends."""

PROBE_S = 0.5
"""Whoever asks is_held has the lock for a moment. A worker that begins at that moment waits for so long."""

TRY_EVERY_S = 0.05


@contextmanager
def the_only_worker(data: Path, *, waits: bool = False) -> Iterator[None]:
    """waits: until another one has ended.

    Raises InvalidInput if another process works in this folder, StudioError if that cannot be found out.
    """
    lock = _lock(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=-1 if waits else PROBE_S, poll_interval=TRY_EVERY_S)
    except Timeout:
        raise InvalidInput(
            f"Another worker is already running in the data folder {data}. Stop it first, or start this one with "
            "--wait to take over when it ends."
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = why(error) if isinstance(error, OSError) else "this file system knows no locks"
        raise StudioError(f"{data / LOCK} cannot be locked: {reason}. Check the data folder and try again.") from error
    try:
        yield
    finally:
        lock.release()


def is_held(data: Path) -> bool:
    """Whether a worker is running in this folder. False where that cannot be found out: a worker says why."""
    if not (data / LOCK).exists():
        return False
    lock = _lock(data)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


def _lock(data: Path) -> FileLock:
    # A file that only stands for a lock would outlive a worker that is killed.
    return FileLock(data / LOCK, fallback_to_soft=False)
