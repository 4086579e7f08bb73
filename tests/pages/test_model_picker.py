"""A model that cannot paint is told on the page of its draft, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.draft import Draft
from core.engine.models.catalogue import Catalogue
from core.engine.models.library import LocalModels
from pages.ui.inpaint import model_picker
from tests import models_folder as make

UNUSABLE = [
    "dream shaper!!",
    "~nosuchuser",
    "x" * 400,
    "a\x00b",
    "\U000e0001",
    "https://huggingface.co/datasets/a/b",
    "/",
]


def told(page) -> str:
    return " ".join(error.value for error in page.error).replace("\\", "")


def named(page) -> str:
    """The draft in the address."""
    [id] = [page.query_params["draft"]] if isinstance(page.query_params["draft"], str) else page.query_params["draft"]
    return id


@pytest.mark.slow_but_first
@pytest.mark.parametrize("model", UNUSABLE)
def test_a_model_that_cannot_paint_stops_neither_its_page_nor_the_next_session(studio, pictured, inpaint, model):
    draft = studio.drafts.get(pictured)
    studio.drafts.save(pictured, draft.changed(params={**draft.params, "model": model}))

    page = inpaint(draft=pictured)
    assert "no such model" in told(page)
    page.button(key="generate").click().run()
    assert studio.drafts.get(pictured).generations == ()

    another = inpaint()
    assert not another.error
    id = named(another)
    assert id != pictured
    assert "model" not in studio.drafts.get(id).params


def test_what_is_typed_under_another_belongs_to_this_draft_only(studio, opened, inpaint, pictured):
    opened.selectbox(key=f"{pictured}.model").set_value("another").run()
    opened.text_input(key=f"{pictured}.model-other").set_value("dream shaper!!").run()
    assert "no such model" in told(opened)
    assert studio.drafts.get(pictured).params["model"] == "dream shaper!!"

    assert not inpaint().error
    assert not inpaint(draft=pictured).exception


def test_a_usual_model_that_cannot_paint_is_told_and_another_can_be_chosen(studio, pictured, inpaint, monkeypatch):
    suits = replace(studio.recommendations, usual_model="~nosuchuser")
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: replace(studio, recommendations=suits))
    studio.drafts.save(pictured, studio.drafts.get(pictured).changed(params={}))

    page = inpaint(draft=pictured)

    assert "no such model" in told(page)
    page.selectbox(key=f"{pictured}.model").set_value(studio.models.listed()[0].key).run()
    assert not page.error


def test_a_draft_that_is_not_there_is_a_new_one(studio, inpaint):
    for id in ("x" * 5000, "\x00", "💥", "../..", "a'b\"--"):
        page = inpaint(draft=id)

        assert not page.exception
        assert studio.drafts.get(named(page)) == Draft()


def test_a_checkpoint_in_a_folder_is_chosen_like_those_of_the_table_and_told_when_it_is_gone(
    studio, settings, pictured, inpaint, monkeypatch
):
    monkeypatch.setattr("pages.ui.inpaint.model_picker._titles", model_picker._titles.__wrapped__)
    catalogue = Catalogue(settings, cache=settings.data / "hub")
    real = replace(
        studio,
        models=catalogue,
        library=replace(studio.library, store=LocalModels(settings, catalogue), catalogue=catalogue),
        recommendations=replace(studio.recommendations, models=catalogue),
    )
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: real)
    file = make.checkpoint(settings.models / "checkpoints" / "dream.safetensors")
    make.checkpoint(settings.models / "checkpoints" / "half.safetensors", parts=("first_stage_model",))

    page = inpaint(draft=pictured)
    picker = page.selectbox(key=f"{pictured}.model")
    assert "dream" in picker.options
    assert "half" not in picker.options, "it cannot be used"
    picker.set_value(str(file)).run()
    assert studio.drafts.get(pictured).params["model"] == str(file)
    assert not page.error

    file.unlink()
    page.run()
    assert not page.exception
    assert "does not exist. Choose" in told(page)
