"""Opening a picture: one's own file, or a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.draft import Draft
from core.domain.files.encoding import encoded
from core.domain.files.picture import Picture
from core.domain.files.picture_formats import FILE_TYPES
from core.domain.imported import TOOLS, describe_too_long
from core.domain.in_words import LISTS, in_words
from core.domain.params import PARAMETERS, SCHEDULERS
from pages.ui.inpaint.form_fields import fill_form
from pages.ui.shell import state
from pages.ui.shell.actions import action_button
from pages.ui.shell.messages import escaped, shown_errors
from pages.ui.shell.prepared import prepare

SAMPLES = Path(__file__).parents[3] / "assets" / "samples"
WORDS_SHOWN = 120


def picture_picker(studio: Studio, id: str) -> None:
    """Opens the first picture."""
    _own_picture(studio, id)
    _samples(studio, id)


def open_popover(studio: Studio, id: str) -> None:
    """Opens another one, which starts the page anew."""
    # By its key it is closed again when another one has been opened.
    with st.popover(
        "Open", icon=":material/image:", key=f"{id}.another", on_change="rerun", help="Open another picture"
    ) as another:
        _own_picture(studio, id)
        # Their pictures take a tenth of each run of the page.
        if another.open:
            _samples(studio, id)


def picture_notes(studio: Studio, id: str, draft: Draft) -> None:
    """What was understood of the file of the open picture."""
    for note in draft.notes:
        st.caption(f":material/info: {escaped(note)}")
    if draft.said:
        _show_offer(studio, id, draft.said)


def _show_offer(studio: Studio, id: str, offer: Mapping[str, Any]) -> None:
    """The generation metadata of the picture, and a button that puts it into the form."""
    if not any((offer["params"], offer["model"], offer["seed"], offer.get("too_long"))):
        st.caption(
            f":material/history_edu: This picture was made with {_tool(offer)}; its parameters are not recorded in it."
        )
        return
    with st.container(border=True):
        st.markdown(
            f":material/history_edu: **This picture contains its generation parameters**, written by {_tool(offer)}."
        )
        st.caption(escaped(_describe_offer(offer)))
        with st.container(horizontal=True):
            st.button(
                "Use these parameters",
                icon=":material/input:",
                key=f"{id}.use-said",
                on_click=_use,
                args=(studio, id, offer["params"]),
                disabled=not offer["params"],
                help="Fills the form with these parameters, including the seed. The others are kept.",
            )
            st.button("Not now", type="tertiary", key=f"{id}.leave-said", on_click=_use, args=(studio, id, {}))


def _tool(offer: Mapping[str, Any]) -> str:
    return escaped(TOOLS.get(offer["tool"], "another program"))


def _describe_offer(offer: Mapping[str, Any]) -> str:
    params = offer["params"]
    words = " ".join(str(params.get("prompt", "")).split())
    parts = [f"“{words[:WORDS_SHOWN]}{'…' if len(words) > WORDS_SHOWN else ''}”"] if words else []
    told = [name for name in PARAMETERS if params.get(name, "") != "" and name not in ("prompt", "negative_prompt")]
    parts += [f"{PARAMETERS[name].title} {_shown(name, params[name])}" for name in told]
    if offer["model"] and "model" not in params:
        parts.append(f"model {offer['model'][:WORDS_SHOWN]} isn't installed here")
    parts += [describe_too_long(name) for name in offer.get("too_long", ())]
    if offer["seed"]:
        parts.append(f"seed {offer['seed']} is too large here")
    return " · ".join(parts)


def _shown(name: str, value: Any) -> str:
    return str(in_words(name, value)) if name in LISTS else SCHEDULERS.get(str(value), str(value))


def _use(studio: Studio, id: str, params: Mapping[str, Any]) -> None:
    fill_form(studio, id, params)
    state.change_draft(studio, id, said={})


def _own_picture(studio: Studio, id: str) -> None:
    file = st.file_uploader(
        "Your picture",
        FILE_TYPES,
        key=f"{id}.picture",
        help="PNG, JPEG, WEBP or AVIF. It stays on the machine that runs Inpaint Studio.",
    )
    if file is not None and state.is_new_file("picture", file.file_id):
        with shown_errors(), st.spinner("Opening the picture"):
            _open(studio, id, file.getvalue(), file.name)
            st.rerun()


def _samples(studio: Studio, id: str) -> None:
    st.markdown("Or start with a sample:")
    phone = state.is_phone()
    with st.container(horizontal=True, horizontal_alignment="distribute" if phone else "left"):
        for sample in _bundled():
            with st.container(width=148):
                st.image(_thumbnail(sample["file"]), alt=sample["title"], width="stretch")
                action_button(
                    sample["title"],
                    _open_sample,
                    studio,
                    id,
                    sample["file"],
                    key=f"sample-{sample['file']}",
                    width="stretch",
                )
                # Not a caption: a link in it is too pale to be read.
                licence = escaped(sample["licence"]).replace(" ", "&nbsp;")
                st.markdown(f":small[{escaped(sample['author'])}, [{licence}]({sample['licence_url']})]")


def _open_sample(studio: Studio, id: str, file: str) -> None:
    _open(studio, id, (SAMPLES / file).read_bytes(), file)


def _open(studio: Studio, id: str, data: bytes, name: str) -> None:
    picture = studio.pictures.read(data)
    before = studio.drafts.get(id) or Draft()
    draft = studio.drafts.open_picture(before, picture, name).changed(said=_offer_of(studio, data, picture))
    prepare(studio, draft.picture, picture.image)
    if before.source is None:
        studio.drafts.save(id, draft)
    else:
        # The mask and the results of the picture before are one step back.
        state.open_draft(studio, draft.changed(before=id))


def _offer_of(studio: Studio, data: bytes, picture: Picture) -> Mapping[str, Any]:
    imported = studio.imports.read(data, picture)
    if imported is None:
        return {}
    offer = imported.offer
    if imported.params.get("model") not in {spec.key for spec in studio.models.listed()}:
        offer["model"] = offer["params"].pop("model", offer["model"])
    return offer


@st.cache_data(show_spinner=False)
def _bundled() -> list[dict[str, str]]:
    samples: list[dict[str, str]] = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))
    return samples


@st.cache_data(show_spinner=False)
def _thumbnail(file: str) -> bytes:
    from PIL import Image, ImageOps

    with Image.open(SAMPLES / file) as image:
        return encoded(ImageOps.fit(image.convert("RGB"), (352, 232)), "JPEG", quality=85)
