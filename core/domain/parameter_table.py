"""PARAMETERS: the title, explanation, default, limits and choices of each parameter, once for all.

The form, the command line and the database read them from here, by way of core/domain/params.py.
"""

from __future__ import annotations

from core.domain.geometry import MULTIPLE
from core.domain.lora import MAX_NAME
from core.domain.parameter import Number, Parameter, Text

MAX_PROMPT = 20_000
"""Characters."""

MAX_INSTRUCTION = 1_000
"""Characters of an instruction, before the prompt is put into it."""

MAX_MODEL = 300
"""Characters of a model's name."""

MAX_SEED = 2**32 - 1

MAX_STEPS = 150

MODEL_DEFAULT = "model-default"

SCHEDULERS: dict[str, str] = {
    MODEL_DEFAULT: "The model's own",
    "ddim": "DDIM",
    "ddim-trailing": "DDIM trailing (few steps, for Hyper-SD)",
    "unipc": "UniPC",
    "dpmpp-2m": "DPM++ 2M",
    "dpmpp-2m-karras": "DPM++ 2M Karras",
    "euler": "Euler",
    "euler-trailing": "Euler trailing (few steps, for Lightning and Turbo)",
    "euler-ancestral": "Euler ancestral",
    "heun": "Heun",
    "lms": "LMS",
    "pndm": "PNDM",
    "lcm": "LCM (few steps, for models made for it)",
    "tcd": "TCD (few steps, for models made for it)",
}
"""Stable keys and their titles; the classes behind them are named in core/engine/run/schedulers.py."""

AUTO_DTYPE, FLOAT32, BFLOAT16 = "auto", "float32", "bfloat16"
INT8_FLOAT32, INT8_BFLOAT16 = "int8+float32", "int8+bfloat16"

DTYPES: dict[str, str] = {
    AUTO_DTYPE: "Automatic",
    FLOAT32: "Full (float32)",
    BFLOAT16: "Half (bfloat16)",
    INT8_FLOAT32: "Kept in eight bits (int8), computed in float32",
    INT8_BFLOAT16: "Kept in eight bits (int8), computed in bfloat16",
}
"""What a model's weights are kept and multiplied in; the names are those of torch."""


def as_int8(dtype: str) -> bool:
    """Of a key of DTYPES, whether weights are kept as int8."""
    return dtype in (INT8_FLOAT32, INT8_BFLOAT16)


def computed_in(dtype: str) -> str:
    """Of a key of DTYPES, what is computed in, as torch calls it; "auto" is left as it is."""
    return dtype.rpartition("+")[2]


ORIGINAL = "original"

MASKED, WHOLE, TWO_PASS, SEPARATE = "masked", "whole", "two-pass", "separate"

AREAS: dict[str, str] = {
    MASKED: "Only masked",
    WHOLE: "Whole picture",
    TWO_PASS: "Whole picture, then detail pass",
    SEPARATE: "Each part separately",
}
"""Stable keys and their titles; what they mean is in core/domain/request.py."""

FILLS: dict[str, str] = {
    ORIGINAL: "Original",
    "blur": "Blurred original",
    "border": "Border colours",
    "noise": "Grey noise",
    "telea": "Telea inpainting",
    "navier-stokes": "Navier-Stokes inpainting",
}
"""Stable keys and their titles; made by core/engine/run/filling.py."""

PARAMETERS: dict[str, Parameter] = {
    "prompt": Text(
        "Prompt",
        "What should appear where you painted. Say the thing itself, then its look: “a red balloon, soft light”. "
        "With an inpainting model an empty prompt fills the hole from its surroundings.",
        default="",
        high=MAX_PROMPT,
        unit="characters",
    ),
    "instruction": Text(
        "Instruction",
        "What an edit model is told to do; {prompt} stands for the prompt. The mode writes it, and you can change it. "
        "Empty: the prompt as it is. Other models ignore it.",
        default="",
        high=MAX_INSTRUCTION,
        unit="characters",
    ),
    "negative_prompt": Text(
        "Negative prompt",
        "What should not appear, for example “blurry, text, watermark”. Used only when the guidance scale is above 1.",
        default="",
        high=MAX_PROMPT,
        unit="characters",
    ),
    "model": Text("Model", "The model that repaints the masked area.", default="pocket-inpaint", high=MAX_MODEL),
    "scheduler": Parameter(
        "Scheduler",
        "The sampler that removes noise at each step. Some need fewer steps for the same quality. Changing it "
        "changes the picture even with the same seed.",
        default=MODEL_DEFAULT,
        choices=SCHEDULERS,
    ),
    "num_inference_steps": Number(
        "Steps",
        "The number of denoising steps. More steps usually mean a better picture and always a longer wait. "
        "With a strength below 1 only that share of them is run.",
        default=50,
        low=1,
        high=MAX_STEPS,
        step=1,
    ),
    "guidance_scale": Number(
        "Guidance scale",
        "How closely the picture follows the prompt (CFG, classifier-free guidance). Higher is more literal but can "
        "look harsh; 1 or below turns it off.",
        default=7.5,
        low=0.0,
        high=30.0,
        step=0.5,
    ),
    "strength": Number(
        "Strength",
        "How much the masked area may change (denoising strength). At 1 it starts from pure noise and the original "
        "is ignored. At 0.5 half of the steps are run, and shapes and colours remain.",
        default=1.0,
        low=0.01,
        high=1.0,
        step=0.01,
    ),
    "seed": Number(
        "Seed",
        "The number that sets the starting noise. The same seed with the same picture, mask, parameters and software "
        "gives the same result; another seed gives a different one.",
        default=0,
        low=0,
        high=MAX_SEED,
        step=1,
    ),
    "size": Number(
        "Processing resolution",
        "The longer side of the crop that the model processes. Models work best at the resolution they were trained "
        "on; smaller is faster and needs less memory. Your picture always keeps its full resolution.",
        default=512,
        low=64,
        high=2048,
        step=MULTIPLE,
        unit="px",
    ),
    "mask_grow_px": Number(
        "Grow mask",
        "Expands the mask by this many pixels before painting, so that no rim of the old object is left.",
        default=4,
        low=0,
        high=256,
        step=1,
        unit="px",
    ),
    "mask_feather_px": Number(
        "Feather",
        "Blends the repainted area into the picture over this many pixels, inside the expanded mask. Pixels outside "
        "it never change.",
        default=8,
        low=0,
        high=256,
        step=1,
        unit="px",
    ),
    "area": Parameter(
        "Inpaint area",
        "Only masked: the area around the mask is processed at the processing resolution, with full detail. Whole "
        "picture: the model sees the whole scene, and a small mask gets little detail. Whole picture, then detail "
        "pass: once with much of the scene, then again around the mask for detail; slower, for large pictures. Each "
        "part separately: parts of the mask that lie far apart are painted one after the other, each with full "
        "detail.",
        default=MASKED,
        choices=AREAS,
    ),
    "refine_strength": Number(
        "Detail pass strength",
        "How much the detail pass may change what the first pass painted.",
        default=0.4,
        low=0.01,
        high=1.0,
        step=0.01,
    ),
    "colour_match": Number(
        "Colour match",
        "Shifts the colours of the repainted area towards those around it, to hide the seam. 0 leaves them as "
        "painted. Pixels outside the mask never change.",
        default=0.0,
        low=0.0,
        high=1.0,
        step=0.05,
    ),
    "keep_threshold": Number(
        "Preserve unchanged areas",
        "Keeps the original pixels, with their grain, wherever the new picture barely differs. 0.1 suits most "
        "objects; higher keeps more; 0 is off. Leave it at 0 when removing something.",
        default=0.0,
        low=0.0,
        high=0.5,
        step=0.01,
    ),
    "fill": Parameter(
        "Masked content",
        "What fills the masked area before denoising (infill). It has an effect only at a strength below 1: the "
        "lower the strength, the more of it remains.",
        default=ORIGINAL,
        choices=FILLS,
    ),
    "soft_mask": Parameter(
        "Soft mask",
        "Grey areas of the mask change in proportion to how light they are (differential diffusion); such a mask is "
        "not expanded. When off, grey blends new and old pixels. Has no effect on a pure black and white mask.",
        default=False,
    ),
    "variation_strength": Number(
        "Variation strength",
        "Blends in noise from the variation seed. 0.1 gives a close variation, 1 a different picture; 0 is off.",
        default=0.0,
        low=0.0,
        high=1.0,
        step=0.05,
    ),
    "variation_seed": Number(
        "Variation seed",
        "The seed of the noise that is blended in. Used only when the variation strength is above 0.",
        default=0,
        low=0,
        high=MAX_SEED,
        step=1,
    ),
    "prompt_weights": Parameter(
        "Prompt weights",
        "Emphasise or weaken words: “(soft light)1.3”, “balloon++” (1.1 each), “grass-” (0.9 each). When off, these "
        "signs are read as text.",
        default=False,
    ),
    "long_prompt": Parameter(
        "Use the whole prompt",
        "Stable Diffusion reads the first 75 tokens (about 55 words) of a prompt and ignores the rest. With this on, "
        "a longer prompt is read in chunks of 75, split between phrases, as A1111 and InvokeAI do.",
        default=False,
    ),
    "loras": Parameter(
        "LoRA",
        "Small files that change the model: a style, a person, a thing. Each with a weight: 1 is what it was made for, "
        "less is weaker. They are added in this order. In the prompt “<lora:name:0.8>” does the same; "
        "“<lora:name:0.5:0.8>” has 0.5 for the text encoder and 0.8 for the U-Net.",
        default=(),
    ),
    "controlnet": Parameter(
        "ControlNet",
        "Models that guide the picture by another one: by its edges or lines, or by a depth map or a pose that you "
        "bring along. Each with a weight: 1 is what it was made for, less leaves more freedom.",
        default=(),
    ),
    "embeddings": Parameter(
        "Embeddings",
        "Words of the prompts that are names of embeddings (textual inversion) on this machine: files that teach the "
        "text encoder one word. Write the file's name without its ending, as in A1111, also in the negative prompt.",
        default=(),
    ),
    "clip_skip": Number(
        "Clip skip",
        "Where the text encoder stops reading the prompt: 1 at its last layer, 2 at the layer before it, as in A1111. "
        "Some models, mostly for drawings, were trained with 2. Stable Diffusion 2 and XL always were: with them 1 and "
        "2 are the same.",
        default=1,
        low=1,
        high=12,
        step=1,
    ),
    "vae": Text(
        "VAE",
        "A file in the place of the model's own VAE, which turns pictures into latents and back, and decides colours "
        "and fine detail. It must have been made for the same kind of model. Some checkpoints come without one.",
        default="",
        high=MAX_NAME,
    ),
    "dtype": Parameter(
        "Precision",
        "What the model computes in. Automatic is float32 on a processor, and half precision on a graphics card. "
        "bfloat16 takes half of the memory and, on processors made for it (AVX-512 BF16, AMX), about half of the time; "
        "the picture is another one than that of float32, by a little. Kept in eight bits, a model "
        "takes the least memory, nearly as fast; its picture is another one by a little more.",
        default=AUTO_DTYPE,
        choices=DTYPES,
    ),
    "cache_interval": Number(
        "Cache interval",
        "Keeps the deep features of the U-Net over steps (TaylorSeer), and computes them anew at each step of this "
        "interval only: 2 or 3 saves some of the time of a run of many steps, and the picture is another one "
        "by a little. 1 is off. The first steps are always computed, so it saves little of a run of few steps.",
        default=1,
        low=1,
        high=4,
        step=1,
    ),
    "ip_adapter": Text(
        "IP-Adapter",
        "A file that lets a Stable Diffusion model look at reference pictures, and take their style and things over. "
        "It needs an image encoder beside it. Only the middle square of a reference is seen.",
        default="",
        high=MAX_NAME,
    ),
    "ip_adapter_scale": Number(
        "Reference scale",
        "How strongly the IP-Adapter looks at the reference pictures: 0 is off, 1 as much as at the prompt. Most suits "
        "between 0.4 and 0.8.",
        default=0.6,
        low=0.0,
        high=2.0,
        step=0.05,
    ),
    "crop_padding_px": Number(
        "Context",
        "How many pixels around the mask the model sees (never less than an eighth of the mask's size). More helps "
        "the result fit the scene; less gives finer detail.",
        default=32,
        low=0,
        high=2048,
        step=8,
        unit="px",
    ),
}


def number(name: str) -> Number:
    """The parameter of this name, which is a number. Raises KeyError if it is none."""
    parameter = PARAMETERS[name]
    if not isinstance(parameter, Number):
        raise KeyError(name)
    return parameter


OF_ONE_MODEL = (
    "num_inference_steps",
    "guidance_scale",
    "strength",
    "scheduler",
    "size",
    "mask_grow_px",
    "mask_feather_px",
    "crop_padding_px",
)
"""What suits one model and not another."""
