"""Comparing derivatives with finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A derivative that differs from the numerical one, or from itself."""


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _differentiable(values: Any) -> list[Tensor]:
    return [v for v in _tuple(values) if isinstance(v, Tensor) and v.requires_grad]


def _real(tensor: Any) -> Any:
    """The numbers of a tensor as a real vector: complex ones as pairs."""
    values = tensor.detach()
    array = np.ascontiguousarray((values.resolve_conj() if values.is_complex() else values).numpy()).reshape(-1)
    return array.view(array.real.dtype).astype(np.float64)


def _numerical(func: Callable[..., Any], inputs: tuple[Any, ...], wanted: Any, eps: float) -> Any:
    """The Jacobian of each output (real output components x real components of ``wanted``), by central differences."""
    memory = wanted.detach().numpy()  # the very memory of the input, so that func sees each change
    columns: list[list[Any]] = []

    def evaluate() -> list[Any]:
        return [_real(out) for out in _tuple(func(*inputs)) if isinstance(out, Tensor)]

    for index in np.ndindex(memory.shape):
        saved = memory[index].copy()
        for step in (eps, 1j * eps) if wanted.is_complex() else (eps,):
            memory[index] = saved + step
            above = evaluate()
            memory[index] = saved - step
            below = evaluate()
            memory[index] = saved
            columns.append([(a - b) / (2 * eps) for a, b in zip(above, below)])
    return columns


def _analytical(output: Tensor, inputs: list[Tensor]) -> list[Any]:
    """For each input, the Jacobian of one output, row by row with unit gradients."""
    rows: list[list[Any]] = [[] for _ in inputs]
    units = (1.0, 1j) if output.is_complex() else (1.0,)
    for index in np.ndindex(tuple(output.shape)):
        for unit in units:
            grad = pydl.zeros_like(output)
            grad[index] = unit
            found = pydl.autograd.grad(output, inputs, grad, retain_graph=True, allow_unused=True)
            for row, g, x in zip(rows, found, inputs):
                if g is not None and g.shape != x.shape:
                    raise GradcheckError(f"gradient has shape {tuple(g.shape)}, its input {tuple(x.shape)}")
                row.append(_real(pydl.zeros_like(x) if g is None else g))
    return [np.array(row) for row in rows]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the derivatives of ``func`` with central differences, element by element.

    Complex inputs and outputs count as pairs of real numbers. Each output is differentiated alone, so the gradients of
    the others are undefined meanwhile.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: its arguments; those that require grad are checked and should be float64 or complex128.
        eps: step of the differences. Default: 1e-6.
        atol, rtol: allowed difference. Default: 1e-5 and 1e-3.
        raise_exception: raise instead of returning ``False``. Default: ``True``.
        nondet_tol: allowed difference between two backward passes. Default: 0.
        check_grad_dtypes: gradients must have the dtype of their input. Default: ``False``.
        fast_mode and the options of forward mode and batches: accepted; the check is always the full one.

    Raises:
        ValueError: no input requires grad. GradcheckError: a derivative is wrong.

    Example:
        >>> import pydl
        >>> x = pydl.randn(3, dtype=pydl.float64, requires_grad=True)
        >>> pydl.autograd.gradcheck(lambda t: t.sin(), (x,))
        True
    """
    inputs = _tuple(inputs)
    wanted = _differentiable(inputs)
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    _warn_precision(wanted)
    try:
        _check(func, inputs, wanted, eps, atol, rtol, nondet_tol, check_grad_dtypes)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _warn_precision(wanted: list[Tensor]) -> None:
    for i, tensor in enumerate(wanted):
        if tensor.dtype not in (pydl.float64, pydl.complex128):
            import warnings

            warnings.warn(f"gradcheck(): input #{i} is {tensor.dtype}; differences need double precision", stacklevel=3)


def _check(
    func: Any, inputs: Any, wanted: Any, eps: float, atol: float, rtol: float, nondet_tol: float, dtypes: bool
) -> None:
    outputs = [out for out in _tuple(func(*inputs)) if isinstance(out, Tensor)]
    numerical = [_numerical(func, inputs, x, eps) for x in wanted]
    for o, output in enumerate(outputs):
        if not output.requires_grad:
            jacobians = [np.zeros((_real(output).size, _real(x).size)) for x in wanted]
        else:
            jacobians = _analytical(output, wanted)
            _check_repeats(output, wanted, jacobians, nondet_tol)
            if dtypes:
                _check_dtypes(output, wanted)
        if not (output.is_floating_point() or output.is_complex()):
            continue
        for i, jacobian in enumerate(jacobians):
            columns = [column[o] for column in numerical[i]]
            expected = np.array(columns).T if columns else np.zeros((_real(output).size, 0))
            if not np.allclose(jacobian.reshape(expected.shape), expected, rtol, atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {o} with respect to input {i},\n"
                    f"numerical:\n{expected}\nanalytical:\n{jacobian}"
                )


def _check_repeats(output: Any, wanted: Any, first: Any, tolerance: float) -> None:
    for i, (a, b) in enumerate(zip(first, _analytical(output, wanted))):
        difference = np.abs(a - b).max(initial=0.0)
        if difference > tolerance:
            raise GradcheckError(f"Backward is not reentrant: input {i} got gradients that differ by {difference}")


def _check_dtypes(output: Any, wanted: Any) -> None:
    grads = pydl.autograd.grad(output, wanted, pydl.ones_like(output), retain_graph=True, allow_unused=True)
    for grad, x in zip(grads, wanted):
        if grad is not None and grad.dtype != x.dtype:
            raise GradcheckError(f"gradient has dtype {grad.dtype}, its input {x.dtype}")


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """:func:`gradcheck` of the backward pass of ``func``, with respect to the inputs and the gradients of the outputs.

    Args:
        grad_outputs: gradients of the outputs; random by default, not contiguous with ``gen_non_contig_grad_outputs``.

    The other arguments are those of :func:`gradcheck`.

    Example:
        >>> import pydl
        >>> x = pydl.randn(3, dtype=pydl.float64, requires_grad=True)
        >>> pydl.autograd.gradgradcheck(lambda t: t ** 3, (x,))
        True
    """
    inputs = _tuple(inputs)
    outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        grads = tuple(_random_like(out, gen_non_contig_grad_outputs) for out in outputs)
    else:
        grads = tuple(grad.detach().requires_grad_() for grad in _tuple(grad_outputs))
    count = len(grads)

    def backward(*args: Any) -> tuple[Any, ...]:
        own = args[: len(args) - count]
        found = pydl.autograd.grad(
            _differentiable(func(*own)), _differentiable(own), args[-count:], create_graph=True, allow_unused=True
        )
        return tuple(grad for grad in found if grad is not None)

    return gradcheck(
        backward,
        (*inputs, *grads),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_grad_dtypes=check_grad_dtypes,
    )


def _random_like(tensor: Any, strided: bool) -> Any:
    shape = (*tensor.shape, 2) if strided else tuple(tensor.shape)
    values = pydl.randn(shape, dtype=tensor.dtype)
    return (values[..., 0] if strided else values).detach().requires_grad_()
