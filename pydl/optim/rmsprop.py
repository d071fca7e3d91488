"""RMSprop: gradients over their running root mean square."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["RMSprop"]


class RMSprop(RuleOptimizer):
    """RMSprop (Tieleman and Hinton, "Lecture 6.5", Coursera: Neural Networks for Machine Learning, 2012).

    With ``v`` the running mean of the squared gradient, ``p = p - lr * g / (sqrt(v) + eps)``; with momentum the
    quotient is accumulated first. Centred (Graves, arXiv:1308.0850), the squared running mean of the gradient is taken
    off ``v``.

    Args:
        params: tensors or groups.
        lr: step size. Default: 1e-2.
        alpha: how much of ``v`` stays. Default: 0.99.
        eps: Default: 1e-8.
        weight_decay: factor of the L2 penalty. Default: 0.
        momentum: Default: 0.
        centered: divide by the running standard deviation. Default: ``False``.
        capturable, foreach: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative option.

    Example:
        >>> import pydl
        >>> w = pydl.ones(1, requires_grad=True)
        >>> optimizer = pydl.optim.RMSprop([w], lr=0.5, alpha=0.75)
        >>> w.grad = pydl.tensor([3.0])
        >>> optimizer.step()
        >>> w
        tensor([0.], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("momentum", 0)
            group.setdefault("centered", False)

    def _rule(self, group: dict[str, Any]) -> str:
        return "rmsprop" + "_centered" * bool(group["centered"]) + "_momentum" * (group["momentum"] > 0)

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if group["momentum"] > 0 else ()
        return ("square_avg", *momentum, "grad_avg") if group["centered"] else ("square_avg", *momentum)

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        alpha = group["alpha"]
        return [float(group["lr"]), alpha, 1 - alpha, group["eps"], group["momentum"]]
