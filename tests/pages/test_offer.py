"""A picture that says how it was made: the Inpaint page offers its parameters."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import PngImagePlugin

from tests.conftest import a_picture
from tests.metadata.make_samples import commented
from tests.metadata.test_labels import BOX, GENERATED, in_file
from tests.pages.test_inpaint import draft, draft_id, upload, widget, words_on

SAMPLES = Path(__file__).parents[1] / "data" / "metadata"

TEXT = (
    "a *cat* in a hat\nNegative prompt: blurry\n"
    "Steps: 25, Sampler: Euler a, CFG scale: 6.5, Seed: {seed}, Size: 512x768, Model: {model}"
)


def a_file(seed: int = 42, model: str = "dreamy-mix") -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", TEXT.format(seed=seed, model=model))
    file = io.BytesIO()
    a_picture().save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def test_what_the_picture_says_is_told_with_the_program_that_made_it(inpaint):
    page = upload(inpaint(), a_file())

    words = words_on(page)
    assert "This picture contains its generation parameters**, written by A1111" in words
    assert "“a *cat* in a hat” · " in words
    assert "Steps 25" in words
    assert "Seed 42" in words
    assert "model dreamy-mix isn't installed here" in words


def test_its_parameters_fill_the_form_with_one_click_and_are_kept(inpaint, studio):
    page = upload(inpaint(), a_file())

    page.button(key=f"{draft_id(page)}.use-said").click().run()

    assert not page.exception
    assert widget(page, "text_area", "prompt").value == "a *cat* in a hat"
    assert widget(page, "number_input", "seed").value == 42
    assert widget(page, "toggle", "random").value is False
    kept = draft(studio, page)
    assert (kept.params["num_inference_steps"], kept.params["scheduler"]) == (25, "euler-ancestral")
    assert kept.params["model"] == "pocket-inpaint"
    assert not kept.said
    assert "says how it was made" not in words_on(page)


def test_a_model_of_this_installation_is_taken_too(inpaint, studio):
    page = upload(inpaint(), a_file(model="sd15-inpainting"))

    page.button(key=f"{draft_id(page)}.use-said").click().run()

    assert draft(studio, page).params["model"] == "sd15-inpainting"


def test_the_offer_can_be_left_and_changes_nothing(inpaint, studio):
    page = upload(inpaint(), a_file())
    before = draft(studio, page).params

    page.button(key=f"{draft_id(page)}.leave-said").click().run()

    assert draft(studio, page).params == before
    assert "says how it was made" not in words_on(page)


def test_a_seed_that_is_too_large_is_told(inpaint):
    page = upload(inpaint(), a_file(seed=2**60))

    assert f"seed {2**60} is too large" in words_on(page)


def test_a_picture_that_says_nothing_is_opened_without_a_word(inpaint):
    file = io.BytesIO()
    a_picture().save(file, "PNG")

    assert "says how it was made" not in words_on(upload(inpaint(), file.getvalue()))


@pytest.mark.slow_but_first
@pytest.mark.parametrize("name", ["comfyui.png", "invokeai.png", "novelai.png", "studio-1.avif", "studio-1.png"])
def test_pictures_of_every_tool_are_offered_and_taken(inpaint, name):
    page = upload(inpaint(), (SAMPLES / name).read_bytes(), name)

    page.button(key=f"{draft_id(page)}.use-said").click().run()

    assert not page.exception
    assert not page.error


def test_a_prompt_that_is_too_long_is_told_and_the_rest_is_offered(inpaint):
    page = upload(inpaint(), commented(TEXT.format(seed=42, model="x").replace("blurry", "b" * 20_001), "WEBP"))

    assert "its negative prompt is longer than the 20,000 characters that are allowed" in words_on(page)
    assert not page.button(key=f"{draft_id(page)}.use-said").disabled


def test_a_label_of_the_tool_is_told_and_nothing_is_offered(inpaint):
    page = upload(inpaint(), in_file(BOX + b"OpenAI" + GENERATED, "PNG"))

    assert "This picture was made with OpenAI; its parameters are not recorded" in words_on(page)
    assert not [button for button in page.button if str(button.key).endswith("use-said")]
