"""python -m core presets."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from core import cli
from core.domain.params import InpaintParams
from core.settings import Settings
from tests.conftest import make_studio


@pytest.fixture
def run(monkeypatch):
    def run(studio, *arguments, code: int = 0):
        monkeypatch.setattr(cli, "make_studio", lambda: studio)
        result = CliRunner().invoke(cli.app, ["presets", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return run


def test_what_is_exported_here_is_imported_there(run, studio, inpainter, clock, tmp_path):
    studio.presets.save("Fine", InpaintParams(num_inference_steps=80))
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)
    file = tmp_path / "presets.json"

    exported = json.loads(run(studio, "export", "--output", file, "--json").stdout)
    taken = run(elsewhere, "import", file)
    again = json.loads(run(elsewhere, "import", file, "--json").stdout)
    listed = json.loads(run(elsewhere, "list", "--json").stdout)

    assert exported == {"output": str(file), "names": ["Fine"]}
    assert taken.stdout == "Fine taken\n"
    assert again == {"new": [], "known": ["Fine"]}
    assert (listed["name"], listed["params"]["num_inference_steps"]) == ("Fine", 80)


def test_a_file_that_cannot_be_read_ends_with_two_and_a_sentence(run, studio, tmp_path):
    (tmp_path / "photo.json").write_bytes(b"\x89PNG")

    assert "no presets" in " ".join(run(studio, "import", tmp_path / "photo.json", code=2).stderr.split())
    assert "cannot be read" in run(studio, "import", tmp_path / "nothing.json", code=2).stderr
    assert "cannot be written" in run(studio, "export", "--output", tmp_path / "photo.json" / "x.json", code=2).stderr
