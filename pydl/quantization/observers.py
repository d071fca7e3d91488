"""Observers: modules that pass their input on and learn the range that a quantization has to cover."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import pydl
from pydl import Tensor, nn
from pydl.quantization.tensor import (
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qint8,
    quint8,
)

__all__ = [
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "ObserverBase",
    "PerChannelMinMaxObserver",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_weight_observer",
]


class ObserverBase(nn.Module):
    """What observers have in common.

    Args:
        dtype: `pydl.quint8` (default) or `pydl.qint8`.
        qscheme: `pydl.per_tensor_affine` (default), `per_tensor_symmetric`, `per_channel_affine`,
            `per_channel_symmetric`.
        quant_min, quant_max: range of the integers, default that of the dtype.
        eps: least scale, default that of float32's precision.
    """

    def __init__(
        self,
        dtype: Any = quint8,
        qscheme: Any = per_tensor_affine,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float = float(np.finfo(np.float32).eps),
    ) -> None:
        super().__init__()
        self.dtype, self.qscheme, self.eps = dtype, qscheme, eps
        self.quant_min = dtype.min if quant_min is None else quant_min
        self.quant_max = dtype.max if quant_max is None else quant_max
        if not self.quant_min < self.quant_max:
            raise ValueError(
                f"{type(self).__name__}: quant_min must be below quant_max, got {self.quant_min} and {self.quant_max}"
            )

    @classmethod
    def with_args(cls, **kwargs: Any) -> Any:
        """A factory with these arguments."""
        return partial(cls, **kwargs)

    @property
    def seen(self) -> bool:
        """Whether there was any data."""
        raise NotImplementedError

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """(scale, zero_point) for the range seen so far. RuntimeError before any data."""
        raise NotImplementedError

    def _require_data(self) -> None:
        if not self.seen:
            raise RuntimeError(f"{type(self).__name__}: must run on data before calculate_qparams()")

    def _qparams(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Scales and zero points of ranges, widened to take in 0 (Jacob et al. 2018)."""
        low, high = low.clamp(max=0.0), high.clamp(min=0.0)
        if self.qscheme in (per_tensor_symmetric, per_channel_symmetric):
            scale = pydl.maximum(-low, high) / ((self.quant_max - self.quant_min) / 2)
            zero = 0 if self.quant_min < 0 else (self.quant_max + self.quant_min + 1) // 2
            scale = scale.clamp(min=self.eps)
            return scale, pydl.full_like(scale, zero, dtype=pydl.int64)
        scale = ((high - low) / (self.quant_max - self.quant_min)).clamp(min=self.eps)
        zero = self.quant_min - (low / scale).round()
        return scale, zero.clamp(self.quant_min, self.quant_max).long()


class MinMaxObserver(ObserverBase):
    """Smallest and largest finite value of all data, see :class:`ObserverBase`.

    >>> observer = pydl.quantization.MinMaxObserver()
    >>> observer(pydl.tensor([-1.0, 4.1])).shape, observer.calculate_qparams()
    (torch.Size([2]), (tensor([0.0200]), tensor([50])))
    """

    min_val: Tensor
    max_val: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("min_val", pydl.tensor([float("inf")]))
        self.register_buffer("max_val", pydl.tensor([float("-inf")]))

    @property
    def seen(self) -> bool:
        return bool((self.min_val <= self.max_val).all())

    def _merge(self, low: Tensor, high: Tensor) -> None:
        self.min_val, self.max_val = pydl.minimum(self.min_val, low), pydl.maximum(self.max_val, high)

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low, high = pydl.aminmax(x)
        return low.view(1), high.view(1)

    def forward(self, x: Tensor) -> Tensor:
        if x.numel():
            values = x.detach().float()
            # What is not finite has no place on a grid; 0 is in every range.
            self._merge(*self._extremes(values.masked_fill(~values.isfinite(), 0.0)))
        return x

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        self._require_data()
        return self._qparams(self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val.tolist()}, max_val={self.max_val.tolist()}"


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Exponential averages of each batch's smallest and largest value (Jacob et al. 2018).

    Args:
        averaging_constant: weight of the new batch, default 0.01.
        kwargs: as :class:`ObserverBase`.

    >>> observer = pydl.quantization.MovingAverageMinMaxObserver(averaging_constant=0.5)
    >>> for value in (1.0, 3.0):
    ...     _ = observer(pydl.tensor([0.0, value]))
    >>> observer.max_val
    tensor([2.])
    """

    def __init__(self, averaging_constant: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.averaging_constant = averaging_constant

    def _merge(self, low: Tensor, high: Tensor) -> None:
        if self.seen:
            low = self.min_val + self.averaging_constant * (low - self.min_val)
            high = self.max_val + self.averaging_constant * (high - self.max_val)
        self.min_val, self.max_val = low, high


class _PerChannel:
    """Ranges of the slices along dim ``ch_axis``."""

    ch_axis: int
    min_val: Tensor

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = x.movedim(self.ch_axis, 0).reshape(x.shape[self.ch_axis], -1)
        return rows.amin(1), rows.amax(1)


class PerChannelMinMaxObserver(_PerChannel, MinMaxObserver):
    """Smallest and largest value of each slice along a dim.

    Args:
        ch_axis: the dim of the channels, default 0.
        kwargs: as :class:`ObserverBase`; the scheme is `pydl.per_channel_symmetric` of `pydl.qint8` in [-127, 127].

    >>> observer = pydl.quantization.PerChannelMinMaxObserver()
    >>> _ = observer(pydl.tensor([[-1.27, 0.5], [2.0, 2.54]]))
    >>> observer.calculate_qparams()
    (tensor([0.0100, 0.0200]), tensor([0, 0]))
    """

    def __init__(self, ch_axis: int = 0, **kwargs: Any) -> None:
        # -128 is left out, so that the range is as far on both sides
        kwargs = {"dtype": qint8, "qscheme": per_channel_symmetric, "quant_min": -127, "quant_max": 127, **kwargs}
        super().__init__(**kwargs)
        self.ch_axis = ch_axis


class MovingAveragePerChannelMinMaxObserver(_PerChannel, MovingAverageMinMaxObserver):
    """Exponential averages of the ranges of each slice along a dim, see :class:`PerChannelMinMaxObserver`.

    >>> observer = pydl.quantization.MovingAveragePerChannelMinMaxObserver(averaging_constant=0.5)
    >>> for value in (1.0, 3.0):
    ...     _ = observer(pydl.tensor([[0.0, value], [0.0, 2 * value]]))
    >>> observer.max_val
    tensor([2., 4.])
    """

    def __init__(self, averaging_constant: float = 0.01, ch_axis: int = 0, **kwargs: Any) -> None:
        kwargs = {"dtype": qint8, "qscheme": per_channel_symmetric, "quant_min": -127, "quant_max": 127, **kwargs}
        super().__init__(averaging_constant, **kwargs)
        self.ch_axis = ch_axis


class HistogramObserver(ObserverBase):
    """A histogram of all data; the range is the one that loses least when the histogram is quantized.

    Args:
        bins: default 2048.
        kwargs: as :class:`ObserverBase`.

    The loss is the expected squared error of rounding inside the range and of cutting outside. The range shrinks
    from the end that holds less, as long as that helps.

    >>> observer = pydl.quantization.HistogramObserver()
    >>> x = observer(pydl.randn(100000))
    >>> bool(observer.calculate_qparams()[0] < (x.max() - x.min()) / 255)
    True
    """

    histogram: Tensor
    min_val: Tensor
    max_val: Tensor

    def __init__(self, bins: int = 2048, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if bins < 2:
            raise ValueError(f"HistogramObserver: bins must be at least 2, got {bins}")
        self.bins = bins
        self.register_buffer("histogram", pydl.zeros(bins))
        self.register_buffer("min_val", pydl.tensor(float("inf")))
        self.register_buffer("max_val", pydl.tensor(float("-inf")))

    @property
    def seen(self) -> bool:
        return bool(self.min_val <= self.max_val)

    def forward(self, x: Tensor) -> Tensor:
        values = x.detach().float().numpy().reshape(-1)
        values = values[np.isfinite(values)]
        if not values.size:
            return x
        low, high = float(values.min()), float(values.max())
        counts = np.zeros(self.bins)
        if self.seen:
            low, high = min(low, float(self.min_val)), max(high, float(self.max_val))
            old = np.linspace(float(self.min_val), float(self.max_val), self.bins + 1)
            counts = np.histogram((old[:-1] + old[1:]) / 2, self.bins, (low, high), weights=self.histogram.numpy())[0]
        counts = counts + np.histogram(values, self.bins, (low, high))[0]
        self.histogram = pydl.tensor(counts.astype(np.float32))
        self.min_val, self.max_val = pydl.tensor(low), pydl.tensor(high)
        return x

    def _loss(self, counts: Any, centres: Any, low: float, high: float) -> float:
        step = (max(high, 0.0) - min(low, 0.0)) / (self.quant_max - self.quant_min)
        cut = np.maximum(np.maximum(low - centres, centres - high), 0.0)
        # A number inside is off by a uniform error of one step
        return float((counts * (cut**2 + np.where(cut > 0, 0.0, step**2 / 12))).sum())

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        self._require_data()
        counts = self.histogram.numpy().astype(np.float64)
        edges = np.linspace(float(self.min_val), float(self.max_val), self.bins + 1)
        centres = (edges[:-1] + edges[1:]) / 2
        # Shares of the data that are cut at either end; the best pair is found by narrowing one end, then the other.
        total = np.cumsum(counts) / counts.sum()
        shares = np.concatenate([[0.0], np.geomspace(1e-5, 0.02, 24)])
        lows = [edges[np.searchsorted(total, s, side="right")] if s else edges[0] for s in shares]
        highs = [edges[np.searchsorted(total, 1 - s) + 1] if s else edges[-1] for s in shares]
        low, high = lows[0], highs[0]
        for _ in range(2):
            low = min(lows, key=lambda v: self._loss(counts, centres, v, high) if v < high else np.inf)
            high = min(highs, key=lambda v: self._loss(counts, centres, low, v) if v > low else np.inf)
        return self._qparams(pydl.tensor([float(low)]), pydl.tensor([float(high)]))

    def extra_repr(self) -> str:
        return f"bins={self.bins}, min_val={float(self.min_val)}, max_val={float(self.max_val)}"


default_observer = MinMaxObserver.with_args(quant_min=0, quant_max=255)
default_weight_observer = MinMaxObserver.with_args(
    dtype=qint8, qscheme=per_tensor_symmetric, quant_min=-127, quant_max=127
)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args()
