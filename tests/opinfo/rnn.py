"""One recurrent layer in one direction, against the textbook formulas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import Maker, Sample, op

WRONG = (RuntimeError, ValueError)
GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def step(mode: str, x: Any, r: Any, h: Any, c: Any, w_hr: Any) -> Any:
    """`x`, `r`: the gates' parts of the input and of the state, (batch, gates, units)."""
    if mode == "GRU":
        reset, update = sigmoid(x[:, 0] + r[:, 0]), sigmoid(x[:, 1] + r[:, 1])
        return (1 - update) * np.tanh(x[:, 2] + reset * r[:, 2]) + update * h, c
    if mode == "LSTM":
        i, f, g, o = np.moveaxis(x + r, 1, 0)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        return (h if w_hr is None else h @ w_hr.T), c
    return (np.tanh if mode == "RNN_TANH" else lambda v: np.maximum(v, 0))((x + r)[:, 0]), c


def layer(
    x: Any, sizes: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, w_hr: Any = None,
    mode: str = "LSTM", reverse: bool = False,
) -> Any:  # fmt: skip
    counts = [x.shape[1]] * x.shape[0] if sizes is None else list(sizes)
    rows = x.reshape(-1, x.shape[-1])
    h, c = h0.copy(), np.zeros_like(h0) if c0 is None else c0.copy()
    out = np.zeros((rows.shape[0], h0.shape[1]), x.dtype)
    starts = np.cumsum([0, *counts])
    for t in reversed(range(len(counts))) if reverse else range(len(counts)):
        n = counts[t]
        part = rows[starts[t] : starts[t] + n] @ w_ih.T + (0 if b_ih is None else b_ih)
        recurrent = h[:n] @ w_hh.T + (0 if b_hh is None else b_hh)
        shape = (n, GATES[mode], w_hh.shape[0] // GATES[mode])
        h[:n], c[:n] = step(mode, part.reshape(shape), recurrent.reshape(shape), h[:n], c[:n], w_hr)
        out[starts[t] : starts[t] + n] = h[:n]
    return (
        out.reshape(*x.shape[:-1], h0.shape[1]),
        h,
        c if mode == "LSTM" else np.zeros(0, x.dtype),
    )


def sample(m: Maker, mode: str, steps: int, batch: int, units: int, *, bias: bool = True, projection: int = 0,
           sizes: Any = None, reverse: bool = False) -> Sample:  # fmt: skip
    rows, width = GATES[mode] * units, projection or units
    x = m(steps, batch, 3) if sizes is None else m(sum(sizes), 3)
    b = (m(rows), m(rows)) if bias else (None, None)
    return Sample(
        x, None if sizes is None else np.array(sizes), m(batch, width), m(batch, units) if mode == "LSTM" else None,
        m(rows, 3), m(rows, width), *b, m(projection, units) if projection else None, mode, reverse,
    )  # fmt: skip


def samples(m: Maker) -> Iterator[Sample]:
    for mode in GATES:
        yield sample(m, mode, 3, 2, 4)
        yield sample(m, mode, 2, 5, 19, bias=False, reverse=True)
        yield sample(m, mode, 1, 2, 3)
        yield sample(m, mode, 0, 3, 2, sizes=[3, 2, 2, 1])
        yield sample(m, mode, 0, 3, 2, sizes=[3, 1], reverse=True)
        yield sample(m, mode, 2, 0, 3)
    yield sample(m, "LSTM", 3, 2, 4, projection=2)
    yield sample(m, "LSTM", 0, 2, 4, projection=3, sizes=[2, 1], reverse=True)


def wrong(**changes: Any) -> Any:
    """The arguments of a good call with some replaced."""
    good = dict(x=(2, 1, 3), sizes=None, h=(1, 2), c=(1, 2), w_ih=(8, 3), w_hh=(8, 2), b_ih=(8,), b_hh=(8,), w_hr=None,
                mode="LSTM")  # fmt: skip
    values = [np.ones(v) if isinstance(v, tuple) else v for v in (good | changes).values()]
    return tuple(values), WRONG, "_rnn_layer|mode|[Ss]equence"


op(
    "private._rnn_layer",
    layer,
    samples,
    domain=(-0.6, 0.6),
    torch_name="-",
    errors=[
        wrong(x=(2, 3)), wrong(x=(0, 1, 3)), wrong(x=(2, 1, 4)), wrong(h=(2, 2)), wrong(h=(1, 3)), wrong(c=None),
        wrong(c=(1, 3)), wrong(w_ih=(8,)), wrong(w_ih=(9, 3)), wrong(w_hh=(7, 2)), wrong(w_hh=(0, 2)),
        wrong(b_ih=None), wrong(b_hh=(7,)), wrong(w_hr=(3, 2)), wrong(w_hr=(2,)), wrong(mode="nope"),
        wrong(mode="GRU"), wrong(x=(2, 3), sizes=np.array([1, 2])), wrong(x=(2, 3), sizes=np.array([1])),
        wrong(x=(2, 3), sizes=np.array([1, 0, 1])), wrong(x=(2, 3), sizes=np.ones(2)),
        wrong(x=(2, 3), sizes=np.zeros(0, np.int64)), wrong(x=(2, 3), sizes=np.array([2**62, 2**62])),
    ],
)  # fmt: skip
