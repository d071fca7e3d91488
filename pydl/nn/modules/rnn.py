"""Recurrent layers and cells."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import init
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter
from pydl.nn.utils.rnn import PackedSequence

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

# A mistaken 2**31 is an error at once, not an hour of building layers
MOST_LAYERS = 65536
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _draw(module: Module, hidden_size: int) -> None:
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNNBase(Module):
    """What the recurrent layers share: parameters, checks, packed and unbatched input.

    Parameters of layer ``k``: ``weight_ih_lk`` (gates * hidden_size, input size of the layer), ``weight_hh_lk``
    (gates * hidden_size, hidden_size), ``bias_ih_lk``, ``bias_hh_lk`` (gates * hidden_size), with a projection also
    ``weight_hr_lk`` (proj_size, hidden_size); those of the reverse direction end with ``_reverse``. All of them start
    uniform in ``(-k, k)`` with ``k = 1 / sqrt(hidden_size)``.
    """

    __constants__ = ["mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
                     "bidirectional", "proj_size"]  # fmt: skip

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_options(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(2 if bidirectional else 1):
                self._add_layer(layer, "_reverse" if direction else "", device, dtype)
        self.reset_parameters()

    def _add_layer(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        rows, width = _GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        inputs = self.input_size if layer == 0 else width * (2 if self.bidirectional else 1)
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, width)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size > 0:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = [f"{name}_l{layer}{suffix}" for name in shapes]
        for name, shape in zip(names, shapes.values()):
            setattr(self, name, Parameter(pydl.empty(shape, device=device, dtype=dtype)))
        self._all_weights.append(names)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for names in self._all_weights for name in names]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    def flatten_parameters(self) -> None:
        """Nothing: the weights are packed for the kernels at each call."""

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        _draw(self, self.hidden_size)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise for an input whose dtype, number of dimensions or last size does not fit."""
        weight = getattr(self, self._all_weights[0][0])
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the hidden state for this input."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0 if self.batch_first else 1)
        return self.num_layers * (2 if self.bidirectional else 1), batch, self.proj_size or self.hidden_size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise if ``hx`` does not have the expected shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise if input and hidden state do not fit the layer."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states of the samples in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    def _zero_state(self, input: Tensor, batch: int) -> Any:
        count = self.num_layers * (2 if self.bidirectional else 1)
        return input.new_zeros((count, batch, self.hidden_size), requires_grad=False)

    def _run(self, *args: Any) -> tuple[Any, ...]:
        function = {"LSTM": pydl.lstm, "GRU": pydl.gru, "RNN_TANH": pydl.rnn_tanh, "RNN_RELU": pydl.rnn_relu}[self.mode]
        return function(*args)

    def _state_of(self, hidden: tuple[Any, ...]) -> Any:
        return hidden[0]

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, sorted_indices, unsorted_indices = input
        if hx is None:
            hx = self._zero_state(data, int(batch_sizes[0]))
        else:
            hx = self.permute_hidden(hx, sorted_indices)
        self.check_forward_args(data, hx, batch_sizes)
        output, *hidden = self._run(
            data, batch_sizes, hx, self._flat_weights, self.bias, self.num_layers, self.dropout, self.training,
            self.bidirectional,
        )  # fmt: skip
        packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self.permute_hidden(self._state_of(tuple(hidden)), unsorted_indices)

    def _forward_padded(self, input: Tensor, hx: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        """With batched input and states."""
        if hx is None:
            hx = self._zero_state(input, input.size(0 if self.batch_first else 1))
        self.check_forward_args(input, hx, None)
        output, *hidden = self._run(
            input, hx, self._flat_weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional,
            self.batch_first,
        )  # fmt: skip
        return output, tuple(hidden)

    def _check_ndim(self, hx: Tensor, batched: bool) -> None:
        if hx.dim() != (3 if batched else 2):
            kind, ndim = ("batched 3-D", 3) if batched else ("unbatched 2-D", 2)
            raise RuntimeError(f"For {kind} input, hx should also be {ndim}-D but got {hx.dim()}-D tensor")

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The outputs of the last layer at every step, and the last states of all layers."""
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            name = "RNN" if self.mode.startswith("RNN") else self.mode
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        batched, batch_dim = input.dim() == 3, 0 if self.batch_first else 1
        if hx is not None:
            self._check_ndim(hx, batched)
        if batched:
            output, hidden = self._forward_padded(input, hx)
            return output, self._state_of(hidden)
        if hx is not None:
            hx = tuple(t.unsqueeze(1) for t in hx) if self.mode == "LSTM" else hx.unsqueeze(1)
        output, hidden = self._forward_padded(input.unsqueeze(batch_dim), hx)
        return output.squeeze(batch_dim), self._state_of(tuple(t.squeeze(1) for t in hidden))

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False),
                              ("dropout", 0), ("bidirectional", False)):  # fmt: skip
            if (value := getattr(self, name)) != default:
                text += f", {name}={value}"
        return text


def _check_options(
    mode: str,
    input_size: Any,
    hidden_size: Any,
    num_layers: int,
    bias: Any,
    batch_first: Any,
    dropout: Any,
    proj_size: int,
) -> None:
    if mode not in _GATES:
        raise ValueError("Unrecognized RNN mode: " + mode)
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if num_layers > MOST_LAYERS:
        raise ValueError(f"num_layers must be at most {MOST_LAYERS}, got {num_layers}")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


class RNN(RNNBase):
    """A stack of Elman layers: ``h_t = tanh(x_t W_ih^T + b_ih + h_(t-1) W_hh^T + b_hh)``.

    Args:
        input_size, hidden_size: features of the input and of the state.
        num_layers: layers, each reads the outputs of the one before. Default: 1.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default: ``"tanh"``.
        bias: whether biases are learned. Default: ``True``.
        batch_first: input and output are (batch, steps, features). Default: ``False``.
        dropout: probability with which outputs between layers are dropped in training. Default: 0.
        bidirectional: a second direction, whose outputs stand behind those of the first. Default: ``False``.

    Shapes: input (steps, batch, input_size), (steps, input_size) or a `PackedSequence`; state (num_layers * directions,
    batch, hidden_size), zero by default; output (steps, batch, directions * hidden_size) and the last state.

    Raises:
        ValueError, TypeError: options out of range. RuntimeError: input or state that do not fit.

    Source: Elman, "Finding structure in time", Cognitive Science 14, 1990.

    Example:
        >>> import pydl
        >>> rnn = pydl.nn.RNN(10, 20, 2)
        >>> output, state = rnn(pydl.zeros(5, 3, 10))
        >>> output.shape, state.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{self.nonlinearity.upper()}", *args, **kwargs)


class LSTM(RNNBase):
    """A stack of long short-term memory layers: ``c_t = f c_(t-1) + i g``, ``h_t = o tanh(c_t)`` with gates i, f, g, o.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as for `RNN`.
        proj_size: size of a learned projection of the hidden state; 0 for none. Default: 0.

    Shapes: as for `RNN`; the state is the pair ``(h, c)``, h (num_layers * directions, batch, proj_size or
    hidden_size), c (num_layers * directions, batch, hidden_size). The weights' rows are those of i, f, g, o in turn.

    Raises:
        ValueError, TypeError: options out of range. RuntimeError: input or state that do not fit.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997; the projection: Sak et al., "Long short-term
    memory based recurrent neural network architectures", 2014.

    Example:
        >>> import pydl
        >>> lstm = pydl.nn.LSTM(10, 20, bidirectional=True)
        >>> output, (h, c) = lstm(pydl.zeros(5, 3, 10))
        >>> output.shape, h.shape
        (torch.Size([5, 3, 40]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the cell state for this input."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, batch, self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise if input and states do not fit the layer."""
        self.check_input(input, batch_sizes)
        expected = self.get_expected_hidden_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], expected, "Expected hidden[0] size {}, got {}")
        expected = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[1], expected, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states of the samples in another order."""
        return hx if permutation is None else tuple(t.index_select(1, permutation) for t in hx)

    def _zero_state(self, input: Tensor, batch: int) -> Any:
        cell = super()._zero_state(input, batch)
        return (cell if not self.proj_size else input.new_zeros((cell.size(0), batch, self.proj_size)), cell)

    def _state_of(self, hidden: tuple[Any, ...]) -> Any:
        return hidden

    def _check_ndim(self, hx: Any, batched: bool) -> None:
        ndim = 3 if batched else 2
        if hx[0].dim() != ndim or hx[1].dim() != ndim:
            raise RuntimeError(
                f"For {'batched 3-D' if batched else 'unbatched 2-D'} input, hx and cx should also be {ndim}-D but got "
                f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )


class GRU(RNNBase):
    """A stack of gated recurrent units: ``n_t = tanh(x_t W_in^T + b_in + r (h_(t-1) W_hn^T + b_hn))``,
    ``h_t = (1 - z) n_t + z h_(t-1)`` with the gates r, z.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as for `RNN`.

    Shapes: as for `RNN`. The weights' rows are those of r, z, n in turn.

    Raises:
        ValueError, TypeError: options out of range. RuntimeError: input or state that do not fit.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.

    Example:
        >>> import pydl
        >>> output, state = pydl.nn.GRU(10, 20, batch_first=True)(pydl.zeros(3, 5, 10))
        >>> output.shape, state.shape
        (torch.Size([3, 5, 20]), torch.Size([1, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``, drawn as by `RNNBase`."""

    __constants__ = ["input_size", "hidden_size", "bias"]
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(pydl.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(pydl.empty((rows, hidden_size), device=device, dtype=dtype))
        if bias:
            self.bias_ih = Parameter(pydl.empty(rows, device=device, dtype=dtype))
            self.bias_hh = Parameter(pydl.empty(rows, device=device, dtype=dtype))
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        _draw(self, self.hidden_size)

    def _check(self, input: Tensor, states: Sequence[tuple[str, Tensor]]) -> None:
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for label, state in states:
            if state.dim() not in (1, 2):
                raise ValueError(f"{name}: Expected {label} to be 1D or 2D, got {state.dim()}D instead")

    def _zero_state(self, input: Tensor) -> Tensor:
        return input.new_zeros((*input.shape[:-1], self.hidden_size))

    def _weights(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """One step of an Elman network: ``h' = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh)``.

    Args:
        input_size, hidden_size: features of the input and of the state.
        bias: whether biases are learned. Default: ``True``.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default: ``"tanh"``.

    Shapes: input (batch, input_size) or (input_size), state (batch, hidden_size) or (hidden_size), zero by default.

    Example:
        >>> import pydl
        >>> pydl.nn.RNNCell(10, 20)(pydl.zeros(3, 10)).shape
        torch.Size([3, 20])
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next hidden state."""
        self._check(input, [] if hx is None else [("hidden", hx)])
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = pydl.rnn_tanh_cell if self.nonlinearity == "tanh" else pydl.rnn_relu_cell
        return cell(input, self._zero_state(input) if hx is None else hx, *self._weights())


class LSTMCell(RNNCellBase):
    """One step of an LSTM: the next hidden and cell state, see `LSTM`.

    Args:
        input_size, hidden_size: features of the input and of the states.
        bias: whether biases are learned. Default: ``True``.

    Shapes: input (batch, input_size) or (input_size), states ``(h, c)`` (batch, hidden_size) or (hidden_size) each,
    zero by default.

    Example:
        >>> import pydl
        >>> h, c = pydl.nn.LSTMCell(10, 20)(pydl.zeros(3, 10))
        >>> h.shape
        torch.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The next hidden and cell state."""
        self._check(input, [] if hx is None else [(f"hx[{i}]", state) for i, state in enumerate(hx)])
        if hx is None:
            zero = self._zero_state(input)
            hx = (zero, zero)
        return pydl.lstm_cell(input, hx, *self._weights())


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit: the next hidden state, see `GRU`.

    Args:
        input_size, hidden_size: features of the input and of the state.
        bias: whether biases are learned. Default: ``True``.

    Shapes: input (batch, input_size) or (input_size), state (batch, hidden_size) or (hidden_size), zero by default.

    Example:
        >>> import pydl
        >>> pydl.nn.GRUCell(10, 20)(pydl.zeros(3, 10)).shape
        torch.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next hidden state."""
        self._check(input, [] if hx is None else [("hidden", hx)])
        return pydl.gru_cell(input, self._zero_state(input) if hx is None else hx, *self._weights())
