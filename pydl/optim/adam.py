"""Adam: steps scaled by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.optim.optimizer import Optimizer, changed, check_flags, check_nonnegative, evaluate

__all__ = ["Adam"]


class _Cohort:
    """Parameters with gradients that have made the same number of steps; they share one ``step`` tensor."""

    __slots__ = ("exp_avg_sqs", "exp_avgs", "indices", "max_exp_avg_sqs", "params", "states", "step")

    def __init__(self, step: float) -> None:
        self.step = pydl.tensor(step, dtype=pydl.float32)
        self.indices: list[int] = []
        self.params: list[Any] = []
        self.states: list[dict[str, Any]] = []
        self.exp_avgs: list[Any] = []
        self.exp_avg_sqs: list[Any] = []
        self.max_exp_avg_sqs: list[Any] = []

    def add(self, index: int, param: Any, state: dict[str, Any], amsgrad: bool) -> None:
        state["step"] = self.step
        self.indices.append(index)
        self.params.append(param)
        self.states.append(state)
        self.exp_avgs.append(state["exp_avg"])
        self.exp_avg_sqs.append(state["exp_avg_sq"])
        if amsgrad:
            self.max_exp_avg_sqs.append(state["max_exp_avg_sq"])

    def stale(self, states: Any) -> bool:
        """Whether the optimizer's state is no longer what was gathered (it was loaded, cleared or edited)."""
        for param, state, first, second in zip(self.params, self.states, self.exp_avgs, self.exp_avg_sqs):
            if (
                states.get(param) is not state
                or state.get("step") is not self.step
                or state.get("exp_avg") is not first
                or state.get("exp_avg_sq") is not second
            ):
                return True
        return any(s.get("max_exp_avg_sq") is not largest for s, largest in zip(self.states, self.max_exp_avg_sqs))


class _Gathered:
    """A group's parameters with gradients, as the fused step takes them."""

    __slots__ = ("amsgrad", "cohorts", "ids", "missing", "states")

    def __init__(self, params: list[Any], grads: list[Any], amsgrad: bool, states: Any) -> None:
        self.ids = list(map(id, params))
        self.missing = [grad is None for grad in grads]
        self.amsgrad = amsgrad
        self.states = states
        by_step: dict[float, _Cohort] = {}
        for i, (param, grad) in enumerate(zip(params, grads)):
            if grad is not None:
                state = _prepared(states[param], param, amsgrad)
                step = float(state["step"])
                # A new tensor for each cohort: parameters that pause keep the old one with their own count.
                by_step.setdefault(step, _Cohort(step)).add(i, param, state, amsgrad)
        self.cohorts = list(by_step.values())

    def stale(self, states: Any, amsgrad: bool) -> bool:
        if self.states is not states or self.amsgrad != amsgrad:
            return True
        return any(cohort.stale(states) for cohort in self.cohorts)


def _prepared(state: dict[str, Any], param: Any, amsgrad: bool) -> dict[str, Any]:
    """The state of one parameter with every entry that a step needs."""
    if not state:
        state["step"] = 0.0
        state["exp_avg"] = pydl.zeros_like(param, requires_grad=False)
        state["exp_avg_sq"] = pydl.zeros_like(param, requires_grad=False)
    if amsgrad and "max_exp_avg_sq" not in state:
        state["max_exp_avg_sq"] = pydl.zeros_like(param, requires_grad=False)
    return state


class Adam(Optimizer):
    """Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015).

    With ``m`` and ``v`` the running means of the gradient and of its square, corrected for their start at zero,
    ``p = p - lr * m / (sqrt(v) + eps)``.

    Args:
        params: tensors or groups.
        lr: step size. Default: 1e-3.
        betas: how much of ``m`` and ``v`` stays. Default: (0.9, 0.999).
        eps: Default: 1e-8.
        weight_decay: factor of the L2 penalty. Default: 0.
        amsgrad: divide by the largest ``v`` so far (Reddi et al., 2018). Default: ``False``.
        maximize: climb instead. Default: ``False``.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient, as AdamW. Default: ``False``.
        foreach, fused, capturable: accepted; the step is always one fused call.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Example:
        >>> import pydl
        >>> w = pydl.ones(2, requires_grad=True)
        >>> optimizer = pydl.optim.Adam([w], lr=0.5)
        >>> (w * 2).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_nonnegative(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay)
        check_flags(foreach, fused, differentiable)
        self._cache: dict[int, _Gathered] = {}
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._cache = {}
        for group in self.param_groups:
            for name in ("amsgrad", "maximize", "capturable", "differentiable", "decoupled_weight_decay"):
                group.setdefault(name, False)
            for name in ("foreach", "fused"):
                group.setdefault(name, None)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters that have gradients. Returns the loss of ``closure``, if given."""
        loss = evaluate(closure)
        for i, group in enumerate(self.param_groups):
            params = group["params"]
            grads = [param.grad for param in params]
            cached: Any = self._cache.get(i)
            if changed(params, grads, cached) or cached.stale(self.state, group["amsgrad"]):
                cached = self._cache[i] = _Gathered(params, grads, group["amsgrad"], self.state)
            for cohort in cached.cohorts:
                whole = len(cohort.params) == len(params)
                self._update(group, cohort, grads if whole else [grads[k] for k in cohort.indices])
        return loss

    def _update(self, group: dict[str, Any], cohort: _Cohort, grads: list[Any]) -> None:
        cohort.step += 1
        beta1, beta2 = group["betas"]
        pydl._adam_step(
            cohort.params,
            grads,
            cohort.exp_avgs,
            cohort.exp_avg_sqs,
            cohort.max_exp_avg_sqs,
            lr=float(group["lr"]),
            beta1=float(beta1),
            beta2=float(beta2),
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            step=int(cohort.step.item()),
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
            decoupled=group["decoupled_weight_decay"],
        )
