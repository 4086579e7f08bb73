"""What belongs together is there together, or not at all: whatever ends half way, and whoever else is at work."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.domain.errors import StoredImageDamaged
from core.domain.sheet import Axis, Sheet
from core.settings import Settings
from tests.conftest import Clock, a_request, make_studio
from tests.fakes import FakeInpainter

SHEET = Sheet(Axis("seed", (1, 2)))


class PlugPulled(BaseException):
    """As a killed process: nothing catches it."""


def pull_the_plug(*_, **__):
    raise PlugPulled


@pytest.fixture
def elsewhere(tmp_path, inpainter, clock):
    return make_studio(Settings(data=tmp_path / "elsewhere"), inpainter, clock)


@pytest.fixture
def bundle(studio, dispatcher) -> bytes:
    """Two generations with a tag each, and the sheet that they make."""
    ids = [generation.id for generation in studio.sheets.submit(a_request(), SHEET).generations]
    dispatcher.drain()
    studio.gallery.tag(ids[:1], ["one", "both"])
    studio.gallery.tag(ids[1:], ["both"])
    file = io.BytesIO()
    studio.bundles.export(ids, file)
    return file.getvalue()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("at", ["add_rows", "add_tags", "add_sheet"])
def test_a_bundle_that_is_killed_half_way_is_read_whole_the_next_time(elsewhere, bundle, monkeypatch, clock, at):
    with monkeypatch.context() as patch:
        patch.setattr(f"db.generations.{at}", pull_the_plug)
        with pytest.raises(PlugPulled):
            elsewhere.bundles.import_(io.BytesIO(bundle))

    assert elsewhere.gallery.count() == 0
    assert elsewhere.gallery.tags() == []

    done = elsewhere.bundles.import_(io.BytesIO(bundle))

    assert (len(done.ids), done.known) == (2, ())
    assert sorted(elsewhere.gallery.get(id).tags for id in done.ids) == [("both",), ("both", "one")]
    assert len(elsewhere.sheets.of(done.ids[0])) == 1
    assert elsewhere.gallery.check().is_sound


def test_the_files_of_a_bundle_that_was_killed_half_way_go_by_themselves(elsewhere, bundle, monkeypatch, clock):
    with monkeypatch.context() as patch:
        patch.setattr("db.generations.add_rows", pull_the_plug)
        with pytest.raises(PlugPulled):
            elsewhere.bundles.import_(io.BytesIO(bundle))
    assert list(elsewhere.gallery.images.keys())

    clock.wait(hours=2)
    elsewhere.collector.collect()

    assert list(elsewhere.gallery.images.keys()) == []


def test_a_sheet_that_is_killed_half_way_leaves_no_cell_in_the_queue(studio, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("db.generations.add_sheet", pull_the_plug)
        with pytest.raises(PlugPulled):
            studio.sheets.submit(a_request(), SHEET)

    assert studio.gallery.count() == 0
    assert studio.sheets.submit(a_request(), SHEET).generations


def test_a_tag_that_is_killed_half_way_is_on_none_of_them(studio, monkeypatch):
    ids = studio.generations.submit(a_request(), count=3)
    with monkeypatch.context() as patch:
        patch.setattr("db.tags.write_tags", pull_the_plug)
        with pytest.raises(PlugPulled):
            studio.gallery.tag(ids, ["new", "newer"])

    assert studio.gallery.tags() == []
    assert [studio.gallery.get(id).tags for id in ids] == [(), (), ()]


def in_parallel(count: int, do) -> list:
    """do of 0, 1, ... at the same time; what each returned. Raises what any of them raised."""
    ready = threading.Barrier(count)

    def run(nth: int):
        ready.wait(10)
        return do(nth)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


@pytest.mark.slow
def test_sessions_that_make_and_take_away_the_same_tag_find_one_tag(studio, settings):
    ids = studio.generations.submit(a_request(), count=4)
    studios = [make_studio(settings, FakeInpainter(), Clock()) for _ in range(4)]

    def tag(nth: int) -> None:
        for round in range(10):
            studios[nth].gallery.tag([ids[nth]], [f"Tag {round}", f"tag {round}"])
            studios[nth].gallery.tag(ids, ["passing"])
            studios[nth].gallery.untag(ids, ["PASSING"])

    in_parallel(4, tag)

    assert {tag.casefold() for tag in studio.gallery.tags()} == {f"tag {round}" for round in range(10)}
    assert len(studio.gallery.tags()) == 10
    assert {studio.gallery.get(id).tags for id in ids} == {tuple(sorted(studio.gallery.tags(), key=str.casefold))}


def test_two_programs_that_read_the_same_bundle_add_it_once(tmp_path, bundle, clock):
    settings = Settings(data=tmp_path / "shared")
    studios = [make_studio(settings, FakeInpainter(), Clock()) for _ in range(2)]

    done = in_parallel(2, lambda nth: studios[nth].bundles.import_(io.BytesIO(bundle)))

    assert sorted(len(one.ids) for one in done) in ([0, 2], [2, 2])
    assert sorted(len(one.known) for one in done)[0] == 0
    assert studios[0].gallery.count() == 2
    [id, _] = [g.id for g in studios[0].gallery.browse().generations]
    assert len(studios[0].sheets.of(id)) == 1
    assert studios[0].gallery.check().is_sound


# What goes out ------------------------------------------------------------------------------------------------------


@pytest.mark.slow_but_first
@pytest.mark.parametrize("what", ["source", "mask", "output"])
@pytest.mark.parametrize("how", ["cut", "another picture", "gone", "empty"])
def test_no_bundle_is_written_that_nobody_could_read(studio, dispatcher, what, how):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()
    generation = studio.gallery.get(id)
    file = studio.gallery.images.path(getattr(generation, what))
    if how == "gone":
        file.unlink()
    elif how == "another picture":
        others = {"source": "output", "mask": "source", "output": "source"}
        file.write_bytes(studio.gallery.images.path(getattr(generation, others[what])).read_bytes())
    else:
        file.write_bytes(file.read_bytes()[:-100] if how == "cut" else b"")

    with pytest.raises(StoredImageDamaged, match=f"generation {id} is (damaged|missing), so no bundle was written"):
        studio.bundles.export([id], io.BytesIO())
