"""Linear algebra under the names that torch has beside ``torch.linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.linalg import _factor, _systems
from pydl.linalg._checks import (
    arrays,
    check_float,
    check_matrix,
    check_same_dtype,
    check_square,
    check_tensor,
    deliver,
    identity_like,
    named,
    tensor,
    wrap_dim,
)
from pydl.linalg._distance import cdist, pdist
from pydl.linalg._lowrank import lobpcg, pca_lowrank, svd_lowrank
from pydl.linalg._products import matrix_exp, matrix_power

__all__ = [
    "cdist", "chain_matmul", "cholesky", "cholesky_inverse", "cholesky_solve", "cross", "det",
    "frobenius_norm", "geqrf", "inner", "inverse", "kron", "lobpcg", "logdet", "lu", "lu_solve", "lu_unpack",
    "matrix_exp", "matrix_power", "norm_except_dim", "nuclear_norm", "orgqr", "ormqr", "pca_lowrank", "pdist",
    "pinverse", "qr", "slogdet", "svd", "svd_lowrank", "triangular_solve", "vdot",
]  # fmt: skip

_Geqrf = named("geqrf", "a tau")
_QR = named("qr", "Q R")
_SVD = named("svd", "U S V")
_Triangular = named("triangular_solve", "solution cloned_coefficient")
_LuUnpack = named("lu_unpack", "P L U")

det = _systems.det
slogdet = _systems.slogdet
orgqr = _systems.householder_product


def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The product of matrices in the cheapest order: `pydl.linalg.multi_dot` of its arguments.

    Example:
        >>> import pydl
        >>> pydl.chain_matmul(pydl.ones(1, 2), pydl.ones(2, 3), pydl.ones(3, 1))
        tensor([[6.]])
    """
    if not matrices:
        raise RuntimeError("chain_matmul(): Expecting at least 1 matrix")
    for m in matrices:
        if m.dim() != 2:
            raise pydl.ShapeError(f"chain_matmul(): Tensor dimension is {m.dim()}, expected 2 instead")
    return deliver("chain_matmul", matrices[0] if len(matrices) == 1 else pydl.linalg.multi_dot(list(matrices)), out)


def cholesky(input: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """`pydl.linalg.cholesky`.

    Example:
        >>> import pydl
        >>> pydl.cholesky(pydl.tensor([[4.]]))
        tensor([[2.]])
    """
    check_square("cholesky", input, "input")
    factor, info = _factor.cholesky_ex(input, upper=upper)
    _factor._check_positive("cholesky", info)
    return deliver("cholesky", factor, out)


def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """The inverse of A from its Cholesky factor (*, n, n): A = L L^H, with ``upper`` A = L^H L.

    Example:
        >>> import pydl
        >>> pydl.cholesky_inverse(pydl.tensor([[2., 0.], [0., 1.]]))
        tensor([[0.2500, 0.0000],
                [0.0000, 1.0000]])
    """
    check_square("cholesky_inverse", L, "L")
    inverse = pydl.linalg.solve_triangular(L, identity_like(L, L.shape[-1]), upper=bool(upper))
    return deliver("cholesky_inverse", inverse @ inverse.mH if upper else inverse.mH @ inverse, out)


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """X of A X = B (*, n, k) from the Cholesky factor of A: A = L L^H, with ``upper`` A = L^H L.

    Example:
        >>> import pydl
        >>> pydl.cholesky_solve(pydl.tensor([[8.], [3.]]), pydl.tensor([[2., 0.], [0., 1.]]))
        tensor([[2.],
                [3.]])
    """
    op = "cholesky_solve"
    check_matrix(op, B, "B")
    check_square(op, L, "L")
    check_same_dtype(op, B, L, ("B", "L"))
    if B.shape[-2] != L.shape[-1]:
        raise pydl.ShapeError(
            f"{op}(): Incompatible matrix sizes for cholesky_solve: each L matrix is {L.shape[-1]} by {L.shape[-1]} "
            f"but each B matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    solve = pydl.linalg.solve_triangular
    if upper:
        return deliver(op, solve(L, solve(L.mH, B, upper=False), upper=True), out)
    return deliver(op, solve(L.mH, solve(L, B, upper=False), upper=True), out)


def cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Any = None) -> Tensor:
    """`pydl.linalg.cross`; without ``dim`` along the first dim that has 3 elements.

    Raises:
        RuntimeError: if no dim has 3 elements.

    Example:
        >>> import pydl
        >>> pydl.cross(pydl.tensor([1., 0., 0.]), pydl.tensor([0., 1., 0.]))
        tensor([0., 0., 1.])
    """
    check_tensor("cross", input, "input")
    if dim is None:
        dim = next((d for d, size in enumerate(input.shape) if size == 3), None)
        if dim is None:
            raise RuntimeError("cross(): no dimension of size 3 in input")
    return pydl.linalg.cross(input, other, dim=dim, out=out)


def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False, *, out: Any = None) -> Tensor:
    """The root of the sum of squares over ``dim``, one dim or two; all of them when it is empty.

    Example:
        >>> import pydl
        >>> pydl.frobenius_norm(pydl.tensor([[3., 4.]]), (0, 1))
        tensor(5.)
    """
    check_float("frobenius_norm", input, "input")
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) > 2:
        raise RuntimeError(f"frobenius_norm(): Expected at most 2 dimensions, but got {len(dims)} dimensions instead.")
    return deliver("frobenius_norm", pydl.linalg.vector_norm(input, 2, dims or None, keepdim), out)


def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False, *, out: Any = None) -> Tensor:
    """The sum of the singular values of matrices.

    Example:
        >>> import pydl
        >>> pydl.nuclear_norm(pydl.tensor([[3., 0.], [0., 4.]]))
        tensor(7.)
    """
    if isinstance(dim, bool):
        dim, keepdim = (-2, -1), dim
    return pydl.linalg.matrix_norm(input, "nuc", dim, keepdim, out=out)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The p-norms over all dims but ``dim``, which keep their places with size 1; of everything for ``dim`` -1.

    Example:
        >>> import pydl
        >>> pydl.norm_except_dim(pydl.tensor([[3., 4.], [6., 8.]]))
        tensor([[ 5.],
                [10.]])
    """
    check_float("norm_except_dim", v, "v")
    if dim == -1:
        return pydl.linalg.vector_norm(v, pow)
    if dim not in (0, v.dim() - 1):
        return norm_except_dim(v.transpose(0, wrap_dim("norm_except_dim", dim, v.dim())), pow, 0).transpose(0, dim)
    others = tuple(d for d in range(v.dim()) if d != dim)
    return pydl.linalg.vector_norm(v, pow, others, True) if others else v.abs()


def geqrf(input: Tensor, *, out: Any = None) -> Any:
    """R above and the reflections below the diagonal of ``a`` (*, m, n), their factors ``tau`` (*, min(m, n)).

    No gradients, as in torch. `orgqr` and `ormqr` take the result.

    Example:
        >>> import pydl
        >>> pydl.geqrf(pydl.tensor([[3.], [4.]])).a[0]
        tensor([-5.])
    """
    check_matrix("geqrf", input, "input")
    with pydl.no_grad():
        h, tau = np.linalg.qr(arrays(input), "raw")
        return deliver("geqrf", _Geqrf(tensor(h.swapaxes(-1, -2)), tensor(tau)), out)


def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False, *, out: Any = None
) -> Tensor:
    """Q @ other (other @ Q without ``left``), Q being the m x m product of the reflections in ``input`` and ``tau``.

    With ``transpose`` Q^H in place of Q.

    Example:
        >>> import pydl
        >>> h, tau = pydl.geqrf(pydl.tensor([[3.], [4.]]))
        >>> pydl.ormqr(h, tau, pydl.tensor([[3.], [4.]]), transpose=True).abs().round()
        tensor([[5.],
                [0.]])
    """
    op = "ormqr"
    check_matrix(op, other, "other")
    check_same_dtype(op, input, other, ("input", "other"))
    v, t = _systems.reflectors(input, tau, op)
    if (other.shape[-2] if left else other.shape[-1]) != v.shape[-2]:
        raise pydl.ShapeError(
            f"{op}(): other.shape[{-2 if left else -1}] must be equal to input.shape[-2], got {tuple(other.shape)} "
            f"and {tuple(input.shape)}"
        )
    t = t.mH if transpose else t
    result = other - v @ (t @ (v.mH @ other)) if left else other - ((other @ v) @ t) @ v.mH
    return deliver(op, result, out)


def inner(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Sums of products along the last dims; the product if one of the tensors is a number.

    Example:
        >>> import pydl
        >>> pydl.inner(pydl.tensor([1., 2.]), pydl.tensor([3., 4.]))
        tensor(11.)
    """
    check_tensor("inner", input, "input")
    check_tensor("inner", other, "other")
    if input.dim() == 0 or other.dim() == 0:
        return deliver("inner", input * other, out)
    if input.shape[-1] != other.shape[-1]:
        raise pydl.ShapeError(
            "inner(): the last dimension must match on both input tensors but got shapes "
            f"{tuple(input.shape)} and {tuple(other.shape)}"
        )
    return deliver("inner", pydl.tensordot(input, other, ([-1], [-1])), out)


def inverse(input: Tensor, *, out: Any = None) -> Tensor:
    """`pydl.linalg.inv`.

    Example:
        >>> import pydl
        >>> pydl.inverse(pydl.tensor([[2.]]))
        tensor([[0.5000]])
    """
    return pydl.linalg.inv(input, out=out)


def kron(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The Kronecker product: each element of ``input`` times ``other``, dim by dim from the last.

    Example:
        >>> import pydl
        >>> pydl.kron(pydl.eye(2), pydl.tensor([[1., 2.]]))
        tensor([[1., 2., 0., 0.],
                [0., 0., 1., 2.]])
    """
    check_tensor("kron", input, "input")
    check_tensor("kron", other, "other")
    n = max(input.dim(), other.dim())
    a = (1,) * (n - input.dim()) + tuple(input.shape)
    b = (1,) * (n - other.dim()) + tuple(other.shape)
    left = input.reshape([size for s in a for size in (s, 1)])
    right = other.reshape([size for s in b for size in (1, s)])
    return deliver("kron", (left * right).reshape([x * y for x, y in zip(a, b)]), out)


def logdet(input: Tensor) -> Tensor:
    """The logarithm of determinants (*): NaN for a negative one, -inf for a singular matrix.

    Example:
        >>> import pydl
        >>> pydl.logdet(pydl.eye(3))
        tensor(0.)
    """
    check_square("logdet", input, "input")
    sign, logarithm = slogdet(input)
    return sign.log() + logarithm


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """`pydl.linalg.lu_factor`: LU and pivots, with ``get_infos`` also infos.

    Example:
        >>> import pydl
        >>> pydl.lu(pydl.tensor([[2.]]))[0]
        tensor([[2.]])
    """
    result = pydl.linalg.lu_factor_ex(A, pivot=pivot)
    return deliver("lu", tuple(result) if get_infos else tuple(result[:2]), out)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
    """X of A X = b (*, n, k) from `lu` of A.

    Example:
        >>> import pydl
        >>> pydl.lu_solve(pydl.tensor([[4.]]), *pydl.lu(pydl.tensor([[2.]])))
        tensor([[2.]])
    """
    return pydl.linalg.lu_solve(LU_data, LU_pivots, b, out=out)


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True, *, out: Any = None
) -> Any:
    """P (*, m, m), L (*, m, k) and U (*, k, n) from `lu`; what is not unpacked is empty.

    Example:
        >>> import pydl
        >>> pydl.lu_unpack(*pydl.lu(pydl.tensor([[0., 1.], [2., 0.]]))).U
        tensor([[2., 0.],
                [0., 1.]])
    """
    op = "lu_unpack"
    check_matrix(op, LU_data, "LU_data")
    if unpack_pivots and LU_pivots.dtype != pydl.int32:
        raise RuntimeError(f"{op}(): LU_pivots is expected to be a tensor of torch.int32 dtype. Got {LU_pivots.dtype}")
    none = pydl.empty((0,), dtype=LU_data.dtype)
    lower, upper = _factor.split_factors(LU_data) if unpack_data else (none, none)
    p = _factor.permutation_matrix(LU_pivots, LU_data.shape[-2], LU_data.dtype) if unpack_pivots else none
    return deliver(op, _LuUnpack(p, lower, upper), out)


def pinverse(input: Tensor, rcond: Any = 1e-15) -> Tensor:
    """`pydl.linalg.pinv` with rtol = ``rcond``.

    Example:
        >>> import pydl
        >>> pydl.pinverse(pydl.tensor([[2.], [0.]]))
        tensor([[0.5000, 0.0000]])
    """
    return pydl.linalg.pinv(input, rtol=rcond)


def qr(input: Tensor, some: bool = True, *, out: Any = None) -> Any:
    """`pydl.linalg.qr`: 'reduced' with ``some``, otherwise 'complete'.

    Example:
        >>> import pydl
        >>> pydl.qr(pydl.tensor([[3.], [4.]])).R
        tensor([[-5.]])
    """
    return deliver("qr", _QR(*pydl.linalg.qr(input, "reduced" if some else "complete")), out)


def svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """U, S and V with input = U diag(S) V^H: V itself, where `pydl.linalg.svd` gives V^H.

    Without ``compute_uv`` U and V are zero-filled.

    Example:
        >>> import pydl
        >>> pydl.svd(pydl.tensor([[3., 0.], [0., 4.]])).S
        tensor([4., 3.])
    """
    if not compute_uv:
        values = pydl.linalg.svdvals(input)
        batch, (m, n) = tuple(input.shape[:-2]), input.shape[-2:]
        zeros = [pydl.zeros((*batch, k, k), dtype=input.dtype) for k in (m, n)]
        return deliver("svd", _SVD(zeros[0], values, zeros[1]), out)
    u, s, vh = pydl.linalg.svd(input, full_matrices=not some)
    return deliver("svd", _SVD(u, s, vh.mH), out)


def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False, *, out: Any = None
) -> Any:
    """X of A X = b for triangular A, and a copy of A; with ``transpose`` A^T X = b. See `linalg.solve_triangular`.

    Example:
        >>> import pydl
        >>> pydl.triangular_solve(pydl.tensor([[4.]]), pydl.tensor([[2.]])).solution
        tensor([[2.]])
    """
    check_matrix("triangular_solve", b, "b")
    check_square("triangular_solve", A)
    matrix = A.mT if transpose else A
    found = pydl.linalg.solve_triangular(matrix, b, upper=bool(upper) != bool(transpose), unitriangular=unitriangular)
    return deliver("triangular_solve", _Triangular(found, A.clone()), out)


def vdot(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The sum of conj(input) * other of two vectors.

    Raises:
        RuntimeError: unless both are vectors of one size and dtype.

    Example:
        >>> import pydl
        >>> pydl.vdot(pydl.tensor([1j]), pydl.tensor([2j]))
        tensor(2.+0.j)
    """
    check_tensor("vdot", input, "input")
    check_tensor("vdot", other, "other")
    if input.dim() != 1 or other.dim() != 1:
        raise pydl.ShapeError(f"vdot(): 1D tensors expected, but got {input.dim()}D and {other.dim()}D tensors")
    if input.shape != other.shape:
        raise pydl.ShapeError(
            f"vdot(): inconsistent tensor size, expected tensor [{input.numel()}] and src [{other.numel()}] to have "
            "the same number of elements"
        )
    check_same_dtype("vdot", input, other, ("input", "other"))
    return deliver("vdot", pydl.dot(input.conj(), other), out)  # type: ignore[attr-defined]
