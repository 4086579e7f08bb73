"""The memory plan: it never plans what does not fit, more memory never makes it smaller, and it says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.environment import Device
from core.domain.errors import InvalidParams, OutOfMemory
from core.domain.model_library import MemoryPlan
from core.domain.params import DTYPES
from core.engine.plan import WORK, needed_in, plan

CPU = Device("cpu", "a processor", "float32", takes_bfloat16=True)
APPLE, CARD = Device("mps", "graphics", "float32"), Device("cuda:0", "a card", "bfloat16", takes_bfloat16=True)
MB = 10**6
TRANSFORMER = {"text_encoder": 4_000 * MB, "transformer": 10_000 * MB, "vae": 1_000 * MB}
UNET = {"text_encoder": 4_000 * MB, "unet": 10_000 * MB, "vae": 1_000 * MB}

ROOM, LEAST = 1_101.1, 17.3
"""MB that a picture of 512 px takes in float32, and the least one that can be chosen."""

SIZES = st.integers(1, 10**11)
WHOLE_NUMBERS = st.integers(1, 10**11 // 4).map(lambda numbers: 4 * numbers)
"""Bytes of so many numbers in float32: in each other type they take a whole number of bytes, too."""
ENCODERS = {"text_encoder": WHOLE_NUMBERS, "vae": WHOLE_NUMBERS}
PARTS = st.one_of(st.fixed_dictionaries({**ENCODERS, name: WHOLE_NUMBERS}) for name in ("unet", "transformer"))
HALVES = st.sampled_from(["bfloat16", "float16"])


def planned(parts, device=CPU, half="bfloat16", free=None, **more):
    return plan(parts, device, half=half, free=free, native_px=512, **more)


@given(PARTS, HALVES, SIZES, st.sampled_from(sorted(DTYPES)), st.booleans())
def test_what_is_planned_fits_is_what_was_asked_for_and_has_a_reason_with_its_size(parts, half, free, wish, smaller):
    try:
        found = planned(parts, half=half, free=free, wish=wish, smaller=smaller)
    except OutOfMemory as error:
        assert f"{free / 1e9:.1f} GB are free" in str(error)
        return
    except InvalidParams:
        assert "int8" in wish
        assert not {"unet", "transformer"} & parts.keys()
        return

    assert found.needed == needed_in(found.dtype, parts) <= free
    # Never a size whose picture would not fit beside the weights, and the next size would not.
    each = 2 if found.computed_in == "bfloat16" else 4
    assert found.needed + each * WORK.least(found.most_px**2) <= free
    assert found.most_px == 2048 or found.needed + each * WORK.least((found.most_px + 8) ** 2) > free
    assert wish in ("auto", found.dtype)
    assert found.reason.startswith(f"{found.dtype}: ")
    assert f"{found.needed / 1e9:.1f} GB" in found.reason


@given(PARTS, HALVES, SIZES, SIZES)
def test_more_memory_never_gives_a_smaller_model_and_where_less_is_enough_so_is_more(parts, half, free, more):
    def needed(free):
        try:
            return planned(parts, half=half, free=free).needed
        except OutOfMemory:
            return 0

    assert needed(free) <= needed(free + more)


@given(PARTS, HALVES, SIZES)
def test_after_memory_ran_out_nothing_larger_is_planned_and_something_smaller_if_there_is_any(parts, half, free):
    try:
        usual = planned(parts, half=half, free=free)
        less = planned(parts, half=half, free=free, smaller=True)
    except OutOfMemory:
        return

    there_is_less = half == "bfloat16" or "unet" in parts
    assert (less.dtype != "float32") == there_is_less
    assert less.needed <= usual.needed


@given(PARTS, HALVES, SIZES)
def test_the_page_of_models_says_what_would_be_planned(parts, half, free):
    told = MemoryPlan.of(
        sum(parts.values()), CPU, free, bears_half=half == "bfloat16", of_unet=parts.get("unet", 0), native_px=512
    )

    try:
        found = planned(parts, half=half, free=free)
    except OutOfMemory:
        assert not told.fits
        return
    assert (str(told.fit).removeprefix("fits").removeprefix(" in ") or "float32") == found.dtype.partition("+")[0]
    assert told.needed == found.needed


@pytest.mark.parametrize(
    ("free", "dtype"),
    [(None, "float32"), (15_000 + ROOM, "float32"), (14_999 + ROOM, "bfloat16"), (7_500 + LEAST / 2, "bfloat16")],
)
def test_a_processor_computes_in_half_precision_only_what_would_not_fit_otherwise(free, dtype):
    free = free and int(free * MB) + 1
    assert planned(TRANSFORMER, free=free).dtype == dtype
    assert planned(TRANSFORMER, APPLE, free=free).dtype == dtype
    assert planned(TRANSFORMER, CARD, free=free).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("free", "dtype"),
    [(None, "float32"), (15_000 + ROOM, "float32"), (14_999 + ROOM, "int8+float32"), (7_500 + LEAST, "int8+float32")],
)
def test_a_unet_is_kept_as_int8_only_where_it_would_not_fit_otherwise(free, dtype):
    assert planned(UNET, half="float16", free=free and int(free * MB) + 1).dtype == dtype


@pytest.mark.parametrize(
    ("free", "px", "words"),
    [
        (7_500 + ROOM + 1, 752, None),
        # In tiles, of which each takes 0.6 GB.
        (7_500 + 700, 600, None),
        (7_500 + 500, 344, "room for 344 x 344 pixels at the most"),
        (7_500 + LEAST, 64, "room for 64 x 64 pixels at the most"),
    ],
)
def test_the_largest_picture_that_fits_is_told_with_the_reason_where_it_is_smaller_than_the_models_own(free, px, words):
    found = planned(UNET, half="float16", free=int(free * MB) + 1)

    assert (found.dtype, found.most_px) == ("int8+float32", px)
    assert "a picture of 512 x 512 pixels 1.1 GB" in found.reason
    assert ("at the most" in found.reason) == (words is not None)
    assert (words or "") in found.reason


@pytest.mark.parametrize("free", [None, 10**11])
def test_what_is_to_take_less_memory_does_where_it_lies_in_the_machine(free):
    for device in (CPU, APPLE):
        assert planned(TRANSFORMER, device, free=free, smaller=True).dtype == "bfloat16"
        assert planned(UNET, device, half="float16", free=free, smaller=True).dtype == "int8+float32"
    assert planned(TRANSFORMER, CARD, free=free, smaller=True).dtype == CARD.dtype


@pytest.mark.parametrize(("half", "free"), [("bfloat16", 7_490), ("float16", 14_990)])
def test_what_does_not_fit_at_all_is_refused_with_both_numbers(half, free):
    needed = r"7\.5 GB" if half == "bfloat16" else r"15\.0 GB"

    with pytest.raises(OutOfMemory, match=rf"{needed} of memory, and {free / 1000:.1f} GB are free"):
        planned(TRANSFORMER, half=half, free=free * MB)


def test_a_precision_by_choice_that_does_not_fit_is_refused_and_the_one_that_takes_least_named():
    with pytest.raises(OutOfMemory, match="Choose the precision 'Kept in eight bits"):
        planned(UNET, half="float16", free=14_999 * MB, wish="float32")


@pytest.mark.parametrize(
    ("parts", "device", "wish", "words"),
    [
        ({"prior": 1, "vae": 1}, CPU, "int8+float32", "this model has neither"),
        (UNET, CARD, "int8+float32", "On a card"),
        (UNET, APPLE, "int8+bfloat16", "graphics does not compute in bfloat16"),
    ],
)
def test_what_cannot_be_had_is_refused_in_words(parts, device, wish, words):
    with pytest.raises(InvalidParams, match=words):
        planned(parts, device, wish=wish)


@pytest.mark.parametrize(("parts", "least"), [(UNET, "float32"), (TRANSFORMER, "bfloat16")])
def test_by_choice_the_denoiser_alone_takes_a_quarter_and_is_what_is_advised(parts, least):
    found = planned(parts, free=10**12, wish=f"int8+{least}")

    assert found.needed == 2_500 * MB + 5_000 * MB // (1 if least == "float32" else 2)
    with pytest.raises(OutOfMemory, match=rf"Choose the precision 'Kept in eight bits \(int8\), computed in {least}'"):
        planned(parts, free=5_000 * MB)
