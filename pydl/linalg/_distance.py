"""Distances between vectors and between all rows of two matrices."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.autograd import Function
from pydl.linalg._checks import check_tensor

__all__ = ["cdist", "pdist"]

_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def _one_side(grad: Tensor, a: Tensor, b: Tensor, p: float, distance: Tensor) -> Tensor:
    """The gradient for ``a`` of distances (b, n, m): in one pass, or of ops that have derivatives themselves."""
    if not pydl.is_grad_enabled():
        return pydl._cdist_backward(grad, a, b, p, distance)  # type: ignore[attr-defined]
    difference = a.unsqueeze(2) - b.unsqueeze(1)
    apart = distance.unsqueeze(-1)
    if p == 0:
        return 0 * a * grad.sum()
    if p == 1:
        slope = difference.sign()
    elif math.isinf(p):
        slope = difference.sign() * (difference.abs() == apart).to(a.dtype)
    else:
        zero = apart == 0
        safe = apart.masked_fill(zero, 1.0)
        if p == 2:
            slope = (difference / safe).masked_fill(zero, 0.0)
        else:
            still = difference == 0
            size = difference.abs().masked_fill(still, 1.0)
            slope = (difference.sign() * (size / safe) ** (p - 1)).masked_fill(zero | still, 0.0)
    return (grad.unsqueeze(-1) * slope).sum(2)


class _Cdist(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, p: float, by_product: bool) -> Tensor:
        distance = _by_product(a, b) if by_product else pydl._cdist(a, b, p)  # type: ignore[attr-defined]
        ctx.save_for_backward(a, b, distance)
        ctx.p = p
        return distance

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, b, distance = ctx.saved_tensors
        first = _one_side(grad, a, b, ctx.p, distance) if ctx.needs_input_grad[0] else None
        second = _one_side(grad.mT, b, a, ctx.p, distance.mT) if ctx.needs_input_grad[1] else None
        return first, second, None, None


def _by_product(a: Tensor, b: Tensor) -> Tensor:
    """|x - y|^2 = |x|^2 + |y|^2 - 2 x y. Moved to the mean of ``b`` first, so that a common offset costs no digits."""
    middle = b.mean(1, True)
    a, b = a - middle, b - middle
    squares = pydl.baddbmm((b * b).sum(-1).unsqueeze(1), a, b.mT, alpha=-2)  # type: ignore[attr-defined]
    return (squares + (a * a).sum(-1, True)).clamp_min(0).sqrt()


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = _MODES[0]) -> Tensor:
    """The p-norm distances (*, n, m) of all rows of ``x1`` (*, n, w) from all rows of ``x2`` (*, m, w).

    The batches broadcast. For p = 2 ``compute_mode`` tells whether a matrix product may be used, which is faster and
    less exact for close points: by default when n or m exceeds 25.

    Raises:
        RuntimeError: for shapes or dtypes that do not fit, or a negative ``p``.

    Example:
        >>> import pydl
        >>> pydl.cdist(pydl.tensor([[0., 0.]]), pydl.tensor([[3., 4.], [0., 1.]]))
        tensor([[5., 1.]])
    """
    for name, t in (("x1", x1), ("x2", x2)):
        check_tensor("cdist", t, name)
        if t.dim() < 2:
            raise pydl.ShapeError(f"cdist(): only supports at least 2D tensors, {name} got: {t.dim()}D")
        if t.dtype not in (pydl.float32, pydl.float64):
            raise RuntimeError(f"cdist(): only supports floating-point dtypes, {name} got: {t.dtype}")
    if x1.shape[-1] != x2.shape[-1]:
        raise pydl.ShapeError(
            f"cdist(): x1 and x2 must have the same number of columns. x1: {x1.shape[-1]} x2: {x2.shape[-1]}"
        )
    if not p >= 0:
        raise RuntimeError(f"cdist(): only supports non-negative p values, got {p}")
    mode = _MODES[0] if compute_mode is None else compute_mode
    if mode not in _MODES:
        raise ValueError(f"cdist(): {mode} is not a valid value for compute_mode")
    if x1.dtype != x2.dtype:
        both = pydl.promote_types(x1.dtype, x2.dtype)
        x1, x2 = x1.to(both), x2.to(both)
    n, m, width = x1.shape[-2], x2.shape[-2], x1.shape[-1]
    batch = tuple(pydl.broadcast_shapes(x1.shape[:-2], x2.shape[:-2]))
    count = math.prod(batch)
    a = x1.expand(*batch, n, width).reshape(count, n, width)
    b = x2.expand(*batch, m, width).reshape(count, m, width)
    wanted = mode == _MODES[1] or (mode == _MODES[0] and max(n, m) > 25)
    by_product = p == 2 and wanted and count * n * m * width > 0
    return _Cdist.apply(a, b, float(p), by_product).reshape(*batch, n, m)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances of each pair of rows i < j of a matrix (n, w), as a vector of n (n - 1) / 2.

    Raises:
        RuntimeError: for a tensor that is no matrix or a negative ``p``.

    Example:
        >>> import pydl
        >>> pydl.pdist(pydl.tensor([[0., 0.], [3., 4.], [0., 1.]]))
        tensor([5.0000, 1.0000, 4.2426])
    """
    check_tensor("pdist", input, "input")
    if input.dim() != 2:
        raise pydl.ShapeError(f"pdist(): only supports 2D tensors, got: {input.dim()}D")
    if input.dtype not in (pydl.float32, pydl.float64):
        raise RuntimeError(f"pdist(): only supports floating-point dtypes, got {input.dtype}")
    if not p >= 0:
        raise RuntimeError(f"pdist(): only supports non-negative p values, got {p}")
    rows, columns = pydl.triu_indices(input.shape[0], input.shape[0], 1)  # type: ignore[attr-defined]
    return cdist(input, input, p, _MODES[2])[rows, columns]
