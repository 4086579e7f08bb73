"""What a record tells, whoever wrote it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.geometry import Bounds, Size
from core.domain.record import NO_RECORD, Record, SharedRecord

DATA = Path(__file__).parents[1] / "data"

RAW = {
    "processing_version": 2,
    "crop": [0, 8, 96, 64],
    "working_size": [64, 40],
    "parts": {"part_1": {"seed": 1}, "part_2": {"seed": 2}},
    "effective_steps": 3,
    "mask_coverage": 0.25,
    "colour": {"profile": "Display P3", "intent": "relative colorimetric"},
    "model": {"key": "m", "repository": "owner/name", "revision": "abc", "native_px": 64},
    "inpainter": {
        "scheduler": {"class": "DDIMScheduler"},
        "noise_sha256": "sha256:1",
        "denoise_s": 2,
        "part_2": {"noise_sha256": "sha256:2"},
    },
    "outside_mask_unchanged": True,
    "of a later version": {"it": "stays"},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ["scheduler", "noise_sha256", "denoise_s", "first_pass", "part_2", "repository", "revision", "profile"]
                + ["tool", "stated", "model", "seed", "raw", "malformed"]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def test_everything_that_a_record_tells_has_a_field_and_the_rest_is_kept():
    record = Record.of(RAW)

    assert record.raw is RAW
    assert record.malformed == ()
    assert (record.crop, record.working_size) == (Bounds(0, 8, 96, 64), Size(64, 40))
    assert (record.effective_steps, record.mask_coverage, record.processing_version) == (3, 0.25, 2)
    assert list(record.parts) == ["part_1", "part_2"]
    assert record.outside_mask_unchanged is True
    assert record.colour.profile == "Display P3"
    assert (record.model.repository, record.model.revision, record.model.raw) == ("owner/name", "abc", RAW["model"])
    assert record.inpainter.raw is RAW["inpainter"]
    assert record.inpainter.scheduler == {"class": "DDIMScheduler"}
    assert (record.inpainter.noise_sha256, record.inpainter.denoise_s) == ("sha256:1", 2)
    assert record.inpainter.part(0) is RAW["inpainter"]
    assert record.inpainter.part(1) == {"noise_sha256": "sha256:2"}
    assert record.inpainter.part(2) == {}
    assert record.imported is None


def test_an_empty_record_tells_nothing():
    assert Record.of({}) == NO_RECORD
    assert (NO_RECORD.crop, NO_RECORD.model.raw, NO_RECORD.inpainter.raw, NO_RECORD.imported) == (None, {}, {}, None)


@given(st.dictionaries(st.sampled_from([*RAW, "imported", "raw", "malformed"]), JSON, max_size=6))
def test_a_record_of_anybody_is_read_and_kept_as_it_is(raw):
    record = Record.of(raw)

    assert record.raw is raw
    assert (record.imported is not None) == (raw.get("imported") is not None)
    assert all(isinstance(part, dict) for part in (record.inpainter.part(0), record.inpainter.part(1)))
    assert set(record.shown) == set(raw)


ENVIRONMENTS = st.dictionaries(st.text(max_size=3) | st.just("x" * 201), st.text(max_size=3) | JSON, max_size=4)


@given(
    st.dictionaries(st.sampled_from(["device", "dtype", "created_at", "model"]), JSON, max_size=4),
    ENVIRONMENTS | JSON,
    st.sampled_from([{}, {str(number): "x" for number in range(201)}]),
)
def test_of_a_strangers_picture_comes_only_what_a_row_can_hold(raw, environment, many):
    environment = environment | many if isinstance(environment, dict) else environment

    shared = SharedRecord.of({**raw, "environment": environment})

    assert shared.device is None or 1 <= len(shared.device) <= 40
    assert len(shared.environment) <= 200
    assert all(len(fact) <= 200 for pair in shared.environment.items() for fact in pair)


def test_what_a_picture_of_ours_says_of_its_making_is_read():
    shared = SharedRecord.of(json.loads((DATA / "metadata" / "studio-1.json").read_text(encoding="utf-8")))

    assert (shared.device, shared.dtype) == ("cuda:0", "float16")
    assert shared.created_at == datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    assert shared.model.revision == "8a4288a76071f7280aedbdb3253bdb9e9d5d84bb"
    assert shared.environment["torch"] == "2.13.0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop", [0, 0, 64]),
        ("crop", [0, 0, 64, 64.0]),
        ("crop", [0, 0, True, 1]),
        ("crop", [9, 9, 1, 1]),
        ("crop", "0064"),
        ("working_size", [64, 0]),
        ("working_size", [64, 10**30]),
        ("effective_steps", "3"),
        ("effective_steps", -1),
        ("effective_steps", True),
        ("mask_coverage", float("nan")),
        ("outside_mask_unchanged", 1),
        ("parts", []),
        ("model", "pocket"),
        ("inpainter", [1]),
        ("colour", "red"),
    ],
)
def test_what_is_not_of_its_kind_counts_as_not_told(name, value):
    record = Record.of({**RAW, name: value})

    assert [field.partition(".")[0] for field in record.malformed] == [name]
    assert getattr(record, name) == getattr(NO_RECORD, name)
    assert record.raw[name] is value
    others = set(Record.model_fields) - {name, "raw", "malformed"}
    assert all(getattr(record, other) == getattr(Record.of(RAW), other) for other in others)


def test_of_what_an_inpainter_tells_only_the_malformed_is_left_out():
    record = Record.of({"inpainter": {"scheduler": "DDIM", "noise_sha256": "sha256:1", "threads": 2}})

    assert record.malformed == ("inpainter.scheduler",)
    assert (record.inpainter.scheduler, record.inpainter.noise_sha256) == ({}, "sha256:1")
    assert record.inpainter.raw == {"noise_sha256": "sha256:1", "threads": 2}


@pytest.mark.parametrize("value", [1, "a1111", [], {"tool": 1, "stated": "prompt", "raw": {"a": 1}}])
def test_a_picture_of_another_tool_stays_one_however_badly_it_is_told(value):
    imported = Record.of({"imported": value}).imported

    assert (imported.tool, imported.stated, imported.raw) == (None, [], {})


def test_what_other_programs_wrote_is_not_among_what_is_shown():
    record = Record.of({"imported": {"tool": "a1111", "stated": ["seed"], "raw": {"workflow": "x" * 10**6}}})

    assert record.imported.raw == {"workflow": "x" * 10**6}
    assert record.shown == {"imported": {"tool": "a1111", "stated": ["seed"]}}


@pytest.mark.parametrize("name", ["painted-by-processing-1.zip", "bundle-schema-1.zip"])
def test_the_records_of_all_versions_are_well_formed(name):
    with ZipFile(DATA / name) as bundle:
        records = [row["record"] for row in json.loads(bundle.read("bundle.json"))["generations"]]

    assert records
    assert {Record.of(record).malformed for record in records} == {()}
