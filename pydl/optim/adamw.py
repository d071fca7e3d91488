"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim.adam import Adam

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly (Loshchilov and Hutter, ICLR 2019).

    Args:
        params: tensors or groups.
        lr: step size. Default: 1e-3.
        betas: how much of the running moments stays. Default: (0.9, 0.999).
        eps: Default: 1e-8.
        weight_decay: each step multiplies the parameters by ``1 - lr * weight_decay``. Default: 1e-2.
        amsgrad: divide by the largest second moment so far. Default: ``False``.
        maximize: climb instead. Default: ``False``.
        foreach, fused, capturable: accepted; the step is always one fused call.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Example:
        >>> import pydl
        >>> w = pydl.ones(1, requires_grad=True)
        >>> optimizer = pydl.optim.AdamW([w], lr=0.1, weight_decay=1.0)
        >>> w.grad = pydl.zeros(1)
        >>> optimizer.step()
        >>> w
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
