"""Taking a result along as a file: which format, and whether it says how it was made."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.bootstrap import Studio
from core.domain.generation import Generation
from core.services.exports import FileType
from pages.ui.shell.messages import shown_errors

TRAVELS = (
    "The file contains its generation metadata: prompts, seed, parameters, model and versions, readable by other "
    "tools. It names no person, folder or machine."
)
EXIF = "The photo's own EXIF is included: camera, lens, date, author, resolution, {place}."
FOREIGN = "The file contains the pixels and their colour profile. The other tool's metadata stays in this gallery."
STRIPPED = "The file contains only the pixels and their colour profile."


def downloads(studio: Studio, generation: Generation, key: str) -> None:
    """A button that opens the choices. key: a name of its own for each place on the page."""
    with st.popover("Download", icon=":material/download:"):
        if generation.output is not None:
            with shown_errors():
                _result(studio, generation, key)
        others = ((guide.title, guide.picture) for guide in generation.guides)
        for title, stored in (("Mask", generation.mask), ("Original", generation.source), *others):
            st.download_button(
                f"{title} as PNG",
                partial(studio.gallery.file, stored),
                f"inpaint-{generation.id}-{title.lower().replace(' ', '-')}.png",
                "image/png",
                key=f"download-{title}-{key}",
                on_click="ignore",
                width="stretch",
            )


def _result(studio: Studio, generation: Generation, key: str) -> None:
    type = st.selectbox("Format", [*FileType], format_func=lambda type: type.label, key=f"format-{key}")
    foreign = generation.is_imported_picture
    strip = foreign or st.toggle(
        "Strip metadata for sharing",
        key=f"strip-{key}",
        help="Leaves out prompts, seed, parameters, model and versions.",
    )
    st.caption(FOREIGN if foreign else STRIPPED if strip else TRAVELS)
    place = not strip and generation.source_exif is not None and _about_the_photo(studio, generation, key)
    for loss in studio.exports.losses(generation, type):
        st.caption(f":material/info: {loss}")
    st.download_button(
        "Download the result",
        lambda: studio.exports.file(generation, type, metadata=not strip, place=place),
        f"inpaint-{generation.id}{type.suffix}",
        type.mime,
        key=f"download-result-{key}",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
        width="stretch",
        help="The whole picture at full resolution",
    )


def _about_the_photo(studio: Studio, generation: Generation, key: str) -> bool:
    """Says what else goes along, and returns whether the place where the photo was taken does."""
    place = studio.exports.knows_place(generation) and st.toggle(
        "Include the location (GPS)",
        key=f"place-{key}",
        help="The GPS position recorded by the camera.",
    )
    st.caption(EXIF.format(place="and the location (GPS)" if place else "without the location (GPS)"))
    return place
