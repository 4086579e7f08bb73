from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.domain.errors import (
    DamagedModel,
    GateNotAccepted,
    GenerationCancelled,
    ModelNotDownloaded,
    NoNetwork,
    NotAnInpaintingModel,
    RepositoryGone,
    StorageFull,
    TokenMissing,
    UnsafeWeights,
)
from core.domain.hashing import pixels_sha256
from core.engine.diffusers_inpainter import load
from core.engine.models import hub as hub_module
from core.engine.models.catalogue import Catalogue
from tests.engine.loopback_hub import COMMIT, TOKEN, LoopbackHub, serving
from tests.engine.tiny import a_working_request
from tests.engine.tiny_kandinsky import PRIOR, cached_prior, save

MODEL = "somebody/tiny-inpainting"
WEIGHTS = {
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
}


@pytest.fixture(autouse=True)
def _no_token_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(hub_module, "ATTEMPTS", 2)
    monkeypatch.setattr(hub_module, "WAIT_S", 0.0)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(models):
    with serving(LoopbackHub()) as served:
        served.add(MODEL, models(in_channels=9))
        yield served


@pytest.fixture
def prior(tmp_path) -> Path:
    """The same that the fixture kandinsky has."""
    save(tmp_path / "decoder", tmp_path / "its-cache")
    return cached_prior(tmp_path / "its-cache")


@pytest.fixture
def catalogue(hub, settings, tmp_path):
    def make(*, token: str | None = None, dtype: str = "float32", **changes) -> Catalogue:
        from pydantic import SecretStr

        changes = {"hf_token": SecretStr(token) if token else None, **changes}
        return Catalogue(
            settings.model_copy(update=changes), cache=tmp_path / "cache", endpoint=hub.address, dtype=dtype
        )

    return make


def ignore(done: int, total: int) -> None:
    pass


# Downloading -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_is_downloaded_when_asked_for_and_then_loads_and_paints_without_the_hub(
    hub, catalogue, settings, shared
):
    models, seen = catalogue(), []
    assert not models.is_ready(MODEL)
    with pytest.raises(ModelNotDownloaded):
        load(MODEL, "cpu", models, settings)
    assert hub.requests == [], "nothing is fetched unless asked for"

    models.download(MODEL, lambda done, total: seen.append((done, total)))
    asked = len(hub.requests)
    inpainter = load(MODEL, "cpu", models, settings)

    assert models.is_ready(MODEL)
    assert seen == sorted(seen)
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] == sum(len(hub.repositories[MODEL][name]) for name in hub.fetched())
    assert inpainter.model.revision == COMMIT
    assert inpainter.model.repository == MODEL
    assert len(hub.requests) == asked
    alike = shared(in_channels=9)
    assert dict(inpainter.model.details["weights"]) == dict(alike.model.details["weights"])
    paintings = [i.inpaint(a_working_request(), lambda report: None).image for i in (inpainter, alike)]
    assert pixels_sha256(paintings[0]) == pixels_sha256(paintings[1])


def test_downloading_leaves_no_thread_behind(hub, catalogue):
    before = threading.enumerate()

    catalogue().download(MODEL, ignore)

    # The loopback hub answers in threads of its own.
    assert not [thread for thread in threading.enumerate() if thread not in before and "tqdm" in thread.name]


@pytest.mark.slow
def test_a_model_with_a_transformer_comes_from_the_hub_just_so(hub, catalogue, transformer, settings):
    hub.add("somebody/flux", Path(transformer("FLUX.1").model.key))
    here = catalogue()
    here.download("somebody/flux", ignore)
    hub.status = 500

    spec = here.find("somebody/flux")
    result = load("somebody/flux", "cpu", here, settings).inpaint(a_working_request(), lambda report: None)

    assert "negative_prompt" in spec.unused
    assert result.record["pipeline"] == "FluxInpaintPipeline"


@pytest.mark.slow
def test_a_model_that_lies_in_two_repositories_comes_with_both(hub, catalogue, kandinsky, prior, settings):
    hub.add("somebody/kandinsky", Path(kandinsky.model.key))
    hub.add(PRIOR, prior)
    here, seen = catalogue(), []

    here.download("somebody/kandinsky", lambda done, total: seen.append((done, total)))
    hub.status = 500

    assert here.is_ready("somebody/kandinsky")
    assert "strength" in here.find("somebody/kandinsky").unused
    assert seen == sorted(seen)
    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]
    loaded = load("somebody/kandinsky", "cpu", here, settings)
    assert loaded.model.details["weights"] == kandinsky.model.details["weights"]
    paintings = [i.inpaint(a_working_request(), lambda report: None).image for i in (loaded, kandinsky)]
    assert pixels_sha256(paintings[0]) == pixels_sha256(paintings[1])


def test_a_disk_without_room_for_both_repositories_is_told_before_the_first(
    hub, catalogue, kandinsky, prior, monkeypatch
):
    hub.add("somebody/kandinsky", Path(kandinsky.model.key))
    hub.add(PRIOR, prior)
    room = sum(len(data) for data in hub.repositories["somebody/kandinsky"].values())
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(room, 0, room))

    with pytest.raises(StorageFull):
        catalogue().download("somebody/kandinsky", ignore)

    assert hub.fetched() == {"model_index.json"}


@pytest.mark.slow
def test_of_a_model_in_two_repositories_only_what_is_missing_is_fetched(hub, catalogue, kandinsky, prior):
    hub.add("somebody/kandinsky", Path(kandinsky.model.key))
    hub.add(PRIOR, prior)
    catalogue().download("somebody/kandinsky", ignore)
    (catalogue().locate(PRIOR) / "text_encoder" / "model.safetensors").unlink()
    assert not catalogue().is_ready("somebody/kandinsky")
    hub.requests.clear()

    catalogue().download("somebody/kandinsky", ignore)

    assert catalogue().is_ready("somebody/kandinsky")
    assert hub.fetched() == set(), "the weights themselves were still in the cache's store"


def test_a_part_that_the_hub_does_not_give_is_named_before_anything_large_is_fetched(hub, catalogue, kandinsky):
    hub.add("somebody/kandinsky", Path(kandinsky.model.key))

    with pytest.raises(TokenMissing, match=PRIOR):
        catalogue().download("somebody/kandinsky", ignore)

    assert hub.fetched() == {"model_index.json"}


def test_only_the_files_that_the_pipeline_needs_are_fetched(hub, catalogue):
    large = b"x" * 20_000
    hub.repositories[MODEL] |= {
        "README.md": b"#",
        "v1-5-pruned.safetensors": large,
        "sd-v1-4.ckpt": large,
        "unet/diffusion_pytorch_model.bin": large,
        "unet/diffusion_pytorch_model.fp16.safetensors": large,
        "unet/diffusion_pytorch_model.non_ema.safetensors": large,
        "unet/model.onnx": large,
        "vae/flax_model.msgpack": large,
        "other_unet/diffusion_pytorch_model.safetensors": large,
        "images/sample.json": b"{}",
    }

    catalogue().download(MODEL, ignore)

    assert hub.fetched() == WEIGHTS | {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "unet/config.json",
        "vae/config.json",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "half", "expected"),
    [
        ("float16", WEIGHTS, "fp16"),
        ("float32", WEIGHTS, None),
        ("float16", {"unet/diffusion_pytorch_model.safetensors"}, None),
    ],
    ids=["half on a card", "plain on the CPU", "plain where not all is there in half"],
)
def test_half_precision_is_fetched_for_cards_only_and_never_beside_the_plain_weights(
    hub, catalogue, dtype, half, expected
):
    files = hub.repositories[MODEL]
    halves = {name: name.replace(".safetensors", ".fp16.safetensors") for name in half}
    files |= {halves[name]: files[name] for name in half}

    catalogue(dtype=dtype).download(MODEL, ignore)

    fetched = {name for name in hub.fetched() if name.endswith(".safetensors")}
    assert fetched == (set(halves.values()) if expected else WEIGHTS)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [True, False])
def test_the_safety_checker_is_fetched_only_if_it_is_wanted(hub, catalogue, settings, models, wanted):
    hub.add(MODEL, models(in_channels=9, safety_checker=True))
    here = catalogue(safety_checker=wanted)

    here.download(MODEL, ignore)

    assert ("safety_checker/model.safetensors" in hub.fetched()) is wanted
    assert here.is_ready(MODEL)
    # Fetched without it, the model is not complete for somebody who wants it.
    assert catalogue(safety_checker=True).is_ready(MODEL) is wanted


@pytest.mark.slow
def test_a_second_download_fetches_nothing_and_shows_all_as_done(hub, catalogue):
    catalogue().download(MODEL, ignore)
    hub.requests.clear()
    seen = []

    catalogue().download(MODEL, lambda done, total: seen.append((done, total)))

    assert hub.fetched() == set()
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.slow
def test_a_download_stopped_in_the_middle_goes_on_where_it_was(hub, catalogue, monkeypatch):
    monkeypatch.setattr(hub_module, "CHUNK", 20_000)
    unet = "unet/diffusion_pytorch_model.safetensors"
    models, done_at_stop = catalogue(), []

    def stop(done, total):
        if done > total - 100_000:
            done_at_stop.append(done)
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        models.download(MODEL, stop)
    assert not models.is_ready(MODEL)
    hub.requests.clear()
    seen = []
    models.download(MODEL, lambda done, total: seen.append((done, total)))

    assert models.is_ready(MODEL)
    assert hub.fetched() == {unet}
    ((name, wanted),) = hub.ranges
    assert name == unet
    assert int(wanted.removeprefix("bytes=").removesuffix("-")) > 100_000
    assert max(done for done, _ in seen) == seen[-1][1], "no byte is counted twice"
    assert models.locate(MODEL).joinpath(unet).read_bytes() == hub.repositories[MODEL][unet]


def test_what_was_fetched_in_part_is_given_up_and_what_is_complete_stays(hub, catalogue, monkeypatch, tmp_path):
    monkeypatch.setattr(hub_module, "CHUNK", 20_000)

    def stop(done, total):
        if done > total - 100_000:
            raise GenerationCancelled

    models = catalogue()
    with pytest.raises(GenerationCancelled):
        models.download(MODEL, stop)
    blobs = tmp_path / "cache" / f"models--{MODEL.replace('/', '--')}" / "blobs"
    before = {path.name for path in blobs.iterdir()}
    models.discard_download(MODEL)
    after = {path.name for path in blobs.iterdir()}

    [part] = before - after
    assert part.endswith(".part")
    models.download(MODEL, ignore)
    assert models.is_ready(MODEL)


def test_a_connection_that_breaks_is_taken_up_again(hub, catalogue, monkeypatch):
    monkeypatch.setattr(hub_module, "CHUNK", 4_000)
    hub.cut_after = 30_000

    catalogue().download(MODEL, ignore)

    assert catalogue().is_ready(MODEL)
    assert len(hub.ranges) == 1


def test_a_hub_that_sends_the_whole_file_again_is_no_problem(hub, catalogue, monkeypatch):
    monkeypatch.setattr(hub_module, "CHUNK", 4_000)
    hub.cut_after, hub.ignores_ranges = 30_000, True
    seen = []

    catalogue().download(MODEL, lambda done, total: seen.append((done, total)))

    assert catalogue().is_ready(MODEL)
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.slow
def test_a_file_that_arrives_damaged_is_thrown_away(hub, catalogue):
    hub.corrupts = True

    with pytest.raises(DamagedModel, match="arrived damaged"):
        catalogue().download(MODEL, ignore)
    hub.corrupts = False
    catalogue().download(MODEL, ignore)

    assert catalogue().is_ready(MODEL)


@pytest.mark.slow
def test_a_revision_can_be_asked_for_by_its_commit(hub, catalogue):
    key = f"{MODEL}@{COMMIT}"

    catalogue().download(key, ignore)

    assert catalogue().is_ready(key)
    assert catalogue().find(key).revision == COMMIT


def test_the_native_size_of_a_hub_model_is_known_once_it_is_here(hub, catalogue):
    assert catalogue().find(MODEL).native_px == 512

    catalogue().download(MODEL, ignore)

    assert catalogue().find(MODEL).native_px == 64


# What can go wrong, each in its own words --------------------------------------------------------------------


def test_pickled_weights_are_refused_before_they_are_fetched(hub, catalogue, models):
    hub.add(MODEL, models(in_channels=9, safe_serialization=False))

    with pytest.raises(UnsafeWeights):
        catalogue().download(MODEL, ignore)

    assert hub.fetched() == {"model_index.json"}


def test_a_repository_that_is_no_pipeline_is_said_to_be_none(hub, catalogue):
    hub.repositories["somebody/words"] = {"config.json": b"{}", "model.safetensors": b"x" * 20_000}

    with pytest.raises(NotAnInpaintingModel) as raised:
        catalogue().download("somebody/words", ignore)

    assert raised.value.link == "https://huggingface.co/somebody/words"


def test_a_family_that_cannot_repaint_is_refused_before_anything_large_is_fetched(hub, catalogue):
    files = hub.repositories[MODEL]
    index = files["model_index.json"].replace(b"StableDiffusionInpaintPipeline", b"WanPipeline")
    hub.repositories["somebody/video"] = {**files, "model_index.json": index}

    with pytest.raises(NotAnInpaintingModel, match=r"'WanPipeline' cannot repaint.*FLUX"):
        catalogue().download("somebody/video", ignore)

    assert hub.fetched() == {"model_index.json"}


def test_a_gate_without_a_token_asks_for_one(hub, catalogue):
    hub.gated.add(MODEL)

    with pytest.raises(TokenMissing, match="licence") as raised:
        catalogue().download(MODEL, ignore)

    assert raised.value.link == "https://huggingface.co/settings/tokens"


def test_a_gate_that_was_not_accepted_links_to_the_models_page(hub, catalogue):
    hub.gated.add(MODEL)

    with pytest.raises(GateNotAccepted, match=MODEL) as raised:
        catalogue(token=TOKEN).download(MODEL, ignore)

    assert raised.value.link == f"https://huggingface.co/{MODEL}"


@pytest.mark.slow
def test_a_gate_that_was_accepted_opens_with_the_token(hub, catalogue):
    hub.gated.add(MODEL)
    hub.accepted.add(TOKEN)

    catalogue(token=TOKEN).download(MODEL, ignore)

    assert catalogue().is_ready(MODEL)
    assert hub.tokens == {TOKEN}


def test_a_token_that_the_hub_does_not_know_is_said_to_be_invalid(hub, catalogue):
    with pytest.raises(TokenMissing, match="does not accept your access token") as raised:
        catalogue(token="hf_mistyped-secret").download(MODEL, ignore)

    assert raised.value.link == "https://huggingface.co/settings/tokens"


def test_a_repository_that_is_private_or_gone_says_both_without_a_token(hub, catalogue):
    hub.private.add(MODEL)

    for name in (MODEL, "somebody/never-was"):
        with pytest.raises(TokenMissing, match="private, or it does not exist"):
            catalogue().download(name, ignore)


def test_a_repository_that_is_gone_is_said_to_be_gone(hub, catalogue):
    with pytest.raises(RepositoryGone) as raised:
        catalogue(token=TOKEN).download("somebody/never-was", ignore)

    assert raised.value.link == "https://huggingface.co/somebody/never-was"


def test_a_revision_that_is_not_there_is_named(hub, catalogue):
    with pytest.raises(RepositoryGone, match="no revision v9"):
        catalogue().download(f"{MODEL}@v9", ignore)


@pytest.mark.parametrize(("status", "words"), [(429, "limits the rate"), (500, "has a problem"), (503, "status 503")])
def test_a_hub_in_trouble_is_told_from_a_missing_network(hub, catalogue, status, words):
    hub.status = status

    with pytest.raises(NoNetwork, match=words):
        catalogue().download(MODEL, ignore)


def test_no_network_is_told_as_such(settings, tmp_path):
    nowhere = Catalogue(settings, cache=tmp_path, endpoint="http://127.0.0.1:9", dtype="float32")

    with pytest.raises(NoNetwork, match="cannot be reached"):
        nowhere.download(MODEL, ignore)


def test_a_hub_that_answers_with_nothing_is_not_asked_for_ever(hub, catalogue, monkeypatch):
    monkeypatch.setattr(hub_module.Hub, "_stream", lambda *args: None)

    with pytest.raises(NoNetwork):
        catalogue().download(MODEL, ignore)


def test_a_connection_lost_for_good_keeps_what_has_arrived(hub, catalogue, monkeypatch):
    import httpx2

    def break_off(*args):
        raise httpx2.ReadTimeout("slow")

    monkeypatch.setattr(hub_module.Hub, "_stream", break_off)

    with pytest.raises(NoNetwork):
        catalogue().download(MODEL, ignore)


def test_offline_means_that_the_hub_is_not_even_asked(hub, catalogue):
    with pytest.raises(NoNetwork, match="INPAINT_STUDIO_OFFLINE"):
        catalogue(offline=True).download(MODEL, ignore)

    assert hub.requests == []


def test_the_librarys_own_offline_switch_is_understood(hub, catalogue, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(NoNetwork):
        catalogue().download(MODEL, ignore)


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, "Make room"), (errno.EROFS, "HF_HOME"), (errno.EACCES, "HF_HOME")]
)
def test_a_disk_that_is_full_or_not_to_be_written_to_is_told_as_such(hub, catalogue, monkeypatch, number, told):
    def full(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(hub_module.Hub, "_stream", full)

    with pytest.raises(StorageFull, match=told):
        catalogue().download(MODEL, ignore)


PROXIES = [
    *("socks5://127.0.0.1:9", "socks5h://127.0.0.1:9", "http://127.0.0.1:9", "ftp://127.0.0.1:9", "127.0.0.1:9"),
    *("http://[::1", "http://host:port", "nonsense", "http://\u2013:1", "://"),
]


@pytest.fixture
def _fresh_client():
    """The library keeps one client, with the proxies that it was made with."""
    from huggingface_hub.utils import close_session

    close_session()
    yield
    close_session()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.usefixtures("_fresh_client")
def test_a_proxy_that_does_not_answer_or_is_none_is_told_by_the_name_of_its_variable(
    settings, tmp_path, monkeypatch, variable, proxy
):
    for name in (*os.environ,):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(variable, proxy)

    with pytest.raises(NoNetwork, match=variable) as told:
        Catalogue(settings, cache=tmp_path, endpoint="https://127.0.0.2:9", dtype="float32").download(MODEL, ignore)

    assert "[" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    "endpoint", ["nonsense", "https://", "http://[::1", "ftp://127.0.0.1", "https://hub\u2013x.invalid"]
)
def test_an_address_of_the_hub_that_is_none_is_reported_with_a_message(settings, tmp_path, endpoint):
    with pytest.raises(NoNetwork):
        Catalogue(settings, cache=tmp_path, endpoint=endpoint, dtype="float32").download(MODEL, ignore)


@pytest.mark.parametrize("token", ["hf_abc\u2013def", "hf_abc\u2026", '"hf_abc"', "hf_abc\nX: y", "hf abc", "\ud800"])
def test_a_token_that_cannot_be_sent_is_told_without_showing_it(hub, settings, tmp_path, caplog, token):
    class Given:
        """pydantic takes no half characters, but the environment of a machine may hold them."""

        def get_secret_value(self) -> str:
            return token

    changed = settings.model_copy(update={"hf_token": Given()})

    with pytest.raises(TokenMissing, match="Copy it again") as told:
        Catalogue(changed, cache=tmp_path, endpoint=hub.address, dtype="float32").download(MODEL, ignore)

    assert token not in str(told.value)
    assert token not in caplog.text
    assert hub.requests == []


@pytest.mark.parametrize("place", ["cache", "repository", "a file of it", "locks"])
def test_a_file_in_the_place_of_the_cache_is_reported_with_a_message(hub, settings, tmp_path, place):
    file = {
        "cache": tmp_path / "cache",
        "locks": tmp_path / "cache" / ".locks",
        "repository": tmp_path / "cache" / f"models--{MODEL.replace('/', '--')}",
        "a file of it": tmp_path / "cache" / f"models--{MODEL.replace('/', '--')}" / "blobs",
    }[place]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("no folder")
    catalogue = Catalogue(settings, cache=tmp_path / "cache", endpoint=hub.address, dtype="float32")

    assert not catalogue.is_ready(MODEL)
    with pytest.raises(StorageFull, match="HF_HOME"):
        catalogue.download(MODEL, ignore)


def _spoil_with_bytes(file: Path) -> None:
    file.resolve().write_bytes(b"<html>404</html>")


def _spoil_by_one_byte(file: Path) -> None:
    data = file.read_bytes()
    file.resolve().write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])


def _spoil_by_cutting(file: Path) -> None:
    file.resolve().write_bytes(file.read_bytes()[:-1])


def _spoil_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _spoil_the_link(file: Path) -> None:
    file.resolve().unlink()


TEXT, WEIGHTS_OF_UNET = "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        *((TEXT, spoil) for spoil in (_spoil_with_bytes, _spoil_by_one_byte, _spoil_by_cutting)),
        *((WEIGHTS_OF_UNET, spoil) for spoil in (_spoil_with_bytes, _spoil_by_cutting)),
        *((name, spoil) for name in (TEXT, WEIGHTS_OF_UNET) for spoil in (_spoil_by_a_folder, _spoil_the_link)),
    ],
)
def test_a_file_that_was_damaged_in_the_cache_is_noticed_and_fetched_again(hub, catalogue, tmp_path, name, spoil):
    models = catalogue()
    models.download(MODEL, ignore)
    folder = models.locate(MODEL)
    before = (folder / name).read_bytes()
    spoil(folder / name)
    assert not models.is_ready(MODEL)

    models.download(MODEL, ignore)

    assert models.is_ready(MODEL)
    assert (folder / name).read_bytes() == before


def test_a_disk_that_is_too_small_is_told_before_anything_large_is_fetched(hub, catalogue, monkeypatch):
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**6, 10**6, 400_000))

    with pytest.raises(StorageFull, match="0.0 GB are free"):
        catalogue().download(MODEL, ignore)

    assert hub.fetched() == {"model_index.json"}


@pytest.mark.slow
def test_weights_that_are_here_of_another_commit_need_no_room(hub, catalogue, monkeypatch):
    catalogue().download(MODEL, ignore)
    shutil.rmtree(catalogue().locate(MODEL))
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**6, 10**6, 40_000))

    catalogue().download(MODEL, ignore)

    assert catalogue().is_ready(MODEL)


@pytest.mark.slow
def test_two_downloads_of_one_model_take_turns(hub, catalogue):
    results, first_is_in, go_on = [], threading.Event(), threading.Event()

    def wait(done, total):
        if done > total / 2:
            first_is_in.set()
            go_on.wait(20)

    def waiting(done, total):
        go_on.set()

    def download(on_progress):
        catalogue().download(MODEL, on_progress)
        results.append(catalogue().is_ready(MODEL))

    threads = [threading.Thread(target=download, args=(wait,)), threading.Thread(target=download, args=(waiting,))]
    threads[0].start()
    first_is_in.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join(20)

    assert results == [True, True]
    assert [path for method, path in hub.requests if method == "GET" and "unet/diff" in path] == [
        f"/{MODEL}/resolve/{COMMIT}/unet/diffusion_pytorch_model.safetensors"
    ]


def test_an_error_of_on_progress_is_passed_on_as_it_is(hub, catalogue):
    class Stopped(Exception):
        pass

    def stop(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        catalogue().download(MODEL, stop)


@pytest.mark.parametrize("trouble", ["gated", "private", "unknown token", "status"])
def test_the_token_is_in_no_message_and_no_log(hub, catalogue, caplog, trouble):
    secret = "hf_mistyped-secret" if trouble == "unknown token" else TOKEN
    if trouble == "gated":
        hub.gated.add(MODEL)
    elif trouble == "private":
        hub.private.add(MODEL)
    elif trouble == "status":
        hub.status = 500

    with caplog.at_level(logging.DEBUG), pytest.raises(Exception) as raised:  # noqa: PT011 - whichever it is
        catalogue(token=secret).download(MODEL, ignore)

    assert secret in hub.tokens
    texts = [caplog.text, str(raised.value), repr(raised.value), str(raised.value.__cause__)]
    assert not any(secret in text for text in texts)
    assert raised.value.__cause__ is None


@pytest.mark.slow
def test_a_broken_off_download_is_not_taken_for_a_model(hub, catalogue):
    catalogue().download(MODEL, ignore)
    here = catalogue().locate(MODEL)
    (here / "vae" / "diffusion_pytorch_model.safetensors").unlink()

    assert not catalogue().is_ready(MODEL)
    with pytest.raises(ModelNotDownloaded, match="not complete"):
        catalogue().locate(MODEL)


def test_the_cache_is_the_librarys_own_unless_told_otherwise(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "theirs"))
    folder = tmp_path / "theirs" / "models--somebody--else" / "snapshots" / COMMIT
    folder.mkdir(parents=True)

    found = hub_module.Hub().snapshot(Catalogue(settings).find(f"somebody/else@{COMMIT}"))

    assert found == Path(folder)
