"""python -m core queue and sheet."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from core.domain.generation import Origin, Status
from core.domain.pixels.outpaint import CanvasExtension, ExtensionHistory
from tests.conftest import a_request


def queued(run) -> list[str]:
    return [json.loads(line)["id"] for line in run("queue", "list", "--json").stdout.splitlines()]


def test_the_queue_is_listed_in_the_order_of_work_and_can_be_put_in_another(run, studio):
    first, second = studio.generations.submit(a_request(), count=2)

    run("queue", "move", second, "next")

    assert queued(run) == [second, first]
    assert "a cat" in run("queue", "list").stdout


def test_what_is_tried_again_says_why(run, studio, clock):
    [id] = studio.generations.submit(a_request())
    studio.worker.repo.claim(id, "dead", clock())
    studio.worker.repo.requeue_dead("dead", "The system ended the worker.", clock())

    assert "The system ended the worker. It is tried again." in run("queue", "list").stdout
    assert json.loads(run("queue", "list", "--json").stdout)["error"].startswith("The system ended")


def test_the_queue_is_paused_and_resumed(run, studio):
    run("queue", "pause")
    assert studio.queue.is_paused()
    assert "paused" in run("queue", "list").stderr

    run("queue", "resume")
    assert not studio.queue.is_paused()


def test_some_or_all_are_cancelled(run, studio):
    first, second, third = studio.generations.submit(a_request(), count=3)

    run("queue", "cancel", second)
    assert queued(run) == [first, third]

    assert "2 cancelled" in run("queue", "cancel", "--all").stdout
    assert studio.gallery.get(third).status is Status.CANCELLED


@pytest.mark.parametrize(
    "arguments", [("cancel",), ("cancel", "x", "--all"), ("cancel", "nothing"), ("move", "nothing", "next")]
)
def test_bad_input_ends_with_2_and_a_sentence(run, arguments):
    result = run("queue", *arguments, code=2)

    assert result.stderr.strip()


def test_a_sheet_is_painted_from_a_generation_and_written(run, studio, dispatcher, tmp_path):
    [id] = studio.generations.submit(a_request(prompt="a red balloon"))
    dispatcher.drain()
    file = tmp_path / "sheets" / "sheet.png"

    lines = run(
        "sheet", id, "--columns", "prompt=red,blue", "--rows", "seed=1-3", "--output", file, "--json"
    ).stdout.splitlines()

    made = [json.loads(line) for line in lines]
    assert [(m["prompt"], m["seed"]) for m in made] == [
        (f"a {colour} balloon", seed) for seed in (1, 2, 3) for colour in ("red", "blue")
    ]
    assert Image.open(file).size > (2 * 30, 3 * 30)


def test_pictures_of_a_sheet_know_that_their_canvas_was_extended(run, studio, dispatcher, tmp_path):
    extended = ExtensionHistory("sha256:" + "0" * 64, (CanvasExtension(left=3),))
    [id] = studio.generations.submit(a_request(), origin=Origin(extended=extended))
    dispatcher.drain()

    lines = run("sheet", id, "--columns", "seed=1,2", "--output", tmp_path / "x.png", "--json").stdout.splitlines()

    assert [studio.gallery.get(json.loads(line)["id"]).extended for line in lines] == [extended] * 2


def test_brackets_that_were_text_are_text_in_a_sheet(run, studio, dispatcher, tmp_path):
    [id] = studio.generations.submit(a_request(prompt="a \\{cat|dog\\}"))
    dispatcher.drain()

    lines = run("sheet", id, "--columns", "seed=1,2", "--output", tmp_path / "x.png", "--json").stdout.splitlines()

    assert [json.loads(line)["prompt"] for line in lines] == ["a {cat|dog}"] * 2


@pytest.mark.parametrize("columns", ["seed", "size=64", "seed=many", "num_inference_steps=9999"])
@pytest.mark.slow_but_first
def test_a_sheet_that_cannot_be_made_is_reported_with_a_message(run, studio, dispatcher, tmp_path, columns):
    [id] = studio.generations.submit(a_request())
    dispatcher.drain()

    result = run("sheet", id, "--columns", columns, "--output", tmp_path / "x.png", code=2)

    assert result.stderr.strip()
    assert studio.gallery.count() == 1
