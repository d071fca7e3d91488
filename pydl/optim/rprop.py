"""Rprop: steps from the signs of the gradient."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["Rprop"]


class Rprop(RuleOptimizer):
    """Resilient backpropagation (Riedmiller and Braun, IEEE ICNN 1993).

    Each element has a step size of its own, which grows while the sign of its gradient stays and shrinks when it turns;
    the size of the gradient does not matter. For whole batches.

    Args:
        params: tensors or groups.
        lr: first step size. Default: 1e-2.
        etas: factors at a turn and without one. Default: (0.5, 1.2).
        step_sizes: smallest and largest step. Default: (1e-6, 50).
        capturable, foreach: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative ``lr``, or factors that are not ``0 < etas[0] < 1 < etas[1]``.

    Example:
        >>> import pydl
        >>> w = pydl.ones(2, requires_grad=True)
        >>> optimizer = pydl.optim.Rprop([w], lr=0.5)
        >>> w.grad = pydl.tensor([0.1, -7.0])
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 1.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_nonnegative(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "prev", "step_size"

    def _fresh(self, group: dict[str, Any], name: str, param: Any) -> Any:
        if name == "prev":
            return super()._fresh(group, name, param)
        lr = float(group["lr"])
        return pydl.full_like(param, complex(lr, lr) if param.is_complex() else lr, requires_grad=False)

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        return [*group["etas"], *group["step_sizes"]]
