"""One cycle of rate and momentum."""

from __future__ import annotations

import math
from typing import Any

from pydl.optim.lr_scheduler._base import LRScheduler, per_group
from pydl.optim.optimizer import Optimizer

__all__ = ["OneCycleLR"]


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (1 + math.cos(math.pi * part))


def _linear(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down far below the first rate, with momentum the other way (Smith and Topin, 2018).

    ``step()`` is called after each batch.

    Args:
        optimizer: whose groups are changed.
        max_lr: the highest rate, or one for each group.
        total_steps: length of the cycle; or ``epochs`` and ``steps_per_epoch``.
        pct_start: the part of the cycle that rises. Default: 0.3.
        anneal_strategy: ``"cos"`` (default) or ``"linear"``.
        cycle_momentum: whether momentum (or beta1) cycles too. Default: ``True``.
        base_momentum, max_momentum: its limits. Default: 0.85 and 0.95.
        div_factor: ``max_lr`` over the first rate. Default: 25.
        final_div_factor: first rate over the last. Default: 1e4.
        three_phase: mirror the rise before the last phase. Default: ``False``.

    Raises:
        ValueError: a length, part or strategy that makes no sense; more steps than ``total_steps``.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, cycle_momentum=False)
        >>> [round(rate, 3) for rate in schedule.get_last_lr()]
        [0.04]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.total_steps = _length(total_steps, epochs, steps_per_epoch)
        if not (isinstance(pct_start, float) and 0 <= pct_start <= 1):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = self._phases(pct_start * self.total_steps, three_phase)
        count = len(optimizer.param_groups)
        for group, highest in zip(optimizer.param_groups, per_group(max_lr, count, "values for max_lr")):
            if last_epoch == -1:
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._set_momenta(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def _set_momenta(self, optimizer: Optimizer, lowest: Any, highest: Any, first: bool) -> None:
        if not ("momentum" in optimizer.defaults or "betas" in optimizer.defaults):
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        count = len(optimizer.param_groups)
        if not first:
            return
        for group, low, high in zip(
            optimizer.param_groups,
            per_group(lowest, count, "values for base_momentum"),
            per_group(highest, count, "values for max_momentum"),
        ):
            self._set_momentum(group, high)
            group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value

    def _phases(self, rise: float, three: bool) -> list[dict[str, Any]]:
        """End step of each phase and between which options of a group it leads."""
        up = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
        rows: list[tuple[float, tuple[str, ...]]] = [(rise - 1, up)]
        if three:
            rows.append((2 * rise - 2, ("max_lr", "initial_lr", "base_momentum", "max_momentum")))
            rows.append((self.total_steps - 1, ("initial_lr", "min_lr", "max_momentum", "max_momentum")))
        else:
            rows.append((self.total_steps - 1, ("max_lr", "min_lr", "base_momentum", "max_momentum")))
        names = ("start_lr", "end_lr", "start_momentum", "end_momentum")
        return [{"end_step": float(end), **dict(zip(names, options))} for end, options in rows]

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``; momentum is set on the way."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(f"Tried to step {step} times. The specified number of total steps is {self.total_steps}")
        anneal = _cosine if self._anneal_func_type == "cos" else _linear
        rates = []
        for group in self.optimizer.param_groups:
            start = 0.0
            for phase in self._schedule_phases:
                if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                    part = (step - start) / (phase["end_step"] - start)
                    rates.append(anneal(group[phase["start_lr"]], group[phase["end_lr"]], part))
                    if self.cycle_momentum:
                        ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                        self._set_momentum(group, anneal(*ends, part))
                    break
                start = phase["end_step"]
        return rates


def _length(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        if not isinstance(total_steps, int) or total_steps <= 0:
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return epochs * steps_per_epoch
