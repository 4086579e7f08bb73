"""python -m tests.gpu, the program that checks a card, does what it says: with tiny models it runs without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from core.domain.environment import Device
from core.engine.card import placement, takes_groups
from tests.gpu.__main__ import cases, problem
from tests.gpu.cases import Case
from tests.gpu.models import GIGABYTES, SD3


def started(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tests.gpu", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )


@pytest.mark.slow
def test_where_there_is_no_card_it_says_so_in_a_sentence():
    ended = started()

    assert ended.returncode == 2
    assert "There is no CUDA card here" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.slow
def test_with_a_tiny_model_it_finds_every_promise_kept_on_the_processor(tmp_path):
    ended = started("--device", "cpu", "--tiny", "--quick", "--json", "--folder", str(tmp_path))
    machine, row, minutes = map(json.loads, ended.stdout.splitlines())

    assert ended.returncode == 0
    assert machine["dtypes"].startswith("float32")
    assert row["failed"] == []
    assert "not enough memory" in row["out_of_memory"]
    assert {variant["name"]: variant["exact"] for variant in row["variants"]} == {
        "as before": True,
        "attention-efficient": True,
        "attention-written-out": True,
        "channels-last": True,
        "channels-first": True,
    }
    assert {"seconds", "plain_s", "ratio", "peak_mb", "plain_peak_mb", "cancel_s", "step_s"} <= set(row)
    assert minutes["name"] == "minutes"


def test_on_the_processor_it_refuses_what_would_take_hours():
    class Chosen:
        device, tiny = "cpu", False

    assert "only tiny models" in problem(Chosen)


@pytest.mark.parametrize(
    ("card_gb", "offloads"),
    [
        (4, {"sdxl-model", "sd3-group", "sd3-sequential"}),
        (12, {"sd3-group", "sd3-sequential", "sd3-model"}),
        (24, {"sd3-group", "sd3-sequential", "sd3-model"}),
    ],
)
def test_each_way_of_lying_on_a_card_is_tried_that_it_has_room_for(card_gb, offloads):
    found = cases(card_gb, quick=False)

    assert {case.name for case in found if case.offload != "whole"} == offloads
    assert len({case.name for case in found}) == len(found)
    assert (Case(SD3) in found) == (card_gb >= 24)


def test_the_transformer_has_to_be_offloaded_on_the_cards_that_it_is_tried_on_as():
    parts = {"text_encoder_3": int(9.5e9), "transformer": int(4.1e9)}
    by_group = takes_groups(Device("cuda:0", "a card", "float16"), of_unet=False)

    assert sum(parts.values()) < GIGABYTES[SD3] * 1e9
    for case in cases(24, quick=False):
        if case.model == SD3 and case.limit_gb and case.offload != "sequential":
            assert (
                placement(parts, int(case.limit_gb * 1e9), "bfloat16", native_px=1024, by_group=by_group)
                == case.offload
            )
