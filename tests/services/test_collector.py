"""No file that anything needs is ever gone, whoever deletes what, and when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from PIL import Image

from core.domain.draft import Draft
from core.domain.errors import ForeignFolder, GenerationNotFound
from core.domain.gallery.filter import GalleryFilter
from core.domain.pixels.mask import Mask
from core.domain.request import InpaintRequest
from core.services.collector import GRACE, TRASH_TTL
from core.services.drafts import DRAFT_TTL
from core.settings import Settings
from db.connection import make_engine
from db.files import FileRepo
from db.upgrade import upgrade
from tests.conftest import Clock, a_mask, a_picture, a_request, make_studio
from tests.fakes import FakeInpainter


def painted(studio, **params) -> str:
    [id] = studio.generations.submit(a_request(**params))
    studio.dispatcher.drain()
    return id


def stored(studio) -> set[str]:
    return set(studio.gallery.images.keys())


def discarded(studio, clock) -> set[str]:
    return set(studio.gallery.images.discarded(clock().date()))


def lost(studio) -> list[str]:
    """Files that something needs and that are nowhere."""
    uses, drafts = FileRepo(studio.gallery.repo._engine).in_use()
    return [key for key in sorted({*uses, *drafts}) if not studio.gallery.images.has(key)]


# How files go ----------------------------------------------------------------------------------------------------


def test_files_go_an_hour_after_their_row_into_a_dated_trash_and_a_month_later_for_good(studio, clock):
    id = painted(studio)
    files = stored(studio)
    clock.wait(days=3)
    studio.gallery.trash([id])

    studio.gallery.empty_trash(all=True)
    assert studio.collector.collect() == 0
    assert stored(studio) == files

    clock.wait(seconds=GRACE.total_seconds())
    assert studio.collector.collect() == len(files)
    assert (stored(studio), discarded(studio, clock)) == (set(), files)

    clock.wait(seconds=TRASH_TTL.total_seconds())
    studio.collector.collect()
    assert discarded(studio, clock) == files
    clock.wait(days=1)
    studio.collector.collect()
    assert discarded(studio, clock) == set()


def test_what_a_draft_let_go_goes_like_the_rest(studio, clock):
    strokes = [studio.drafts.images.put(Image.new("L", (96, 64), nth)) for nth in range(4)]
    id = studio.drafts.start()
    for stroke in strokes:
        studio.drafts.save(id, studio.drafts.get(id).changed(base_mask=stroke))
    other = studio.drafts.start()
    studio.drafts.save(other, Draft(base_mask=strokes[1]))
    clock.wait(hours=2)

    studio.collector.collect()

    assert stored(studio) == {strokes[1], strokes[3]}
    assert discarded(studio, clock) == {strokes[0], strokes[2]}


def test_a_forgotten_draft_takes_its_files_along_but_not_those_of_others(studio, clock):
    source, mask = studio.drafts.images.put(a_picture()), studio.drafts.images.put(a_mask().to_image())
    studio.drafts.save("old", Draft(source=source, base_mask=mask))
    clock.wait(seconds=DRAFT_TTL.total_seconds() + 60)
    studio.drafts.save("other", Draft(base_mask=mask))
    studio.drafts.start()
    clock.wait(hours=2)

    studio.collector.collect()

    assert stored(studio) == {mask}


def test_what_was_stored_again_within_the_hour_stays_and_goes_later(studio, clock):
    id = painted(studio)
    output = studio.gallery.get(id).output
    studio.gallery.trash([id])
    studio.gallery.empty_trash(all=True)
    clock.wait(hours=2)
    studio.gallery.images.put(studio.gallery.images.get(output))

    studio.collector.collect()
    assert output in stored(studio)

    clock.wait(hours=2)
    studio.collector.collect()
    assert output not in stored(studio)


def test_freed_at_once_are_also_the_files_that_lay_in_the_folders_trash(studio, clock):
    first, second, kept = (painted(studio, seed=seed) for seed in (1, 2, 3))
    studio.gallery.trash([first])
    studio.gallery.empty_trash(all=True)
    clock.wait(hours=2)
    studio.collector.collect()
    studio.gallery.trash([second])

    emptied = studio.gallery.empty_trash(all=True, at_once=True)

    assert emptied.freed.files == 4
    assert emptied.freed.bytes > 4_000
    assert discarded(studio, clock) == set()
    assert lost(studio) == []
    assert studio.gallery.get(kept)


# Two at work at the same time -----------------------------------------------------------------------------------


def delete_for_good_at_once(studio, clock, ids):
    clock.wait(minutes=5)
    studio.gallery.delete_for_good(ids, at_once=True)


def delete_for_good_and_collect(studio, clock, ids):
    studio.gallery.delete_for_good(ids)
    clock.wait(hours=2)
    studio.collector.collect()


def delete_for_good_and_wait_for_months(studio, clock, ids):
    delete_for_good_and_collect(studio, clock, ids)
    clock.wait(days=40)
    studio.collector.collect()


DELETIONS = [delete_for_good_at_once, delete_for_good_and_collect, delete_for_good_and_wait_for_months]


@pytest.mark.parametrize("delete", DELETIONS)
@pytest.mark.slow_but_first
def test_an_original_deleted_between_storing_and_recording_takes_nothing_of_its_rerun(
    studio, clock, monkeypatch, delete
):
    """A rerun is bit-identical, so both rows name one file: A's goes after B has stored it, before B's row says so."""
    first = painted(studio)
    clock.wait(days=1)
    studio.gallery.trash([first])
    again = studio.generations.rerun(first)
    finish = type(studio.worker.repo).finish

    def finish_late(repo, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(type(repo), "finish", finish)
            delete(studio, clock, [first])
        return finish(repo, *arguments)

    monkeypatch.setattr(type(studio.worker.repo), "finish", finish_late)
    studio.worker.run(again)

    done = studio.gallery.get(again)
    assert done.status == "succeeded"
    assert studio.gallery.image(done.output)
    assert studio.gallery.thumbnail(again, done.thumbnail)
    assert lost(studio) == []
    assert studio.gallery.check().is_sound


@pytest.mark.parametrize("delete", DELETIONS)
@pytest.mark.slow_but_first
def test_a_trash_emptied_while_a_picture_is_submitted_takes_nothing_of_it(studio, clock, monkeypatch, delete):
    first = painted(studio)
    clock.wait(days=1)
    studio.gallery.trash([first])
    add = type(studio.generations.repo).add

    def add_late(repo, *arguments):
        delete(studio, clock, [first])
        return add(repo, *arguments)

    monkeypatch.setattr(type(studio.generations.repo), "add", add_late)
    [id] = studio.generations.submit(a_request())
    monkeypatch.undo()

    assert lost(studio) == []
    studio.dispatcher.drain()
    assert studio.gallery.get(id).status == "succeeded"


@pytest.mark.parametrize("delete", DELETIONS[:2])
def test_a_rerun_of_what_is_being_deleted_is_painted_or_says_that_it_is_gone(studio, clock, monkeypatch, delete):
    first = painted(studio)
    clock.wait(days=1)
    studio.gallery.trash([first])
    add = type(studio.generations.repo).add

    def add_late(repo, *arguments):
        delete(studio, clock, [first])
        return add(repo, *arguments)

    monkeypatch.setattr(type(studio.generations.repo), "add", add_late)
    again = studio.generations.rerun(first)
    monkeypatch.undo()
    studio.dispatcher.drain()

    done = studio.gallery.get(again)
    assert (done.parent_id, done.relation) == (None, "rerun")
    # At once was said, and it was: what the rerun was to begin with is gone, and it says so.
    assert (done.status, done.error_code) in [("succeeded", None), ("failed", "StoredImageMissing")]
    assert done.status == "succeeded" or delete is delete_for_good_at_once


def test_a_request_whose_parent_was_deleted_for_good_meanwhile_is_not_lost(studio):
    from core.domain.generation import Origin, Relation

    first = painted(studio)
    studio.gallery.trash([first])
    studio.gallery.empty_trash(all=True)

    [id] = studio.generations.submit(a_request(seed=2), origin=Origin(parent_id=first, relation=Relation.VARIATION))

    assert studio.gallery.get(id).parent_id is None


# Whose folder it is ----------------------------------------------------------------------------------------------


def another(settings: Settings, clock, name: str = "other.db"):
    """A studio on the same folder with another database."""
    url = f"sqlite:///{settings.data / name}"
    return make_studio(Settings(data=settings.data, database_url=url), FakeInpainter(), clock)


def test_a_new_folder_and_a_new_database_belong_together_from_the_start(studio, settings, clock):
    assert studio.collector.problem() is None
    assert studio.gallery.images.owner() == studio.collector.files.gallery_id()
    assert make_studio(settings, FakeInpainter(), clock).collector.problem() is None


@pytest.mark.slow_but_first
@pytest.mark.parametrize("is_known", [True, False], ids=["another database", "a database of nobody"])
def test_another_database_on_the_folder_takes_nothing_out_of_it(studio, settings, clock, is_known):
    id = painted(studio)
    files = stored(studio)
    if is_known:
        # One that has pictures of its own, in a folder that was put away.
        elsewhere = settings.data.with_name("elsewhere")
        (elsewhere / "other.db").parent.mkdir()
        other = make_studio(
            Settings(data=elsewhere, database_url=f"sqlite:///{settings.data / 'other.db'}"), FakeInpainter(), clock
        )
        painted(other)
    other = another(settings, clock)
    clock.wait(days=40)

    assert "python -m core gallery adopt" in other.collector.problem()
    for action in (
        other.collector.collect,
        other.collector.free,
        lambda: other.gallery.check(repair=True, most_files=True),
    ):
        with pytest.raises(ForeignFolder):
            action()
    other.housekeeping.do()

    assert files <= stored(studio)
    assert studio.collector.problem() is None
    assert studio.gallery.image(studio.gallery.get(id).output)


def test_a_lost_database_that_was_made_anew_is_told_and_repairs_nothing(studio, settings, clock):
    painted(studio)
    files = stored(studio)
    studio.gallery.repo._engine.dispose()
    for path in settings.data.glob("studio.db*"):
        path.unlink()
    clock.wait(days=40)

    new = make_studio(settings, FakeInpainter(), clock)

    assert new.collector.problem()
    with pytest.raises(ForeignFolder):
        new.gallery.check(repair=True, most_files=True)
    new.housekeeping.do()
    assert stored(new) == files
    # It goes on all the same, and knowingly they become one gallery.
    assert new.gallery.get(painted(new, seed=9)).status == "succeeded"
    new.collector.adopt()
    assert new.collector.problem() is None
    assert another(settings, clock).collector.problem()


@pytest.mark.parametrize("lost_by", ["both", "folder", "database"])
@pytest.mark.slow_but_first
def test_an_installation_of_before_gets_its_id_at_the_next_start(studio, settings, clock, lost_by):
    painted(studio)
    if lost_by != "database":
        (settings.data / "gallery-id").unlink()
    if lost_by != "folder":
        with studio.gallery.repo._engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM gallery_id")

    again = make_studio(settings, FakeInpainter(), clock)

    assert again.collector.problem() is None
    assert again.gallery.images.owner() == again.collector.files.gallery_id() is not None


def test_an_installation_of_before_that_knows_only_a_draft_gets_its_id_too(studio, settings, clock):
    studio.drafts.save("d", Draft(source=studio.drafts.images.put(a_picture())))
    (settings.data / "gallery-id").unlink()
    with studio.gallery.repo._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM gallery_id")

    assert make_studio(settings, FakeInpainter(), clock).collector.problem() is None


def test_a_database_of_before_beside_the_pictures_of_another_is_told(studio, settings, clock):
    painted(studio)
    (settings.data / "gallery-id").unlink()
    for key in stored(studio):
        studio.gallery.images.path(key).unlink()
    with studio.gallery.repo._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM gallery_id")
    studio.gallery.images.put(a_picture(20, 20))

    assert make_studio(settings, FakeInpainter(), clock).collector.problem()
    assert not (settings.data / "gallery-id").exists()


def test_drafts_of_before_hand_on_what_they_had_let_go(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'studio.db'}")
    upgrade(engine, to="0008")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO drafts VALUES ('d', '2026-01-01 00:00:00', "
            """'{"base_mask": "sha256:now", "let_go": {"sha256:old": "2026-01-01T02:00:00+01:00"}}')"""
        )

    upgrade(engine)

    clock = Clock()
    assert FileRepo(engine).released(clock() - timedelta(days=1)) == []
    assert FileRepo(engine).released(clock() + timedelta(hours=1, seconds=1)) == ["sha256:old"]
    engine.dispose()


# Whatever is done, in whatever order -----------------------------------------------------------------------------


def a_small_request(nth: int) -> InpaintRequest:
    """One of three pictures with one of two masks: so that rows share files."""
    picture = Image.new("RGB", (16, 16), (nth % 3, 0, 0))
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4 : 10 + nth % 2] = 255
    return InpaintRequest(picture, Mask(mask), a_request(seed=nth % 2).params)


NTH = st.integers(0, 5)


class Keeping(RuleBasedStateMachine):
    """What is painted, thrown away, drawn and swept, with steps of the clock in between."""

    ids = Bundle("ids")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.clock = Clock()
        self.studio = make_studio(Settings(data=Path(self._folder.name) / "data"), FakeInpainter(), self.clock)
        self.half_done: list = []

    def teardown(self) -> None:
        self.studio.gallery.repo._engine.dispose()
        self._folder.cleanup()

    @rule(target=ids, nth=NTH)
    def submit(self, nth: int) -> str:
        return self.studio.generations.submit(a_small_request(nth))[0]

    @rule(target=ids, id=ids)
    def rerun(self, id: str) -> str:
        try:
            return self.studio.generations.rerun(id)
        except GenerationNotFound:
            return id

    @rule()
    def paint(self) -> None:
        self.studio.dispatcher.drain()

    @rule(nth=NTH, action=st.sampled_from(["trash", "collect", "free", "hours", "month"]))
    def paint_while_something_happens(self, nth: int, action: str) -> None:
        """Between the file of a result and its row."""
        repo, happened = type(self.studio.worker.repo), []
        finish = repo.finish

        def late(*arguments):
            if not happened:
                happened.append(1)
                {
                    "trash": self.empty_trash,
                    "collect": self.collect,
                    "free": self.free,
                    "hours": lambda: self.wait(2),
                    "month": lambda: self.wait(24 * 40),
                }[action]()
                self.studio.collector.collect()
            return finish(*arguments)

        repo.finish = late
        try:
            self.studio.dispatcher.drain()
        finally:
            repo.finish = finish

    @rule(target=keys, nth=NTH)
    def store(self, nth: int) -> str:
        return self.studio.drafts.images.put(a_small_request(nth).image)

    @rule(key=consumes(keys), draft=st.sampled_from("abc"))
    def draw(self, key: str, draft: str) -> None:
        if not self.studio.gallery.images.has(key):
            # It was stored long ago: a page stores a stroke and saves it within a second.
            key = self.studio.drafts.images.put(a_small_request(0).image)
        self.studio.drafts.save(draft, Draft(source=key))

    @rule(id=ids, draft=st.sampled_from("abc"))
    def open(self, id: str, draft: str) -> None:
        try:
            generation = self.studio.gallery.get(id)
        except GenerationNotFound:
            return
        self.studio.drafts.save(draft, self.studio.drafts.from_generation(generation))

    @rule(id=ids)
    def trash(self, id: str) -> None:
        self.studio.gallery.repo.set_deleted([id], self.clock())

    @rule(id=ids)
    def restore(self, id: str) -> None:
        self.studio.gallery.restore([id])

    @rule(at_once=st.booleans(), all=st.booleans())
    def empty_trash(self, at_once: bool = False, all: bool = True) -> None:
        self.studio.gallery.empty_trash(all=all, at_once=at_once)

    @rule(id=ids, at_once=st.booleans())
    def delete_for_good(self, id: str, at_once: bool) -> None:
        self.studio.gallery.delete_for_good([id], at_once=at_once)

    @rule()
    def collect(self) -> None:
        self.studio.collector.collect()

    @rule()
    def free(self) -> None:
        self.studio.collector.free()

    @rule()
    def repair(self) -> None:
        self.studio.gallery.check(repair=True, most_files=True)

    @rule(hours=st.sampled_from([0.02, 0.5, 2, 24, 24 * 40]))
    def wait(self, hours: float) -> None:
        self.clock.wait(hours=hours)

    @rule()
    def start_again(self) -> None:
        self.studio.drafts.start()
        self.studio.housekeeping.do()

    @invariant()
    def nothing_is_missing(self) -> None:
        assert lost(self.studio) == []

    @invariant()
    def every_result_is_the_one_that_was_recorded(self) -> None:
        for generation in self.studio.gallery.browse(GalleryFilter(), limit=100).generations:
            assert generation.status != "failed", generation.error


Keeping.TestCase.settings = hypothesis_settings(
    max_examples=hypothesis_settings.default.max_examples // 4, stateful_step_count=30
)
test_no_file_that_anything_needs_is_ever_missing = Keeping.TestCase
