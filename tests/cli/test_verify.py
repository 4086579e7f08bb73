"""python -m core verify."""

from __future__ import annotations

import json

import pytest

from core.domain.errors import OutOfMemory
from tests.conftest import a_request
from tests.fakes import fake_environment
from tests.services.test_lineage import continued


@pytest.mark.slow
def test_one_json_object_a_line_with_the_verdict(run, studio, dispatcher):
    ids = studio.generations.submit(a_request(), count=3)
    dispatcher.drain()

    found = [json.loads(line) for line in run("verify", "--all", "--json").stdout.splitlines()]

    assert {f["id"] for f in found} == set(ids)
    assert all((f["verdict"], f["max_difference"], f["psnr"], f["changed"]) == ("EXACT", 0.0, None, []) for f in found)


def test_a_different_picture_ends_with_1_and_says_why(run, studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    inpainter.shift = 90
    inpainter.environment = fake_environment(torch="2.14.1")

    result = run("verify", id, code=1)

    assert "DIFFERENT" in result.stdout
    assert "torch: 0.0.fake then, 2.14.1 now" in result.stdout
    assert "1 DIFFERENT" in result.stderr
    assert "1: torch: 0.0.fake then, 2.14.1 now" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("nothing", "--all")])
def test_bad_input_ends_with_2_and_a_sentence(run, arguments):
    result = run("verify", *arguments, code=2)

    assert result.stderr.strip()
    assert "Traceback" not in result.output


def test_an_empty_gallery_has_nothing_to_verify(run):
    assert "nothing to verify" in run("verify", "--all").stderr


def replayed(run, id: str, code: int = 0):
    [line] = run("replay", id, "--json", code=code).stdout.splitlines()
    return json.loads(line)


def test_a_chain_is_replayed_step_by_step_and_is_exact(run, studio, dispatcher):
    [first] = studio.generations.submit(a_request())
    dispatcher.drain()
    last = continued(studio, continued(studio, first, 1), 2)

    told = replayed(run, last)

    assert (told["id"], told["verdict"]) == (last, "EXACT")
    assert [(step["status"], step["exact"]) for step in told["steps"]] == [("succeeded", True)] * 3


@pytest.mark.slow
def test_a_replay_that_does_not_come_out_the_same_ends_with_1(run, studio, dispatcher, inpainter):
    [first] = studio.generations.submit(a_request())
    dispatcher.drain()
    last = continued(studio, first, 1)
    inpainter.shift = 90

    told = replayed(run, last, code=1)

    assert told["verdict"] == "DIFFERENT"
    assert [step["exact"] for step in told["steps"]] == [False, False]


def test_a_replay_whose_step_fails_ends_with_1_and_no_verdict(run, studio, dispatcher, inpainter):
    [first] = studio.generations.submit(a_request())
    dispatcher.drain()
    last = continued(studio, first, 1)
    inpainter.fail_with(OutOfMemory())

    told = replayed(run, last, code=1)

    assert told["verdict"] is None
    assert [step["status"] for step in told["steps"]] == ["failed", None]
