"""Jacobians, Hessians and their products with vectors, of functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _tuple(value: Any, what: str) -> tuple[tuple[Tensor, ...], bool]:
    """The tensors as a tuple, and whether they were one."""
    many = isinstance(value, (tuple, list))
    tensors = tuple(value) if many else (value,)
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{what} must be a tensor or a tuple of tensors, got {type(tensor).__name__} at {i}")
    return tensors, many


def _prepare(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """Inputs to differentiate by: views that keep the caller's graph with ``create_graph``, else new leaves."""
    if create_graph:
        return tuple(x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in inputs)
    return tuple(x.detach().requires_grad_() for x in inputs)


def _unpack(values: tuple[Any, ...], many: bool) -> Any:
    return values if many else values[0]


def _finish(values: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    return values if create_graph else tuple(value.detach() for value in values)


def _call(func: Callable[..., Any], inputs: tuple[Tensor, ...], strict: bool) -> tuple[tuple[Tensor, ...], bool]:
    outputs, many = _tuple(func(*inputs), "the outputs of the function")
    for i, output in enumerate(outputs):
        if strict and not output.requires_grad:
            raise RuntimeError(f"Output {i} of the function does not depend on the inputs, which strict=True forbids")
    return outputs, many


def _grad(
    outputs: Any, inputs: Any, grads: Any, create_graph: bool, strict: bool, retain: bool = False
) -> tuple[Any, ...]:
    """Gradients, zeros for what an input does not reach (an error with ``strict``)."""
    pairs = [(out, grad) for out, grad in zip(outputs, grads) if out.requires_grad]
    found: tuple[Any, ...] = (None,) * len(inputs)
    if pairs:
        found = pydl.autograd.grad(
            [out for out, _ in pairs],
            inputs,
            [grad for _, grad in pairs],
            retain_graph=retain or create_graph,
            create_graph=create_graph,
            allow_unused=True,
        )
    if strict and any(grad is None for grad in found):
        raise RuntimeError(f"The outputs do not depend on input {found.index(None)}, which strict=True forbids")
    return tuple(pydl.zeros_like(x) if grad is None else grad for grad, x in zip(found, inputs))


def _vectors(v: Any, like: tuple[Tensor, ...], what: str) -> tuple[Tensor, ...]:
    """``v`` checked against the shapes of ``like``; ones for a single number."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if {what} is a single number")
        return (pydl.ones_like(like[0]),)
    vectors, _ = _tuple(v, "v")
    if len(vectors) != len(like):
        raise RuntimeError(f"v should have {len(like)} tensors, got {len(vectors)}")
    for i, (vector, tensor) in enumerate(zip(vectors, like)):
        if vector.shape != tensor.shape:
            raise RuntimeError(f"v has shape {tuple(vector.shape)} at {i}, expected {tuple(tensor.shape)}")
    return vectors


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs of ``func`` and the product of ``v`` with its Jacobian.

    Args:
        func: takes tensors, returns tensors.
        inputs: its arguments.
        v: shaped as the outputs; may be left out for a single number.
        create_graph: the results can be differentiated. Default: ``False``.
        strict: an input or output without dependence is an error instead of zero. Default: ``False``.

    Example:
        >>> import pydl
        >>> pydl.autograd.functional.vjp(lambda x: x ** 2, pydl.tensor([1.0, 2.0]), pydl.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    given, many_in = _tuple(inputs, "inputs")
    with pydl.enable_grad():
        xs = _prepare(given, create_graph)
        outputs, many_out = _call(func, xs, strict)
        products = _grad(outputs, xs, _vectors(v, outputs, "the output"), create_graph, strict)
    return _unpack(_finish(outputs, create_graph), many_out), _unpack(_finish(products, create_graph), many_in)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs of ``func`` and the product of its Jacobian with ``v``.

    Computed with two backward passes: the vector-Jacobian product is linear in its vector, and its transpose is this.
    Arguments as in :func:`vjp`, with ``v`` shaped as the inputs.

    Example:
        >>> import pydl
        >>> pydl.autograd.functional.jvp(lambda x: x ** 2, pydl.tensor([1.0, 2.0]), pydl.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    given, _ = _tuple(inputs, "inputs")
    with pydl.enable_grad():
        xs = _prepare(given, create_graph)
        vectors = _vectors(v, xs, "the input")
        outputs, many = _call(func, xs, strict)
        duals = tuple(pydl.zeros_like(out).requires_grad_() for out in outputs)
        back = _grad(outputs, xs, duals, True, strict)
        products = _grad(back, duals, vectors, create_graph, strict)
    return _unpack(_finish(outputs, create_graph), many), _unpack(_finish(products, create_graph), many)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of ``func``: for each output and input a tensor of shape ``(*output, *input)``.

    Args:
        func, inputs, create_graph, strict: as in :func:`vjp`.
        vectorize, strategy: accepted; rows are computed one by one.

    Returns:
        A tensor; a tuple over the inputs if those were a tuple, within a tuple over the outputs if those were one.

    Example:
        >>> import pydl
        >>> pydl.autograd.functional.jacobian(lambda x: x ** 2, pydl.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(f"strategy must be 'forward-mode' or 'reverse-mode', got {strategy!r}")
    given, many_in = _tuple(inputs, "inputs")
    with pydl.enable_grad():
        xs = _prepare(given, create_graph)
        outputs, many_out = _call(func, xs, strict)
        blocks = []
        for output in outputs:
            block = _rows(output, xs, create_graph, strict)
            blocks.append(_unpack(_finish(block, create_graph), many_in))
    return _unpack(tuple(blocks), many_out)


def _rows(output: Tensor, xs: tuple[Tensor, ...], create_graph: bool, strict: bool) -> tuple[Any, ...]:
    flat = output.reshape(-1)
    rows = [
        _grad((flat[i],), xs, (pydl.ones_like(flat[i]),), create_graph, strict, retain=True)
        for i in range(flat.numel())
    ]
    shape = tuple(output.shape)
    return tuple(
        pydl.stack([row[k] for row in rows]).reshape(shape + tuple(x.shape))
        if rows
        else x.new_zeros(shape + tuple(x.shape))
        for k, x in enumerate(xs)
    )


def _scalar(func: Callable[..., Any]) -> Callable[..., Any]:
    """``func``, required to return a single number."""

    def checked(*args: Any) -> Any:
        out = func(*args)
        if not isinstance(out, Tensor):
            raise RuntimeError(f"The function given should return a single Tensor, got {type(out).__name__}")
        if out.numel() != 1:
            raise RuntimeError("The Tensor returned by the function given should contain a single element")
        return out.reshape(())

    return checked


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function with one number as output; arguments as in :func:`jacobian`.

    Returns:
        A tensor of shape ``(*input, *input)``, or a tuple of tuples of them for several inputs.

    Example:
        >>> import pydl
        >>> pydl.autograd.functional.hessian(lambda x: (x ** 3).sum(), pydl.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    given, many = _tuple(inputs, "inputs")
    scalar = _scalar(func)

    def gradient(*xs: Tensor) -> Any:
        return jacobian(scalar, xs, create_graph=True, strict=strict)

    result = jacobian(gradient, given, create_graph=create_graph, strict=strict)
    return result if many else result[0][0]


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of ``func`` (one number) and the product of ``v`` with its Hessian; arguments as in :func:`vjp`.

    Example:
        >>> import pydl
        >>> pydl.autograd.functional.vhp(lambda x: (x ** 3).sum(), pydl.tensor([1.0, 2.0]), pydl.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    given, many = _tuple(inputs, "inputs")
    with pydl.enable_grad():
        xs = _prepare(given, create_graph)
        vectors = _vectors(v, xs, "the input")
        output = _scalar(func)(*xs)
        gradient = _grad((output,), xs, (pydl.ones_like(output),), True, strict)
        products = _grad(gradient, xs, vectors, create_graph, strict)
    return _unpack(_finish((output,), create_graph), False), _unpack(_finish(products, create_graph), many)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of ``func`` (one number) and the product of its Hessian with ``v``.

    The Hessian is symmetric, so this is :func:`vhp`.

    Example:
        >>> import pydl
        >>> pydl.autograd.functional.hvp(lambda x: (x**3).sum(), pydl.tensor([1.0, 2.0]), pydl.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    return vhp(func, inputs, v, create_graph, strict)
