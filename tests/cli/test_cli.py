"""The command line, with a stand-in for the model: forms that other tools rely on."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from core.domain.errors import OutOfMemory
from core.domain.hashing import pixels_sha256
from core.domain.model import ModelSpec
from core.domain.modes import CONTENT_FILL
from core.metadata.read import read
from core.services.generations import Generations
from tests.conftest import a_mask, a_picture

FIELDS = {
    "id",
    "status",
    "seed",
    "model",
    "device",
    "runtime_s",
    "source_sha256",
    "mask_sha256",
    "pixels_sha256",
    "output",
}


@pytest.fixture
def files(tmp_path):
    a_picture().save(tmp_path / "photo.png")
    a_mask().to_image().save(tmp_path / "mask.png")
    return tmp_path / "photo.png", tmp_path / "mask.png"


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_inpaint_prints_one_json_object_a_picture_and_nothing_else(run, files):
    found = lines(run("inpaint", *files, "--prompt", "a cat", "--seed", 5, "--count", 2, "--json"))

    assert [f["seed"] for f in found] == [5, 6]
    assert all(set(f) >= FIELDS for f in found)
    assert all(f["status"] == "succeeded" for f in found)
    with Image.open(found[0]["output"]) as output:
        assert output.size == (96, 64)


def test_the_result_is_written_where_it_is_wanted(run, files, tmp_path):
    [to_file] = lines(run("inpaint", *files, "--output", tmp_path / "new" / "result.png", "--json"))
    [to_folder] = lines(run("inpaint", *files, "--output", tmp_path / "folder", "--seed", 3, "--json"))

    assert to_file["output"] == str(tmp_path / "new" / "result.png")
    assert (tmp_path / "folder" / f"{to_folder['id']}-3.png").exists()


def test_picture_and_mask_are_decoded_once_on_the_way_in(run, tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(Generations, "submit", lambda *args, **kwargs: [])
    a_picture(208, 112).save(tmp_path / "photo.jpg")
    a_mask(208, 112).to_image().save(tmp_path / "mask.webp")

    run("inpaint", tmp_path / "photo.jpg", tmp_path / "mask.webp")

    assert decoded == [(208, 112)] * 2


def test_without_a_seed_one_is_chosen_and_recorded(run, files):
    seeds = {lines(run("inpaint", *files, "--json"))[0]["seed"] for _ in range(3)}

    assert len(seeds) == 3


def test_the_model_gets_what_it_recommends_unless_told_otherwise(run, files, inpainter):
    run("inpaint", *files, "--guidance-scale", 2, "--json")

    params = inpainter.requests[0].params
    assert (params.num_inference_steps, params.size, params.guidance_scale) == (4, 64, 2.0)


def test_rerun_makes_the_same_picture_under_a_new_id(run, files):
    [first] = lines(run("inpaint", *files, "--json"))

    [again] = lines(run("rerun", first["id"], "--json"))

    assert again["pixels_sha256"] == first["pixels_sha256"]
    assert again["parent_id"] == first["id"] != again["id"]


def test_a_draft_is_finished_and_a_picture_drafted_by_rerun_with_a_speed(run, files):
    [draft] = lines(run("inpaint", *files, "--speed", "draft", "--seed", 7, "--json"))

    [best] = lines(run("rerun", draft["id"], "--speed", "best", "--json"))
    [again] = lines(run("rerun", best["id"], "--speed", "draft", "--json"))

    assert best["seed"] == draft["seed"] == 7
    assert best["parent_id"] == draft["id"]
    of_draft, of_best, of_again = (
        lines(run("gallery", "show", one["id"], "--json"))[0]["params"] for one in (draft, best, again)
    )
    assert (of_draft["scheduler"], of_best["scheduler"]) == ("dpmpp-2m", "model-default")
    assert of_again == of_draft
    assert "There is no speed 'warp'" in run("rerun", draft["id"], "--speed", "warp", "--json", code=2).stderr


def test_the_gallery_lists_shows_deletes_and_restores(run, files):
    [made] = lines(run("inpaint", *files, "--prompt", "[red]cat[/red]", "--json"))
    id = made["id"]

    assert [g["id"] for g in lines(run("gallery", "list", "--json"))] == [id]
    [shown] = lines(run("gallery", "show", id, "--json"))
    assert shown["params"]["prompt"] == "[red]cat[/red]"
    assert shown["environment"]["python"]
    assert "[red]cat[/red]" in run("gallery", "list").stdout
    assert lines(run("gallery", "delete", id, "--json")) == [{"id": id, "in_trash": True}]
    assert lines(run("gallery", "list", "--json")) == []
    run("gallery", "delete", id, "--restore")
    assert [g["id"] for g in lines(run("gallery", "list", "--status", "succeeded", "--json"))] == [id]


@pytest.mark.slow
def test_a_long_gallery_is_read_page_by_page(run, files):
    run("inpaint", *files, "--count", 5)

    first = run("gallery", "list", "--limit", 3, "--json")
    cursor = run("gallery", "list", "--limit", 3).stderr.split("--after ")[1].strip()
    second = run("gallery", "list", "--limit", 3, "--after", cursor, "--json")

    assert len({g["id"] for g in lines(first) + lines(second)}) == 5


@pytest.mark.slow_but_first
@pytest.mark.parametrize(
    "arguments",
    [
        ("inpaint", "nowhere.png", "{mask}"),
        ("inpaint", "{photo}", "nowhere.png"),
        ("inpaint", "{photo}", "{text}"),
        ("inpaint", "{photo}", "{other}"),
        ("inpaint", "{photo}", "{black}"),
        ("inpaint", "{photo}", "{mask}", "--seed", "-1"),
        ("inpaint", "{photo}", "{mask}", "--steps", "0"),
        ("inpaint", "{photo}", "{mask}", "--strength", "2"),
        ("inpaint", "{photo}", "{mask}", "--scheduler", "magic"),
        ("inpaint", "{photo}", "{mask}", "--model", "no such model"),
        ("inpaint", "{photo}", "{mask}", "--count", "2", "--output", "one.png"),
        ("inpaint", "{photo}", "{mask}", "--count", "0"),
        ("inpaint", "{photo}", "{mask}", "--output", "{text}/x.png"),
        ("inpaint", "{photo}", "{mask}", "--count", "2", "--output", "{text}/folder"),
        ("inpaint", "/dev/zero", "{mask}"),
        ("inpaint", "{photo}", "{mask}", "--steps", "many"),
        ("rerun", "nothing"),
        ("gallery", "show", "nothing"),
        ("gallery", "delete", "nothing"),
        ("gallery", "list", "--after", "nonsense"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence_and_leaves_nothing_behind(run, files, tmp_path, studio, arguments):
    (tmp_path / "text.png").write_text("not a picture")
    a_picture(50, 50).save(tmp_path / "other.png")
    Image.new("L", (96, 64)).save(tmp_path / "black.png")
    names = {"photo": files[0], "mask": files[1]} | {n: tmp_path / f"{n}.png" for n in ("text", "other", "black")}

    result = run(*(a.format(**names) for a in arguments), "--json", code=2)

    assert result.stdout == ""
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr
    assert studio.gallery.count() == 0


@pytest.mark.parametrize("command", [("rerun",), ("sheet", "--columns", "seed=1,2")])
def test_where_nothing_can_be_written_nothing_is_painted(run, files, tmp_path, studio, command):
    name, *options = command
    id = lines(run("inpaint", *files, "--json"))[0]["id"]

    result = run(name, id, *options, "--output", files[0] / "x.png", code=2)

    assert "cannot be" in result.stderr
    assert studio.gallery.count() == 1


def test_a_failed_generation_ends_with_1_and_is_on_record(run, files, inpainter):
    inpainter.fail_with(OutOfMemory())

    result = run("inpaint", *files, "--json", code=1)

    [found] = lines(result)
    assert found["status"] == "failed"
    assert found["error"] == str(OutOfMemory())


def test_the_doctor_tells_what_there_is_and_keeps_the_token_to_itself(run, studio, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    result = run("doctor", "--json")

    [found] = lines(result)
    assert found["device"] == "cpu"
    assert found["models"]["pocket-inpaint"] == "ready"
    assert "hf_secret" not in result.output


# The repaint ---------------------------------------------------------------------------------------------------


def test_a_mode_sets_what_suits_it_and_other_options_go_before_it(run, files, inpainter):
    run("inpaint", *files, "--mode", "remove", "--strength", 0.5, "--json")

    params = inpainter.requests[0].params
    assert (params.fill, params.colour_match, params.strength) == ("telea", 1.0, 0.5)


def test_words_that_the_model_does_not_read_are_named_before_it_paints(run, files):
    prompt = " ".join(f"word{number}" for number in range(80))

    told = run("inpaint", *files, "--prompt", prompt).stderr
    whole = run("inpaint", *files, "--prompt", prompt, "--long-prompt").stderr

    assert "the model reads 75 of 80 tokens. Ignored: 'word75 word76 word77 word78 word79'" in " ".join(told.split())
    assert "tokens" not in whole


def test_around_a_chosen_picture_several_vary_while_its_seed_stays(run, files, studio):
    made = lines(
        run("inpaint", *files, "--seed", 5, "--variation-strength", 0.1, "--variation-seed", 7, "--count", 2, "--json")
    )

    seeds = [studio.gallery.get(one["id"]).params for one in made]
    assert [(params.seed, params.variation_seed) for params in seeds] == [(5, 7), (5, 8)]


@pytest.mark.parametrize(("extend", "size"), [("left=16,bottom=8", (112, 72)), ("2:1", (128, 64))])
def test_more_canvas_is_repainted_and_the_rest_stays(run, files, extend, size):
    [made] = lines(run("inpaint", files[0], "--extend", extend, "--overlap", 4, "--mode", "edges", "--json"))

    with Image.open(made["output"]) as result:
        left, top = {(112, 72): (16, 0), (128, 64): (16, 0)}[size]
        kept = (40, 4, 70, 56)
        moved = tuple(side + (left, top)[number % 2] for number, side in enumerate(kept))
        assert result.size == size
        assert result.crop(moved).tobytes() == a_picture().crop(kept).tobytes()


def test_a_mask_beside_more_canvas_is_repainted_too(run, files, inpainter):
    run("inpaint", *files, "--extend", "right=32", "--overlap", 0, "--json")

    seen = inpainter.requests[0].mask
    assert seen.coverage > 0.3


@pytest.mark.parametrize("extend", ["", "16", "left=x", "up=3", "0:0", "nan:1", "left=-3", "1:2:3"])
def test_an_extension_that_cannot_be_read_is_refused_with_a_message(run, files, extend):
    result = run("inpaint", files[0], "--extend", extend, code=2)

    assert result.stderr.strip()


def test_without_a_mask_and_without_more_canvas_there_is_nothing_to_repaint(run, files):
    assert "mask is needed" in run("inpaint", files[0], code=2).stderr


def test_removing_takes_content_fill_unless_a_model_was_named(run, files, studio):
    studio.models.specs[CONTENT_FILL] = ModelSpec(
        CONTENT_FILL, "Content fill", "A made-up filler.", 64, unused=("prompt",)
    )
    studio.models.ready.add(CONTENT_FILL)

    [chosen] = lines(run("inpaint", *files, "--mode", "remove", "--json"))
    [named] = lines(run("inpaint", *files, "--mode", "remove", "--model", "pocket-inpaint", "--json"))

    assert (chosen["model"], named["model"]) == (CONTENT_FILL, "pocket-inpaint")


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.slow_but_first
def test_the_written_file_says_how_it_was_made_unless_it_is_stripped(run, files, studio, tmp_path, strip):
    file = tmp_path / "result.png"

    [made] = lines(run("inpaint", *files, "--output", file, "--json", *(["--strip"] if strip else [])))

    assert (read(file.read_bytes()) is None) == strip
    assert pixels_sha256(Image.open(file)) == made["pixels_sha256"]


@pytest.mark.parametrize(
    "arguments", [["--prompt", "a {cat|dog"], ["--negative-prompt", "__nope__"], ["--prompt", "(a", "--prompt-weights"]]
)
def test_a_prompt_that_cannot_be_read_is_told_before_anything_is_queued(run, files, studio, arguments):
    result = run("inpaint", *files, *arguments, code=2)

    assert "rompt" in result.stderr
    assert studio.gallery.browse().generations == ()


@pytest.mark.parametrize(("option", "title"), [("--prompt", "Prompt"), ("--negative-prompt", "Negative prompt")])
@pytest.mark.slow_but_first
def test_prompts_of_up_to_20000_characters_are_taken_and_longer_ones_refused_with_a_message(run, files, option, title):
    run("inpaint", *files, option, "x" * 20_000)

    refused = run("inpaint", *files, option, "x" * 20_001, code=2)

    assert f"{title}: has 20001 characters; at most 20000 are taken" in refused.stderr
