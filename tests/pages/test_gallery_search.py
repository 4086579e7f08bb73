"""The gallery's search side: filters with their counts, saved searches, what is done with a selection."""

# ruff: noqa: F811 - fixtures of the other file
from __future__ import annotations

import io
import json
import zipfile

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.errors import OutOfMemory
from core.domain.gallery.filter import FILTERS, GalleryFilter
from db.filters import COLUMNS
from pages.ui.gallery.filters import LEFT, RIGHT, SHOWN
from tests.conftest import a_request
from tests.pages.test_gallery import HOSTILE, button, gallery, grid, painted, words_on  # noqa: F401 - two are fixtures


@pytest.fixture
def open_at(gallery):
    """Open the gallery with these of its popovers open."""

    def open_at(*popovers: str, **query) -> AppTest:
        page = gallery(**query)
        for popover in popovers:
            page.session_state[popover] = True
        return page.run() if popovers else page

    return open_at


def labels(widget) -> list[str]:
    return [option.content for option in widget.proto.options]


def chips(page: AppTest) -> list[str]:
    return [b.label.replace("\\", "") for b in page.button if (b.key or "").startswith("chip-")]


# Filters -------------------------------------------------------------------------------------------------------


def test_each_value_stands_with_how_many_there_are_under_the_other_filters(open_at, studio, dispatcher, inpainter):
    ids = painted(studio, dispatcher, count=3)
    inpainter.fail_with(OutOfMemory())
    painted(studio, dispatcher)
    studio.gallery.rate(ids[:2], 4)
    studio.gallery.rate(ids[2:], 5)
    studio.gallery.tag(ids[:1], ["sky"])
    studio.reproductions.verify(ids[:1])
    dispatcher.drain()

    page = open_at("filters", status="succeeded")

    assert labels(page.pills(key="filter-statuses")) == ["Succeeded · 3", "Failed · 1"]
    assert labels(page.pills(key="filter-verdicts")) == ["EXACT · 1", "Not verified · 2"]
    assert labels(page.pills(key="filter-rating")) == ["5 ★ · 1", "4+ ★ · 3", "3+ ★ · 3", "2+ ★ · 3", "1+ ★ · 3"]
    assert labels(page.pills(key="filter-favourite")) == ["Favourites · 0", "Others · 3"]
    assert page.multiselect(key="filter-tags").options == ["sky · 1"]
    assert page.multiselect(key="filter-models").options == ["pocket-inpaint · 3"]
    assert page.multiselect(key="filter-devices").options == ["cpu · 3"]


def test_every_filter_is_answered_by_the_database_and_has_its_place_on_the_page():
    rows = [name for row in (*LEFT, *RIGHT) for name in row]

    assert {*COLUMNS, "text", "tags", "since", "until", "sort"} == {*FILTERS}
    assert {*SHOWN, "text", "sort", "in_trash"} == {*FILTERS}
    assert sorted([*rows, "parent_id"]) == sorted(SHOWN)


def test_a_filter_that_is_chosen_stands_in_the_address_and_is_asked(open_at, studio, dispatcher, inpainter, grid):
    inpainter.fail_with(OutOfMemory())
    [failed] = painted(studio, dispatcher)
    [other] = painted(studio, dispatcher, model="sd15-inpainting")
    [verified] = painted(studio, dispatcher)
    studio.reproductions.verify([verified])
    dispatcher.drain()

    page = open_at("filters")
    page.pills(key="filter-statuses").set_value(["failed"]).run()
    assert (grid.ids, page.query_params["status"]) == ([failed], "failed")
    page.pills(key="filter-statuses").set_value([]).run()
    page.multiselect(key="filter-models").set_value(["sd15-inpainting"]).run()
    assert (grid.ids, page.query_params["model"]) == ([other], "sd15-inpainting")
    page.multiselect(key="filter-models").set_value([]).run()
    page.pills(key="filter-verdicts").set_value(["EXACT"]).run()
    assert (grid.ids, dict(page.query_params)) == ([verified], {"verdict": "EXACT"})


def test_rating_favourite_lineage_size_and_days_are_filters_too(open_at, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=2)
    [child] = [studio.generations.rerun(ids[0])]
    dispatcher.drain()
    studio.gallery.rate(ids[:1], 3)
    studio.gallery.set_favourite(ids[1:])

    page = open_at("filters")
    page.pills(key="filter-rating").set_value(3).run()
    assert (grid.ids, chips(page)) == ([ids[0]], ["3+ ★"])
    page.pills(key="filter-rating").set_value(None).run()
    page.pills(key="filter-favourite").set_value(True).run()
    assert (grid.ids, chips(page)) == ([ids[1]], ["Favourites"])
    page.pills(key="filter-favourite").set_value(None).run()
    page.pills(key="filter-has_parent").set_value(True).run()
    assert (grid.ids, chips(page)) == ([child], ["Derived"])
    page.pills(key="filter-has_parent").set_value(None).run()
    page.number_input(key="filter-min_px").set_value(97).run()
    assert (grid.ids, chips(page)) == ([], ["At least 97 px"])
    page.number_input(key="filter-min_px").set_value(None).run()
    page.date_input(key="filter-since").set_value("2026-01-02").run()
    assert (grid.ids, chips(page), page.query_params["since"]) == ([], ["From 02 Jan 2026"], "2026-01-02")


def test_what_is_set_stands_above_the_grid_and_can_be_taken_away(gallery, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=2)
    studio.gallery.tag(ids, ["one", "two"])

    page = gallery(search="cat", tag=["one", "two"], status="succeeded", rating="2")

    assert chips(page) == ["Succeeded", "one", "two", "2+ ★"]
    page = button(page, "2\\+ ★").click().run()
    assert (len(grid.ids), page.query_params["tag"]) == (2, ["one", "two"])
    page = button(page, "one").click().run()
    assert (page.query_params["tag"], page.query_params["search"]) == ("two", "cat")
    page = button(page, "Clear all").click().run()
    assert dict(page.query_params) == {"search": "cat"}
    assert chips(page) == []


def test_a_filter_never_falls_together_with_a_later_page_of_another(gallery, studio, grid):
    studio.generations.submit(a_request(), count=64)
    page = button(gallery(), "Older").click().run()
    assert "after" in page.query_params

    page.text_input(key="filter-text").set_value("cat").run()

    assert "after" not in page.query_params
    assert len(grid.ids) == 60


def test_hostile_names_are_shown_as_they_are(open_at, studio, dispatcher):
    ids = painted(studio, dispatcher)
    tag = HOSTILE[:58].strip()
    studio.gallery.tag(ids, [tag])
    studio.gallery.save_search(HOSTILE[:99], GalleryFilter(tags=(tag,)))

    page = open_at("filters", "searches", tag=tag)

    assert chips(page) == [tag]
    assert any(b.label.replace("\\", "") == HOSTILE[:99] for b in page.button)


def test_names_that_are_alike_and_days_far_away_do_no_harm(open_at, studio, dispatcher):
    ids = painted(studio, dispatcher)
    studio.gallery.tag(ids, ["Succeeded", "Favourites"])
    studio.gallery.set_favourite(ids)
    for name in ("name", "search-name"):
        studio.gallery.save_search(name, GalleryFilter())

    page = open_at(
        "filters",
        "searches",
        status="succeeded",
        tag=["Succeeded", "Favourites"],
        favourite="true",
        since="0001-01-01",
        until="9999-12-31",
    )
    assert chips(page) == ["Succeeded", "Favourites", "Succeeded", "Favourites", "From 01 Jan 1", "Until 31 Dec 9999"]

    page = open_at("filters", until="0001-01-01")
    assert "No generation matches" in page.info[0].value


def test_a_search_that_finds_nothing_is_cleared_with_one_click_and_the_trash_stays_chosen(gallery, studio, dispatcher):
    ids = painted(studio, dispatcher, count=2, prompt="a cat")
    studio.gallery.trash(ids)

    page = gallery(search="dog", rating="3", sort="oldest", trash="true")
    assert page.info[0].value == "No generation in the trash matches."
    page.button(key="clear-search").click().run()

    assert sorted(page.query_params) == ["sort", "trash"]
    assert "2 generations" in words_on(page)


@pytest.mark.slow
def test_a_page_on_which_nothing_is_left_is_not_taken_for_an_empty_trash(gallery, studio, dispatcher):
    made = studio.generations.submit(a_request(), count=64)
    for id in made:
        studio.generations.cancel(id)
    studio.gallery.trash(made)
    second = button(gallery(trash="true"), "Older").click().run().query_params["after"]
    studio.gallery.restore(made[:8])

    page = gallery(trash="true", after=second)

    assert "This page is empty" in page.info[0].value


# Saved searches ------------------------------------------------------------------------------------------------


def test_a_search_is_saved_opened_and_deleted(open_at, studio, dispatcher, grid):
    [cat] = painted(studio, dispatcher, prompt="a cat")
    painted(studio, dispatcher, prompt="a dog")

    page = open_at("searches", search="cat", sort="oldest")
    page.text_input(key="search-name").set_value("cats")
    button(page, "Save").click().run()
    assert [(s.name, s.filter.text) for s in studio.gallery.saved_searches()] == [("cats", "cat")]

    page = open_at("searches")
    assert len(grid.ids) == 2
    button(page, "cats").click().run()
    assert grid.ids == [cat]
    assert dict(page.query_params) == {"search": "cat", "sort": "oldest"}
    next(b for b in page.button if b.key == "forget-cats").click().run()
    assert studio.gallery.saved_searches() == []


def test_a_search_without_a_name_is_refused_with_a_message(open_at, studio):
    page = open_at("searches")

    button(page, "Save").click().run()

    assert "needs a name" in page.toast[0].value


# What is done with a selection ---------------------------------------------------------------------------------


def test_a_selection_is_made_favourite_rated_and_tagged(open_at, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=3)
    grid.answer = {"selected": ids[:2]}

    page = open_at("organise")
    assert "For 2 generations" in words_on(page)
    button(page, "Favourite").click().run()
    page.feedback(key="rate-selected").set_value(3).run()
    page.multiselect(key="tags-of-selected").set_value(["sky", "sea"])
    button(page, "Add tags").click().run()

    for id in ids:
        g = studio.gallery.get(id)
        expected = (True, 4, ("sea", "sky")) if id in ids[:2] else (False, None, ())
        assert (g.favourite, g.rating, g.tags) == expected
    button(page, "Remove from favourites").click().run()
    button(page, "Clear rating").click().run()
    page.multiselect(key="tags-of-selected").set_value(["sky"])
    button(page, "Remove tags").click().run()
    assert [(g.favourite, g.rating, g.tags) for g in map(studio.gallery.get, ids[:2])] == [(False, None, ("sea",))] * 2


def test_exactly_two_can_be_compared_the_older_on_the_left(gallery, studio, dispatcher, grid, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "pages.ui.generation.compare.comparison", lambda studio, left, right: compared.append((left, right))
    )
    [old] = painted(studio, dispatcher)
    [new] = painted(studio, dispatcher)
    grid.answer = {"selected": [old]}
    assert button(gallery(), "Compare").disabled
    grid.answer = {"selected": [old, new]}

    page = button(gallery(), "Compare").click().run()

    assert page.query_params["compare"] == [old, new]
    assert compared == [(old, new)]


def test_what_is_selected_and_has_a_result_is_exported_as_a_bundle(
    gallery, studio, dispatcher, grid, inpainter, monkeypatch
):
    ids = painted(studio, dispatcher, count=2)
    inpainter.fail_with(OutOfMemory())
    ids += painted(studio, dispatcher)
    grid.answer = {"selected": ids}
    given = []
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *_, **__: given.append(data))

    gallery()

    with zipfile.ZipFile(io.BytesIO(given[0]())) as bundle:
        exported = [g["id"] for g in json.loads(bundle.read("bundle.json"))["generations"]]
    assert sorted(exported) == sorted(ids[:2])


def dialog(name: str, *arguments) -> AppTest:
    """One of the dialogs by itself: in a test's run of the whole page it would be closed again at once."""

    def script(name: str, arguments: tuple) -> None:
        from pages.ui.gallery import bulk as gallery_bulk
        from pages.ui.shell import resources

        getattr(gallery_bulk, name)(resources.studio(), *arguments)

    return AppTest.from_function(script, args=(name, arguments), default_timeout=30).run()


def test_nothing_is_removed_for_good_without_a_second_word(gallery, studio, dispatcher, grid):
    ids = painted(studio, dispatcher, count=3)
    studio.gallery.trash(ids)
    grid.answer = {"selected": ids[:1]}

    page = button(gallery(trash="true"), "Delete permanently").click().run()
    assert "cannot be undone" in words_on(page)
    page = button(gallery(trash="true"), "Empty trash").click().run()
    assert "3 in all" in words_on(page)

    assert studio.gallery.count(GalleryFilter(in_trash=True)) == 3


@pytest.mark.slow
def test_one_of_the_trash_and_then_all_of_it_is_removed(gallery, studio, dispatcher, grid, clock):
    def in_trash() -> int:
        return studio.gallery.count(GalleryFilter(in_trash=True))

    ids = painted(studio, dispatcher, count=4)
    studio.gallery.trash(ids[:2])
    clock.wait(days=31)
    studio.gallery.trash(ids[2:])

    page = button(dialog("_delete_for_good", ids[:1]), "Delete permanently").click().run()
    assert in_trash() == 3
    assert page.session_state["studio.flash.trash"] == "1 generation deleted permanently."
    page = dialog("_empty_trash")
    page.checkbox(key="only-old").check()
    button(page, "Empty trash").click().run()
    assert in_trash() == 2
    page = dialog("_empty_trash")
    page.checkbox(key="free-at-once").check()
    page = button(page, "Empty trash").click().run()
    assert in_trash() == 0
    assert page.session_state["studio.flash.trash"].endswith(" MB freed.")
    assert list(studio.gallery.images.discarded(clock().date())) == []


def test_the_page_is_drawn_again_when_a_verification_has_ended(gallery, studio, dispatcher, grid):
    [id] = painted(studio, dispatcher)
    grid.answer = {"selected": [id]}
    page = button(gallery(), "Verify").click().run()
    assert grid.tiles[0]["sign"] is None

    dispatcher.drain()
    page.run()

    assert grid.tiles[0]["sign"] == "="


def test_a_tile_shows_its_newest_verdict_also_to_those_who_cannot_see_it(gallery, studio, dispatcher, grid):
    [id] = painted(studio, dispatcher)
    gallery()
    assert (grid.tiles[0]["sign"], grid.tiles[0]["said"]) == (None, None)
    studio.reproductions.verify([id])
    dispatcher.drain()

    gallery()

    assert (grid.tiles[0]["sign"], grid.tiles[0]["said"]) == ("=", "Reproduction: EXACT")
