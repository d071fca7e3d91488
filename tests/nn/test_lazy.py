"""Modules that take their sizes from the first input, and classes that mix others with Module."""

from __future__ import annotations

import copy
import pickle

import pytest

import pydl
from pydl import nn


def test_first_call_makes_the_parameters() -> None:
    layer = nn.LazyConv2d(4, 3)
    assert layer.has_uninitialized_params()
    assert repr(layer.weight) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="shape of an uninitialized"):
        _ = layer.weight.shape
    assert layer(pydl.zeros(2, 5, 8, 8)).shape == (2, 4, 6, 6)
    assert type(layer) is nn.Conv2d
    assert type(layer.weight) is nn.Parameter
    assert layer.weight.shape == (4, 5, 3, 3)
    assert float(layer.weight.detach().abs().max()) > 0


def test_state_of_a_lazy_module() -> None:
    ready = nn.Conv1d(2, 3, 2)
    waiting = nn.LazyConv1d(3, 2)
    assert list(waiting.state_dict()) == ["weight", "bias"]
    copied = copy.deepcopy(waiting)
    again = pickle.loads(pickle.dumps(nn.UninitializedParameter()))
    assert isinstance(again, nn.UninitializedParameter)
    waiting.load_state_dict(ready.state_dict())
    assert copied.has_uninitialized_params()
    assert not waiting.has_uninitialized_params()
    x = pydl.rand(1, 2, 5)
    assert pydl.equal(waiting(x), ready(x))


def test_wrong_first_input() -> None:
    with pytest.raises(RuntimeError, match="unbatched"):
        nn.LazyConv2d(4, 3)(pydl.zeros(3, 3))
    with pytest.raises(ValueError, match="divisible by groups"):
        nn.LazyConv1d(4, 3, groups=2)(pydl.zeros(1, 3, 5))


def test_mixin_in_front_of_module() -> None:
    class Named:
        def title(self) -> str:
            return type(self).__name__

    class Layer(Named, nn.Linear):
        pass

    layer = Layer(2, 3)
    layer.extra = 5
    assert (layer.title(), layer.extra, len(list(layer.parameters()))) == ("Layer", 5, 2)
    assert layer(pydl.zeros(1, 2)).shape == (1, 3)
    del layer.extra
    assert not hasattr(layer, "extra")
