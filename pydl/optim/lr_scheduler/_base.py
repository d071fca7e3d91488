"""The base of learning-rate schedules."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.optim.optimizer import Optimizer


class LRScheduler:
    """Base class of schedules. ``step()`` is called once an epoch (or batch), after ``optimizer.step()``.

    A subclass defines ``get_lr``: the rates of all groups at ``self.last_epoch``, computed from those before.

    Args:
        optimizer: whose groups' ``"lr"`` are set.
        last_epoch: where to go on; -1 starts and takes the present rates as the first ones.

    Raises:
        TypeError: no optimizer. KeyError: going on with groups that have no ``"initial_lr"``.

    Example:
        >>> import pydl
        >>> class Halving(pydl.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [base / 2**self.last_epoch for base in self.base_lrs]
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = Halving(optimizer)
        >>> optimizer.step(); schedule.step(); schedule.get_last_lr()
        [0.5]
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming a scheduler")
        self.base_lrs = [_copied(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``."""
        raise NotImplementedError

    def get_last_lr(self) -> list[Any]:
        """The rates set last."""
        return self._last_lr

    def current(self) -> list[Any]:
        """The rates that the groups have now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch, or (deprecated) to ``epoch``, and set the rates."""
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", False):
            import warnings

            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: "
                "the first value of the learning rate schedule is skipped",
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is None:
            self.last_epoch += 1
            values = self.get_lr()
        else:
            self.last_epoch = epoch
            closed = getattr(self, "_get_closed_form_lr", self.get_lr)
            values = closed()
        for group, lr in zip(self.optimizer.param_groups, values):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(float(lr))
            else:
                group["lr"] = lr
        self._last_lr = [_copied(lr) for lr in self.current()]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.__dict__.update(state_dict)


def _copied(lr: Any) -> Any:
    return lr.clone() if isinstance(lr, Tensor) else lr


def per_group(value: Any, count: int, name: str) -> list[Any]:
    """One value for each group. Raises ValueError for a list of another length."""
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"Expected {count} {name}, but got {len(value)}")
    return list(value)
