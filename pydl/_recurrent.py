"""Recurrent networks as functions: stacked layers, both directions, packed sequences, single cells.

The layers themselves run in the core, one call for each layer and direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


def _layer_weights(params: Sequence[Tensor], has_biases: bool, projected: bool) -> list[tuple[Tensor | None, ...]]:
    """``(w_ih, w_hh, b_ih, b_hh, w_hr)`` of each layer and direction."""
    per_layer = 2 + 2 * has_biases + projected
    if per_layer == 0 or len(params) % per_layer:
        raise RuntimeError(f"got an incorrect number of RNN parameters: {len(params)} in groups of {per_layer}")
    groups = [params[i : i + per_layer] for i in range(0, len(params), per_layer)]
    none = (None, None)
    return [
        (group[0], group[1], *(group[2:4] if has_biases else none), group[-1] if projected else None)
        for group in groups
    ]


def _check_states(h0: Tensor, c0: Tensor | None, count: int) -> None:
    if h0.dim() != 3 or h0.shape[0] != count:
        raise pydl.ShapeError(f"rnn: hx must have shape ({count}, batch, hidden_size), got {tuple(h0.shape)}")
    if c0 is not None and (c0.dim() != 3 or c0.shape[0] != count):
        raise pydl.ShapeError(f"rnn: cx must have shape ({count}, batch, hidden_size), got {tuple(c0.shape)}")


def _run(
    mode: str,
    input: Tensor,
    batch_sizes: Tensor | None,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> tuple[Tensor, ...]:
    h0, c0 = states[0], states[1] if mode == "LSTM" else None
    directions = 2 if bidirectional else 1
    projected = c0 is not None and h0.dim() == 3 and c0.dim() == 3 and h0.shape[2] != c0.shape[2]
    weights = _layer_weights(params, has_biases, projected)
    if len(weights) != num_layers * directions:
        raise RuntimeError(
            f"got an incorrect number of RNN parameters: {len(params)} for {num_layers * directions} layers and "
            "directions"
        )
    _check_states(h0, c0, num_layers * directions)
    x = input.transpose(0, 1) if batch_first else input
    last_h, last_c = [], []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            i = layer * directions + direction
            out, h, c = pydl._rnn_layer(
                x, batch_sizes, h0[i], None if c0 is None else c0[i], *weights[i], mode, direction == 1
            )
            outputs.append(out)
            last_h.append(h)
            last_c.append(c)
        x = outputs[0] if directions == 1 else pydl.cat(outputs, -1)
        if dropout > 0 and train and layer + 1 < num_layers:
            x = pydl.dropout(x, dropout, True)
    if batch_first:
        x = x.transpose(0, 1)

    # Copies, no views: programs detach the state in place between batches.
    last = (pydl.stack(last_h), pydl.stack(last_c)) if mode == "LSTM" else (pydl.stack(last_h),)
    return (x, *last)


_PADDED = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
_PACKED = ("data", "batch_sizes", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional")


def _call(name: str, mode: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
    """Both forms of a function: they differ in whether the second or the third argument holds the parameters."""
    third = args[2] if len(args) > 2 else kwargs.get("params")
    packed = "data" in kwargs or "batch_sizes" in kwargs or isinstance(third, Tensor)
    packed = packed or (mode == "LSTM" and len(args) > 1 and isinstance(args[1], Tensor))
    names = _PACKED if packed else _PADDED
    values = dict(zip(names, args))
    if len(args) + len(kwargs) != len(names) or not values.keys().isdisjoint(kwargs) or not kwargs.keys() <= set(names):
        raise TypeError(f"{name}(): expected the arguments ({', '.join(names)}), got {len(args)} and {sorted(kwargs)}")
    values.update(kwargs)
    hx = values["hx"] if mode == "LSTM" else (values["hx"],)
    if len(hx) != (2 if mode == "LSTM" else 1):
        raise RuntimeError(f"{name} expects two hidden states")
    for what in (*hx, values["data" if packed else "input"]):
        if not isinstance(what, Tensor):
            raise TypeError(f"{name}(): expected Tensor, got {type(what).__name__}")
    rest = [values[key] for key in names[3 if packed else 2 :]]
    if packed:
        return _run(mode, values["data"], values["batch_sizes"], hx, *rest)
    return _run(mode, values["input"], None, hx, *rest)


def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A stack of LSTM layers: output, last hidden states, last cell states.

    ``lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`` for padded input
    (steps, batch, features), ``lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train,
    bidirectional)`` for packed sequences. ``hx`` is the pair of (layers * directions, batch, size). ``params`` holds
    ``w_ih, w_hh[, b_ih, b_hh][, w_hr]`` of each layer and direction in turn. A hidden state that is smaller than the
    cell state is a projection of it.

    Raises:
        RuntimeError: shapes, dtypes or a number of parameters that do not fit.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997.

    Example:
        >>> import pydl
        >>> zero = pydl.zeros(1, 2, 3)
        >>> weights = [pydl.zeros(12, 4), pydl.zeros(12, 3)]
        >>> out, h, c = pydl.lstm(pydl.ones(5, 2, 4), (zero, zero), weights, False, 1, 0.0, False, False, False)
        >>> out.shape
        torch.Size([5, 2, 3])
    """
    return _call("lstm", "LSTM", args, kwargs)  # type: ignore[return-value]


def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """A stack of GRU layers: output and last hidden states. Arguments as for `lstm`, ``hx`` is one tensor.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.

    Example:
        >>> import pydl
        >>> weights = [pydl.zeros(9, 4), pydl.zeros(9, 3)]
        >>> out, h = pydl.gru(pydl.ones(5, 2, 4), pydl.zeros(1, 2, 3), weights, False, 1, 0.0, False, False, False)
        >>> out.shape
        torch.Size([5, 2, 3])
    """
    return _call("gru", "GRU", args, kwargs)  # type: ignore[return-value]


def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """A stack of Elman layers with tanh: output and last hidden states. Arguments as for `gru`.

    Example:
        >>> import pydl
        >>> weights = [pydl.zeros(3, 4), pydl.zeros(3, 3)]
        >>> out, h = pydl.rnn_tanh(pydl.ones(5, 2, 4), pydl.zeros(1, 2, 3), weights, False, 1, 0.0, False, False, False)
        >>> h.shape
        torch.Size([1, 2, 3])
    """
    return _call("rnn_tanh", "RNN_TANH", args, kwargs)  # type: ignore[return-value]


def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """A stack of Elman layers with ReLU: output and last hidden states. Arguments as for `gru`.

    Example:
        >>> import pydl
        >>> weights = [pydl.zeros(3, 4), pydl.zeros(3, 3)]
        >>> out, h = pydl.rnn_relu(pydl.ones(5, 2, 4), pydl.zeros(1, 2, 3), weights, False, 1, 0.0, False, False, False)
        >>> h.shape
        torch.Size([1, 2, 3])
    """
    return _call("rnn_relu", "RNN_RELU", args, kwargs)  # type: ignore[return-value]


def _cell(
    name: str,
    mode: str,
    input: Tensor,
    states: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> tuple[Tensor, Tensor]:
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")
    batched = input.dim() == 2
    if input.dim() not in (1, 2):
        raise pydl.ShapeError(f"{name}(): input must have 1 or 2 dimensions, got {input.dim()}")
    if w_ih.dim() != 2 or input.shape[-1] != w_ih.shape[1]:
        raise pydl.ShapeError(
            f"{name}(): input has inconsistent input_size: got {input.shape[-1]} expected {w_ih.shape[-1]}"
        )
    for i, state in enumerate(states):
        if state.dim() != input.dim() or (batched and state.shape[0] != input.shape[0]):
            raise pydl.ShapeError(
                f"{name}(): Input batch size {tuple(input.shape)} doesn't match hidden{i} batch size "
                f"{tuple(state.shape)}"
            )
        if w_hh.dim() != 2 or state.shape[-1] != w_hh.shape[1]:
            raise pydl.ShapeError(
                f"{name}(): hidden{i} has inconsistent hidden_size: got {state.shape[-1]}, expected {w_hh.shape[-1]}"
            )
    if (b_ih is None) != (b_hh is None):
        zero = w_ih.new_zeros(w_ih.shape[0])
        b_ih, b_hh = (zero, b_hh) if b_ih is None else (b_ih, zero)
    rows = [t if batched else t.unsqueeze(0) for t in states]
    _, h, c = pydl._rnn_layer(
        (input if batched else input.unsqueeze(0)).unsqueeze(0),
        None,
        rows[0],
        rows[1] if len(rows) > 1 else None,
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        None,
        mode,
        False,
    )
    return (h, c) if batched else (h.squeeze(0), c.squeeze(0) if len(rows) > 1 else c)


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: the new hidden and cell state.

    Shapes: input (batch, input_size), states (batch, hidden_size), w_ih (4 * hidden_size, input_size), w_hh (4 *
    hidden_size, hidden_size), biases (4 * hidden_size); the batch may be absent everywhere.

    Raises:
        RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> state = (pydl.zeros(2, 3), pydl.ones(2, 3))
        >>> h, c = pydl.lstm_cell(pydl.ones(2, 4), state, pydl.zeros(12, 4), pydl.zeros(12, 3))
        >>> c[0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return _cell("lstm_cell", "LSTM", input, hx, w_ih, w_hh, b_ih, b_hh)


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of a GRU: the new hidden state. Shapes as for `lstm_cell`, with three gates.

    Example:
        >>> import pydl
        >>> pydl.gru_cell(pydl.ones(2, 4), pydl.ones(2, 1), pydl.zeros(3, 4), pydl.zeros(3, 1)).flatten()
        tensor([0.5000, 0.5000])
    """
    return _cell("gru_cell", "GRU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of an Elman network with tanh: the new hidden state. Shapes as for `lstm_cell`, with one gate.

    Example:
        >>> import pydl
        >>> pydl.rnn_tanh_cell(pydl.ones(1, 1), pydl.zeros(1, 1), pydl.ones(1, 1), pydl.ones(1, 1))
        tensor([[0.7616]])
    """
    return _cell("rnn_tanh_cell", "RNN_TANH", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of an Elman network with ReLU: the new hidden state. Shapes as for `lstm_cell`, with one gate.

    Example:
        >>> import pydl
        >>> pydl.rnn_relu_cell(pydl.ones(1, 1), pydl.ones(1, 1), pydl.ones(1, 1), pydl.ones(1, 1))
        tensor([[2.]])
    """
    return _cell("rnn_relu_cell", "RNN_RELU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]
