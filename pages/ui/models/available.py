"""Models that can be downloaded: those of the table, and any other by its hub id or address."""

from __future__ import annotations

import streamlit as st

from core.bootstrap import Studio
from core.domain.model import ModelSpec
from core.domain.model_library import gigabytes
from pages.ui.downloads import download_panel
from pages.ui.shell.messages import escaped, shown_errors


def available_view(studio: Studio) -> None:
    st.caption(
        f"Downloads continue when you close this page. {gigabytes(studio.library.free_disk())} are free on the disk of "
        "the hub cache."
    )
    specs: dict[str, ModelSpec] = {}
    # First those that somebody has asked for, also by their ids.
    for download in studio.downloads.unfinished():
        with shown_errors():
            specs[download.model] = studio.models.on_hub(download.model)
    specs |= {spec.key: spec for spec in studio.library.available()}
    _by_id(studio, set(specs))
    for spec in specs.values():
        with st.container(border=True), shown_errors():
            _row(studio, spec)


def _by_id(studio: Studio, shown: set[str]) -> None:
    id = st.text_input(
        "Hub id or address", key="models-hub-id", placeholder="owner/name, or https://huggingface.co/owner/name"
    ).strip()
    if not id:
        return
    with shown_errors():
        spec = studio.models.on_hub(id)
        if spec.repository is None or studio.models.is_ready(spec.key):
            st.caption(f"{escaped(spec.title)} is on this machine already.")
        elif spec.key in shown:
            st.caption(f"{escaped(spec.title)} is listed below.")
        else:
            with st.container(border=True):
                _row(studio, spec)


def _row(studio: Studio, spec: ModelSpec) -> None:
    st.markdown(f"**{escaped(spec.title)}**")
    st.markdown(escaped(spec.description))
    licence = escaped(spec.licence)
    facts = [f"Licence: [{licence}]({spec.licence_url})" if spec.licence_url else f"Licence: {licence}"]
    if spec.url:
        facts.append(f"[{escaped(spec.repository or spec.url)}]({spec.url})")
    if plan := studio.library.plan_for(spec):
        facts.append(str(plan))
    # Not a caption: a link in it is too pale to be read.
    st.markdown(f":small[{' · '.join(facts)}]")
    download_panel(studio, spec, f"download-{spec.key}")
