"""On which device it is painted: chosen in the form, and looked for meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.environment import AUTOMATIC, Device
from core.domain.errors import StudioError
from pages.ui.shell import state
from pages.ui.shell.messages import show_error
from pages.ui.shell.resources import looking_for_devices


def chosen_device(id: str, draft: Draft) -> str:
    return str(state.widget_value(f"{id}.device") or draft.params.get("device", AUTOMATIC))


def resolved_device(studio: Studio, id: str, draft: Draft) -> str | None:
    """The key of the device that is meant; None while the engine is still looking for devices."""
    wish = chosen_device(id, draft)
    looking = looking_for_devices(studio)
    if wish != AUTOMATIC:
        return wish
    return looking.result()[0] if looking.done() and looking.exception() is None else None


def device_field(studio: Studio, id: str, kept: str) -> None:
    """kept: the device of the draft."""
    looking = looking_for_devices(studio)
    with suppress(TimeoutError):
        looking.exception(timeout=0.05)
    if looking.done():
        _choice(looking, id, kept)
    else:
        _wait(looking)


def _choice(looking: Future[tuple[str, Sequence[Device]]], id: str, kept: str) -> None:
    try:
        best, devices = looking.result()
    except StudioError as error:
        show_error(str(error), error.link)
        return
    titles = {device.key: device.title for device in devices}
    titles = {AUTOMATIC: f"Automatic: {titles.get(best, best)}", **titles}
    state.set_default(f"{id}.device", kept if kept in titles else AUTOMATIC)
    st.selectbox(
        "Device",
        list(titles),
        key=f"{id}.device",
        format_func=lambda key: titles.get(key, key),
        help="The hardware that runs the model.",
    )


@st.fragment(run_every="1s")
def _wait(looking: Future[tuple[str, Sequence[Device]]]) -> None:
    if looking.done():
        st.rerun()
    st.caption("Looking for devices")
