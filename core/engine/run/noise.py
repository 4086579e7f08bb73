"""Noise of the same numbers in every precision: the same seed then gives the same composition in each.

torch draws other random numbers in bfloat16 than in float32, and only 256 different ones between two powers of two.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def drawn_in_float32(*objects: Any) -> Iterator[None]:
    """What these draw by their modules' randn_tensor, and what the distributions of autoencoders draw, is drawn in
    float32 and rounded to the dtype that was asked for."""
    from diffusers.models.autoencoders import vae

    modules = {module for one in objects if hasattr(module := sys.modules[type(one).__module__], "randn_tensor")}
    before = {module: module.__dict__["randn_tensor"] for module in {vae, *modules}}
    try:
        for module, draw in before.items():
            module.__dict__["randn_tensor"] = _in_float32(draw)
        yield
    finally:
        for module, draw in before.items():
            module.__dict__["randn_tensor"] = draw


def _in_float32(draw: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    @functools.wraps(draw)
    def drawn(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        noise = draw(*args, dtype=torch.float32, **kwargs)
        return noise if dtype is None else noise.to(dtype)

    return drawn
