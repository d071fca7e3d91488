"""Products, powers and the exponential of matrices; their norms."""

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
    check_square,
    check_tensor,
    deliver,
    identity_like,
    wrap_dim,
)

__all__ = [
    "cross", "diagonal", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "multi_dot", "norm", "vander", "vecdot",
]  # fmt: skip


def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Any = None) -> Tensor:
    """The cross products of vectors of 3 along ``dim``; the other dims broadcast.

    Raises:
        RuntimeError: if ``dim`` has not 3 elements or the tensors differ in their number of dims.

    Example:
        >>> import pydl
        >>> pydl.linalg.cross(pydl.tensor([1., 0., 0.]), pydl.tensor([0., 1., 0.]))
        tensor([0., 0., 1.])
    """
    op = "linalg.cross"
    check_tensor(op, input, "input")
    check_tensor(op, other, "other")
    if input.dim() != other.dim():
        raise pydl.ShapeError(
            f"{op}(): inputs must have the same number of dimensions, got {input.dim()} and {other.dim()}"
        )
    d = wrap_dim(op, dim, input.dim())
    if input.dim() == 0 or input.shape[d] != 3 or other.shape[d] != 3:
        raise pydl.ShapeError(
            f"{op}(): inputs dimension {dim} must have length 3, got {tuple(input.shape)} and {tuple(other.shape)}"
        )
    a, b = pydl.broadcast_tensors(input, other)
    x, y = (tuple(t.select(d, i) for i in range(3)) for t in (a, b))
    parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return deliver(op, pydl.stack(parts, d), out)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices as a view; `pydl.diagonal` with the last two dims as default.

    Example:
        >>> import pydl
        >>> pydl.linalg.diagonal(pydl.tensor([[1., 2.], [3., 4.]]))
        tensor([1., 4.])
    """
    check_tensor("linalg.diagonal", A)
    return A.diagonal(offset, dim1, dim2)


def matmul(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """`pydl.matmul`.

    Example:
        >>> import pydl
        >>> pydl.linalg.matmul(pydl.ones(1, 2), pydl.ones(2))
        tensor([2.])
    """
    return pydl.matmul(input, other) if out is None else pydl.matmul(input, other, out=out)  # type: ignore[attr-defined]


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Any = None) -> Tensor:
    """The sums of conj(x) * y along ``dim``; the tensors broadcast.

    Example:
        >>> import pydl
        >>> pydl.linalg.vecdot(pydl.tensor([1., 2.]), pydl.tensor([3., 4.]))
        tensor(11.)
    """
    check_tensor("linalg.vecdot", x, "x")
    check_tensor("linalg.vecdot", y, "y")
    if x.dtype != y.dtype:
        raise RuntimeError(f"linalg.vecdot(): Expected vectors of one dtype, got {x.dtype} and {y.dtype}")
    return deliver("linalg.vecdot", (x.conj() * y).sum(dim, dtype=x.dtype), out)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The matrix (*, n, N) of powers x^0 .. x^(N - 1) of vectors (*, n); N is n by default.

    Raises:
        RuntimeError: if N is smaller than 2, as in torch, or x has no dims.

    Example:
        >>> import pydl
        >>> pydl.linalg.vander(pydl.tensor([2., 3.]), N=3)
        tensor([[1., 2., 4.],
                [1., 3., 9.]])
    """
    op = "linalg.vander"
    check_tensor(op, x, "x")
    if x.dtype == pydl.bool or (x.dtype == pydl.float16):
        raise RuntimeError(f"{op}(): not implemented for {x.dtype}")
    if x.dim() < 1:
        raise pydl.ShapeError(f"{op}(): x must have at least one dimension")
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(pydl.int64)
    n = x.shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError(f"{op}(): N must be greater than 1, got {n}")
    first = pydl.ones((*x.shape, 1), dtype=x.dtype)
    powers = x.unsqueeze(-1).expand(*x.shape, n - 1).cumprod(-1)
    return pydl.cat([first, powers.to(x.dtype)], -1)


def matrix_power(A: Tensor, n: int, *, out: Any = None) -> Tensor:
    """A^n by repeated squaring, for square matrices (*, m, m); a negative ``n`` takes powers of the inverse.

    Raises:
        LinAlgError: for a singular matrix and a negative ``n``.

    Example:
        >>> import pydl
        >>> pydl.linalg.matrix_power(pydl.tensor([[1., 1.], [0., 1.]]), 3)
        tensor([[1., 3.],
                [0., 1.]])
    """
    op = "linalg.matrix_power"
    check_tensor(op, A)
    if A.dim() < 2 or A.shape[-1] != A.shape[-2]:
        raise pydl.ShapeError(f"{op}(): A must be batches of square matrices, but it has shape {tuple(A.shape)}")
    if n == 0:
        return deliver(op, identity_like(A, A.shape[-1]).expand(A.shape).clone(), out)
    base = pydl.linalg.inv(A) if n < 0 else A
    left, result = abs(int(n)), None
    while left:
        if left & 1:
            result = base if result is None else result @ base
        left >>= 1
        if left:
            base = base @ base
    return deliver(op, result.clone() if result is A else result, out)


def _best_order(shapes: list[int]) -> Any:
    """Where to split each product i .. j (Cormen, Leiserson, Rivest, Stein, "Introduction to algorithms", 15.2)."""
    n = len(shapes) - 1
    cost = [[0.0] * n for _ in range(n)]
    split = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], split[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + float(shapes[i]) * shapes[k + 1] * shapes[j + 1], k) for k in range(i, j)
            )
    return split


def multi_dot(tensors: Any, *, out: Any = None) -> Tensor:
    """The product of two or more matrices, in the order that needs the fewest multiplications.

    The first and the last may be vectors.

    Raises:
        RuntimeError: for fewer than two tensors or shapes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.linalg.multi_dot([pydl.ones(2, 3), pydl.ones(3, 4), pydl.ones(4)])
        tensor([12., 12.])
    """
    op = "linalg.multi_dot"
    given = list(tensors)
    if len(given) < 2:
        raise RuntimeError(f"{op}(): expected at least 2 tensors but got {len(given)}")
    for position, t in enumerate(given):
        check_tensor(op, t, f"tensors[{position}]")
        allowed = (1, 2) if position in (0, len(given) - 1) else (2,)
        if t.dim() not in allowed:
            raise pydl.ShapeError(
                f"{op}(): tensor {position} must be {' or '.join(map(str, allowed))}D but got {t.dim()}D"
            )
        if t.dtype != given[0].dtype:
            raise RuntimeError(f"{op}(): all tensors must have the same dtype, got {given[0].dtype} and {t.dtype}")
    first, last = given[0].dim() == 1, given[-1].dim() == 1
    if first:
        given[0] = given[0].unsqueeze(0)
    if last:
        given[-1] = given[-1].unsqueeze(1)
    for k in range(len(given) - 1):
        if given[k].shape[1] != given[k + 1].shape[0]:
            raise pydl.ShapeError(
                f"{op}(): tensors {k} and {k + 1} with shapes {tuple(given[k].shape)} and {tuple(given[k + 1].shape)} "
                "cannot be multiplied"
            )
    split = _best_order([given[0].shape[0], *(t.shape[1] for t in given)])

    def product(i: int, j: int) -> Tensor:
        return given[i] if i == j else product(i, split[i][j]) @ product(split[i][j] + 1, j)

    result = product(0, len(given) - 1)
    if last:
        result = result.squeeze(1)
    return deliver(op, result.squeeze(0) if first else result, out)


# ---- exponential -----------------------------------------------------------------------------------------------

# Degrees of the Pade approximants and the 1-norms up to which they are exact to the precision (Higham, "The scaling
# and squaring method for the matrix exponential revisited", 2005, table 2.3; float32: Higham's functions, expm).
_PADE = {
    "float64": ((3, 1.495585217958292e-2), (5, 2.53939833006323e-1), (7, 9.504178996162932e-1),
                (9, 2.097847961257068e0), (13, 5.371920351148152e0)),
    "float32": ((3, 4.258730016922831e-1), (5, 1.880152677804762e0), (7, 3.925724783138660e0)),
}  # fmt: skip


def _pade(a: Any, degree: int) -> Any:
    c = [1.0]
    for j in range(degree):
        c.append(c[-1] * (degree - j) / ((2 * degree - j) * (j + 1)))
    eye = np.eye(a.shape[-1], dtype=a.dtype)
    square, power = a @ a, eye
    odd, even = c[1] * eye, c[0] * eye
    for j in range(2, degree + 1, 2):
        power = power @ square
        even = even + c[j] * power
        if j + 1 <= degree:
            odd = odd + c[j + 1] * power
    odd = a @ odd
    return np.linalg.solve(even - odd, even + odd).astype(a.dtype)


def _exponentials(a: Any) -> Any:
    """exp of matrices (b, n, n): each by the approximant and the scaling that its norm asks for."""
    norms = np.abs(a).sum(-2).max(-1)
    table = _PADE[str(a.real.dtype)]
    result = np.empty_like(a)
    todo = np.ones(len(a), bool)
    for degree, bound in table[:-1]:
        chosen = todo & (norms <= bound)
        if chosen.any():
            result[chosen] = _pade(a[chosen], degree)
            todo &= ~chosen
    bad = ~np.isfinite(norms)
    result[bad] = np.nan
    todo &= ~bad
    if todo.any():
        degree, bound = table[-1]
        times = np.maximum(0, np.ceil(np.log2(np.maximum(norms[todo], bound) / bound))).astype(np.int64)
        scaled = _pade((a[todo] * np.exp2(-times.astype(np.float64))[:, None, None]).astype(a.dtype), degree)
        with np.errstate(all="ignore"):
            for step in range(int(times.max())):
                more = times > step
                scaled[more] = scaled[more] @ scaled[more]
        result[todo] = scaled
    return result


class _LinalgMatrixExp(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        ctx.save_for_backward(a)
        n = a.shape[-1]
        if a.numel() == 0:
            return a.clone()
        return pydl.from_numpy(_exponentials(arrays(a).reshape(-1, n, n)).reshape(tuple(a.shape)))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """exp([[A^H, G], [0, A^H]]) holds the gradient in its corner (Higham, "Functions of matrices", 2008, 3.6)."""
        (a,) = ctx.saved_tensors
        n, turned = a.shape[-1], a.mH
        top = pydl.cat([turned, grad], -1)
        bottom = pydl.cat([pydl.zeros_like(turned), turned], -1)
        return _LinalgMatrixExp.apply(pydl.cat([top, bottom], -2))[..., :n, n:]


def matrix_exp(A: Tensor) -> Tensor:
    """The exponentials of square matrices (*, n, n), by scaling, Pade's approximant and squaring.

    Example:
        >>> import pydl
        >>> pydl.linalg.matrix_exp(pydl.tensor([[0., 1.], [0., 0.]]))
        tensor([[1., 1.],
                [0., 1.]])
    """
    check_square("linalg.matrix_exp", A)
    return _LinalgMatrixExp.apply(A)


# ---- norms -----------------------------------------------------------------------------------------------------


def _two_dims(op: str, A: Tensor, dim: Any) -> tuple[int, int]:
    dims = tuple(dim) if isinstance(dim, (list, tuple)) else (dim,)
    if len(dims) != 2:
        raise RuntimeError(f"{op}(): dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    first, second = (wrap_dim(op, d, A.dim()) for d in dims)
    if first == second:
        raise RuntimeError(f"{op}(): dims must be different. Got ({dims[0]}, {dims[1]})")
    return first, second


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Tensor:
    """Norms of matrices, which lie in the two ``dim``.

    ``ord`` 'fro': root of the sum of squares; 'nuc': sum of singular values; inf, -inf: largest, smallest row sum of
    absolute values; 1, -1: of columns; 2, -2: largest, smallest singular value. ``dtype`` converts the input first.

    Raises:
        RuntimeError: for another ``ord``.

    Example:
        >>> import pydl
        >>> pydl.linalg.matrix_norm(pydl.tensor([[3., 0.], [0., 4.]]), 'nuc')
        tensor(7.)
    """
    op = "linalg.matrix_norm"
    check_matrix(op, A) if dtype is None else check_tensor(op, A)
    first, second = _two_dims(op, A, dim)
    a = A if dtype is None else A.to(dtype)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{op}(): Order {ord} not supported.")
        if ord == "fro":
            return deliver(op, pydl.linalg.vector_norm(a, 2, (first, second), keepdim), out)
    elif not isinstance(ord, (int, float)) or abs(ord) not in (1, 2, math.inf):
        raise RuntimeError(f"{op}(): Order {ord} not supported.")
    if ord == "nuc" or abs(ord) == 2:
        values = pydl.linalg.svdvals(
            a.permute([d for d in range(a.dim()) if d not in (first, second)] + [first, second])
        )
        result = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord > 0 else values.amin(-1)
        if keepdim:
            for d in sorted((first, second)):
                result = result.unsqueeze(d)
        return deliver(op, result, out)
    summed, kept = (first, second) if abs(ord) == 1 else (second, first)
    sums = pydl.linalg.vector_norm(a, 1, (summed,), True)
    result = sums.amax(kept, True) if ord > 0 else sums.amin(kept, True)
    return deliver(op, result if keepdim else result.squeeze((first, second)), out)


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None, dtype: Any = None
) -> Tensor:
    """A vector or matrix norm, as ``ord`` and ``dim`` ask.

    Without ``ord`` the 2-norm of all elements in ``dim``; with one ``dim`` a vector norm; with two a matrix norm;
    without ``dim`` the tensor itself must be a vector or a matrix. See `vector_norm` and `matrix_norm`.

    Raises:
        RuntimeError: for an ``ord`` that fits neither.

    Example:
        >>> import pydl
        >>> pydl.linalg.norm(pydl.tensor([3., 4.]))
        tensor(5.)
    """
    op = "linalg.norm"
    check_tensor(op, A)
    dims = None if dim is None else tuple(dim) if isinstance(dim, (list, tuple)) else (dim,)
    if ord is not None:
        if dims is not None and len(dims) not in (1, 2):
            raise RuntimeError(f"{op}(): If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
        if dims is None and A.dim() not in (1, 2):
            raise RuntimeError(
                f"{op}(): If dim is not specified but ord is, the input must be 1D or 2D. Got {A.dim()}D."
            )
        if (dims is not None and len(dims) == 2) or (dims is None and A.dim() == 2) or isinstance(ord, str):
            return matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype, out=out)
    result = pydl.linalg.vector_norm(A, 2 if ord is None else ord, dims, keepdim, dtype=dtype)
    return deliver(op, result, out)
