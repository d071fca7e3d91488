"""LSTMs whose states are images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.modules._checks import MOST_LAYERS, at_least, check_images, odd_pair
from pydl.nn.modules._sizes import Size
from pydl.nn.modules.container import ModuleList
from pydl.nn.modules.conv import Conv2d
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter

__all__ = ["ConvLSTM2d", "ConvLSTMCell2d"]

_State = tuple[Tensor, Tensor]


class ConvLSTMCell2d(Module):
    """One step of a convolutional LSTM.

    ``i, f, g, o`` are the chunks, in this order, of ``conv([x, h])``; then
    ``c' = sigmoid(f) * c + sigmoid(i) * tanh(g)`` and ``h' = sigmoid(o) * tanh(c')``. With peepholes ``i`` and ``f``
    also get ``W_ci * c`` and ``W_cf * c``, and ``o`` gets ``W_co * c'``.

    Args:
        in_channels: C.
        hidden_channels: C_h.
        kernel_size: odd, or two odd numbers; the padding keeps the size.
        bias: Default: ``True``.
        peepholes: with the parameters ``W_ci, W_cf, W_co`` (C_h, 1, 1), zero at first. Default: ``False``.

    Keys: conv.weight (4 * C_h, C + C_h, kh, kw), conv.bias.

    Raises:
        ValueError: numbers below 1, an even ``kernel_size``. ShapeError: (on use) input or state of another shape.

    Source: Shi et al., "Convolutional LSTM network", NeurIPS 2015.

    Example:
        >>> import pydl
        >>> cell = pydl.nn.ConvLSTMCell2d(3, 8, 3)
        >>> h, (h, c) = cell(pydl.zeros(2, 3, 6, 5))
        >>> h.shape, c.shape
        (torch.Size([2, 8, 6, 5]), torch.Size([2, 8, 6, 5]))
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        kernel_size: Size,
        bias: bool = True,
        peepholes: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, type(self).__name__, in_channels=in_channels, hidden_channels=hidden_channels)
        sizes = odd_pair(type(self).__name__, "kernel_size", kernel_size)
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels
        self.peepholes = peepholes
        padding = (sizes[0] // 2, sizes[1] // 2)
        self.conv = Conv2d(in_channels + hidden_channels, 4 * hidden_channels, sizes, padding=padding, bias=bias)
        if peepholes:
            for name in ("W_ci", "W_cf", "W_co"):
                setattr(self, name, Parameter(pydl.zeros(hidden_channels, 1, 1)))

    def forward(self, x: Tensor, state: _State | None = None) -> tuple[Tensor, _State]:
        """``h'`` and ``(h', c')``, each (N, C_h, H, W).

        Args:
            x: (N, C, H, W).
            state: ``(h, c)``, each (N, C_h, H, W). Default: ``None``, zeros.
        """
        name = type(self).__name__
        check_images(name, x, self.in_channels)
        shape = (x.shape[0], self.hidden_channels, *x.shape[2:])
        if state is None:
            zeros = x.new_zeros(shape)
            state = zeros, zeros
        h, c = state
        for part, value in (("h", h), ("c", c)):
            if tuple(value.shape) != shape:
                raise pydl.ShapeError(f"{name}: {part} must have shape {shape}, got {tuple(value.shape)}")
        i, f, g, o = self.conv(pydl.cat([x, h], dim=1)).chunk(4, dim=1)
        if self.peepholes:
            i = i + self.W_ci * c
            f = f + self.W_cf * c
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        if self.peepholes:
            o = o + self.W_co * c
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


def _per_layer(name: str, value: Any, layers: int, single: bool) -> list[Any]:
    if single:
        return [value] * layers
    if len(value) != layers:
        raise ValueError(f"ConvLSTM2d: {name} must be one for all or {layers}, one per layer, got {value!r}")
    return list(value)


class ConvLSTM2d(Module):
    """Layers of :class:`ConvLSTMCell2d` over time.

    Args:
        in_channels: C.
        hidden_channels: C_h, or a sequence of them, one per layer.
        kernel_size: odd number or pair, or a list of them, one per layer.
        num_layers: Default: 1.
        bias: Default: ``True``.
        batch_first: input and output are (N, T, ...) instead of (T, N, ...). Default: ``False``.
        peepholes: as in the cell. Default: ``False``.
        return_sequences: ``False``: the output is the last ``h`` alone, (N, C_h, H, W). Default: ``True``.

    Keys: cells.{0, ...}.conv.weight, conv.bias.

    Raises:
        ValueError: numbers below 1, an even ``kernel_size``, lists of another length. ShapeError: (on use) input or
        state of another shape, no time step.

    Source: Shi et al., "Convolutional LSTM network", NeurIPS 2015.

    Example:
        >>> import pydl
        >>> out, (h, c) = pydl.nn.ConvLSTM2d(1, 4, 3, num_layers=2)(pydl.zeros(7, 2, 1, 6, 5))
        >>> out.shape, h.shape
        (torch.Size([7, 2, 4, 6, 5]), torch.Size([2, 2, 4, 6, 5]))
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int | Sequence[int],
        kernel_size: Any,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        peepholes: bool = False,
        return_sequences: bool = True,
    ) -> None:
        super().__init__()
        at_least(1, "ConvLSTM2d", in_channels=in_channels, num_layers=num_layers)
        if num_layers > MOST_LAYERS:
            raise ValueError(f"ConvLSTM2d: num_layers must be at most {MOST_LAYERS}, got {num_layers}")
        hidden = _per_layer("hidden_channels", hidden_channels, num_layers, not isinstance(hidden_channels, Sequence))
        # A tuple of numbers is one kernel's height and width; lists, and tuples of tuples, are one per layer
        one = not isinstance(kernel_size, Sequence) or (
            isinstance(kernel_size, tuple) and not any(isinstance(size, Sequence) for size in kernel_size)
        )
        sizes = _per_layer("kernel_size", kernel_size, num_layers, one)
        self.in_channels = in_channels
        self.batch_first = batch_first
        self.return_sequences = return_sequences
        self.cells = ModuleList(
            ConvLSTMCell2d(inputs, outputs, size, bias, peepholes)
            for inputs, outputs, size in zip([in_channels, *hidden[:-1]], hidden, sizes)
        )

    def forward(self, x: Tensor, state: tuple[Any, Any] | None = None) -> tuple[Tensor, tuple[Any, Any]]:
        """All ``h`` of the last layer, and ``(h_n, c_n)``.

        Args:
            x: (T, N, C, H, W), or (N, T, C, H, W) with ``batch_first``.
            state: ``(h, c)``, each (num_layers, N, C_h, H, W), or a list of (N, C_h, H, W), one per layer. Default:
                ``None``, zeros.

        Returns:
            (T, N, C_h, H, W) or (N, T, C_h, H, W), and two tensors (num_layers, N, C_h, H, W), which are lists of
            (N, C_h, H, W) if the layers have different channels.
        """
        order = "N, T" if self.batch_first else "T, N"
        if x.dim() != 5 or x.shape[2] != self.in_channels:
            raise pydl.ShapeError(
                f"ConvLSTM2d: x must have shape ({order}, {self.in_channels}, H, W), got {tuple(x.shape)}"
            )
        time = 1 if self.batch_first else 0
        if x.shape[time] == 0:
            raise pydl.ShapeError(f"ConvLSTM2d: x must have at least one time step, got {tuple(x.shape)}")
        states = self._states(state)
        steps: list[Tensor] = list(x.unbind(time))
        last: list[_State] = []
        for cell, start in zip(self.cells, states):
            current = start
            for t, step in enumerate(steps):
                steps[t], current = cell(step, current)
            last.append(current)
        output = pydl.stack(steps, dim=time) if self.return_sequences else steps[-1]
        return output, (self._joined([h for h, _ in last]), self._joined([c for _, c in last]))

    def _states(self, state: tuple[Any, Any] | None) -> list[Any]:
        count = len(self.cells)
        if state is None:
            return [None] * count
        h, c = state
        if len(h) != count or len(c) != count:
            raise pydl.ShapeError(
                f"ConvLSTM2d: the state must be for {count} layers, got h for {len(h)} and c for {len(c)}"
            )
        return list(zip(h, c))

    def _joined(self, parts: list[Tensor]) -> Any:
        same = len({part.shape for part in parts}) == 1
        return pydl.stack(parts) if same else parts

    def extra_repr(self) -> str:
        return f"batch_first={self.batch_first}"
