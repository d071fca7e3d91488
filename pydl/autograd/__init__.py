"""Automatic differentiation: gradients, modes, user-defined functions, numerical checks."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from pydl.autograd.function import Function
from pydl.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]


class _OfTensors(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_OfTensors):
    """The name that tensors with gradients had in old programs: ``Variable(data)`` is the tensor itself.

    >>> pydl.autograd.Variable(pydl.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    >>> isinstance(pydl.ones(2), pydl.autograd.Variable)
    True
    """

    def __new__(cls, data: Any, requires_grad: bool = False, volatile: bool = False) -> Any:
        tensor = data.detach() if isinstance(data, Tensor) else pydl.tensor(data)
        return tensor.requires_grad_(requires_grad)


def __getattr__(name: str) -> Any:
    # The checks and functional are for tests and research: loaded when asked for.
    if name in ("gradcheck", "gradgradcheck", "GradcheckError"):
        return getattr(importlib.import_module("pydl.autograd._gradcheck"), name)
    if name == "functional":
        return importlib.import_module(f"pydl.autograd.{name}")
    raise AttributeError(f"module 'pydl.autograd' has no attribute {name!r}")


def _sequence(value: Any) -> list[Any]:
    return [value] if isinstance(value, Tensor) else list(value)


def _make_grads(outputs: Sequence[Tensor], grads: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Check the given gradients against the outputs; a missing one is one for a scalar."""
    if len(outputs) != len(grads):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    made: list[Tensor | None] = []
    for i, (out, grad) in enumerate(zip(outputs, grads)):
        if grad is None:
            if out.requires_grad:
                if out.numel() != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                if not (out.is_floating_point() or out.is_complex()):
                    raise RuntimeError(
                        f"grad can be implicitly created only for real scalar outputs but got {out.dtype}"
                    )
                grad = pydl.ones_like(out)  # type: ignore[misc]
        elif not isinstance(grad, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
        elif grad.shape != out.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {grad.shape} and "
                f"output[{i}] has a shape of {out.shape}."
            )
        elif grad.is_complex() != out.is_complex():
            raise RuntimeError(
                f"For complex Tensors, both grad_output and output are required to have the same dtype: "
                f"grad_output[{i}] has {grad.dtype} and output[{i}] has {out.dtype}."
            )
        made.append(grad)
    return made


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves they depend on.

    Args:
        tensors: one tensor or several.
        grad_tensors: the gradient of each, ``None`` for scalars. Default: ``None``.
        retain_graph: keep the graph for another pass. Default: the value of ``create_graph``.
        create_graph: record the pass itself, for higher derivatives. Default: ``False``.
        inputs: only these leaves get gradients. Default: all.

    Raises:
        RuntimeError: a tensor without graph, a non-scalar without gradient, a shape that does not fit.

    Example:
        >>> import pydl
        >>> x = pydl.ones(2, requires_grad=True)
        >>> pydl.autograd.backward([(x * 3).sum()])
        >>> x.grad
        tensor([3., 3.])
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError("backward(): grad_tensors and grad_variables (its old name) cannot both be given")
        grad_tensors = grad_variables
    if inputs is not None:
        inputs = _sequence(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward` cannot be empty.")
    outputs = _sequence(tensors)
    grads = [None] * len(outputs) if grad_tensors is None else _sequence(grad_tensors)
    retain = create_graph if retain_graph is None else retain_graph
    pydl._engine_backward(outputs, _make_grads(outputs, grads), retain, create_graph, inputs)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, without touching ``.grad``.

    Args:
        outputs: one tensor or several.
        inputs: one tensor or several.
        grad_outputs: the gradient of each output, ``None`` for scalars. Default: ``None``.
        retain_graph: keep the graph for another pass. Default: the value of ``create_graph``.
        create_graph: record the pass itself, for higher derivatives. Default: ``False``.
        allow_unused: give ``None`` for an input that was not used instead of an error. Default: ``materialize_grads``.
        is_grads_batched: the first dimension of ``grad_outputs`` counts gradients; so does that of the results.
        materialize_grads: zeros instead of ``None`` for unused inputs. Default: ``False``.

    Returns:
        One tensor for each input.

    Raises:
        RuntimeError: an input that was not used, a non-scalar without gradient, a shape that does not fit.

    Example:
        >>> import pydl
        >>> x = pydl.tensor(2.0, requires_grad=True)
        >>> pydl.autograd.grad(x ** 3, x)
        (tensor(12.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("grad(): materialize_grads needs unused inputs to be allowed, got allow_unused=False")
    allow = materialize_grads if allow_unused is None else allow_unused
    outs, ins = _sequence(outputs), _sequence(inputs)
    if not ins:
        raise ValueError("grad requires non-empty inputs.")
    given: list[Any] = [None] * len(outs) if grad_outputs is None else _sequence(grad_outputs)
    retain = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        results = _batched_grad(outs, ins, given, retain, create_graph, allow)
    else:
        results = list(pydl._engine_grad(outs, ins, _make_grads(outs, given), retain, create_graph, allow))
    if materialize_grads:
        results = [pydl.zeros_like(x, requires_grad=create_graph) if g is None else g for g, x in zip(results, ins)]  # type: ignore[misc]
    return tuple(results)


def _batched_grad(outs: Any, ins: Any, given: Any, retain: bool, create_graph: bool, allow: bool) -> list[Any]:
    """One pass per gradient of the batch, results stacked."""
    sizes = {g.shape[0] for g in given if g is not None}
    if len(sizes) != 1:
        raise RuntimeError(f"grad(): is_grads_batched needs gradients with one common first size, got {sorted(sizes)}")
    count = sizes.pop()
    rows = []
    for i in range(count):
        grads = _make_grads(outs, [None if g is None else g[i] for g in given])
        rows.append(pydl._engine_grad(outs, ins, grads, retain or i + 1 < count, create_graph, allow))
    return [None if column[0] is None else pydl.stack(list(column)) for column in zip(*rows)]  # type: ignore[misc]
