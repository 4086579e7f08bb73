"""Opening a picture: one's own file, or a sample."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.picture import read_picture
from pages.ui import state
from pages.ui.messages import escaped, shown_errors
from pages.ui.prepared import picture_size

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
FILE_TYPES = ["png", "jpg", "jpeg", "webp"]


def picture_picker(studio: Studio, id: str, draft: Draft) -> None:
    """What is open, and how to open another one: that starts the page anew."""
    if draft.source is None:
        _choices(studio, id)
        return
    _headline(studio, draft)
    with st.expander("Open another picture", icon=":material/image:"):
        _choices(studio, id)


def _headline(studio: Studio, draft: Draft) -> None:
    width, height = picture_size(studio, draft.source)
    name = escaped(draft.source_name or "Picture")
    st.markdown(f"**{name}** · {width:,} x {height:,} pixels · {width * height / 1e6:.1f} megapixels")
    for note in draft.notes:
        st.caption(f":material/info: {escaped(note)}")


def _choices(studio: Studio, id: str) -> None:
    file = st.file_uploader(
        "Your picture",
        FILE_TYPES,
        key=f"{id}.picture",
        help="PNG, JPEG or WEBP. It stays on the machine that runs this program.",
    )
    if file is not None and state.is_new_file("picture", file.file_id):
        with shown_errors(), st.spinner("Opening the picture"):
            _open(studio, id, file.getvalue(), file.name)
            st.rerun()
    st.markdown("Or begin with a sample:")
    with st.container(horizontal=True):
        for sample in _samples():
            with st.container(width=164):
                st.image(_thumbnail(sample["file"]), alt=sample["title"], width="stretch")
                if st.button(sample["title"], key=f"sample-{sample['file']}", width="stretch"):
                    with shown_errors():
                        _open(studio, id, (SAMPLES / sample["file"]).read_bytes(), sample["file"])
                        st.rerun()
                st.caption(f"{escaped(sample['author'])}, [{escaped(sample['licence'])}]({sample['licence_url']})")


def _open(studio: Studio, id: str, data: bytes, name: str) -> None:
    picture = read_picture(data, max_pixels=int(studio.settings.max_megapixels * 1e6))
    draft = studio.drafts.open_picture(studio.drafts.get(id) or Draft(), picture, name)
    studio.drafts.save(id, draft)


@st.cache_data(show_spinner=False)
def _samples() -> list[dict[str, str]]:
    return json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))


@st.cache_data(show_spinner=False)
def _thumbnail(file: str) -> bytes:
    import io

    from PIL import Image, ImageOps

    made = io.BytesIO()
    with Image.open(SAMPLES / file) as image:
        ImageOps.fit(image.convert("RGB"), (352, 232)).save(made, "JPEG", quality=85)
    return made.getvalue()
