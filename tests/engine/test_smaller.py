"""A generation whose worker was killed, perhaps for lack of memory, is painted again in less of it; and verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.bootstrap import Studio, build_studio, make_loader
from core.domain.generation import Generation, Status
from core.domain.worker import MEMORY_RAN_OUT
from core.ports import LoadInpainter
from core.services.model_cache import ModelCache
from tests.conftest import a_request
from tests.fakes import WaitingDispatcher


@pytest.fixture
def studio_with(settings) -> Callable[[LoadInpainter], Studio]:
    def make(load: LoadInpainter) -> Studio:
        return build_studio(
            settings,
            load,
            dispatcher=lambda worker: WaitingDispatcher(worker.run),
            resolve_device=lambda wish: "cpu",
        )

    return make


@pytest.fixture
def z_image(transformer) -> Path:
    return Path(transformer("Z-Image").model.key)


def painted_after_a_kill(studio: Studio, model: Path) -> Generation:
    [id] = studio.generations.submit(a_request(model=str(model), num_inference_steps=2))
    repo, now = studio.worker.repo, studio.worker.now
    repo.claim(id, "killed", now())
    repo.requeue_dead("killed", "The system ended the worker.", now(), code=MEMORY_RAN_OUT)
    studio.worker.run(id)
    made = studio.gallery.get(id)
    assert made.status is Status.SUCCEEDED, made.error
    return made


def verified(studio: Studio, generation: Generation):
    [verification] = studio.reproductions.verify([generation.id])
    studio.worker.run(verification)
    return studio.reproductions.get(verification).reproduction


def test_a_large_transformer_is_painted_in_half_precision_recorded_so_and_verifies_exact(
    studio_with, settings, z_image
):
    """The verification comes from another process, which has nothing loaded yet."""
    studio = studio_with(ModelCache(make_loader(settings)))

    made = painted_after_a_kill(studio, z_image)

    assert (made.dtype, made.record.inpainter.raw["dtype"]) == ("bfloat16", "bfloat16")
    assert made.environment["dtype"] == "bfloat16"
    assert verified(studio_with(ModelCache(make_loader(settings))), made).verdict == "EXACT"


@pytest.mark.slow
def test_the_next_one_is_painted_as_usual(studio_with, settings, z_image):
    studio = studio_with(ModelCache(make_loader(settings)))
    painted_after_a_kill(studio, z_image)

    [id] = studio.generations.submit(a_request(model=str(z_image), num_inference_steps=2))
    studio.worker.run(id)

    assert studio.gallery.get(id).dtype == "float32"
    assert verified(studio, studio.gallery.get(id)).verdict == "EXACT"


@pytest.mark.slow
def test_where_the_precision_cannot_be_had_again_the_verification_says_so(studio_with, settings, z_image):
    load = make_loader(settings)
    made = painted_after_a_kill(studio_with(load), z_image)

    found = verified(studio_with(lambda model, device, **how: load(model, device)), made)

    assert found.verdict != "EXACT"
    assert "dtype: bfloat16 then, float32 now" in [str(change) for change in found.changes]


def test_a_unet_is_painted_with_int8_weights_recorded_so_and_verifies_exact(studio_with, settings, models):
    made = painted_after_a_kill(studio_with(make_loader(settings)), models(in_channels=9))

    assert (made.dtype, made.params.dtype) == ("int8+float32", "auto")
    assert "memory ran out" in made.record.model.raw["memory_plan"]
    assert verified(studio_with(ModelCache(make_loader(settings))), made).verdict == "EXACT"


def a_loader_whose_runs_run_out_of_memory(settings, *, only_in: str | None = None) -> tuple[LoadInpainter, list[str]]:
    """And the precisions in which it was tried. only_in: in the others they do not."""
    load, tried = make_loader(settings), list[str]()

    def of_model(model, device, **how):
        inpainter = load(model, device, **how)
        tried.append(inpainter.model.dtype)
        if only_in in (None, inpainter.model.dtype):

            def forward(*_, **__):
                raise MemoryError

            inpainter._pipe.unet.forward = forward
        return inpainter

    return of_model, tried


def test_a_run_that_runs_out_of_memory_is_painted_one_step_down_and_verifies_exact(studio_with, settings, models):
    load, tried = a_loader_whose_runs_run_out_of_memory(settings, only_in="float32")
    studio = studio_with(ModelCache(load))

    [id] = studio.generations.submit(a_request(model=str(models(in_channels=9)), num_inference_steps=2))
    studio.worker.run(id)

    made = studio.gallery.get(id)
    assert made.status is Status.SUCCEEDED, made.error
    assert (tried, made.dtype) == (["float32", "int8+float32"], "int8+float32")
    assert verified(studio_with(ModelCache(make_loader(settings))), made).verdict == "EXACT"


@pytest.mark.parametrize(("dtype", "expected"), [("auto", ["float32", "int8+float32"]), ("float32", ["float32"])])
def test_where_it_runs_out_again_or_the_precision_was_chosen_that_is_told_in_words(
    studio_with, settings, models, dtype, expected
):
    load, tried = a_loader_whose_runs_run_out_of_memory(settings)
    studio = studio_with(ModelCache(load))

    [id] = studio.generations.submit(a_request(model=str(models(in_channels=9)), num_inference_steps=2, dtype=dtype))
    studio.worker.run(id)

    made = studio.gallery.get(id)
    assert (made.status, made.error_code) == (Status.FAILED, "OutOfMemory")
    assert tried == expected
