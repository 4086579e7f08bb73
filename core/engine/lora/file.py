"""One LoRA file, matched with the modules of a pipeline before anything is changed: all of it fits, or none."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import InvalidLora
from core.domain.model_file import NamedFile
from core.engine.lora import deltas, names
from core.engine.models import header
from core.engine.models.header import DTYPES, Damaged, Header

FACTOR = re.compile(
    r"(?P<module>.+?)(?:\.lora_|[._]lora\.|\.lora_linear_layer\.)(?P<role>down|up|mid|A|B)(?:\.default)?\.weight"
)
OTHER_FACTOR = re.compile(r"(?P<module>.+)\.(?P<role>alpha|(?:hada|lokr)_[wt][12](?:_[ab])?)")
ROLES = {"A": "down", "B": "up"}

METHODS = {"dora_scale": "DoRA", "lora_magnitude_vector": "DoRA", "oft_": "OFT", ".on_input": "IA3", ".a1.": "GLoRA"}
"""Signs in the names of tensors of methods that do not add to the weights, or not by a product of factors."""

ANOTHER = "Choose a LoRA that was made for this model"

CONFIGURATION = "lora_adapter_metadata"
"""Where diffusers keeps the configuration of PEFT, of which the tensors do not tell alpha, in a file's metadata."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a file adds to one module.

    tensors: names in the file, by role. alpha: where no tensor holds it. by_root: see deltas.scale.
    """

    module: Any
    tensors: Mapping[str, str]
    alpha: float | None = None
    by_root: bool = False

    def delta(self, read: Callable[[str], Any], weight: float) -> Any:
        """What is added at this weight, in the shape of the module's own; a new tensor.

        read: a tensor of the file, by its name.
        """
        factors = {role: read(name) for role, name in self.tensors.items()}
        told = factors.pop("alpha", None)
        alpha = self.alpha if told is None else float(told)
        scale = weight * deltas.scale(alpha, deltas.rank(factors), by_root=self.by_root)
        # The smallest tensor that all of the product is multiplied by.
        first = next(role for role in deltas.FIRST if role in factors)
        return deltas.delta({**factors, first: factors[first] * scale}).reshape(self.module.weight.shape)


def read_layers(file: NamedFile, modules: Mapping[str, Any], model: str) -> Mapping[Any, Layer]:
    """By the module that each changes. modules: as names.modules makes them. model: what they are of, in words.

    Raises InvalidLora for a file of which not all is understood, or fits these modules.
    """
    path, about = file.path, file.about
    head = _header(path)
    made_for = f"It was made for {about.base}, and this model is {model}" if about.base else f"This model is {model}"
    configuration = _configuration(head)
    layers: dict[Any, Layer] = {}
    for name, tensors in _groups(head, path.name).items():
        plain = names.plain(name)
        module = modules.get(plain)
        if module is None:
            raise InvalidLora(f"LoRA {path.name}: this model has no {name[:80]}. {made_for}. {ANOTHER}.")
        _check_fit(tensors, head, module, f"LoRA {path.name}: {name[:80]}", made_for)
        if module in layers:
            raise InvalidLora(f"LoRA {path.name}: {name[:80]} is there twice. Download or copy it again.")
        layers[module] = Layer(module, tensors, *_alpha(plain, configuration))
    if not layers:
        raise InvalidLora(f"LoRA {path.name}: it changes nothing. Download or copy it again.")
    return layers


def _header(path: Path) -> Header:
    try:
        return header.read(path)
    except Damaged as error:
        raise InvalidLora(f"LoRA: the file {path.name} {error}. Download or copy it again.") from error


def _groups(head: Header, file: str) -> Mapping[str, dict[str, str]]:
    """Names of tensors by role, by the name of the module that they are for. Raises InvalidLora for other tensors."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for name, tensor in head.tensors.items():
        match = FACTOR.fullmatch(name) or OTHER_FACTOR.fullmatch(name)
        if match is None or tensor.dtype not in DTYPES:
            method = next((method for sign, method in METHODS.items() if sign in name), None)
            what = f"it is of the kind {method}" if method else f"it holds {name[:80]!r}"
            raise InvalidLora(f"LoRA {file}: {what}, which cannot be added yet. Choose a LoRA, LoCon, LoHa or LoKr.")
        groups[match["module"]][ROLES.get(match["role"], match["role"])] = name
    # Trainers write an alpha also for what they did not train.
    return {module: tensors for module, tensors in groups.items() if tensors.keys() != {"alpha"}}


def _check_fit(tensors: Mapping[str, str], head: Header, module: Any, what: str, made_for: str) -> None:
    import torch

    shapes = {role: head.tensors[name].shape for role, name in tensors.items()}
    if math.prod(shapes.pop("alpha", ())) != 1:
        raise InvalidLora(f"{what} has more than one alpha. Download or copy it again.")
    # Nothing is read and nothing multiplied: only the shapes are followed.
    factors = {role: torch.empty(shape, device="meta") for role, shape in shapes.items()}
    try:
        shape = tuple(deltas.delta(factors).shape)
    except KeyError as error:
        raise InvalidLora(f"{what} lacks its {error.args[0]}. Download or copy it again.") from error
    except (RuntimeError, IndexError) as error:
        raise InvalidLora(f"{what} has factors that do not fit together. Download or copy it again.") from error
    weight = tuple(module.weight.shape)
    if not deltas.fits(shape, weight):
        raise InvalidLora(f"{what} is {_by(shape)} wide, and {_by(weight)} in this model. {made_for}. {ANOTHER}.")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _configuration(head: Header) -> Mapping[str, Any]:
    try:
        found = json.loads(head.metadata.get(CONFIGURATION, "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _alpha(name: str, configuration: Mapping[str, Any]) -> tuple[float | None, bool]:
    """Of a module as diffusers names it, by the configuration of the component that it is in."""
    component, _, path = name.partition(".")
    if f"{component}.lora_alpha" not in configuration:
        return None, False
    pattern = configuration.get(f"{component}.alpha_pattern")
    own = (value for key, value in (pattern if isinstance(pattern, dict) else {}).items() if _is_of(path, key))
    alpha = next(own, configuration[f"{component}.lora_alpha"])
    return (float(alpha) if type(alpha) in (int, float) else None), configuration.get(f"{component}.use_rslora") is True


def _is_of(path: str, ending: str) -> bool:
    return path == ending or path.endswith(f".{ending}")
