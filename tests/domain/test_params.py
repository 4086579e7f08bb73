"""InpaintParams: checked once, exact in JSON, readable for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.control import Control
from core.domain.errors import InvalidParams
from core.domain.hashing import canonical_json
from core.domain.params import FIRST_PROCESSING, PARAMETERS, PROCESSING, SCHEDULERS, InpaintParams, Number

DATA = Path(__file__).parents[1] / "data"

text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=60)


def number(name: str):
    parameter = PARAMETERS[name]
    if isinstance(parameter.default, int):
        return st.integers(int(parameter.low), int(parameter.high))
    return st.floats(parameter.low, parameter.high)


@st.composite
def params(draw):
    values = {name: draw(number(name)) for name, p in PARAMETERS.items() if isinstance(p, Number) and name != "size"}
    # Strength and steps are bound together: at least one step must be left.
    values["strength"] = max(values["strength"], 1 / values["num_inference_steps"] + 1e-9)
    values["strength"] = min(1.0, values["strength"])
    values["size"] = draw(st.integers(8, 256)) * 8
    return InpaintParams(
        **values,
        prompt=draw(text),
        negative_prompt=draw(text),
        model=draw(text.filter(str.strip)),
        scheduler=draw(st.sampled_from(list(SCHEDULERS))),
    )


@given(params())
def test_params_come_back_from_json_exactly(chosen):
    text = canonical_json(chosen.to_dict())

    assert InpaintParams.from_dict(json.loads(text)) == chosen
    assert canonical_json(InpaintParams.from_dict(json.loads(text)).to_dict()) == text


@given(params())
def test_at_least_one_and_at_most_all_steps_are_run(chosen):
    assert 1 <= chosen.effective_steps <= chosen.num_inference_steps


def test_the_first_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-1.json").read_text(encoding="utf-8")))

    assert chosen == InpaintParams(
        prompt="ein roter Ballon, “soft” light",
        negative_prompt="text",
        model="sd14",
        scheduler="ddim",
        num_inference_steps=30,
        guidance_scale=6.5,
        strength=0.8,
        seed=4294967295,
        size=512,
        mask_grow_px=3,
        mask_feather_px=5,
        crop_padding_px=40,
    ).processed_by(FIRST_PROCESSING)


def test_the_second_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-2.json").read_text(encoding="utf-8")))

    assert chosen == InpaintParams(
        prompt="ein (roter)1.3 Ballon, “soft” light",
        negative_prompt="text",
        model="sd14",
        scheduler="ddim",
        num_inference_steps=30,
        guidance_scale=6.5,
        strength=0.8,
        seed=4294967295,
        size=512,
        mask_grow_px=3,
        mask_feather_px=5,
        crop_padding_px=40,
        area="two-pass",
        refine_strength=0.35,
        colour_match=0.75,
        fill="telea",
        soft_mask=True,
        variation_strength=0.2,
        variation_seed=4294967294,
        prompt_weights=True,
    ).processed_by(FIRST_PROCESSING)


def test_the_third_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-3.json").read_text(encoding="utf-8")))

    assert chosen == InpaintParams(
        prompt="ein roter Ballon, “soft” light", fill="border", keep_threshold=0.15
    ).processed_by(FIRST_PROCESSING)


def test_the_fourth_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-4.json").read_text(encoding="utf-8")))

    assert chosen == InpaintParams(
        prompt="ein roter Ballon, “soft” light", keep_threshold=0.15, long_prompt=True
    ).processed_by(FIRST_PROCESSING)


def test_a_long_prompt_of_an_older_record_stays_cut():
    old = InpaintParams.from_dict(json.loads((DATA / "params-schema-3.json").read_text(encoding="utf-8")))

    assert not old.long_prompt


def test_nothing_is_kept_in_a_record_that_knows_no_keeping():
    old = InpaintParams.from_dict(json.loads((DATA / "params-schema-2.json").read_text(encoding="utf-8")))

    assert old.keep_threshold == 0


def test_what_came_with_the_second_schema_is_off_in_a_record_of_the_first():
    old = InpaintParams.from_dict(json.loads((DATA / "params-schema-1.json").read_text(encoding="utf-8")))

    assert (old.fill, old.area, old.colour_match, old.variation_strength) == ("original", "masked", 0, 0)
    assert not old.soft_mask
    assert not old.prompt_weights


def test_several_pictures_take_the_next_seeds_and_around_a_chosen_one_the_next_variation_seeds():
    plain, varied = InpaintParams(seed=2**32 - 1), InpaintParams(seed=3, variation_strength=0.1, variation_seed=8)

    assert [plain.nth(number).seed for number in range(2)] == [2**32 - 1, 0]
    assert [(varied.nth(n).seed, varied.nth(n).variation_seed) for n in range(2)] == [(3, 8), (3, 9)]
    assert plain.reseeded(5).seed == varied.reseeded(5).variation_seed == 5


def test_two_passes_leave_a_step_for_each():
    assert (
        InpaintParams(area="two-pass", num_inference_steps=10, strength=0.5, refine_strength=0.25).effective_steps == 7
    )
    with pytest.raises(InvalidParams, match="no step"):
        InpaintParams(area="two-pass", num_inference_steps=10, refine_strength=0.05)


def test_a_missing_key_loads_as_its_default():
    read = InpaintParams.from_dict(json.loads('{"schema":1,"prompt":"x"}'))

    assert read == InpaintParams(prompt="x").processed_by(FIRST_PROCESSING)


def test_the_fifth_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-5.json").read_text(encoding="utf-8")))

    assert chosen.model_dump() == InpaintParams(prompt="ein roter Ballon", area="separate", seed=7).model_dump()
    assert chosen.processing == 2


def test_the_sixth_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-6.json").read_text(encoding="utf-8")))

    assert [(lora.name, lora.weight) for lora in chosen.all_loras] == [("style/oil", 0.8), ("ink", 1), ("ink", -0.5)]
    assert (chosen.spoken_prompt, chosen.seed, chosen.processing) == ("ein roter Ballon ", 7, 4)


def test_the_eighth_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-8.json").read_text(encoding="utf-8")))

    told = "Replace the main object with ein roter Ballon. Keep everything else the same."
    assert (chosen.prompt, chosen.full_prompt, chosen.spoken_prompt) == ("ein roter Ballon", told, told)
    assert chosen.to_dict()["instruction"] == "Replace the main object with {prompt}. Keep everything else the same."


def test_the_ninth_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-9.json").read_text(encoding="utf-8")))

    canny = Control(
        name="sd15/canny",
        hint="canny",
        controlnet_conditioning_scale=0.8,
        control_guidance_start=0.1,
        control_guidance_end=0.75,
    )
    assert chosen.controlnet == (canny, Control(name="depth", hint="none"))
    assert InpaintParams.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


def test_the_tenth_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-10.json").read_text(encoding="utf-8")))

    assert chosen.embeddings == ("oil", "sd15/bad hands")
    assert (chosen.prompt, chosen.seed, chosen.processing) == ("ein roter Ballon, oil", 7, 4)
    assert InpaintParams.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


def test_the_eleventh_schema_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-11.json").read_text(encoding="utf-8")))

    assert (chosen.clip_skip, chosen.prompt) == (2, "ein roter Ballon")


def test_the_schema_with_a_vae_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-12.json").read_text(encoding="utf-8")))

    assert (chosen.vae, chosen.prompt) == ("vae-ft-mse", "ein roter Ballon")


def test_the_schema_with_a_precision_loads_for_ever():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-13.json").read_text(encoding="utf-8")))

    assert (chosen.dtype, chosen.prompt) == ("bfloat16", "ein roter Ballon")


@pytest.mark.parametrize("names", ["oil", 7, [""], ["a\x00"], ["x" * 501], ["x"] * 101, [1]])
def test_what_can_be_no_names_of_embeddings_is_refused(names):
    with pytest.raises(InvalidParams, match="Embeddings: "):
        InpaintParams(embeddings=names)


def test_a_record_keeps_the_rules_it_was_painted_by_and_what_begins_anew_has_the_newest():
    old = InpaintParams.from_dict(json.loads('{"schema":3,"prompt":"x"}'))

    assert (old.processing, old.changed(seed=1).processing, old.nth(2).processing) == (1, 1, 1)
    assert InpaintParams.from_dict(old.to_dict()) == old
    assert old != InpaintParams(prompt="x")
    assert InpaintParams(**old.model_dump()).processing == PROCESSING
    assert InpaintParams.from_dict(InpaintParams(prompt="x").to_dict()).processing == PROCESSING


@pytest.mark.parametrize(
    "text",
    [
        '""',
        '"x"',
        "5",
        "[]",
        "{}",
        "null",
        '{"schema":99}',
        '{"schema":"3"}',
        '{"schema":1,"colour":"red"}',
        '{"schema":5,"processing":99}',
        '{"schema":5,"processing":0}',
        '{"schema":5,"processing":true}',
        '{"schema":5,"processing":1.5}',
        '{"schema":5,"processing":"2"}',
        '{"schema":5,"processing":null}',
    ],
)
def test_what_is_no_record_of_ours_is_refused_with_a_message(text):
    with pytest.raises(InvalidParams):
        InpaintParams.from_dict(json.loads(text))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"seed": -1}, "Seed"),
        ({"seed": 2**32}, "Seed"),
        ({"seed": 10**400}, "Seed"),
        ({"strength": 1.01}, "Strength"),
        ({"strength": float("nan")}, "Strength"),
        ({"guidance_scale": float("inf")}, "Guidance"),
        ({"num_inference_steps": 0}, "Steps"),
        ({"size": 100}, "Processing resolution"),
        ({"scheduler": "magic"}, "Scheduler"),
        ({"model": "  "}, "Model"),
        ({"prompt": "x" * 20_001}, "Prompt"),
        ({"prompt": "a\x00b"}, "Prompt"),
        ({"mask_grow_px": -1}, "Grow"),
    ],
)
def test_a_value_outside_its_limits_is_named_in_a_sentence(wrong, named):
    with pytest.raises(InvalidParams, match=named):
        InpaintParams(**wrong)


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(InvalidParams, match=r"(?s)Seed.*Processing resolution|Processing resolution.*Seed"):
        InpaintParams(seed=-1, size=99)


def test_a_strength_that_leaves_no_step_is_refused_before_any_work():
    with pytest.raises(InvalidParams, match="no step"):
        InpaintParams(strength=0.05, num_inference_steps=10)


def test_steps_are_truncated_as_the_pipeline_does():
    assert InpaintParams(strength=0.8, num_inference_steps=24).effective_steps == 19


@pytest.mark.parametrize("name", [name for name, p in PARAMETERS.items() if isinstance(p, Number)])
def test_every_limit_is_allowed_itself(name):
    for limit in (PARAMETERS[name].low, PARAMETERS[name].high):
        value = type(PARAMETERS[name].default)(limit)
        others = {"num_inference_steps": 100} if name == "strength" else {}
        assert getattr(InpaintParams(**{name: value, **others}), name) == value


def test_every_parameter_is_explained():
    assert set(PARAMETERS) == set(InpaintParams.model_fields)
    assert all(len(parameter.help) > 20 for parameter in PARAMETERS.values())


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_prompts_of_up_to_20000_characters_are_taken_and_longer_ones_refused_with_a_message(name):
    longest = "\U0001f388" * 20_000

    assert getattr(InpaintParams.from_dict(InpaintParams(**{name: longest}).to_dict()), name) == longest
    with pytest.raises(
        InvalidParams, match=f"^{PARAMETERS[name].title}: has 20001 characters; at most 20000 are taken"
    ):
        InpaintParams(**{name: longest + "x"})


def test_a_record_of_schema_14_names_an_ip_adapter_and_older_ones_have_none():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-14.json").read_text(encoding="utf-8")))
    before = InpaintParams.from_dict(json.loads((DATA / "params-schema-13.json").read_text(encoding="utf-8")))

    assert (chosen.ip_adapter, chosen.ip_adapter_scale) == ("ip-adapter_sd15", 0.45)
    assert before.ip_adapter == ""


def test_a_record_of_schema_15_names_a_cache_interval_and_older_ones_have_none():
    chosen = InpaintParams.from_dict(json.loads((DATA / "params-schema-15.json").read_text(encoding="utf-8")))
    before = InpaintParams.from_dict(json.loads((DATA / "params-schema-14.json").read_text(encoding="utf-8")))

    assert (chosen.cache_interval, before.cache_interval) == (3, 1)
