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
    """See `pydl.linalg.cholesky`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.cholesky(xp.asarray([[4.0, 2.0], [2.0, 2.0]]))
        tensor([[2., 0.],
                [1., 1.]])
    """
    return pydl.linalg.cholesky(x, upper=upper)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """See `pydl.linalg.cross`; the other axes broadcast.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.cross(xp.asarray([1, 0, 0]), xp.asarray([0, 1, 0]))
        tensor([0, 0, 1])
    """
    a, b = promoted(x1, x2)
    dims = max(a.dim(), b.dim())
    a, b = (t.reshape((1,) * (dims - t.dim()) + tuple(t.shape)) for t in (a, b))
    return pydl.linalg.cross(a, b, dim=axis)


def det(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.det`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.det(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        tensor(-2.)
    """
    return pydl.linalg.det(x)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals of matrices.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.diagonal(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        tensor([1., 4.])
    """
    return pydl.linalg.diagonal(x, offset=offset)


def eigh(x: Tensor, /) -> Any:
    """See `pydl.linalg.eigh`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.eigh(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        tensor([1., 2.])
    """
    return _Eigh(*pydl.linalg.eigh(x))


def eigvalsh(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.eigvalsh`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.eigvalsh(xp.asarray([[2.0, 0.0], [0.0, 1.0]]))
        tensor([1., 2.])
    """
    return pydl.linalg.eigvalsh(x)


def inv(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.inv`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.inv(xp.asarray([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return pydl.linalg.inv(x)


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """See `pydl.matmul`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.matmul(xp.asarray([[1.0, 2.0], [3.0, 4.0]]), xp.asarray([1.0, 1.0]))
        tensor([3., 7.])
    """
    a, b = promoted(x1, x2)
    return pydl.matmul(a, b)  # type: ignore[attr-defined]


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """See `pydl.linalg.matrix_norm`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.matrix_norm(xp.asarray([[3.0, 0.0], [0.0, 4.0]]))
        tensor(5.)
    """
    return pydl.linalg.matrix_norm(x, ord, keepdim=keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """See `pydl.linalg.matrix_power`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.matrix_power(xp.asarray([[1.0, 2.0], [3.0, 4.0]]), 2)
        tensor([[ 7., 10.],
                [15., 22.]])
    """
    return pydl.linalg.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """See `pydl.linalg.matrix_rank`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.matrix_rank(xp.ones((2, 2)))
        tensor(1)
    """
    return pydl.linalg.matrix_rank(x, rtol=rtol)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The transposes of matrices, as views.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.matrix_transpose(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[1., 3.],
                [2., 4.]])
    """
    if x.dim() < 2:
        raise ValueError(f"matrix_transpose(): at least 2 dims are needed, got {x.dim()}")
    return x.transpose(-2, -1)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The products of all pairs of two vectors.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.outer(xp.asarray([1, 2]), xp.asarray([3, 4]))
        tensor([[3, 4],
                [6, 8]])
    """
    a, b = promoted(x1, x2)
    if a.dim() != 1 or b.dim() != 1:
        raise ValueError("outer(): both arrays must be one-dimensional")
    return a.unsqueeze(1) * b.unsqueeze(0)


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """See `pydl.linalg.pinv`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.pinv(xp.asarray([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return pydl.linalg.pinv(x, rtol=rtol)


def qr(x: Tensor, /, *, mode: str = "reduced") -> Any:
    """See `pydl.linalg.qr`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.qr(xp.asarray([[2.0, 1.0], [0.0, 3.0]])).R.abs()
        tensor([[2., 1.],
                [0., 3.]])
    """
    return _QR(*pydl.linalg.qr(x, mode))


def slogdet(x: Tensor, /) -> Any:
    """See `pydl.linalg.slogdet`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.slogdet(xp.asarray([[-1.0, 0.0], [0.0, 1.0]])).sign
        tensor(-1.)
    """
    return _Slogdet(*pydl.linalg.slogdet(x))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """See `pydl.linalg.solve`; ``x2`` is a vector only if it has one dim.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.solve(xp.asarray([[2.0, 0.0], [0.0, 4.0]]), xp.asarray([2.0, 8.0]))
        tensor([1., 2.])
    """
    a, b = promoted(x1, x2)
    if b.dim() == 1:
        return pydl.linalg.solve(a, b.unsqueeze(-1)).squeeze(-1)
    batch = tuple(pydl.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    return pydl.linalg.solve(a, b.expand(*batch, *b.shape[-2:]))


def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """See `pydl.linalg.svd`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.svd(xp.asarray([[2.0, 0.0], [0.0, 3.0]])).S
        tensor([3., 2.])
    """
    return _SVD(*pydl.linalg.svd(x, full_matrices))


def svdvals(x: Tensor, /) -> Tensor:
    """See `pydl.linalg.svdvals`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.svdvals(xp.asarray([[2.0, 0.0], [0.0, 3.0]]))
        tensor([3., 2.])
    """
    return pydl.linalg.svdvals(x)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """See `pydl.tensordot`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.tensordot(xp.asarray([[1.0, 2.0], [3.0, 4.0]]), xp.asarray([[1.0, 2.0], [3.0, 4.0]]), axes=2)
        tensor(30.)
    """
    a, b = promoted(x1, x2)
    return pydl.tensordot(a, b, axes)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sums of the diagonals of matrices.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.trace(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        tensor(5.)
    """
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sums of conj(x1) * x2 along ``axis``, counted from the end.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.vecdot(xp.asarray([1.0, 2.0]), xp.asarray([3.0, 4.0]))
        tensor(11.)
    """
    a, b = pydl.broadcast_tensors(*promoted(x1, x2))
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot(): sizes {x1.shape[axis]} and {x2.shape[axis]} of axis {axis} differ")
    return pydl.linalg.vecdot(a, b, dim=axis)


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """See `pydl.linalg.vector_norm`; () as ``axis`` reduces nothing.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linalg.vector_norm(xp.asarray([3.0, 4.0]))
        tensor(5.)
    """
    if axis == ():
        return x.abs() if ord != 0 else (x != 0).to(x.dtype.to_real())
    return pydl.linalg.vector_norm(x, ord, axis, keepdims)
