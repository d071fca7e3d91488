"""Which observers a module gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl.quantization.fake import default_fake_quant, default_per_channel_weight_fake_quant
from pydl.quantization.observers import (
    HistogramObserver,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)

__all__ = [
    "QConfig",
    "default_dynamic_qconfig",
    "default_per_channel_qconfig",
    "default_qat_qconfig",
    "default_qconfig",
    "float16_dynamic_qconfig",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "per_channel_dynamic_qconfig",
]

_BACKENDS = ("x86", "fbgemm", "qnnpack", "onednn")


class QConfig:
    """Factories of a module's observers.

    Args:
        activation: makes the observer (or fake quantization) of the module's input.
        weight: makes that of its weight.

    >>> config = pydl.quantization.get_default_qconfig()
    >>> type(config.activation()).__name__, type(config.weight()).__name__
    ('HistogramObserver', 'PerChannelMinMaxObserver')
    """

    def __init__(self, activation: Callable[[], Any], weight: Callable[[], Any]) -> None:
        if isinstance(activation, pydl.nn.Module) or isinstance(weight, pydl.nn.Module):
            raise ValueError("QConfig: activation and weight must be factories (observer.with_args()), got a module")
        self.activation, self.weight = activation, weight

    def __repr__(self) -> str:
        return f"QConfig(activation={self.activation}, weight={self.weight})"


default_qconfig = QConfig(default_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)
default_qat_qconfig = QConfig(default_fake_quant, default_per_channel_weight_fake_quant)
default_dynamic_qconfig = per_channel_dynamic_qconfig = QConfig(pydl.nn.Identity, default_per_channel_weight_observer)
float16_dynamic_qconfig = QConfig(pydl.nn.Identity, pydl.nn.Identity)


def _known(name: str, backend: str) -> None:
    if backend not in _BACKENDS:
        raise AssertionError(f"{name}(): backend must be one of {', '.join(_BACKENDS)}, got {backend!r}")


def get_default_qconfig(backend: str = "x86") -> QConfig:
    """Histogram observer for activations, per-channel minimum and maximum for weights.

    ``backend``: 'x86' (default), 'fbgemm', 'qnnpack' or 'onednn', all the same here.

    >>> pydl.quantization.get_default_qconfig("x86").weight().quant_min
    -127
    """
    _known("get_default_qconfig", backend)
    return QConfig(HistogramObserver, default_per_channel_weight_observer)


def get_default_qat_qconfig(backend: str = "x86") -> QConfig:
    """Fake quantization with moving averages for activations, per channel for weights; see :func:`get_default_qconfig`.

    >>> type(pydl.quantization.get_default_qat_qconfig().activation()).__name__
    'FakeQuantize'
    """
    _known("get_default_qat_qconfig", backend)
    return default_qat_qconfig
