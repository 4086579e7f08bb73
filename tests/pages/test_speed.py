"""The field of speeds: it sets parameters, and tells which speed they come to; and Finish."""

from __future__ import annotations

import re

import pytest

from core.domain import speed as speeds
from core.domain.download import DownloadStatus
from core.domain.files.picture import Picture
from core.domain.model import ModelSpec
from core.domain.model_file import Base
from core.domain.params import InpaintParams
from pages.ui.inpaint import speed_field
from tests.conftest import a_picture
from tests.pages.test_inpaint import draft, widget, words_on
from tests.pages.test_inpaint_session import opened, press
from tests.pages.test_repaint_form import made


def speed_of(page):
    return widget(page, "segmented_control", "speed")


def test_draft_sets_few_steps_and_smaller_crops_and_the_record_says_what_it_came_to(studio, ready, dispatcher):
    before = speed_of(ready).value

    speed_of(ready).set_value("draft").run()

    params = made(studio, ready, dispatcher).params
    assert before == "best"
    assert (params.num_inference_steps, params.scheduler) == (4, "dpmpp-2m")
    assert params.size <= 64


def test_a_change_of_ones_own_is_none_of_the_three(ready):
    widget(ready, "slider", "num_inference_steps").set_value(11).run()

    assert not speed_of(ready).value


def test_finish_paints_a_draft_again_as_best_with_the_same_seed(studio, ready, dispatcher):
    speed_of(ready).set_value("draft").run()
    drafted = made(studio, ready, dispatcher)
    ready.run()

    ready.button(key=f"finish-{drafted.id}").click().run()
    dispatcher.drain()

    [id] = draft(studio, ready).generations
    finished = studio.gallery.get(id)
    assert finished.params.seed == drafted.params.seed
    assert finished.parent_id == drafted.id
    assert (
        finished.params.num_inference_steps
        == studio.recommendations.for_model(drafted.params.model)["num_inference_steps"]
    )


def test_a_size_that_is_filled_in_is_a_number_and_no_longer_decided_by_the_mask(studio, ready, dispatcher):
    studio.presets.save("Large", InpaintParams(size=64))
    speed_of(ready).set_value("draft").run()
    opened(ready, "presets")

    press(ready, "preset-use-0")

    assert not widget(ready, "toggle", "auto_size").value
    assert made(studio, ready, dispatcher).params.size == 64


def test_the_recommended_size_is_a_number_again(ready):
    speed_of(ready).set_value("draft").run()

    next(button for button in ready.button if button.label == "Reset to recommended").click().run()

    assert not widget(ready, "toggle", "auto_size").value
    assert speed_of(ready).value == "best"


def test_files_for_faster_drafts_are_offered_with_their_licence_and_fetched_by_one_click(studio, ready, monkeypatch):
    spec = ModelSpec(
        "taesd", "TAESD", "Small.", 512, repository="somebody/taesd", licence="MIT", place="vae/taesd.safetensors"
    )
    monkeypatch.setattr(studio.models, "added", [spec])
    monkeypatch.setattr(studio.models, "bases", lambda model: [Base.SD1], raising=False)
    ready.session_state[speed_field.FILES] = True
    ready.run()

    ready.button(key="draft-file-taesd").click().run()

    assert "MIT" in " ".join(one.value for one in ready.markdown)
    assert studio.downloads.get("taesd").status is DownloadStatus.QUEUED


@pytest.fixture
def large(studio, hand, inpaint):
    """The page with a picture of 960 x 640 pixels, twice as large as its canvas, and a small mask."""
    id = studio.drafts.start()
    picture = Picture(a_picture().resize((960, 640)))
    studio.drafts.save(id, studio.drafts.open_picture(studio.drafts.get(id), picture, "photo.png"))
    hand.paint(100, 50, 120, 70)
    return inpaint(draft=id)


def told_size(page) -> int:
    return int(re.search(r"For this mask: (\d+) px", words_on(page))[1])


def test_the_size_that_the_mask_needs_is_told_before_pressing_and_is_what_is_painted(studio, hand, large, dispatcher):
    widget(large, "slider", "size").set_value(512).run()
    assert "For this mask" not in words_on(large), "the size is a number"
    widget(large, "toggle", "auto_size").set_value(True).run()
    small = told_size(large)
    assert f"at {small} px" in words_on(large), "also below Generate"

    hand.paint(100, 50, 300, 150)
    large.run()
    larger = told_size(large)

    assert 256 <= small < larger <= 512
    assert made(studio, large, dispatcher).params.size == larger


def test_the_time_told_is_that_of_the_size_that_the_mask_needs(studio, large, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "core.services.statistics.Statistics.estimate_s", lambda _, params, device: asked.append(params)
    )
    widget(large, "slider", "size").set_value(512).run()
    widget(large, "toggle", "auto_size").set_value(True).run()

    assert asked[-1].size == told_size(large) < 512


def test_a_grid_of_speeds_is_one_row_of_all_three(studio, large, dispatcher):
    id = widget(large, "slider", "size").key.removesuffix(".size")
    large.selectbox(key=f"{id}.sheet.columns").set_value("speed").run()
    assert large.button(key=f"{id}.sheet").label == "Make 3 pictures"

    large.button(key=f"{id}.sheet").click().run()
    dispatcher.drain()

    [line] = studio.sheets.get(draft(studio, large).sheet).cells
    assert [cell.params.scheduler for cell in line] == ["dpmpp-2m", "dpmpp-2m", "model-default"]


def test_how_near_each_speed_comes_to_best_is_told_in_numbers_and_words_or_that_nobody_measured_it(ready, monkeypatch):
    measured = {"draft": 31.3, "balanced": 40.4, speeds.ANOTHER_SEED: 19.4}
    monkeypatch.setattr(speeds, "LIKENESS", {("pocket-inpaint", "add"): measured})

    widget(ready, "segmented_control", "mode").set_value("add").run()
    assert (
        "Compared with Best: Draft 31 dB, fine details differ · Balanced 40 dB, hardly any difference "
        "(another seed: 19 dB, another picture)"
    ) in words_on(ready)

    widget(ready, "segmented_control", "mode").set_value("replace").run()
    assert "was not measured" in words_on(ready)
