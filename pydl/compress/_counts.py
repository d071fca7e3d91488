"""What reports count: parameters, bytes, operations."""

from __future__ import annotations

import copy
from typing import Any

import pydl
from pydl import nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def masked(module: nn.Module) -> list[str]:
    """The names under which a module has masks of `pydl.nn.utils.prune`."""
    names = [n[: -len("_orig")] for n in module._parameters if n.endswith("_orig")]
    return [n for n in names if n + "_mask" in module._buffers]


def copied(model: nn.Module) -> nn.Module:
    """A deep copy, of pruned models too: their masked weights are results of a graph, which the next call makes
    anew.
    """
    for module in model.modules():
        for name in masked(module):
            setattr(module, name, getattr(module, name).detach())
    return copy.deepcopy(model)


def parameters(model: nn.Module) -> int:
    """The number of parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())


def state_bytes(model: nn.Module) -> int:
    """The bytes of the state dict."""
    return sum(t.numel() * t.element_size() for t in model.state_dict().values())


def call(model: nn.Module, example_inputs: Any) -> Any:
    """The model on a tensor, a sequence of arguments or a mapping of them."""
    if isinstance(example_inputs, (tuple, list)):
        return model(*example_inputs)
    return model(**example_inputs) if isinstance(example_inputs, dict) else model(example_inputs)


def flops(model: nn.Module, example_inputs: Any) -> int:
    """Multiplications and additions of the Linear and convolution layers in one call."""
    total = 0

    def count(module: Any, inputs: Any, output: Any) -> None:
        nonlocal total
        total += 2 * output.numel() * (module.weight.numel() // max(1, module.weight.shape[0]))

    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, *CONVOLUTIONS))]
    hooks = [m.register_forward_hook(count) for m in layers]
    try:
        with pydl.no_grad():
            call(model, example_inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total
