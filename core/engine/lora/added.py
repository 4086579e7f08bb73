"""LoRAs added into the weights of a pipeline, and taken off again to the bit (docs/decisions/0031-lora.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from core.domain.errors import InvalidLora, OutOfMemory
from core.engine.lora import names
from core.engine.lora.file import Layer, read_layers
from core.engine.models.hashed_files import HashedFile
from core.engine.replaced import Replaced
from core.memory import free_memory

ADDED_IN = "float32"
"""What sums are computed in, whatever the model's weights are; each is rounded once."""


@dataclass(frozen=True, slots=True)
class Addition(HashedFile):
    """A LoRA as it is to be added. text_encoder_weight: None if it is the same."""

    weight: float
    text_encoder_weight: float | None = None

    def weight_in(self, *, text_encoder: bool) -> float:
        apart = self.text_encoder_weight
        return apart if text_encoder and apart is not None else self.weight

    @property
    def details(self) -> Mapping[str, Any]:
        return {
            "weight": self.weight,
            **({} if self.text_encoder_weight is None else {"text_encoder_weight": self.text_encoder_weight}),
            "added_in": ADDED_IN,
        }


class Added:
    """The LoRAs that are in a pipeline at this moment. model: what kind of one it is, in words."""

    def __init__(self, pipe: Any, model: str) -> None:
        self._pipe = pipe
        self._model = model
        self._replaced = Replaced()
        self._now: tuple[Any, ...] = ()

    def change_to(self, additions: Sequence[Addition]) -> None:
        """From now on these, in this order, which decides the last bits; none: the model as it was loaded.

        Raises InvalidLora; then the model is as it was loaded.
        """
        import torch

        # Of other threads a product may have other last bits.
        wanted = (
            (torch.get_num_threads(), *((a.sha256, a.weight, a.text_encoder_weight) for a in additions))
            if additions
            else ()
        )
        if wanted == self._now:
            return
        self.take_off()
        modules = names.modules(self._pipe) if additions else {}
        layers = [read_layers(addition.file, modules, self._model) for addition in additions]
        _check_memory({module for of_file in layers for module in of_file})
        self._replaced.put_in(self._changed(additions, layers))
        self._now = wanted

    def take_off(self) -> None:
        """The very weights that were loaded."""
        self._now = ()
        self._replaced.put_back()

    def _changed(
        self, additions: Sequence[Addition], layers: Sequence[Mapping[Any, Layer]]
    ) -> Iterator[tuple[Any, str, Any]]:
        """Each module that they change, the name of its parameter, and the sum."""
        from safetensors import SafetensorError, safe_open

        of_text = names.of_text_encoders(self._pipe)
        with ExitStack() as opened:
            try:
                files = [opened.enter_context(safe_open(a.file.path, framework="pt")) for a in additions]
                for module in dict.fromkeys(module for of_file in layers for module in of_file):
                    weights = [addition.weight_in(text_encoder=module in of_text) for addition in additions]
                    total = _sum(module, additions, weights, layers, files)
                    for name, values in _parameters(module, total, additions).items():
                        yield module, name, values
            except (OSError, SafetensorError) as error:
                raise InvalidLora(f"LoRA: a file cannot be read ({error}). Download or copy it again.") from error


def _sum(
    module: Any,
    additions: Sequence[Addition],
    weights: Sequence[float],
    layers: Sequence[Mapping[Any, Layer]],
    files: Sequence[Any],
) -> Any:
    """The weight of this module with what all files add to it, in float32. weights: of the files."""
    weight = module.weight
    if weight.is_meta:
        raise InvalidLora(
            "A LoRA cannot be added to a model that is moved to the card layer by layer. Set "
            "INPAINT_STUDIO_OFFLOAD to model, or paint without it."
        )
    total = _loaded(module).detach().float()
    for weight_of_file, of_file, file in zip(weights, layers, files, strict=True):
        if module in of_file and weight_of_file:
            # Into the new tensor: of a model in float32 the other is still the weight itself, perhaps in its file.
            total = of_file[module].delta(_reader(file, weight.device), weight_of_file).add_(total)
    return total


def _loaded(module: Any) -> Any:
    """The weight that was loaded, before it was made int8, where it was."""
    from core.engine.storage.int8 import Int8

    return module.original.read().to(module.weight.device) if isinstance(module, Int8) else module.weight


def _parameters(module: Any, weight: Any, additions: Sequence[Addition]) -> Mapping[str, Any]:
    """The module's own by their names, with this weight. Raises InvalidLora."""
    from core.engine.storage.int8 import Int8

    if isinstance(module, Int8):
        _check_numbers(weight, additions)
        return module.changed(weight)
    rounded = weight.to(module.weight.dtype)
    _check_numbers(rounded, additions)
    return {"weight": rounded}


def _check_numbers(weight: Any, additions: Sequence[Addition]) -> None:
    """Raises InvalidLora. A sum of all is a number only if each of them is."""
    import torch

    if not bool(torch.isfinite(weight.sum(dtype=torch.float32))):
        files_named = ", ".join(addition.file.path.name for addition in additions)
        raise InvalidLora(
            f"LoRA {files_named}: it adds what is no number, or too large. Choose a smaller weight, or download it "
            "again."
        )


def _check_memory(modules: Collection[Any]) -> None:
    """Raises OutOfMemory if there is no room for a second one of each weight."""
    needed, free = sum(module.weight.nbytes for module in modules), free_memory()
    if needed > free:
        raise OutOfMemory(
            f"These LoRAs change {needed / 1e9:.1f} GB of the model, which takes as much memory again, and "
            f"{free / 1e9:.1f} GB are free. Use fewer or smaller ones, or close other programs."
        )


def _reader(file: Any, device: Any) -> Callable[[str], Any]:
    """Of tensors by their names, as they are computed with."""
    import torch

    return lambda name: file.get_tensor(name).to(device, torch.float32)
