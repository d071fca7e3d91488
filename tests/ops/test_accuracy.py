"""The bounds of docs/accuracy.md, in a small budget: every 65537th float and some hundred doubles, at each level."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any

import pytest

pytest.importorskip("mpmath", reason="mpmath is not installed: it is what accuracy is measured with")
SOURCE = pathlib.Path(__file__).resolve().parents[2] / "pydl" / "_dev" / "accuracy.py"


def load() -> Any:
    """The developers' module, which the installed package leaves out, from its file."""
    spec = importlib.util.spec_from_file_location("pydl_accuracy", SOURCE)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


accuracy = load()
CASES = {case.name: case for case in accuracy.cases()}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return accuracy.measure_levels(stride=65537, count=150)


@pytest.mark.parametrize("name", CASES)
def test_errors_are_within_bounds(found: dict[str, Any], name: str) -> None:
    for level, errors in found.items():
        (single, where32), (double, where64) = errors[name]
        assert single <= CASES[name].bound[0], f"{level}: float32 {single} ulp at {where32!r}"
        assert double <= CASES[name].bound[1], f"{level}: float64 {double} ulp at {where64!r}"


def test_the_table_is_complete() -> None:
    """The written table names every function, and no error above its bound."""
    text = (SOURCE.parents[2] / "docs" / "accuracy.md").read_text()
    for name, case in CASES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        cells = row.strip("| ").split(" | ")[1:-1]
        half = len(cells) // 2
        assert all(float(c) <= case.bound[0] for c in cells[:half]), row
        assert all(float(c) <= case.bound[1] for c in cells[half:]), row
