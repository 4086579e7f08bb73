"""Sheets: queued cell by cell, shown as one picture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.errors import InvalidInput, InvalidParams
from core.domain.generation import Status
from core.domain.sheet import Axis, Sheet
from core.domain.speed import SPEEDS
from tests.conftest import a_request, make_studio
from tests.fakes import POCKET


def test_a_sheet_is_found_again_after_a_restart_with_every_picture_in_its_place(
    settings, inpainter, clock, studio, dispatcher
):
    sheet = Sheet(Axis("seed", (1, 2, 3)), Axis("num_inference_steps", (4, 8)))
    made = studio.sheets.submit(a_request(), sheet)
    dispatcher.drain()

    found = make_studio(settings, inpainter, clock).sheets.get(made.id)

    assert {generation.status for generation in found.generations} == {Status.SUCCEEDED}
    assert [[(g.params.num_inference_steps, g.params.seed) for g in line] for line in found.cells] == [
        [(4, 1), (4, 2), (4, 3)],
        [(8, 1), (8, 2), (8, 3)],
    ]


def test_cells_of_one_model_are_worked_on_one_after_the_other(studio):
    sheet = Sheet(Axis("model", ("pocket-inpaint", "other/model")), Axis("seed", (1, 2)))
    made = studio.sheets.submit(a_request(), sheet)

    models = [g.params.model for g in sorted(made.generations, key=lambda g: g.created_at)]

    assert models == ["pocket-inpaint", "pocket-inpaint", "other/model", "other/model"]
    assert [[g.params.model for g in line] for line in made.cells] == [["pocket-inpaint", "other/model"]] * 2


def test_a_row_of_speeds_paints_each_as_it_would_be_painted_alone_at_the_size_that_the_mask_needs(studio, dispatcher):
    values = {**POCKET.recommended, "num_inference_steps": 20, "size": 512}
    studio.models.specs[POCKET.key] = replace(POCKET, recommended=values)
    [drafted] = studio.generations.submit(a_request(seed=7))
    original = studio.gallery.get(drafted)

    sheet = Sheet(Axis("speed", ("draft", "balanced", "best")))
    [line] = studio.sheets.submit(a_request(seed=7), sheet).cells

    found = [(g.params.num_inference_steps, g.params.size, g.params.seed) for g in line]
    assert found == [(4, 192, 7), (7, 256, 7), (20, 512, 7)]
    alone = [studio.generations.vary(original, [studio.speeds.of_generation(s, original)], session="a") for s in SPEEDS]
    assert [g.params for g in line] == [studio.gallery.get(id).params for [id] in alone]


def test_a_value_that_does_not_fit_stores_nothing(studio):
    with pytest.raises(InvalidParams):
        studio.sheets.submit(a_request(), Sheet(Axis("num_inference_steps", (10, 9999))))

    assert studio.gallery.count() == 0


@pytest.mark.slow
def test_the_picture_has_a_field_for_every_cell_also_for_those_that_are_not_there(studio, dispatcher):
    made = studio.sheets.submit(a_request(), Sheet(Axis("seed", (1, 2, 3)), Axis("guidance_scale", (1.0, 5.0))))
    empty = studio.sheets.picture(made)
    studio.generations.cancel(made.cells[0][0].id)
    dispatcher.drain()

    done = studio.sheets.get(made.id)
    picture = studio.sheets.picture(done)

    assert done.cells[0][0].status is Status.CANCELLED
    assert picture.mode == "RGB"
    assert picture.size > (3 * 40, 2 * 30)
    assert len(set(picture.get_flattened_data())) > len(set(empty.get_flattened_data()))


def test_a_generation_that_was_deleted_for_good_leaves_an_empty_field(studio, dispatcher):
    made = studio.sheets.submit(a_request(), Sheet(Axis("seed", (1, 2))))
    dispatcher.drain()
    studio.gallery.trash([made.cells[0][1].id])
    studio.gallery.empty_trash(all=True)

    found = studio.sheets.get(made.id)

    assert found.cells[0][1] is None
    studio.sheets.picture(found)


def test_a_sheet_that_does_not_exist_is_reported_with_a_message(studio):
    with pytest.raises(InvalidInput, match="no such sheet"):
        studio.sheets.get("nope")


@pytest.mark.filterwarnings("error")
def test_no_generation_is_in_no_sheet(studio):
    assert studio.sheets.repo.holding([]) == []
