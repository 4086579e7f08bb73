"""In which kernels a denoiser runs, where there is a choice.

They change last bits, so they are recorded, and taken from the record when a picture is made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from core.domain.errors import ModelUnavailable

ATTENTION = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "math": "MATH"}
"""Our names of torch's kernels for scaled_dot_product_attention, and its own."""

MANY_SIZES = 4096
"""Compiled versions of one block, one for each size of picture and batch. After torch's own limit, 8, it would go on
uncompiled without a word."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """attention: keys of ATTENTION, the preferred first; none: torch chooses among all. channels_last: the layout of
    the weights of convolutions. compiled: by torch.compile.

    The default is what was done before there was a choice.
    """

    attention: tuple[str, ...] = ()
    channels_last: bool = False
    compiled: bool = False

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Kernels:
        """Those of an earlier run, by what was recorded of it. What is malformed counts as not there."""
        named = record.get("attention_kernels")
        is_known = isinstance(named, list) and all(isinstance(name, str) and name in ATTENTION for name in named)
        return cls(
            tuple(named) if is_known and named else (),
            record.get("channels_last") is True,
            record.get("compiled") is True,
        )

    @property
    def record(self) -> Mapping[str, Any]:
        """Without what is as it was before there was a choice."""
        found = {
            "attention_kernels": list(self.attention),
            "channels_last": self.channels_last,
            "compiled": self.compiled,
        }
        return {name: value for name, value in found.items() if value}


NOT_CHOSEN = Kernels()


class Running:
    """A denoiser and the kernels it runs in. usual: those of new pictures. can_compile: whether others can be compiled
    as well."""

    def __init__(self, denoiser: Any, usual: Kernels = NOT_CHOSEN, *, can_compile: bool = False) -> None:
        self._denoiser = denoiser
        self._usual = usual
        self._can_compile = (usual.compiled or can_compile) and _has_repeated_blocks(denoiser)
        self._now = NOT_CHOSEN

    @contextmanager
    def at(self, record: Mapping[str, Any]) -> Iterator[Kernels]:
        """Meanwhile in the kernels of the run that this was recorded of, as far as it can be; of a new one (it is
        empty) in the usual ones. Raises ModelUnavailable if the model cannot be compiled."""
        wanted = Kernels.recorded(record) if record else self._usual
        wanted = replace(wanted, compiled=wanted.compiled and self._can_compile)
        self._change_to(wanted)
        with ExitStack() as settings:
            if wanted.attention:
                settings.enter_context(_attention(wanted))
            if wanted.compiled:
                settings.enter_context(_compiling())
            yield wanted

    def _change_to(self, wanted: Kernels) -> None:
        import torch

        if wanted.channels_last or self._now.channels_last:
            # Also if it was so before: a LoRA may have brought other weights since.
            layout = torch.channels_last if wanted.channels_last else torch.contiguous_format
            self._denoiser.to(memory_format=layout)
        if (wanted.compiled, wanted.attention) != (self._now.compiled, self._now.attention):
            for module in self._denoiser.modules():
                module._compiled_call_impl = None
            if wanted.compiled:
                # Each size by itself and without timing anything: what is compiled then depends on nothing but the
                # size, and not on what was painted before.
                self._denoiser.compile_repeated_blocks(dynamic=False, options={"deterministic": True})
        self._now = wanted


def _has_repeated_blocks(denoiser: Any) -> bool:
    """Whether it has those that its class names for being compiled one by one."""
    names = getattr(denoiser, "_repeated_blocks", None) or ()
    return any(type(module).__name__ in names for module in denoiser.modules())


@contextmanager
def _attention(wanted: Kernels) -> Iterator[None]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    names = [getattr(SDPBackend, ATTENTION[name]) for name in wanted.attention]
    with sdpa_kernel(names, set_priority=True):
        yield


@contextmanager
def _compiling() -> Iterator[None]:
    import torch._dynamo

    limits = {"recompile_limit": MANY_SIZES, "accumulated_recompile_limit": MANY_SIZES}
    try:
        with torch._dynamo.config.patch(limits):
            yield
    except torch._dynamo.exc.TorchDynamoException as error:
        line = str(error).strip().partition("\n")[0][:200]
        raise ModelUnavailable(
            f"This model could not be compiled: {line} Set INPAINT_STUDIO_COMPILE to false, and start again."
        ) from error
