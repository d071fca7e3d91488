"""L-BFGS: quasi-Newton steps from the last gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pydl
from pydl import Tensor
from pydl.optim._line_search import strong_wolfe
from pydl.optim.optimizer import Optimizer, check_nonnegative

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS (Liu and Nocedal, Mathematical Programming 45, 1989).

    Each ``step(closure)`` makes up to ``max_iter`` iterations, so the closure, which clears the gradients, computes the
    loss and calls ``backward``, is evaluated many times. One parameter group alone. Memory: ``2 * history_size``
    vectors of the size of all parameters.

    Args:
        params: tensors.
        lr: first step length of each iteration. Default: 1.
        max_iter: iterations in a step. Default: 20.
        max_eval: evaluations in a step. Default: ``max_iter * 1.25``.
        tolerance_grad: stop when no element of the gradient is larger. Default: 1e-7.
        tolerance_change: stop when neither loss nor parameters change more. Default: 1e-9.
        history_size: pairs of differences kept. Default: 100.
        line_search_fn: ``None`` or ``"strong_wolfe"``. Default: ``None``.

    Raises:
        ValueError: a negative ``lr``, or several groups. RuntimeError: another line search.

    Example:
        >>> import pydl
        >>> w = pydl.tensor([2.0, -3.0], requires_grad=True)
        >>> optimizer = pydl.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - 1) ** 4).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure)
        tensor(257., grad_fn=<SumBackward0>)
        >>> closure().item() < 1e-6
        True
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        check_nonnegative(lr=lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Any:
        """The gradients of all parameters in one vector."""
        parts = []
        for param in self._params:
            part = pydl.zeros_like(param) if param.grad is None else param.grad
            parts.append(_flat(part))
        return pydl.cat(parts)

    def _move(self, length: float, direction: Any) -> None:
        offset = 0
        for param in self._params:
            target = pydl.view_as_real(param) if param.is_complex() else param
            count = target.numel()
            target.add_(direction[offset : offset + count].view_as(target), alpha=length)
            offset += count

    def _evaluate(self, closure: Callable[[], Any], start: list[Any], direction: Any, length: float) -> Any:
        """Loss and gradient at ``start + length * direction``; the parameters stay at ``start``."""
        self._move(length, direction)
        try:
            with pydl.enable_grad():
                loss = float(closure())
            return loss, self._gradient()
        finally:
            for param, value in zip(self._params, start):
                param.copy_(value)

    @pydl.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Iterate. Returns the first loss of ``closure``, which evaluates the model and its gradients."""
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with pydl.enable_grad():
            first_loss = closure()
        loss, evaluations = float(first_loss), 1
        state["func_evals"] += 1
        gradient = self._gradient()
        if _largest(gradient) <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = _direction(state, gradient, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"], state["d"] = gradient.clone(), loss, direction
            length = float(group["lr"])
            if state["n_iter"] == 1:
                length *= min(1.0, 1.0 / gradient.abs().sum().item())
            state["t"] = length
            slope = gradient.dot(direction).item()
            if slope > -group["tolerance_change"]:
                break
            used = 0
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = [param.clone() for param in self._params]
                loss, gradient, length, used = strong_wolfe(
                    partial(self._evaluate, closure, start, direction),
                    length,
                    direction,
                    loss,
                    gradient,
                    slope,
                    group["max_eval"] - evaluations,
                )
                state["t"] = length
                self._move(length, direction)
            else:
                self._move(length, direction)
                if iteration != group["max_iter"]:
                    with pydl.enable_grad():
                        loss = float(closure())
                    gradient = self._gradient()
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if evaluations >= group["max_eval"] or _converged(group, state, loss, gradient):
                break
        return first_loss


def _flat(tensor: Any) -> Any:
    return (pydl.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(-1)


def _largest(vector: Any) -> float:
    return float(vector.abs().max().item()) if vector.numel() else 0.0


def _converged(group: dict[str, Any], state: dict[str, Any], loss: float, gradient: Any) -> bool:
    tolerance = group["tolerance_change"]
    return (
        _largest(gradient) <= group["tolerance_grad"]
        or _largest(state["d"]) * abs(state["t"]) <= tolerance
        or abs(loss - state["prev_loss"]) < tolerance
    )


def _direction(state: dict[str, Any], gradient: Any, history_size: int) -> Any:
    """The descent direction: the two-loop recursion over the kept differences (Nocedal and Wright, algorithm 7.4)."""
    if state["n_iter"] == 1:
        state.update({"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1})
        return gradient.neg()
    changes, steps, inverse = state["old_dirs"], state["old_stps"], state["ro"]
    change, step = gradient - state["prev_flat_grad"], state["d"] * state["t"]
    product = change.dot(step).item()
    if product > 1e-10:  # otherwise the curvature is not positive, and the pair would spoil the matrix
        if len(changes) == history_size:
            del changes[0], steps[0], inverse[0]
        changes.append(change)
        steps.append(step)
        inverse.append(1.0 / product)
        state["H_diag"] = product / change.dot(change).item()
    q = gradient.neg()
    weights = []
    for y, s, rho in zip(reversed(changes), reversed(steps), reversed(inverse)):
        weights.append(s.dot(q).item() * rho)
        q.add_(y, alpha=-weights[-1])
    r = q * state["H_diag"]
    for y, s, rho, weight in zip(changes, steps, inverse, reversed(weights)):
        r.add_(s, alpha=weight - y.dot(r).item() * rho)
    return r
