"""The ControlNets of the form: which, what each is shown, how strongly and when it guides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from core.bootstrap import Studio
from core.domain.control import GIVEN, HINTS, INPAINT, MAX_CONTROLNETS, MAX_SCALE, hint_of, takes_picture
from core.domain.draft import Draft
from core.domain.files.picture_formats import FILE_TYPES
from core.domain.geometry import Size
from core.domain.guide import Guide, Role, picture_in
from core.domain.model_file import NamedFile
from core.domain.params import PARAMETERS
from core.domain.request import check_guide
from pages.ui.shell import prepared, state
from pages.ui.shell.messages import escaped, shown_errors

FIELD = "controlnet"
Values = Sequence[Mapping[str, Any]]
"""As the draft keeps them: fields of Controls."""

STEP = 0.05
PART = (0.0, 1.0)

PICTURE_HELP = {
    True: "Of your picture's proportions: such as a depth map, or a pose on black.",
    False: "The hint is then made from this picture. It must have your picture's proportions.",
}


def control_field(studio: Studio, id: str, kept: Values, model: str) -> list[dict[str, Any]]:
    """What is chosen. Shown only where the model takes ControlNets, and one is there or was chosen."""
    fitting = {file.name: file for file in studio.controlnets.for_model(model)}
    chosen = held_controls(id, kept)
    takes_none = FIELD in studio.recommendations.unused(model)
    if takes_none or not (fitting or chosen):
        return chosen
    fill_once(id, chosen)
    options = [*fitting, *(one["name"] for one in chosen if one["name"] not in fitting)]
    names = st.multiselect(
        PARAMETERS[FIELD].title,
        options,
        key=_key(id),
        help=PARAMETERS[FIELD].help,
        max_selections=MAX_CONTROLNETS,
        placeholder="None",
        on_change=_keep,
        args=(studio, id),
    )
    for at, name in enumerate(names):
        with st.container(border=True):
            _control(studio, id, at, name, fitting.get(name))
    return held_controls(id, kept)


def _control(studio: Studio, id: str, at: int, name: str, file: NamedFile | None) -> None:
    look: dict[str, Any] = {"on_change": _keep, "args": (studio, id)}
    told = f"{escaped(file.about.title)}." if file else "Not among the ControlNets for this model on this machine."
    state.set_default(_key(id, "hint", name), hint_of(name))
    hint = st.selectbox(
        f"{escaped(name)} is shown",
        [*HINTS],
        format_func=lambda hint: HINTS[hint],
        key=_key(id, "hint", name),
        help=f"{told} Use the hint that it was made for.",
        **look,
    )
    draft = studio.drafts.get(id) or Draft()
    key = picture_in(draft.guides, Role.CONTROL, at) if takes_picture(hint) else None
    if takes_picture(hint):
        _picture(studio, id, at, name, hint, key)
    state.set_default(_key(id, "weight", name), 1.0)
    state.set_default(_key(id, "part", name), PART)
    left, right = st.columns(2)
    left.slider(
        "Weight",
        0.0,
        MAX_SCALE,
        step=STEP,
        key=_key(id, "weight", name),
        help="How strongly it guides (controlnet_conditioning_scale); 0 is off.",
        **look,
    )
    right.slider(
        "From, to",
        *PART,
        step=STEP,
        key=_key(id, "part", name),
        help="The part of the steps in which it guides (control_guidance_start, control_guidance_end): the first ones "
        "decide the composition, the last ones details.",
        **look,
    )
    if (shown := key or draft.source) is not None and (key or hint != GIVEN) and hint != INPAINT:
        _preview(studio, id, name, shown, hint)


def _picture(studio: Studio, id: str, at: int, name: str, hint: str, key: str | None) -> None:
    """Where another picture than the one that is repainted is chosen, and taken away again."""
    upload = _key(id, "upload", name)
    if key is None:
        title = "Control picture" if hint == GIVEN else "Another picture (optional)"
        file = st.file_uploader(title, FILE_TYPES, key=upload, help=PICTURE_HELP[hint == GIVEN])
        if file is not None and state.is_new_file(upload, file.file_id):
            with shown_errors():
                _take(studio, id, at, file.getvalue())
                st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with shown_errors():
            st.image(prepared.screen_picture(studio, key), alt=f"Control picture of {name}", width=120)
        st.button(
            "Remove",
            icon=":material/close:",
            key=_key(id, "remove", name),
            help="Take this control picture away",
            on_click=_put,
            args=(studio, id, at, None),
        )


def _preview(studio: Studio, id: str, name: str, shown: str, hint: str) -> None:
    if st.toggle("Preview", key=_key(id, "preview", name), help="What the ControlNet is shown, of the whole picture."):
        with shown_errors():
            alt = f"What {name} is shown: {HINTS[hint]}"
            st.image(prepared.hint_picture(studio, shown, hint), alt=alt, width="stretch")


def _take(studio: Studio, id: str, at: int, data: bytes) -> None:
    """An uploaded picture. Raises InvalidImage, or SizeMismatch where it does not fit the open picture."""
    picture, draft = studio.pictures.read(data), studio.drafts.get(id) or Draft()
    if draft.source is not None:
        guide, size = Guide(Role.CONTROL, at, picture.image), Size(*picture.image.size)
        check_guide(guide, size, prepared.picture_size(studio, draft.source))
    _put(studio, id, at, studio.controlnets.keep(picture))


def _put(studio: Studio, id: str, at: int, key: str | None) -> None:
    draft = studio.drafts.get(id) or Draft()
    others = tuple(guide for guide in draft.guides if (guide.role, guide.position) != (Role.CONTROL, at))
    state.change_draft(studio, id, guides=others if key is None else (*others, Guide(Role.CONTROL, at, key)))


def held_controls(id: str, kept: Values, session: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """What the field holds now; what the draft keeps, where it was not drawn yet. session: a snapshot to look in."""
    held = state.widget_value if session is None else session.get
    names = held(_key(id))
    if names is None:
        return [dict(one) for one in kept]
    before = {one["name"]: one for one in kept}
    return [_held(id, name, before.get(name, {}), held) for name in names]


def _held(id: str, name: str, before: Mapping[str, Any], held: Any) -> dict[str, Any]:
    fields = {"name": name, "hint": hint_of(name), **before}
    if (hint := held(_key(id, "hint", name))) is not None:
        fields["hint"] = hint
    if (weight := held(_key(id, "weight", name))) is not None:
        fields["controlnet_conditioning_scale"] = weight
    if (part := held(_key(id, "part", name))) is not None:
        fields["control_guidance_start"], fields["control_guidance_end"] = part
    return fields


def fill_controls(studio: Studio, id: str, values: Values) -> None:
    """For a callback: the field shows these."""
    draft = studio.drafts.get(id) or Draft()
    state.change_draft(studio, id, guides=_moved(draft.guides, draft.params.get(FIELD, ()), values))
    state.set_value(_key(id), [one["name"] for one in values])
    for one in values:
        for key, value in _shown(id, one):
            state.set_value(key, value)


def fill_once(id: str, chosen: Values) -> None:
    """A page switch takes widgets away with what they hold."""
    state.set_default(_key(id), [one["name"] for one in chosen])
    for one in chosen:
        for key, value in _shown(id, one):
            state.set_default(key, value)


def _shown(id: str, one: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the widgets of a ControlNet show, by their keys."""
    name, (start, end) = one["name"], PART
    yield _key(id, "hint", name), one.get("hint", hint_of(name))
    yield _key(id, "weight", name), float(one.get("controlnet_conditioning_scale", 1.0))
    part = one.get("control_guidance_start", start), one.get("control_guidance_end", end)
    yield _key(id, "part", name), tuple(map(float, part))


def _keep(studio: Studio, id: str) -> None:
    draft = studio.drafts.get(id) or Draft()
    if draft.params:
        before = draft.params.get(FIELD, ())
        now = held_controls(id, before)
        params = {**draft.params, FIELD: now}
        state.change_draft(studio, id, params=params, guides=_moved(draft.guides, before, now))


def _moved(guides: Sequence[Guide[str]], before: Values, now: Values) -> tuple[Guide[str], ...]:
    """A control picture stays with its ControlNet, wherever that stands now, and goes with it."""
    names, places = [one["name"] for one in before], {one["name"]: at for at, one in enumerate(now)}
    moved = []
    for guide in guides:
        if guide.role is not Role.CONTROL:
            moved.append(guide)
        elif guide.position < len(names) and (place := places.get(names[guide.position])) is not None:
            moved.append(Guide(guide.role, place, guide.picture))
    return tuple(moved)


def _key(id: str, *parts: str) -> str:
    return ".".join((id, FIELD, *parts))
