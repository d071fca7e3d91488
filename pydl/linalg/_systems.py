"""Inverses, determinants and linear systems."""

from __future__ import annotations

import math
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
    check_tensor,
    deliver,
    identity_like,
    named,
    tensor,
)

__all__ = [
    "det", "householder_product", "inv", "inv_ex", "slogdet", "solve", "solve_ex", "tensorinv", "tensorsolve",
]  # fmt: skip

_InvEx = named("linalg_inv_ex", "inverse info")
_SolveEx = named("linalg_solve_ex", "result info")
_Slogdet = named("linalg_slogdet", "sign logabsdet")


def _infos(a: Any) -> Any:
    """For each matrix the place of its first zero pivot, or 0."""
    return arrays(pydl._lu(tensor(a))[2])  # type: ignore[attr-defined]


def _with_infos(a: Any, call: Any) -> tuple[Any, Any]:
    """``call(a)`` and the infos; results of singular matrices are NaN."""
    try:
        return call(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        infos = _infos(a)
        # LAPACK and our LU may round differently in a matrix that is singular but for rounding.
        bad = infos != 0
        safe = np.where(bad[..., None, None], np.eye(a.shape[-1], dtype=a.dtype), a)
        try:
            found = call(safe)
        except np.linalg.LinAlgError:
            found = np.full_like(call(np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)), np.nan)
            return found, np.full(a.shape[:-2], a.shape[-1], np.int32)
        found[np.broadcast_to(bad, found.shape[:-2])] = np.nan
        return found, infos


def _raise_singular(op: str, info: Any, text: str) -> None:
    bad = np.flatnonzero(info)
    if bad.size:
        place = int(np.reshape(info, -1)[bad[0]])
        raise LinAlgError(f"{op}: {batch_label(np.shape(info), int(bad[0]))}" + text.format(place=place))


# ---- inverse ---------------------------------------------------------------------------------------------------

_NO_INVERSE = (
    "The diagonal element {place} is zero, the inversion could not be completed because the input matrix is singular."
)


class _LinalgInvEx(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        found, infos = _with_infos(arrays(a), np.linalg.inv)
        inverse, info = tensor(found), tensor(infos)
        ctx.save_for_backward(inverse)
        ctx.mark_non_differentiable(info)
        return inverse, info

    @staticmethod
    def backward(ctx: Any, grad: Tensor, unused: Any) -> Any:
        (inverse,) = ctx.saved_tensors
        turned = inverse.mH
        return -(turned @ grad @ turned)


def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> Any:
    """`inv` with ``info`` (*) in place of an error: 0, or the place of a zero pivot. There the inverse is NaN.

    Example:
        >>> import pydl
        >>> pydl.linalg.inv_ex(pydl.zeros(2, 2)).info
        tensor(1, dtype=torch.int32)
    """
    check_square("linalg.inv_ex", A)
    result = _InvEx(*_LinalgInvEx.apply(A))
    if check_errors:
        _raise_singular("linalg.inv_ex", arrays(result.info), _NO_INVERSE)
    return deliver("linalg.inv_ex", result, out)


def inv(A: Tensor, *, out: Any = None) -> Tensor:
    """The inverses of square matrices (*, n, n).

    Raises:
        LinAlgError: if a matrix is singular; names its place in the batch.

    Example:
        >>> import pydl
        >>> pydl.linalg.inv(pydl.tensor([[2., 0.], [0., 4.]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    check_square("linalg.inv", A)
    inverse, info = _LinalgInvEx.apply(A)
    _raise_singular("linalg.inv", arrays(info), _NO_INVERSE)
    return deliver("linalg.inv", inverse, out)


# ---- solve -----------------------------------------------------------------------------------------------------


class _LinalgSolveEx(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Any:
        right = arrays(b)

        def call(m: Any) -> Any:
            return np.linalg.solve(m, right)

        found, infos = _with_infos(arrays(a), call)
        x, info = tensor(found), tensor(infos)
        ctx.save_for_backward(a, x)
        ctx.mark_non_differentiable(info)
        return x, info

    @staticmethod
    def backward(ctx: Any, grad: Tensor, unused: Any) -> Any:
        a, x = ctx.saved_tensors
        right = _LinalgSolveEx.apply(a.mH, grad)[0]
        return (-(right @ x.mH) if ctx.needs_input_grad[0] else None), right


def _is_vector(A: Tensor, B: Tensor) -> bool:
    return B.dim() == 1 or (A.dim() - 1 == B.dim() and A.shape[:-1] == B.shape)


def _solve(op: str, A: Tensor, B: Tensor, left: bool) -> tuple[Tensor, Tensor]:
    check_square(op, A)
    check_tensor(op, B, "B")
    check_same_dtype(op, A, B)
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError(f"{op}(): Vector broadcasting of the left hand side is not supported for left=False.")
    if B.dim() == 0:
        raise pydl.ShapeError(f"{op}(): The input tensor B must have at least 1 dimension")
    right = B.unsqueeze(-1) if vector else B
    if (right.shape[-2] if left else right.shape[-1]) != A.shape[-1]:
        raise pydl.ShapeError(
            f"{op}(): Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {right.shape[-2]}x{right.shape[-1]})"
        )
    if not left:
        x, info = _solve(op, A.mT, right.mT, True)
        return x.mT, info
    batch = tuple(pydl.broadcast_shapes(A.shape[:-2], right.shape[:-2]))
    x, info = _LinalgSolveEx.apply(A.expand(*batch, *A.shape[-2:]), right.expand(*batch, *right.shape[-2:]))
    return (x.squeeze(-1) if vector else x), info


_NO_SOLUTION = "The solver failed because the input matrix is singular."


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """`solve` with ``info`` (*) in place of an error: 0, or the place of a zero pivot. There the result is NaN.

    Example:
        >>> import pydl
        >>> pydl.linalg.solve_ex(pydl.zeros(2, 2), pydl.ones(2)).info
        tensor(1, dtype=torch.int32)
    """
    result = _SolveEx(*_solve("linalg.solve_ex", A, B, left))
    if check_errors:
        _raise_singular("linalg.solve_ex", arrays(result.info), _NO_SOLUTION)
    return deliver("linalg.solve_ex", result, out)


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Any = None) -> Tensor:
    """X of A X = B (X A = B without ``left``) for square matrices (*, n, n).

    ``B`` is a matrix (*, n, k), or a vector: (n,), or a batch of vectors of the shape of A without its last dim.

    Raises:
        LinAlgError: if a matrix is singular; names its place in the batch.

    Example:
        >>> import pydl
        >>> pydl.linalg.solve(pydl.tensor([[2., 1.], [0., 4.]]), pydl.tensor([4., 8.]))
        tensor([1., 2.])
    """
    x, info = _solve("linalg.solve", A, B, left)
    _raise_singular("linalg.solve", arrays(info), _NO_SOLUTION)
    return deliver("linalg.solve", x, out)


# ---- determinant -----------------------------------------------------------------------------------------------


def _adjugate(a: Tensor) -> Tensor:
    """The transposed cofactors, for singular matrices too.

    Without a graph from the singular values; with one by Faddeev and LeVerrier's recurrence, a polynomial in ``a``
    (Gantmacher, "The theory of matrices", 1959, chapter IV, section 5).
    """
    n = a.shape[-1]
    if not (pydl.is_grad_enabled() and a.requires_grad):
        u, s, vh = np.linalg.svd(arrays(a))
        others = np.stack([np.prod(np.delete(s, i, -1), -1) for i in range(n)], -1)
        phase = np.linalg.det(u) * np.linalg.det(vh)
        adjugate = (vh.conj().swapaxes(-1, -2) * others[..., None, :]) @ u.conj().swapaxes(-1, -2)
        return tensor((adjugate * phase[..., None, None]).astype(s.dtype if not np.iscomplexobj(u) else u.dtype))
    eye = identity_like(a, n)
    m = eye.expand(a.shape)
    for k in range(1, n):
        product = a @ m
        m = product - product.diagonal(0, -2, -1).sum(-1)[..., None, None] / k * eye
    return m if n % 2 else -m


class _LinalgDet(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        result = tensor(np.linalg.det(arrays(a)))
        ctx.save_for_backward(a, result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, det = ctx.saved_tensors
        if a.shape[-1] == 0:
            return pydl.zeros_like(a)
        inverse, info = _LinalgInvEx.apply(a)
        if bool(info.any()) or bool((det == 0).any()):
            return (grad[..., None, None] * _adjugate(a).mH) if a.shape[-1] > 1 else grad[..., None, None] + 0 * a
        return (grad * det.conj())[..., None, None] * inverse.mH


def det(A: Tensor, *, out: Any = None) -> Tensor:
    """The determinants (*) of square matrices (*, n, n). The gradient is right for singular matrices too.

    Example:
        >>> import pydl
        >>> pydl.linalg.det(pydl.tensor([[2., 1.], [1., 2.]]))
        tensor(3.)
    """
    check_square("linalg.det", A)
    return deliver("linalg.det", _LinalgDet.apply(A), out)


class _LinalgSlogdet(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        sign, logarithm = (tensor(x) for x in np.linalg.slogdet(arrays(a)))
        ctx.save_for_backward(a, sign)
        ctx.set_materialize_grads(False)
        return sign, logarithm

    @staticmethod
    def backward(ctx: Any, g_sign: Any, g_log: Any) -> Any:
        a, sign = ctx.saved_tensors
        # d log det = tr(A^-1 dA): its real part belongs to the logarithm, its imaginary part turns the sign.
        weight = 0 if g_log is None else g_log.to(a.dtype)
        if a.is_complex() and g_sign is not None:
            turn = (g_sign.conj() * sign).imag
            weight = weight - pydl.complex(pydl.zeros_like(turn), turn)
        if not isinstance(weight, Tensor):
            return pydl.zeros_like(a) if g_sign is not None else None
        return weight[..., None, None] * _LinalgInvEx.apply(a)[0].mH


def slogdet(A: Tensor, *, out: Any = None) -> Any:
    """The sign (complex: the phase) and the logarithm of the absolute value of determinants.

    A singular matrix gives sign 0 and logarithm -inf.

    Example:
        >>> import pydl
        >>> pydl.linalg.slogdet(pydl.tensor([[0., 1.], [1., 0.]])).sign
        tensor(-1.)
    """
    check_square("linalg.slogdet", A)
    return deliver("linalg.slogdet", _Slogdet(*_LinalgSlogdet.apply(A)), out)


# ---- tensors as matrices, reflections --------------------------------------------------------------------------


def tensorinv(A: Tensor, ind: int = 2, *, out: Any = None) -> Tensor:
    """The inverse of the map that `tensordot` with ``A`` is: its first ``ind`` dims hold as much as the others.

    Raises:
        RuntimeError: if ``ind`` is not positive, or the two halves differ in size.

    Example:
        >>> import pydl
        >>> pydl.linalg.tensorinv(pydl.eye(4).reshape(2, 2, 2, 2)).shape
        torch.Size([2, 2, 2, 2])
    """
    op = "linalg.tensorinv"
    check_tensor(op, A)
    if ind <= 0:
        raise RuntimeError(f"{op}(): Expected a strictly positive integer for 'ind', got {ind}")
    front, back = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(front) != math.prod(back):
        raise pydl.ShapeError(
            f"{op}(): Expected self to satisfy prod(self.shape[ind:]) == prod(self.shape[:ind]), got {back} and {front}"
        )
    matrix = A.reshape(math.prod(front), math.prod(back))
    inverse, info = inv_ex(matrix)
    _raise_singular(op, arrays(info), _NO_INVERSE)
    return deliver(op, inverse.reshape(*back, *front), out)


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None, *, out: Any = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B. The ``dims`` of ``A`` are moved to its end first.

    Raises:
        RuntimeError: if the shapes do not make a square matrix.

    Example:
        >>> import pydl
        >>> pydl.linalg.tensorsolve(pydl.eye(4).reshape(2, 2, 4), pydl.ones(2, 2))
        tensor([1., 1., 1., 1.])
    """
    op = "linalg.tensorsolve"
    check_tensor(op, A)
    check_tensor(op, B, "B")
    if dims is not None:
        moved = [d % A.dim() for d in dims]
        A = A.permute([d for d in range(A.dim()) if d not in moved] + moved)
    tail = tuple(A.shape[B.dim() :])
    if math.prod(tail) != math.prod(A.shape[: B.dim()]) or B.numel() != math.prod(tail):
        raise pydl.ShapeError(
            f"{op}(): Expected self to satisfy prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"got {tail} and {tuple(A.shape[: B.dim()])} for B of shape {tuple(B.shape)}"
        )
    return deliver(op, solve(A.reshape(B.numel(), math.prod(tail)), B.reshape(-1)).reshape(tail), out)


def reflectors(A: Tensor, tau: Tensor, op: str) -> tuple[Tensor, Tensor]:
    """V and T with H_1 H_2 ... H_k = I - V T V^H for the reflections H_i = I - tau_i v_i v_i^H below A's diagonal.

    T^-1 = diag(1 / tau) + the strict upper triangle of V^H V (Puglisi, "Modification of the Householder method based
    on the compact WY representation", 1992), written so that tau may be 0.
    """
    check_matrix(op, A)
    check_tensor(op, tau, "tau")
    check_same_dtype(op, A, tau, ("input", "tau"))
    m, n = A.shape[-2:]
    if m < n:
        raise pydl.ShapeError(
            f"{op}(): input.shape[-2] must be greater than or equal to input.shape[-1], got {m} < {n}"
        )
    if tau.dim() != A.dim() - 1 or tau.shape[:-1] != A.shape[:-2] or tau.shape[-1] > n:
        raise pydl.ShapeError(
            f"{op}(): Expected tau of shape {tuple(A.shape[:-2])} + (k,) with k <= {n}, got {tuple(tau.shape)}"
        )
    k = tau.shape[-1]
    v = A[..., :k].tril(-1) + pydl.eye(m, k, dtype=A.dtype)
    inner = identity_like(A, k) + tau.unsqueeze(-1) * (v.mH @ v).triu(1)
    return v, pydl.linalg.solve_triangular(inner, pydl.diag_embed(tau), upper=True, unitriangular=True)


def householder_product(A: Tensor, tau: Tensor, *, out: Any = None) -> Tensor:
    """The first n columns of the product of the reflections that `pydl.geqrf` returns: A (*, m, n), tau (*, k).

    Raises:
        RuntimeError: unless m >= n >= k.

    Example:
        >>> import pydl
        >>> h, tau = pydl.geqrf(pydl.tensor([[3., 1.], [4., 2.]]))
        >>> pydl.allclose(pydl.linalg.householder_product(h, tau), pydl.linalg.qr(pydl.tensor([[3., 1.], [4., 2.]])).Q)
        True
    """
    v, t = reflectors(A, tau, "linalg.householder_product")
    m, n = A.shape[-2:]
    result = pydl.eye(m, n, dtype=A.dtype) - v @ (t @ v[..., :n, :].mH)
    return deliver("linalg.householder_product", result, out)
