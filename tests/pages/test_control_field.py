"""The ControlNets of the form: chosen by name, shown the picture or another one, kept in the draft, and submitted."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from core.bootstrap import Studio
from core.domain.guide import Guide, Role
from tests.conftest import a_picture
from tests.controlnets import write_controlnet
from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on


@pytest.fixture
def nets(studio: Studio) -> None:
    for name in ("canny", "depth"):
        write_controlnet(studio.settings.models / "controlnet" / f"{name}.safetensors")


def control(app, kind: str, field: str, name: str):
    return widget(app, kind, f"controlnet.{field}.{name}")


def png(image: Image.Image) -> bytes:
    image.save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def test_without_a_file_there_is_no_field(ready):
    assert [field.label for field in ready.get("multiselect") if field.label == "ControlNet"] == []


def test_one_made_for_edges_is_shown_the_picture_and_all_is_submitted_and_comes_back(
    nets, studio, ready, inpaint, dispatcher
):
    field = widget(ready, "multiselect", "controlnet")
    assert list(field.options) == ["canny", "depth"]
    field.set_value(["canny"]).run()
    assert control(ready, "selectbox", "hint", "canny").value == "canny"
    control(ready, "slider", "weight", "canny").set_value(0.65).run()
    control(ready, "slider", "part", "canny").set_value((0.1, 0.6)).run()

    generate(ready)
    dispatcher.drain()
    generation = studio.gallery.get(draft(studio, ready).generations[0])
    again = inpaint(draft=draft_id(ready))

    assert [str(one) for one in generation.params.controlnet] == ["canny:0.65 (canny, 0.1 to 0.6)"]
    assert generation.guides == ()
    assert widget(again, "multiselect", "controlnet").value == ["canny"]
    assert control(again, "slider", "part", "canny").value == (0.1, 0.6)


def test_one_for_depth_asks_for_its_picture_which_stays_with_it_and_is_taken_away_again(
    nets, studio, ready, dispatcher
):
    id = draft_id(ready)
    widget(ready, "multiselect", "controlnet").set_value(["depth"]).run()
    assert "depth needs a control picture" in words_on(ready)
    upload = control(ready, "file_uploader", "upload", "depth")
    upload.set_value(("tall.png", png(a_picture(32, 48)), "image/png")).run()
    assert "same proportions" in words_on(ready)
    width, height = studio.gallery.image(draft(studio, ready).source).size
    given = Image.new("RGB", (width // 2, height // 2), (9, 9, 9))
    control(ready, "file_uploader", "upload", "depth").set_value(("depth.png", png(given), "image/png")).run()
    [guide] = draft(studio, ready).guides
    assert studio.gallery.image(guide.picture).tobytes() == given.tobytes()
    assert "needs a control picture" not in words_on(ready)

    widget(ready, "multiselect", "controlnet").set_value(["canny", "depth"]).run()
    assert draft(studio, ready).guides == (Guide(Role.CONTROL, 1, guide.picture),)
    generate(ready)
    dispatcher.drain()
    assert studio.gallery.get(draft(studio, ready).generations[0]).guides == (Guide(Role.CONTROL, 1, guide.picture),)

    control(ready, "button", "remove", "depth").click().run()
    assert studio.drafts.get(id).guides == ()
    assert "depth needs a control picture" in words_on(ready)


def test_the_hint_can_be_looked_at_before(nets, studio, ready):
    widget(ready, "multiselect", "controlnet").set_value(["canny"]).run()

    control(ready, "toggle", "preview", "canny").set_value(True).run()

    assert not ready.exception
    assert [image.proto.imgs[0].alt for image in ready.get("image")] == ["What canny is shown: Edges (Canny)"]


def test_a_part_of_the_steps_that_is_empty_is_refused_in_words(nets, studio, ready):
    widget(ready, "multiselect", "controlnet").set_value(["canny"]).run()

    control(ready, "slider", "part", "canny").set_value((0.5, 0.5)).run()

    assert "must start to guide before it ends" in words_on(ready)
    control(ready, "slider", "part", "canny").set_value((0.5, 0.6)).run()
    assert "must start to guide before it ends" not in words_on(ready)
