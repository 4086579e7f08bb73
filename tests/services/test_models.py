"""What is known of the models on this machine, and what can be done with their files."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.bootstrap import make_file_library
from core.domain.environment import Device
from core.domain.errors import InvalidInput, ModelUnavailable, StudioError, UnknownModel
from core.domain.model_file import FileKind
from core.domain.model_library import KindFilter, MemoryPlan, Place, matching
from core.domain.run_memory import LEAST_PX, Work
from core.domain.worker import MachineFacts
from core.engine.models import kinds
from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from core.services.models import Models
from tests import models_folder as make
from tests.conftest import a_request
from tests.fakes import CPU, fake_environment


@pytest.fixture
def hub(tmp_path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def library(studio, settings, hub) -> Models:
    return with_settings(studio, settings, hub)


def with_settings(studio, settings, hub) -> Models:
    catalogue = Catalogue(settings, cache=hub)
    return replace(studio.library, store=LocalModels(settings, catalogue, cache=hub), catalogue=catalogue)


@pytest.fixture
def ours(settings) -> Path:
    return settings.models


def by_title(library) -> dict:
    return {entry.found.title: entry for entry in library.here()}


def test_the_bundled_models_are_there_at_once(library):
    here = {entry.key: entry for entry in library.here()}

    assert set(here) == {"pocket-inpaint", "content-fill"}
    assert here["pocket-inpaint"].found.place is Place.BUNDLED
    assert here["pocket-inpaint"].licence == "MIT"
    assert here["pocket-inpaint"].told.family == "Pocket"
    assert 10e6 < here["pocket-inpaint"].found.size < 30e6
    assert "sd15-inpainting" in [spec.key for spec in library.available()]


def test_each_file_is_told_by_its_header_whatever_folder_it_lies_in(library, ours):
    make.lora(ours / "checkpoints" / "ink.safetensors", "xl")
    make.checkpoint(ours / "loras" / "deep" / "dream.safetensors")
    make.vae(ours / "vae" / "clear.safetensors")

    here = by_title(library)

    assert (here["ink"].kind, here["ink"].told.family) == (KindFilter.LORA, "Stable Diffusion XL")
    assert (here["dream"].kind, here["dream"].told.family) == (KindFilter.CHECKPOINT, "Stable Diffusion 1")
    assert here["clear"].kind is KindFilter.VAE
    assert here["dream"].key == str(ours / "loras" / "deep" / "dream.safetensors")


def test_what_cannot_be_used_says_why_and_hides_nothing(library, ours):
    make.lora(ours / "loras" / "good.safetensors")
    make.checkpoint(ours / "checkpoints" / "no text.safetensors", parts=("first_stage_model",))
    (ours / "checkpoints" / "old.ckpt").write_bytes(b"\x80\x02")
    (ours / "loras" / "cut.safetensors").write_bytes((ours / "loras" / "good.safetensors").read_bytes()[:50])
    (ours / "loras" / ".hidden.safetensors").write_bytes(b"")

    here = by_title(library)

    assert here["good"].told.problem is None
    assert "comes without its text encoder" in here["no text"].told.problem
    assert "never opened" in here["old"].told.problem
    assert "cut off" in here["cut"].told.problem
    assert ".hidden" not in here


def test_a_file_is_opened_once_until_it_changes(library, ours, monkeypatch):
    file = make.lora(ours / "loras" / "ink.safetensors", "sd1")
    opened = []
    of = kinds.of
    monkeypatch.setattr(kinds, "of", lambda path: opened.append(path) or of(path))

    first, again = library.here(), library.here()
    make.lora(file, "xl")
    os.utime(file, ns=(1, 1))
    changed = by_title(library)["ink"]

    assert [entry.told for entry in first] == [entry.told for entry in again]
    assert opened.count(file) == 2
    assert changed.told.family == "Stable Diffusion XL"


def test_by_other_rules_every_file_is_told_anew(library, ours):
    make.lora(ours / "loras" / "ink.safetensors")
    library.here()
    library.store.rules = "of another version"

    assert by_title(library)["ink"].kind is KindFilter.LORA
    assert library.repo.told(library.store.found(), "of another version")


def test_500_loras_are_listed_well_under_a_second_once_they_were_seen(library, ours):
    make.many_loras(ours / "loras", 500)
    library.here()
    started = time.perf_counter()

    entries = library.here()

    assert time.perf_counter() - started < 1
    assert len(matching(entries, kind=KindFilter.LORA)) == 500
    assert [entry.found.title for entry in matching(entries, words="STYLE 499")] == ["style 499"]
    assert len(matching(entries, words="oil")) == 500, "a trigger word"
    assert not matching(entries, kind=KindFilter.LORA, family="Stable Diffusion XL")


def test_another_programs_folder_is_read_and_nothing_in_it_is_ever_deleted(studio, settings, hub, tmp_path):
    file = make.lora(tmp_path / "webui" / "models" / "Lora" / "ink.safetensors")
    settings = settings.model_copy(update={"model_folders": (tmp_path / "webui",)})
    settings.models.mkdir(parents=True)
    (settings.models / "loras").symlink_to(file.parent)
    library = with_settings(studio, settings, hub)

    # By way of a link it would seem to be in our own folder.
    [entry] = matching(library.here(), kind=KindFilter.LORA)
    with pytest.raises(StudioError):
        library.remove(entry.key)
    (settings.models / "loras").unlink()
    [entry] = matching(library.here(), kind=KindFilter.LORA)
    with pytest.raises(UnknownModel, match="another program"):
        library.remove(entry.key)

    assert entry.found.place is Place.ELSEWHERE
    assert file.exists()


def test_links_between_folders_end_the_walk_instead_of_going_round(library, ours):
    make.lora(ours / "loras" / "ink.safetensors")
    (ours / "loras" / "again").symlink_to(ours / "loras")
    (ours / "checkpoints").symlink_to(ours / "loras")

    assert len(matching(library.here(), kind=KindFilter.LORA)) == 1


def test_a_model_of_the_hubs_cache_is_listed_also_if_it_is_not_whole(library, hub):
    folder = hub / "models--stable-diffusion-v1-5--stable-diffusion-inpainting"
    snapshot = folder / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("a" * 40)
    (snapshot / "model_index.json").write_text('{"_class_name": "StableDiffusionInpaintPipeline"}')

    entry = library.find("sd15-inpainting")

    assert (entry.found.place, entry.is_removable) == (Place.HUB, True)
    assert entry.told.problem
    assert "download" in library.loss(entry)
    library.remove("sd15-inpainting")
    assert not folder.exists()
    assert list(hub.iterdir()) == []


# Hashes ----------------------------------------------------------------------------------------------------------


def test_a_hash_is_computed_when_it_is_asked_for_and_kept_while_the_file_stays(library, ours):
    file = make.lora(ours / "loras" / "ink.safetensors")
    told = []

    first = library.verify("ink", lambda done, total: told.append((done, total)))
    again = library.verify(str(file))

    size = file.stat().st_size
    assert first.sha256 == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert (first.is_as_before, again.is_as_before) == (None, True)
    assert told[-1] == (size, size)
    assert library.find("ink").sha256 == first.sha256


def test_a_file_that_was_changed_has_no_hash_until_it_is_verified_and_then_is_told_as_another(library, ours):
    file = make.lora(ours / "loras" / "ink.safetensors")
    library.verify("ink")
    library.here()
    with file.open("r+b") as changed:
        changed.seek(-1, os.SEEK_END)
        changed.write(b"\x01")
    os.utime(file, ns=(1, 1))

    assert library.find("ink").sha256 is None
    verified = library.verify("ink")

    assert verified.is_as_before is False
    assert "is not the same as on" in verified.words
    assert library.find("ink").sha256 == verified.sha256


# Names -----------------------------------------------------------------------------------------------------------


def test_a_model_is_found_by_key_path_file_name_or_name_alone(library, ours):
    file = make.lora(ours / "loras" / "Ink Wash.safetensors")

    for name in (str(file), "Ink Wash.safetensors", "Ink Wash", " ink wash "):
        assert library.find(name).key == str(file)
    with pytest.raises(UnknownModel, match="no model oil"):
        library.find("oil")


def test_of_two_with_one_name_neither_is_taken(library, ours):
    files = [make.lora(ours / "loras" / folder / "ink.safetensors") for folder in ("a", "b")]

    with pytest.raises(UnknownModel) as raised:
        library.find("ink")

    assert all(str(file) in str(raised.value) for file in files)


def test_the_form_s_loras_are_not_read_again_by_the_next_process(library, studio, settings, ours, monkeypatch):
    make.many_loras(ours / "loras", 20)
    (ours / "loras" / "cut.safetensors").write_bytes(b"cut")
    library.here()
    opened = []
    of = kinds.of
    monkeypatch.setattr(kinds, "of", lambda path: opened.append(path) or of(path))
    another = replace(library, _seen={})

    folders = make_file_library(settings, FileKind.LORA, another.about)
    names = [file.name for file in folders.listed()]
    again = [file.name for file in folders.listed()]

    assert names == again == [f"style {n:03}" for n in range(20)]
    assert {path.name for path in opened if path.is_relative_to(ours)} == {"cut.safetensors"}


# Use and memory --------------------------------------------------------------------------------------------------


def test_how_often_and_when_a_model_was_used_is_counted(library, studio, clock):
    studio.generations.submit(a_request(model="pocket-inpaint"), count=3)

    [use] = library.uses(library.here()).values()

    assert use.count == 3
    assert 0 <= (clock() - use.last_at).total_seconds() < 5


def test_how_often_a_lora_was_used_is_told_by_its_hash_or_else_by_its_name(
    library, studio, dispatcher, inpainter, ours
):
    file = make.lora(ours / "loras" / "ink.safetensors")
    sha256 = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    ran = {"loras": [{"name": "ink", "sha256": sha256, "weight": 1.0}]}
    record = inpainter._record
    inpainter._record = lambda request, total: {**record(request, total), **ran}
    studio.generations.submit(a_request(), count=2)
    dispatcher.drain()
    ran["loras"] = [{"name": "ink", "sha256": "sha256:another", "weight": 1.0}]
    studio.generations.submit(a_request(), count=1)
    dispatcher.drain()

    entry = library.find("ink")
    assert library.uses([entry])[entry.key].count == 3, "by its name"
    library.verify("ink")
    entry = library.find("ink")

    assert library.uses([entry])[entry.key].count == 2, "by its hash"


def test_whether_a_checkpoint_fits_is_told_by_its_bytes_in_the_numbers_it_is_loaded_in(library, ours):
    file = make.checkpoint(ours / "checkpoints" / "dream.safetensors")
    whole, room, least = 2 * file.stat().st_size, 4 * Work().whole(512**2), 4 * Work().whole(LEAST_PX**2)
    tight = replace(library, free_memory=lambda: whole + room - 1)
    scarce = replace(library, free_memory=lambda: whole // 8 + least)
    roomy = replace(library, free_memory=lambda: whole + room)

    # In the file they take two bytes, on a processor four.
    assert roomy.plan(roomy.find("dream")).fits
    assert str(tight.plan(tight.find("dream"))).startswith("fits in int8")
    assert not scarce.plan(scarce.find("dream")).fits


GB = 10**9
CARD = Device("cuda:0", "A card", "float16", 8 * GB)


@pytest.mark.parametrize(
    ("needs", "device", "free", "options", "words"),
    [
        (4 * GB, None, 6 * GB, {}, "fits: needs about 4.0 GB, and 6.0 GB are free"),
        (14 * GB, CPU, 6 * GB, {}, "does not fit, because it needs about 14.0 GB, and 6.0 GB are free"),
        (68 * GB, CPU, 40 * GB, {"bears_half": True}, "fits in bfloat16: needs about 34.0 GB, and 40.0 GB are free"),
        (
            68 * GB,
            CPU,
            30 * GB,
            {"bears_half": True},
            "does not fit, because it needs about 34.0 GB, and 30.0 GB are free",
        ),
        (4 * GB, CPU, 2 * GB, {"of_unet": 3 * GB}, "fits in int8: needs about 1.8 GB, and 2.0 GB are free"),
        (
            4 * GB,
            CPU,
            1 * GB,
            {"of_unet": 3 * GB},
            "does not fit, because it needs about 1.8 GB, and 1.0 GB are free",
        ),
        (10 * GB, CARD, 0, {}, "fits: needs about 6.1 GB, and the card has 8.0 GB"),
        (14 * GB, CARD, 7 * GB, {}, "fits in parts, which is slower: needs about 8.1 GB, and the card has 8.0 GB"),
        (14 * GB, CARD, 6 * GB, {}, "does not fit, because it needs about 8.1 GB, and the card has 8.0 GB"),
        (
            14 * GB,
            CARD,
            7 * GB,
            {"offloads": False},
            "does not fit, because it needs about 8.1 GB, and the card has 8.0 GB",
        ),
    ],
)
def test_a_plan_goes_by_the_memory_of_the_device_that_is_used(needs, device, free, options, words):
    assert str(MemoryPlan.of(needs, device, free, **options)) == words


def test_the_device_is_the_one_that_the_worker_tells_as_its_own_choice(library, ours, studio):
    file = make.checkpoint(ours / "checkpoints" / "dream.safetensors")
    needs = 2 * file.stat().st_size
    name, now, rows = "a worker", studio.workers.now(), studio.workers.repo
    rows.begin(name, "host", 1, now)
    library = replace(library, free_memory=lambda: 0)

    for memory, fits in ((needs + 2 * GB, True), (needs // 4, False)):
        machine = MachineFacts((replace(CARD, memory=memory), CPU), (fake_environment(),) * 2, "cuda:0")
        rows.tell(name, machine)
        assert rows.newest().machine == machine
        assert library.plan(library.find("dream")).fits == fits
    rows.tell(name, replace(machine, automatic="cpu"))
    assert not library.plan(library.find("dream")).is_card


def test_what_an_earlier_worker_told_of_its_devices_is_read(studio):
    told = MachineFacts((CPU,), (fake_environment(),), "cpu").to_dict()
    told["devices"] = [values[:3] for values in told["devices"]]

    assert MachineFacts.from_dict(told).devices == (CPU,)


def test_a_lora_is_never_loaded_alone_and_has_no_plan(library, ours):
    make.lora(ours / "loras" / "ink.safetensors")

    assert library.plan(library.find("ink")) is None


# What lies beside a file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".preview.png", ".jpg", ".preview.webp"])
def test_the_picture_beside_a_file_is_shown_small(library, ours, ending):
    make.lora(ours / "loras" / "ink.safetensors")
    Image.new("RGB", (800, 1200), "#aa3311").save(ours / "loras" / f"ink{ending}")

    small = Image.open(io.BytesIO(library.picture(library.find("ink"))))

    assert (small.format, small.size) == ("JPEG", (171, 256))
    assert len(library.picture(library.find("ink"))) < 20_000


def test_the_thumbnail_in_the_metadata_is_shown_where_nothing_lies_beside(library, ours):
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "#00ff00").save(data, "JPEG")
    url = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
    make.lora(ours / "loras" / "ink.safetensors", **{"modelspec.thumbnail": url})

    assert Image.open(io.BytesIO(library.picture(library.find("ink")))).size == (64, 64)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"<svg/>"])
def test_what_is_no_picture_counts_as_none(library, ours, content):
    make.lora(ours / "loras" / "ink.safetensors", **{"modelspec.thumbnail": "data:image/jpeg;base64,!"})
    (ours / "loras" / "ink.png").write_bytes(content)

    assert library.picture(library.find("ink")) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"activation text": "ink wash, paper"}', ("ink wash", "paper")),
        ('{"activation text": 3}', ("from the trainer",)),
        ("[1", ("from the trainer",)),
        ('"text"', ("from the trainer",)),
    ],
)
def test_trigger_words_are_those_of_the_owner_else_those_of_the_trainer(library, ours, content, words):
    make.lora(ours / "loras" / "ink.safetensors", **{"modelspec.trigger_phrase": "from the trainer"})
    (ours / "loras" / "ink.json").write_text(content)

    assert tuple(library.trigger_words(library.find("ink"))) == words


# Adding and removing ---------------------------------------------------------------------------------------------


def test_an_added_file_is_put_where_its_kind_belongs_with_the_picture_beside_it(library, ours, tmp_path):
    file = make.lora(tmp_path / "downloads" / "ink.safetensors")
    Image.new("RGB", (64, 64)).save(file.with_name("ink.preview.png"))

    entry = library.add(file)

    assert entry.found.path == ours / "loras" / "ink.safetensors"
    assert entry.found.path.read_bytes() == file.read_bytes()
    assert (entry.found.place, entry.told.kind) == (Place.OURS, FileKind.LORA)
    assert library.picture(entry)
    assert sorted(path.name for path in (ours / "loras").iterdir()) == ["ink.preview.png", "ink.safetensors"]
    assert library.add(file).key == entry.key, "a second time does no harm"


def test_a_linked_file_takes_no_room_and_its_removal_leaves_the_file(library, tmp_path):
    file = make.checkpoint(tmp_path / "downloads" / "dream.safetensors")

    entry = library.add(file, link=True)
    library.remove("dream")

    assert entry.found.path.name == "dream.safetensors"
    assert not os.path.lexists(entry.found.path)
    assert file.exists()


def test_what_cannot_be_used_is_refused_in_a_sentence_and_nothing_is_copied(library, ours, tmp_path):
    pickle = tmp_path / "old.ckpt"
    pickle.write_bytes(b"\x80\x02")
    folder = tmp_path / "folder"
    folder.mkdir()
    incomplete = make.checkpoint(tmp_path / "half.safetensors", parts=("first_stage_model",))

    for path, told in [
        (pickle, "never opened"),
        (folder, "no model_index.json"),
        (tmp_path / "gone.safetensors", "does not exist"),
        (incomplete, "comes without its text encoder"),
        (Path("\0"), "Check the path"),
    ]:
        with pytest.raises((InvalidInput, ModelUnavailable), match=told):
            library.add(path)

    assert not ours.exists()


def test_another_file_of_the_same_name_is_not_written_over(library, ours, tmp_path):
    mine = make.lora(ours / "loras" / "ink.safetensors", "sd1")
    before = mine.read_bytes()

    with pytest.raises(InvalidInput, match="Rename one"):
        library.add(make.lora(tmp_path / "ink.safetensors", "xl"))

    assert mine.read_bytes() == before


def test_a_copy_that_fails_leaves_nothing_behind(library, ours, tmp_path, monkeypatch):
    file = make.lora(tmp_path / "ink.safetensors")

    def full(source, target):
        Path(target).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(StudioError, match="No space left"):
        library.add(file)

    assert list((ours / "loras").iterdir()) == []


def test_a_removal_tells_before_what_would_be_lost(library, studio, ours):
    file = make.checkpoint(ours / "checkpoints" / "dream.safetensors")
    Image.new("RGB", (64, 64)).save(file.with_name("dream.png"))
    studio.generations.submit(a_request(model=str(file)), count=2)

    loss = library.loss(library.find("dream"))
    library.remove("dream")

    assert "deletes dream" in loss
    assert "2 generations were made with it" in loss
    assert list((ours / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("key", ["pocket-inpaint", "content-fill"])
def test_what_is_bundled_is_not_removed(library, key):
    with pytest.raises(UnknownModel, match="bundled"):
        library.remove(key)

    assert library.find(key)
