"""What earlier versions stored, as files in tests/data: it loads for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.domain.draft import Draft
from core.domain.generation import Relation
from core.domain.guide import Guide, Role
from core.domain.pixels.outpaint import CanvasExtension, ExtensionHistory
from core.domain.reproduction import Verdict
from core.domain.sheet import Axis, Sheet

DATA = Path(__file__).parents[1] / "data"

EXTENDED = ExtensionHistory("sha256:" + "ab" * 32, (CanvasExtension(left=8), CanvasExtension(top=8, right=16)))

SHEET = Sheet(Axis("seed", (1, 2)), Axis("prompt", ("red", "“blue”")))


NEW_IN_3 = {"thumbnail": f"sha256:{'04' * 32}.webp", "guides": (Guide(Role.CONTROL, 0, "sha256:" + "05" * 32),)}


@pytest.mark.parametrize(("name", "new"), [("draft-1.json", {}), ("draft-2.json", {}), ("draft-3.json", NEW_IN_3)])
def test_a_draft_of_any_version_opens_with_everything_in_it(name, new):
    """Until version 2 a draft held how its picture was extended as JSON text inside of its own."""
    draft = Draft.from_dict(json.loads((DATA / name).read_text(encoding="utf-8")))

    assert draft == Draft(
        **new,
        source="sha256:" + "01" * 32,
        source_exif="sha256:" + "02" * 32 + ".exif",
        source_name="Küste.jpg",
        notes=("Its 16 bits became 8.",),
        drawing='{"objects":[]}',
        canvas_width=640,
        base_mask="sha256:" + "03" * 32,
        mask_notes=("Grey counts as masked.",),
        has_simple_canvas=True,
        params={"prompt": "a red balloon", "seed": 7, "strength": 0.5, "mode": "edges"},
        parent_id="a1",
        relation=Relation.CONTINUATION,
        extended=EXTENDED,
        before="d0",
        generations=("g1", "g2"),
        sheet="s1",
        said={"tool": "a1111", "params": {"prompt": "sea"}, "model": "dreamy", "seed": None, "too_long": []},
    )
    assert Draft.from_dict(draft.to_dict()) == draft


def test_a_sheet_is_read_as_it_was_written():
    values = json.loads((DATA / "sheet-1.json").read_text(encoding="utf-8"))

    assert Sheet.from_dict(values["sheet"]) == SHEET
    assert SHEET.to_dict() == values["sheet"]


def test_presets_come_in_from_a_file_of_the_first_schema(studio):
    studio.presets.import_((DATA / "presets-schema-1.json").read_bytes())

    assert studio.presets.all()["Cat"]["prompt"] == "a cat\n"
    assert studio.presets.all()["Fine “ü”"]["strength"] == 0.35


def test_a_bundle_of_the_first_schema_comes_in_with_its_sheet_and_verifies_exact(studio, dispatcher):
    with (DATA / "bundle-schema-1.zip").open("rb") as file:
        ids = studio.bundles.import_(file).ids
    [sheet] = studio.sheets.of(ids[0])
    studio.reproductions.verify(ids)
    dispatcher.drain()

    rows = [studio.gallery.get(id) for id in ids]
    assert sheet.sheet == SHEET
    assert [cell.id for line in sheet.cells for cell in line] == list(ids)
    assert [row.verdict for row in rows] == [Verdict.EXACT] * 4
    assert {row.extended for row in rows} == {EXTENDED}
    assert rows[0].record.raw["crop"] == [0, 0, 86, 64]
