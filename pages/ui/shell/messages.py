"""The one place where an error becomes something on the screen."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from types import TracebackType

import streamlit as st
from streamlit import error_util
from streamlit.errors import FragmentHandledException

from core import last_resort
from core.domain.errors import StudioError

log = logging.getLogger(__name__)

NOT_FORESEEN = "an error that nobody has foreseen"


def shown_errors() -> AbstractContextManager[None, bool]:
    """Show what went wrong instead of a traceback, with its link. What ends or repeats a run of the page passes."""
    return _ShownErrors()


class _ShownErrors(AbstractContextManager[None, bool]):
    """A class, since only its bool tells a type checker that what stands behind such a block is reached."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        # What was raised in a fragment was shown there.
        if not isinstance(error, Exception) or isinstance(error, FragmentHandledException):
            return False
        show_exception(error)
        return True


def show_exception(error: BaseException) -> None:
    """A StudioError in its own words; anything else, which nobody has foreseen, by its number in the log."""
    if not isinstance(error, StudioError):
        log.error(NOT_FORESEEN, exc_info=error)
        error = last_resort.told(error)
    show_error(str(error), error.link)


error_util.show_uncaught_app_exception = lambda ex: show_exception(ex)
"""Of what is raised outside of shown_errors, as in a callback, Streamlit would show the traceback."""


def show_error(sentence: str, link: str | None = None) -> None:
    st.error(escaped(sentence) + (f" [Open the page]({link})" if link else ""), icon=":material/error:")


def tried_again(reason: str | None) -> None:
    """Of what waits or is painted once more: what became of its worker before. Nothing if it is the first time."""
    if reason:
        st.caption(f":material/info: {escaped(reason)}")


ESCAPED = frozenset("\\`*_{}[]()<>#+-.!|~$:&")


def escaped(text: str) -> str:
    """Text of users and of other programs, to be shown by Streamlit's Markdown as it is."""
    return "".join("\\" + c if c in ESCAPED else c for c in text)
