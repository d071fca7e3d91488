"""Tensors that get other memory or sizes in place."""

from __future__ import annotations

import numpy as np

from . import ALL, Sample, op
from .view import S

WRONG = RuntimeError


def resized(a: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return np.resize(np.concatenate([a.reshape(-1), np.zeros(64, a.dtype)]), 64)[: int(np.prod(size))].reshape(size)


op("Tensor.resize_", resized, S(((4,), (2, 2)), ((2, 3), (2,)), ((3,), (0,)), ((2,), (1, 2))), dtypes=ALL, grad=False, torch_name="-", scales=False,
   errors=[((np.ones(2), (-1,)), WRONG, "resize_"), ((np.ones(2), (2**62, 2)), WRONG, "resize_")])  # fmt: skip
op(
    "resize_as_",
    lambda a, b: resized(a, b.shape),
    lambda m: iter([Sample(m(4), m(2, 2)), Sample(m(2, 3), m(2))]),
    dtypes=ALL,
    grad=False,
    torch_name="-",
    scales=False,
)
op(
    "Tensor.set_",
    lambda a, b, *part: b if not part else b.reshape(-1)[part[0] :][: part[1][0]],
    lambda m: iter([Sample(m(4), m(2, 3)), Sample(m(4), m(6), 1, (3,))]),
    dtypes=ALL,
    grad=False,
    torch_name="-",
    scales=False,
    errors=[((np.ones(2), np.ones(2, np.float32)), WRONG, "set_"), ((np.ones(2), np.ones(2), 1, (2,)), WRONG, "set_|bounds")],
)  # fmt: skip
op("Tensor.is_set_to", lambda a, b: False, lambda m: iter([Sample(m(2), m(2))]), dtypes=ALL, grad=False, scales=False)
