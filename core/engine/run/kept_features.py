"""Deep features of a U-Net that are kept over steps, by diffusers' TaylorSeer (cache_interval)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.domain.params import InpaintParams

FULL_STEPS = 3
"""Calls of the model at the start in which nothing is predicted: the picture is laid out in them."""

MAX_ORDER = 1
"""Of the Taylor series: the last features, and how they last changed."""

NAME = "taylorseer_cache"
"""What diffusers calls its hook on each block."""


def blocks(unet: Any) -> list[str]:
    """The middle block and the first two on the way up, but never the last one, which paints the detail."""
    return ["mid_block", *(f"up_blocks.{nth}" for nth in range(min(2, len(unet.up_blocks) - 1)))]


@contextmanager
def kept(unet: Any, params: InpaintParams) -> Iterator[None]:
    """Meanwhile these blocks compute only each cache_interval-th call, and are predicted from it in between.

    The state is of this run alone, and nothing of it stays: a U-Net that kept it would paint another picture next.
    """
    if params.cache_interval == 1:
        yield
        return
    from diffusers.hooks.hooks import CacheContext, HookRegistry
    from diffusers.hooks.taylorseer_cache import TaylorSeerCacheConfig, apply_taylorseer_cache

    names = blocks(unet)
    apply_taylorseer_cache(
        unet,
        TaylorSeerCacheConfig(
            cache_interval=params.cache_interval,
            disable_cache_before_step=FULL_STEPS,
            max_order=MAX_ORDER,
            taylor_factors_dtype=unet.dtype,
            cache_identifiers=[name.replace(".", r"\.") for name in names],
        ),
    )
    registries = [HookRegistry.check_if_exists_or_initialize(unet.get_submodule(name)) for name in names]
    try:
        for registry in registries:
            # Pipelines of U-Nets name no context of their own: all calls of a run are of one.
            hook: Any = registry.get_hook(NAME)
            hook.state_manager.set_context(CacheContext("run"))
        yield
    finally:
        for registry in registries:
            registry.remove_hook(NAME, recurse=False)


def record(unet: Any, params: InpaintParams) -> Mapping[str, Any]:
    if params.cache_interval == 1:
        return {}
    return {
        "cache": {
            "method": "TaylorSeer",
            "interval": params.cache_interval,
            "full_steps": FULL_STEPS,
            "max_order": MAX_ORDER,
            "blocks": blocks(unet),
        }
    }
