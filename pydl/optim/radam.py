"""RAdam: Adam with a rectified start."""

from __future__ import annotations

import math
from typing import Any

from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["RAdam"]


class RAdam(RuleOptimizer):
    """Rectified Adam (Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020).

    While too few gradients are known for the second moment to be trusted, the step is the mean gradient's alone; then
    it is Adam's times a factor that corrects for the variance.

    Args:
        params: tensors or groups.
        lr: step size. Default: 1e-3.
        betas: how much of the running moments stays. Default: (0.9, 0.999).
        eps: Default: 1e-8.
        weight_decay: factor of the L2 penalty. Default: 0.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient. Default: ``False``.
        foreach, capturable: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Example:
        >>> import pydl
        >>> w = pydl.ones(1, requires_grad=True)
        >>> optimizer = pydl.optim.RAdam([w], lr=0.25)
        >>> w.grad = pydl.tensor([2.0])
        >>> optimizer.step()
        >>> w
        tensor([0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    _flags = ("maximize", "capturable", "differentiable", "decoupled_weight_decay")

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "exp_avg", "exp_avg_sq"

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        (beta1, beta2), step = group["betas"], scalars["step"].item()
        correction = 1 - beta2**step
        # Length of the simple moving average that the second moment amounts to: equations (5) and (6) of the paper.
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        factor = 0.0
        if length > 5.0:
            factor = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        lr = float(group["lr"])
        return [
            lr, 1 - beta1**step, math.sqrt(correction), factor, 1 - beta1, beta1, beta2, 1 - beta2, group["eps"],
        ]  # fmt: skip
