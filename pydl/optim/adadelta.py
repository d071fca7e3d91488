"""Adadelta: steps in the unit of the parameters."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["Adadelta"]


class Adadelta(RuleOptimizer):
    """Adadelta (Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701).

    With ``v`` and ``u`` the running means of the squared gradient and of the squared changes,
    ``d = sqrt(u + eps) / sqrt(v + eps) * g`` and ``p = p - lr * d``.

    Args:
        params: tensors or groups.
        lr: factor of the change. Default: 1.0.
        rho: how much of the running means stays. Default: 0.9.
        eps: Default: 1e-6.
        weight_decay: factor of the L2 penalty. Default: 0.
        foreach, capturable: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative option, or ``rho`` outside [0, 1].

    Example:
        >>> import pydl
        >>> w = pydl.ones(1, requires_grad=True)
        >>> optimizer = pydl.optim.Adadelta([w], rho=0.75, eps=1e-12)
        >>> w.grad = pydl.tensor([4.0])
        >>> optimizer.step()
        >>> bool((1 - w - 2e-6).abs() < 1e-6)
        True
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_nonnegative(eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "square_avg", "acc_delta"

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        rho = group["rho"]
        return [float(group["lr"]), rho, 1 - rho, group["eps"]]
