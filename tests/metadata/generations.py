"""A finished generation with all that its row can hold, also what must never leave this machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from core.domain.generation import Generation, Relation, Status
from core.domain.params import SCHEDULERS, InpaintParams
from core.domain.record import Record

PARAMS = InpaintParams(
    prompt="a red balloon, “soft” light: <evening> & stars",
    negative_prompt="text\nwatermark",
    model="sd15-inpainting",
    scheduler="dpmpp-2m-karras",
    num_inference_steps=30,
    guidance_scale=6.5,
    strength=0.8,
    seed=4294967295,
    size=512,
    mask_grow_px=3,
    mask_feather_px=5,
    crop_padding_px=40,
)

GENERATION = Generation(
    id="0a1b2c3d",
    status=Status.SUCCEEDED,
    params=PARAMS,
    device="cuda:0",
    source="sha256:" + "5" * 64,
    mask="sha256:" + "6" * 64,
    width=640,
    height=480,
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    parent_id="ffffffff",
    relation=Relation.VARIATION,
    session="SECRET-session",
    source_name="SECRET-holiday.png",
    dtype="float16",
    model_revision="8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
    output="sha256:" + "7" * 64,
    pixels_sha256="sha256:" + "7" * 64,
    runtime_s=1.25,
    environment={
        "torch": "2.13.0",
        "os": "Debian GNU/Linux 12",
        "app_commit": "0123456789abcdef0123",
        "hostname": "SECRET-host",
        "python_path": "/SECRET/bin/python",
        "cache": "/SECRET/cache",
        "notes": "loaded from /home/SECRET/models",
    },
    record=Record.of(
        {
            "processing_version": 1,
            "crop": [10, 20, 410, 420],
            "working_size": [512, 504],
            "effective_steps": 24,
            "model": {
                "key": "sd15-inpainting",
                "repository": "owner/name",
                "weights": {"unet/model.safetensors": "sha256:00", "/SECRET/vae.safetensors": "sha256:11"},
                "mirror": "https://SECRET.example/hub",
            },
            "inpainter": {
                "scheduler": {"class": "DPMSolverMultistepScheduler", "use_karras_sigmas": True, "beta_start": 0.00085},
                "timesteps": [999.0, 0.5],
                "hf_token": "SECRET",
                "folder": "C:\\SECRET\\models",
            },
        }
    ),
)


def a_generation(record: dict[str, Any] | None = None, **params: Any) -> Generation:
    return replace(
        GENERATION, params=PARAMS.changed(**params), record=GENERATION.record if record is None else Record.of(record)
    )


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)


@st.composite
def generations(draw, prompts=texts):
    return a_generation(
        prompt=draw(prompts),
        negative_prompt=draw(prompts),
        scheduler=draw(st.sampled_from(list(SCHEDULERS))),
        num_inference_steps=draw(st.integers(1, 150)),
        guidance_scale=draw(st.floats(0, 30)),
        strength=1.0,
        seed=draw(st.integers(0, 2**32 - 1)),
        mask_feather_px=draw(st.integers(0, 256)),
        crop_padding_px=draw(st.integers(0, 2048)),
    )
