"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["NAdam"]


class NAdam(RuleOptimizer):
    """Adam that looks ahead (Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016).

    The share of the old mean is scheduled, ``mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)``, and the step
    combines the gradient with next step's share of the mean.

    Args:
        params: tensors or groups.
        lr: step size. Default: 2e-3.
        betas: how much of the running moments stays. Default: (0.9, 0.999).
        eps: Default: 1e-8.
        weight_decay: factor of the L2 penalty. Default: 0.
        momentum_decay: speed of the schedule of ``mu``. Default: 4e-3.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient. Default: ``False``.
        foreach, capturable: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Example:
        >>> import pydl
        >>> w = pydl.ones(1, requires_grad=True)
        >>> optimizer = pydl.optim.NAdam([w], lr=0.1)
        >>> w.grad = pydl.tensor([2.0])
        >>> optimizer.step()
        >>> 0.8 < w.item() < 0.9
        True
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    _flags = ("maximize", "capturable", "differentiable", "decoupled_weight_decay")

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "exp_avg", "exp_avg_sq"

    def _fresh_scalars(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "mu_product": 1.0}

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        (beta1, beta2), lr, decay = group["betas"], float(group["lr"]), group["momentum_decay"]
        step = scalars["step"].item()
        now, then = (beta1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1))
        scalars["mu_product"].mul_(now)
        product = scalars["mu_product"].item()
        return [
            lr * (1 - now) / (1 - product),
            lr * then / (1 - product * then),
            1 - beta1,
            beta1,
            beta2,
            1 - beta2,
            1 - beta2**step,
            group["eps"],
        ]
