"""Connectionist temporal classification: all alignments counted one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from . import Maker, Sample, op


def ctc(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, zero: bool = False
) -> Any:
    result = []
    for n, (steps, length) in enumerate(zip(input_lengths, target_lengths)):
        wanted = list(targets[n, :length])
        total = 0.0
        for path in itertools.product(range(log_probs.shape[2]), repeat=int(steps)):
            if [c for c, _ in itertools.groupby(path) if c != blank] == wanted:
                total += np.exp(sum(log_probs[t, n, c] for t, c in enumerate(path)))
        result.append(-np.log(total) if total else (0.0 if zero else np.inf))
    return np.array(result, dtype=log_probs.dtype)


def samples(m: Maker) -> Any:
    yield Sample(m(4, 2, 3), np.array([[1, 2], [2, 2]]), np.array([4, 3]), np.array([2, 1]))
    yield Sample(m(5, 1, 3), np.array([[0, 0]]), np.array([5]), np.array([2]), 2)
    yield Sample(m(2, 1, 3), np.array([[1, 1]]), np.array([2]), np.array([2]), 0, True)
    yield Sample(m(2, 1, 3), np.array([[1, 1]]), np.array([2]), np.array([2]))
    yield Sample(m(3, 1, 2), np.zeros((1, 0), dtype=np.int64), np.array([3]), np.array([0]))


ONE = np.zeros((2, 1, 3))
LABELS, TWO, ONCE = np.array([[1]]), np.array([2]), np.array([1])
op(
    "nn.ctc_loss",
    ctc,
    samples,
    grad=False,  # the gradient is that of log_softmax's input; tests/nn/test_losses.py has it
    torch_name="-",
    scales=False,
    errors=[
        ((ONE, np.array([[3]]), TWO, ONCE), IndexError, "out of bounds"),
        ((ONE, np.array([[-1]]), TWO, ONCE), IndexError, "out of bounds"),
        ((ONE, LABELS, np.array([3]), ONCE), RuntimeError, "input_lengths"),
        ((ONE, LABELS, TWO, np.array([2])), RuntimeError, "target_lengths"),
        ((ONE, LABELS, TWO, np.array([-1])), RuntimeError, "target_lengths"),
        ((ONE, LABELS, np.array([2, 2]), ONCE), RuntimeError, "input_lengths"),
        ((ONE, LABELS, TWO, ONCE, 3), RuntimeError, "blank"),
        ((np.zeros((2, 3)), LABELS, TWO, ONCE), RuntimeError, "log_probs"),
    ],
)
