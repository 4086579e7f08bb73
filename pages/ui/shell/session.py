"""Widgets look up one key in the session, not all of it for each.

To see whether the session holds None for its key, each of Streamlit's fields makes a dict of everything that the
session holds, widget by widget. With the forty fields of Inpaint that was a quarter of a page's run. Nothing public
changes that, so what they ask gets answers key by key. A release in which these names are gone behaves as it does by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any

from streamlit.runtime.state.safe_session_state import SafeSessionState

_NAME, _PARTS = "filtered_state", ("_state", "_lock")


def install() -> None:
    """Once for the process; more than once does no harm."""
    whole = getattr(SafeSessionState, _NAME, None)
    parts = getattr(SafeSessionState, "__annotations__", {})
    if not isinstance(whole, property) or whole.fget is None or not all(part in parts for part in _PARTS):
        return
    read = whole.fget
    if read is not _asked:
        _ByKey.read = read
        setattr(SafeSessionState, _NAME, property(_asked))


class _ByKey(Mapping[str, Any]):
    """What filtered_state says, as of the moment when it is asked."""

    read: Callable[[SafeSessionState], Mapping[str, Any]]

    def __init__(self, session: SafeSessionState) -> None:
        self._session = session

    def __getitem__(self, key: str) -> Any:
        # As it does: without a look for a newer request, which would end the run here.
        with self._session._lock:
            return self._session._state[key]

    def items(self) -> ItemsView[str, Any]:
        return type(self).read(self._session).items()

    def __iter__(self) -> Iterator[str]:
        return iter(type(self).read(self._session))

    def __len__(self) -> int:
        return len(type(self).read(self._session))


def _asked(session: SafeSessionState) -> Mapping[str, Any]:
    return _ByKey(session)
