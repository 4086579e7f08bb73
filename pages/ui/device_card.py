"""Which device and which model would paint now, and the worker that does."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from pages.ui.shell.messages import escaped, show_error, shown_errors
from pages.ui.shell.waiting import wait_until


def device_card(studio: Studio) -> None:
    st.markdown("**This machine**")
    with shown_errors():
        if studio.machine.devices():
            _device(studio)
        else:
            wait_until(studio.machine.devices, "Looking for devices")
    _model(studio)


def _device(studio: Studio) -> None:
    in_use, devices = studio.machine.device(), {device.key: device for device in studio.machine.devices()}
    device = devices.get(in_use)
    title = f"{device.title} ({device.key}, {device.dtypes})" if device else in_use
    st.markdown(f":material/memory: {escaped(title)}")
    others = [device.title for key, device in devices.items() if key != in_use]
    if others:
        st.caption(f"Also available: {escaped('; '.join(others))}")


def _model(studio: Studio) -> None:
    key = studio.settings.model
    try:
        title, ready = studio.models.find(key).title, studio.models.is_ready(key)
    except StudioError as error:
        show_error(f"{key}: {error}", error.link)
        return
    state = ":green-badge[ready]" if ready else ":orange-badge[not downloaded]"
    st.markdown(f":material/deployed_code: {escaped(title)} {state}")
    _worker(studio)


def _worker(studio: Studio) -> None:
    with shown_errors():
        worker = studio.workers.newest()
        if worker is None or not worker.is_alive(studio.workers.now()) or worker.memory_mb is None:
            return
        loaded = f"{escaped(_title(studio, worker.model))} is loaded" if worker.model else "No model is loaded"
        st.caption(f"{loaded}; the worker uses {worker.memory_mb:,.0f} MB of memory.")


def _title(studio: Studio, key: str) -> str:
    with suppress(StudioError):
        return studio.models.find(key).title
    return key
