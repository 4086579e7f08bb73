"""Drafts without a browser: listed, saved as a file, opened here."""

from __future__ import annotations

import json

from core.domain.draft import Draft
from core.domain.files.picture import Picture
from tests.conftest import a_picture


def test_a_draft_goes_out_as_a_file_and_comes_in_again_as_nobodys(run, studio, tmp_path):
    id = studio.drafts.start("a" * 16)
    studio.drafts.save(id, studio.drafts.open_picture(Draft(), Picture(a_picture()), "coast.png"))

    [listed] = [json.loads(line) for line in run("drafts", "list", "--json").stdout.splitlines()]
    run("drafts", "export", id, "--output", tmp_path / "folder")
    taken = json.loads(run("drafts", "import", tmp_path / "folder" / "coast.draft.zip", "--json").stdout)

    assert (listed["id"], listed["name"]) == (id, "coast.png")
    assert taken["name"] == "coast.png"
    assert [kept.id for kept in studio.drafts.of("b" * 16)] == [taken["id"]]


def test_what_is_no_draft_ends_with_2_and_a_sentence(run, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")

    assert "not a draft" in run("drafts", "import", tmp_path / "a.zip", code=2).stderr
    assert "There is no such draft" in run("drafts", "export", "x", "--output", tmp_path / "b.zip", code=2).stderr
    assert not (tmp_path / "b.zip").exists()
