"""Where a mask came from stays with the generation: through the worker, re-runs, bundles and drafts."""

from __future__ import annotations

import io

import pytest

from core.domain.draft import Draft
from core.domain.generation import Origin, Relation
from core.domain.record import Record
from core.services.draft_index import read, written
from core.settings import Settings
from tests.conftest import a_request, make_studio

FOUND = {"kind": "object", "box": [20, 10, 50, 40], "method": "grabcut", "version": 1, "opencv": "5.0.0"}
FACES = {"kind": "faces", "count": 2, "method": "blazeface", "models": {"a.tflite": "sha256:00"}, "subtracted": True}


@pytest.fixture
def elsewhere(tmp_path, inpainter, clock):
    return make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)


def painted(studio, **origin):
    [id] = studio.generations.submit(a_request(), origin=Origin(selection=(FOUND, FACES), **origin))
    assert studio.gallery.get(id).record.selection == [FOUND, FACES]
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def test_a_generation_records_what_was_found_for_its_mask(studio):
    record = painted(studio).record
    assert record.selection == [FOUND, FACES]
    assert record.working_size is not None
    assert not record.malformed


def test_a_rerun_records_it_again_and_its_variation_has_it_in_the_draft(studio):
    first = painted(studio)
    again = studio.generations.rerun(first.id)
    studio.dispatcher.drain()
    assert studio.gallery.get(again).record.selection == [FOUND, FACES]
    assert studio.drafts.from_generation(first).selection == (FOUND, FACES)
    assert studio.drafts.continued_from(first).selection == ()


def test_without_one_the_record_says_nothing_of_it(studio):
    [id] = studio.generations.submit(a_request(), origin=Origin(relation=Relation.VARIATION))
    studio.dispatcher.drain()
    assert "selection" not in studio.gallery.get(id).record.raw


def test_a_bundle_takes_it_along(studio, elsewhere):
    generation = painted(studio)
    file = io.BytesIO()
    studio.bundles.export([generation.id], file)
    file.seek(0)
    elsewhere.bundles.import_(file)
    assert elsewhere.gallery.get(generation.id).record.selection == [FOUND, FACES]


def test_a_draft_keeps_it_in_its_row_and_in_its_file():
    draft = Draft(source="sha256:" + "0" * 64, base_mask="sha256:" + "1" * 64, selection=(FOUND, FACES))
    assert Draft.from_dict(draft.to_dict()) == draft
    _, taken_in = read(written("", draft, None).encode())
    assert taken_in.selection == (FOUND, FACES)
    assert Draft.from_dict({"source": None}).selection == ()


def test_what_a_stranger_writes_there_is_no_error():
    for odd in ("faces", [1, 2], {"kind": "faces"}, [["box"]], None):
        assert Record.of({"selection": odd}).selection == []
