"""What the stand-ins can be told to do. That they keep the promises of the ports is tested in tests/contracts/."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from core.domain.errors import Busy, GenerationCancelled
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import WorkingRequest
from tests.fakes import FakeInpainter, FakeLoader, colour_of

SIZE = Size(64, 64)


def a_working_request(**params) -> WorkingRequest:
    return WorkingRequest(
        image=Image.new("RGB", tuple(SIZE), "grey"),
        mask=Mask.empty(SIZE).inverted,
        params=InpaintParams(**{"num_inference_steps": 4, **params}),
    )


def test_it_paints_in_the_colour_that_follows_from_the_params():
    request = a_working_request(seed=1)

    painted = FakeInpainter().inpaint(request, lambda report: None).image

    assert painted.getpixel((0, 0)) == colour_of(request.params) != colour_of(a_working_request(seed=2).params)


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


def test_a_second_caller_is_counted():
    inpainter, refused = FakeInpainter(), []

    def ask() -> None:
        try:
            inpainter.inpaint(a_working_request(), lambda report: None)
        except Busy as error:
            refused.append(error)

    inpainter.after_step(1, lambda: on_another_thread.submit(ask).result(20))
    with ThreadPoolExecutor(1) as on_another_thread:
        inpainter.inpaint(a_working_request(), lambda report: None)

    assert len(refused) == 1
    assert (inpainter.calls, inpainter.concurrent_calls) == (1, 1)


def test_the_loader_gives_the_same_inpainter_for_the_same_model_and_device():
    load = FakeLoader()

    assert load("a", "cpu") is load("a", "auto")
    assert load("a", "cpu") is not load("b", "cpu")
