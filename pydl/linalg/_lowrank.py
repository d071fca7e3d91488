"""Random projections and block iterations for a few leading singular values or eigenvalues."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.linalg._checks import check_matrix, check_square

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


def _range(A: Tensor, q: int, niter: int, M: Any) -> Tensor:
    """An orthonormal basis that nearly spans A (Halko, Martinsson, Tropp, "Finding structure with randomness", 2011,
    algorithm 5.1 and 4.4)."""
    niter = 2 if niter is None else niter

    def apply(t: Tensor, x: Tensor, adjoint: bool) -> Tensor:
        found = (t.mH if adjoint else t) @ x
        return found if M is None else found - (M.mH if adjoint else M) @ x

    start = pydl.randn(A.shape[-1], q, dtype=A.dtype)  # type: ignore[attr-defined]
    basis = pydl.linalg.qr(apply(A, start, False)).Q
    for _ in range(niter):
        basis = pydl.linalg.qr(apply(A, basis, True)).Q
        basis = pydl.linalg.qr(apply(A, basis, False)).Q
    return basis


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Any = None) -> tuple[Tensor, Tensor, Tensor]:
    """U (*, m, q), S (*, q) and V (*, n, q) of the leading part of A - M, from random projections.

    ``niter`` rounds of power iteration sharpen it. Random: set the seed for repeatable results.

    Example:
        >>> import pydl
        >>> [t.shape for t in pydl.svd_lowrank(pydl.ones(5, 4), q=2)]
        [torch.Size([5, 2]), torch.Size([2]), torch.Size([4, 2])]
    """
    check_matrix("svd_lowrank", A)
    q = 6 if q is None else q
    offset = None if M is None else M.expand(A.shape)
    turned = A.shape[-2] < A.shape[-1]
    if turned:
        A, offset = A.mH, None if offset is None else offset.mH
    basis = _range(A, q, 2 if niter is None else niter, offset)
    small = basis.mH @ A if offset is None else basis.mH @ (A - offset)
    u, s, vh = pydl.linalg.svd(small, full_matrices=False)
    u, v = basis @ u, vh.mH
    return (v, s, u) if turned else (u, s, v)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of the rows of A (*, m, n): `svd_lowrank` of A less its column means.

    ``q`` is min(6, m, n) by default.

    Raises:
        ValueError: for ``q`` outside [0, min(m, n)] or a negative ``niter``.

    Example:
        >>> import pydl
        >>> pydl.pca_lowrank(pydl.ones(5, 4), q=2)[1].abs() < 1e-5
        tensor([True, True])
    """
    check_matrix("pca_lowrank", A)
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"pca_lowrank(): q(={q}) must be non-negative integer and not greater than {min(m, n)}")
    if niter < 0:
        raise ValueError(f"pca_lowrank(): niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, True) if center else A, q, niter)


def _orthonormal(basis: Tensor, metric: Tensor | None) -> Tensor:
    """Columns with basis^H B basis = I, dependent ones left out."""
    gram = basis.mT @ (basis if metric is None else metric @ basis)
    scale = gram.diagonal(0, -2, -1).clamp_min(pydl.finfo(basis.dtype).tiny).rsqrt()
    values, vectors = pydl.linalg.eigh(scale.unsqueeze(-1) * gram * scale.unsqueeze(-2))
    keep = values > values.max() * pydl.finfo(basis.dtype).eps * 10
    return basis @ (scale.unsqueeze(-1) * vectors[:, keep] * values[keep].rsqrt())


def _iterate(A: Tensor, X: Tensor, B: Any, iK: Any, largest: bool, niter: int, tol: float, tracker: Any) -> Any:
    k, direction = X.shape[-1], None
    X = _orthonormal(X, B)
    values = X.new_zeros(k)
    size = pydl.linalg.matrix_norm(A)
    for step in range(max(niter, 1)):
        small = X.mT @ (A @ X)
        values, turn = pydl.linalg.eigh((small + small.mT) / 2)
        if largest:
            values, turn = values.flip(-1), turn.flip(-1)
        X = (X @ turn)[:, :k]
        values = values[:k]
        rest = A @ X - (X if B is None else B @ X) * values
        if tracker is not None:
            tracker({"step": step, "E": values, "X": X, "R": rest})
        if bool((pydl.linalg.vector_norm(rest, dim=0) <= tol * (size + values.abs())).all()) or step == niter - 1:
            break
        better = rest if iK is None else iK @ rest
        parts = [X, better] if direction is None else [X, better, direction]
        space = _orthonormal(pydl.cat(parts, -1), B)
        small = space.mT @ (A @ space)
        _, turn = pydl.linalg.eigh((small + small.mT) / 2)
        turn = turn[:, -k:] if largest else turn[:, :k]
        new = space @ turn
        direction = new - X @ (X.mT @ (new if B is None else B @ new))
        X = new
    return values, X


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:
    """``k`` extreme eigenvalues (*, k) and eigenvectors (*, m, k) of symmetric A (*, m, m), or of A x = l B x.

    Starts from ``X`` (or at random), uses the preconditioner ``iK`` and runs at most ``niter`` (1000) steps, until the
    residuals are below ``tol`` (root of eps). ``largest`` is True by default. Knyazev, "Toward the optimal
    preconditioned eigensolver", 2001. The gradient is that of `pydl.linalg.eigh` and not available with ``B``.

    Raises:
        ValueError: if m is less than 3 k, or ``method`` is unknown.

    Example:
        >>> import pydl
        >>> pydl.lobpcg(pydl.diag(pydl.arange(1., 10.)), k=1)[0]
        tensor([9.0000])
    """
    check_square("lobpcg", A)
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg(): method {method!r} is unknown; expected 'basic' or 'ortho'")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    if m < 3 * k:
        raise ValueError(
            f"lobpcg(): the number of A rows (={m}) must be at least 3 x the number of requested eigenpairs (={k})"
        )
    limit = pydl.finfo(A.dtype).eps ** 0.5 if tol is None else tol
    steps, top = 1000 if niter is None else niter, True if largest is None else bool(largest)
    if pydl.is_grad_enabled() and A.requires_grad:
        if B is not None:
            raise ValueError("lobpcg(): no gradient for the generalized problem: B must be None")
        values, vectors = pydl.linalg.eigh((A + A.mT) / 2)
        if top:
            values, vectors = values.flip(-1), vectors.flip(-1)
        return values[..., :k], vectors[..., :k]
    width = k if n is None and X is None else (n if X is None else X.shape[-1])
    start = pydl.randn(*A.shape[:-1], width, dtype=A.dtype) if X is None else X  # type: ignore[attr-defined]
    flat = [
        _iterate(a, start.expand(*A.shape[:-2], *start.shape[-2:]).reshape(-1, m, start.shape[-1])[i],
                 None if B is None else B.expand(A.shape).reshape(-1, m, m)[i],
                 None if iK is None else iK.expand(A.shape).reshape(-1, m, m)[i], top, steps, limit, tracker)
        for i, a in enumerate(A.reshape(-1, m, m))
    ]  # fmt: skip
    values = pydl.stack([e[:k] for e, _ in flat]).reshape(*A.shape[:-2], k)  # type: ignore[attr-defined]
    vectors = pydl.stack([x[:, :k] for _, x in flat]).reshape(*A.shape[:-1], k)  # type: ignore[attr-defined]
    return values, vectors
