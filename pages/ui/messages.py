"""The one place where an error becomes something on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.domain.errors import StudioError


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show what a StudioError says instead of a traceback, with its link."""
    try:
        yield
    except StudioError as error:
        show_error(str(error), error.link)


def show_error(sentence: str, link: str | None = None) -> None:
    st.error(escaped(sentence) + (f" [Open the page]({link})" if link else ""), icon=":material/error:")


ESCAPED = frozenset("\\`*_{}[]()<>#+-.!|~$:&")


def escaped(text: str) -> str:
    """Text of users and of other programs, to be shown by Streamlit's Markdown as it is."""
    return "".join("\\" + c if c in ESCAPED else c for c in text)
