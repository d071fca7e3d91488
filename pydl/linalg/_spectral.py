"""Eigenvalues, singular values and QR: NumPy's LAPACK with derivatives of our own."""

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
    check_square,
    deliver,
    named,
    real_dtype,
    tensor,
)

__all__ = ["eig", "eigh", "eigvals", "eigvalsh", "qr", "svd", "svdvals"]

_Eig = named("linalg_eig", "eigenvalues eigenvectors")
_Eigh = named("linalg_eigh", "eigenvalues eigenvectors")
_QR = named("linalg_qr", "Q R")
_SVD = named("linalg_svd", "U S Vh")


def _gaps(values: Tensor) -> Tensor:
    """values_j - values_i, with ones on the diagonal, where nothing is divided."""
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    return gaps + pydl.eye(values.shape[-1], dtype=gaps.dtype)


def _refuse_phase(op: str, diagonal: Tensor) -> None:
    """A loss that depends on the free phase of complex vectors has no gradient."""
    if diagonal.is_complex() and diagonal.numel() and float(diagonal.detach().imag.abs().max()) > 1e-2:
        raise RuntimeError(
            f"{op}(): The eigenvectors or singular vectors in the complex case are specified up to multiplication by "
            "e^{i phi}. The specified loss function depends on this quantity, so it is ill-defined."
        )


_np: Any = np.linalg  # its stubs ask for literal strings


def _run(op: str, a: Tensor, call: Any) -> Any:
    try:
        return call()
    except np.linalg.LinAlgError:
        if not np.isfinite(arrays(a)).all():
            raise LinAlgError(
                f"{op}(): The algorithm failed to converge because the input matrix contained non-finite values."
            ) from None
        raise LinAlgError(
            f"{op}(): {batch_label(tuple(a.shape[:-2]), 0)}The algorithm failed to converge because the input matrix "
            "is ill-conditioned or has too many repeated eigenvalues or singular values."
        ) from None


# ---- symmetric eigenproblem ------------------------------------------------------------------------------------


def _triangle(a: Tensor, uplo: Any, op: str) -> str:
    if not isinstance(uplo, str) or uplo not in ("L", "U", "l", "u"):
        raise ValueError(f"{op}(): Expected UPLO argument to be 'L' or 'U', but got {uplo!r}")
    return uplo.upper()


class _LinalgEigh(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, uplo: str) -> Any:
        op = "linalg.eigh"
        if a.numel() and not np.isfinite(arrays(a)).all():
            raise LinAlgError(
                f"{op}(): The algorithm failed to converge because the input matrix contained non-finite values."
            )
        w, v = _run(op, a, lambda: _np.eigh(arrays(a), uplo))
        values, vectors = tensor(w), tensor(v)
        ctx.save_for_backward(values, vectors)
        ctx.set_materialize_grads(False)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, g_values: Any, g_vectors: Any) -> Any:
        values, v = ctx.saved_tensors
        if g_vectors is None:
            return None if g_values is None else (v * g_values.unsqueeze(-2)) @ v.mH, None
        inner = v.mH @ g_vectors
        _refuse_phase("linalg.eigh", inner.diagonal(0, -2, -1))
        inner = (inner - inner.mH) / 2 / _gaps(values)
        if g_values is not None:
            inner = inner + pydl.diag_embed(g_values).to(inner.dtype)
        return v @ inner @ v.mH, None


def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Any:
    """Eigenvalues (*, n), ascending, and orthonormal eigenvectors (*, n, n) of Hermitian matrices ``A`` (*, n, n).

    Only the triangle that ``UPLO`` names is read. The gradient for the vectors needs distinct eigenvalues.

    Raises:
        RuntimeError: for a matrix that is not square or not of floating point.
        LinAlgError: without convergence.

    Example:
        >>> import pydl
        >>> pydl.linalg.eigh(pydl.tensor([[2., 0.], [0., 1.]])).eigenvalues
        tensor([1., 2.])
    """
    check_square("linalg.eigh", A)
    return deliver("linalg.eigh", _Eigh(*_LinalgEigh.apply(A, _triangle(A, UPLO, "linalg.eigh"))), out)


def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Tensor:
    """The eigenvalues of `eigh` alone, (*, n) ascending.

    Example:
        >>> import pydl
        >>> pydl.linalg.eigvalsh(pydl.tensor([[0., 1.], [1., 0.]]))
        tensor([-1.,  1.])
    """
    check_square("linalg.eigvalsh", A)
    return deliver("linalg.eigvalsh", _LinalgEigh.apply(A, _triangle(A, UPLO, "linalg.eigvalsh"))[0], out)


# ---- general eigenproblem --------------------------------------------------------------------------------------


class _LinalgEig(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        if a.numel() and not np.isfinite(arrays(a)).all():
            raise RuntimeError("linalg.eig(): input tensor should not contain infs or NaNs.")
        w, v = _run("linalg.eig", a, lambda: np.linalg.eig(arrays(a)))
        dtype = a.dtype.to_complex()
        values, vectors = tensor(w, dtype), tensor(v, dtype)
        ctx.save_for_backward(values, vectors)
        ctx.set_materialize_grads(False)
        ctx.real = not a.is_complex()
        return values, vectors

    @staticmethod
    def backward(ctx: Any, g_values: Any, g_vectors: Any) -> Any:
        values, v = ctx.saved_tensors
        vh = v.mH
        if g_vectors is None:
            if g_values is None:
                return None
            result = pydl.linalg.solve(vh, g_values.unsqueeze(-1) * vh)
        else:
            inner = vh @ g_vectors
            diagonal = inner.diagonal(0, -2, -1)
            _refuse_phase("linalg.eig", diagonal)
            # The columns have norm 1: movements along them are taken out.
            inner = (inner - vh @ (v * diagonal.real.unsqueeze(-2))) / _gaps(values).conj()
            if g_values is not None:
                inner = inner + pydl.diag_embed(g_values)
            result = pydl.linalg.solve(vh, inner @ vh)
        return result.real if ctx.real else result


def eig(A: Tensor, *, out: Any = None) -> Any:
    """Complex eigenvalues (*, n) and eigenvectors (*, n, n) of norm 1 of square matrices, in no particular order.

    Raises:
        RuntimeError: for a matrix that is not square, or holds NaN or infinity.
        LinAlgError: without convergence.

    Example:
        >>> import pydl
        >>> pydl.linalg.eig(pydl.tensor([[1., 0.], [0., 2.]])).eigenvalues
        tensor([1.+0.j, 2.+0.j])
    """
    check_square("linalg.eig", A)
    return deliver("linalg.eig", _Eig(*_LinalgEig.apply(A)), out)


def eigvals(A: Tensor, *, out: Any = None) -> Tensor:
    """The complex eigenvalues (*, n) of square matrices (*, n, n).

    Example:
        >>> import pydl
        >>> pydl.linalg.eigvals(pydl.tensor([[1., 5.], [0., 2.]]))
        tensor([1.+0.j, 2.+0.j])
    """
    check_square("linalg.eigvals", A)
    if pydl.is_grad_enabled() and A.requires_grad:
        return deliver("linalg.eigvals", _LinalgEig.apply(A)[0], out)
    if A.numel() and not np.isfinite(arrays(A)).all():
        raise RuntimeError("linalg.eigvals(): input tensor should not contain infs or NaNs.")
    found = _run("linalg.eigvals", A, lambda: np.linalg.eigvals(arrays(A)))
    return deliver("linalg.eigvals", tensor(found, A.dtype.to_complex()), out)


# ---- singular values -------------------------------------------------------------------------------------------


def _skew(x: Tensor) -> Tensor:
    return x - x.mH


class _LinalgSvd(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, full: bool) -> Any:
        if a.numel() and not np.isfinite(arrays(a)).all():
            raise LinAlgError(
                "linalg.svd(): The algorithm failed to converge because the input matrix contained non-finite values."
            )
        u, s, vh = (tensor(x) for x in _run("linalg.svd", a, lambda: np.linalg.svd(arrays(a), full)))
        ctx.save_for_backward(u, s, vh)
        ctx.set_materialize_grads(False)
        return u, s, vh

    @staticmethod
    def backward(ctx: Any, g_u: Any, g_s: Any, g_vh: Any) -> Any:
        u, s, vh = ctx.saved_tensors
        k = s.shape[-1]
        u, vh = u[..., :k], vh[..., :k, :]
        g_u = None if g_u is None else g_u[..., :k]
        g_vh = None if g_vh is None else g_vh[..., :k, :]
        return _svd_gradient(u, s, vh, g_u, g_s, g_vh), None


def _svd_gradient(u: Tensor, s: Tensor, vh: Tensor, g_u: Any, g_s: Any, g_vh: Any) -> Any:
    """Townsend, "Differentiating the singular value decomposition", 2016, with the phase terms of the complex case."""
    if g_u is None and g_vh is None:
        return None if g_s is None else (u * g_s.unsqueeze(-2)) @ vh
    gaps, m, n = _gaps(s * s), u.shape[-2], vh.shape[-1]
    inner: Any = 0
    if g_u is not None:
        turned_u = _skew(u.mH @ g_u)
        inner = turned_u / gaps * s.unsqueeze(-2)
    if g_vh is not None:
        turned_v = _skew(vh @ g_vh.mH)
        inner = inner + s.unsqueeze(-1) * (turned_v / gaps)
    if u.is_complex():
        both: Any = (turned_u if g_u is not None else 0) + (turned_v if g_vh is not None else 0)
        _refuse_phase("linalg.svd", both.diagonal(0, -2, -1))
        if g_u is not None:
            inner = inner + pydl.diag_embed(turned_u.diagonal(0, -2, -1) / (2 * s))
    if g_s is not None:
        inner = inner + pydl.diag_embed(g_s).to(inner.dtype)
    if m > n and g_u is not None:
        rest = (g_u - u @ (u.mH @ g_u)) / s.unsqueeze(-2)
        return (u @ inner + rest) @ vh
    if m < n and g_vh is not None:
        rest = (g_vh - (g_vh @ vh.mH) @ vh) / s.unsqueeze(-1)
        return u @ (inner @ vh + rest)
    return u @ inner @ vh


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> Any:
    """U (*, m, m), the singular values S (*, k) in descending order and Vh (*, n, n) with A = U diag(S) Vh.

    Without ``full_matrices`` U is (*, m, k) and Vh (*, k, n), k = min(m, n). Only gradients of functions that do not
    depend on the choice of vectors are meaningful; those for U and Vh need distinct singular values. ``driver`` is
    for other devices.

    Raises:
        LinAlgError: without convergence or for NaN and infinity.

    Example:
        >>> import pydl
        >>> pydl.linalg.svd(pydl.tensor([[3., 0.], [0., 4.]])).S
        tensor([4., 3.])
    """
    check_matrix("linalg.svd", A)
    if driver is not None:
        raise RuntimeError("linalg.svd(): keyword argument `driver=` is only supported on CUDA inputs.")
    return deliver("linalg.svd", _SVD(*_LinalgSvd.apply(A, bool(full_matrices))), out)


def svdvals(A: Tensor, *, driver: str | None = None, out: Any = None) -> Tensor:
    """The singular values (*, min(m, n)) of matrices (*, m, n), in descending order.

    Example:
        >>> import pydl
        >>> pydl.linalg.svdvals(pydl.tensor([[0., 2.], [1., 0.]]))
        tensor([2., 1.])
    """
    check_matrix("linalg.svdvals", A)
    if driver is not None:
        raise RuntimeError("linalg.svdvals(): keyword argument `driver=` is only supported on CUDA inputs.")
    if pydl.is_grad_enabled() and A.requires_grad:
        return deliver("linalg.svdvals", _LinalgSvd.apply(A, False)[1], out)
    if A.numel() and not np.isfinite(arrays(A)).all():
        raise LinAlgError(
            "linalg.svdvals(): The algorithm failed to converge because the input matrix contained non-finite values."
        )
    found = _run("linalg.svdvals", A, lambda: np.linalg.svd(arrays(A), compute_uv=False))
    return deliver("linalg.svdvals", tensor(found, real_dtype(A)), out)


# ---- QR --------------------------------------------------------------------------------------------------------


class _LinalgQr(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, mode: str) -> Any:
        ctx.mode = mode
        if mode == "r":
            q, r = pydl.empty((0,), dtype=a.dtype), tensor(_np.qr(arrays(a), "r"))
        else:
            q, r = (tensor(x) for x in _np.qr(arrays(a), mode))
        ctx.save_for_backward(q, r)
        ctx.set_materialize_grads(False)
        return q, r

    @staticmethod
    def backward(ctx: Any, g_q: Any, g_r: Any) -> Any:
        q, r = ctx.saved_tensors
        m, n = r.shape[-2] if ctx.mode == "r" else q.shape[-2], r.shape[-1]
        if ctx.mode == "r":
            raise RuntimeError("linalg.qr(): The derivative depends on Q, which is not computed when mode='r'.")
        if ctx.mode == "complete" and m > n:
            raise RuntimeError(
                "linalg.qr(): The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
            )
        if g_q is None and g_r is None:
            return None, None
        if m >= n:
            return _qr_gradient(q, r, g_q, g_r), None
        # A = [A1 A2], A1 = Q R1 and R2 = Q^H A2.
        left, right = r[..., :m], r[..., m:]
        if g_r is None:
            first, second = _qr_gradient(q, left, g_q, None), None
        else:
            tail = g_r[..., m:]
            through = (q @ right) @ tail.mH
            first = _qr_gradient(q, left, through if g_q is None else g_q + through, g_r[..., :m])
            second = q @ tail
        if second is None:
            second = pydl.zeros((*first.shape[:-1], n - m), dtype=first.dtype)
        return pydl.cat([first, second], -1), None


def _qr_gradient(q: Tensor, r: Tensor, g_q: Any, g_r: Any) -> Tensor:
    """Walter, Lehmann, "Algorithmic differentiation of linear algebra functions", 2010, section 3, for m >= n."""
    inner = 0 if g_r is None else g_r.triu() @ r.mH
    if g_q is not None:
        inner = inner - q.mH @ g_q
    inner = inner.triu()  # type: ignore[union-attr]
    both = inner + inner.mH
    # The diagonal was counted twice, and R's diagonal is real.
    both = both - pydl.diag_embed(inner.diagonal(0, -2, -1).real.to(both.dtype))
    grad = q @ both
    if g_q is not None:
        grad = grad + g_q
    return pydl.linalg.solve_triangular(r.mH, grad, upper=False, left=False)


def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> Any:
    """Q with orthonormal columns and upper triangular R with A = Q R, for matrices (*, m, n).

    ``mode`` 'reduced': Q (*, m, k), R (*, k, n), k = min(m, n); 'complete': Q (*, m, m), R (*, m, n); 'r': R of the
    reduced form and an empty Q. The gradient needs the first k columns of A to be independent.

    Raises:
        RuntimeError: for another mode; when a gradient is asked of 'r', or of 'complete' with m > n.

    Example:
        >>> import pydl
        >>> pydl.linalg.qr(pydl.tensor([[3., 1.], [4., 2.]])).R.abs()
        tensor([[5.0000, 2.2000],
                [0.0000, 0.4000]])
    """
    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"linalg.qr(): received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or "
            "'complete'"
        )
    return deliver("linalg.qr", _QR(*_LinalgQr.apply(A, mode)), out)
