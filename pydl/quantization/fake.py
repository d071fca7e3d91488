"""Fake quantization: what training sees of the rounding that comes later (Jacob et al. 2018)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.quantization.observers import MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver
from pydl.quantization.tensor import fake_quantize_per_channel_affine, fake_quantize_per_tensor_affine

__all__ = [
    "FakeQuantize",
    "default_fake_quant",
    "default_per_channel_weight_fake_quant",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
]


class FakeQuantize(nn.Module):
    """Observes its input and rounds it to the grid of the range seen; the gradient goes straight through, but not
    where values are cut.

    Args:
        observer: factory of the observer, default :class:`MovingAverageMinMaxObserver`.
        kwargs: its arguments.

    In evaluation mode the range stays as it is once data was seen. ``observer_enabled`` and ``fake_quant_enabled`` are
    buffers, 0 or 1.

    >>> fake = pydl.quantization.FakeQuantize()
    >>> fake(pydl.tensor([0.0, 0.1234567, 2.55]))
    tensor([0.0000, 0.1200, 2.5500])
    """

    observer_enabled: Tensor
    fake_quant_enabled: Tensor

    def __init__(self, observer: Any = MovingAverageMinMaxObserver, **kwargs: Any) -> None:
        super().__init__()
        self.activation_post_process = observer(**kwargs)
        # Buffers, as in torch: a training that is resumed finds its switches as they were.
        for switch in ("observer_enabled", "fake_quant_enabled"):
            self.register_buffer(switch, pydl.tensor([1], dtype=pydl.uint8))

    @classmethod
    def with_args(cls, **kwargs: Any) -> Any:
        """A factory with these arguments."""
        return partial(cls, **kwargs)

    @property
    def seen(self) -> bool:
        """Whether there was any data."""
        return bool(self.activation_post_process.seen)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """(scale, zero_point) of the range seen so far."""
        return self.activation_post_process.calculate_qparams()

    def forward(self, x: Tensor) -> Tensor:
        observer = self.activation_post_process
        if self.observer_enabled and (self.training or not observer.seen):
            observer(x)
        if not self.fake_quant_enabled or not observer.seen:
            return x
        scale, zero = observer.calculate_qparams()
        axis = getattr(observer, "ch_axis", None)
        if axis is None:
            return fake_quantize_per_tensor_affine(x, scale, zero, observer.quant_min, observer.quant_max)
        return fake_quantize_per_channel_affine(x, scale, zero, axis, observer.quant_min, observer.quant_max)


def _set(module: nn.Module, name: str, value: bool) -> None:
    if isinstance(module, FakeQuantize):
        getattr(module, name).fill_(int(value))


def enable_observer(module: nn.Module) -> None:
    """For ``model.apply``: fake quantizations learn the range of their input.

    >>> model = pydl.nn.Sequential(pydl.quantization.FakeQuantize())
    >>> model.apply(pydl.quantization.enable_observer)[0].observer_enabled
    tensor([1], dtype=torch.uint8)
    """
    _set(module, "observer_enabled", True)


def disable_observer(module: nn.Module) -> None:
    """For ``model.apply``: fake quantizations keep their range.

    >>> model = pydl.nn.Sequential(pydl.quantization.FakeQuantize())
    >>> model.apply(pydl.quantization.disable_observer)[0].observer_enabled
    tensor([0], dtype=torch.uint8)
    """
    _set(module, "observer_enabled", False)


def enable_fake_quant(module: nn.Module) -> None:
    """For ``model.apply``: fake quantizations round.

    >>> model = pydl.nn.Sequential(pydl.quantization.FakeQuantize())
    >>> model.apply(pydl.quantization.enable_fake_quant)[0].fake_quant_enabled
    tensor([1], dtype=torch.uint8)
    """
    _set(module, "fake_quant_enabled", True)


def disable_fake_quant(module: nn.Module) -> None:
    """For ``model.apply``: fake quantizations pass their input on.

    >>> model = pydl.nn.Sequential(pydl.quantization.FakeQuantize())
    >>> model.apply(pydl.quantization.disable_fake_quant)[0](pydl.tensor([0.123456]))
    tensor([0.1235])
    """
    _set(module, "fake_quant_enabled", False)


default_fake_quant = FakeQuantize.with_args(observer=MovingAverageMinMaxObserver)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, averaging_constant=1.0
)
