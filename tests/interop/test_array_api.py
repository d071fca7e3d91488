"""The array API standard: the namespace's promises, and libraries that are written against them.

The public suite (data-apis/array-api-tests) is run by hand, see docs/array_api.md.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import array_api as xp


def test_the_way_from_a_tensor() -> None:
    x = pydl.ones(2)
    assert x.__array_namespace__() is xp and x.__array_namespace__(api_version="2024.12") is xp
    assert xp.__array_api_version__ == "2024.12"
    with pytest.raises(ValueError, match="api_version"):
        x.__array_namespace__(api_version="1999.1")
    assert x.to_device("cpu") is x and x.to_device(x.device) is x and x.device == pydl.device("cpu")
    with pytest.raises(RuntimeError):
        x.to_device("cuda")
    with pytest.raises(ValueError, match="stream"):
        x.to_device("cpu", stream=1)
    assert complex(pydl.tensor(1 + 2j)) == 1 + 2j


def test_info() -> None:
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.devices() == [info.default_device()] == [pydl.device("cpu")]
    assert info.default_dtypes()["real floating"] is pydl.float32
    assert set(info.dtypes(kind="complex floating")) == {"complex64", "complex128"}
    assert len(info.dtypes()) == 13


def test_all_names_are_there() -> None:
    for name in xp.__all__:
        assert hasattr(xp, name), name
    for space in (xp.linalg, xp.fft):
        for name in space.__all__:
            assert inspect.getdoc(getattr(space, name)), name


def test_promotion_looks_at_dtypes_alone() -> None:
    a, b = xp.ones((), dtype=xp.float64), xp.ones(3, dtype=xp.float32)
    assert xp.add(a, b).dtype == xp.float64 and xp.result_type(a, b) == xp.float64
    assert xp.add(b, 1).dtype == xp.float32 and xp.multiply(b, 1j).dtype == xp.complex64
    with pytest.raises(TypeError):
        xp.add(xp.ones(2, dtype=xp.int64), 1.5)
    with pytest.raises(ValueError):
        xp.result_type(1, 2)


def test_sums_of_integers_are_wide() -> None:
    x = xp.full((3,), 200, dtype=xp.uint8)
    assert xp.sum(x).dtype == xp.uint64 and xp.sum(x) == 600
    assert xp.prod(x).item() == 8_000_000
    assert xp.cumulative_sum(x, include_initial=True).tolist() == [0, 200, 400, 600]
    assert xp.sum(xp.ones((2, 2)), axis=()).shape == (2, 2)


@pytest.mark.parametrize("obj, copy, shared", [("array", None, True), ("array", True, False), ("array", False, True)])
def test_asarray(obj: str, copy: Any, shared: bool) -> None:
    array = np.arange(3.0)
    assert (xp.asarray(array, copy=copy).data_ptr() == array.ctypes.data) == shared
    for bad in (array[::-1], [1, 2]):
        with pytest.raises(ValueError, match="copy=False"):
            xp.asarray(bad, copy=False)
    with pytest.raises(ValueError, match="converted"):
        xp.asarray(xp.ones(2), dtype=xp.int8, copy=False)
    assert xp.asarray(2**63, dtype=xp.uint64).item() == 2**63
    assert xp.asarray(memoryview(array)).tolist() == [0, 1, 2]


def test_sets_keep_nan_apart() -> None:
    found = xp.unique_all(xp.asarray([float("nan"), 1.0, float("nan"), 1.0]))
    assert found.counts.tolist() == [2, 1, 1] and found.indices.tolist() == [1, 0, 2]
    assert found.inverse_indices.tolist() == [1, 0, 2, 0]


def test_gradients_go_through_the_namespace() -> None:
    x = pydl.ones(3, requires_grad=True)
    xp.sum(xp.linalg.vecdot(xp.exp(x), x)).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full(3, 2 * np.e), rtol=1e-6)


# ---- consumers -------------------------------------------------------------------------------------------------


def test_compat_finds_the_namespace() -> None:
    compat = pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    assert compat.array_namespace(pydl.ones(2)) is xp
    assert compat.device(pydl.ones(2)) == pydl.device("cpu") and compat.size(pydl.ones(2, 3)) == 6


SCIPY = """
import numpy as np, pydl
import scipy
from scipy import special, stats, fft, signal, ndimage, cluster, linalg, integrate
from scipy.spatial import transform
x = pydl.tensor(np.random.default_rng(0).uniform(0.5, 2, (4, 6)))
calls = {
    "special.gammaln": lambda a: special.gammaln(a),
    "special.expit": lambda a: special.expit(a),
    "special.logsumexp": lambda a: special.logsumexp(a, axis=0),
    "special.softmax": lambda a: special.softmax(a, axis=1),
    "special.xlogy": lambda a: special.xlogy(a, a),
    "fft.fft": lambda a: fft.fft(a),
    "fft.dct": lambda a: fft.dct(a),
    "stats.zscore": lambda a: stats.zscore(a),
    "stats.skew": lambda a: stats.skew(a),
    "stats.pearsonr": lambda a: stats.pearsonr(a[0], a[1]).statistic,
    "stats.gmean": lambda a: stats.gmean(a),
    "signal.convolve": lambda a: signal.convolve(a[0], a[1]),
    "signal.detrend": lambda a: signal.detrend(a),
    "ndimage.gaussian_filter": lambda a: ndimage.gaussian_filter(a, 1.0),
    "cluster.vq.whiten": lambda a: cluster.vq.whiten(a),
    "integrate.trapezoid": lambda a: integrate.trapezoid(a),
    "Rotation": lambda a: transform.Rotation.from_quat(a[:, :4]).as_matrix(),
}
for name, call in calls.items():
    got = call(x)
    assert isinstance(got, pydl.Tensor), (name, type(got))
    np.testing.assert_allclose(np.asarray(got), np.asarray(call(x.numpy())), rtol=1e-9, atol=1e-9, err_msg=name)
print(len(calls), "calls")
"""


def test_scipy_gives_tensors_back() -> None:
    pytest.importorskip("scipy", minversion="1.16", reason="scipy with array API support is not installed")
    out = subprocess.run(
        [sys.executable, "-c", SCIPY],
        env={**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stderr
    assert "17 calls" in out.stdout


SKLEARN = """
import numpy as np, pydl, sklearn
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import MinMaxScaler, StandardScaler
rng = np.random.default_rng(0)
X, y = rng.standard_normal((40, 5)), rng.integers(0, 2, 40)
X[y == 1] += 1
T, u = pydl.tensor(X), pydl.tensor(y)
calls = {
    "PCA": lambda X, y: PCA(2, svd_solver="full").fit_transform(X),
    "StandardScaler": lambda X, y: StandardScaler().fit_transform(X),
    "MinMaxScaler": lambda X, y: MinMaxScaler().fit_transform(X),
    "Ridge": lambda X, y: Ridge(solver="svd").fit(X, X[:, 0] * 2).coef_,
    "LDA": lambda X, y: LinearDiscriminantAnalysis().fit(X, y).predict(X),
    "GaussianNB": lambda X, y: GaussianNB().fit(X, y).predict(X),
    "euclidean_distances": lambda X, y: euclidean_distances(X, X + 1),
    "train_test_split": lambda X, y: train_test_split(X, random_state=0)[0],
}
for name, call in calls.items():
    expected = call(X, y)
    with sklearn.config_context(array_api_dispatch=True):
        got = call(T, u)
        assert accuracy_score(u, u) == 1.0
    assert isinstance(got, pydl.Tensor), (name, type(got))
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-6, atol=1e-6, err_msg=name)
print(len(calls), "calls")
"""


def test_scikit_learn_gives_tensors_back() -> None:
    pytest.importorskip("sklearn", minversion="1.8", reason="StandardScaler takes other arrays since scikit-learn 1.8")
    out = subprocess.run(
        [sys.executable, "-c", SKLEARN],
        env={**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stderr
    assert "8 calls" in out.stdout


def test_opt_einsum() -> None:
    opt = pytest.importorskip("opt_einsum", reason="opt_einsum is not installed")
    rng = np.random.default_rng(0)
    for equation, shapes in [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk->ki", [(2, 3), (3, 4)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("ii->i", [(3, 3)]),
        ("ij->", [(3, 3)]),
    ]:
        arrays = [rng.standard_normal(s) for s in shapes]
        got = opt.contract(equation, *(pydl.tensor(a) for a in arrays))
        assert isinstance(got, pydl.Tensor)
        np.testing.assert_allclose(got.numpy(), np.einsum(equation, *arrays), rtol=1e-12)


@pytest.mark.parametrize("order", ["pydl, einops", "einops, pydl"])
def test_einops_in_either_order_of_imports(order: str) -> None:
    pytest.importorskip("einops", reason="einops is not installed")
    code = f"""
import {order}
import numpy as np
x = pydl.arange(24.0).reshape(2, 3, 4)
y = einops.rearrange(x, "a b c -> c (a b)")
assert isinstance(y, pydl.Tensor) and y.shape == (4, 6)
assert einops.reduce(x, "a b c -> a", "sum").tolist() == x.sum((1, 2)).tolist()
for how in ("min", "max", "mean", "prod"):
    np.testing.assert_allclose(einops.reduce(x, "a b c -> a b", how).numpy(), einops.reduce(x.numpy(), "a b c -> a b", how))
assert einops.repeat(x, "a b c -> a r b c", r=5).shape == (2, 5, 3, 4)
assert einops.rearrange([x, x], "k a b c -> a b c k").shape == (2, 3, 4, 2)
packed, shapes = einops.pack([x, x[0]], "* b c")
assert [t.shape for t in einops.unpack(packed, shapes, "* b c")] == [(2, 3, 4), (3, 4)]
assert einops.einsum(x, x, "a b c, a b c -> a").tolist() == (x * x).sum((1, 2)).tolist()
x.requires_grad_()
einops.rearrange(x, "a b c -> c (a b)").sum().backward()
assert x.grad.tolist() == pydl.ones(2, 3, 4).tolist()
"""
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stderr


def test_einops_of_the_array_api() -> None:
    api = pytest.importorskip("einops.array_api", reason="einops is not installed")
    x = xp.reshape(xp.arange(24.0), (2, 3, 4))
    assert api.rearrange(x, "a b c -> c (a b)").shape == (4, 6)
    assert api.reduce(x, "a b c -> a", "sum").shape == (2,)
    assert api.asnumpy(x).shape == (2, 3, 4)


def test_asarray_takes_the_types_of_numpy() -> None:
    import numpy as np

    assert xp.asarray(pydl.ones(2), dtype=np.float64).dtype == pydl.float64
    assert xp.asarray([1, 2], dtype=np.float32).dtype == pydl.float32
