"""Muon: momentum whose matrix is made orthogonal."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pydl
from pydl.optim.optimizer import Optimizer, check_nonnegative, evaluate

__all__ = ["Muon"]


class Muon(Optimizer):
    """Momentum orthogonalised by Newton and Schulz's iteration (K. Jordan, "Muon", 2024).

    For the weight matrices of hidden layers: the step is the nearest orthogonal matrix to the momentum, so all of its
    directions count alike. Biases, embeddings and heads need another optimizer.

    Args:
        params: matrices, or groups of them.
        lr: step size. Default: 1e-3.
        weight_decay: each step multiplies the parameters by ``1 - lr * weight_decay``. Default: 0.1.
        momentum: Default: 0.95.
        nesterov: Default: ``True``.
        ns_coefficients: of the quintic polynomial. Default: (3.4445, -4.775, 2.0315).
        eps: floor of the norm by which the matrix is divided. Default: 1e-7.
        ns_steps: iterations, below 100. Default: 5.
        adjust_lr_fn: ``"original"`` (the default, ``None``) scales by ``sqrt(max(1, rows / columns))``,
            ``"match_rms_adamw"`` by ``0.2 * sqrt(max(rows, columns))`` (Liu et al., arXiv:2502.16982).

    Raises:
        ValueError: an option out of its range, a parameter that is no matrix, or a gradient of another kind.

    Example:
        >>> import pydl
        >>> w = pydl.zeros(8, 8, requires_grad=True)
        >>> optimizer = pydl.optim.Muon([w], lr=1.0, weight_decay=0.0)
        >>> w.grad = pydl.randn(8, 8)
        >>> optimizer.step()
        >>> bool(pydl.linalg.svdvals(w.detach()).max() < 1.3)
        True
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_nonnegative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {param.size()}"
                    )

    @pydl.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters that have gradients. Returns the loss of ``closure``, if given."""
        loss = evaluate(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                if param.is_complex():
                    raise RuntimeError("Muon does not support complex parameters")
                state = self.state[param]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = pydl.zeros_like(param.grad)
                buffer = state["momentum_buffer"].lerp_(param.grad, 1 - group["momentum"])
                update = param.grad.lerp(buffer, group["momentum"]) if group["nesterov"] else buffer
                update = _orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
                param.mul_(1 - float(group["lr"]) * group["weight_decay"])
                param.add_(update, alpha=-float(group["lr"]) * _scale(group["adjust_lr_fn"], *param.shape))
        return loss


def _scale(kind: str | None, rows: int, columns: int) -> float:
    if kind == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / max(columns, 1)))


def _orthogonal(matrix: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """About U V^T of the singular value decomposition U S V^T, in bfloat16 as PyTorch."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / x.norm().clamp(min=eps)  # the iteration wants a spectral norm of at most one
    for _ in range(steps):
        gram = x @ x.T
        x = pydl.addmm(x, pydl.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)
