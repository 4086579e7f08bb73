"""The states of a generation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.domain.generation import MOVES, Generation, Origin, Phase, Progress, Relation, Status, Verdict
from core.domain.geometry import Size
from core.domain.params import InpaintParams
from core.domain.pixels.outpaint import CanvasExtension, ExtensionHistory
from core.domain.record import Record
from core.domain.request import StoredRequest

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)

ORIGIN = Origin(
    "parent", Relation.VARIATION, "browser", "photo.jpg", ExtensionHistory("first", (CanvasExtension(8),)), "exif"
)

REQUEST = StoredRequest("source", "mask", Size(64, 48), InpaintParams(seed=7))

PAINTED = replace(
    Generation.queued("a", AT, REQUEST, "cpu", ORIGIN),
    status=Status.SUCCEEDED,
    finished_at=AT,
    output="output",
    thumbnail="thumbnail",
    pixels_sha256="output",
    runtime_s=2.0,
    rating=5,
    title="Best of all",
    tags=("sea",),
    verdict=Verdict.EXACT,
    environment={"torch": "2"},
    record=Record.of({"crop": [0, 0, 64, 48]}),
)


@pytest.mark.parametrize(
    ("chosen", "dtype", "recorded", "expected"),
    [
        ("auto", "float32", {"dtype": "float32"}, "float32"),
        ("auto", "int8+float32", {"dtype": "int8+float32"}, "int8+float32"),
        ("auto", "bfloat16", {"dtype": "bfloat16"}, "auto"),
        ("auto", "float16", {"dtype": "float16"}, "auto"),
        ("auto", "uint8", {}, "auto"),
        ("auto", "float32", {}, "auto"),
        ("auto", None, {}, "auto"),
        ("bfloat16", "bfloat16", {"dtype": "bfloat16"}, "bfloat16"),
    ],
)
def test_the_precision_that_automatic_came_to_is_asked_for_where_that_gives_the_same_bits(
    chosen, dtype, recorded, expected
):
    record = Record.of({"inpainter": recorded})
    made = replace(PAINTED, params=InpaintParams(seed=7, dtype=chosen), dtype=dtype, record=record)

    assert made.params_as_painted == InpaintParams(seed=7, dtype=expected)


def test_every_state_can_be_reached_from_the_queue():
    reached = {Status.QUEUED}
    for _ in Status:
        reached |= {to for status in reached for to in MOVES[status]}

    assert reached == set(Status)


def test_the_bar_does_not_fall_back_while_the_result_is_stored():
    assert [
        Progress(Status.RUNNING, phase, step, total).fraction
        for phase, step, total in [
            (Phase.PREPARING, 0, 0),
            (Phase.DENOISING, 1, 4),
            (Phase.DECODING, 4, 4),
            (Phase.STORING, 0, 0),
        ]
    ] == [0.0, 0.25, 1.0, 1.0]


def test_what_runs_again_is_the_same_request_with_nothing_of_what_became_of_it():
    later = AT + timedelta(hours=1)

    again = PAINTED.again("b", later, "cuda:0", "another browser")

    origin = replace(ORIGIN, parent_id="a", relation=Relation.RERUN, session="another browser")
    assert again == Generation.queued("b", later, REQUEST, "cuda:0", origin)
    assert again.files == ("source", "mask", "exif")


def test_a_generation_names_each_file_that_it_needs():
    assert sorted(PAINTED.files) == ["exif", "mask", "output", "source", "thumbnail"]
    assert PAINTED.pictures == ("source", "mask", "output")
