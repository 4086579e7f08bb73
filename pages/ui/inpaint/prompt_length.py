"""Whether the model reads the whole prompt: told beside it, before anything is painted."""

from __future__ import annotations

from collections.abc import Callable, Collection

import streamlit as st

from core.bootstrap import Studio
from core.domain.errors import StudioError
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.prompt_length import PromptLength
from pages.ui.shell.messages import escaped
from pages.ui.shell.wording import beginning

UNREAD_SHOWN = 120
"""Characters of what is not read; the rest is in the prompt, above."""


def prompt_length_line(
    studio: Studio, params: InpaintParams, unused: Collection[str], use_whole: Callable[[], None], key: str
) -> None:
    """A line for each prompt that is longer than what the model reads at once; nothing for others.

    use_whole: switches long_prompt on; it is offered where the model can.
    """
    try:
        lengths = studio.models.prompt_lengths(params)
    except StudioError:
        return  # told elsewhere: such a model cannot be chosen, such weights not be read
    cut = {name: length for name, length in lengths.items() if length.is_cut and name not in unused}
    can_whole = "long_prompt" not in unused
    for name, length in cut.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/content_cut: {_sentence(name, length, whole=params.long_prompt and can_whole)}")
            if can_whole and not params.long_prompt and name == next(iter(cut)):
                st.button(
                    PARAMETERS["long_prompt"].title, key=key, on_click=use_whole, help=PARAMETERS["long_prompt"].help
                )


def _sentence(name: str, length: PromptLength, *, whole: bool) -> str:
    title = PARAMETERS[name].title
    if whole:
        return f"{title}: {length.tokens} tokens, read in parts of {length.limit}."
    unread = escaped(beginning(length.unread, UNREAD_SHOWN))
    return f"{title}: the model reads {length.limit} of {length.tokens} tokens. Ignored: “{unread}”"
