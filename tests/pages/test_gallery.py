"""The gallery as its reader sees it: rows of a real database behind the page, a stand-in for the model."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from core.domain.errors import OutOfMemory
from core.domain.generation import Origin, Relation, Status
from core.domain.params import PARAMETERS, InpaintParams
from core.domain.speed import NOTHING
from db.tables import GenerationRow
from pages.ui.components.gallery_grid import TITLE_SHOWN
from tests.conftest import a_picture, a_request, interrupt, make_studio
from tests.pages.tables import rows_on

ROOT = Path(__file__).parents[2]

HOSTILE = "<b onclick=alert(1)>bold</b> # heading $x^2$ [link](http://example.org) | :smile: `code` &lt;i&gt;"


@dataclass
class Grid:
    """Stands in for the grid of the browser: keeps the tiles it was given, and answers what it is told to."""

    tiles: list[dict] = field(default_factory=list)
    answer: dict = field(default_factory=dict)

    def __call__(self, *, data, **_):
        self.tiles = data["tiles"]
        return self.answer

    @property
    def ids(self) -> list[str]:
        return [tile["id"] for tile in self.tiles]


@pytest.fixture
def grid(monkeypatch) -> Grid:
    grid = Grid()
    monkeypatch.setattr("pages.ui.components.gallery_grid._component", grid)
    return grid


@pytest.fixture
def gallery(studio, grid, monkeypatch):
    """Open the gallery at this query and return the page."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    st.cache_data.clear()

    def open_at(**query: str) -> AppTest:
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).switch_page("pages/2_Gallery.py")
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return open_at


def painted(studio, dispatcher, count: int = 1, **params) -> list[str]:
    ids = studio.generations.submit(a_request(**{"num_inference_steps": 1, **params}), count=count)
    dispatcher.drain()
    return ids


def words_on(page: AppTest) -> str:
    """Every text of the page, tables included, as Markdown shows it."""
    parts = [
        element.value
        for kind in ("markdown", "caption", "text", "code", "info", "warning", "error", "success")
        for element in page.get(kind)
    ]
    return re.sub(r"\\(\W)", r"\1", "\n".join(map(str, parts))) + "\n" + "\n".join(rows_on(page))


# The grid ------------------------------------------------------------------------------------------------------


def test_an_empty_gallery_tells_how_to_begin(gallery):
    page = gallery()

    assert "Nothing here yet" in page.info[0].value
    assert [link.label for link in page.get("page_link")] == ["Make your first one"]


def test_the_newest_generation_comes_first_with_its_prompt(gallery, studio, dispatcher, grid):
    [old] = painted(studio, dispatcher, prompt="an old one")
    [new] = painted(studio, dispatcher, prompt="a new one")

    page = gallery()

    assert [(tile["id"], tile["title"]) for tile in grid.tiles] == [(new, "a new one"), (old, "an old one")]
    assert all(tile["picture"] and not tile["badge"] for tile in grid.tiles)
    assert "2 generations" in words_on(page)


@pytest.mark.slow
def test_pages_follow_each_other_without_gap_or_overlap_also_when_all_times_are_equal(
    settings, inpainter, grid, gallery, monkeypatch
):
    studio = make_studio(settings, inpainter, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    made = {id for n in range(3) for id in studio.generations.submit(a_request(prompt=f"batch {n}"), count=45)}
    page = gallery()
    first = grid.ids

    page = button(page, "Older").click().run()
    second = grid.ids
    page = button(page, "Older").click().run()
    third = grid.ids

    assert [len(first), len(second), len(third)] == [60, 60, 15]
    assert set(first + second + third) == made
    assert button(page, "Older").disabled
    page = button(page, "Newer").click().run()
    assert grid.ids == second
    page = button(page, "Newer").click().run()
    assert grid.ids == first
    assert "after" not in page.query_params


def test_a_page_can_be_opened_by_its_address(gallery, studio, grid):
    studio.generations.submit(a_request(), count=64)
    page = button(gallery(), "Older").click().run()
    second = grid.ids

    gallery(after=page.query_params["after"])

    assert grid.ids == second


def test_an_address_of_no_page_shows_a_sentence_and_the_first_page(gallery, studio, grid):
    made = studio.generations.submit(a_request(), count=2)

    page = gallery(after="nonsense")

    assert "cannot be found" in page.error[0].value
    assert sorted(grid.ids) == sorted(made)


def test_the_address_asks_for_a_status_and_for_a_model(gallery, studio, dispatcher, inpainter, grid):
    inpainter.fail_with(OutOfMemory())
    [failed] = painted(studio, dispatcher)
    [other] = painted(studio, dispatcher, model="sd15-inpainting")

    gallery(status="failed")
    assert grid.ids == [failed]

    gallery(model="sd15-inpainting")
    assert grid.ids == [other]


def test_a_tile_says_when_it_failed_and_why(gallery, studio, dispatcher, inpainter, grid):
    inpainter.fail_with(OutOfMemory())
    painted(studio, dispatcher)

    gallery(status="failed")

    assert grid.tiles[0]["badge"] == "Failed"
    assert "not enough memory" in grid.tiles[0]["problem"]


def test_a_missing_picture_shows_a_sentence_in_its_tile_and_the_others_stay(gallery, studio, dispatcher, grid):
    [broken] = painted(studio, dispatcher, prompt="one")
    [whole] = painted(studio, dispatcher, prompt="two")
    for key in (studio.gallery.get(broken).thumbnail, studio.gallery.get(broken).output):
        studio.gallery.images.path(key).unlink()

    gallery()

    tiles = {tile["id"]: tile for tile in grid.tiles}
    assert tiles[broken]["picture"] is None
    assert "missing from the data folder" in tiles[broken]["problem"]
    assert tiles[whole]["picture"]


@pytest.mark.slow
def test_choosing_several_moves_them_to_the_trash_and_back(gallery, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=3)
    grid.answer = {"selected": ids[:2]}

    button(gallery(), "Move to trash").click().run()
    assert grid.ids == ids[2:]

    page = gallery(trash="true")
    assert sorted(grid.ids) == sorted(ids[:2])
    button(page, "Restore").click().run()
    assert grid.ids == []
    assert studio.gallery.count() == 3


def test_what_went_to_the_trash_comes_back_with_undo(gallery, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=3)
    grid.answer = {"selected": ids[:2]}
    page = button(gallery(), "Move to trash").click().run()
    assert "2 generations moved to the trash." in words_on(page)

    page.run().button(key="undo-trash").click().run()

    assert sorted(grid.ids) == sorted(ids)
    assert "undo-trash" not in [button.key for button in page.button]


def test_of_those_chosen_the_ones_that_cannot_be_run_again_are_left_out(gallery, studio, dispatcher, grid):
    [id] = painted(studio, dispatcher)
    file = BytesIO()
    a_picture().save(file, "PNG")
    [imported] = studio.imports.import_(BytesIO(file.getvalue()), "elsewhere.png", without_metadata=True).ids
    grid.answer = {"selected": [id, imported]}

    page = button(gallery(), "Re-run").click().run()
    assert page.toast[0].value == "1 generation queued again with the same seed."
    button(page, "Verify").click().run()

    assert len(studio.reproductions.of(id)) == 1
    assert not studio.reproductions.of(imported)


def test_choosing_several_and_running_them_again_queues_a_child_of_each(gallery, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=2)
    grid.answer = {"selected": ids}

    button(gallery(), "Re-run").click().run()

    assert [tile["badge"] for tile in grid.tiles] == ["Queued", "Queued", None, None]
    assert {studio.gallery.get(id).parent_id for id in grid.ids[:2]} == set(ids)


@pytest.mark.slow
def test_the_empty_tiles_of_a_cancelled_batch_go_to_the_trash_with_one_click(gallery, studio, dispatcher, grid):
    [done] = painted(studio, dispatcher)
    marked, *batch = studio.generations.submit(a_request(), count=5)
    studio.gallery.set_favourite([marked])
    for id in (marked, *batch):
        studio.generations.cancel(id)
    page = gallery(status="cancelled")
    assert "4 cancelled without a result" in words_on(page)

    page.button(key="trash-cancelled").click().run()

    assert grid.ids == [marked]
    assert "without a result" not in words_on(page)
    gallery(trash="true")
    assert sorted(grid.ids) == sorted(batch)


def test_one_or_two_cancelled_ones_are_left_alone(gallery, studio, grid):
    for id in studio.generations.submit(a_request(), count=2):
        studio.generations.cancel(id)

    page = gallery(status="cancelled")

    assert len(grid.ids) == 2
    assert "without a result" not in words_on(page)


def test_what_failed_or_was_cancelled_is_not_among_the_pictures_but_one_click_away(
    gallery, studio, dispatcher, inpainter, grid
):
    [done] = painted(studio, dispatcher)
    inpainter.fail_with(OutOfMemory())
    [failed] = painted(studio, dispatcher)
    cancelled, waiting = studio.generations.submit(a_request(), count=2)
    studio.generations.cancel(cancelled)

    page = gallery()
    assert grid.ids == [waiting, done]
    assert "2 generations" in words_on(page)
    assert page.button(key="without-picture").label == "2 failed or cancelled"

    page.button(key="without-picture").click().run()
    assert grid.ids == [cancelled, failed]
    assert sorted(page.query_params["status"]) == ["cancelled", "failed"]

    page.button(key="clear-filters").click().run()
    assert grid.ids == [waiting, done]


def test_where_nothing_came_of_anything_it_says_so(gallery, studio):
    [id] = studio.generations.submit(a_request())
    studio.generations.cancel(id)

    assert "No picture yet" in gallery().info[0].value


def test_nothing_can_be_done_to_several_before_any_is_chosen(gallery, studio, dispatcher):
    painted(studio, dispatcher)

    page = gallery()

    assert button(page, "Move to trash").disabled
    assert button(page, "Re-run").disabled


# One generation ------------------------------------------------------------------------------------------------


def test_clicking_a_tile_opens_it_and_puts_it_into_the_address(gallery, studio, dispatcher, grid):
    [id] = painted(studio, dispatcher, prompt="a green bird")
    grid.answer = {"open": id}

    page = gallery()

    assert page.query_params["generation"] == id
    assert "a green bird" in words_on(page)


def test_the_address_of_a_generation_shows_its_whole_record(gallery, studio, dispatcher):
    request = a_request(
        prompt="a green bird",
        negative_prompt="blurry",
        seed=123456,
        num_inference_steps=2,
        guidance_scale=3.5,
        scheduler="ddim",
        strength=0.5,
        mask_grow_px=3,
        mask_feather_px=5,
        crop_padding_px=24,
    )
    [id] = studio.generations.submit(request, origin=Origin(source_name="holiday.png"))
    dispatcher.drain()
    generation = studio.gallery.get(id)

    words = words_on(gallery(generation=id))

    for name, parameter in PARAMETERS.items():
        assert parameter.title in words or name == "instruction", "that is told where an edit model was given one"
    for value in ("a green bird", "blurry", "123456", "3.5", "DDIM", "0.5", "64 px", "3 px", "5 px", "24 px"):
        assert value in words
    assert "Outside the mask: unchanged (checked)" in words
    assert "holiday" in words
    assert "cpu, float32" in words
    for title in ("Time in queue", "Time to load the model", "Time to paint", "Steps run", "Crop"):
        assert title in words
    for fact in generation.environment:
        assert fact in words
    for key in (generation.source, generation.mask, generation.pixels_sha256, id):
        assert key in words


@pytest.mark.parametrize("more", [{}, {"imported": {"tool": ["?"], "stated": "all", "raw": [], "model": 7}}])
@pytest.mark.slow_but_first
def test_a_record_that_is_damaged_costs_its_own_lines_only(gallery, studio, dispatcher, more):
    [id] = painted(studio, dispatcher)
    whole = studio.gallery.get(id).record.raw
    spoiled = {name: [[None]] for name in whole if name != "effective_steps"} | more
    with studio.gallery.repo._sessions.begin() as session:
        session.execute(update(GenerationRow).values(record_json=json.dumps({**whole, **spoiled})))

    page = gallery(generation=id)

    words = words_on(page)
    assert "Time to paint" in words
    assert "Steps run" in words
    assert "Processed at" not in words


def test_an_unknown_generation_shows_a_sentence(gallery):
    page = gallery(generation="nosuchthing")

    assert "There is no such generation in this gallery" in page.error[0].value


def test_a_hostile_prompt_is_shown_as_it_was_written(gallery, studio, dispatcher, grid):
    [id] = painted(studio, dispatcher, prompt=HOSTILE)
    studio.generations.rerun(id)
    dispatcher.drain()

    page = gallery(generation=id)

    assert HOSTILE in [block.value for block in page.code]
    assert grid.tiles[0]["title"] == HOSTILE


def test_running_again_queues_a_child_and_links_to_it(gallery, studio, dispatcher):
    [id] = painted(studio, dispatcher, seed=9)

    page = button(gallery(generation=id), "Re-run", of=id).click().run()

    [child] = studio.gallery.browse().generations[:1]
    assert (child.parent_id, child.relation, child.status) == (id, Relation.RERUN, Status.QUEUED)
    assert child.params.seed == 9
    assert any("Queued again" in message.value for message in page.success)
    assert "Open the new generation" in [link.label for link in page.get("page_link")]


def test_a_result_is_upscaled_as_a_generation_of_its_own(gallery, studio, dispatcher):
    [id] = painted(studio, dispatcher)
    before = studio.gallery.get(id)

    page = gallery(generation=id)
    page.radio(key=f"upscale-{id}-factor").set_value(4).run()
    page = button(page, "Upscale 4x", of=id).click().run()

    [child] = studio.gallery.browse().generations[:1]
    assert (child.parent_id, child.relation, child.status) == (id, Relation.UPSCALE, Status.QUEUED)
    assert (child.params.model, child.source) == ("upscale:lanczos@4", before.output)
    assert (child.width, child.height) == (before.width * 4, before.height * 4)
    assert any("Queued: 4x" in message.value for message in page.success)


@pytest.mark.parametrize(
    ("label", "relation", "keeps_mask"),
    [("Load into Inpaint", Relation.VARIATION, True), ("Continue from this result", Relation.CONTINUATION, False)],
)
@pytest.mark.slow_but_first
def test_it_can_be_taken_back_to_the_easel(gallery, studio, dispatcher, label, relation, keeps_mask):
    [id] = painted(studio, dispatcher, prompt="a green bird")
    generation = studio.gallery.get(id)

    page = button(gallery(generation=id), label, of=id).click().run()

    draft = studio.drafts.get(page.session_state["studio.draft"])
    assert (draft.parent_id, draft.relation) == (id, relation)
    assert draft.source == (generation.source if keeps_mask else generation.output)
    assert draft.base_mask == (generation.mask if keeps_mask else None)
    assert draft.params["prompt"] == "a green bird"


def test_deleting_moves_it_to_the_trash_and_closes_it(gallery, studio, dispatcher, grid):
    [id] = painted(studio, dispatcher)

    page = button(gallery(generation=id), "Move to trash", of=id).click().run()

    assert "generation" not in page.query_params
    assert grid.ids == []
    assert studio.gallery.get(id).deleted_at is not None


def test_what_is_in_the_trash_says_so_and_can_be_restored(gallery, studio, dispatcher):
    [id] = painted(studio, dispatcher)
    studio.gallery.trash([id])

    page = gallery(generation=id)
    assert "In the trash" in words_on(page)
    button(page, "Restore", of=id).click().run()

    assert studio.gallery.get(id).deleted_at is None


def test_a_missing_result_shows_a_sentence_beside_the_rest_of_the_record(gallery, studio, dispatcher):
    [id] = painted(studio, dispatcher, prompt="a green bird")
    studio.gallery.images.path(studio.gallery.get(id).output).unlink()

    page = gallery(generation=id)

    assert "missing from the data folder" in page.error[0].value
    assert "a green bird" in words_on(page)


def test_a_data_folder_without_pictures_still_shows_every_page(gallery, studio, dispatcher, settings, grid):
    [id] = painted(studio, dispatcher)
    shutil.rmtree(settings.images)

    page = gallery(generation=id)

    assert len(page.error) >= 2
    assert all("missing" in error.value for error in page.error)
    assert grid.tiles[0]["problem"]


def test_a_failed_one_shows_what_went_wrong_and_keeps_its_original(gallery, studio, dispatcher, inpainter):
    inpainter.fail_with(OutOfMemory())
    [id] = painted(studio, dispatcher)

    page = gallery(generation=id)

    assert "not enough memory" in page.warning[0].value
    assert "There is no result" in words_on(page)
    assert not page.error


def test_a_waiting_one_shows_its_place_in_the_queue_and_can_be_cancelled(gallery, studio):
    [_, id] = studio.generations.submit(a_request(), count=2)

    page = gallery(generation=id)
    assert "Waiting, 1 ahead" in [bar.proto.text for bar in page.get("progress")]
    button(page, "Cancel", of=id).click().run()

    assert studio.gallery.get(id).status is Status.CANCELLED


def test_an_interrupted_one_can_be_continued(gallery, studio):
    [id] = studio.generations.submit(a_request())
    interrupt(studio, id)

    page = gallery(generation=id)
    assert "Press Continue" in page.warning[0].value
    button(page, "Continue", of=id).click().run()

    assert studio.gallery.get(id).status is Status.QUEUED


def button(page: AppTest, label: str, of: str | None = None):
    """The button of that label; of: the one on the card of this generation, not the one above the grid."""
    found = [b for b in page.button if b.label == label and (of is None or b.key.endswith(of))]
    return found[0]


# Proof, search and order ---------------------------------------------------------------------------------------


def test_verify_queues_a_rerun_for_comparison_and_its_verdict_is_shown(studio, dispatcher, gallery):
    [id] = painted(studio, dispatcher)
    page = gallery(generation=id)

    page.button(key=f"verify-{id}").click().run()
    dispatcher.drain()
    page = gallery(generation=id)

    assert studio.reproductions.of(id)[0].reproduction.verdict == "EXACT"
    assert "Reproduction: EXACT" in words_on(page)
    assert "the result is identical, pixel by pixel" in words_on(page)


def test_a_different_verdict_says_how_far_and_why(studio, dispatcher, gallery, inpainter):
    [id] = painted(studio, dispatcher)
    inpainter.shift = 90
    studio.reproductions.verify([id])
    dispatcher.drain()

    page = gallery(generation=id)

    assert "Reproduction: DIFFERENT" in words_on(page)
    assert "of the repainted pixels differ" in words_on(page)


def test_a_search_shows_what_it_finds_and_stands_in_the_address(studio, dispatcher, gallery, grid):
    [castle] = painted(studio, dispatcher, prompt="a castle on a hill")
    painted(studio, dispatcher, prompt="a red balloon")

    page = gallery(search="castle")

    assert grid.ids == [castle]
    assert page.text_input(key="filter-text").value == "castle"


def test_what_an_artist_adds_is_kept(studio, dispatcher, gallery):
    [id] = painted(studio, dispatcher)
    page = gallery(generation=id)

    page.toggle(key=f"favourite-{id}").set_value(True)
    page.text_input(key=f"title-{id}").set_value("The good one")
    page.text_area(key=f"notes-{id}").set_value("for the calendar").run()

    kept = studio.gallery.get(id)
    assert (kept.favourite, kept.title, kept.notes) == (True, "The good one", "for the calendar")


def test_a_long_prompt_is_cut_for_its_tile_only(gallery, studio, dispatcher, grid):
    prompt = "a red barn, " * 1_600
    [id] = studio.generations.submit(a_request(prompt=prompt))
    dispatcher.drain()

    gallery()

    assert len(grid.tiles[0]["title"]) == TITLE_SHOWN
    assert studio.gallery.get(id).params.prompt == prompt


def test_a_draft_is_finished_on_its_card_with_the_same_seed(studio, dispatcher, gallery):
    model = InpaintParams().model
    values = studio.speeds.values("draft", model, None, NOTHING)
    [drafted] = painted(studio, dispatcher, **{n: v for n, v in values.items() if n in PARAMETERS} | {"seed": 7})
    card = gallery(generation=drafted)

    card.button(key=f"finish-{drafted}").click().run()
    dispatcher.drain()

    [id] = [one.id for one in studio.gallery.browse().generations if one.id != drafted]
    finished = studio.gallery.get(id)
    assert (finished.params.seed, finished.parent_id) == (7, drafted)
    assert studio.speeds.finish(finished) is None
    assert not [one for one in gallery(generation=finished.id).button if str(one.key).startswith("finish")]
