"""Models that do not fit are refused before they are loaded, and spread over card and memory where they fit so."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.errors import OutOfMemory
from core.engine import memory
from tests.engine.tiny import a_working_request


def test_the_parts_are_as_large_as_they_are_once_loaded(shared, models):
    folder, pipe = models(in_channels=9), shared(in_channels=9)._pipe
    files = {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*")}

    parts = memory.of_parts(files, "float32")

    for name in ("text_encoder", "unet", "vae"):
        loaded = sum(values.numel() * 4 for values in getattr(pipe, name).parameters())
        assert loaded <= parts[name] <= loaded * 1.1, name
    assert memory.of_parts(files, "float16")["unet"] == parts["unet"] // 2


def test_a_model_larger_than_the_memory_is_refused_when_it_is_loaded(models, loaded, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)

    with pytest.raises(OutOfMemory, match="are free"):
        loaded(models(in_channels=9))


def test_a_large_transformer_is_loaded_in_half_precision_where_only_that_fits(transformer, loaded, monkeypatch):
    whole = transformer("Z-Image")
    folder = Path(whole.model.key)
    files = {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*.safetensors")}
    needed = sum(memory.of_parts(files, "float32").values())
    # With room for the least picture in half precision, but not for one of its own size in float32.
    monkeypatch.setattr(memory, "free_memory", lambda: needed * 3 // 4 + 10**7)

    half = loaded(folder)

    assert (whole.model.dtype, half.model.dtype) == ("float32", "bfloat16")
    assert half.inpaint(a_working_request(), lambda report: None).record["dtype"] == "bfloat16"
