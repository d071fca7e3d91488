"""Every op against its NumPy or SciPy reference, and against torch where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opinfo import OPS, OpInfo, to_pydl

import pydl
from pydl import _C

TOLERANCE = {"float32": 2e-5, "complex64": 2e-5, "float64": 1e-10, "complex128": 1e-10}
CASES = [pytest.param(info, dtype, id=f"{info.name}-{dtype}") for info in OPS for dtype in info.dtypes]


def to_numpy(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return [to_numpy(r) for r in result]
    return result.detach().numpy() if hasattr(result, "detach") else result


def assert_close(got: Any, expected: Any, tolerance: float, what: str) -> None:
    if isinstance(got, list):
        assert len(got) == len(expected), what
        for g, e in zip(got, expected):
            assert_close(g, e, tolerance, what)
        return
    if getattr(expected, "dtype", None) == np.float16:  # NumPy's answer to the functions of 8-bit integers
        tolerance = 3e-3
    assert np.shape(got) == np.shape(expected), f"{what}: shape {np.shape(got)}, expected {np.shape(expected)}"
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=tolerance, atol=tolerance, err_msg=what)


def test_every_op_has_an_info() -> None:
    """What the table registers and the tests cover must be the same list."""
    known = {info.name for info in OPS}

    def own_names(space: Any) -> set[str]:  # aliases are tested in test_aliases.py
        return {n for n, o in vars(space).items() if hasattr(o, "signatures") and o.alias_of is None}

    names = own_names(_C.functions)
    names |= {f"Tensor.{n}" for n in own_names(pydl.Tensor) if n not in names}
    for place in ("nn", "linalg", "special", "private"):
        names |= {f"{place}.{n}" for n in own_names(getattr(_C, place))}
    base = {
        n[:-1] if n.endswith("_") and n not in known and n.rstrip("_").removeprefix("Tensor.") else n for n in names
    }
    tested = known | {f"Tensor.{n.rpartition('.')[2]}" for n in known}
    missing = sorted(n for n in base - tested)
    assert not missing, f"ops without an OpInfo in tests/opinfo: {missing}"
    assert len(known) == len(OPS), "an op has two OpInfos"


@pytest.mark.parametrize("info, dtype", CASES)
def test_values_against_reference(info: OpInfo, dtype: str) -> None:
    if info.reference is None:
        pytest.skip("values are not determined by the arguments, or tested with the layer above")
    tolerance = TOLERANCE.get(dtype, 2e-5) * info.tolerance
    for sample in info.sample_list(dtype):
        with np.errstate(all="ignore"):
            expected = info.reference(*sample.args, **sample.kwargs)
        t = sample.map(to_pydl)
        got = to_numpy(info.op(*t.args, **t.kwargs))
        if isinstance(expected, tuple):
            expected = list(expected)
        assert_close(got, expected, tolerance, f"{info.name}({sample})")


@pytest.mark.parametrize("info, dtype", CASES)
def test_values_and_dtypes_against_torch(info: OpInfo, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    other = info.torch_op(torch)
    if other is None:
        pytest.skip("torch has no such function")
    compared = 0
    for sample in info.sample_list(dtype):
        t, u = sample.map(to_pydl), sample.map(torch.tensor)
        try:
            expected = other(*u.args, **u.kwargs)
        except (RuntimeError, TypeError, NotImplementedError, IndexError):
            continue
        got = info.op(*t.args, **t.kwargs)
        what = f"{info.name}({sample})"
        for g, e in zip(*((r,) if not isinstance(r, (tuple, list)) else r for r in (got, expected))):
            if isinstance(e, torch.Tensor):
                assert str(g.dtype) == str(e.dtype), what
                assert tuple(g.shape) == tuple(e.shape), what
                if not info.random:
                    assert_close(
                        to_numpy(g),
                        e.detach().resolve_conj().numpy(),
                        TOLERANCE.get(dtype, 2e-5) * info.tolerance,
                        what,
                    )
            else:
                assert g == e, what
        compared += 1
    if not compared:
        pytest.skip("torch refuses these samples")
