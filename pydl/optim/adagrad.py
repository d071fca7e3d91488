"""Adagrad: steps that shrink with the gradients seen."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.optim._rules import RuleOptimizer
from pydl.optim.optimizer import check_nonnegative

__all__ = ["Adagrad"]


class Adagrad(RuleOptimizer):
    """Adagrad (Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011).

    With ``s`` the sum of the squared gradients, ``p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)``.

    Args:
        params: tensors or groups.
        lr: step size. Default: 1e-2.
        lr_decay: how fast the step size falls. Default: 0.
        weight_decay: factor of the L2 penalty. Default: 0.
        initial_accumulator_value: where ``s`` starts. Default: 0.
        eps: Default: 1e-10.
        foreach, fused: accepted; the step is always one fused call.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: a negative option.

    Example:
        >>> import pydl
        >>> w = pydl.ones(2, requires_grad=True)
        >>> optimizer = pydl.optim.Adagrad([w], lr=0.5)
        >>> w.grad = pydl.tensor([0.1, -7.0])
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 1.5000], requires_grad=True)
    """

    _flags = ("maximize", "differentiable")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_nonnegative(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param] = {"step": pydl.tensor(0.0), "sum": self._fresh(group, "sum", param)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("fused", None)

    def share_memory(self) -> None:
        """Move the sums to shared memory, for several processes that train together."""
        for state in self.state.values():
            state["sum"].share_memory_()

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def _fresh(self, group: dict[str, Any], name: str, param: Any) -> Any:
        start = group["initial_accumulator_value"]
        return pydl.full_like(param, complex(start, start) if param.is_complex() else start, requires_grad=False)

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        rate = float(group["lr"]) / (1 + (scalars["step"].item() - 1) * group["lr_decay"])
        return [rate, group["eps"]]
