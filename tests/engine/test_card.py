"""How a card is used, for made-up cards and the sizes of real models."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.environment import Device
from core.domain.model_library import Fit, MemoryPlan
from core.engine.card import Card, dtype, kernels, pins_ahead, placement, takes_groups
from core.engine.plan import plan
from core.engine.run.kernels import NOT_CHOSEN

GB = 10**9

SD15 = {"text_encoder": GB // 4, "unet": GB * 172 // 100, "vae": GB // 6}
XL = {"text_encoder": GB // 4, "text_encoder_2": GB * 139 // 100, "unet": GB * 514 // 100, "vae": GB // 6}
SD3 = {"text_encoder_3": GB * 952 // 100, "transformer": GB * 406 // 100, "vae": GB // 6}
FLUX = {"text_encoder_2": GB * 952 // 100, "transformer": GB * 238 // 10, "vae": GB // 6}
"""Bytes in half precision."""

AMPERE, TURING, PASCAL = (Card("a card", capability, has_compiler=True) for capability in ((8, 6), (7, 5), (6, 1)))
SIZES = st.integers(1, 10**11)


@pytest.mark.parametrize(
    ("parts", "dtype", "native_px", "expected"),
    [
        (SD15, "float16", 512, {4: "whole", 6: "whole", 8: "whole", 12: "whole", 24: "whole"}),
        (XL, "float16", 1024, {4: "sequential", 6: "sequential", 8: "model", 12: "whole", 24: "whole"}),
        (SD3, "bfloat16", 1024, {4: "group", 6: "group", 8: "group", 12: "model", 24: "whole"}),
        (FLUX, "bfloat16", 1024, {4: "group", 6: "group", 8: "group", 12: "group", 24: "group", 32: "model"}),
    ],
)
def test_on_a_card_lies_as_much_as_fits_with_room_for_a_picture(parts, dtype, native_px, expected):
    by_group = takes_groups(Device("cuda:0", "a card", "float16"), of_unet="unet" in parts)

    placed = partial(placement, parts, dtype=dtype, native_px=native_px, by_group=by_group)
    assert {size: placed(size * GB) for size in expected} == expected


def test_a_card_that_does_not_tell_its_memory_gets_the_whole():
    assert placement(FLUX, None, "bfloat16", native_px=1024) == "whole"


@pytest.mark.parametrize(
    ("key", "of_unet", "expected"), [("cuda:1", False, True), ("cuda:1", True, False), ("xpu:0", False, False)]
)
def test_layers_come_ahead_only_where_there_are_streams_and_no_weights_are_exchanged(key, of_unet, expected):
    assert takes_groups(Device(key, "a card", "float16"), of_unet=of_unet) is expected


@given(
    st.dictionaries(st.sampled_from(["unet", "transformer", "vae", "text_encoder"]), SIZES, min_size=1), SIZES, SIZES
)
def test_more_memory_never_puts_less_on_a_card(parts, free, more):
    order = ["group", "model", "whole"]

    def rank(free):
        return order.index(placement(parts, free, "float16", native_px=512, by_group=True))

    assert rank(free) <= rank(free + more)


@pytest.mark.parametrize(
    ("half", "takes_bfloat16", "free", "expected"),
    [
        ("float16", False, 4 * GB, "float16"),
        ("float32", False, 6 * GB, "float32"),
        ("bfloat16", True, 8 * GB, "bfloat16"),
        ("bfloat16", False, 12 * GB, "bfloat16"),
        ("bfloat16", False, 24 * GB, "bfloat16"),
        ("bfloat16", False, 48 * GB, "float32"),
    ],
)
def test_without_units_for_bfloat16_it_is_computed_in_only_what_would_not_fit_otherwise(
    half, takes_bfloat16, free, expected
):
    device = Device("cuda:0", "a card", half, takes_bfloat16=takes_bfloat16)
    in_float32 = {name: 2 * size for name, size in SD3.items()}

    assert dtype(device, in_float32, free, native_px=1024)[0] == expected
    planned = plan(in_float32, device, half="bfloat16", free=free, native_px=1024)
    assert planned.dtype == expected
    assert planned.reason.startswith(f"{expected}: ")


@pytest.mark.parametrize("wish", ["float32", "bfloat16"])
def test_what_was_asked_for_is_never_exchanged_for_what_suits_the_card_better(wish):
    device = Device("cuda:0", "a card", "float16", takes_bfloat16=False)

    assert plan(SD15, device, half="float16", free=4 * GB, native_px=512, wish=wish).dtype == wish


def test_the_page_of_models_counts_full_precision_on_a_card_whose_half_gives_no_numbers():
    needs = 2 * sum(SD15.values())
    six, of_1660 = (Device("cuda:0", "a card", dtype, memory=5 * GB) for dtype in ("float16", "float32"))

    assert MemoryPlan.of(needs, six, 16 * GB).fit is Fit.WHOLE
    assert MemoryPlan.of(needs, of_1660, 16 * GB).fit is Fit.IN_PARTS
    assert MemoryPlan.of(needs, of_1660, 16 * GB, bears_half=True).fit is Fit.WHOLE


@pytest.mark.parametrize("device", [None, Card("a card of another maker")])
def test_nothing_is_chosen_where_nothing_is_known(device):
    assert kernels(device, "float16", "whole", of_unet=True, compiles=True) == NOT_CHOSEN


@pytest.mark.parametrize(
    ("card", "dtype", "attention", "channels_last"),
    [
        (AMPERE, "float16", ("flash", "efficient", "math"), True),
        (AMPERE, "bfloat16", ("flash", "efficient", "math"), True),
        (AMPERE, "float32", ("efficient", "math"), False),
        (TURING, "float16", ("efficient", "math"), True),
        (PASCAL, "float16", ("efficient", "math"), False),
    ],
)
def test_kernels_are_those_that_the_card_has_units_for(card, dtype, attention, channels_last):
    found = kernels(card, dtype, "whole", of_unet=True, compiles=False)

    assert (found.attention, found.channels_last, found.compiled) == (attention, channels_last, False)
    assert not kernels(card, dtype, "whole", of_unet=False, compiles=False).channels_last
    assert not kernels(card, dtype, "sequential", of_unet=True, compiles=False).channels_last


@pytest.mark.parametrize(
    ("card", "placement", "expected"),
    [
        (AMPERE, "whole", True),
        (TURING, "whole", True),
        (PASCAL, "whole", False),
        (Card("a card", (8, 6), has_compiler=False), "whole", False),
        (AMPERE, "model", False),
        (AMPERE, "group", False),
    ],
)
def test_what_is_wished_to_be_compiled_is_where_it_can_be(card, placement, expected):
    assert kernels(card, "bfloat16", placement, of_unet=False, compiles=True).compiled is expected


@pytest.mark.parametrize(("free", "expected"), [(64, False), (67, True)])
def test_weights_are_pinned_ahead_where_the_machine_holds_them_twice(free, expected):
    assert pins_ahead(FLUX, free * GB) is expected
