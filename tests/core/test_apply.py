"""Tensor.apply_, map_ and map2_: a Python function on every element."""

from __future__ import annotations

import pytest

import pydl


def test_apply_and_map_write_in_place() -> None:
    x = pydl.tensor([[1.0, 2.0], [3.0, 4.0]])
    view = x.t()
    assert view.apply_(lambda v: v + 0.5) is view
    assert x.tolist() == [[1.5, 2.5], [3.5, 4.5]]
    x.map_(pydl.tensor([2.0, 10.0]), lambda a, b: a * b)
    assert x.tolist() == [[3.0, 25.0], [7.0, 45.0]]
    x.map2_(pydl.ones(2, 2), pydl.tensor([1.0, 2.0]), lambda a, b, c: a - b - c)
    assert x.tolist() == [[1.0, 22.0], [5.0, 42.0]]
    assert pydl.ones(2, dtype=pydl.int64).apply_(lambda v: v + 0.7).tolist() == [1, 1]
    assert pydl.empty(0).apply_(lambda v: 1 / 0).tolist() == []


def test_a_function_that_fails_writes_nothing() -> None:
    x = pydl.tensor([1.0, 0.0])
    with pytest.raises(ZeroDivisionError):
        x.apply_(lambda v: 1 / v)
    assert x.tolist() == [1.0, 0.0]


def test_errors_of_apply_and_map() -> None:
    with pytest.raises(RuntimeError, match="apply_.*requires grad"):
        pydl.ones(1, requires_grad=True).apply_(lambda v: v)
    with pytest.raises(RuntimeError, match="map_.*requires grad"):
        pydl.ones(1).map_(pydl.ones(1, requires_grad=True), lambda a, b: a)
    with pytest.raises(TypeError, match="map_.*float32.*int64"):
        pydl.ones(1).map_(pydl.ones(1, dtype=pydl.int64), lambda a, b: a)
    with pytest.raises(TypeError, match="callable"):
        pydl.ones(1).apply_(3)
    with pytest.raises(RuntimeError, match="expand"):
        pydl.ones(2).map_(pydl.ones(3), lambda a, b: a)
