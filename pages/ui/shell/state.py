"""What a browser session holds, typed. No other file but address.py, on which this one stands, names a key of
st.session_state for its own data.

Only ids live here; what they stand for is in the database, so a page switch, a refresh or a restart loses nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from pages.ui.shell import address

_DRAFT = "studio.draft"
_ADDRESS = "studio.address"
_PERSON = "studio.person"
_CANVAS = "studio.canvas"
_SEEN = "studio.seen"
_FLASH = "studio.flash"
_PRESSES = "studio.presses"
_REFUSED = "studio.refused"
_PUT_BY = "studio.put-by"
PERSON_COOKIE = "inpaint_studio_person"
DRAFT_PARAMETER = "draft"
"""In the page's address: a refresh makes a new session, and the address is all that is left of the old one."""


def snapshot() -> Mapping[str, Any]:
    """All that the session holds now, by key.

    For what must not be lost: Streamlit may end the run at any other look at its session, also within a callback, as
    soon as somebody has clicked on something else or left the page. At this one it does not.
    """
    return dict(st.session_state.to_dict().items())


def person() -> str:
    """A name for who sits in front of this browser, the same in all its tabs; recorded with what they submit.

    It comes in a cookie. Until the browser has one, it is this session's own, or what another tab has chosen.
    """
    named = _cookies().get(PERSON_COOKIE) or snapshot().get(_PERSON)
    return named if _is_person(named) else str(st.session_state.setdefault(_PERSON, secrets.token_hex(8)))


def is_known_person() -> bool:
    """Whether the browser has said who it is."""
    return _is_person(_cookies().get(PERSON_COOKIE))


def _cookies() -> Mapping[str, str]:
    return st.context.cookies


def meet(named: Any) -> None:
    """Another tab of this browser has chosen this name: it is taken from now on."""
    if _is_person(named):
        st.session_state[_PERSON] = named


def _is_person(named: Any) -> TypeGuard[str]:
    # Anybody can send anything.
    return isinstance(named, str) and re.fullmatch("[0-9a-f]{16}", named) is not None


def presses() -> dict[str, float]:
    """When each button that does something was pressed last, on the clock of time.monotonic(), by its key."""
    pressed: dict[str, float] = st.session_state.setdefault(_PRESSES, {})
    return pressed


def draft(studio: Studio) -> tuple[str, Draft]:
    """The open draft and its id, which the page's address then names: this session's, else a new one.

    An address that names another one than was put there comes first: somebody has opened it, or gone back to it.
    """
    named = address.get(DRAFT_PARAMETER)
    is_news = named is not None and named != st.session_state.get(_ADDRESS)
    id = named if is_news else st.session_state.get(_DRAFT)
    found = studio.drafts.get(id) if id else None
    if id is None or found is None:
        id = studio.drafts.start(person())
        found = studio.drafts.get(id) or Draft()
    elif id != st.session_state.get(_DRAFT):
        studio.drafts.adopt(id, person())
    st.session_state[_DRAFT] = st.session_state[_ADDRESS] = id
    address.put(**{DRAFT_PARAMETER: id})
    return id, found


def open_draft(studio: Studio, draft: Draft) -> None:
    """Make this the open draft, as a new one: the one open before can still be reached by its address."""
    id = studio.drafts.start(person())
    studio.drafts.save(id, draft)
    st.session_state[_DRAFT] = id


def leave_draft(id: str) -> bool:
    """If this one is open, a new one takes its place. Returns whether it was."""
    was_open = bool(st.session_state.get(_DRAFT) == id)
    if was_open:
        # What the address names is no news: it is what was left.
        st.session_state[_DRAFT], st.session_state[_ADDRESS] = None, id
    return was_open


def return_to_draft(id: str) -> None:
    """Make this the open draft again."""
    st.session_state[_DRAFT] = id


def change_draft(studio: Studio, id: str, **changes: Any) -> Draft:
    """Store these changes of the draft, over what is stored now, and return it."""
    changed = (studio.drafts.get(id) or Draft()).changed(**changes)
    studio.drafts.save(id, changed)
    return changed


@dataclass(frozen=True, slots=True)
class CanvasInstance:
    """The canvas that stands in the browser. number: another one makes a new canvas.

    shows: what it was made for. initial: the drawing it began with, as text; it must never change while it stands,
    as the canvas would load it again over what was drawn since.
    """

    number: int
    shows: tuple[object, ...]
    initial: str | None


def current_canvas(session: Mapping[str, Any] | None = None) -> CanvasInstance | None:
    return (st.session_state if session is None else session).get(_CANVAS)


def new_canvas(shows: tuple[object, ...], initial: str | None) -> CanvasInstance:
    """A new canvas with this drawing in it."""
    before = current_canvas()
    instance = CanvasInstance(before.number + 1 if before else 1, shows, initial)
    st.session_state[_CANVAS] = instance
    return instance


def invalidate_canvas() -> None:
    """The canvas is made anew when it is drawn next: the stored drawing was changed behind its back."""
    if (before := current_canvas()) is not None:
        st.session_state[_CANVAS] = CanvasInstance(before.number, (), None)


@dataclass(frozen=True, slots=True)
class PainterInstance:
    """The painter that stands in the browser. shown: key of the mask it shows, or None for an empty one.

    revision: another one makes it take the mask from here. heard: the stamp of what it sent last.
    """

    shown: str | None = None
    revision: int = 0
    heard: str | None = None


def painter_instance(key: str, session: Mapping[str, Any] | None = None) -> PainterInstance:
    """key: of its widget. session: a snapshot to look for it in."""
    kept: PainterInstance = (st.session_state if session is None else session).get(
        f"{_CANVAS}.{key}", PainterInstance()
    )
    return kept


def keep_painter_instance(key: str, instance: PainterInstance) -> None:
    st.session_state[f"{_CANVAS}.{key}"] = instance


def pop_flash(place: str) -> Any:
    """What was put there to be told on the page that comes next, once."""
    return st.session_state.pop(f"{_FLASH}.{place}", None)


def flash(place: str, what: Any) -> None:
    st.session_state[f"{_FLASH}.{place}"] = what


def refuse(place: str, what: Any) -> None:
    """What was refused there, and why, until something else is said; None: nothing."""
    st.session_state[f"{_REFUSED}.{place}"] = what


def refused(place: str) -> Any:
    return st.session_state.get(f"{_REFUSED}.{place}")


def is_phone() -> bool:
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def is_new_file(widget: str, file_id: str) -> bool:
    """Whether this upload was not seen before: it stays in its widget over all reruns, and is read once."""
    seen = st.session_state.setdefault(_SEEN, {})
    if seen.get(widget) == file_id:
        return False
    seen[widget] = file_id
    return True


def is_on_screen(key: str) -> bool:
    """Whether a widget of this key was drawn in the run before: a page switch takes all of them away."""
    return key in st.session_state


def set_default(key: str, value: object) -> None:
    """What the widget of this key shall show at first; it keeps what it holds."""
    st.session_state.setdefault(key, value)


def set_value(key: str, value: object) -> None:
    """What the widget of this key shall show when it is drawn next, in this run."""
    st.session_state[key] = value


def put_by(key: str) -> None:
    """What the widget of this key holds is kept, though it is not drawn in this run. Not of buttons and uploads."""
    if (held := widget_value(key)) is not None:
        st.session_state[f"{_PUT_BY}.{key}"] = held


def take_back(key: str) -> None:
    """The widget of this key, which is drawn next, shows what was put by."""
    if (kept := st.session_state.get(f"{_PUT_BY}.{key}")) is not None:
        # Said anew in the run that draws it: the browser is told no value that was said earlier.
        set_value(key, kept)
        del st.session_state[f"{_PUT_BY}.{key}"]


def widget_value(key: str) -> Any:
    """What the widget of this key holds, also before it is drawn in this run; None if it was never drawn."""
    return st.session_state.get(key)
