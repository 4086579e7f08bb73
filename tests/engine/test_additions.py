"""LoRAs of few steps and small autoencoders: downloaded like models, and found where files of their kind are."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from huggingface_hub import constants

from core.domain import speed as speeds
from core.domain.errors import DamagedModel, UnknownModel
from core.domain.model import ModelSpec, PinnedFile
from core.domain.model_file import Base, FileKind
from core.domain.params import SCHEDULERS
from core.domain.speed import BEST, DRAFT, Surroundings
from core.engine.models import fingerprint
from core.engine.models.additions import ADDITIONS
from core.engine.models.catalogue import Catalogue
from core.engine.models.named_files import NamedFiles
from tests.engine.loopback_hub import LoopbackHub, serving
from tests.engine.test_hub import ignore
from tests.engine.test_vae import a_vae
from tests.engine.test_vae import save as save_vae
from tests.loras import write_lora

REPOSITORY = "somebody/few-steps"
SPEC = ModelSpec(
    "few-steps",
    "Few",
    "A LoRA.",
    512,
    repository=REPOSITORY,
    pinned=PinnedFile("w.safetensors"),
    place="loras/few.safetensors",
)


@pytest.fixture(autouse=True)
def _no_token_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))


@pytest.fixture
def hub():
    with serving(LoopbackHub()) as served:
        yield served


@pytest.fixture
def catalogue(hub, settings, tmp_path) -> Catalogue:
    return Catalogue(settings, cache=tmp_path / "cache", endpoint=hub.address, dtype="float32", additions=[SPEC])


def offer(hub: LoopbackHub, tmp_path, write) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    write(folder / "w.safetensors")
    hub.add(REPOSITORY, folder)


@pytest.mark.parametrize("width", [16, 4096], ids=["small", "large"])
def test_a_lora_is_downloaded_to_where_loras_are_found_and_takes_room_once(catalogue, hub, settings, tmp_path, width):
    offer(hub, tmp_path, lambda path: write_lora(path, width=width))
    library = NamedFiles.watched(settings, FileKind.LORA)
    assert not catalogue.is_ready(SPEC.key)

    catalogue.download(SPEC.key, ignore)

    assert catalogue.is_ready(SPEC.key)
    assert "few" in library.paths()
    assert (settings.models / SPEC.place).read_bytes() == hub.repositories[REPOSITORY]["w.safetensors"]
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert not list(settings.models.rglob("*.part"))


def test_what_the_hubs_cache_had_before_stays_there(catalogue, hub, settings, tmp_path):
    offer(hub, tmp_path, lambda path: write_lora(path, seed=2, text=True))
    catalogue._hub.download(SPEC, ignore, dtype="float32", safety_checker=False)

    catalogue.download(SPEC.key, ignore)

    assert catalogue._pinned(SPEC).is_file()
    assert catalogue.is_ready(SPEC.key)


def test_what_another_commit_in_the_hubs_cache_shows_stays_there(catalogue, hub, settings, tmp_path):
    offer(hub, tmp_path, lambda path: write_lora(path, width=4096))
    data = hub.repositories[REPOSITORY]["w.safetensors"]
    repository = tmp_path / "cache" / f"models--{REPOSITORY.replace('/', '--')}"
    stored, older = repository / "blobs" / hashlib.sha256(data).hexdigest(), repository / "snapshots" / ("0" * 40)
    for folder in (stored.parent, older):
        folder.mkdir(parents=True)
    stored.write_bytes(data)
    (older / "w.safetensors").symlink_to(stored)

    catalogue.download(SPEC.key, ignore)

    assert (older / "w.safetensors").read_bytes() == data
    assert catalogue.is_ready(SPEC.key)


def test_its_hash_is_known_without_reading_it_again(catalogue, hub, settings, tmp_path, monkeypatch):
    offer(hub, tmp_path, lambda path: write_lora(path, width=4096))

    catalogue.download(SPEC.key, ignore)

    monkeypatch.setattr(fingerprint, "read", lambda path: pytest.fail("it was read"))
    sha256 = hashlib.sha256(hub.repositories[REPOSITORY]["w.safetensors"]).hexdigest()
    assert fingerprint.of_file(settings.models / SPEC.place) == f"sha256:{sha256}"


def test_another_kind_of_file_under_its_name_is_not_taken(catalogue, hub, settings, tmp_path):
    offer(hub, tmp_path, lambda path: save_vae(path, a_vae(7)))

    with pytest.raises(DamagedModel, match="is a VAE"):
        catalogue.download(SPEC.key, ignore)

    assert not (settings.models / SPEC.place).exists()


def test_it_is_no_model_to_paint_with(catalogue):
    assert SPEC.key not in {spec.key for spec in catalogue.listed()}
    with pytest.raises(UnknownModel):
        catalogue.find(SPEC.key)


@pytest.mark.parametrize("said", [REPOSITORY, f"https://huggingface.co/{REPOSITORY}"])
def test_it_is_found_by_its_hub_id_and_address_where_the_repository_has_no_other(settings, tmp_path, said):
    twin = replace(SPEC, key="other", place="loras/other.safetensors")

    assert Catalogue(settings, cache=tmp_path, additions=[SPEC]).on_hub(said) is SPEC
    assert Catalogue(settings, cache=tmp_path, additions=[SPEC, twin]).on_hub(said).place is None


def test_each_file_that_a_speed_asks_for_can_be_downloaded_under_the_name_that_it_is_found_by():
    places = {spec.place for spec in ADDITIONS}

    loras = {few.names[0] for kinds in speeds.FEW_STEPS.values() for few in kinds}
    vaes = {names[0] for names in speeds.SMALL_VAES.values()}

    assert places == {f"loras/{name}.safetensors" for name in loras} | {f"vae/{name}.safetensors" for name in vaes}
    assert all(spec.licence and spec.download_gb and spec.pinned for spec in ADDITIONS)


@pytest.mark.parametrize(
    ("base", "few"),
    [(base, few) for base, kinds in speeds.FEW_STEPS.items() for few in kinds],
    ids=lambda one: str(one)[:40],
)
def test_a_draft_takes_the_lora_that_is_there_as_its_authors_want_it(base: Base, few):
    recommended = {"num_inference_steps": 50, "guidance_scale": 7.5, "scheduler": "model-default", "size": 512}
    around = Surroundings(recommended, bases=(base,), loras=(f"mine/{few.names[0].upper()}",))

    draft = speeds.values(DRAFT, around)

    assert draft["loras"] == [{"name": f"mine/{few.names[0].upper()}", "weight": 1.0}]
    assert (draft["scheduler"], draft["num_inference_steps"], draft["guidance_scale"]) == (
        few.scheduler,
        few.steps,
        1.0,
    )
    assert few.scheduler in SCHEDULERS
    assert speeds.chosen(draft, around) == DRAFT
    assert speeds.values(BEST, around, draft)["loras"] == []
