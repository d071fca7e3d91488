"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["ASGD"]


class ASGD(RuleOptimizer):
    """Stochastic gradient descent whose iterates are averaged (Polyak and Juditsky, SIAM J. Control Optim. 30, 1992).

    ``eta = lr / (1 + lambd * lr * t)^alpha``, ``p = p * (1 - lambd * eta) - eta * g``; the average ``ax`` in the state
    of each parameter follows ``p`` until step ``t0`` and is the mean of all later ones.

    Args:
        params: tensors or groups.
        lr: step size at the start. Default: 1e-2.
        lambd: decay of the parameters and of the step size. Default: 1e-4.
        alpha: power of the step size's decay. Default: 0.75.
        t0: step at which averaging starts. Default: 1e6.
        weight_decay: factor of the L2 penalty. Default: 0.
        foreach, capturable: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative ``lr`` or ``weight_decay``.

    Example:
        >>> import pydl
        >>> w = pydl.ones(1, requires_grad=True)
        >>> optimizer = pydl.optim.ASGD([w], lr=0.5, lambd=0.0)
        >>> w.grad = pydl.tensor([1.0])
        >>> optimizer.step()
        >>> w
        tensor([0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("ax",)

    def _fresh_scalars(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "eta": float(group["lr"]), "mu": 1.0}

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        eta, mu, step = (scalars[name].item() for name in ("eta", "mu", "step"))
        lr, lambd = float(group["lr"]), group["lambd"]
        scalars["eta"].fill_(lr / (1 + lambd * lr * step) ** group["alpha"])
        scalars["mu"].fill_(1 / max(1, step - group["t0"]))
        return [1 - lambd * eta, eta, mu]
