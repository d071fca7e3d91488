"""The linear algebra extension of the array API standard."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import pydl
from pydl import Tensor
from pydl.array_api._arrays import promoted
from pydl.array_api._statistics import sum as _sum

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]  # fmt: skip

_Eigh = namedtuple("_Eigh", "eigenvalues eigenvectors")
_QR = namedtuple("_QR", "Q R")
_Slogdet = namedtuple("_Slogdet", "sign logabsdet")
_SVD = namedtuple("_SVD", "U S Vh")


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """See `pydl.linalg.cholesky`."""
    return pydl.linalg.cholesky(x, upper=upper)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """See `pydl.linalg.cross`; the other axes broadcast."""
    a, b = promoted(x1, x2)
    dims = max(a.dim(), b.dim())
    a, b = (t.reshape((1,) * (dims - t.dim()) + tuple(t.shape)) for t in (a, b))
    return pydl.linalg.cross(a, b, dim=axis)


def det(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.det`."""
    return pydl.linalg.det(x)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals of matrices."""
    return pydl.linalg.diagonal(x, offset=offset)


def eigh(x: Tensor, /) -> Any:
    """See `pydl.linalg.eigh`."""
    return _Eigh(*pydl.linalg.eigh(x))


def eigvalsh(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.eigvalsh`."""
    return pydl.linalg.eigvalsh(x)


def inv(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.inv`."""
    return pydl.linalg.inv(x)


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """See `pydl.matmul`."""
    a, b = promoted(x1, x2)
    return pydl.matmul(a, b)  # type: ignore[attr-defined]


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """See `pydl.linalg.matrix_norm`."""
    return pydl.linalg.matrix_norm(x, ord, keepdim=keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """See `pydl.linalg.matrix_power`."""
    return pydl.linalg.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """See `pydl.linalg.matrix_rank`."""
    return pydl.linalg.matrix_rank(x, rtol=rtol)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The transposes of matrices, as views."""
    if x.dim() < 2:
        raise ValueError(f"matrix_transpose(): at least 2 dims are needed, got {x.dim()}")
    return x.transpose(-2, -1)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The products of all pairs of two vectors."""
    a, b = promoted(x1, x2)
    if a.dim() != 1 or b.dim() != 1:
        raise ValueError("outer(): both arrays must be one-dimensional")
    return a.unsqueeze(1) * b.unsqueeze(0)


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """See `pydl.linalg.pinv`."""
    return pydl.linalg.pinv(x, rtol=rtol)


def qr(x: Tensor, /, *, mode: str = "reduced") -> Any:
    """See `pydl.linalg.qr`."""
    return _QR(*pydl.linalg.qr(x, mode))


def slogdet(x: Tensor, /) -> Any:
    """See `pydl.linalg.slogdet`."""
    return _Slogdet(*pydl.linalg.slogdet(x))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """See `pydl.linalg.solve`; ``x2`` is a vector only if it has one dim."""
    a, b = promoted(x1, x2)
    if b.dim() == 1:
        return pydl.linalg.solve(a, b.unsqueeze(-1)).squeeze(-1)
    batch = tuple(pydl.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    return pydl.linalg.solve(a, b.expand(*batch, *b.shape[-2:]))


def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """See `pydl.linalg.svd`."""
    return _SVD(*pydl.linalg.svd(x, full_matrices))


def svdvals(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.svdvals`."""
    return pydl.linalg.svdvals(x)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """See `pydl.tensordot`."""
    a, b = promoted(x1, x2)
    return pydl.tensordot(a, b, axes)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sums of the diagonals of matrices."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sums of conj(x1) * x2 along ``axis``, counted from the end."""
    a, b = pydl.broadcast_tensors(*promoted(x1, x2))
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot(): sizes {x1.shape[axis]} and {x2.shape[axis]} of axis {axis} differ")
    return pydl.linalg.vecdot(a, b, dim=axis)


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """See `pydl.linalg.vector_norm`; () as ``axis`` reduces nothing."""
    if axis == ():
        return x.abs() if ord != 0 else (x != 0).to(x.dtype.to_real())
    return pydl.linalg.vector_norm(x, ord, axis, keepdims)
