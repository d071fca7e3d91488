"""The examples run and reach what they promise."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parent.parent.parent / "examples"


def _load(name: str):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_linear_regression():
    assert _load("linear_regression").main() < 0.05


def test_softmax_regression():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    assert _load("softmax_regression").main() > 0.93


def test_xor():
    assert _load("xor").main() == [0, 1, 1, 0]
