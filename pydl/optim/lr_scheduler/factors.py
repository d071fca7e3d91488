"""Schedules that multiply the rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydl.optim.lr_scheduler._base import LRScheduler
from pydl.optim.lr_scheduler.decay import LambdaLR
from pydl.optim.optimizer import Optimizer

__all__ = ["ConstantLR", "MultiplicativeLR", "PolynomialLR"]


class MultiplicativeLR(LambdaLR):
    """Each epoch's rate is the one before times ``lr_lambda(epoch)``; one function, or one for each group.

    Args:
        optimizer: whose groups are set.
        lr_lambda: of the epoch, from 1 on.
        last_epoch: where to go on. Default: -1.

    Raises:
        ValueError: another number of functions than groups.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     schedule.step()
        >>> schedule.get_last_lr()
        [0.125]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        for function in lr_lambda if isinstance(lr_lambda, (list, tuple)) else [lr_lambda]:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``, from those before."""
        if self._is_initial:
            return self.current()
        return [lr * factor(self.last_epoch) for factor, lr in zip(self.lr_lambdas, self.current())]


class ConstantLR(LRScheduler):
    """The first rate times ``factor`` until ``total_iters`` epochs have passed.

    Args:
        optimizer: whose groups are set.
        factor: in [0, 1]. Default: 1/3.
        total_iters: Default: 5.
        last_epoch: where to go on. Default: -1.

    Raises:
        ValueError: ``factor`` outside [0, 1].

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``, from those before."""
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self.current()]
        if self.last_epoch != self.total_iters:
            return self.current()
        return [lr * (1.0 / self.factor) for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        factor = 1.0 if self.last_epoch >= self.total_iters else self.factor
        return [base * factor for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """The first rate times ``(1 - epoch / total_iters) ** power``, zero from ``total_iters`` on.

    Args:
        optimizer: whose groups are set.
        total_iters: Default: 5.
        power: Default: 1.0.
        last_epoch: where to go on. Default: -1.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4)
        >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
        [0.75]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``, from those before."""
        epoch, total = self.last_epoch, self.total_iters
        if self._is_initial or epoch > total:
            return self.current()
        factor = ((1.0 - epoch / total) / (1.0 - (epoch - 1) / total)) ** self.power
        return [lr * factor for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        epoch = min(self.total_iters, self.last_epoch)
        return [base * (1.0 - epoch / self.total_iters) ** self.power for base in self.base_lrs]
