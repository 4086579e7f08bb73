from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import InvalidParams
from core.domain.model_address import id_of, is_address, names_single_file
from core.domain.params import InpaintParams

NAMES = st.text("abcXYZ012-_.", min_size=1, max_size=20).filter(lambda name: not name.endswith(".git"))


@given(
    NAMES.filter(lambda owner: owner not in ("models", "docs")),
    NAMES,
    st.sampled_from(["https://huggingface.co/", "http://www.huggingface.co/", "huggingface.co/", "https://hf.co/"]),
    st.sampled_from(["", "/", "/tree/main", "?library=diffusers", "#usage", "/discussions/3", "/tree/main/unet"]),
)
def test_every_page_of_a_model_means_its_id(owner, name, before, after):
    assert id_of(f"{before}{owner}/{name}{after}") == f"{owner}/{name}"
    assert InpaintParams(model=f" {before}{owner}/{name}{after} ").model == f"{owner}/{name}"


@pytest.mark.parametrize(
    ("address", "id"),
    [
        ("https://huggingface.co/owner/name/tree/fp16", "owner/name@fp16"),
        ("https://huggingface.co/owner/name/commit/abc", "owner/name@abc"),
        ("https://huggingface.co/owner/name/tree/refs%2Fpr%2F3", "owner/name@refs/pr/3"),
        ("https://huggingface.co/datasets/owner/name", None),
        ("https://huggingface.co/owner", None),
        ("https://example.org/owner/name", None),
        ("https://[::1/owner/name", None),
        ("owner/name", None),
        ("https://huggingface.co/owner/na%00me", None),
        ("https://huggingface.co/owner/name/tree/%0a", None),
        ("https://huggingface.co/%ED%A0%80/name", None),
    ],
)
def test_a_revision_stays_with_the_id_and_other_pages_mean_no_model(address, id):
    assert id_of(address) == id


def test_the_address_of_one_file_is_not_taken_for_its_repository():
    address = "https://huggingface.co/owner/name/blob/main/v1.safetensors"

    assert names_single_file(address)
    assert InpaintParams(model=address).model == address
    assert not names_single_file("https://huggingface.co/owner/name/blob/main/unet/diffusion_pytorch_model.safetensors")


@given(st.text())
def test_of_any_text_something_is_said_and_an_id_stays_as_it_is(text):
    assert id_of(text) is None or is_address(text)
    try:
        model = InpaintParams(model=text).model
    except InvalidParams:
        return
    assert model == (id_of(text) or text)
