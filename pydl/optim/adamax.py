"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["Adamax"]


class Adamax(RuleOptimizer):
    """Adamax (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.1).

    With ``m`` the running mean of the gradient and ``u = max(beta2 * u, |g| + eps)``,
    ``p = p - lr / (1 - beta1^t) * m / u``.

    Args:
        params: tensors or groups.
        lr: step size. Default: 2e-3.
        betas: how much of ``m`` and ``u`` stays. Default: (0.9, 0.999).
        eps: Default: 1e-8.
        weight_decay: factor of the L2 penalty. Default: 0.
        foreach, capturable: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Example:
        >>> import pydl
        >>> w = pydl.ones(2, requires_grad=True)
        >>> optimizer = pydl.optim.Adamax([w], lr=0.5)
        >>> w.grad = pydl.tensor([0.1, -7.0])
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 1.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "exp_avg", "exp_inf"

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        beta1, beta2 = group["betas"]
        rate = float(group["lr"]) / (1 - beta1 ** scalars["step"].item())
        return [rate, 1 - beta1, beta1, beta2, group["eps"]]
