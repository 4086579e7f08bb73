"""Drafts as an artist finds them again: whose they are, what they are called, thrown away and brought back."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from PIL import Image

from core.domain.draft import Draft
from core.domain.errors import InvalidInput
from core.domain.files.picture import Picture
from core.domain.generation import Origin
from core.domain.pixels.outpaint import CanvasExtension
from core.services.drafts import DRAFT_TTL
from tests.conftest import a_picture, a_request

ME, OTHER = "a" * 16, "b" * 16


def opened(studio, clock, name: str = "photo.png", person: str | None = ME, side: int = 96) -> str:
    """The id of a draft with a picture, a minute after the one before."""
    clock.wait(minutes=1)
    id = studio.drafts.start(person)
    studio.drafts.save(id, studio.drafts.open_picture(Draft(), Picture(a_picture(side)), name))
    return id


def ids_of(studio, person: str | None = ME) -> list[str]:
    return [kept.id for kept in studio.drafts.of(person)]


def test_the_one_changed_last_comes_first_and_empty_ones_are_left_out(studio, clock):
    first, second = opened(studio, clock), opened(studio, clock)
    studio.drafts.start(ME)
    clock.wait(minutes=1)
    studio.drafts.save(first, studio.drafts.get(first).changed(params={"prompt": "a cat"}))

    assert ids_of(studio) == [first, second]


def test_nobody_finds_what_is_somebody_elses_and_nobodys_is_found_by_all_until_somebody_opens_it(studio, clock):
    mine, nobodys = opened(studio, clock, person=ME), opened(studio, clock, person=None)

    assert ids_of(studio, ME) == [nobodys, mine]
    assert ids_of(studio, OTHER) == [nobodys]

    studio.drafts.adopt(nobodys, ME)
    studio.drafts.adopt(nobodys, OTHER)

    assert ids_of(studio, ME) == [nobodys, mine]
    assert ids_of(studio, OTHER) == []
    assert ids_of(studio, None) == [nobodys, mine]


def test_it_is_called_as_its_picture_until_it_gets_a_name_which_every_change_leaves(studio, clock):
    id = opened(studio, clock, "coast.jpg")
    assert studio.drafts.kept(id).name == "coast.jpg"

    studio.drafts.rename(id, "  The  lighthouse ")
    studio.drafts.save(id, studio.drafts.get(id).changed(params={"seed": 3}))

    assert studio.drafts.kept(id).name == "The lighthouse"
    with pytest.raises(InvalidInput, match="201 characters; the limit is 200"):
        studio.drafts.rename(id, "x" * 201)


def test_one_without_a_name_is_forgotten_after_a_month_and_one_with_a_name_is_not(studio, clock):
    named, unnamed = opened(studio, clock), opened(studio, clock)
    studio.drafts.rename(named, "For the calendar")
    clock.wait(seconds=DRAFT_TTL.total_seconds() + 60)

    studio.drafts.start(ME)

    assert ids_of(studio) == [named]
    assert studio.drafts.get(unnamed) is None


def test_a_deleted_one_can_be_restored_for_a_month_even_one_with_a_name(studio, clock):
    id = opened(studio, clock)
    studio.drafts.rename(id, "For the calendar")
    studio.drafts.delete(id)

    assert ids_of(studio) == []
    assert [kept.id for kept in studio.drafts.deleted(ME)] == [id]
    clock.wait(seconds=(DRAFT_TTL - timedelta(days=1)).total_seconds())
    studio.drafts.start(ME)
    studio.drafts.restore(id)
    assert ids_of(studio) == [id]

    studio.drafts.delete(id)
    clock.wait(seconds=DRAFT_TTL.total_seconds() + 60)
    studio.drafts.start(ME)
    assert studio.drafts.get(id) is None
    with pytest.raises(InvalidInput, match="There is no such draft"):
        studio.drafts.kept(id)


def test_who_paints_on_in_a_deleted_one_has_it_back(studio, clock):
    id = opened(studio, clock)
    studio.drafts.delete(id)

    studio.drafts.save(id, studio.drafts.get(id).changed(params={"seed": 1}))

    assert ids_of(studio) == [id]


def test_a_duplicate_has_picture_mask_and_form_but_not_the_results(studio, clock):
    id = opened(studio, clock, "coast.jpg")
    draft = studio.drafts.get(id).changed(base_mask="sha256:m", params={"seed": 1}, generations=("g",), sheet="s")
    studio.drafts.save(id, draft)

    copy = studio.drafts.duplicate(id, ME)

    assert studio.drafts.get(copy) == draft.changed(generations=(), sheet=None)
    assert studio.drafts.kept(copy).name == "coast.jpg (copy)"
    assert set(ids_of(studio)) == {id, copy}


def test_a_result_that_is_painted_on_takes_the_place_of_the_draft_it_came_from(studio, clock, dispatcher):
    first = opened(studio, clock)
    [made] = studio.generations.submit(a_request(), origin=Origin())
    dispatcher.drain()
    studio.drafts.save(first, studio.drafts.get(first).changed(generations=(made,)))
    clock.wait(minutes=1)
    second = studio.drafts.take_in(studio.drafts.continued_from(studio.gallery.get(made)), "", ME)

    assert ids_of(studio) == [second]

    clock.wait(minutes=1)
    studio.drafts.save(first, studio.drafts.get(first).changed(params={"seed": 1}))
    assert ids_of(studio) == [first, second], "somebody went back to it"


def test_a_larger_canvas_takes_the_place_of_the_picture_until_it_is_deleted(studio, clock):
    first = opened(studio, clock)
    clock.wait(minutes=1)
    extension = CanvasExtension(left=8)
    larger = studio.drafts.extend_canvas(first, extension, overlap_px=4, max_pixels=10**6)
    second = studio.drafts.take_in(larger, "", ME)

    assert ids_of(studio) == [second]
    studio.drafts.delete(second)
    assert ids_of(studio) == [first]


def test_a_thumbnail_is_made_when_the_picture_is_opened_and_the_picture_is_not_read_again(studio, clock, decoded):
    id = opened(studio, clock, side=960)
    decoded.clear()

    shown = Image.open(io.BytesIO(studio.drafts.thumbnail(studio.drafts.kept(id))))

    assert shown.size == (384, 26)
    assert decoded == []


def test_the_thumbnail_of_an_older_draft_is_made_once_and_is_not_a_change_of_it(studio, clock):
    id = opened(studio, clock)
    studio.drafts.save(id, studio.drafts.get(id).changed(thumbnail=None))
    before = studio.drafts.kept(id)

    shown = studio.drafts.thumbnail(before)

    after = studio.drafts.kept(id)
    assert studio.gallery.file(after.draft.thumbnail) == shown
    assert after.draft.changed(thumbnail=None) == before.draft
    assert after.updated_at == before.updated_at
