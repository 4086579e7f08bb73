"""What becomes of pictures and their files: organising, the trash, the check of files against rows."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from core.domain.draft import Draft
from core.domain.errors import (
    GenerationNotFound,
    InvalidInput,
    StorageFull,
    StoredImageUnreadable,
    TooManyOrphans,
)
from core.domain.gallery.answers import PurgeResult
from core.domain.gallery.filter import UNVERIFIED, GalleryFilter
from core.domain.generation import Origin, Relation, Verdict
from core.services.collector import TRASH_TTL
from tests.conftest import a_picture, a_request


def painted(studio, **params) -> str:
    [id] = studio.generations.submit(a_request(**params))
    studio.dispatcher.drain()
    return id


def stored(studio) -> set[str]:
    return set(studio.gallery.images.keys())


def files_of(studio, id: str) -> set[str]:
    g = studio.gallery.get(id)
    return {g.source, g.mask, g.output, g.thumbnail}


# Verdicts ------------------------------------------------------------------------------------------------------


def test_the_newest_verdict_stands_on_the_generation_and_is_found(studio, inpainter):
    first, second, third = (painted(studio, seed=seed) for seed in (1, 2, 3))
    inpainter.shift = 90
    studio.reproductions.verify([first, second])
    studio.dispatcher.drain()
    inpainter.shift = 0
    studio.reproductions.verify([first])
    studio.dispatcher.drain()

    def found(*verdicts: str) -> list[str]:
        return [g.id for g in studio.gallery.browse(GalleryFilter(verdicts=verdicts)).generations]

    assert [studio.gallery.get(id).verdict for id in (first, second, third)] == [
        Verdict.EXACT,
        Verdict.DIFFERENT,
        None,
    ]
    assert (found("EXACT"), found("different"), found("CLOSE")) == ([first], [second], [])
    assert found("EXACT", UNVERIFIED) == [third, first]
    assert dict(studio.gallery.facets()["verdicts"]) == {"EXACT": 1, "DIFFERENT": 1, UNVERIFIED: 1}


def test_a_verification_that_was_asked_for_earlier_and_ends_later_is_not_the_newest(studio, inpainter, clock):
    id = painted(studio)
    [earlier], [later] = studio.reproductions.verify([id]), studio.reproductions.verify([id])
    studio.worker.run(later)
    inpainter.shift = 90

    studio.worker.run(earlier)

    assert studio.gallery.get(id).verdict is Verdict.EXACT


# Organising ----------------------------------------------------------------------------------------------------


def test_what_the_artist_makes_of_pictures_is_kept_with_each_of_them(studio):
    ids = [painted(studio, seed=seed) for seed in (1, 2)]
    gallery = studio.gallery

    gallery.set_favourite(ids)
    gallery.rate(ids, 4)
    gallery.rename(ids, "  Two   cats ")
    gallery.note(ids, "for the wall\nor not ")
    gallery.tag(ids, ["Cats", " for  Anna "])
    gallery.untag(ids[:1], ["cats"])

    first, second = (gallery.get(id) for id in ids)
    assert (first.favourite, first.rating, first.title, first.notes) == (True, 4, "Two cats", "for the wall\nor not")
    assert (first.tags, second.tags) == (("for Anna",), ("Cats", "for Anna"))
    assert gallery.tags() == ["Cats", "for Anna"]
    gallery.rate(ids, None)
    gallery.set_favourite(ids, False)
    assert (gallery.get(ids[0]).rating, gallery.get(ids[0]).favourite) == (None, False)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "action",
    [
        lambda gallery, ids: gallery.rate(ids, 6),
        lambda gallery, ids: gallery.rate(ids, 0),
        lambda gallery, ids: gallery.tag(ids, [""]),
        lambda gallery, ids: gallery.tag(ids, ["x" * 61]),
        lambda gallery, ids: gallery.tag(ids, ["a\x07b"]),
        lambda gallery, ids: gallery.rename(ids, "x" * 201),
        lambda gallery, ids: gallery.note(ids, "\x00"),
        lambda gallery, ids: gallery.save_search("", GalleryFilter()),
        lambda gallery, ids: gallery.delete_search("none of that name"),
        lambda gallery, ids: gallery.rate([*ids, "nobody"], 3),
    ],
)
def test_what_cannot_be_is_refused_with_a_message_and_changes_nothing(studio, action):
    id = painted(studio)
    before = studio.gallery.get(id)

    with pytest.raises(InvalidInput):
        action(studio.gallery, [id])

    assert studio.gallery.get(id) == before


def test_a_search_is_saved_and_replaced_and_deleted(studio):
    cats, dogs = GalleryFilter(text="cat", rating=3), GalleryFilter(tags=("dog",), since=None)

    studio.gallery.save_search("pets", cats)
    studio.gallery.save_search(" pets ", dogs)
    studio.gallery.save_search("All", GalleryFilter())

    assert [(s.name, s.filter) for s in studio.gallery.saved_searches()] == [("All", GalleryFilter()), ("pets", dogs)]
    studio.gallery.delete_search("pets")
    assert [s.name for s in studio.gallery.saved_searches()] == ["All"]


def test_facets_tell_what_there_is_beside_each_filter(studio):
    ids = [painted(studio, seed=1), painted(studio, seed=2, prompt="a dog")]
    studio.gallery.rate(ids[:1], 5)
    studio.gallery.tag(ids, ["pets"])

    facets = studio.gallery.facets(GalleryFilter(rating=5))
    searched = studio.gallery.facets(GalleryFilter(text="dog"))

    assert dict(facets["rating"]) == {None: 1, 5: 1}
    assert facets["tags"] == [("pets", 1)]
    assert facets["statuses"] == [("succeeded", 1)]
    assert facets["in_trash"] == [(False, 1)]
    assert searched["rating"] == [(None, 1)]
    assert str(searched["tags"][0][1]) == "1"


# The trash -----------------------------------------------------------------------------------------------------


def test_the_trash_is_emptied_of_what_lies_there_for_a_month(studio, clock):
    old, young, kept = (painted(studio, seed=seed) for seed in (1, 2, 3))
    studio.gallery.trash([old])
    clock.wait(seconds=TRASH_TTL.total_seconds())
    studio.gallery.trash([young])
    clock.wait(hours=1)
    own_files = files_of(studio, old) - files_of(studio, kept)

    assert studio.gallery.empty_trash() == PurgeResult(generations=1, files=len(own_files))

    with pytest.raises(GenerationNotFound):
        studio.gallery.get(old)
    assert studio.gallery.get(young).deleted_at is not None
    clock.wait(hours=2)
    studio.collector.collect()
    assert stored(studio) == files_of(studio, young) | files_of(studio, kept)
    assert studio.gallery.check().is_sound


def test_files_that_anything_else_uses_outlive_the_trash(studio, clock):
    """Another's source or mask, a failed one's source, one in the trash, an open draft."""
    first = painted(studio)
    result = studio.gallery.get(first)
    [continued] = studio.generations.submit(
        a_request(seed=5), origin=Origin(parent_id=first, relation=Relation.CONTINUATION)
    )
    studio.drafts.save("d", Draft(source=result.output, base_mask=result.mask))
    studio.gallery.trash([first])
    clock.wait(hours=2)

    done = studio.gallery.empty_trash(all=True, at_once=True)

    assert (done.generations, done.files, done.freed.files) == (1, 1, 1)
    assert not studio.gallery.images.has(result.thumbnail)
    assert studio.gallery.images.has(result.output)
    child = studio.gallery.get(continued)
    assert (child.parent_id, child.relation) == (None, Relation.CONTINUATION)
    studio.dispatcher.drain()
    assert studio.gallery.get(continued).status == "succeeded"
    assert studio.gallery.check().is_sound


def test_a_rerun_in_the_gallery_keeps_the_files_of_the_one_in_the_trash(studio, clock):
    first = painted(studio)
    again = studio.generations.rerun(first)
    studio.dispatcher.drain()
    studio.gallery.trash([first])
    clock.wait(hours=2)

    emptied = studio.gallery.empty_trash(all=True, at_once=True)

    assert (emptied.generations, emptied.files) == (1, 0)
    assert stored(studio) == files_of(studio, again)


def test_rows_stay_when_they_cannot_be_removed(studio, monkeypatch):
    id = painted(studio)
    studio.gallery.trash([id])
    before = stored(studio)

    def locked(*_, **__):
        raise RuntimeError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(type(studio.gallery.repo), "purge", locked)
        with pytest.raises(RuntimeError):
            studio.gallery.empty_trash(all=True)

    assert stored(studio) == before
    assert studio.gallery.get(id)


# Files against rows --------------------------------------------------------------------------------------------


def test_the_check_names_missing_and_damaged_files_and_who_needs_them(studio):
    first, second = painted(studio, seed=1), painted(studio, seed=2)
    g, images = studio.gallery.get(first), studio.gallery.images
    images.path(g.output).unlink()
    images.path(g.thumbnail).write_bytes(b"not a thumbnail")
    images.path(g.source).write_bytes(b"not a picture")

    found = studio.gallery.check(repair=True)

    assert not found.is_sound
    assert [(lost.key, lost.ids) for lost in found.missing] == [(g.output, (first,))]
    assert {lost.key: set(lost.ids) for lost in found.damaged} == {
        g.thumbnail: {first},
        g.source: {first, second},
    }
    assert found.orphans == found.removed == ()
    assert images.has(g.source)


def test_what_lies_in_the_trash_can_be_removed_for_good_one_by_one(studio, clock):
    gone, trashed, live = (painted(studio, seed=seed) for seed in (1, 2, 3))
    only_its_own = files_of(studio, gone) - files_of(studio, trashed) - files_of(studio, live)
    studio.gallery.trash([gone, trashed])
    clock.wait(hours=2)

    emptied = studio.gallery.delete_for_good([gone, live], at_once=True)

    assert (emptied.generations, emptied.files) == (1, len(only_its_own))
    assert stored(studio) & only_its_own == set()
    assert studio.gallery.check().is_sound
    assert [g.id for g in studio.gallery.browse(GalleryFilter(in_trash=True)).generations] == [trashed]
    assert [g.id for g in studio.gallery.browse().generations] == [live]


def test_only_a_repair_removes_orphans_and_strangers_are_left_alone(studio, clock):
    id = painted(studio)
    orphan = studio.gallery.images.put(a_picture(40, 40))
    clock.wait(hours=2)
    stranger = studio.gallery.images.folder / "ab" / "notes.txt"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("mine")

    assert studio.gallery.check().orphans == (orphan,)
    assert orphan in stored(studio)
    assert studio.gallery.check(repair=True).removed == (orphan,)

    assert orphan not in stored(studio)
    assert stranger.exists()
    assert studio.gallery.images.has(studio.gallery.get(id).output)
    # A mistake is no loss: it lies in the trash of the folder.
    assert studio.gallery.image(orphan).tobytes() == a_picture(40, 40).tobytes()


@pytest.mark.parametrize("is_painting", [True, False])
def test_a_repair_spares_young_files_whether_or_not_something_is_being_painted(studio, is_painting):
    """An import, a command line or a page may be about to write the row."""
    painted(studio)
    if is_painting:
        studio.generations.submit(a_request())
    young = studio.gallery.images.put(a_picture(40, 40))

    assert studio.gallery.check(repair=True).removed == ()

    assert young in stored(studio)


def test_a_repair_that_would_take_most_files_asks_first(studio, clock):
    """As with a lost or a restored database: these may be the only copies."""
    painted(studio)
    orphans = [studio.gallery.images.put(a_picture(40, 40 + n)) for n in range(5)]
    clock.wait(hours=2)

    with pytest.raises(TooManyOrphans, match="5 of 9 stored files"):
        studio.gallery.check(repair=True)
    assert set(orphans) <= stored(studio)

    assert set(studio.gallery.check(repair=True, most_files=True).removed) == set(orphans)


def test_a_file_that_cannot_be_moved_is_reported_with_a_message(studio, clock, monkeypatch):
    painted(studio)
    studio.gallery.images.put(a_picture(40, 40))
    clock.wait(hours=2)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)

    with pytest.raises(StorageFull, match="cannot be moved to its trash: Permission denied"):
        studio.gallery.check(repair=True)


def test_a_file_that_may_not_be_read_is_not_called_damaged(studio, monkeypatch):
    id = painted(studio)
    source = studio.gallery.get(id).source
    opened = Image.open

    def denied(path, *rest, **more):
        if str(path).endswith(source[-60:] + ".png"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest, **more)

    monkeypatch.setattr(Image, "open", denied)

    found = studio.gallery.check()

    assert [(lost.key, lost.ids) for lost in found.unreadable] == [(source, (id,))]
    assert (found.damaged, found.missing, found.is_sound) == ((), (), False)
    with pytest.raises(StoredImageUnreadable, match="Permission denied. Check who may read"):
        studio.gallery.image(source)


@pytest.mark.parametrize("is_missing", [True, False])
def test_a_thumbnail_that_is_missing_or_damaged_is_made_again(studio, is_missing):
    id = painted(studio)
    generation, images = studio.gallery.get(id), studio.gallery.images
    before = images.read_file(generation.thumbnail)
    if is_missing:
        images.path(generation.thumbnail).unlink()
    else:
        images.path(generation.thumbnail).write_bytes(b"not a thumbnail")

    assert studio.gallery.thumbnail(id, generation.thumbnail) == before

    assert images.read_file(generation.thumbnail) == before
    assert studio.gallery.check().is_sound


def test_a_thumbnail_that_another_release_made_is_replaced_by_todays(studio, monkeypatch):
    id = painted(studio)
    was = studio.gallery.get(id).thumbnail
    studio.gallery.images.path(was).unlink()
    monkeypatch.setattr("core.services.gallery.thumbnail", lambda image: b"another encoder")

    assert studio.gallery.thumbnail(id, was) == b"another encoder"

    assert studio.gallery.file(studio.gallery.get(id).thumbnail) == b"another encoder"
    assert studio.gallery.check().is_sound
