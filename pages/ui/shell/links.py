"""The pages by their files, and the addresses that lead from one to another."""

from __future__ import annotations

from pages.ui.shell import address, state

HOME_PAGE = "Home.py"
INPAINT_PAGE = "pages/1_Inpaint.py"
GALLERY_PAGE = "pages/2_Gallery.py"
QUEUE_PAGE = "pages/3_Queue.py"
MODELS_PAGE = "pages/6_Models.py"

GENERATION_PARAMETER = "generation"
"""In the address of the gallery: the id of the generation that is open."""

MODEL_PARAMETER = "model"
"""In the address of the models page: the key of the model that is open."""


def address_of(id: str) -> dict[str, str | list[str]]:
    """The query that opens this generation on the gallery page: its filters stay set, a draft stays behind."""
    stays = {name: values for name, values in address.as_dict().items() if name != state.DRAFT_PARAMETER}
    return stays | {GENERATION_PARAMETER: id}
