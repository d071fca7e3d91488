"""Calls that pydl and torch must answer alike, as functions of the library and of arrays; and what compares them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pydl
from pydl.autograd import gradcheck, gradgradcheck

INF = math.inf
TOLERANCE = {"float32": 2e-3, "float64": 1e-8, "complex64": 2e-3, "complex128": 1e-8}


@dataclass
class Case:
    name: str
    function: Callable[..., Any]
    shapes: tuple[Any, ...]
    grad: bool = True
    gradgrad: bool = True
    dtypes: tuple[str, ...] = ("float32", "float64", "complex64", "complex128")
    tolerance: float = 1.0

    def inputs(self, dtype: str) -> list[np.ndarray]:
        rng = np.random.default_rng(list(self.name.encode()))
        return [self._make(rng, s, dtype) for s in self.shapes]

    @staticmethod
    def _make(rng: Any, shape: Any, dtype: str) -> np.ndarray:
        if isinstance(shape, np.ndarray):
            return shape.astype(dtype) if shape.dtype.kind == "f" else shape
        values = rng.standard_normal(shape)
        if dtype.startswith("complex"):
            values = values + 1j * rng.standard_normal(shape)
        return np.asarray(values).astype(dtype)


def tensors_of(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def check_against_torch(case: Case, dtype: str, torch: Any) -> None:
    arrays = case.inputs(dtype)
    expected = tensors_of(case.function(torch, *(torch.tensor(a) for a in arrays)))
    got = tensors_of(case.function(pydl, *(pydl.tensor(a) for a in arrays)))
    assert len(got) == len(expected)
    tolerance = TOLERANCE[dtype] * case.tolerance
    for g, e in zip(got, expected):
        if not isinstance(e, torch.Tensor):
            assert g == e
            continue
        assert str(g.dtype) == str(e.dtype)
        assert tuple(g.shape) == tuple(e.shape)
        np.testing.assert_allclose(
            g.detach().numpy(), e.detach().resolve_conj().numpy(), rtol=tolerance, atol=tolerance, err_msg=case.name
        )


def check_gradients(case: Case, dtype: str, second: bool) -> None:
    tensors = [pydl.tensor(a) for a in case.inputs(dtype)]
    places = [i for i, t in enumerate(tensors) if t.is_floating_point() or t.is_complex()]

    def function(*values: Any) -> Any:
        args = list(tensors)
        for i, v in zip(places, values):
            args[i] = v
        return tuple(r for r in tensors_of(case.function(pydl, *args)) if r.requires_grad)

    leaves = [tensors[i].requires_grad_() for i in places]
    assert (gradgradcheck if second else gradcheck)(function, leaves)
