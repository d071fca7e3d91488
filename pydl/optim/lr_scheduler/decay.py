"""Schedules that are functions of the epoch."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from pydl.optim.lr_scheduler._base import LRScheduler, per_group
from pydl.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "StepLR"]


class LambdaLR(LRScheduler):
    """The first rate times ``lr_lambda(epoch)``; one function, or one for each group.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5 ** epoch)
        >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = per_group(lr_lambda, len(optimizer.param_groups), "lr_lambdas")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Functions cannot be saved, objects with ``__call__`` are saved by their attributes."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "lr_lambdas")}
        state["lr_lambdas"] = [None if _is_function(f) else f.__dict__.copy() for f in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        state_dict = dict(state_dict)
        for function, attributes in zip(self.lr_lambdas, state_dict.pop("lr_lambdas")):
            if attributes is not None:
                function.__dict__.update(attributes)
        self.__dict__.update(state_dict)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``."""
        return [base * factor(self.last_epoch) for factor, base in zip(self.lr_lambdas, self.base_lrs)]


def _is_function(value: Any) -> bool:
    return isinstance(value, type(_is_function))


class StepLR(LRScheduler):
    """Multiplied by ``gamma`` every ``step_size`` epochs.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += [round(rate, 3) for rate in schedule.get_last_lr()]
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self.current()
        return [lr * self.gamma for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiplied by ``gamma`` at each epoch of ``milestones``.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += [round(rate, 3) for rate in schedule.get_last_lr()]
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``."""
        return [lr * self.gamma ** self.milestones[self.last_epoch] for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiplied by ``gamma`` every epoch.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += [round(rate, 3) for rate in schedule.get_last_lr()]
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``."""
        return self.current() if self._is_initial else [lr * self.gamma for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class LinearLR(LRScheduler):
    """A factor that goes linearly from ``start_factor`` to ``end_factor`` over ``total_iters`` epochs.

    Raises:
        ValueError: ``start_factor`` outside (0, 1] or ``end_factor`` outside [0, 1].

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += [round(rate, 3) for rate in schedule.get_last_lr()]
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.25, 0.5, 0.75, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1.0:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if not 0 <= end_factor <= 1.0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``."""
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self.current()]
        if self.last_epoch > self.total_iters:
            return self.current()
        change = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * change
        return [lr * (1.0 + change / before) for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        part = min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * (self.start_factor + (self.end_factor - self.start_factor) * part) for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the first rate to ``eta_min`` in ``T_max`` epochs (Loshchilov and Hutter, ICLR 2017).

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += [round(rate, 3) for rate in schedule.get_last_lr()]
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [1.0, 0.854, 0.5, 0.146]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``, from those of the epoch before: other schedules may change them too."""
        epoch, period = self.last_epoch, self.T_max
        if self._is_initial:
            return self.current()
        if self._step_count == 1 and epoch > 0:
            return self._get_closed_form_lr()
        if (epoch - 1 - period) % (2 * period) == 0:  # the turning point, where the ratio below is 0 / 0
            rise = (1 - math.cos(math.pi / period)) / 2
            return [lr + (base - self.eta_min) * rise for base, lr in zip(self.base_lrs, self.current())]
        ratio = (1 + math.cos(math.pi * epoch / period)) / (1 + math.cos(math.pi * (epoch - 1) / period))
        return [ratio * (lr - self.eta_min) + self.eta_min for lr in self.current()]

    def _get_closed_form_lr(self) -> list[Any]:
        half = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * half for base in self.base_lrs]
