"""A disk that is full or may only be read: the gallery opens, is looked at, and on a full disk things are deleted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.domain.errors import StorageFull, StudioError
from core.domain.gallery.filter import GalleryFilter
from core.settings import Settings
from db.connection import make_engine
from tests.conftest import Clock, a_picture, a_request, make_studio
from tests.db.test_upgrade import of_the_first_version
from tests.fakes import FakeInpainter


def painted(studio, count: int = 1) -> list[str]:
    ids = studio.generations.submit(a_request(), count=count)
    studio.dispatcher.drain()
    return ids


def closed(studio) -> None:
    studio.gallery.repo._engine.dispose()


# Read-only --------------------------------------------------------------------------------------------------------

NOBODY = 65534


@contextmanager
def nothing_may_be_written(folder: Path):
    """Folder and files are read-only, also for an administrator, who is nobody meanwhile."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def open_folder():
    """One that nobody else needs a key for to reach it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def look_at_everything(studio, ids) -> None:
    assert [g.id for g in studio.gallery.browse().generations] == ids[::-1]
    assert studio.gallery.count(GalleryFilter(text="cat")) == len(ids)
    assert studio.gallery.facets()["statuses"]
    for id in ids:
        generation = studio.gallery.get(id)
        assert studio.gallery.image(generation.output)
        assert studio.gallery.thumbnail(id, generation.thumbnail)
        assert studio.exports.file(generation)
    assert studio.gallery.check().is_sound
    # Opening the page that paints needs no draft.
    assert studio.drafts.get(studio.drafts.start()) is None
    assert studio.collector.problem() is None


def refuses_to_change_anything(studio, id) -> None:
    actions = [
        lambda: studio.gallery.rate([id], 3),
        lambda: studio.gallery.trash([id]),
        lambda: studio.generations.submit(a_request()),
        lambda: studio.drafts.images.put(a_picture(20, 20)),
    ]
    for action in actions:
        with pytest.raises(StorageFull):
            action()


@pytest.mark.slow_but_first
@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not these there")
@pytest.mark.parametrize("state", ["closed", "in use", "killed"])
def test_a_folder_that_may_only_be_read_is_looked_at(open_folder, state):
    settings = Settings(data=open_folder / "data")
    studio = make_studio(settings, FakeInpainter(), Clock())
    ids = painted(studio, 2)
    if state == "closed":
        closed(studio)
    if state == "killed":
        # Its log was not written back: half of what is known lies there.
        kept = open_folder / "kept"
        shutil.copytree(settings.data, kept)
        (kept / "studio.db-shm").unlink()
        closed(studio)
        shutil.rmtree(settings.data)
        kept.rename(settings.data)
    with nothing_may_be_written(settings.data):
        before = sorted(path.name for path in settings.data.rglob("*"))
        found = make_studio(settings, FakeInpainter(), Clock())
        look_at_everything(found, ids)
        refuses_to_change_anything(found, ids[0])
        found.housekeeping.do()
        closed(found)
        assert sorted(path.name for path in settings.data.rglob("*")) == before
    closed(studio)

    again = make_studio(settings, FakeInpainter(), Clock())
    assert again.gallery.count() == 2
    again.gallery.rate(ids, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are not these there")
def test_a_database_of_an_older_version_that_may_only_be_read_is_looked_at(open_folder):
    settings = Settings(data=open_folder / "data")
    engine = make_engine(settings.url)
    of_the_first_version(engine)
    engine.dispose()

    with nothing_may_be_written(settings.data):
        found = make_studio(settings, FakeInpainter(), Clock())
        assert [g.id for g in found.gallery.browse(GalleryFilter(text="sofa")).generations] == ["b", "a"]
        with pytest.raises(StorageFull):
            found.gallery.rate(["a"], 3)
        closed(found)


def test_a_database_that_cannot_even_be_read_says_why(tmp_path):
    settings = Settings(data=tmp_path / "data")
    settings.data.mkdir()
    (settings.data / "studio.db").write_bytes(b"this is no database" * 1000)

    with pytest.raises(StudioError, match="damaged or not a database"):
        make_studio(settings, FakeInpainter(), Clock())


# Full ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk():
    """100 MB of memory as a disk of its own, which is really full when it is full."""
    folder = Path(tempfile.mkdtemp())
    mounted = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(folder)]
    if not mounted or subprocess.run(command, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a disk of its own can only be made by an administrator on Linux")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def fill(folder: Path) -> None:
    """To the last byte."""
    with (folder / "something else").open("ab", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


@pytest.mark.slow_but_first
@pytest.mark.parametrize("has_room", [True, False], ids=["with the reserve", "without"])
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "started when full"])
def test_on_a_full_disk_the_gallery_is_looked_at_and_room_is_made(small_disk, is_running, has_room):
    settings, clock = Settings(data=small_disk / "data"), Clock()
    studio = make_studio(settings, FakeInpainter(), clock)
    ids = painted(studio, 12)
    clock.wait(days=1)
    studio.housekeeping.do()
    if not has_room:
        assert studio.gallery.reserve.give()
    if not is_running:
        closed(studio)
    fill(small_disk)

    full = studio if is_running else make_studio(settings, FakeInpainter(), clock)
    assert [g.id for g in full.gallery.browse(limit=100).generations] == ids[::-1]
    for id in ids:
        assert full.gallery.image(full.gallery.get(id).output)
    full.drafts.start()
    if is_running or not has_room:
        # To open the database had taken room too: that of the reserve.
        with pytest.raises(StorageFull):
            full.drafts.images.put(a_picture(1000, 1000))

    if has_room:
        full.gallery.trash(ids[:9])
        emptied = full.gallery.empty_trash(all=True, at_once=True)
        assert emptied.generations == 9
        assert emptied.freed.bytes > 50_000
    closed(full)
    if has_room:
        # There is room again to paint.
        again = make_studio(settings, FakeInpainter(), clock)
        assert again.gallery.get(painted(again)[0]).status == "succeeded"
        assert again.gallery.check().missing == ()
        closed(again)
