"""The base of optimizers whose update is a rule per element: one fused call steps all parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl.optim.optimizer import Optimizer, changed, check_flags, evaluate

__all__ = ["RuleOptimizer"]


class _Cohort:
    """Parameters with gradients and equal scalars (``step`` and others), which they share as tensors."""

    __slots__ = ("columns", "indices", "params", "scalars", "states")

    def __init__(self, scalars: dict[str, float], columns: tuple[str, ...]) -> None:
        self.scalars = {name: pydl.tensor(value, dtype=pydl.float32) for name, value in scalars.items()}
        self.columns: dict[str, list[Any]] = {name: [] for name in columns}
        self.indices: list[int] = []
        self.params: list[Any] = []
        self.states: list[dict[str, Any]] = []

    def add(self, index: int, param: Any, state: dict[str, Any]) -> None:
        state.update(self.scalars)
        self.indices.append(index)
        self.params.append(param)
        self.states.append(state)
        for name, column in self.columns.items():
            column.append(state[name])

    def stale(self) -> bool:
        """Whether an entry of a state is no longer what was gathered."""
        for name, tensor in self.scalars.items():
            if any(state.get(name) is not tensor for state in self.states):
                return True
        return any(
            state.get(name) is not tensor
            for name, column in self.columns.items()
            for state, tensor in zip(self.states, column)
        )


class _Gathered:
    """A group's parameters with gradients, as the fused step takes them."""

    __slots__ = ("cohorts", "columns", "ids", "missing", "owner", "params")

    def __init__(self, optimizer: RuleOptimizer, group: dict[str, Any], grads: list[Any]) -> None:
        self.params = list(group["params"])
        self.ids = list(map(id, self.params))
        self.missing = [grad is None for grad in grads]
        self.owner = optimizer.state
        self.columns = optimizer._columns(group)
        cohorts: dict[tuple[float, ...], _Cohort] = {}
        for i, (param, grad) in enumerate(zip(self.params, grads)):
            if grad is None:
                continue
            state = self.owner[param]
            for name, value in optimizer._fresh_scalars(group).items():
                state.setdefault(name, value)
            for name in self.columns:
                if name not in state:
                    state[name] = optimizer._fresh(group, name, param)
            scalars = {name: float(state[name]) for name in optimizer._fresh_scalars(group)}
            cohort = cohorts.setdefault(tuple(scalars.values()), _Cohort(scalars, self.columns))
            cohort.add(i, param, state)
        self.cohorts = list(cohorts.values())

    def stale(self, optimizer: RuleOptimizer, group: dict[str, Any]) -> bool:
        if self.owner is not optimizer.state or self.columns != optimizer._columns(group):
            return True
        return any(
            cohort.stale() or any(self.owner.get(p) is not state for p, state in zip(cohort.params, cohort.states))
            for cohort in self.cohorts
        )


class RuleOptimizer(Optimizer):
    """What a rule per element needs: its states, scalars and coefficients. A subclass defines the methods below."""

    _flags: tuple[str, ...] = ("maximize", "capturable", "differentiable")

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        check_flags(defaults.get("foreach"), defaults.get("fused"), defaults.get("differentiable", False))
        self._cache: dict[int, _Gathered] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._cache = {}
        for group in self.param_groups:
            for name in self._flags:
                group.setdefault(name, False)
            group.setdefault("foreach", None)

    def _rule(self, group: dict[str, Any]) -> str:
        """Name of the kernel."""
        return type(self).__name__.lower()

    def _columns(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Names of the state tensors, in the order of the kernel."""
        raise NotImplementedError

    def _fresh(self, group: dict[str, Any], name: str, param: Any) -> Any:
        """The state tensor ``name`` before the first step."""
        return pydl.zeros_like(param, requires_grad=False)

    def _fresh_scalars(self, group: dict[str, Any]) -> dict[str, float]:
        """Scalars before the first step."""
        return {"step": 0.0}

    def _coefficients(self, group: dict[str, Any], scalars: dict[str, Any]) -> list[float]:
        """The kernel's options for the step that ``scalars["step"]`` counts; may change the other scalars."""
        raise NotImplementedError

    def _decay(self, group: dict[str, Any]) -> tuple[float, float]:
        """The factor of the L2 penalty, and what the parameter is multiplied with (decoupled weight decay)."""
        decay = group.get("weight_decay", 0)
        if group.get("decoupled_weight_decay"):
            return 0.0, 1 - float(group["lr"]) * decay
        return decay, 1.0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters that have gradients. Returns the loss of ``closure``, if given."""
        loss = evaluate(closure)
        for i, group in enumerate(self.param_groups):
            grads = [param.grad for param in group["params"]]
            cached: Any = self._cache.get(i)
            if changed(group["params"], grads, cached) or cached.stale(self, group):
                cached = self._cache[i] = _Gathered(self, group, grads)
            for cohort in cached.cohorts:
                self._update(group, cohort, [grads[k] for k in cohort.indices])
        return loss

    def _update(self, group: dict[str, Any], cohort: _Cohort, grads: list[Any]) -> None:
        cohort.scalars["step"] += 1
        decay, shrink = self._decay(group)
        sign = -1.0 if group["maximize"] else 1.0
        options = [sign, decay, shrink, *self._coefficients(group, cohort.scalars)]
        states = [tensor for column in cohort.columns.values() for tensor in column]
        pydl._rule_step(self._rule(group), cohort.params, grads, states, pydl.tensor(options, dtype=pydl.float64))
