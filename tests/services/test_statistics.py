"""The numbers of the gallery, from rows that were really made."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from core.domain.generation import Relation
from core.domain.params import InpaintParams
from db.tables import GenerationRow
from tests.conftest import a_request


def painted(studio, **params) -> str:
    [id] = studio.generations.submit(a_request(**{"num_inference_steps": 4, **params}))
    studio.dispatcher.drain()
    return id


def rewrite(studio, id: str, **values) -> None:
    with studio.gallery.repo._transaction() as session:
        session.execute(update(GenerationRow).where(GenerationRow.id == id).values(values))


def asked(**params) -> InpaintParams:
    return InpaintParams(**{"size": 64, "num_inference_steps": 4, **params})


def test_the_estimate_is_what_it_took_before(studio):
    rewrite(studio, painted(studio), runtime_s=8.0)

    assert studio.statistics.estimate_s(asked(), "cpu") == pytest.approx(8)
    assert studio.statistics.estimate_s(asked(num_inference_steps=8), "cpu") == pytest.approx(16)


def test_a_real_run_yields_an_estimate(studio):
    id = painted(studio)

    assert studio.statistics.estimate_s(asked(), "cpu") == pytest.approx(studio.gallery.get(id).runtime_s)


def test_nothing_is_expected_of_another_model_or_device(studio):
    painted(studio)

    assert studio.statistics.estimate_s(asked(model="sd15-inpainting"), "cpu") is None
    assert studio.statistics.estimate_s(asked(), "cuda:0") is None


def test_only_what_was_finished_here_counts(studio, inpainter):
    imported, incomplete = painted(studio), painted(studio)
    rewrite(studio, imported, relation=Relation.IMPORT)
    rewrite(studio, incomplete, record_json="{}")
    inpainter.fail_with(RuntimeError("no"))
    painted(studio)

    assert studio.statistics.estimate_s(asked(), "cpu") is None


def test_the_steps_and_the_rest_are_told_apart_where_they_were_recorded(studio):
    id = painted(studio)
    record = dict(studio.gallery.get(id).record) | {"inpainter": {"denoise_s": 6.0}}
    rewrite(studio, id, runtime_s=8.0, record_json=json.dumps(record))

    assert studio.statistics.estimate_s(asked(num_inference_steps=8), "cpu") == pytest.approx(14)


def test_the_working_size_that_was_really_used_counts(studio):
    id = painted(studio)
    record = dict(studio.gallery.get(id).record) | {"working_size": [64, 32]}
    rewrite(studio, id, runtime_s=8.0, record_json=json.dumps(record))

    assert studio.statistics.estimate_s(asked(size=128), "cpu") == pytest.approx(32)
