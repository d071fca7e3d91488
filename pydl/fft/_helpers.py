"""Frequencies, and shifts of the zero frequency."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.linalg._checks import check_tensor, deliver, wrap_dim

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def _frequencies(op: str, n: int, d: float, count: int, shift: bool, dtype: Any, requires_grad: bool, out: Any) -> Any:
    if n < 1:
        raise RuntimeError(f"{op}(): Invalid number of data points ({n}) specified")
    kind = pydl.get_default_dtype() if dtype is None else dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(f"{op}(): requires a floating point or complex dtype, got {kind}")
    steps = pydl.arange(count, dtype=pydl.float64)  # type: ignore[attr-defined]
    if shift:
        steps = pydl.where(steps > (n - 1) // 2, steps - n, steps)  # type: ignore[attr-defined]
    values = (steps * (1.0 / (n * d))).to(kind)
    return deliver(op, values.requires_grad_(requires_grad), out)


def fftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the ``n`` elements of `fft` for samples ``d`` apart, the negative ones behind.

    Example:
        >>> import pydl
        >>> pydl.fft.fftfreq(4)
        tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    return _frequencies("fft.fftfreq", n, d, n, True, dtype, requires_grad, out)


def rfftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the n // 2 + 1 elements of `rfft` of ``n`` samples that are ``d`` apart.

    Example:
        >>> import pydl
        >>> pydl.fft.rfftfreq(4)
        tensor([0.0000, 0.2500, 0.5000])
    """
    return _frequencies("fft.rfftfreq", n, d, n // 2 + 1, False, dtype, requires_grad, out)


def _shifted(op: str, input: Tensor, dim: Any, forward: bool) -> Tensor:
    check_tensor(op, input, "input")
    dims = range(input.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    dims = [wrap_dim(op, d, input.dim()) for d in dims]
    if not dims:
        return input.clone()
    half = [input.shape[d] // 2 if forward else (input.shape[d] + 1) // 2 for d in dims]
    return pydl.roll(input, half, dims)  # type: ignore[attr-defined]


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """``input`` with the zero frequency moved to the middle of ``dim``, by default of all dims.

    Example:
        >>> import pydl
        >>> pydl.fft.fftshift(pydl.fft.fftfreq(4))
        tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return _shifted("fft.fftshift", input, dim, True)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`.

    Example:
        >>> import pydl
        >>> pydl.fft.ifftshift(pydl.tensor([-1, 0, 1]))
        tensor([ 0,  1, -1])
    """
    return _shifted("fft.ifftshift", input, dim, False)
