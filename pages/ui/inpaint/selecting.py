"""Parts of the mask that are found: objects where it is painted roughly, the subject, the background, text, faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.domain.errors import EmptyMask, InvalidInput, StudioError
from core.domain.geometry import Bounds
from core.domain.pixels.mask import Mask, areas_of
from core.domain.selecting import Selected, Selection
from pages.ui.inpaint.mask_tools import mask_as_stored, replace_mask
from pages.ui.inpaint.open_draft import OpenDraft
from pages.ui.inpaint.painter import take_painted
from pages.ui.shell import state
from pages.ui.shell.messages import escaped

KIND = "selecting-kind"

TITLES = {
    Selection.OBJECT: "Object",
    Selection.SUBJECT: "Subject",
    Selection.BACKGROUND: "Background",
    Selection.TEXT: "Text",
    Selection.FACES: "Faces",
}

WORDS = {
    Selection.OBJECT: "Paint roughly over an object, or draw a rectangle around it: each painted area becomes the "
    "object in it.",
    Selection.SUBJECT: "What stands out in the picture. Landscapes and crowds often have no subject.",
    Selection.BACKGROUND: "Everything but the subject.",
    Selection.TEXT: "Each line of text. Large handwriting can be missed.",
    Selection.FACES: "An ellipse around each face. Faces from behind or half covered can be missed.",
}

MAX_AREAS = 200
"""Of a mask that are looked at."""

ROUGHER = 1.25
"""Where an object was found, and so many times its pixels are masked again, that was undone and is to be tried anew."""

MAX_OBJECTS = 6
"""At once: each takes about a second."""


def selecting(opened: OpenDraft) -> None:
    """The button, in the row that stands open."""
    # Always drawn: at the foot of the window, where it stands, a panel that grows when it is open would be cut off.
    with st.popover("Select", icon=":material/select_all:"):
        chosen = st.segmented_control(
            "Find", list(TITLES), default=Selection.OBJECT, required=True, key=KIND, format_func=TITLES.__getitem__
        )
        kind = Selection(chosen or Selection.OBJECT)
        st.caption(WORDS[kind])
        if kind is Selection.OBJECT:
            _object_buttons(opened)
        else:
            _other_buttons(opened, kind)
        told = state.pop_flash(_told(opened))
        if told is not None:
            is_problem, words = told
            (st.warning if is_problem else st.caption)(escaped(words))


def _object_buttons(opened: OpenDraft) -> None:
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Select the object",
            icon=":material/center_focus_strong:",
            type="primary",
            key="selecting-object",
            disabled=opened.draft.has_no_mask,
            on_click=_select_objects,
            args=(opened, 0),
        )
        last = state.widget_value(_last(opened))
        if last is not None and last["after"] == opened.draft.base_mask:
            st.button(
                "Try another way",
                icon=":material/swap_horiz:",
                help="Two methods look for an object, and fail on different things. This takes the other one's mask.",
                key="selecting-other",
                on_click=_select_objects,
                args=(opened, 1 - last["nth"], last),
            )


def _other_buttons(opened: OpenDraft, kind: Selection) -> None:
    with st.container(horizontal=True, gap="small"):
        for title, icon, subtracts in (("Add", "add", False), ("Subtract", "remove", True)):
            st.button(
                title,
                icon=f":material/{icon}:",
                type="secondary" if subtracts else "primary",
                help="Remove it from the mask" if subtracts else "Add it to the mask",
                key=f"selecting-{title.lower()}",
                on_click=_select,
                args=(opened, kind, subtracts),
            )


def _select(opened: OpenDraft, kind: Selection, subtracts: bool) -> None:
    """The stroke that came in with this very click goes first."""
    take_painted(opened.studio, opened.id)
    try:
        opened = opened.read_again()
        [found] = opened.studio.selections.find(opened.studio.gallery.image(opened.source), kind)
        mask = mask_as_stored(opened).resized(opened.picture)
        mask = mask.without(found.mask) if subtracts else mask.union(found.mask)
        replace_mask(opened, mask, selection=(*opened.draft.selection, _origin(found, subtracts)))
    except StudioError as problem:
        state.flash(_told(opened), (True, str(problem)))
    else:
        count = "" if found.count is None else f" ({found.count})"
        done = "taken from the mask" if subtracts else "added to the mask"
        state.flash(_told(opened), (False, f"{TITLES[kind]}{count}: {done}. Adjust can grow it; Undo takes it back."))


def _select_objects(opened: OpenDraft, nth: int, last: Mapping[str, Any] | None = None) -> None:
    """nth: which of the masks that were found, the likeliest is 0. last: what was done with the other one."""
    take_painted(opened.studio, opened.id)
    opened = opened.read_again()
    if last is not None and last["after"] == opened.draft.base_mask:
        # Not stored: if nothing is found, the mask stays as it is.
        draft = opened.draft.changed(drawing=None, base_mask=last["before"], selection=last["selection"])
        opened = replace(opened, draft=draft)
    before = {"before": opened.draft.base_mask, "selection": opened.draft.selection, "nth": nth}
    try:
        mask, found = _with_objects(opened, nth)
        opened = replace_mask(opened, mask, selection=(*opened.draft.selection, *(_origin(one) for one in found)))
    except StudioError as problem:
        state.flash(_told(opened), (True, str(problem)))
    else:
        state.set_value(_last(opened), {**before, "after": opened.draft.base_mask})
        objects = "The object is" if len(found) == 1 else f"{len(found)} objects are"
        state.flash(_told(opened), (False, f"{objects} selected. Correct it with the brush; Adjust can grow it."))


def _with_objects(opened: OpenDraft, nth: int) -> tuple[Mask, Sequence[Selected]]:
    """The mask with each roughly painted area as the object in it. Raises NothingFound, EmptyMask or InvalidInput."""
    rough = mask_as_stored(opened)
    areas = list(_rough_areas(rough, opened))
    if not areas:
        raise EmptyMask("Nothing new is painted. Paint roughly over an object, or draw a rectangle around it.")
    if len(areas) > MAX_OBJECTS:
        raise InvalidInput(f"{len(areas)} areas are painted. Paint over at most {MAX_OBJECTS} objects at once.")
    picture = opened.studio.gallery.image(opened.source)
    kept, found = rough.pixels.copy(), []
    for bounds, area in areas:
        kept[area] = 0
        masks = opened.studio.selections.find(picture, Selection.OBJECT, bounds.scaled(rough.size, opened.picture))
        found.append(masks[min(nth, len(masks) - 1)])
    mask = Mask(kept).resized(opened.picture)
    for one in found:
        mask = mask.union(one.mask)
    return mask, found


def _rough_areas(mask: Mask, opened: OpenDraft) -> Iterator[tuple[Bounds, NDArray[np.bool_]]]:
    """Boxes and pixels of areas apart from each other, without the objects that were found already."""
    labels, count = areas_of(mask.pixels > 0, diagonals=True)
    if count > MAX_AREAS:
        raise InvalidInput(f"The mask has {count} parts. Remove the specks with Adjust, or paint on an empty mask.")
    scale = opened.picture.pixels / mask.size.pixels
    known = [
        (box.scaled(opened.picture, mask.size), pixels * ROUGHER / scale)
        for box, pixels in _known_objects(opened.draft.selection)
    ]
    for label in range(1, count + 1):
        area = labels == label
        bounds = Mask(np.where(area, np.uint8(255), np.uint8(0))).bounds
        assert bounds is not None
        if not any(box.contains(bounds) and area.sum() < most for box, most in known):
            yield bounds, area


def _known_objects(selection: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Bounds, int]]:
    """Boxes of the picture in which objects were found, and of how many pixels. A draft may be a stranger's file."""
    for one in selection:
        # What is of another kind has no box, and what is malformed was not written here.
        with suppress(KeyError, TypeError, ValueError):
            yield Bounds(*map(int, one["box"])), int(one["pixels"])


def _origin(found: Selected, subtracts: bool = False) -> dict[str, Any]:
    facts = {"mask_sha256": found.mask.sha256, "pixels": int(np.count_nonzero(found.mask.pixels))}
    return {**found.origin, **facts, **({"subtracted": True} if subtracts else {})}


def _told(opened: OpenDraft) -> str:
    return f"{opened.id}.selecting"


def _last(opened: OpenDraft) -> str:
    return f"{opened.id}.selected-last"
