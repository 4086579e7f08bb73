"""The artist's open work."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.domain.draft import Draft
from core.domain.errors import ImageTooLarge, InvalidMove
from core.domain.files.picture import Picture
from core.domain.generation import Relation
from core.domain.model import ModelSpec
from core.domain.modes import CONTENT_FILL
from core.domain.pixels.outpaint import CanvasExtension
from core.services.drafts import DRAFT_TTL
from tests.conftest import a_mask, a_picture, a_request


def test_another_picture_drops_the_mask_and_the_lineage_of_the_old_one_and_keeps_the_params(studio):
    old = Draft(
        source="sha256:x", drawing="{}", base_mask="sha256:y", params={"seed": 3}, parent_id="p", generations=("g",)
    )

    new = studio.drafts.open_picture(old, Picture(a_picture(), ("a note",)), "photo.png")

    assert new == Draft(
        source=new.source, source_name="photo.png", thumbnail=new.thumbnail, notes=("a note",), params={"seed": 3}
    )
    assert studio.gallery.image(new.source).tobytes() == a_picture().tobytes()


def test_a_generation_can_be_loaded_with_its_picture_mask_and_params(studio, dispatcher):
    [id] = studio.generations.submit(a_request(seed=9))
    dispatcher.drain()
    generation = studio.gallery.get(id)

    draft = studio.drafts.from_generation(generation)

    assert (draft.source, draft.base_mask, draft.parent_id) == (generation.source, generation.mask, id)
    assert draft.relation is Relation.VARIATION
    assert draft.params == generation.params.model_dump()


@pytest.mark.parametrize("prompt", ["a \\{cat|dog\\}", "smile \\}", "a {b|c} \\{", "{{x}}"])
@pytest.mark.slow_but_first
def test_brackets_that_were_text_are_text_when_a_generation_is_loaded_to_try_again(studio, dispatcher, prompt):
    [id] = studio.generations.submit(a_request(prompt=prompt, negative_prompt=prompt))
    dispatcher.drain()
    made = studio.gallery.get(id).params

    [again] = studio.generations.submit(a_request(**studio.drafts.from_generation(studio.gallery.get(id)).params))

    assert studio.gallery.get(again).params == made


def test_a_new_draft_takes_the_last_parameters_but_not_what_belonged_to_a_picture(studio, clock):
    used = {"prompt": "a cat", "seed": 5, "random_seed": False, "count": 8, "variation_strength": 0.2}
    used |= {"num_inference_steps": 12, "device": "cpu"}
    studio.drafts.save("before", Draft(params={"num_inference_steps": 99}))
    clock.wait(minutes=1)
    studio.drafts.save("last", Draft(source="sha256:x", params=used))
    clock.wait(minutes=1)
    studio.drafts.save("left-empty", Draft())

    started = studio.drafts.get(studio.drafts.start())

    assert started == Draft(params={"num_inference_steps": 12, "device": "cpu"})


def test_a_new_draft_does_not_begin_with_content_fill_that_takes_no_words(studio):
    filler = ModelSpec(CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",))
    studio.models.specs[CONTENT_FILL] = filler
    studio.drafts.save("last", Draft(params={"model": CONTENT_FILL, "mode": "remove", "strength": 1}))

    started = studio.drafts.get(studio.drafts.start())

    assert started == Draft()


UNUSABLE = [
    "dream shaper!!",
    "~nosuchuser",
    "x" * 300,
    "a\x00b",
    "/nowhere/at/all",
    "https://example.org/model",
    "somebody/far-away",
]


@pytest.mark.parametrize("model", UNUSABLE)
def test_a_model_that_cannot_paint_belongs_to_its_draft_only(studio, model):
    used = {"model": model, "size": 1024, "num_inference_steps": 99, "mode": "add", "area": "crop", "prompt": "a cat"}
    studio.drafts.save("mistyped", Draft(source="sha256:x", params=used))

    new_session = studio.drafts.get(studio.drafts.start())
    new_picture = studio.drafts.open_picture(studio.drafts.get("mistyped"), Picture(a_picture()), "photo.png")

    assert new_session.params == {"mode": "add", "area": "crop"}
    assert new_picture.params == {"mode": "add", "area": "crop", "prompt": "a cat"}
    assert studio.drafts.get("mistyped").params == used


def test_a_model_that_can_paint_goes_along_with_what_was_chosen_for_it(studio):
    used = {"model": studio.settings.model, "num_inference_steps": 12}
    studio.drafts.save("last", Draft(source="sha256:x", params=used))

    assert studio.drafts.get(studio.drafts.start()).params == used


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
    clock.wait(seconds=(DRAFT_TTL + timedelta(days=1)).total_seconds())

    new = studio.drafts.start()

    assert studio.drafts.get(old) is None
    assert studio.drafts.get(new) == Draft()


def test_an_extended_draft_holds_the_larger_picture_with_its_mask_and_leads_back(studio):
    before = studio.drafts.start()
    source = studio.drafts.images.put(a_picture())
    studio.drafts.save(before, Draft(source=source, drawing="{}", params={"prompt": "x"}, generations=("g",)))

    larger = studio.drafts.extend_canvas(before, CanvasExtension(right=24), overlap_px=8, max_pixels=10_000)

    picture, mask = studio.gallery.image(larger.source), studio.gallery.image(larger.base_mask)
    assert (picture.size, mask.size) == ((120, 64), (120, 64))
    assert picture.crop((0, 0, 96, 64)).tobytes() == a_picture().tobytes()
    assert mask.crop((88, 0, 120, 64)).getextrema() == (255, 255)
    assert (larger.before, larger.drawing, larger.generations) == (before, None, ())
    assert larger.params["prompt"] == "x"
    assert larger.params["mode"] == "edges"
    assert larger.params["fill"] == "original"
    assert studio.drafts.get(before).source == source
    assert Draft.from_dict(larger.to_dict()) == larger


def test_a_picture_is_not_extended_beyond_the_limit(studio):
    id = studio.drafts.start()
    studio.drafts.save(id, Draft(source=studio.drafts.images.put(a_picture())))

    with pytest.raises(ImageTooLarge, match="Add less"):
        studio.drafts.extend_canvas(id, CanvasExtension(right=24), overlap_px=8, max_pixels=7_000)
    with pytest.raises(InvalidMove):
        studio.drafts.extend_canvas(studio.drafts.start(), CanvasExtension(right=24), overlap_px=8, max_pixels=7_000)
