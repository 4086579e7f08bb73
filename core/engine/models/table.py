"""The models that can be chosen by a key: what is told of each, and the values that suit it."""

from __future__ import annotations

from core.domain import instructions
from core.domain.model import ModelSpec
from core.engine import families
from core.engine.models.removers import REMOVERS

MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        key="pocket-inpaint",
        title="Pocket (bundled)",
        description=(
            "A very small inpainting model, trained for Inpaint Studio on drawn pictures, to try everything in "
            "seconds on any machine. It knows only the words listed."
        ),
        native_px=128,
        folder="assets/models/pocket-inpaint",
        licence="MIT",
        licence_url="https://opensource.org/license/mit",
        memory_gb=0.6,
        recommended={"size": 128},
    ),
    ModelSpec(
        key="content-fill",
        title="Content fill, for removing (bundled)",
        description=(
            "Not a diffusion model: it continues the surroundings of the mask, with grain and texture, at the "
            "picture's own resolution. Prompt, steps and guidance are not used; another seed fills it in another way."
        ),
        native_px=256,
        licence="MIT",
        licence_url="https://opensource.org/license/mit",
        memory_gb=0.6,
        recommended={
            "size": 1536,
            "num_inference_steps": 10,
            "guidance_scale": 1.0,
            "strength": 1.0,
            "keep_threshold": 0.0,
        },
        unused=(
            "prompt",
            "negative_prompt",
            "num_inference_steps",
            "guidance_scale",
            "strength",
            "fill",
            "scheduler",
            "prompt_weights",
            "long_prompt",
            "loras",
            "controlnet",
            "embeddings",
            "clip_skip",
            "dtype",
            "cache_interval",
            "vae",
            "ip_adapter",
            "ip_adapter_scale",
            "variation_strength",
        ),
        engine="content-fill",
    ),
    *REMOVERS,
    ModelSpec(
        key="sd15-inpainting",
        title="Stable Diffusion 1.5 inpainting",
        description="An inpainting model: it sees the picture around the mask and continues it.",
        native_px=512,
        repository="stable-diffusion-v1-5/stable-diffusion-inpainting",
        licence="CreativeML Open RAIL-M",
        licence_url="https://huggingface.co/spaces/CompVis/stable-diffusion-license",
        download_gb=5.5,
        memory_gb=7.0,
        recommended={"num_inference_steps": 50, "guidance_scale": 7.5, "strength": 1.0, "size": 512},
    ),
    ModelSpec(
        key="sd14",
        title="Stable Diffusion 1.4",
        description=(
            "The general model of the first release. At a strength below 1 it keeps shapes and colours of the "
            "original; an inpainting model blends better with the surroundings."
        ),
        native_px=512,
        repository="CompVis/stable-diffusion-v1-4",
        licence="CreativeML Open RAIL-M",
        licence_url="https://huggingface.co/spaces/CompVis/stable-diffusion-license",
        download_gb=5.5,
        memory_gb=7.0,
        recommended={"num_inference_steps": 50, "guidance_scale": 7.5, "strength": 0.8, "size": 512},
    ),
    ModelSpec(
        key="sdxl-inpainting",
        title="Stable Diffusion XL inpainting",
        description=(
            "An inpainting model at twice the resolution of Stable Diffusion 1.5. Keep the strength just below 1."
        ),
        native_px=1024,
        repository="diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        licence="CreativeML Open RAIL++-M",
        licence_url="https://huggingface.co/diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
        download_gb=13.9,
        memory_gb=15.0,
        recommended={"num_inference_steps": 50, "guidance_scale": 7.5, "strength": 0.99, "size": 1024},
    ),
    ModelSpec(
        key="sd3-medium",
        title="Stable Diffusion 3 medium",
        description="A general model that understands sentences better. Its licence must be accepted first.",
        native_px=1024,
        repository="stabilityai/stable-diffusion-3-medium-diffusers",
        licence_url="https://huggingface.co/stabilityai/stable-diffusion-3-medium-diffusers",
        recommended={"num_inference_steps": 50, "guidance_scale": 7.0, "strength": 0.8, "size": 1024},
        unused=families.named("Stable Diffusion 3").unused,
    ),
    ModelSpec(
        key="flux1-fill",
        title="FLUX.1 Fill [dev]",
        description="An inpainting model with 12 billion parameters, for a large graphics card.",
        native_px=1024,
        repository="black-forest-labs/FLUX.1-Fill-dev",
        licence="FLUX.1 [dev] Non-Commercial",
        licence_url="https://huggingface.co/black-forest-labs/FLUX.1-Fill-dev",
        download_gb=34.0,
        memory_gb=34.0,
        memory_dtype="bfloat16",
        recommended={"num_inference_steps": 50, "guidance_scale": 30.0, "strength": 1.0, "size": 1024},
        unused=families.named("FLUX.1 Fill").unused,
    ),
    ModelSpec(
        key="z-image-turbo",
        title="Z-Image Turbo",
        description="A general model with 6 billion parameters that needs only eight steps, for a graphics card.",
        native_px=1024,
        repository="Tongyi-MAI/Z-Image-Turbo",
        licence_url="https://huggingface.co/Tongyi-MAI/Z-Image-Turbo",
        recommended={"num_inference_steps": 8, "guidance_scale": 0.0, "strength": 1.0, "size": 1024},
        unused=families.named("Z-Image").unused,
    ),
    ModelSpec(
        key="qwen-image",
        title="Qwen-Image",
        description="A large general model that can also render text, for a large graphics card.",
        native_px=1024,
        repository="Qwen/Qwen-Image",
        licence_url="https://huggingface.co/Qwen/Qwen-Image",
        recommended={"num_inference_steps": 50, "guidance_scale": 4.0, "strength": 0.8, "size": 1024},
        unused=families.named("Qwen-Image").unused,
    ),
    ModelSpec(
        key="flux2-klein-4b",
        title="FLUX.2 [klein] 4B",
        description=(
            "Edits the picture as the prompt says, in four steps. 4 billion parameters, and as many again to read the "
            "prompt: the smallest of the edit models."
        ),
        native_px=1024,
        repository="black-forest-labs/FLUX.2-klein-4B",
        licence="Apache 2.0",
        licence_url="https://huggingface.co/black-forest-labs/FLUX.2-klein-4B",
        download_gb=16.0,
        memory_gb=16.0,
        memory_dtype="bfloat16",
        recommended={"num_inference_steps": 4, "guidance_scale": 1.0, **instructions.SUITED, "size": 1024},
        unused=families.named("FLUX.2 klein").unused,
        wording=families.named("FLUX.2 klein").wording,
        references=families.named("FLUX.2 klein").references,
    ),
    ModelSpec(
        key="flux1-kontext",
        title="FLUX.1 Kontext [dev]",
        description=(
            "Edits the picture as the prompt says, and leaves what it does not name. 12 billion parameters, for a "
            "large graphics card."
        ),
        native_px=1024,
        repository="black-forest-labs/FLUX.1-Kontext-dev",
        licence="FLUX.1 [dev] Non-Commercial",
        licence_url="https://huggingface.co/black-forest-labs/FLUX.1-Kontext-dev",
        download_gb=34.0,
        memory_gb=34.0,
        memory_dtype="bfloat16",
        recommended={"num_inference_steps": 28, "guidance_scale": 2.5, **instructions.SUITED, "size": 1024},
        unused=families.named("FLUX.1 Kontext").unused,
        wording=families.named("FLUX.1 Kontext").wording,
        references=families.named("FLUX.1 Kontext").references,
    ),
    ModelSpec(
        key="qwen-image-edit",
        title="Qwen-Image-Edit",
        description=(
            "Edits the picture as the prompt says, also the text in it. 20 billion parameters, and 8 to read prompt "
            "and picture: for a very large graphics card. It also needs torchvision."
        ),
        native_px=1024,
        repository="Qwen/Qwen-Image-Edit",
        licence="Apache 2.0",
        licence_url="https://huggingface.co/Qwen/Qwen-Image-Edit",
        download_gb=58.0,
        memory_gb=58.0,
        memory_dtype="bfloat16",
        recommended={"num_inference_steps": 50, "guidance_scale": 4.0, **instructions.SUITED, "size": 1024},
        unused=families.named("Qwen-Image-Edit").unused,
        wording=families.named("Qwen-Image-Edit").wording,
    ),
    ModelSpec(
        key="instruct-pix2pix",
        title="InstructPix2Pix",
        description=(
            "The first of the edit models, of the size of Stable Diffusion 1.5. It takes short instructions, and is "
            "better at changing how things look than at taking them away."
        ),
        native_px=512,
        repository="timbrooks/instruct-pix2pix",
        licence="MIT",
        licence_url="https://huggingface.co/timbrooks/instruct-pix2pix",
        download_gb=5.5,
        memory_gb=7.0,
        recommended={"num_inference_steps": 50, "guidance_scale": 7.5, **instructions.SUITED, "size": 512},
        unused=families.named("InstructPix2Pix").unused,
        wording=families.named("InstructPix2Pix").wording,
    ),
    ModelSpec(
        key="kandinsky-22-inpaint",
        title="Kandinsky 2.2 inpainting",
        description=(
            "An inpainting model. A second model, downloaded with it, turns the prompt into an image embedding "
            "first. It always starts from pure noise."
        ),
        native_px=512,
        repository="kandinsky-community/kandinsky-2-2-decoder-inpaint",
        licence="Apache 2.0",
        licence_url="https://huggingface.co/kandinsky-community/kandinsky-2-2-decoder-inpaint",
        recommended={"num_inference_steps": 50, "guidance_scale": 4.0, "strength": 1.0, "size": 512},
        unused=families.named("Kandinsky 2.2").unused,
    ),
)
