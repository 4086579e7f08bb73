"""The words of a graph: whichever way they went, they are those that the sampler was given."""

from __future__ import annotations

import time

import pytest

from tests.metadata.graphs import Graph, encoded, graph, node, said_by, sampler


def both(prompt: str, negative: str = "blurry") -> dict[str, str]:
    return {"prompt": prompt, "negative_prompt": negative}


def joined(kind: str, **inputs: object) -> Graph:
    """The prompt joined by this node of "oil" and "a red barn", the latter in a node of its own."""
    return graph(
        n6=encoded(["20", 0]), n20=node(kind, **inputs), n21=node("PrimitiveStringMultiline", value="a red barn")
    )


def switched(kind: str, **inputs: object) -> Graph:
    return graph(
        n6=encoded(["20", 0]),
        n20=node(kind, **inputs),
        n21=node("String Literal", string="a red barn"),
        n22=node("String Literal", string="a blue house"),
        n23=node("PrimitiveBoolean", value=False),
        n24=node("PrimitiveInt", value=2),
    )


BARN, HOUSE = ["21", 0], ["22", 0]

JOINED = {
    "core": (joined("StringConcatenate", string_a="oil", string_b=["21", 0], delimiter=", "), "oil, a red barn"),
    "core, one empty": (joined("StringConcatenate", string_a="", string_b=["21", 0], delimiter=""), "a red barn"),
    "was": (joined("Text Concatenate", delimiter=", ", clean_whitespace="true", text_a="oil ", text_b=["21", 0],
                   text_d=""), "oil, a red barn"),
    "was, by lines": (joined("Text Concatenate", delimiter="\\n", text_a="oil", text_b=["21", 0]), "oil\na red barn"),
    "kj": (joined("JoinStrings", string1="oil", string2=["21", 0], delimiter=" "), "oil a red barn"),
    "kj, many": (joined("JoinStringMulti", inputcount=3, string_1="oil", string_2=["21", 0], string_3="light",
                        delimiter=", ", return_list=False), "oil, a red barn, light"),
    "comfyroll": (joined("CR Text Concatenate", text1="oil", text2=["21", 0], separator=" - "), "oil - a red barn"),
    "comfyroll, parts": (joined("CR Combine Prompt", part1="oil", part2=["21", 0], part3="", part4="", separator=","),
                         "oil,a red barn"),
    "easy use": (joined("easy promptConcat", prompt1="oil", prompt2=["21", 0], separator=", "), "oil, a red barn"),
    "tiny terra": (joined("ttN textConcat", text1="oil", text2=["21", 0], text3="", delimiter=", "),
                   "oil, a red barn"),
    "pysssss": (joined("StringFunction|pysssss", action="append", tidy_tags="yes", text_a="oil", text_b=["21", 0]),
                "oil, a red barn"),
    "pysssss, replaced": (joined("StringFunction|pysssss", action="replace", tidy_tags="no", text_a=["21", 0],
                                 text_b="red", text_c="blue"), "a blue barn"),
    "in a row": (graph(n6=encoded(["20", 0]),
                       n20=node("StringConcatenate", string_a=["22", 0], string_b=["21", 0], delimiter=", "),
                       n22=node("StringConcatenate", string_a="oil", string_b="light", delimiter=" and "),
                       n21=node("PrimitiveString", value="a red barn")), "oil and light, a red barn"),
    "delimiter by a link": (graph(n6=encoded(["20", 0]),
                                  n20=node("StringConcatenate", string_a="oil", string_b="barn", delimiter=["22", 0]),
                                  n22=node("PrimitiveString", value=" + ")), "oil + barn"),
    "replaced": (graph(n6=encoded(["20", 0]), n20=node("StringReplace", string=["21", 0], find="blue", replace="red"),
                       n21=node("PrimitiveString", value="a blue barn")), "a red barn"),
    "was, replaced": (graph(n6=encoded(["20", 0]), n20=node("Text Find and Replace", text="a X barn", find="X",
                                                            replace="red")), "a red barn"),
    "several texts in one node": (graph(n6=encoded(["20", 1]),
                                        n20=node("Text String", text="oil", text_b="a red barn", text_c="x")),
                                  "a red barn"),
    "trimmed": (joined("StringTrim", string=["21", 0], mode="Both"), "a red barn"),
    "shown in between": (joined("PreviewAny", source=["21", 0]), "a red barn"),
    "rerouted": (joined("Reroute", **{"": ["21", 0]}), "a red barn"),
    "any kind of node": (joined("SomebodysOwnNode", my_words=["21", 0], strength=0.5), "a red barn"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(JOINED))
def test_joined_words_are_read_as_they_were_joined(name):
    made, prompt = JOINED[name]

    assert said_by(made).params.items() >= both(prompt).items()


SWITCHED = {
    "core, on": (switched("ComfySwitchNode", switch=True, on_true=BARN, on_false=HOUSE), "a red barn"),
    "core, off by a link": (switched("ComfySwitchNode", switch=["23", 0], on_true=HOUSE, on_false=BARN), "a red barn"),
    "crystools": (switched("Switch any [Crystools]", boolean=False, on_true=HOUSE, on_false=BARN), "a red barn"),
    "easy use": (switched("easy ifElse", boolean=True, on_true=BARN, on_false=HOUSE), "a red barn"),
    "easy use, by number": (switched("easy textIndexSwitch", index=1, text0=HOUSE, text1=BARN), "a red barn"),
    "impact": (switched("ImpactSwitch", select=2, sel_mode=False, input1=HOUSE, input2=BARN), "a red barn"),
    "impact, by a link": (switched("ImpactSwitch", select=["24", 0], input1=HOUSE, input2=BARN), "a red barn"),
    "impact, by truth": (
        switched("ImpactConditionalBranch", cond=["23", 0], tt_value=HOUSE, ff_value=BARN),
        "a red barn",
    ),
    "comfyroll": (switched("CR Text Input Switch", Input=2, text1=HOUSE, text2=BARN), "a red barn"),
    "was": (switched("Text Input Switch", text_a=BARN, text_b=HOUSE, boolean=True), "a red barn"),
    "rgthree, the first is muted": (switched("Any Switch (rgthree)", any_01=["99", 0], any_02=BARN), "a red barn"),
    "rgthree, the first that is there": (switched("Any Switch (rgthree)", any_02=BARN, any_03=HOUSE), "a red barn"),
    "the chosen one says nothing": (
        switched("ComfySwitchNode", switch=True, on_true=["25", 0], on_false=BARN)
        | {"25": node("TextGenerate", prompt="Write a prompt about", clip=["4", 1])},
        "a red barn",
    ),
}


@pytest.mark.parametrize("name", list(SWITCHED))
def test_of_a_switch_the_way_is_taken_that_it_lets_through(name):
    made, prompt = SWITCHED[name]

    assert said_by(made).params.items() >= both(prompt).items()


def test_a_switch_of_conditionings_is_one_too():
    made = graph(
        n3=sampler(positive=["20", 0]),
        n20=node("CR Conditioning Input Switch", Input=2, conditioning1=["21", 0], conditioning2=["6", 0]),
        n21=encoded("a blue house"),
    )

    assert said_by(made).params["prompt"] == "a red barn"


STYLER = node("SDXLPromptStyler", text_positive="a red barn", text_negative="blurry", style="base", log_prompt="No")
APPLIED = {"control_net": ["22", 0], "image": ["23", 0], "strength": 0.5}

ENCODED = {
    "XL": graph(n6=node("CLIPTextEncodeSDXL", text_g="a red barn", text_l="oil", width=8, height=8, clip=["4", 1])),
    "XL, one empty": graph(n6=node("CLIPTextEncodeSDXL", text_g="", text_l="a red barn", clip=["4", 1])),
    "flux": graph(n6=node("CLIPTextEncodeFlux", clip_l="oil", t5xxl="a red barn", guidance=3.5, clip=["4", 1])),
    "SD3": graph(n6=node("CLIPTextEncodeSD3", clip_l="", clip_g="a red barn", t5xxl="", clip=["4", 1])),
    "qwen": graph(n6=node("TextEncodeQwenImageEdit", prompt="a red barn", clip=["4", 1], vae=["4", 2])),
    "smz": graph(n6=node("smZ CLIPTextEncode", text="a red barn", parser="A1111", clip=["4", 1])),
    "rgthree": graph(n6=node("Power Prompt (rgthree)", prompt="a red barn", insert_lora="x", opt_clip=["4", 1])),
    "comfyroll": graph(n6=encoded(["20", 0]), n20=node("CR Prompt Text", prompt="a red barn")),
    "text box in capitals": graph(n6=encoded(["20", 0]), n20=node("DF_Text_Box", Text="a red barn")),
    "wildcards": graph(n6=encoded(["20", 0]), n20=node("ImpactWildcardProcessor", wildcard_text="a {red|blue} barn",
                                                       populated_text="a red barn", seed=7)),
    "wildcards, encoded": graph(n6=node("ImpactWildcardEncode", wildcard_text="a {red|blue} barn",
                                        populated_text="a red barn", model=["4", 0], clip=["4", 1]),
                                n3=sampler(positive=["6", 2])),
    "wildcards, not run": graph(n6=encoded(["20", 0]), n20=node("ImpactWildcardProcessor", wildcard_text="a red barn",
                                                                populated_text="", seed=7)),
    "wildcards, easy use": graph(n6=encoded(["20", 1]), n20=node("easy wildcards", text="a {red|blue} barn",
                                                                 populated_text="a red barn")),
    "shown": graph(n6=encoded(["20", 0]), n20=node("ShowText|pysssss", text=["21", 0], text_0="a red barn"),
                   n21=node("OllamaGenerate", prompt="Write a prompt about barns")),
    "shown, not the run before": graph(n6=encoded(["20", 0]), n20=node("ShowText|pysssss", text=["21", 0],
                                                                       text_0="of the run before"),
                                       n21=node("PrimitiveString", value="a red barn")),
    "shown by an old one": graph(n6=encoded(["20", 0]), n20=node("ShowText|pysssss", text=["21", 0],
                                                                 text2="a red barn"),
                                 n21=node("OllamaGenerate", prompt="Write a prompt about barns", model="llava")),
    "shown beside it": graph(n6=encoded(["21", 0]), n20=node("ShowText|pysssss", text=["21", 0], text_0="a red barn"),
                             n22=node("ShowText|pysssss", text=["21", 1], text_0="something else"),
                             n21=node("AILab_QwenVL_GGUF_PromptEnhancer", prompt_text=["23", 0], seed=5),
                             n23=node("PrimitiveString", value="barn")),
    "shown, of a template": graph(n6=encoded(["20", 0]), n20=node("ShowText|pysssss", text=["21", 0],
                                                                  text_0="a red barn"),
                                  n21=node("DPRandomGenerator", text="a {red|blue} barn", seed=5)),
    "shown by core": graph(n6=encoded(["20", 0]), n20=node("PreviewAny", source=["21", 0], preview_text="a red barn"),
                           n21=node("TextGenerate", prompt="Write a prompt about barns")),
    "a styler": graph(n6=encoded(["20", 0]), n7=encoded(["20", 1]), n20=STYLER),
    "a styler, crossed over": graph(n6=encoded(["20", 1]), n7=encoded(["20", 0]), n3=sampler(
        positive=["7", 0], negative=["6", 0]), n20=STYLER),
    "a control net for both": graph(
        n20=node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], **APPLIED),
        n21=node("ControlNetApplyAdvanced", positive=["20", 0], negative=["20", 1], **APPLIED),
        n3=sampler(positive=["21", 0], negative=["21", 1])),
    "a control net for one": graph(n20=node("ControlNetApply", conditioning=["6", 0], **APPLIED),
                                   n3=sampler(positive=["20", 0])),
    "a reference": graph(n20=node("ReferenceLatent", conditioning=["6", 0], latent=["5", 0]),
                         n3=sampler(positive=["20", 0])),
    "a box of the picture": graph(
        n20=node("GLIGENTextBoxApply", conditioning_to=["6", 0], clip=["4", 1], text="a cat", width=64, height=64),
        n3=sampler(positive=["20", 0])),
    "words for a control net": graph(
        n20=node("CLIPTextEncodeControlnet", conditioning=["6", 0], clip=["4", 1], text="edges"),
        n3=sampler(positive=["20", 0])),
    "two letters": graph(n6=encoded(["20", 0]), n20=node("JWStringConcat", a="a red ", b="barn")),
    "a literal of any name": graph(n6=encoded(["20", 0]), n20=node("KepStringLiteral", String="a red barn")),
    "combined": graph(n20=node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["21", 0]),
                      n21=encoded("oil"), n3=sampler(positive=["20", 0])),
    "two guidances": graph(
        n3=node("SamplerCustomAdvanced", noise=["30", 0], guider=["31", 0], sampler=["32", 0], sigmas=["33", 0],
                latent_image=["5", 0]),
        n30=node("RandomNoise", noise_seed=42),
        n31=node("DualCFGGuider", model=["4", 0], cond1=["6", 0], cond2=["34", 0], negative=["7", 0], cfg_conds=7.0,
                 cfg_cond2_negative=2.0),
        n34=encoded("oil"), n32=node("KSamplerSelect", sampler_name="euler"),
        n33=node("BasicScheduler", model=["4", 0], scheduler="normal", steps=20, denoise=1.0)),
    "a prompt for each, under other names": graph(
        n20=node("MyPrompts", positive_prompt="a red barn", negative_prompt="blurry"),
        n6=encoded(["20", 0]), n7=encoded(["20", 1])),
    "names in the link only": graph(n3=sampler(positive=["20", 3], negative=["20", 4]),
                                    n20=node("MyLoader", ckpt_name="x", positive="a red barn", negative="blurry")),
    "nothing but one encoder is left": graph(n3=sampler(positive=["20", 0]), n20=node("MyOpaque", amount=1)),
    "an empty text between": graph(n6=encoded(["20", 0]), n20=node("Any", text="", value=["21", 0]),
                                   n21=node("PrimitiveString", value="a red barn")),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ENCODED))
def test_every_way_of_encoding_a_prompt_leads_to_its_words(name):
    assert said_by(ENCODED[name]).params.items() >= both("a red barn").items()


def test_the_guidance_between_two_prompts_is_the_guidance():
    assert said_by(ENCODED["two guidances"]).params["guidance_scale"] == 7.0


def test_a_negative_prompt_of_zeros_is_an_empty_one():
    made = graph(n3=sampler(negative=["20", 0]), n20=node("ConditioningZeroOut", conditioning=["6", 0]))

    assert said_by(made).params.items() >= both("a red barn", "").items()


def test_what_a_language_model_was_told_is_no_prompt():
    made = graph(n6=encoded(["20", 0]), n20=node("OllamaGenerate", prompt="You write prompts", model="llama"))

    assert "prompt" not in said_by(made).params


def test_words_that_grow_by_joining_themselves_are_left_in_time():
    nodes = {
        f"n{number}": node(
            "StringConcatenate", string_a=[str(number + 1), 0], string_b=[str(number + 1), 0], delimiter=""
        )
        for number in range(100, 140)
    }
    started = time.process_time()

    found = said_by(graph(n6=encoded(["100", 0]), n140=node("PrimitiveString", value="ha" * 500), **nodes))

    assert time.process_time() - started < 1
    assert len(found.params.get("prompt", "")) <= 20_000


def test_words_in_a_circle_are_left():
    made = graph(
        n6=encoded(["20", 0]),
        n20=node("StringConcatenate", string_a=["21", 0], string_b="oil", delimiter=", "),
        n21=node("Any Switch (rgthree)", any_01=["20", 0], any_02=["6", 0]),
    )

    assert "oil" in said_by(made).params["prompt"]
