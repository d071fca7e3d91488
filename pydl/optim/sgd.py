"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.optim.optimizer import Optimizer, changed, check_flags, check_nonnegative, evaluate

__all__ = ["SGD"]


class _Gathered:
    """The parameters of a group that have gradients, as the fused step takes them."""

    __slots__ = ("buffers", "ids", "missing", "params", "state")

    def __init__(self, params: list[Tensor], grads: list[Any], state: Any) -> None:
        self.ids = list(map(id, params))
        self.missing = [grad is None for grad in grads]
        self.params = [param for param, grad in zip(params, grads) if grad is not None]
        self.buffers: list[Any] = []
        self.state = state

    def stale(self, state: Any) -> bool:
        """Whether the momentum buffers are no longer those in ``state`` (it was loaded or cleared)."""
        if self.state is not state:
            return True
        return any(state.get(p, {}).get("momentum_buffer") is not b for p, b in zip(self.params, self.buffers))


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Sutskever et al., 2013).

    ``v = momentum * v + (1 - dampening) * g`` and ``p = p - lr * v``, with ``g`` the gradient plus
    ``weight_decay * p``; the first step sets ``v = g``. Nesterov: ``p = p - lr * (g + momentum * v)``.

    Args:
        params: tensors or groups.
        lr: step size. Default: 1e-3.
        momentum: Default: 0.
        dampening: Default: 0.
        weight_decay: factor of the L2 penalty. Default: 0.
        nesterov: Default: ``False``.
        maximize: climb instead. Default: ``False``.
        foreach, fused: accepted; the step is always one fused call.

    Raises:
        ValueError: a negative option, or ``nesterov`` without momentum or with dampening.

    Example:
        >>> import pydl
        >>> w = pydl.ones(2, requires_grad=True)
        >>> optimizer = pydl.optim.SGD([w], lr=0.5)
        >>> (w * 2).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.0, 0.0]
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_nonnegative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        check_flags(foreach, fused, differentiable)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        self._cache: dict[int, _Gathered] = {}
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._cache = {}
        for group in self.param_groups:
            for name, value in (("nesterov", False), ("maximize", False), ("foreach", None), ("fused", None)):
                group.setdefault(name, value)
            group.setdefault("differentiable", False)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters that have gradients. Returns the loss of ``closure``, if given."""
        loss = evaluate(closure)
        for i, group in enumerate(self.param_groups):
            params = group["params"]
            grads = [param.grad for param in params]
            cached: Any = self._cache.get(i)
            if (
                changed(params, grads, cached)
                or (group["momentum"] != 0) != bool(cached.buffers)
                or cached.stale(self.state)
            ):
                self._first(i, group, grads)
                continue
            live = [grad for grad in grads if grad is not None] if len(cached.params) < len(params) else grads
            self._update(group, cached.params, live, cached.buffers, False)
        return loss

    def _first(self, i: int, group: dict[str, Any], grads: list[Any]) -> None:
        """A step after a change: gather anew; parameters without a momentum buffer get theirs."""
        cached = self._cache[i] = _Gathered(group["params"], grads, self.state)
        live = [grad for grad in grads if grad is not None]
        if group["momentum"] == 0:
            self._update(group, cached.params, live, [], False)
            return
        parts: dict[bool, tuple[list[Any], list[Any], list[Any]]] = {True: ([], [], []), False: ([], [], [])}
        for param, grad in zip(cached.params, live):
            buffer = self.state[param].get("momentum_buffer")
            new = buffer is None
            if new:
                buffer = self.state[param]["momentum_buffer"] = pydl.zeros_like(param, requires_grad=False)
            for column, value in zip(parts[new], (param, grad, buffer)):
                column.append(value)
            cached.buffers.append(buffer)
        for new, (params, gradients, buffers) in parts.items():
            self._update(group, params, gradients, buffers, new)

    def _update(self, group: Any, params: list[Any], grads: list[Any], buffers: list[Any], first: bool) -> None:
        if not params:
            return
        pydl._sgd_step(
            params,
            grads,
            buffers,
            lr=float(group["lr"]),
            momentum=group["momentum"],
            dampening=group["dampening"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            first_step=first,
        )
