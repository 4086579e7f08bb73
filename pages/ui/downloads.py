"""The download of a model on the screen: asked for, watched, paused and given up. The worker does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.download import Download, DownloadStatus, Wish
from core.domain.model import ModelSpec
from core.domain.model_library import gigabytes
from pages.ui.generation.card import worker_missing
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import show_error, shown_errors
from pages.ui.shell.page import button_label
from pages.ui.shell.watching import draw_page_again

TRIES_AGAIN = {DownloadStatus.PAUSED: "Resume", DownloadStatus.FAILED: "Try again"}


def download_panel(studio: Studio, spec: ModelSpec, key: str) -> None:
    """Of a model that is not here, or not whole. key: of its button, unique on the page."""
    if _unfinished(studio, spec) is None:
        size = f" ({gigabytes(round(spec.download_gb * 1e9))})" if spec.download_gb else ""
        title = button_label(f"Download{size}", spec.title)
        _button(title, studio.downloads.ask, spec.key, key=key, icon=":material/download:")
    else:
        _followed(studio, spec, key)


def _unfinished(studio: Studio, spec: ModelSpec) -> Download | None:
    download = studio.downloads.get(spec.key)
    ended = (DownloadStatus.SUCCEEDED, DownloadStatus.CANCELLED)
    return None if download is None or download.status in ended else download


@st.fragment(run_every=1.0)
def _followed(studio: Studio, spec: ModelSpec, key: str) -> None:
    """Until it has ended; then the page is drawn anew, with the model. Also a paused one: a command may resume it."""
    with shown_errors():
        download = _unfinished(studio, spec)
        if download is None:
            draw_page_again()
            return
        _shown(studio, spec, download, key)


def _shown(studio: Studio, spec: ModelSpec, download: Download, key: str) -> None:
    if download.error:
        show_error(download.error, download.link)
    st.progress(download.fraction, text=_words(download))
    if download.status is DownloadStatus.QUEUED and (why := worker_missing(studio)):
        st.caption(why)
    with st.container(horizontal=True):
        if download.status.is_active:
            _button(
                button_label("Pause", spec.title),
                studio.downloads.pause,
                spec.key,
                key=f"{key}-pause",
                icon=":material/pause:",
                disabled=download.wish is not None,
            )
        else:
            _button(
                button_label(TRIES_AGAIN[download.status], spec.title),
                studio.downloads.resume,
                spec.key,
                key=f"{key}-resume",
                icon=":material/play_arrow:",
            )
        _button(
            button_label("Cancel", spec.title),
            studio.downloads.cancel,
            spec.key,
            key=f"{key}-cancel",
            icon=":material/close:",
            disabled=download.wish is Wish.CANCEL,
        )


def _words(download: Download) -> str:
    if download.wish is not None:
        return "Pausing" if download.wish is Wish.PAUSE else "Cancelling"
    if download.status is DownloadStatus.RUNNING and not download.total_bytes:
        return "Contacting the hub"
    state = {DownloadStatus.QUEUED: "Waiting", DownloadStatus.RUNNING: "Downloading"}.get(
        download.status, download.status.capitalize()
    )
    if not download.total_bytes:
        return state
    return f"{state}, {gigabytes(download.done_bytes)} of {gigabytes(download.total_bytes)}"


def _button(title: str, action: Callable[..., object], *given: Any, key: str, **look: Any) -> None:
    action_button(title, action, *given, key=key, **look)
