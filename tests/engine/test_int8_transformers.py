"""The transformers of the other families, with their weights kept as int8: near what they are, and EXACT again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engine.diffusers_inpainter import load
from core.engine.models.catalogue import Catalogue
from core.engine.storage import prepared
from core.engine.storage.int8 import Int8
from tests.engine.tiny import a_working_request
from tests.engine.tiny_transformers import PIPELINES


def painted(inpainter):
    return np.asarray(inpainter.inpaint(a_working_request(num_inference_steps=2), lambda report: None).image, int)


IN_EACH_RUN = ("FLUX.1", "Z-Image")


@pytest.mark.parametrize(
    "title", [title if title in IN_EACH_RUN else pytest.param(title, marks=pytest.mark.slow) for title in PIPELINES]
)
def test_with_int8_weights_it_paints_nearly_the_same_and_each_time_the_same(title, transformer, settings):
    whole = transformer(title)
    folder = Path(whole.model.key)

    def kept(dtype):
        return load(str(folder), "cpu", Catalogue(settings), settings, dtype=dtype)

    first = kept("int8+float32")
    modules = [module for module in first._pipe.transformer.modules() if isinstance(module, Int8)]
    picture = painted(first)

    assert len(modules) > 3
    assert (first.model.dtype, len(prepared.files(settings.prepared))) == ("int8+float32", 1)
    assert np.array_equal(painted(kept("int8+float32")), picture)
    assert 0 < np.abs(picture - painted(whole)).mean() < 8
    half = painted(kept("int8+bfloat16"))
    assert np.abs(half - picture).mean() < 8
