"""Adafactor: Adam's second moment from its row and column sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.optim.optimizer import Optimizer, check_flags, check_nonnegative, evaluate

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, "Adaptive learning rates with sublinear memory cost", ICML 2018).

    Of a matrix of n x m, n + m numbers are kept instead of n * m: the running means of the squared gradient over rows
    and over columns, whose outer product stands for the second moment. Steps are relative to the size of the parameter,
    and clipped. With more than two dimensions, the last two are factored.

    Args:
        params: tensors or groups.
        lr: largest relative step; step t uses ``min(lr, 1 / sqrt(t))``. Default: 1e-2.
        beta2_decay: the running means take up ``t^beta2_decay`` of the new value. Default: -0.8.
        eps: floor of the second moment's root (``None``: the spacing of the dtype at 1) and of the parameter's size.
            Default: (None, 1e-3).
        d: updates whose root mean square is above this are scaled down to it. Default: 1.0.
        weight_decay: each step multiplies the parameters by ``1 - lr * weight_decay``. Default: 0.
        foreach: accepted.
        maximize: climb instead. Default: ``False``.

    Raises:
        ValueError: an option out of its range. RuntimeError: a complex parameter.

    Example:
        >>> import pydl
        >>> w = pydl.ones(4, 3, requires_grad=True)
        >>> optimizer = pydl.optim.Adafactor([w], lr=0.5)
        >>> w.grad = pydl.ones(4, 3)
        >>> optimizer.step()
        >>> bool((w == 0.5).all()), optimizer.state[w]["row_var"].shape
        (True, torch.Size([4, 1]))
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        check_nonnegative(lr=lr)
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_nonnegative(weight_decay=weight_decay)
        check_flags(foreach, None, False)
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("foreach", None)

    @pydl.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters that have gradients. Returns the loss of ``closure``, if given."""
        loss = evaluate(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    if param.is_complex():
                        raise RuntimeError("Adafactor does not support complex parameters")
                    self._update(group, param, -param.grad if group["maximize"] else param.grad)
        return loss

    def _update(self, group: dict[str, Any], param: Any, grad: Any) -> None:
        state = self.state[param]
        if not state:
            state["step"] = pydl.tensor(0.0, dtype=pydl.float32)
            if grad.dim() > 1:
                state["row_var"] = grad.new_zeros((*grad.shape[:-1], 1))
                state["col_var"] = grad.new_zeros((*grad.shape[:-2], 1, grad.shape[-1]))
            else:
                state["variance"] = pydl.zeros_like(grad)
        state["step"] += 1
        step, lr = state["step"].item(), float(group["lr"])
        eps1, eps2 = group["eps"]
        eps1 = pydl.finfo(param.dtype).eps if eps1 is None else eps1
        fresh = step ** group["beta2_decay"]
        rate = max(eps2, _rms(param)) * min(lr, 1 / step**0.5)
        if group["weight_decay"] != 0:
            param.mul_(1 - lr * group["weight_decay"])
        moment = _second_moment(state, grad, fresh, eps1)
        update = moment.clamp_(min=eps1 * eps1).rsqrt_().mul_(grad)
        param.add_(update, alpha=-rate / max(1.0, _rms(update) / group["d"]))


def _rms(tensor: Any) -> float:
    """Root mean square."""
    return tensor.norm(2).item() / max(tensor.numel(), 1) ** 0.5


def _second_moment(state: dict[str, Any], grad: Any, fresh: float, eps: float) -> Any:
    """A new tensor with the estimate of the mean squared gradient."""
    if grad.dim() <= 1:
        return state["variance"].lerp_(grad * grad, fresh).clone()
    square = grad.square()
    row, column = state["row_var"], state["col_var"]
    row.lerp_(square.mean(-1, keepdim=True), fresh)
    column.lerp_(square.mean(-2, keepdim=True), fresh)
    return (row @ column).div_(row.mean(-2, keepdim=True).clamp_(min=eps))
