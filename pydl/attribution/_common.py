"""Inputs, targets and outputs, as all methods take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pydl
from pydl import Tensor

__all__ = [
    "Target",
    "as_arguments",
    "baseline_of",
    "check_inputs",
    "gradient",
    "repeated",
    "repeated_target",
    "selected",
    "working",
]

Target: TypeAlias = "None | int | Sequence[int] | Tensor"


def check_inputs(name: str, inputs: Any) -> Tensor:
    """The inputs without history; raise unless they are a floating-point tensor (N, ...)."""
    if not isinstance(inputs, Tensor):
        raise TypeError(f"{name}: inputs must be a tensor, got {type(inputs).__name__}")
    if not inputs.is_floating_point():
        raise TypeError(f"{name}: inputs must be of floating point, got {inputs.dtype}")
    if inputs.dim() == 0:
        raise pydl.ShapeError(f"{name}: inputs must be (N, ...), got ()")
    return inputs.detach()


def as_arguments(additional_forward_args: Any) -> tuple[Any, ...]:
    """Further arguments of the model's call."""
    if additional_forward_args is None:
        return ()
    return additional_forward_args if isinstance(additional_forward_args, tuple) else (additional_forward_args,)


def repeated(arguments: tuple[Any, ...], batch: int, times: int) -> tuple[Any, ...]:
    """The arguments for ``times`` copies of the batch; what is no tensor of the batch stays."""

    def one(value: Any) -> Any:
        of_batch = isinstance(value, Tensor) and value.dim() > 0 and value.shape[0] == batch
        return value.repeat(times, *(1,) * (value.dim() - 1)) if of_batch else value

    return tuple(one(value) for value in arguments)


def repeated_target(target: Target, times: int) -> Target:
    """The targets of ``times`` copies of the batch; one class is for all."""
    if target is None:
        return None
    index = pydl.as_tensor(target)
    return index.repeat(times) if index.dim() == 1 and len(index) > 1 else target


def working(inputs: Tensor) -> Any:
    """The dtype in which attributions are added up: float32 for 16-bit inputs."""
    return pydl.promote_types(inputs.dtype, pydl.float32)


def selected(name: str, output: Any, target: Target, batch: int) -> Tensor:
    """The target's value of each sample, (N,).

    Raises:
        ShapeError: an output that is not (N, classes) or (N,). ValueError: no target for several classes, targets of
            another number. IndexError: one out of range.
    """
    if not isinstance(output, Tensor) or output.dim() not in (1, 2) or output.shape[0] != batch:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise pydl.ShapeError(f"{name}: the model must give (N, classes) or (N,) with N = {batch}, got {got}")
    columns = output.unsqueeze(1) if output.dim() == 1 else output
    classes = columns.shape[1]
    if target is None:
        if classes != 1:
            raise ValueError(f"{name}: target is needed, the model gives {classes} classes")
        return columns[:, 0]
    index = pydl.as_tensor(target)
    if index.is_floating_point() or index.dtype == pydl.bool:
        raise TypeError(f"{name}: target must be class indices, got {index.dtype}")
    if index.dim() > 1 or (index.dim() == 1 and len(index) not in (1, batch)):
        raise ValueError(f"{name}: target must be one class or one for each of {batch}, got {tuple(index.shape)}")
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise IndexError(f"{name}: target must be in [0, {classes}), got {index.tolist()}")
    return columns.gather(1, index.long().expand(batch).reshape(batch, 1))[:, 0]


def gradient(
    name: str, forward: Callable[..., Any], inputs: Tensor, target: Target, arguments: tuple[Any, ...]
) -> Tensor:
    """The derivative of the targets' values by the inputs. Gradients of parameters are not touched."""
    with pydl.enable_grad():
        x = inputs.detach().requires_grad_()
        values = selected(name, forward(x, *arguments), target, len(x))
        if not values.requires_grad:
            return pydl.zeros_like(inputs)
        (found,) = pydl.autograd.grad(values.sum(), x, allow_unused=True)
    return pydl.zeros_like(inputs) if found is None else found.detach()


def baseline_of(name: str, baselines: Any, inputs: Tensor) -> Tensor:
    """What the inputs are compared with, of their shape."""
    if baselines is None:
        return pydl.zeros_like(inputs)
    base = pydl.as_tensor(baselines, dtype=inputs.dtype).detach()
    if base.dim() and (
        base.dim() != inputs.dim() or base.shape[1:] != inputs.shape[1:] or len(base) not in (1, len(inputs))
    ):
        raise pydl.ShapeError(
            f"{name}: baselines must be a number, (1, ...) or of the inputs' shape {tuple(inputs.shape)}, got "
            f"{tuple(base.shape)}"
        )
    return base.expand(inputs.shape)
