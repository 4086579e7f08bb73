"""The only st.cache_resource: one studio for all sessions, and the one pipeline that is loaded."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import streamlit as st

from core.bootstrap import Studio, build_studio, make_loader, warm_up
from core.dispatch.threads import leave
from core.domain.environment import Device
from core.services.model_cache import ModelCache
from core.settings import Settings


@st.cache_resource(show_spinner=False, on_release=lambda studio: studio.close())
def studio() -> Studio:
    """Raises InvalidSettings or DatabaseUnusable; an error is not cached, so a reload tries again."""
    built = build_studio(Settings(), models())
    built.housekeeping.start()
    atexit.register(_shut_down, built)
    return built


def _shut_down(studio: Studio) -> None:
    """At SIGTERM and Ctrl+C Streamlit ends as a program does that is done, whatever is being painted."""
    if not studio.shut_down():
        leave(0)


@st.cache_resource(show_spinner=False, on_release=lambda models: models.close())
def models() -> ModelCache:
    """The one pipeline that is loaded."""
    return ModelCache(make_loader(Settings()))


def is_loaded(model: str, device: str) -> bool:
    """Whether the pipeline of this model is in memory, or will be next."""
    return models().holds(model, device)


@st.cache_resource(show_spinner=False)
def looking_for_devices(_studio: Studio) -> Future[tuple[str, Sequence[Device]]]:
    """The device that "auto" means, and all of them. The first look loads the engine: seconds no page should wait."""
    thread = ThreadPoolExecutor(1, "looking-for-devices")
    looking = thread.submit(lambda: (_studio.machine.device(), _studio.machine.devices()))
    thread.shutdown(wait=False)
    return looking


@st.cache_resource(show_spinner=False)
def looking_at_environments(_studio: Studio) -> Future[Sequence[Mapping[str, str]]]:
    """What each device of this machine runs under, to compare with what was recorded. Also seconds."""
    thread = ThreadPoolExecutor(1, "looking-at-environments")
    looking = thread.submit(_studio.machine.environments)
    thread.shutdown(wait=False)
    return looking


@st.cache_resource(show_spinner=False)
def warming_up(_studio: Studio) -> Future[None]:
    """The engine's libraries, imported while the artist still paints. Only who paints waits for them, or pays."""
    looking = looking_for_devices(_studio)

    def after_the_look() -> None:
        # Two threads must not import torch at the same time.
        looking.exception()
        warm_up()

    thread = ThreadPoolExecutor(1, "warming-up")
    warming = thread.submit(after_the_look)
    thread.shutdown(wait=False)
    return warming
