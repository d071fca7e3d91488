"""Recurrent layers and cells."""

from __future__ import annotations

from typing import Any

from moduleinfo import Inputs, module

SLOW = {"gradgradcheck": False}


def packed(lib: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    lengths = lib.tensor([2, 4, 1])
    return (lib.nn.utils.rnn.pack_padded_sequence(arguments[0], lengths, enforce_sorted=False), *arguments[1:])


def states(m: Inputs, layers: int, *sizes: int) -> Any:
    """Random hidden states; with two sizes the pair of an LSTM."""
    made = tuple(m.real(layers, 3, size, low=-0.5, high=0.5) for size in sizes)
    return made[0] if len(made) == 1 else made


for name, state in (("RNN", (2,)), ("LSTM", (2, 2)), ("GRU", (2,))):
    module(name, lambda m: (m.real(4, 3, 2),), args=(2, 2))
    module(name, lambda m, s=state: (m.real(4, 3, 2), states(m, 4, *s)), args=(2, 2), label="stack",
           kwargs={"num_layers": 2, "bidirectional": True}, **SLOW)  # fmt: skip
    module(name, lambda m: (m.real(3, 4, 2),), args=(2, 2), label="batch-first",
           kwargs={"batch_first": True, "bias": False})  # fmt: skip
    module(name, lambda m: (m.real(4, 2),), args=(2, 3), label="unbatched", **SLOW)
    module(name, lambda m, s=state: (m.real(4, 3, 2), states(m, 2, *s)), args=(2, 2), label="packed", wrap=packed,
           kwargs={"bidirectional": True})  # fmt: skip
    module(name, lambda m: (m.real(2, 3, 2),), args=(2, 2), label="dropout", modes=("eval",),
           kwargs={"num_layers": 2, "dropout": 0.4}, **SLOW)  # fmt: skip
    module(name, lambda m: (m.real(9, 5, 20),), args=(20, 33), label="larger", gradcheck=False, **SLOW)
module("RNN", lambda m: (m.real(4, 3, 2),), args=(2, 2), kwargs={"nonlinearity": "relu"}, label="relu")
module("LSTM", lambda m: (m.real(4, 3, 2), states(m, 2, 2, 3)), args=(2, 3), label="projection",
       kwargs={"proj_size": 2, "bidirectional": True}, **SLOW)  # fmt: skip
module("LSTM", lambda m: (m.real(4, 3, 2),), args=(2, 3), label="projection-packed", wrap=packed,
       kwargs={"proj_size": 2, "num_layers": 2, "bias": False}, **SLOW)  # fmt: skip

for name in ("RNNCell", "LSTMCell", "GRUCell"):
    pair = name == "LSTMCell"
    module(name, lambda m: (m.real(3, 2),), args=(2, 4))
    module(name, lambda m: (m.real(2),), args=(2, 4), label="unbatched", kwargs={"bias": False})
    module(name, lambda m, p=pair: (m.real(3, 2), (m.real(3, 4), m.real(3, 4)) if p else m.real(3, 4)), args=(2, 4),
           label="state")  # fmt: skip
module("RNNCell", lambda m: (m.real(3, 2),), args=(2, 4), kwargs={"nonlinearity": "relu"}, label="relu")

# pydl's own, with more cases in tests/nn/test_blocks.py
module("ConvLSTMCell2d", lambda m: (m.real(1, 2, 3, 3),), args=(2, 2, 3))
module("ConvLSTM2d", lambda m: (m.real(2, 1, 2, 3, 3),), args=(2, 2, 3), **SLOW)
