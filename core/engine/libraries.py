"""diffusers and transformers, imported without what nobody here uses.

Both import whatever else is installed, just in case: torch's compiler (with sympy), sharding over many machines,
scipy's optimizers and statistics. Without them a worker needs 100 MB less, and a second less until its first picture.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
SIGMAS = ("scipy.integrate", "scipy.stats")
"""For the sigmas of some schedulers."""


def import_libraries() -> None:
    """Once for each process; what is imported already stays as it is. Raises ImportError as they do."""
    if "diffusers" in sys.modules:
        return
    try:
        with without_extras():
            from diffusers.utils import torch_utils

            torch_utils.is_compiled_module = _is_compiled
            _import()
    except Exception:  # noqa: BLE001
        # Versions differ in what they can do without.
        _import()


def _import() -> None:
    """What loading a pipeline of Stable Diffusion will need, and every scheduler that can be chosen."""
    from diffusers import (  # noqa: F401
        AutoencoderKL,
        AutoencoderTiny,
        StableDiffusionInpaintPipeline,
        UNet2DConditionModel,
        UniPCMultistepScheduler,
    )
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401


@contextmanager
def without_extras() -> Iterator[None]:
    """Inside, what marks functions for torch.compile leaves them as they are, transformers finds neither scipy nor
    sharding, and diffusers a scipy that is imported when the sigmas need it.

    Pipelines are loaded inside too: torch marks some functions at their first call, and models import more modules.
    """
    import transformers.utils

    marks = dict.fromkeys(("allow_in_graph", "assume_constant_result", "disable"), _as_it_is)
    lacking = dict.fromkeys(("is_scipy_available", "is_torch_distributed_available"), _no)
    with ExitStack() as stack:
        stack.enter_context(_put_off(COMPILER, marks))
        for name in SIGMAS:
            stack.enter_context(_put_off(name, {}))
        for module in (transformers.utils, transformers.utils.import_utils):
            stack.enter_context(_replaced(module, lacking))
        yield


@contextmanager
def _put_off(name: str, known: Mapping[str, Any]) -> Iterator[None]:
    """Inside, a module is imported when something of it is used that is not known."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        yield
        return
    stand_in = _StandIn(name)
    vars(stand_in).update(known)
    # Its submodules are there, and are imported by themselves.
    stand_in.__path__ = spec.submodule_search_locations or []
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        _put_away(stand_in)


class _StandIn(ModuleType):
    """importlib's LazyLoader would import already when inspect looks for the file of every module, as torch has it."""

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        _put_away(self)
        return getattr(importlib.import_module(self.__name__), attribute)


def _put_away(stand_in: _StandIn) -> None:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]


@contextmanager
def _replaced(module: ModuleType, values: Mapping[str, Any]) -> Iterator[None]:
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)


def _is_compiled(module: object) -> bool:
    """diffusers' is_compiled_module, which would import the compiler to find out."""
    compiler = sys.modules.get(f"{COMPILER}.eval_frame")
    return compiler is not None and isinstance(module, compiler.OptimizedModule)


def _no() -> bool:
    return False


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    """A decorator, with arguments and without, that changes nothing."""
    return _as_it_is if function is None else function
