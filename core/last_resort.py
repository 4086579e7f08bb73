"""What is told of an error that nobody has foreseen: one sentence with a number, under which the log has the rest."""

from __future__ import annotations

import os
import secrets
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from core.domain.errors import StudioError
from core.settings import Settings

LOG = "errors.log"
LARGEST = 2 * 2**20
"""Bytes; the log before is kept beside it, as errors.log.1."""


def told(error: BaseException) -> StudioError:
    """The error, written to the log, in words. Never raises."""
    number = secrets.token_hex(4)
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace")
    entry = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, number {number}\n".encode() + text + b"\n"
    place = next((file for file in (_written(folder, entry) for folder in _folders()) if file), None)
    where = f"Details are under this number in {place}" if place else "Details could not be written"
    return StudioError(
        f"Something unexpected went wrong (error {number}). Stored data is not affected: try again. {where}; please "
        "report it if it happens twice."
    )


def _folders() -> list[Path]:
    """Where the log is kept: the data folder, else where this machine keeps what is temporary."""
    try:
        return [Settings().data, Path(tempfile.gettempdir())]
    except Exception:  # noqa: BLE001 - also the settings may be what is wrong
        return [Path(tempfile.gettempdir())]


def _written(folder: Path, entry: bytes) -> Path | None:
    log = folder / LOG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LARGEST:
            os.replace(log, log.with_suffix(".log.1"))
        # Nobody's link is followed, and nothing is waited for: the folder may be open to others.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(log, flags, 0o600), "wb") as file:
            file.write(entry)
    except (OSError, ValueError):
        return None
    return log.absolute()
