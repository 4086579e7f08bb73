"""The embeddings of the form: named in the prompts, told below them, and put into them from a list."""

from __future__ import annotations

import pytest

from core.bootstrap import Studio
from tests.embeddings import write_embedding
from tests.pages.test_inpaint import draft, generate, widget, words_on


@pytest.fixture
def embeddings(studio: Studio) -> None:
    folder = studio.settings.models / "embeddings"
    write_embedding(folder / "oil.safetensors", 3)
    write_embedding(folder / "style" / "bad-hands.safetensors", 1)


def test_without_a_file_there_is_no_list(ready):
    assert not [one for one in ready.get("selectbox") if one.label == "Embeddings"]


def test_one_is_put_into_a_prompt_told_with_its_vectors_and_submitted(embeddings, studio, ready, dispatcher):
    widget(ready, "text_area", "prompt").set_value("a ball,").run()
    field = widget(ready, "selectbox", "embedding")
    assert list(field.options) == ["bad-hands (1 vector)", "oil (3 vectors)"]
    field.set_value("oil").run()
    widget(ready, "button", "embedding-to-prompt").click().run()
    widget(ready, "selectbox", "embedding").set_value("bad-hands").run()
    widget(ready, "button", "embedding-to-negative_prompt").click().run()

    assert widget(ready, "text_area", "prompt").value == "a ball, oil"
    assert widget(ready, "text_input", "negative_prompt").value == "bad-hands"
    assert "Embeddings: oil (3 vectors), bad-hands (1 vector)" in words_on(ready)
    generate(ready)
    dispatcher.drain()
    params = studio.gallery.get(draft(studio, ready).generations[0]).params
    assert params.embeddings == ("oil", "bad-hands")


@pytest.mark.slow
def test_one_of_the_prompt_that_was_taken_up_is_told_when_it_is_gone(embeddings, studio, ready, inpaint, dispatcher):
    widget(ready, "text_area", "prompt").set_value("oil").run()
    generate(ready)
    dispatcher.drain()
    made = studio.gallery.get(draft(studio, ready).generations[0])
    (studio.settings.models / "embeddings" / "oil.safetensors").unlink()
    id = studio.drafts.start()
    studio.drafts.save(id, studio.drafts.from_generation(made))

    again = inpaint(draft=id)
    assert "oil.safetensors is not on this machine" in words_on(again)
    widget(again, "text_area", "prompt").set_value("a ball").run()
    assert "is not on this machine" not in words_on(again)
