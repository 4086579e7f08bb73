"""The artist's open work."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.domain.draft import Draft
from core.domain.errors import InvalidMove
from core.domain.generation import Relation
from core.domain.picture import Picture
from core.services.drafts import KEPT_FOR
from tests.conftest import a_mask, a_picture, a_request


def test_another_picture_drops_the_mask_and_the_lineage_of_the_old_one_and_keeps_the_params(studio):
    old = Draft(
        source="sha256:x", drawing="{}", base_mask="sha256:y", params={"seed": 3}, parent_id="p", generations=("g",)
    )

    new = studio.drafts.open_picture(old, Picture(a_picture(), ("a note",)), "photo.png")

    assert new == Draft(source=new.source, source_name="photo.png", notes=("a note",), params={"seed": 3})
    assert studio.gallery.image(new.source).tobytes() == a_picture().tobytes()


def test_a_generation_can_be_loaded_with_its_picture_mask_and_params(studio, dispatcher):
    [id] = studio.generations.submit(a_request(seed=9))
    dispatcher.drain()
    generation = studio.gallery.get(id)

    draft = studio.drafts.from_generation(generation)

    assert (draft.source, draft.base_mask, draft.parent_id) == (generation.source, generation.mask, id)
    assert draft.relation is Relation.VARIATION
    assert draft.params == generation.params.model_dump()


def test_a_new_draft_takes_the_last_parameters_but_not_what_belonged_to_a_picture(studio, clock):
    used = {"prompt": "a cat", "seed": 5, "random_seed": False, "num_inference_steps": 12, "device": "cpu"}
    studio.drafts.save("before", Draft(params={"num_inference_steps": 99}))
    clock.wait(minutes=1)
    studio.drafts.save("last", Draft(source="sha256:x", params=used))
    clock.wait(minutes=1)
    studio.drafts.save("left-empty", Draft())

    started = studio.drafts.get(studio.drafts.start())

    assert started == Draft(params={"num_inference_steps": 12, "device": "cpu"})


def test_the_result_can_be_painted_on(studio, dispatcher):
    [id] = studio.generations.submit(a_request())
    waiting = studio.gallery.get(id)
    with pytest.raises(InvalidMove):
        studio.drafts.continued_from(waiting)
    dispatcher.drain()
    done = studio.gallery.get(id)

    draft = studio.drafts.continued_from(done)

    assert (draft.source, draft.base_mask, draft.relation) == (done.output, None, Relation.CONTINUATION)
    assert studio.gallery.mask(done) == a_mask()


def test_a_draft_that_nobody_touched_for_a_month_is_forgotten(studio, clock):
    old = studio.drafts.start()
    clock.wait(seconds=(KEPT_FOR + timedelta(days=1)).total_seconds())

    new = studio.drafts.start()

    assert studio.drafts.get(old) is None
    assert studio.drafts.get(new) == Draft()
