"""On which device it is painted: chosen in the form, from those that the worker has told of."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.environment import AUTOMATIC, Device
from core.domain.errors import InvalidParams, StudioError
from core.domain.params import InpaintParams
from pages.ui.shell import state
from pages.ui.shell.messages import show_error
from pages.ui.shell.waiting import wait_until


def chosen_device(id: str, draft: Draft) -> str:
    return str(state.widget_value(f"{id}.device") or draft.params.get("device", AUTOMATIC))


def resolved_device(studio: Studio, id: str, draft: Draft) -> str | None:
    """The key of the device that is meant; None as long as no worker has told of devices."""
    wish = chosen_device(id, draft)
    if wish != AUTOMATIC:
        return wish
    try:
        device = studio.machine.device()
    except StudioError:
        return None
    return None if device == AUTOMATIC else device


def device_problem(studio: Studio, device: str, params: InpaintParams) -> str | None:
    """Why these cannot be had on the device that is meant, as far as a worker has told of its devices."""
    try:
        key = studio.machine.device() if device == AUTOMATIC else device
        for known in studio.machine.devices():
            if known.key == key:
                known.check(params)
    except InvalidParams as error:
        return str(error)
    except StudioError:
        # Told beside the device.
        return None
    return None


def device_field(studio: Studio, id: str, kept: str) -> None:
    """kept: the device of the draft."""
    try:
        devices = studio.machine.devices()
        best = studio.machine.device()
    except StudioError as error:
        show_error(str(error), error.link)
        return
    if devices:
        _choice(best, devices, id, kept)
    else:
        wait_until(studio.machine.devices, "Looking for devices")


def _choice(best: str, devices: Sequence[Device], id: str, kept: str) -> None:
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
