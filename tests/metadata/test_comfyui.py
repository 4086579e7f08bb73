"""Which node of a graph tells the settings, whatever stands around it."""

from __future__ import annotations

import json

import pytest

from tests.metadata.graphs import PLAIN, SAID, SETTINGS, Graph, graph, node, said_by, sampler

ADVANCED = {
    "steps": 25,
    "cfg": 7.0,
    "sampler_name": "euler",
    "scheduler": "normal",
    "positive": ["6", 0],
    "negative": ["7", 0],
}
REFINER = node("CheckpointLoaderSimple", ckpt_name="refiner.safetensors")


def base_and_refiner(off: object, on: object) -> Graph:
    return graph(
        n3=node(
            "KSamplerAdvanced",
            **ADVANCED,
            add_noise=on,
            noise_seed=42,
            start_at_step=0,
            end_at_step=20,
            model=["4", 0],
            latent_image=["5", 0],
        ),
        n12=REFINER,
        n11=node(
            "KSamplerAdvanced",
            **ADVANCED,
            add_noise=off,
            noise_seed=0,
            start_at_step=20,
            end_at_step=10000,
            model=["12", 0],
            latent_image=["3", 0],
        ),
        n8=node("VAEDecode", samples=["11", 0], vae=["4", 2]),
    )


def custom(**parts: object) -> Graph:
    """The custom sampler of Flux, with these nodes changed."""
    made = {
        "n4": node("UNETLoader", unet_name="oil.safetensors"),
        "n3": node(
            "SamplerCustomAdvanced",
            noise=["30", 0],
            guider=["31", 0],
            sampler=["32", 0],
            sigmas=["33", 0],
            latent_image=["5", 0],
        ),
        "n30": node("RandomNoise", noise_seed=42),
        "n31": node("CFGGuider", model=["4", 0], positive=["6", 0], negative=["7", 0], cfg=7.0),
        "n32": node("KSamplerSelect", sampler_name="euler"),
        "n33": node("BasicScheduler", model=["4", 0], scheduler="normal", steps=20, denoise=1.0),
    }
    return graph(**made | parts)


SAME: dict[str, Graph] = {
    "plain": graph(),
    "base and refiner": base_and_refiner("disable", "enable") | {},
    "base and refiner, by truth": base_and_refiner(False, True),
    "custom sampler": custom(),
    "custom sampler of one node": graph(
        n3=node("SamplerCustom", add_noise=True, noise_seed=42, cfg=7.0, model=["4", 0], positive=["6", 0],
                negative=["7", 0], sampler=["32", 0], sigmas=["33", 0], latent_image=["5", 0]),
        n32=node("KSamplerSelect", sampler_name="euler"),
        n33=node("BasicScheduler", model=["4", 0], scheduler="normal", steps=20, denoise=1.0),
    ),
    "split sigmas": custom(n3=node("SamplerCustomAdvanced", noise=["30", 0], guider=["31", 0], sampler=["32", 0],
                                   sigmas=["34", 0], latent_image=["5", 0]),
                           n34=node("SplitSigmas", sigmas=["33", 0], step=10)),
    "second pass of the custom sampler": custom(
        n35=node("SamplerCustomAdvanced", noise=["36", 0], guider=["31", 0], sampler=["32", 0], sigmas=["37", 0],
                 latent_image=["3", 0]),
        n36=node("DisableNoise"),
        n37=node("BasicScheduler", model=["4", 0], scheduler="normal", steps=5, denoise=0.3),
        n8=node("VAEDecode", samples=["35", 0], vae=["4", 2]),
    ),
    "two stages, the latents beside the words": graph(
        n20=node("ConditioningZeroOut", conditioning=["6", 0]),
        n21=node("StableCascade_StageB_Conditioning", conditioning=["20", 0], stage_c=["3", 0]),
        n22=sampler(seed=5, steps=10, cfg=1.1, positive=["21", 0], negative=["20", 0], latent_image=["5", 1]),
        n8=node("VAEDecode", samples=["22", 0], vae=["4", 2]),
    ),
    "latents put together": graph(
        n20=sampler(seed=5, latent_image=["5", 0]),
        n21=node("LatentComposite", samples_to=["3", 0], samples_from=["20", 0], x=0, y=0, feather=0),
        n22=sampler(seed=6, steps=5, denoise=0.5, latent_image=["21", 0]),
        n8=node("VAEDecode", samples=["22", 0], vae=["4", 2]),
    ),
    "hires of latents": graph(
        n10=node("LatentUpscaleBy", samples=["3", 0], upscale_method="nearest", scale_by=1.5),
        n11=sampler(seed=7, steps=12, denoise=0.5, latent_image=["10", 0]),
        n8=node("VAEDecode", samples=["11", 0], vae=["4", 2]),
    ),
    "hires of the picture": graph(
        n10=node("ImageUpscaleWithModel", image=["8", 0], upscale_model=["13", 0]),
        n13=node("UpscaleModelLoader", model_name="4x.pth"),
        n14=node("ImageScale", image=["10", 0], width=1536, height=1024),
        n15=node("VAEEncode", pixels=["14", 0], vae=["4", 2]),
        n11=sampler(seed=7, steps=12, denoise=0.4, latent_image=["15", 0]),
        n16=node("VAEDecode", samples=["11", 0], vae=["4", 2]),
        n9=node("SaveImage", images=["16", 0]),
    ),
    "face detailer": graph(
        n10=node("FaceDetailer", image=["8", 0], model=["4", 0], positive=["13", 0], negative=["7", 0], vae=["4", 2],
                 seed=5, steps=8, cfg=1.0, sampler_name="lcm", scheduler="normal", denoise=0.15),
        n13=node("CLIPTextEncode", text="face, skin pores", clip=["4", 1]),
        n9=node("SaveImage", images=["10", 0]),
    ),
    "face detailer by a pipe": graph(
        n12=node("ToDetailerPipe", model=["4", 0], clip=["4", 1], vae=["4", 2], positive=["13", 0], negative=["7", 0]),
        n10=node("FaceDetailerPipe", image=["8", 0], detailer_pipe=["12", 0], seed=5, steps=8, cfg=1.0,
                 sampler_name="lcm", scheduler="normal", denoise=0.15),
        n13=node("CLIPTextEncode", text="face, skin pores", clip=["4", 1]),
        n9=node("SaveImage", images=["10", 0]),
    ),
    "detailer of segments": graph(
        n12=node("ToBasicPipe", model=["4", 0], clip=["4", 1], vae=["4", 2], positive=["13", 0], negative=["7", 0]),
        n10=node("DetailerForEachPipe", image=["8", 0], segs=["11", 0], basic_pipe=["12", 0], seed=5, steps=8, cfg=1.0,
                 sampler_name="lcm", scheduler="normal", denoise=0.15),
        n11=node("BboxDetectorSEGS", image=["8", 0], bbox_detector=["14", 0]),
        n13=node("CLIPTextEncode", text="face, skin pores", clip=["4", 1]),
        n9=node("SaveImage", images=["10", 0]),
    ),
    "upscaler by tiles": graph(
        n10=node("UltimateSDUpscale", image=["8", 0], model=["4", 0], positive=["6", 0], negative=["7", 0],
                 vae=["4", 2], upscale_by=2, seed=5, steps=8, cfg=1.0, sampler_name="lcm", scheduler="normal",
                 denoise=0.2),
        n9=node("SaveImage", images=["10", 0]),
    ),
    "saver with widgets": graph(
        n9=node("Image Saver", images=["8", 0], filename="x", steps=1, cfg=1.0, modelname="other.safetensors",
                sampler_name="lcm", scheduler="normal", positive="other", negative="other", seed_value=5,
                width=64, height=64),
    ),
    "saver with links": graph(
        n9=node("Save Image w/Metadata", images=["8", 0], steps=["10", 0], cfg=1.0, sampler_name="lcm",
                scheduler="normal", positive=["11", 0], negative="other", seed=5, model=["4", 0]),
        n10=node("PrimitiveInt", value=3),
        n11=node("PrimitiveString", value="other"),
    ),
    "a node of parameters": graph(
        n9=node("SaveImage", images=["8", 0], parameters=["10", 0]),
        n10=node("Input Parameters (Image Saver)", seed=5, steps=3, cfg=1.0, sampler="lcm", scheduler="normal"),
    ),
    "a preview of something else": graph(
        n20=sampler(seed=5, steps=3, latent_image=["5", 0]),
        n21=node("VAEDecode", samples=["20", 0], vae=["4", 2]),
        n1=node("PreviewImage", images=["21", 0]),
    ),
    "a picture that only guides": graph(
        n20=sampler(seed=5, steps=3),
        n21=node("VAEDecode", samples=["20", 0], vae=["4", 2]),
        n22=node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], control_net=["23", 0],
                 image=["21", 0], strength=0.5),
        n23=node("ControlNetLoader", control_net_name="canny.safetensors"),
        n3=sampler(positive=["22", 0], negative=["22", 1]),
    ),
    "settings from a node of their own": graph(
        n3=sampler(steps=["10", 0], cfg=["10", 2], sampler_name=["10", 3], scheduler=["10", 4], seed=["11", 0]),
        n10=node("KSampler Config (rgthree)", steps_total=20, refiner_step=0, cfg=7.0, sampler_name="euler",
                 scheduler="normal"),
        n11=node("Seed (rgthree)", seed=42),
    ),
    "a context": graph(
        n10=node("Context Big (rgthree)", model=["4", 0], clip=["4", 1], vae=["4", 2], positive=["6", 0],
                 negative=["7", 0], latent=["5", 0], steps=20, cfg=7.0, sampler="euler", scheduler="normal", seed=42),
        n11=node("Context (rgthree)", base_ctx=["10", 0]),
        n3=sampler(model=["11", 1], positive=["11", 4], negative=["11", 5], latent_image=["11", 6], seed=["11", 8]),
    ),
    "a basic pipe": graph(
        n10=node("ToBasicPipe", model=["4", 0], clip=["4", 1], vae=["4", 2], positive=["6", 0], negative=["7", 0]),
        n3=node("ImpactKSamplerBasicPipe", basic_pipe=["10", 0], **SETTINGS, latent_image=["5", 0]),
    ),
    "out of a basic pipe": graph(
        n10=node("ToBasicPipe", model=["4", 0], clip=["4", 1], vae=["4", 2], positive=["6", 0], negative=["7", 0]),
        n11=node("FromBasicPipe", basic_pipe=["10", 0]),
        n3=sampler(model=["11", 0], positive=["11", 3], negative=["11", 4]),
    ),
    "easy use": graph(
        n10=node("easy fullLoader", ckpt_name="oil.safetensors", resolution="768 x 512", empty_latent_width=768,
                 empty_latent_height=512, positive="a red barn", negative="blurry", batch_size=1),
        n11=node("easy preSampling", pipe=["10", 0], **SETTINGS),
        n3=node("easy kSampler", pipe=["11", 0], image_output="Save", save_prefix="x"),
        n8=None, n9=node("SaveImage", images=["3", 1]), n4=None, n5=None, n6=None, n7=None,
    ),
    "easy use in one node": graph(
        n10=node("easy a1111Loader", ckpt_name="oil.safetensors", resolution="768 x 512", positive=["11", 0],
                 negative=["12", 0], batch_size=1),
        n11=node("easy positive", positive="a red barn"),
        n12=node("easy negative", negative="blurry"),
        n3=node("easy fullkSampler", pipe=["10", 0], **SETTINGS, image_output="Preview"),
        n9=node("SaveImage", images=["3", 1]), n8=None, n5=None, n4=None, n6=None, n7=None,
    ),
    "tiny terra": graph(
        n10=node("ttN pipeLoader_v2", ckpt_name="oil.safetensors", empty_latent_width=768, empty_latent_height=512,
                 positive="a red barn", negative="blurry", seed=5),
        n3=node("ttN pipeKSampler_v2", pipe=["10", 0], **SETTINGS, image_output="Save"),
        n9=node("SaveImage", images=["3", 6]), n8=None, n5=None, n4=None, n6=None, n7=None,
    ),
    "efficient": graph(
        n10=node("Efficient Loader", ckpt_name="oil.safetensors", positive="a red barn", negative="blurry",
                 empty_latent_width=768, empty_latent_height=512),
        n3=node("KSampler (Efficient)", **SETTINGS, model=["10", 0], positive=["10", 1], negative=["10", 2],
                latent_image=["10", 3]),
        n9=node("SaveImage", images=["3", 5]), n8=None, n5=None, n4=None, n6=None, n7=None,
    ),
    "efficient, twice": graph(
        n10=node("Efficient Loader", ckpt_name="oil.safetensors", positive="a red barn", negative="blurry",
                 empty_latent_width=768, empty_latent_height=512),
        n3=node("KSampler (Efficient)", **SETTINGS, model=["10", 0], positive=["10", 1], negative=["10", 2],
                latent_image=["10", 3]),
        n11=node("KSampler (Efficient)", **SETTINGS | {"seed": 5, "denoise": 0.4}, model=["3", 0], positive=["3", 1],
                 negative=["3", 2], latent_image=["3", 3]),
        n9=node("SaveImage", images=["11", 5]), n8=None, n5=None, n4=None, n6=None, n7=None,
    ),
    "efficient, XL": graph(
        n10=node("Eff. Loader SDXL", base_ckpt_name="oil.safetensors", refiner_ckpt_name="refiner.safetensors",
                 positive="a red barn", negative="blurry", empty_latent_width=768, empty_latent_height=512),
        n3=node("KSampler SDXL (Eff.)", sdxl_tuple=["10", 0], noise_seed=42, steps=20, cfg=7.0, sampler_name="euler",
                scheduler="normal", latent_image=["10", 1], start_at_step=0, refine_at_step=-1),
        n9=node("SaveImage", images=["3", 3]), n8=None, n5=None, n4=None, n6=None, n7=None,
    ),
    "in a subgraph": {
        id.replace("3", "57:3"): json.loads(json.dumps(one).replace('["3"', '["57:3"')) for id, one in PLAIN.items()
    },
    "ids that are numbers": json.loads(
        json.dumps(PLAIN).replace('["4"', "[4").replace('["6"', "[6").replace('["3"', "[3")
    ),
    "LoRAs before the sampler": graph(
        n10=node("LoraLoader", lora_name="brush.safetensors", strength_model=0.8, model=["4", 0], clip=["4", 1]),
        n11=node("Power Lora Loader (rgthree)", model=["10", 0], clip=["10", 1],
                 lora_1={"on": True, "lora": "ink.safetensors", "strength": 1}),
        n3=sampler(model=["11", 0]),
    ),
    "a model with its picture": graph(
        n4=node("CheckpointLoader|pysssss", ckpt_name={"content": "oil.safetensors", "image": None})
    ),
    "a model behind a switch with one muted": graph(
        n10=node("Any Switch (rgthree)", any_01=["99", 0], any_02=["4", 0]), n3=sampler(model=["10", 0])
    ),
    "a model behind a switch": graph(
        n10=node("CR Model Input Switch", Input=1, model1=["4", 0], model2=["12", 0]),
        n12=REFINER,
        n3=sampler(model=["10", 0]),
    ),
    "keys in capitals": graph(
        n3=node("KSampler", **{name.upper(): value for name, value in PLAIN["3"]["inputs"].items()}),
        n4=node("CheckpointLoaderSimple", CKPT_NAME="oil.safetensors"),
        n6=node("CLIPTextEncode", Text="a red barn", CLIP=["4", 1]),
    ),
    "a sampler that makes its own latents": graph(
        n3=node("KSampler (Efficient)", **SETTINGS, model=["4", 0], positive=["6", 0], negative=["7", 0],
                width=768, height=512),
    ),
    "not saved by any node that is known": graph(n9=node("MyOwnSink", images=["8", 0])),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SAME))
def test_whatever_stands_around_it_the_first_sampler_tells_the_settings(name):
    found = said_by(SAME[name])

    steps = 25 if name.startswith("base and refiner") else 20
    assert dict(found.params) == SAID | {"num_inference_steps": steps}
    assert found.raw["model"] == "oil.safetensors"
    assert found.size == (768, 512)


def test_the_second_pass_is_kept_beside_it():
    found = said_by(SAME["hires of latents"])

    assert json.loads(found.raw["second pass"]) == {
        "node": "ksampler",
        "seed": 7,
        "steps": 12,
        "cfg": 7.0,
        "denoise": 0.5,
        "sampler_name": "euler",
        "scheduler": "normal",
    }


def test_loras_are_named():
    assert said_by(SAME["LoRAs before the sampler"]).raw["LoRAs"] == "ink.safetensors, brush.safetensors"


MENDED = {
    "seed": 5,
    "steps": 8,
    "cfg": 2.0,
    "sampler_name": "euler",
    "scheduler": "normal",
    "denoise": 0.25,
    "model": ["4", 0],
    "positive": ["6", 0],
    "negative": ["7", 0],
}


@pytest.mark.parametrize(
    ("changes", "strength"),
    [
        ({"n5": node("VAEEncode", pixels=["10", 0], vae=["4", 2]), "n3": sampler(denoise=0.6)}, 0.6),
        ({"n5": node("VAEEncodeForInpaint", pixels=["10", 0], mask=["10", 1], vae=["4", 2], grow_mask_by=6)}, 1.0),
        (
            {
                "n5": node("SetLatentNoiseMask", samples=["11", 0], mask=["10", 1]),
                "n11": node("VAEEncode", pixels=["10", 0], vae=["4", 2]),
                "n3": sampler(denoise=0.8),
            },
            0.8,
        ),
        (
            {
                "n5": node(
                    "InpaintModelConditioning",
                    positive=["6", 0],
                    negative=["7", 0],
                    pixels=["10", 0],
                    mask=["10", 1],
                    vae=["4", 2],
                ),
                "n3": sampler(positive=["5", 0], negative=["5", 1], latent_image=["5", 2], denoise=0.9),
            },
            0.9,
        ),
        (
            {
                "n3": node("FaceDetailer", image=["10", 0], **MENDED),
                "n8": None,
                "n9": node("SaveImage", images=["3", 0]),
            },
            0.25,
        ),
        (
            {
                "n3": node("UltimateSDUpscale", image=["10", 0], **MENDED),
                "n8": None,
                "n9": node("SaveImage", images=["3", 0]),
            },
            0.25,
        ),
    ],
)
def test_of_a_picture_that_is_painted_over_the_denoising_is_the_strength(changes, strength):
    found = said_by(graph(**changes, n10=node("LoadImage", image="x.png")))

    assert found.params["strength"] == strength
    assert (found.params["prompt"], found.params["negative_prompt"]) == ("a red barn", "blurry")


def test_the_guidance_of_flux_stands_at_its_prompt():
    found = said_by(
        custom(
            n31=node("BasicGuider", model=["4", 0], conditioning=["34", 0]),
            n34=node("FluxGuidance", conditioning=["6", 0], guidance=3.5),
        )
    )

    assert (found.params["guidance_scale"], found.params["prompt"]) == (3.5, "a red barn")
    assert "negative_prompt" not in found.params


EULER_A, DPMPP = node("SamplerEulerAncestral", eta=1.0, s_noise=1.0), node("KSamplerSelect", sampler_name="dpmpp_2m")


@pytest.mark.parametrize(
    ("sampler", "schedule", "key"),
    [
        (EULER_A, node("BasicScheduler", scheduler="normal", steps=9, denoise=1), "euler-ancestral"),
        (DPMPP, node("KarrasScheduler", steps=9, sigma_max=14.6, sigma_min=0.03, rho=7.0), "dpmpp-2m-karras"),
        (EULER_A, node("SDTurboScheduler", steps=9, denoise=1), None),
        (DPMPP, node("AlignYourStepsScheduler", model_type="SD1", steps=9, denoise=1), None),
        (node("SamplerDPMPP_SDE", eta=1.0), node("BasicScheduler", scheduler="normal", steps=9, denoise=1), None),
    ],
)
def test_what_is_told_by_a_class_alone_is_understood(sampler, schedule, key):
    found = said_by(custom(n32=sampler, n33=schedule))

    assert (found.params.get("scheduler"), found.params["num_inference_steps"]) == (key, 9)


def test_a_seed_that_is_reckoned_is_not_made_up():
    found = said_by(
        graph(n3=sampler(seed=["10", 0]), n10=node("MathExpression|pysssss", expression="a+1", A=["11", 0]))
    )

    assert "seed" not in found.params


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("SDXL Empty Latent Image (rgthree)", {"dimensions": "768 x 512 (landscape)"}),
        ("EmptySD3LatentImage", {"width": 768, "height": 512}),
        ("EmptyFlux2LatentImage", {"width": ["10", 0], "height": ["11", 0]}),
        ("CR SDXL Aspect Ratio", {"width": 768, "height": 512, "aspect_ratio": "custom"}),
        ("Empty Latent by Size", {"resolution": "768x512"}),
    ],
)
def test_the_size_is_that_of_the_first_latents(kind, said):
    made = graph(n5=node(kind, **said), n10=node("PrimitiveInt", value=768), n11=node("INTConstant", value=512))

    assert said_by(made).size == (768, 512)


# Beside a graph ------------------------------------------------------------------------------------------------------

LINE = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 42, Size: 768x512, Model: oil.safetensors, Version: ComfyUI"
OPAQUE = graph(
    n6=node("MyEncoder", clip=["4", 1]),
    n7=node("MyEncoder", clip=["4", 1]),
    n3=sampler(seed=["10", 0], cfg=None),
    n10=node("MySeed"),
    n4=node("MyLoader"),
)


def test_what_the_graph_does_not_say_is_taken_from_the_text_beside_it():
    found = said_by(OPAQUE, parameters=f"a red barn\nNegative prompt: blurry\n{LINE}")

    assert found.tool == "comfyui"
    assert dict(found.params) == SAID
    assert found.raw["model"] == "oil.safetensors"
    assert found.raw["parameters"].startswith("a red barn")


def test_what_the_graph_says_counts_more_than_the_text_beside_it():
    text = f"other\nNegative prompt: other\n{LINE}".replace("42", "5").replace("Steps: 20", "Steps: 3")

    assert dict(said_by(graph(), parameters=text).params) == SAID


def test_json_beside_a_graph_fills_it_too():
    said = {"prompt": "a red barn", "negative_prompt": "blurry", "seed": 42, "cfg_scale": 7, "steps": 9}

    found = said_by(OPAQUE, parameters=json.dumps(said))

    assert dict(found.params) == SAID


def test_a_denoising_beside_a_graph_with_two_passes_is_no_strength():
    text = f"a red barn\n{LINE}, Denoising strength: 0.5, Hires upscale: 2"

    assert "strength" not in said_by(SAME["hires of latents"], parameters=text).params
