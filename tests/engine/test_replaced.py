"""Parameters that are replaced for a while: all of them or none, and the very same ones come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.engine.replaced import Replaced


def test_the_very_parameters_that_were_there_come_back():
    import torch

    layer, replaced = torch.nn.Linear(2, 2), Replaced()
    weight, bias = layer.weight, layer.bias

    replaced.put_in([(layer, "weight", torch.ones(2, 2)), (layer, "bias", torch.ones(2))])
    assert layer(torch.zeros(2)).tolist() == [1, 1]
    replaced.put_back()

    assert layer.weight is weight
    assert layer.bias is bias


def test_where_one_cannot_be_made_none_is_replaced():
    import torch

    layer = torch.nn.Linear(2, 2)
    weight = layer.weight

    def others() -> Iterator[tuple[Any, str, Any]]:
        yield layer, "weight", torch.ones(2, 2)
        raise MemoryError

    with pytest.raises(MemoryError):
        Replaced().put_in(others())

    assert layer.weight is weight
