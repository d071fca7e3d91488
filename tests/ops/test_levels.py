"""The instruction-set levels agree: one process per level runs all ops, the results are compared."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opinfo import OPS, to_pydl
from test_values import to_numpy

import pydl

LEVELS = ["baseline", "avx2", "avx512"]
TOLERANCE = {
    np.dtype(np.float32): 4e-6,
    np.dtype(np.float64): 1e-13,
    np.dtype(np.complex64): 4e-6,
    np.dtype(np.complex128): 1e-13,
}


def results() -> dict[str, Any]:
    """Forward and backward of every op on its samples."""
    found: dict[str, Any] = {"level": pydl._C.config()["cpu_level"]}
    for info in OPS:
        if info.random or info.name == "private._int8_pack":  # whose result is each level's own layout
            continue
        for dtype in info.dtypes:
            for n, sample in enumerate(info.sample_list(dtype)):
                t = sample.map(to_pydl)
                first = t.args[0]
                recorded = info.grad and isinstance(first, pydl.Tensor) and first.dtype.is_floating_point
                if recorded:
                    first.requires_grad_()
                result = info.op(*t.args, **t.kwargs)
                found[f"{info.name} {dtype} {n}"] = to_numpy(result)
                if recorded and isinstance(result, pydl.Tensor) and result.requires_grad:
                    gradient = pydl.autograd.grad(result, first, pydl.ones_like(result), allow_unused=True)[0]
                    if gradient is not None:  # a norm of order 0 has none
                        found[f"{info.name} {dtype} {n} grad"] = gradient.numpy()
    return found


@pytest.fixture(scope="module")
def by_level(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    found = {}
    supported = pydl._C.config()["cpu_level_supported"]
    for level in LEVELS[: LEVELS.index(supported) + 1]:
        path = tmp_path_factory.mktemp("levels") / level
        env = {
            **os.environ,
            "PYDL_CPU_LEVEL": level,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), str(Path(__file__).parent), *sys.path]),
        }
        code = f"import pickle, test_levels; pickle.dump(test_levels.results(), open({str(path)!r}, 'wb'))"
        subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=300)
        found[level] = pickle.loads(path.read_bytes())
        assert found[level]["level"] == level
    return found


def assert_near(a: Any, b: Any, what: str) -> None:
    if isinstance(a, list):
        assert len(a) == len(b), what
        for x, y in zip(a, b):
            assert_near(x, y, what)
        return
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype and a.shape == b.shape, what
    tolerance = TOLERANCE.get(a.dtype, 0.0)
    # Sums of large terms that cancel are as exact as the terms are large
    size = np.abs(b[np.isfinite(b)]).max(initial=1.0) if tolerance else 1.0
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size, err_msg=what)


@pytest.mark.parametrize("level", LEVELS[1:])
def test_levels_agree(by_level: dict[str, dict[str, Any]], level: str) -> None:
    if level not in by_level:
        pytest.skip(f"this machine has no {level}")
    base = by_level["baseline"]
    assert base.keys() == by_level[level].keys()
    for key, value in base.items():
        if key != "level":
            assert_near(by_level[level][key], value, key)
