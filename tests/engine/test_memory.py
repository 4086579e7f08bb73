"""Models that do not fit are refused before they are loaded, and spread over card and memory where they fit so."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.environment import Device
from core.domain.errors import OutOfMemory
from core.engine import memory
from tests.engine.tiny import a_working_request

CPU, APPLE, CARD = (
    Device(key, "", dtype) for key, dtype in (("cpu", "float32"), ("mps", "float32"), ("cuda:0", "bfloat16"))
)
PARTS = {"text_encoder": 4_000, "transformer": 10_000, "vae": 1_000}


@pytest.mark.parametrize(
    ("free", "placement"),
    [(None, "whole"), (20_000, "whole"), (17_000, "model"), (12_100, "model"), (11_000, "sequential")],
)
def test_on_a_card_lies_as_much_as_fits_with_room_to_compute(free, placement):
    assert memory.placement(PARTS, free) == placement


@pytest.mark.parametrize(
    ("free", "dtype"), [(None, "float32"), (15_000, "float32"), (14_999, "bfloat16"), (7_500, "bfloat16")]
)
def test_a_processor_computes_in_half_precision_only_what_would_not_fit_otherwise(free, dtype):
    assert memory.fitting_dtype(PARTS, CPU, "bfloat16", free) == dtype
    assert memory.fitting_dtype(PARTS, APPLE, "bfloat16", free) == dtype
    assert memory.fitting_dtype(PARTS, CARD, "bfloat16", free) == "bfloat16"


@pytest.mark.parametrize("free", [None, 10**6])
def test_what_is_to_take_less_memory_takes_the_half_where_it_lies_in_the_machine_and_its_family_bears_it(free):
    assert memory.fitting_dtype(PARTS, CPU, "bfloat16", free, smaller=True) == "bfloat16"
    assert memory.fitting_dtype(PARTS, APPLE, "bfloat16", free, smaller=True) == "bfloat16"
    assert memory.fitting_dtype(PARTS, CPU, "float16", free, smaller=True) == "float32"
    assert memory.fitting_dtype(PARTS, CARD, "bfloat16", free, smaller=True) == CARD.dtype


@pytest.mark.parametrize(("half", "free"), [("bfloat16", 7_499), ("float16", 14_999)])
def test_what_does_not_fit_at_all_is_refused_with_both_numbers(half, free):
    parts = {name: size * 10**6 for name, size in PARTS.items()}
    needed = r"7\.5 GB" if half == "bfloat16" else r"15\.0 GB"

    with pytest.raises(OutOfMemory, match=rf"{needed} of memory, and {free / 1000:.1f} GB are free"):
        memory.fitting_dtype(parts, CPU, half, free * 10**6)


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
    monkeypatch.setattr(memory, "free_memory", lambda: needed * 3 // 4)

    half = loaded(folder)

    assert (whole.model.dtype, half.model.dtype) == ("float32", "bfloat16")
    assert half.inpaint(a_working_request(), lambda report: None).record["dtype"] == "bfloat16"
