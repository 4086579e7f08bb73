"""python -m core gallery export and import."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from core import cli
from core.settings import Settings
from tests.conftest import a_request, make_studio


@pytest.fixture
def run(monkeypatch):
    def run(studio, *arguments, code: int = 0):
        monkeypatch.setattr(cli, "make_studio", lambda: studio)
        result = CliRunner().invoke(cli.app, ["gallery", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return run


def test_what_is_exported_here_is_imported_there(run, studio, dispatcher, inpainter, clock, tmp_path):
    ids = studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)

    [told] = map(json.loads, run(studio, "export", *ids, "--output", tmp_path / "b.zip", "--json").stdout.splitlines())
    found = [json.loads(line) for line in run(elsewhere, "import", tmp_path, "--json").stdout.splitlines()]
    again = run(elsewhere, "import", tmp_path / "b.zip")

    assert told["generations"] == 2
    assert {f["id"] for f in found} == set(ids)
    assert again.stdout.count("already here") == 2


def test_bad_input_ends_with_2_and_leaves_nothing_behind(run, studio, tmp_path):
    (tmp_path / "no.zip").write_text("this is no zip")

    for arguments in (
        ("export", "nothing", "--output", tmp_path / "out.zip"),
        ("import", tmp_path / "no.zip"),
        ("import", tmp_path / "nowhere.zip"),
        ("import", tmp_path / "images"),
    ):
        result = run(studio, *arguments, code=2)
        assert result.stdout == ""
        assert result.stderr.strip()

    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["no.zip"]
