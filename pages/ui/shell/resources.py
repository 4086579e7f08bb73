"""The only st.cache_resource: one studio for all sessions, and the handle of the one pipeline that is loaded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from core.bootstrap import Engine, Studio, build_studio, make_loader
from core.domain.errors import StudioError
from core.services.model_cache import ModelCache
from core.services.workers import Workers
from core.settings import Settings
from pages.ui.shell.server import supervise


@st.cache_resource(show_spinner=False)
def studio() -> Studio:
    """Raises InvalidSettings or DatabaseUnusable; an error is not cached, so a reload tries again."""
    settings = Settings()
    built = build_studio(settings, ModelCache(make_loader(settings)), engine=Engine.WORKER)
    # Where the server has begun without its lifespan, or with settings that were put right since.
    supervise(settings)
    return built


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The pipeline of a model on a device. It is in the worker's memory, where all sessions share it."""

    workers: Workers
    model: str
    device: str

    @property
    def is_loaded(self) -> bool:
        return self.workers.holds(self.model, self.device)

    def release(self) -> None:
        """Its memory is given back as soon as nothing that waits needs it; the next picture loads it again."""
        with suppress(StudioError):
            self.workers.ask_to_close(self.model, self.device)


@st.cache_resource(max_entries=1, show_spinner=False, on_release=lambda pipeline: pipeline.release())
def pipeline(_studio: Studio, model: str, device: str) -> Pipeline:
    """Of the model that was asked to paint last: another one releases it."""
    return Pipeline(_studio.workers, model, device)
