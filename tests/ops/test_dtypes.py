"""Type promotion against torch's table, and every op in every dtype that torch takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opinfo import OPS, OpInfo

import pydl

NAMES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
# Where pydl is wider than torch or says the same otherwise, with the reason.


@pytest.mark.parametrize("a", [*NAMES, "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("b", [*NAMES, "uint16", "uint32", "uint64"])
def test_promote_types(a: str, b: str) -> None:
    try:
        expected = str(torch.promote_types(getattr(torch, a), getattr(torch, b)))
    except RuntimeError:
        pytest.skip("torch refuses this pair")
    assert str(pydl.promote_types(getattr(pydl, a), getattr(pydl, b))) == expected


@pytest.mark.parametrize("a", NAMES)
@pytest.mark.parametrize("scalar", [True, 2, 2.5, 1j])
def test_result_type_with_numbers(a: str, scalar: Any) -> None:
    for shape in ((), (2,)):
        expected = str(torch.result_type(torch.ones(shape, dtype=getattr(torch, a)), scalar))
        assert str(pydl.result_type(pydl.ones(shape, dtype=getattr(pydl, a)), scalar)) == expected


@pytest.mark.parametrize("op", ["add", "mul", "div", "maximum", "eq", "bitwise_and", "pow", "where"])
def test_binary_results_over_all_pairs(op: str) -> None:
    for a in NAMES:
        for b in NAMES:
            for sa, sb in (((2,), (2,)), ((), (2,)), ((2,), ())):

                def call(lib: Any, a: str = a, b: str = b, sa: Any = sa, sb: Any = sb) -> Any:
                    x, y = lib.ones(sa, dtype=getattr(lib, a)), lib.ones(sb, dtype=getattr(lib, b))
                    return lib.where(lib.ones(2, dtype=lib.bool), x, y) if op == "where" else getattr(lib, op)(x, y)

                try:
                    expected = str(call(torch).dtype)
                except RuntimeError:
                    continue
                assert str(call(pydl).dtype) == expected, (op, a, sa, b, sb)


@pytest.mark.parametrize("info", [pytest.param(i, id=i.name) for i in OPS if i.pointwise or i.view])
def test_dtypes_that_torch_takes(info: OpInfo) -> None:
    """Each op takes every dtype that torch's takes, and answers in the same dtype."""
    other = info.torch_op(torch)
    if other is None:
        pytest.skip("torch has no such function")
    base = "float64" if "float64" in info.dtypes else info.dtypes[0]
    sample = next((s for s in info.sample_list(base) if isinstance(s.args[0], np.ndarray) and s.args[0].size > 1), None)
    if sample is None:
        pytest.skip("no tensor argument")
    wrong = []
    for name in NAMES:

        def cast(lib: Any, name: str = name) -> Any:
            def convert(a: np.ndarray) -> Any:
                t = lib.tensor(a)
                return (
                    t
                    if a.dtype in (np.int64, np.bool_)
                    else t.abs().to(getattr(lib, name))
                    if not np.iscomplexobj(a)
                    else t.real.to(getattr(lib, name))
                )

            return sample.map(convert)

        u = cast(torch)
        try:
            expected = other(*u.args, **u.kwargs)
        except (RuntimeError, NotImplementedError, TypeError):
            continue
        t = cast(pydl)
        try:
            got = info.op(*t.args, **t.kwargs)
        except (RuntimeError, NotImplementedError, TypeError) as e:
            wrong.append(f"{name}: {str(e)[:90]}")
            continue
        first, second = (r[0] if isinstance(r, (tuple, list)) else r for r in (got, expected))
        if hasattr(first, "dtype") and str(first.dtype) != str(second.dtype):
            wrong.append(f"{name}: {first.dtype}, torch {second.dtype}")
    assert not wrong, "\n".join(wrong)
