"""Layers in a row that one pass over memory computes together, where nobody can see what lies between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pydl import Tensor
from pydl.nn.functional.normalization import _batch_norm_clipped
from pydl.nn.modules._hooks import any_global
from pydl.nn.modules.activation import ReLU, ReLU6
from pydl.nn.modules.batchnorm import BatchNorm2d, BatchNorm3d
from pydl.nn.modules.module import Module

# The layers that may have the next one joined to them, and what then takes the place of ``batch_norm``. Exactly these
# classes: a subclass may compute something else.
LEADERS = frozenset((BatchNorm2d, BatchNorm3d))
FOLLOWERS: dict[type, Callable[..., Tensor]] = {
    ReLU: _batch_norm_clipped,
    ReLU6: partial(_batch_norm_clipped, six=True),
}


def _is_plain(module: Any) -> bool:
    state = module.__dict__
    return not (
        state["_forward_hooks"]
        or state["_forward_pre_hooks"]
        or state["_backward_hooks"]
        or state["_backward_pre_hooks"]
        or "forward" in state
    )


def call_two(first: Any, second: Module, input: Any) -> Any:
    """``second(first(input))``, in one step for a layer of LEADERS and one of FOLLOWERS on which no hook looks."""
    function = FOLLOWERS.get(type(second)) if type(first) in LEADERS else None
    if function and type(input) is Tensor and _is_plain(first) and _is_plain(second) and not any_global():
        return first._run(input, function)
    return second(first(input))
