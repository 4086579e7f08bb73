"""The reference pictures of the form: given, looked at by an IP-Adapter, kept in the draft, and submitted."""

from __future__ import annotations

import pytest
from PIL import Image

from core.bootstrap import Studio
from tests.ipadapters import write_image_encoder, write_ip_adapter
from tests.pages.test_control_field import png
from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on

RED, BLUE = Image.new("RGB", (30, 50), "red"), Image.new("RGB", (50, 30), "blue")


@pytest.fixture
def adapter(studio: Studio) -> None:
    write_ip_adapter(studio.settings.models / "ipadapter" / "look.safetensors")
    write_image_encoder(studio.settings.models / "clip_vision" / "vit-h.safetensors")


def give(app, nth: int, picture: Image.Image) -> None:
    widget(app, "file_uploader", f"reference.upload.{nth}").set_value(("a.png", png(picture), "image/png")).run()


def test_without_an_adapter_there_is_no_field(ready):
    assert not [field for field in ready.get("file_uploader") if "eference" in field.label]


def test_a_reference_chooses_the_only_adapter_and_all_is_submitted_and_comes_back(
    adapter, studio, ready, inpaint, dispatcher
):
    give(ready, 0, RED)
    assert widget(ready, "selectbox", "ip_adapter").value == "look"
    give(ready, 1, BLUE)
    widget(ready, "slider", "ip_adapter_scale").set_value(0.35).run()

    generate(ready)
    dispatcher.drain()
    generation = studio.gallery.get(draft(studio, ready).generations[0])
    again = inpaint(draft=draft_id(ready))

    assert (generation.params.ip_adapter, generation.params.ip_adapter_scale) == ("look", 0.35)
    assert [guide.title for guide in generation.guides] == ["Reference picture", "Reference picture 2"]
    assert [studio.gallery.image(guide.picture).tobytes() for guide in generation.guides] == [
        RED.tobytes(),
        BLUE.tobytes(),
    ]
    assert widget(again, "selectbox", "ip_adapter").value == "look"
    assert widget(again, "slider", "ip_adapter_scale").value == 0.35


def test_the_last_reference_that_is_taken_away_takes_the_adapter_along(adapter, studio, ready):
    give(ready, 0, RED)
    give(ready, 1, BLUE)

    widget(ready, "button", "reference.remove.0").click().run()
    [left] = draft(studio, ready).guides
    assert (left.position, studio.gallery.image(left.picture).tobytes()) == (0, BLUE.tobytes())
    widget(ready, "button", "reference.remove.0").click().run()

    assert draft(studio, ready).guides == ()
    assert widget(ready, "selectbox", "ip_adapter").value == ""
    assert "reference picture to look at" not in words_on(ready)


def test_an_adapter_without_a_picture_asks_for_one(adapter, ready):
    widget(ready, "selectbox", "ip_adapter").set_value("look").run()

    assert "look has no reference picture to look at. Add one" in words_on(ready)


def test_a_name_with_signs_of_markdown_is_shown_as_it_is(adapter, studio, ready):
    write_ip_adapter(studio.settings.models / "ipadapter" / "ip-adapter_sd15*.safetensors")
    ready.run()

    assert list(widget(ready, "selectbox", "ip_adapter").options) == ["None", "ip-adapter_sd15*", "look"]
