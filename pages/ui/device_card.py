"""Which device and which model would paint now."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import streamlit as st

from core.bootstrap import Studio
from core.domain.environment import Device
from core.domain.errors import StudioError
from pages.ui.shell.messages import escaped, show_error
from pages.ui.shell.resources import looking_for_devices

Found = Future[tuple[str, Sequence[Device]]]


def device_card(studio: Studio) -> None:
    st.markdown("**This machine**")
    looking = looking_for_devices(studio)
    if looking.done():
        _device(looking)
    else:
        _wait_for(looking)
    _model(studio)


@st.fragment(run_every="500ms")
def _wait_for(looking: Found) -> None:
    if looking.done():
        st.rerun()
    st.caption("Looking for devices")


def _device(looking: Found) -> None:
    try:
        in_use, found = looking.result()
    except StudioError as error:
        show_error(str(error), error.link)
        return
    devices = {device.key: device for device in found}
    device = devices.get(in_use)
    title = f"{device.title} ({device.key}, {device.dtype})" if device else in_use
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
