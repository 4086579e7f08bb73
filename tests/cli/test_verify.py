"""python -m core verify."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from core import cli
from core.engine.fake import fake_environment
from tests.conftest import a_request


@pytest.fixture
def run(studio, monkeypatch):
    monkeypatch.setattr(cli, "make_studio", lambda: studio)

    def run(*arguments, code: int = 0):
        result = CliRunner().invoke(cli.app, ["verify", *arguments])
        assert result.exit_code == code, result.output
        return result

    return run


def test_one_json_object_a_line_with_the_verdict(run, studio, dispatcher):
    ids = studio.generations.submit(a_request(), count=3)
    dispatcher.drain()

    found = [json.loads(line) for line in run("--all", "--json").stdout.splitlines()]

    assert {f["id"] for f in found} == set(ids)
    assert all((f["verdict"], f["max_difference"], f["psnr"], f["changed"]) == ("EXACT", 0.0, None, []) for f in found)


def test_a_different_picture_ends_with_1_and_says_why(run, studio, dispatcher, inpainter):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    inpainter.shift = 90
    inpainter.environment = fake_environment(torch="2.14.1")

    result = run(id, code=1)

    assert "DIFFERENT" in result.stdout
    assert "torch: 0.0.fake then, 2.14.1 now" in result.stdout
    assert "1 DIFFERENT" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("nothing", "--all")])
def test_bad_input_ends_with_2_and_a_sentence(run, arguments):
    result = run(*arguments, code=2)

    assert result.stderr.strip()
    assert "Traceback" not in result.output


def test_an_empty_gallery_has_nothing_to_verify(run):
    assert "nothing to verify" in run("--all").stderr
