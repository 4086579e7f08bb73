"""The stand-ins that other tests rely on keep the promises of the ports."""

from __future__ import annotations

import threading

import pytest
from PIL import Image

from core.domain.errors import GenerationCancelled, StudioError
from core.domain.generation import Phase
from core.domain.geometry import Size
from core.domain.mask import Mask
from core.domain.params import InpaintParams
from core.domain.request import WorkingRequest
from tests.fakes import FakeCatalogue, FakeInpainter, FakeLoader, colour_of

SIZE = Size(64, 64)


def a_working_request(**params) -> WorkingRequest:
    return WorkingRequest(
        image=Image.new("RGB", tuple(SIZE), "grey"),
        mask=Mask.empty(SIZE).inverted,
        params=InpaintParams(**{"num_inference_steps": 4, **params}),
    )


def test_equal_params_give_equal_pixels_and_another_seed_gives_others():
    inpainter = FakeInpainter()

    first = inpainter.inpaint(a_working_request(seed=1), lambda report: None).image
    again = inpainter.inpaint(a_working_request(seed=1), lambda report: None).image
    other = inpainter.inpaint(a_working_request(seed=2), lambda report: None).image

    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert first.getpixel((0, 0)) == colour_of(a_working_request(seed=1).params)


def test_every_step_is_reported_in_order():
    reports = []

    FakeInpainter().inpaint(a_working_request(num_inference_steps=10, strength=0.3), reports.append)

    assert [(r.phase, r.step, r.total) for r in reports] == [
        (Phase.PREPARING, 0, 3),
        *[(Phase.DENOISING, step, 3) for step in (1, 2, 3)],
        (Phase.FINISHING, 3, 3),
    ]


def test_a_hook_runs_after_its_step_and_a_cancellation_stops_the_next_one():
    inpainter, seen, wanted = FakeInpainter(), [], []
    inpainter.after_step(2, lambda: wanted.append("cancel"))

    def on_step(report):
        if wanted:
            raise GenerationCancelled
        seen.append(report.step)

    with pytest.raises(GenerationCancelled):
        inpainter.inpaint(a_working_request(), on_step)

    assert seen == [0, 1, 2]


def test_an_error_asked_for_is_raised_once_at_its_step():
    inpainter, reports = FakeInpainter(), []
    inpainter.fail_with(MemoryError(), at_step=3)

    with pytest.raises(MemoryError):
        inpainter.inpaint(a_working_request(), reports.append)
    inpainter.inpaint(a_working_request(), lambda report: None)

    assert reports[-1].step == 2


def test_a_second_caller_is_refused_and_counted():
    inpainter, started, finish, errors = FakeInpainter(), threading.Event(), threading.Event(), []
    inpainter.after_step(1, lambda: (started.set(), finish.wait(5)))
    thread = threading.Thread(target=inpainter.inpaint, args=(a_working_request(), lambda report: None))
    thread.start()
    started.wait(5)

    try:
        inpainter.inpaint(a_working_request(), lambda report: None)
    except StudioError as error:
        errors.append(error)
    finish.set()
    thread.join(5)

    assert len(errors) == 1
    assert (inpainter.calls, inpainter.concurrent_calls) == (1, 1)


def test_the_loader_gives_the_same_inpainter_for_the_same_model_and_device():
    load = FakeLoader()

    assert load("a", "cpu") is load("a", "auto")
    assert load("a", "cpu") is not load("b", "cpu")


def test_a_download_makes_a_model_ready():
    catalogue, seen = FakeCatalogue(), []

    catalogue.download("sd15-inpainting", lambda done, total: seen.append((done, total)))

    assert catalogue.is_ready("sd15-inpainting")
    assert seen == [(0, 100), (50, 100), (100, 100)]
