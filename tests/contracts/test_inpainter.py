"""What every Inpainter promises: the stand-in of the tests, content fill, a remover, and a diffusers pipeline."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain.errors import Busy, GenerationCancelled, InvalidParams, ModelUnavailable
from core.domain.generation import Phase
from core.domain.hashing import canonical_json
from core.domain.params import InpaintParams
from core.domain.pixels.mask import Mask
from core.domain.request import WorkingRequest
from core.engine import loading
from core.engine.models.catalogue import Catalogue
from core.ports import Inpainter, Repainted, StepReport
from core.settings import Settings
from tests.engine.tiny import save_pipeline
from tests.fakes import FakeInpainter
from tests.onnx_files import lama

WIDTH, HEIGHT = 72, 64
"""In whole cells of 8 pixels, and not square: whoever swaps the sides is found out."""


@dataclass(frozen=True)
class Subject:
    """make: loads a new one. steps: of four that are asked for. by_chance: whether another seed paints otherwise."""

    make: Callable[[], Inpainter]
    steps: int = 4
    by_chance: bool = True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module", params=["stand-in", "content fill", "remover", "diffusers"])
def subject(request: pytest.FixtureRequest, folder: Path) -> Subject:
    if request.param == "stand-in":
        return Subject(FakeInpainter)
    settings = Settings(_env_file=None, threads=1, device="cpu", HF_TOKEN=None)
    catalogue = Catalogue(settings)
    if request.param == "content fill":
        return Subject(lambda: loading.load("content-fill", "cpu", catalogue, settings), steps=13)
    if request.param == "remover":
        file = str(lama(folder / "lama.onnx", side=64))
        return Subject(lambda: loading.load(file, "cpu", catalogue, settings), steps=1, by_chance=False)
    tiny = str(save_pipeline(folder))
    return Subject(lambda: loading.load(tiny, "cpu", catalogue, settings))


@pytest.fixture(scope="module")
def inpainter(subject: Subject) -> Inpainter:
    """One for all: that a run leaves no trace is part of what is promised."""
    return subject.make()


def a_request(**changes) -> WorkingRequest:
    chance = np.random.default_rng(5)
    picture = Image.fromarray(chance.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)).resize((WIDTH, HEIGHT))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[16:48, 24:56] = 255
    params = InpaintParams(prompt="a red ball", seed=7, num_inference_steps=4, strength=1.0)
    return replace(WorkingRequest(picture, Mask(mask), params), **changes)


def ignore(report: StepReport) -> None:
    pass


def bits(inpainter: Inpainter, request: WorkingRequest) -> bytes:
    return inpainter.inpaint(request, ignore).image.tobytes()


@dataclass(frozen=True)
class FirstRun:
    request: WorkingRequest
    done: Repainted
    reports: list[StepReport]
    threads: set[threading.Thread]

    @property
    def bits(self) -> bytes:
        return self.done.image.tobytes()


@pytest.fixture(scope="module")
def first(inpainter: Inpainter) -> FirstRun:
    """Of a_request(), with which the later ones are compared."""
    request, reports, threads = a_request(), [], set()

    def on_step(report: StepReport) -> None:
        reports.append(report)
        threads.add(threading.current_thread())

    return FirstRun(request, inpainter.inpaint(request, on_step), reports, threads)


# What comes back -------------------------------------------------------------------------------------------------


def test_the_result_is_rgb_of_the_working_size_and_what_was_handed_in_stays_as_it_was(first):
    assert (first.done.image.mode, first.done.image.size) == ("RGB", (WIDTH, HEIGHT))
    assert first.bits != first.request.image.tobytes()
    assert first.request.image.tobytes() == a_request().image.tobytes()
    assert first.request.mask == a_request().mask


def test_the_record_is_json_and_names_the_steps_and_the_size(first, subject):
    record = first.done.record

    assert json.loads(canonical_json(record)) == record
    assert (record["effective_steps"], record["width"], record["height"]) == (subject.steps, WIDTH, HEIGHT)


def test_model_and_environment_say_what_is_written_into_each_row(inpainter):
    model, facts = inpainter.model, inpainter.environment.facts

    assert (model.device, WIDTH % model.cell, HEIGHT % model.cell) == ("cpu", 0, 0)
    assert model.native_px > 0
    assert model.load_s >= 0
    assert all((model.key, model.revision, model.dtype))
    assert json.loads(canonical_json(model.details)) == dict(model.details)
    assert {type(value) for value in (*facts, *facts.values())} == {str}


def test_each_step_is_reported_once_between_a_first_and_a_last_report(first, subject):
    total = subject.steps

    assert [(report.phase, report.step, report.total) for report in first.reports] == [
        (Phase.PREPARING, 0, total),
        *[(Phase.DENOISING, step, total) for step in range(1, total + 1)],
        (Phase.DECODING, total, total),
    ]


def test_reports_come_in_the_callers_thread_and_previews_are_small_jpegs(first):
    assert first.threads == {threading.current_thread()}
    for report in first.reports:
        if report.preview is not None:
            with Image.open(io.BytesIO(report.preview)) as opened:
                assert (opened.format, max(opened.size) <= 512) == ("JPEG", True)


# Again -----------------------------------------------------------------------------------------------------------


def test_the_same_request_gives_the_same_bits_after_one_of_another_seed_and_prompt(inpainter, first, subject):
    asked = a_request()
    other = bits(inpainter, replace(asked, params=asked.params.changed(seed=8, prompt="a blue cat")))

    assert (other != first.bits) == subject.by_chance
    assert bits(inpainter, a_request()) == first.bits


def test_under_the_record_of_an_earlier_run_it_gives_the_same_bits(inpainter, first):
    assert bits(inpainter, a_request(recorded=first.done.record)) == first.bits


def test_what_does_not_fit_in_a_record_is_left_aside(inpainter, first):
    recorded = {"threads": "many", "scheduler": 5, "effective_steps": -1, "nobody": ["knows"]}

    assert bits(inpainter, a_request(recorded=recorded)) == first.bits


class Odd(Exception):
    """Nothing that an inpainter knows."""


def test_what_a_report_raises_ends_the_run_and_leaves_the_next_one_as_it_was(inpainter, first):
    for phase, error in {Phase.PREPARING: GenerationCancelled, Phase.DENOISING: Odd, Phase.DECODING: Odd}.items():
        phases = []

        def stop(report: StepReport, phase=phase, error=error, phases=phases) -> None:
            phases.append(report.phase)
            if report.phase is phase:
                raise error

        with pytest.raises(error):
            inpainter.inpaint(a_request(), stop)

        assert phases.index(phase) == len(phases) - 1

    assert bits(inpainter, a_request()) == first.bits


# What is refused -------------------------------------------------------------------------------------------------


def test_a_size_in_parts_of_cells_is_refused(inpainter):
    request = a_request()
    narrow = replace(request, image=request.image.crop((0, 0, 60, 64)), mask=Mask(request.mask.pixels[:, :60]))

    if inpainter.model.cell == 1:
        assert inpainter.inpaint(narrow, ignore).image.size == (60, 64)
    else:
        with pytest.raises(InvalidParams, match=f"multiples of {inpainter.model.cell}"):
            inpainter.inpaint(narrow, ignore)


def test_a_second_caller_is_refused_at_once_and_does_not_disturb_the_first(inpainter, first):
    refused = []

    def ask() -> None:
        try:
            inpainter.inpaint(a_request(), ignore)
        except Exception as error:
            refused.append(type(error))

    def on_step(report: StepReport) -> None:
        ask()
        other = threading.Thread(target=ask)
        other.start()
        other.join(20)

    result = inpainter.inpaint(a_request(), on_step).image

    assert refused == [Busy] * 2 * len(first.reports)
    assert result.tobytes() == first.bits


def test_a_closed_one_refuses_with_a_message_however_often_it_was_closed(subject):
    inpainter = subject.make()
    inpainter.close()
    inpainter.close()

    with pytest.raises(ModelUnavailable, match="Run it again"):
        inpainter.inpaint(a_request(), ignore)


def test_closed_while_it_paints_it_ends_the_picture_and_begins_no_other(subject, first):
    mine = subject.make()

    result = mine.inpaint(a_request(), lambda report: mine.close()).image

    assert result.tobytes() == first.bits
    with pytest.raises(ModelUnavailable):
        mine.inpaint(a_request(), ignore)
