"""Cholesky, LU and LDL factors and the solvers that use them."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.autograd import Function
from pydl.linalg._checks import (
    LinAlgError,
    arrays,
    batch_label,
    check_matrix,
    check_same_dtype,
    check_square,
    deliver,
    identity_like,
    named,
    tensor,
)
from pydl.linalg._ldl import factor_batch, solve_batch

__all__ = [
    "cholesky", "cholesky_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lu", "lu_factor", "lu_factor_ex",
    "lu_solve",
]  # fmt: skip

_CholeskyEx = named("linalg_cholesky_ex", "L info")
_LDLFactor = named("linalg_ldl_factor", "LD pivots")
_LDLFactorEx = named("linalg_ldl_factor_ex", "LD pivots info")
_LU = named("linalg_lu", "P L U")
_LUFactor = named("linalg_lu_factor", "LU pivots")
_LUFactorEx = named("linalg_lu_factor_ex", "LU pivots info")


# ---- Cholesky --------------------------------------------------------------------------------------------------


def _bad_minor(a: Any) -> int:
    """The order of the first leading minor that is not positive-definite."""
    low, high = 0, a.shape[-1]
    while high - low > 1:
        middle = (low + high) // 2
        try:
            np.linalg.cholesky(a[:middle, :middle])
            low = middle
        except np.linalg.LinAlgError:
            high = middle
    return high


def _cholesky_batch(a: Any) -> tuple[Any, Any]:
    """Factors and infos. A matrix without a factor gets NaN."""
    infos = np.zeros(a.shape[:-2], np.int32)
    try:
        factors = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        factors = np.empty_like(a)
        for at in np.ndindex(*a.shape[:-2]):
            try:
                factors[at] = np.linalg.cholesky(a[at])
            except np.linalg.LinAlgError:
                factors[at] = np.nan
                infos[at] = _bad_minor(a[at])
    return factors, infos


class _LinalgCholeskyEx(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        factors, infos = _cholesky_batch(arrays(a))
        factor, info = tensor(factors), tensor(infos)
        ctx.save_for_backward(factor)
        ctx.mark_non_differentiable(info)
        return factor, info

    @staticmethod
    def backward(ctx: Any, grad: Tensor, unused: Any) -> Any:
        """Murray, "Differentiation of the Cholesky decomposition", 2016, equation 10."""
        (factor,) = ctx.saved_tensors
        inner = (factor.mH @ grad).tril()
        inner = inner - pydl.diag_embed(inner.diagonal(0, -2, -1)) / 2
        solve = pydl.linalg.solve_triangular
        half = solve(factor.mH, solve(factor, inner, upper=False, left=False), upper=True)
        return (half + half.mH) / 2


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """`cholesky` with ``info`` (*) in place of an error: 0, or the order of the first minor that is not positive.

    Where ``info`` is not 0 the factor is NaN. With ``check_errors`` such a matrix raises LinAlgError after all.

    Example:
        >>> import pydl
        >>> pydl.linalg.cholesky_ex(pydl.tensor([[4., 0.], [0., -1.]])).info
        tensor(2, dtype=torch.int32)
    """
    op = "linalg.cholesky_ex"
    check_square(op, A)
    source = A.mH if upper else A  # only one triangle is read: of A^H the lower is the upper of A
    factor, info = _LinalgCholeskyEx.apply(source)
    if check_errors:
        _check_positive(op, info)
    return deliver(op, _CholeskyEx(factor.mH if upper else factor, info), out)


def _check_positive(op: str, info: Tensor) -> None:
    flat = arrays(info).reshape(-1)
    bad = np.flatnonzero(flat)
    if bad.size:
        raise LinAlgError(
            f"{op}: {batch_label(tuple(info.shape), int(bad[0]))}The factorization could not be completed because the "
            f"input is not positive-definite (the leading minor of order {flat[bad[0]]} is not positive-definite)."
        )


def cholesky(A: Tensor, *, upper: bool = False, out: Any = None) -> Tensor:
    """The lower triangular L with A = L L^H (``upper``: U with A = U^H U) of positive-definite matrices (*, n, n).

    Only one triangle of ``A`` is read, the one of the result.

    Raises:
        LinAlgError: if a matrix is not positive-definite; names its place in the batch and the minor.

    Example:
        >>> import pydl
        >>> pydl.linalg.cholesky(pydl.tensor([[4., 2.], [2., 5.]]))
        tensor([[2., 0.],
                [1., 2.]])
    """
    check_square("linalg.cholesky", A)
    factor, info = cholesky_ex(A, upper=upper)
    _check_positive("linalg.cholesky", info)
    return deliver("linalg.cholesky", factor, out)


# ---- LU --------------------------------------------------------------------------------------------------------


def permutation(pivots: Tensor, rows: int) -> Tensor:
    """The order (*, rows) of rows that LAPACK's exchanges ``pivots`` (*, k), counted from 1, lead to."""
    steps = arrays(pivots).reshape(-1, pivots.shape[-1])
    order = np.tile(np.arange(rows), (steps.shape[0], 1))
    each = np.arange(steps.shape[0])
    for i in range(steps.shape[1]):
        k = steps[:, i].astype(np.int64) - 1
        if ((k < 0) | (k >= rows)).any():
            raise RuntimeError(f"lu_unpack(): pivots must be between 1 and {rows} inclusive")
        order[each, i], order[each, k] = order[each, k], order[each, i].copy()
    return tensor(order.reshape(*pivots.shape[:-1], rows))


def permutation_matrix(pivots: Tensor, rows: int, dtype: Any) -> Tensor:
    """P (*, rows, rows) with A = P L U."""
    order = permutation(pivots, rows)
    return pydl.zeros((*order.shape, rows), dtype=dtype).scatter(-1, order.unsqueeze(-1), 1.0).transpose(-2, -1)


class _LinalgLuFactorEx(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, pivot: bool) -> Any:
        factors, pivots, info = pydl._lu(a, pivot)  # type: ignore[attr-defined]
        ctx.save_for_backward(factors, pivots)
        ctx.mark_non_differentiable(pivots, info)
        return factors, pivots, info

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *unused: Any) -> Any:
        factors, pivots = ctx.saved_tensors
        m, n = factors.shape[-2:]
        k = min(m, n)
        core = factors[..., :k, :k]
        g_l, g_u = grad[..., :k, :k].tril(-1), grad[..., :k, :k].triu()
        solve = pydl.linalg.solve_triangular
        lower, upper = core.tril(-1) + identity_like(core, k), core.triu()
        if m > n:  # the rows below: L2 = A2 U^-1
            below = solve(upper.mH, grad[..., k:, :], upper=False, left=False)
            g_u = (g_u - factors[..., k:, :].mH @ below).triu()
        if m < n:  # the columns to the right: U2 = L^-1 A2
            right = solve(lower.mH, grad[..., k:], upper=True, unitriangular=True)
            g_l = (g_l - right @ factors[..., k:].mH).tril(-1)
        inner = (lower.mH @ g_l).tril(-1) + (g_u @ upper.mH).triu()
        middle = solve(lower.mH, solve(upper.mH, inner, upper=False, left=False), upper=True, unitriangular=True)
        if m > n:
            middle = pydl.cat([middle, below], -2)
        if m < n:
            middle = pydl.cat([middle, right], -1)
        return permutation_matrix(pivots, m, factors.dtype) @ middle, None


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """L and U in one matrix LU (*, m, n), ``pivots`` (*, min(m, n)) counted from 1, and ``info`` (*).

    ``info`` is 0, or the place of the first pivot that is zero; with ``check_errors`` that raises LinAlgError.

    Example:
        >>> import pydl
        >>> pydl.linalg.lu_factor_ex(pydl.tensor([[0., 2.], [4., 1.]])).LU
        tensor([[4., 1.],
                [0., 2.]])
    """
    op = "linalg.lu_factor_ex"
    check_matrix(op, A)
    result = _LUFactorEx(*_LinalgLuFactorEx.apply(A, bool(pivot)))
    if check_errors:
        _check_pivots(op, result.info)
    return deliver(op, result, out)


def _check_pivots(op: str, info: Tensor) -> None:
    flat = arrays(info).reshape(-1)
    bad = np.flatnonzero(flat)
    if bad.size:
        raise LinAlgError(
            f"{op}: {batch_label(tuple(info.shape), int(bad[0]))}U[{flat[bad[0]]},{flat[bad[0]]}] is zero and using it "
            "on lu_solve would result in a division by zero."
        )


def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """L (unit lower triangular) and U with A = P L U in one matrix (*, m, n), and the row exchanges as ``pivots``.

    Raises:
        RuntimeError: if the matrix is singular: a pivot is zero.

    Example:
        >>> import pydl
        >>> pydl.linalg.lu_factor(pydl.tensor([[0., 2.], [4., 1.]])).pivots
        tensor([2, 2], dtype=torch.int32)
    """
    check_matrix("linalg.lu_factor", A)
    factors, pivots, info = _LinalgLuFactorEx.apply(A, bool(pivot))
    _check_pivots("linalg.lu_factor", info)
    return deliver("linalg.lu_factor", _LUFactor(factors, pivots), out)


def split_factors(LU: Tensor) -> tuple[Tensor, Tensor]:
    """L (*, m, k) and U (*, k, n) of the packed form."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    lower = LU[..., :k].tril(-1) + pydl.eye(m, k, dtype=LU.dtype)
    return lower, LU[..., :k, :].triu()


def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """The permutation P (*, m, m), unit lower triangular L (*, m, k) and upper U (*, k, n) with A = P L U.

    Without ``pivot`` no rows are exchanged and P is empty.

    Example:
        >>> import pydl
        >>> pydl.linalg.lu(pydl.tensor([[0., 2.], [4., 1.]])).P
        tensor([[0., 1.],
                [1., 0.]])
    """
    check_matrix("linalg.lu", A)
    factors, pivots, _ = _LinalgLuFactorEx.apply(A, bool(pivot))
    lower, upper = split_factors(factors)
    p = permutation_matrix(pivots, A.shape[-2], A.dtype) if pivot else pydl.empty((0,), dtype=A.dtype)
    return deliver("linalg.lu", _LU(p, lower, upper), out)


def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Any = None
) -> Tensor:
    """X of A X = B from `lu_factor` of A (*, n, n); X A = B without ``left``, A^H in place of A with ``adjoint``.

    Raises:
        RuntimeError: for shapes that do not fit or pivots that are not int32.

    Example:
        >>> import pydl
        >>> LU, pivots = pydl.linalg.lu_factor(pydl.tensor([[0., 2.], [4., 0.]]))
        >>> pydl.linalg.lu_solve(LU, pivots, pydl.tensor([[2.], [4.]]))
        tensor([[1.],
                [1.]])
    """
    op = "linalg.lu_solve"
    check_square(op, LU, "LU")
    check_matrix(op, B, "B")
    check_same_dtype(op, LU, B, ("LU", "B"))
    if pivots.dtype != pydl.int32:
        raise RuntimeError(f"{op}(): pivots should be a Tensor of scalar type torch.int32, got {pivots.dtype}")
    if pivots.shape != LU.shape[:-1]:
        raise pydl.ShapeError(
            f"{op}(): Number of pivots per batch should be same as the dimension of the matrix, got pivots of shape "
            f"{tuple(pivots.shape)} for LU of shape {tuple(LU.shape)}"
        )
    if (B.shape[-2] if left else B.shape[-1]) != LU.shape[-1]:
        raise pydl.ShapeError(
            f"{op}(): Incompatible shapes of LU and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({LU.shape[-2]}x{LU.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    if not left:  # X A = B  <=>  A^H X^H = B^H
        return deliver(op, _lu_solve(LU, pivots, B.mH, not adjoint).mH, out)
    return deliver(op, _lu_solve(LU, pivots, B, adjoint), out)


def _lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, adjoint: bool) -> Tensor:
    p = permutation_matrix(pivots, LU.shape[-1], LU.dtype)
    solve = pydl.linalg.solve_triangular
    if adjoint:
        return p @ solve(LU.mH, solve(LU.mH, B, upper=False), upper=True, unitriangular=True)
    return solve(LU, solve(LU, p.mT @ B, upper=False, unitriangular=True), upper=True)


# ---- LDL -------------------------------------------------------------------------------------------------------


def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """L and the block diagonal D with A = L D L^T (L^H with ``hermitian``) in LAPACK's packed form.

    LD (*, n, n) holds D's diagonal and L below it; negative ``pivots`` (*, n) mark blocks of two. ``info`` (*) is the
    place of the first zero in D, or 0. Reads the lower triangle. No gradients, as in torch. The method is Bunch and
    Kaufman's, "Some stable methods for calculating inertia and solving symmetric linear systems", 1977.

    Example:
        >>> import pydl
        >>> pydl.linalg.ldl_factor_ex(pydl.tensor([[4., 2.], [2., 3.]])).LD
        tensor([[4.0000, 0.0000],
                [0.5000, 2.0000]])
    """
    op = "linalg.ldl_factor_ex"
    check_square(op, A)
    factors, pivots, infos = factor_batch(arrays(A), bool(hermitian))
    result = _LDLFactorEx(tensor(factors), tensor(pivots), tensor(infos))
    if check_errors:
        _check_blocks(op, result.info)
    return deliver(op, result, out)


def _check_blocks(op: str, info: Tensor) -> None:
    flat = arrays(info).reshape(-1)
    bad = np.flatnonzero(flat)
    if bad.size:
        raise LinAlgError(
            f"{op}: {batch_label(tuple(info.shape), int(bad[0]))}The diagonal element {flat[bad[0]]} of D is zero: "
            "using it on ldl_solve would result in a division by zero."
        )


def ldl_factor(A: Tensor, *, hermitian: bool = False, out: Any = None) -> Any:
    """`ldl_factor_ex` without ``info``.

    Raises:
        RuntimeError: if D has a zero block.

    Example:
        >>> import pydl
        >>> pydl.linalg.ldl_factor(pydl.tensor([[4., 2.], [2., 3.]])).pivots
        tensor([1, 2], dtype=torch.int32)
    """
    check_square("linalg.ldl_factor", A)
    factors, pivots, info = ldl_factor_ex(A, hermitian=hermitian)
    _check_blocks("linalg.ldl_factor", info)
    return deliver("linalg.ldl_factor", _LDLFactor(factors, pivots), out)


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Any = None) -> Tensor:
    """X of A X = B from `ldl_factor` of A; B is (*, n, k). No gradients, as in torch.

    Example:
        >>> import pydl
        >>> LD, pivots = pydl.linalg.ldl_factor(pydl.tensor([[4., 2.], [2., 3.]]))
        >>> pydl.linalg.ldl_solve(LD, pivots, pydl.tensor([[6.], [5.]]))
        tensor([[1.],
                [1.]])
    """
    op = "linalg.ldl_solve"
    check_square(op, LD, "LD")
    check_matrix(op, B, "B")
    check_same_dtype(op, LD, B, ("LD", "B"))
    if pivots.shape != LD.shape[:-1] or pivots.dtype not in (pydl.int32, pydl.int64):
        raise pydl.ShapeError(
            f"{op}(): Expected pivots of integers and shape {tuple(LD.shape[:-1])}, got {pivots.dtype} "
            f"{tuple(pivots.shape)}"
        )
    if B.shape[-2] != LD.shape[-1]:
        raise pydl.ShapeError(
            f"{op}(): Incompatible matrix sizes: each LD matrix is {LD.shape[-1]} by {LD.shape[-1]} "
            f"but each B matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    batch = tuple(pydl.broadcast_shapes(LD.shape[:-2], B.shape[:-2]))
    n, k = B.shape[-2:]
    found = solve_batch(
        np.broadcast_to(arrays(LD), (*batch, n, n)),
        np.broadcast_to(arrays(pivots), (*batch, n)),
        np.broadcast_to(arrays(B), (*batch, n, k)),
        bool(hermitian),
    )
    return deliver(op, tensor(found), out)
