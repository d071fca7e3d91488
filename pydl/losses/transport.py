"""The earth mover's distance: by cumulated masses in one dimension, entropic, or by linear programming."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import pydl
from pydl import Tensor
from pydl.autograd import Function
from pydl.losses._shared import Loss, Reduction, functional, need_dims, need_range, reduce, shape_error

__all__ = ["EarthMoverLoss", "earth_mover_loss"]

# Added to the linear system of a plan's derivative, relative to the masses: plans that fall apart into independent
# parts leave one direction per part undetermined, and in exact numbers nothing stands in those directions.
_RIDGE = 1e-11


def _warn_unless_converged(plan: Tensor, p: Tensor, max_iter: int, tol: float) -> None:
    """The columns' sums are exact after each step, the rows' approach the masses."""
    error = (plan.sum(2) - p).abs().sum(1)
    # What rounding leaves is no reason to warn, and a tolerance of 0 asks for all steps
    open_ = error > max(tol, 1e-13) if tol > 0 else error.isnan()
    if open_.any():
        warnings.warn(
            f"earth_mover_loss(): method='sinkhorn' did not converge within max_iter={max_iter} steps for "
            f"{int(open_.sum())} of {len(error)} pairs: the marginals' error is up to {error.amax().item():.3g}, "
            f"tol is {tol:.3g}. More steps or a larger eps help.",
            RuntimeWarning,
            stacklevel=2,
        )


class _Sinkhorn(Function):
    """The entropic plan as a function of masses and cost, with the derivative of the fixed point (not of the
    iteration).
    """

    @staticmethod
    def forward(ctx: Any, p: Tensor, q: Tensor, cost: Tensor, eps: float, max_iter: int, tol: float) -> Tensor:
        plan = pydl._sinkhorn(p, q, cost, eps, max_iter, tol)  # type: ignore[attr-defined]
        _warn_unless_converged(plan, p, max_iter, tol)
        ctx.save_for_backward(plan)
        ctx.eps, ctx.shared = eps, cost.shape[0] == 1
        return plan

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        # plan = exp((f + g - C) / eps) under sum_j plan = p, sum_i plan = q. Differentiating both and solving for the
        # potentials leaves a symmetric system of the marginals and the plan, here with f eliminated.
        (plan,) = ctx.saved_tensors
        weighted = plan * grad
        rows, columns = plan.sum(2), plan.sum(1)
        inverse = 1 / rows.masked_fill(rows == 0, 1)
        total = columns.sum(1, True).unsqueeze(2)
        unmoved = (columns == 0).to(plan.dtype)
        system = (columns * (1 + _RIDGE) + unmoved).diag_embed() - plan.mT @ (plan * inverse.unsqueeze(2))
        # A constant moved from all f to all g changes nothing; this term pins it down.
        system = system + columns.unsqueeze(2) * columns.unsqueeze(1) / total.masked_fill(total == 0, 1)
        given = weighted.sum(1) - (plan.mT @ (inverse * weighted.sum(2)).unsqueeze(2)).squeeze(2)
        mu = pydl.linalg.solve(system, given.unsqueeze(2)).squeeze(2)
        lam = inverse * (weighted.sum(2) - (plan @ mu.unsqueeze(2)).squeeze(2))
        by_cost = (plan * (lam.unsqueeze(2) + mu.unsqueeze(1)) - weighted) / ctx.eps
        return lam, mu, by_cost.sum(0, True) if ctx.shared else by_cost, None, None, None


def _exact(p: Tensor, q: Tensor, cost: Tensor) -> Tensor:
    """The optimum of one linear program; its derivatives are the plan and the duals."""
    try:
        from scipy import optimize, sparse
    except ImportError as error:
        raise ImportError("earth_mover_loss(): method='exact' needs SciPy: pip install scipy") from error
    k, m = cost.shape
    sums = sparse.vstack([sparse.kron(sparse.eye(k), [[1.0] * m]), sparse.kron([[1.0] * k], sparse.eye(m))])
    masses = pydl.cat([p, q]).detach().numpy()  # type: ignore[attr-defined]
    found = optimize.linprog(cost.detach().numpy().reshape(-1), A_eq=sums.tocsr(), b_eq=masses, method="highs")
    if found.status != 0:
        raise RuntimeError(f"earth_mover_loss(): the linear program was not solved: {found.message}")
    plan = pydl.tensor(found.x).reshape(k, m)
    duals = pydl.tensor(found.eqlin.marginals)
    # Zero in value, the duals in the derivative.
    return (plan * cost).sum() + (duals[:k] * (p - p.detach())).sum() + (duals[k:] * (q - q.detach())).sum()


def _points(positions: Tensor | None, p: Tensor, q: Tensor) -> Tensor:
    if p.shape[1] != q.shape[1]:
        raise shape_error("earth_mover_loss", "target", f"{tuple(p.shape)} where there is no cost", q)
    if positions is None:
        return pydl.arange(p.shape[1], dtype=p.dtype)  # type: ignore[attr-defined]
    if tuple(positions.shape) != (p.shape[1],):
        raise shape_error("earth_mover_loss", "positions", f"({p.shape[1]},)", positions)
    return positions.to(p.dtype)


def _normalized(masses: Tensor) -> Tensor:
    total = masses.sum(1, True)
    if (total <= 0).any():
        raise ValueError("earth_mover_loss(): normalize=True needs masses of a positive sum")
    return masses / total


@functional
def earth_mover_loss(
    input: Tensor,
    target: Tensor,
    cost: Tensor | None = None,
    method: Literal["cdf", "sinkhorn", "exact"] = "cdf",
    positions: Tensor | None = None,
    eps: float = 0.1,
    max_iter: int = 1000,
    tol: float = 1e-9,
    normalize: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`EarthMoverLoss`.

    Example:
        >>> import pydl
        >>> p, q = pydl.tensor([[1.0, 0.0, 0.0]]), pydl.tensor([[0.0, 0.0, 1.0]])
        >>> pydl.losses.earth_mover_loss(p, q)
        tensor(2.)
    """
    op = "earth_mover_loss"
    need_dims(op, "input", input, "(N, K)", 2, 2)
    if target.dim() != 2 or target.shape[0] != input.shape[0]:
        raise shape_error(op, "target", f"({input.shape[0]}, M)", target)
    if not eps > 0 or max_iter < 1:
        raise ValueError(f"{op}(): eps and max_iter must be positive, got {eps} and {max_iter}")
    p, q = input, target.to(input.dtype)
    for what, masses in (("input", p), ("target", q)):
        need_range(op, what, masses, 0, math.inf)
    if normalize:
        p, q = _normalized(p), _normalized(q)
    if method == "cdf":
        points = _points(positions, p, q)
        gaps = points[1:] - points[:-1]
        if (gaps < 0).any():
            raise ValueError(f"{op}(): positions must be ascending")
        return reduce(((p - q).cumsum(1)[:, :-1].abs() * gaps).sum(1), reduction)
    if cost is None:
        points = _points(positions, p, q)
        cost = (points.unsqueeze(1) - points).abs()
    if tuple(cost.shape) not in ((p.shape[1], q.shape[1]), (p.shape[0], p.shape[1], q.shape[1])):
        raise shape_error(op, "cost", f"({p.shape[1]}, {q.shape[1]}), with or without {p.shape[0]} before,", cost)
    return reduce(_transport(p, q, cost, method, eps, max_iter, tol).to(input.dtype), reduction)


def _transport(p: Tensor, q: Tensor, cost: Tensor, method: str, eps: float, max_iter: int, tol: float) -> Tensor:
    """The cost (N,) of the best plans, in float64."""
    apart = (p.detach().double().sum(1) - q.detach().double().sum(1)).abs()
    if (apart > 1e-5 * p.detach().double().sum(1)).any():
        raise ValueError(f"earth_mover_loss(): method={method!r} needs input and target of equal mass")
    p, q, cost = p.double(), q.double(), cost.double()
    if p.numel() == 0 or q.numel() == 0:
        return (p.sum(1) + q.sum(1)) * 0
    # Rounding must not make the program infeasible.
    q = q * (p.sum(1, True) / q.sum(1, True).masked_fill(q.sum(1, True) == 0, 1)).detach()
    if method == "sinkhorn":
        cost = cost.unsqueeze(0) if cost.dim() == 2 else cost
        plan: Tensor = _Sinkhorn.apply(p, q, cost, float(eps), int(max_iter), float(tol))
        return (plan * cost).sum((1, 2))
    costs = cost.expand(p.shape[0], *cost.shape[-2:])
    return pydl.stack([_exact(*problem) for problem in zip(p, q, costs)])  # type: ignore[attr-defined]


class EarthMoverLoss(Loss, of=earth_mover_loss, takes=3):
    """The least cost of carrying one distribution of mass to another: min over plans with marginals p, q of sum
    gamma_ij C_ij.

    Shapes: masses input (N, K) and target (N, M), at least 0; cost (K, M) or (N, K, M) for the last two methods, by
    default |x_i - x_j| of the positions (K = M). With ``"none"`` (N,).

    Args:
        method: ``"cdf"`` (default): exact in one dimension, sum |CDF_p - CDF_q| * gap, K = M. ``"sinkhorn"``: the cost
            of the plan with entropy (Cuturi 2013), in the log domain; the derivative is that of the fixed point.
            ``"exact"``: linear programming through SciPy, with the plan and the duals as derivatives.
        positions: (K,), ascending. Default: 0, 1, ..., K - 1.
        eps: weight of the entropy. Default: 0.1. Steps to convergence grow as the costs divided by it.
        max_iter, tol: steps end when the marginals' error (L1) is below ``tol``. Default: 1000 and 1e-9. Where
            ``max_iter`` ends them first a RuntimeWarning says so.
        normalize: divide masses by their sum. Default: True.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: negative masses, a sum of zero to divide by, unequal sums without ``normalize``, eps <= 0.
        ImportError: ``"exact"`` without SciPy.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.EarthMoverLoss("sinkhorn", eps=0.01)
        >>> loss(pydl.tensor([[1.0, 1.0]]), pydl.tensor([[0.0, 1.0]]), pydl.tensor([[0.0, 4.0], [4.0, 0.0]]))
        tensor(2.)
    """
