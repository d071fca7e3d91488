"""The pseudo-inverse, least squares, rank and condition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.autograd import Function
from pydl.linalg._checks import (
    arrays,
    check_matrix,
    check_same_dtype,
    check_square,
    check_tensor,
    deliver,
    named,
    real_dtype,
    tensor,
)

__all__ = ["cond", "lstsq", "matrix_rank", "pinv"]

_Lstsq = named("linalg_lstsq", "solution residuals rank singular_values")


def _tolerances(op: str, a: Tensor, atol: Any, rtol: Any, largest: Any) -> Any:
    """max(atol, rtol * largest singular value) for each matrix, as an array with one more dim."""

    def value(x: Any, name: str) -> Any:
        if isinstance(x, Tensor):
            if x.is_complex():
                raise RuntimeError(f"{op}(): {name} tensor of complex type is not supported.")
            return arrays(x)
        return np.asarray(x, dtype=np.float64)

    low = np.zeros(()) if atol is None else value(atol, "atol")
    if rtol is None:
        # As torch: without rtol its default counts only where atol is not positive.
        default = pydl.finfo(a.dtype).eps * max(a.shape[-2:])
        ratio = np.where(low > 0, 0.0, default)
    else:
        ratio = value(rtol, "rtol")
    return np.maximum(low, ratio * largest)[..., None]


def _spectrum(a: Any, hermitian: bool) -> Any:
    if hermitian:
        return np.abs(np.linalg.eigvalsh(a))
    return np.linalg.svd(a, compute_uv=False)


# ---- pseudo-inverse --------------------------------------------------------------------------------------------


class _LinalgPinv(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, inverse: Tensor) -> Any:
        result = inverse.clone()
        ctx.save_for_backward(a, result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, inverse = ctx.saved_tensors
        return pinv_gradient(grad, inverse, a), None


def pinv_gradient(grad: Tensor, inverse: Tensor, a: Tensor) -> Tensor:
    """Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems", 1973."""
    turned, right = inverse.mH, grad.mH
    if a.shape[-2] <= a.shape[-1]:
        k = right @ inverse
        tail = k @ turned
        return -(inverse @ k).mH + tail - (a @ inverse) @ tail + (turned @ inverse) @ (right - k @ a)
    k = inverse @ right
    head = turned @ k
    return -(k @ inverse).mH + (right - a @ k) @ inverse @ turned + head - (head @ inverse) @ a


def pinv(
    A: Tensor, *, atol: Any = None, rtol: Any = None, hermitian: bool = False, rcond: Any = None, out: Any = None
) -> Tensor:
    """The Moore-Penrose inverses (*, n, m) of matrices (*, m, n).

    Singular values up to max(atol, rtol * the largest) count as zero; rtol is by default eps * max(m, n), or 0 when
    ``atol`` is positive. With ``hermitian`` eigenvalues take the place of singular values. ``rcond``, also as second
    argument, is the older name of rtol.

    Example:
        >>> import pydl
        >>> pydl.linalg.pinv(pydl.tensor([[2., 0.], [0., 0.]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.0000]])
    """
    op = "linalg.pinv"
    check_square(op, A) if hermitian else check_matrix(op, A)
    rtol = rcond if rtol is None else rtol
    a = arrays(A)
    if A.numel() == 0:
        found = np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    elif hermitian:
        w, v = np.linalg.eigh(a)
        keep = np.abs(w) > _tolerances(op, A, atol, rtol, np.abs(w).max(-1))
        scaled = np.where(keep, 1 / np.where(keep, w, 1), 0).astype(w.dtype)
        found = (v * scaled[..., None, :]) @ v.conj().swapaxes(-1, -2)
    else:
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        keep = s > _tolerances(op, A, atol, rtol, s.max(-1))
        scaled = np.where(keep, 1 / np.where(keep, s, 1), 0).astype(s.dtype)
        found = (vh.conj().swapaxes(-1, -2) * scaled[..., None, :]) @ u.conj().swapaxes(-1, -2)
    return deliver(op, _LinalgPinv.apply(A, tensor(found)), out)


# ---- least squares ---------------------------------------------------------------------------------------------

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


class _LinalgLstsq(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, solution: Tensor) -> Any:
        ctx.save_for_backward(a, b)
        return solution.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, b = ctx.saved_tensors
        inverse = pinv(a)
        g_a = pinv_gradient(grad @ b.mH, inverse, a) if ctx.needs_input_grad[0] else None
        return g_a, inverse.mH @ grad, None


def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: str | None = None) -> Any:
    """X that minimises |A X - B| in the Frobenius norm, for A (*, m, n) and B (*, m, k) or (*, m).

    Returns ``solution`` (*, n, k), ``residuals`` (*, k), the squared column norms of A X - B (empty unless m > n and
    all ranks are n, or with ``driver`` 'gelsy'), ``rank`` (*) (empty with 'gels') and ``singular_values`` (empty but
    with 'gelsd' and 'gelss'). ``driver`` is 'gelsy' by default; 'gels' takes A to have full rank. All of them are
    computed from the singular values; ``rcond``, by default eps * max(m, n), tells which count as zero.

    Raises:
        RuntimeError: for shapes that do not fit or another driver.

    Example:
        >>> import pydl
        >>> pydl.linalg.lstsq(pydl.tensor([[1., 0.], [1., 1.], [1., 2.]]), pydl.tensor([[1.], [3.], [5.]])).solution
        tensor([[1.0000],
                [2.0000]])
    """
    op = "linalg.lstsq"
    check_matrix(op, A)
    check_tensor(op, B, "B")
    check_same_dtype(op, A, B, ("input", "other"))
    if driver is not None and driver not in _DRIVERS:
        raise RuntimeError(f"{op}(): parameter `driver` should be one of (gels, gelsy, gelsd, gelss), got {driver!r}")
    driver = driver or "gelsy"
    vector = A.dim() - 1 == B.dim() and A.shape[:-1] == B.shape
    right = B.unsqueeze(-1) if vector else B
    if right.dim() < 2 or right.shape[-2] != A.shape[-2]:
        raise pydl.ShapeError(
            f"{op}(): input.size(-2) should match other.size(-2), got {tuple(A.shape)} and {tuple(B.shape)}"
        )
    m, n = A.shape[-2:]
    batch = tuple(pydl.broadcast_shapes(A.shape[:-2], right.shape[:-2]))
    a, right = A.expand(*batch, m, n), right.expand(*batch, *right.shape[-2:])
    limit = None if driver == "gels" else (float(rcond) if rcond is not None else None)
    found, ranks, values = _least_squares(arrays(a), arrays(right), limit, pydl.finfo(A.dtype).eps, driver == "gels")
    solution = _LinalgLstsq.apply(a, right, tensor(found))
    none = pydl.empty((0,), dtype=real_dtype(A))
    residuals = none
    if m > n and driver != "gelsy" and bool((ranks == n).all()):
        rest = a @ solution - right
        residuals = (rest.abs() ** 2 if rest.is_complex() else rest * rest).sum(-2)
    return _Lstsq(
        solution.squeeze(-1) if vector else solution,
        residuals.squeeze(-1) if vector and residuals.dim() else residuals,
        pydl.empty((0,), dtype=pydl.int64) if driver == "gels" else tensor(ranks),
        tensor(values) if driver in ("gelsd", "gelss") else none,
    )


def _least_squares(a: Any, b: Any, rcond: Any, eps: float, full: bool) -> tuple[Any, Any, Any]:
    if 0 in a.shape or 0 in b.shape:
        k = min(a.shape[-2:])
        zeros = np.zeros((*a.shape[:-2], a.shape[-1], b.shape[-1]), a.dtype)
        return zeros, np.zeros(a.shape[:-2], np.int64), np.zeros((*a.shape[:-2], k), a.real.dtype)
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    ratio = eps * max(a.shape[-2:]) if rcond is None else rcond
    keep = s > ratio * s[..., :1]
    if full:
        keep = s > 0
    scaled = np.where(keep, 1 / np.where(keep, s, 1), 0).astype(s.dtype)
    x = vh.conj().swapaxes(-1, -2) @ (scaled[..., None] * (u.conj().swapaxes(-1, -2) @ b))
    return x, keep.sum(-1).astype(np.int64), s


# ---- rank and condition ----------------------------------------------------------------------------------------


def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Any = None,
) -> Tensor:
    """How many singular values of matrices (*, m, n) exceed max(atol, rtol * the largest), as int64 (*).

    ``rtol`` is by default eps * max(m, n), or 0 when ``atol`` is positive; ``tol`` is the older name of ``atol`` that
    replaces both. With ``hermitian`` the absolute eigenvalues are counted.

    Example:
        >>> import pydl
        >>> pydl.linalg.matrix_rank(pydl.tensor([[1., 2.], [2., 4.]]))
        tensor(1)
    """
    op = "linalg.matrix_rank"
    check_square(op, A) if hermitian else check_matrix(op, A)
    if tol is not None:
        atol, rtol = tol, 0.0
    if A.numel() == 0:
        return deliver(op, pydl.zeros(tuple(A.shape[:-2]), dtype=pydl.int64), out)
    s = _spectrum(arrays(A), hermitian)
    count = (s > _tolerances(op, A, atol, rtol, s.max(-1))).sum(-1)
    return deliver(op, tensor(count).to(pydl.int64), out)


def cond(A: Tensor, p: Any = None, *, out: Any = None) -> Tensor:
    """The condition numbers (*) of matrices with respect to the norm ``p``: norm(A) * norm(inverse of A).

    ``p`` None or 2: the ratio of the largest to the smallest singular value, -2 its inverse, for any (*, m, n); 'fro',
    'nuc', inf, -inf, 1 and -1 for square matrices. A singular matrix gives inf.

    Raises:
        RuntimeError: for another ``p`` or a matrix that is not square.

    Example:
        >>> import pydl
        >>> pydl.linalg.cond(pydl.tensor([[2., 0.], [0., 1.]]))
        tensor(2.)
    """
    op = "linalg.cond"
    if p is None or p in (2, -2):
        check_matrix(op, A)
        s = pydl.linalg.svdvals(A)
        if s.shape[-1] == 0:
            return deliver(op, pydl.zeros(tuple(s.shape[:-1]), dtype=s.dtype), out)
        return deliver(op, s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1], out)
    if p not in ("fro", "nuc", math.inf, -math.inf, 1, -1):
        raise RuntimeError(f"{op}(): got an invalid norm type: {p}")
    check_square(op, A)
    if A.shape[-1] == 0:
        return deliver(op, pydl.zeros(tuple(A.shape[:-2]), dtype=real_dtype(A)), out)
    inverse, info = pydl.linalg.inv_ex(A)
    ratio = pydl.linalg.matrix_norm(A, p) * pydl.linalg.matrix_norm(inverse, p)
    return deliver(op, pydl.where(info == 0, ratio, pydl.full_like(ratio, math.inf)), out)
