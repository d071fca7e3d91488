"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from pydl.optim.lr_scheduler._base import LRScheduler
from pydl.optim.optimizer import Optimizer

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composite(LRScheduler):
    """Saving and loading of the parts."""

    _schedulers: list[Any]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, with the states of the parts."""
        state = super().state_dict()
        state["_schedulers"] = [part.state_dict() for part in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        state = dict(state_dict)
        for part, saved in zip(self._schedulers, state.pop("_schedulers")):
            part.load_state_dict(saved)
        super().load_state_dict(state)


class SequentialLR(_Composite):
    """One schedule after the other, each from its first epoch on.

    Args:
        optimizer: whose groups are set.
        schedulers: of that optimizer.
        milestones: the epochs at which the second, third, ... begin.
        last_epoch: where to go on. Default: -1.

    Raises:
        ValueError: no schedules, one of another optimizer, or a wrong number of milestones.
        TypeError: a schedule that has no ``optimizer``.

    Example:
        >>> import pydl
        >>> from pydl.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.1, total_iters=20), ExponentialLR(optimizer, gamma=0.5)]
        >>> schedule = SequentialLR(optimizer, parts, milestones=[2])
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += schedule.get_last_lr()
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.1, 0.1, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError("SequentialLR expects at least one scheduler, got none")
        for i, part in enumerate(schedulers):
            if not hasattr(part, "optimizer"):
                raise TypeError(f"SequentialLR: schedulers[{i}] has no optimizer, got {type(part).__name__}")
            if part.optimizer is not optimizer:
                raise ValueError(f"SequentialLR: schedulers[{i}] belongs to another optimizer")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR expects one milestone less than schedulers, got {len(milestones)} milestones and "
                f"{len(schedulers)} schedulers"
            )
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        # Each part has set its first rate when it was made: take all of that back, then let the first begin.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for part in self._schedulers:
            _undo(part)
        self._schedulers[0]._initial_step()
        self._last_lr = schedulers[0].get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            part.step(0)
        else:
            part.step()
        self._last_lr = part.get_last_lr()


def _undo(schedule: Any) -> None:
    for part in getattr(schedule, "_schedulers", ()):
        _undo(part)
    if hasattr(schedule, "last_epoch"):
        schedule.last_epoch -= 1


class ChainedScheduler(_Composite):
    """Several schedules at once: each ``step`` applies all of them, one after the other.

    Args:
        schedulers: of one optimizer.
        optimizer: Default: that of the first schedule.

    Raises:
        ValueError: no schedules, or schedules of several optimizers.

    Example:
        >>> import pydl
        >>> from pydl.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = ChainedScheduler([ConstantLR(optimizer, 0.5, 1), ExponentialLR(optimizer, 0.5)])
        >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
        [0.5]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise ValueError("ChainedScheduler expects at least one scheduler, got none")
        self.optimizer = optimizer or schedulers[0].optimizer
        for i, part in enumerate(schedulers):
            if part.optimizer is not self.optimizer:
                raise ValueError(f"ChainedScheduler: schedulers[{i}] belongs to another optimizer")
        self._schedulers = list(schedulers)
        self._last_lr = self.current()

    def _initial_step(self) -> None:
        # As in PyTorch an ordinary step, so that parts which multiply the rate do so here already.
        self.step()

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch of every part."""
        for part in self._schedulers:
            part.step()
        self._last_lr = self.current()
