"""Layers with 8-bit weights whose activations are quantized at run time, with one scale per call."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.nn.utils.rnn import PackedSequence
from pydl.quantization.modules import Int8Layer, linear
from pydl.quantization.tensor import qint8

__all__ = [
    "DynamicQuantizedGRU",
    "DynamicQuantizedGRUCell",
    "DynamicQuantizedLSTM",
    "DynamicQuantizedLSTMCell",
    "DynamicQuantizedLinear",
    "DynamicQuantizedRNNCell",
]


class DynamicQuantizedLinear(Int8Layer):
    """Linear layer with 8-bit weights; made by :func:`pydl.quantization.quantize_dynamic`.

    (*, in_features) to (*, out_features), float32 in and out. Activations become unsigned 8-bit numbers over their
    own range.
    """

    relu = False

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: Any = qint8) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.dtype = dtype
        if dtype is qint8:
            self._set_weight(weight, bias)
        else:
            self.register_buffer("_weight", weight.detach().to(dtype))
            self.register_buffer("_bias", None if bias is None else bias.detach().float().clone())

    @classmethod
    def from_float(cls, layer: nn.Linear, dtype: Any = qint8) -> DynamicQuantizedLinear:
        """The quantized form of a float layer."""
        return cls(layer.weight, layer.bias, dtype)

    def weight(self) -> Any:
        """The weight: a quantized tensor, or float16 where that is its dtype."""
        return super().weight() if self.dtype is qint8 else self._weight

    def forward(self, input: Tensor) -> Tensor:
        if self.dtype is qint8:
            return linear(self, input)
        return F.linear(input.detach().float(), self._weight.float(), self._bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, dtype={self.dtype}"


def _lstm_gates(x: Tensor, h: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    i, f, g, o = (x + h).chunk(4, 1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_gates(x: Tensor, h: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, 1), h.chunk(3, 1)
    z = (xz + hz).sigmoid()
    n = (xn + (xr + hr).sigmoid() * hn).tanh()
    return (n + z * (state[0] - n),)


def _check_state(layer: nn.Module, state: tuple[Tensor, ...], shape: tuple[int, ...]) -> None:
    for h in state:
        if tuple(h.shape) != shape:
            raise pydl.ShapeError(f"{type(layer).__name__}: hx must be of size {shape}, got {tuple(h.shape)}")


class _Cell(nn.Module):
    """A step: gates of the input and of the state from int8 products."""

    gates: Any
    states = 1

    def __init__(self, cell: Any, dtype: Any = qint8) -> None:
        super().__init__()
        self.input_size, self.hidden_size = cell.input_size, cell.hidden_size
        self.ih = DynamicQuantizedLinear(cell.weight_ih, cell.bias_ih, dtype)
        self.hh = DynamicQuantizedLinear(cell.weight_hh, cell.bias_hh, dtype)

    @classmethod
    def from_float(cls, layer: Any, dtype: Any = qint8) -> Any:
        """The quantized form of a float cell."""
        return cls(layer, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        single = input.dim() == 1
        x = input.unsqueeze(0) if single else input
        if x.dim() != 2 or x.shape[1] != self.input_size:
            raise pydl.ShapeError(
                f"{type(self).__name__}: input must be of size (N, {self.input_size}), got {tuple(input.shape)}"
            )
        hx = (hx,) if isinstance(hx, Tensor) else hx
        if hx is None:
            state = (pydl.zeros(x.shape[0], self.hidden_size),) * self.states
        else:
            state = tuple(h.unsqueeze(0) if single else h for h in hx)
            _check_state(self, state, (x.shape[0], self.hidden_size))
        state = self._step(self.ih(x), self.hh(state[0]), state)
        state = tuple(h.squeeze(0) for h in state) if single else state
        return state if self.states > 1 else state[0]

    def _step(self, x: Tensor, h: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return type(self).gates(x, h, state)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


class DynamicQuantizedLSTMCell(_Cell):
    """LSTMCell with 8-bit weights; made by :func:`pydl.quantization.quantize_dynamic`."""

    gates, states = staticmethod(_lstm_gates), 2


class DynamicQuantizedGRUCell(_Cell):
    """GRUCell with 8-bit weights; made by :func:`pydl.quantization.quantize_dynamic`."""

    gates = staticmethod(_gru_gates)


class DynamicQuantizedRNNCell(_Cell):
    """RNNCell with 8-bit weights; made by :func:`pydl.quantization.quantize_dynamic`."""

    def __init__(self, cell: Any, dtype: Any = qint8) -> None:
        super().__init__(cell, dtype)
        self.nonlinearity = cell.nonlinearity

    def _step(self, x: Tensor, h: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return ((x + h).tanh() if self.nonlinearity == "tanh" else (x + h).relu(),)


class _Sequence(nn.Module):
    """Layers and directions of int8 steps over time. The products with the input are one for the whole sequence."""

    gates: Any
    states = 1

    def __init__(self, rnn: Any, dtype: Any = qint8) -> None:
        super().__init__()
        if getattr(rnn, "proj_size", 0):
            raise NotImplementedError(f"{type(self).__name__}: projections (proj_size) are not supported")
        self.input_size, self.hidden_size, self.num_layers = rnn.input_size, rnn.hidden_size, rnn.num_layers
        self.batch_first, self.bidirectional, self.dropout = rnn.batch_first, rnn.bidirectional, rnn.dropout
        self.ih, self.hh = nn.ModuleList(), nn.ModuleList()
        for layer in range(self.num_layers):
            for suffix in ("", "_reverse")[: 1 + self.bidirectional]:
                for part, to in (("ih", self.ih), ("hh", self.hh)):
                    bias = getattr(rnn, f"bias_{part}_l{layer}{suffix}", None) if rnn.bias else None
                    to.append(DynamicQuantizedLinear(getattr(rnn, f"weight_{part}_l{layer}{suffix}"), bias, dtype))

    @classmethod
    def from_float(cls, layer: Any, dtype: Any = qint8) -> Any:
        """The quantized form of a float layer."""
        return cls(layer, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        packed = isinstance(input, PackedSequence)
        single = not packed and input.dim() == 2
        if packed:
            x, sizes, order, back = input
            if hx is not None and order is not None:
                hx = tuple(h[:, order] for h in hx) if self.states > 1 else hx[:, order]
            sizes = sizes.tolist()
        else:
            x = input.unsqueeze(1) if single else input.transpose(0, 1) if self.batch_first else input
            if x.dim() != 3 or x.shape[2] != self.input_size or x.shape[0] == 0:
                raise pydl.ShapeError(
                    f"{type(self).__name__}: input must have at least one step and {self.input_size} features, got "
                    f"{tuple(input.shape)}"
                )
            sizes = [x.shape[1]] * x.shape[0]
            x = x.reshape(-1, self.input_size)
        out, last = self._run(x, sizes, self._start(hx, sizes[0], single))
        if packed:
            last = last if back is None else tuple(h[:, back] for h in last)
            return PackedSequence(out, input.batch_sizes, order, back), last if self.states > 1 else last[0]
        out = out.view(len(sizes), sizes[0], out.shape[1])
        out = out.squeeze(1) if single else out.transpose(0, 1) if self.batch_first else out
        last = tuple(h.squeeze(1) for h in last) if single else last
        return out, last if self.states > 1 else last[0]

    def _start(self, hx: Any, batch: int, single: bool) -> tuple[Tensor, ...]:
        rows = len(self.ih)
        if hx is None:
            return (pydl.zeros(rows, batch, self.hidden_size),) * self.states
        hx = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        hx = tuple(h.unsqueeze(1) for h in hx) if single else hx
        _check_state(self, hx, (rows, batch, self.hidden_size))
        return hx

    def _run(self, x: Tensor, sizes: list[int], start: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """x (sum of sizes, features): steps one after the other, of falling batch sizes."""
        directions, last = 1 + self.bidirectional, []
        for layer in range(self.num_layers):
            outs = []
            for direction in range(directions):
                row = layer * directions + direction
                out, state = self._direction(row, x, sizes, tuple(h[row] for h in start), direction == 1)
                outs.append(out)
                last.append(state)
            x = pydl.cat(outs, 1) if directions > 1 else outs[0]
            if self.dropout and self.training and layer + 1 < self.num_layers:
                x = F.dropout(x, self.dropout)
        return x, tuple(pydl.stack(h) for h in zip(*last))

    def _direction(self, row: int, x: Tensor, sizes: list[int], start: tuple[Tensor, ...], back: bool) -> Any:
        gates = self.ih[row](x).split(sizes)
        hh, step = self.hh[row], type(self).gates
        # Rows beyond a step's batch keep their state: they have ended, or, going back, have not begun.
        state, outs = start, []
        for x_t in reversed(gates) if back else gates:
            n = x_t.shape[0]
            now = tuple(h[:n] for h in state)
            new = step(x_t, hh(now[0]), now)
            outs.append(new[0])
            state = new if n == state[0].shape[0] else tuple(pydl.cat([a, b[n:]]) for a, b in zip(new, state))
        return pydl.cat(outs[::-1] if back else outs), state

    def extra_repr(self) -> str:
        more = f", num_layers={self.num_layers}" if self.num_layers != 1 else ""
        more += ", batch_first=True" if self.batch_first else ""
        return f"{self.input_size}, {self.hidden_size}{more}" + (", bidirectional=True" if self.bidirectional else "")


class DynamicQuantizedLSTM(_Sequence):
    """LSTM with 8-bit weights; made by :func:`pydl.quantization.quantize_dynamic`. Arguments and results of
    `forward` as nn.LSTM's."""

    gates, states = staticmethod(_lstm_gates), 2


class DynamicQuantizedGRU(_Sequence):
    """GRU with 8-bit weights; made by :func:`pydl.quantization.quantize_dynamic`. Arguments and results of `forward`
    as nn.GRU's."""

    gates = staticmethod(_gru_gates)
