"""Graphs of ComfyUI, put together by us from the names of its nodes and of well-known packages of nodes."""

from __future__ import annotations

import copy
import json
from typing import Any

from core.domain.imported import Imported
from core.metadata.carriers import Carried
from core.metadata.read import understood

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


SETTINGS = {"seed": 42, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}

PLAIN: Graph = {
    "4": node("CheckpointLoaderSimple", ckpt_name="oil.safetensors"),
    "5": node("EmptyLatentImage", width=768, height=512, batch_size=1),
    "6": node("CLIPTextEncode", text="a red barn", clip=["4", 1]),
    "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
    "3": node("KSampler", **SETTINGS, model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0]),
    "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
    "9": node("SaveImage", images=["8", 0], filename_prefix="x"),
}
SAID = {
    "prompt": "a red barn",
    "negative_prompt": "blurry",
    "num_inference_steps": 20,
    "guidance_scale": 7.0,
    "scheduler": "euler",
    "seed": 42,
    "size": 768,
}


def graph(**changes: dict[str, Any] | None) -> Graph:
    """PLAIN with these nodes instead, by "n" and their number; None takes one out."""
    made = copy.deepcopy(PLAIN) | {name.removeprefix("n"): changed for name, changed in changes.items()}
    return {id: one for id, one in made.items() if one is not None}


def sampler(**inputs: Any) -> dict[str, Any]:
    """PLAIN's sampler with these inputs changed; None takes one out."""
    made = {**PLAIN["3"]["inputs"], **inputs}
    return node("KSampler", **{name: value for name, value in made.items() if value is not None})


def encoded(words: Any, kind: str = "CLIPTextEncode") -> dict[str, Any]:
    return node(kind, text=words, clip=["4", 1])


def said_by(made: Graph, **texts: str) -> Imported:
    return understood(Carried({"prompt": json.dumps(made), **texts}))
