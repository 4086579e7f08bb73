"""python -m core presets."""

from __future__ import annotations

import json

from core.domain.params import InpaintParams
from core.settings import Settings
from tests.conftest import make_studio


def test_what_is_exported_here_is_imported_there(run, studio, inpainter, clock, tmp_path):
    studio.presets.save("Fine", InpaintParams(num_inference_steps=80))
    elsewhere = make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)
    file = tmp_path / "presets.json"

    exported = json.loads(run("presets", "export", "--output", file, "--json").stdout)
    taken = run("presets", "import", file, studio=elsewhere)
    again = json.loads(run("presets", "import", file, "--json", studio=elsewhere).stdout)
    listed = json.loads(run("presets", "list", "--json", studio=elsewhere).stdout)

    assert exported == {"output": str(file), "names": ["Fine"]}
    assert taken.stdout == "Fine taken\n"
    assert again == {"new": [], "known": ["Fine"]}
    assert (listed["name"], listed["params"]["num_inference_steps"]) == ("Fine", 80)


def test_a_file_that_cannot_be_read_ends_with_two_and_a_sentence(run, studio, tmp_path):
    (tmp_path / "photo.json").write_bytes(b"\x89PNG")

    assert "no presets" in " ".join(run("presets", "import", tmp_path / "photo.json", code=2).stderr.split())
    assert "cannot be read" in run("presets", "import", tmp_path / "nothing.json", code=2).stderr
    nowhere = tmp_path / "photo.json" / "x.json"
    assert "cannot be written" in run("presets", "export", "--output", nowhere, code=2).stderr
