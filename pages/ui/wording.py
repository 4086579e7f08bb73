"""Moments and spans of time in words, long texts in few, and what several buttons of one deed say."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.services.gallery import RETENTION

RERUN = "Queue the same picture, mask, parameters and seed once more, as a new generation"
TO_TRASH = f"Out of the gallery. The trash keeps what is put there for {RETENTION.days} days."


TRASHED = "Moved to the trash. It can be restored there."


def beginning(text: str, most: int) -> str:
    """In one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def when(moment: datetime) -> str:
    """In the reader's time zone, as far as the browser tells it."""
    try:
        zone = ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        zone = None
    return f"{moment.astimezone(zone):%d %b %Y, %H:%M}" if zone else f"{moment:%d %b %Y, %H:%M} UTC"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
