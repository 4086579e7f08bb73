"""The callbacks of a request are called, whatever the browser asks for next.

Streamlit looks for a newer request before it calls the callbacks of the one at hand, and again whenever one of them
touches the session. If there is one, or the browser has gone, it leaves the callbacks out: who clicked on Generate and
then on another page had not clicked at all (5 to 7 of 10 tries on a busy machine, decision 18). Nothing public changes
that, so its look is put off until they are done. A release in which these names are gone behaves as it does by itself.
"""

from __future__ import annotations

from typing import Any

from streamlit import config
from streamlit.runtime.state.safe_session_state import SafeSessionState

_NAME, _LOOK = "on_script_will_rerun", "_yield_callback"
_IS_WHOLE = "is_whole"


def install() -> None:
    """Once for the process; more than once does no harm."""
    call_callbacks = getattr(SafeSessionState, _NAME, None)
    if call_callbacks is None or hasattr(call_callbacks, _IS_WHOLE):
        return

    def call_whole(self: SafeSessionState, *given: Any, **named: Any) -> None:
        look = self.__dict__.get(_LOOK)
        # With fast reruns the newer request has a thread of its own, which must not find older values than its own.
        if look is None or config.get_option("runner.fastReruns"):
            call_callbacks(self, *given, **named)
            return
        object.__setattr__(self, _LOOK, lambda: None)
        try:
            call_callbacks(self, *given, **named)
        finally:
            object.__setattr__(self, _LOOK, look)

    setattr(call_whole, _IS_WHOLE, True)
    setattr(SafeSessionState, _NAME, call_whole)
