"""Averages of a model's weights along training, and the schedule that goes with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

import pydl
from pydl import Tensor
from pydl.optim.lr_scheduler import LRScheduler
from pydl.optim.lr_scheduler._base import per_group
from pydl.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """``f(average, value, count)`` that returns ``decay * average + (1 - decay) * value``.

    Raises:
        ValueError: ``decay`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.optim.swa_utils.get_ema_avg_fn(0.5)(pydl.tensor(1.0), pydl.tensor(3.0), 1)
        tensor(2.)
    """
    _check_decay(decay)

    def average(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], None]:
    """The same for lists of tensors, in place.

    Raises:
        ValueError: ``decay`` outside [0, 1].

    Example:
        >>> import pydl
        >>> mean = [pydl.tensor(1.0)]
        >>> pydl.optim.swa_utils.get_ema_multi_avg_fn(0.5)(mean, [pydl.tensor(3.0)], 1)
        >>> mean
        [tensor(2.)]
    """
    _check_decay(decay)

    @pydl.no_grad()
    def average(ema_param_list: Any, current_param_list: Any, _: Any) -> None:
        for mean, value in zip(ema_param_list, current_param_list):
            if mean.is_floating_point() or mean.is_complex():
                mean.lerp_(value.to(mean.dtype), 1 - decay)
            else:
                mean.copy_(mean * decay + value * (1 - decay))

    return average


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """``f(average, value, count)`` that returns the mean of ``count + 1`` values from that of ``count``.

    Example:
        >>> import pydl
        >>> pydl.optim.swa_utils.get_swa_avg_fn()(pydl.tensor(1.0), pydl.tensor(4.0), 2)
        tensor(2.)
    """

    def average(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return average


def get_swa_multi_avg_fn() -> Callable[[Any, Any, Any], None]:
    """The same for lists of tensors, in place.

    Example:
        >>> import pydl
        >>> mean = [pydl.tensor(1.0)]
        >>> pydl.optim.swa_utils.get_swa_multi_avg_fn()(mean, [pydl.tensor(4.0)], 2)
        >>> mean
        [tensor(2.)]
    """

    @pydl.no_grad()
    def average(averaged_param_list: Any, current_param_list: Any, num_averaged: Any) -> None:
        share = 1 / (float(num_averaged) + 1)
        for mean, value in zip(averaged_param_list, current_param_list):
            if mean.is_floating_point() or mean.is_complex():
                mean.lerp_(value.to(mean.dtype), share)
            else:
                mean.copy_(mean + (value - mean) * share)

    return average


class AveragedModel(pydl.nn.Module):
    """A copy of a model whose parameters are the average of the model's (Izmailov et al., UAI 2018; Polyak's EMA).

    Args:
        model: what is averaged.
        device: of the copy. Default: that of the model.
        avg_fn: ``f(average, value, count)`` that returns the new average. Default: equal weights.
        multi_avg_fn: the same for lists, in place; only one of both may be given.
        use_buffers: average buffers too; otherwise they are copied. Default: ``False``.

    Raises:
        AssertionError: both functions are given.

    Example:
        >>> import pydl
        >>> model = pydl.nn.Linear(1, 1, bias=False)
        >>> average = pydl.optim.swa_utils.AveragedModel(model)
        >>> for value in (1.0, 2.0, 6.0):
        ...     _ = pydl.nn.init.constant_(model.weight, value)
        ...     average.update_parameters(model)
        >>> average.module.weight.item()
        3.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Any,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Any] | None = None,
        multi_avg_fn: Callable[[Any, Any, Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", pydl.tensor(0, dtype=pydl.long))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged model's output."""
        return self.module(*args, **kwargs)

    def _tensors(self, model: Any) -> list[Any]:
        return [*model.parameters(), *(model.buffers() if self.use_buffers else ())]

    @pydl.no_grad()
    def update_parameters(self, model: Any) -> None:
        """Take the present parameters of ``model`` into the average."""
        means, values = self._tensors(self.module), [t.detach() for t in self._tensors(model)]
        if int(self.n_averaged) == 0:
            for mean, value in zip(means, values):
                mean.copy_(value)
        elif self.avg_fn is not None:
            for mean, value in zip(means, values):
                mean.copy_(self.avg_fn(mean.detach(), value, self.n_averaged))
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())([m.detach() for m in means], values, self.n_averaged)
        if not self.use_buffers:
            for mean, value in zip(self.module.buffers(), model.buffers()):
                mean.detach().copy_(value.detach())
        self.n_averaged += 1


@pydl.no_grad()
def update_bn(loader: Iterable[Any], model: Any, device: Any = None) -> None:
    """Compute the running statistics of batch normalisation anew, in one pass over the data.

    Args:
        loader: gives batches, or lists and tuples whose first entry is one.
        model: whose statistics are set; its mode is kept.
        device: to which batches are moved. Default: they stay.

    Example:
        >>> import pydl
        >>> net = pydl.nn.Sequential(pydl.nn.BatchNorm1d(1))
        >>> pydl.optim.swa_utils.update_bn([pydl.tensor([[1.0], [3.0]])], net)
        >>> net[0].running_mean
        tensor([2.])
    """
    momenta = {}
    for module in model.modules():
        if hasattr(module, "reset_running_stats") and getattr(module, "running_mean", None) is not None:
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None
    try:
        for batch in loader:
            values = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(values if device is None else values.to(device))
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Anneals each group's rate to a constant, for weight averaging (Izmailov et al., UAI 2018).

    Args:
        optimizer: whose groups are set.
        swa_lr: the constant, one number or one for each group.
        anneal_epochs: length of the way. Default: 10.
        anneal_strategy: ``"cos"`` or ``"linear"``. Default: ``"cos"``.
        last_epoch: where to go on. Default: -1.

    Raises:
        ValueError: another strategy, a negative or fractional ``anneal_epochs``.

    Example:
        >>> import pydl
        >>> optimizer = pydl.optim.SGD([pydl.ones(1, requires_grad=True)], lr=1.0)
        >>> schedule = pydl.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     schedule.step()
        >>> schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for group, rate in zip(optimizer.param_groups, per_group(swa_lr, len(optimizer.param_groups), "swa_lr")):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How much of the constant the rate has after ``step`` steps."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._strategy == "cos" else t

    def get_lr(self) -> list[Any]:
        """The rates at ``self.last_epoch``: the first ones are found back from the present ones."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            target, lr = group["swa_lr"], group["lr"]
            first = target if before == 1 else (lr - before * target) / (1 - before)
            rates.append(target * now + first * (1 - now))
        return rates
