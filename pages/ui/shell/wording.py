"""Moments and spans of time in words, and long texts in few."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.domain.gallery.filter import UNVERIFIED, VERDICTS
from core.domain.generation import Generation

BadgeColour = Literal["blue", "gray", "green", "orange", "red"]
"""Of those that st.badge takes."""

VERDICT_TITLES = {verdict: verdict for verdict in VERDICTS} | {UNVERIFIED: "Not verified"}


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


PART_TOLD = 0.02
"""Of all the time: less than that in the queue or for the model is not worth a word."""


def waited(generation: Generation) -> str | None:
    """Run time until it was there, and what that time went into. None for one that is not there, or came so."""
    whole, paint = generation.waited_s, generation.runtime_s
    if whole is None or paint is None or generation.started_at is None:
        return None
    parts = [("in the queue", generation.queue_s), ("to load the model", generation.load_s), ("to paint", paint)]
    told = [f"{duration(part)} {words}" for words, part in parts if part and part >= whole * PART_TOLD]
    return f"{duration(whole)} in all" + (f": {', '.join(told)}" if len(told) > 1 or paint < whole / 2 else "")


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
