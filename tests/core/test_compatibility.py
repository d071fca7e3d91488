"""What is written in Python around the ops: constructors by type name, storages, settings, gradients of grids, windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pydl
from pydl.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
rng = np.random.default_rng(5)


def same(mine: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert len(mine) == len(theirs)
        for m, t in zip(mine, theirs):
            same(m, t)
    else:
        assert str(mine.dtype) == str(theirs.dtype)
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["atleast_1d", "atleast_2d", "atleast_3d"])
def test_atleast(name: str) -> None:
    for shape in [(), (3,), (2, 3), (1, 2, 3)]:
        a = rng.standard_normal(shape)
        same(getattr(pydl, name)(pydl.tensor(a)), getattr(torch, name)(torch.tensor(a)))
    mine = getattr(pydl, name)(pydl.tensor(1), pydl.tensor([2]))
    same(mine, getattr(torch, name)(torch.tensor(1), torch.tensor([2])))
    with pytest.raises(TypeError, match=name):
        getattr(pydl, name)(3)


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"spacing": 0.5}, {"dim": 1}, {"dim": (0, 1), "spacing": (2.0, 0.5)}, {"edge_order": 2}, {"dim": 0, "edge_order": 2, "spacing": 3.0}],
    ids=str,
)  # fmt: skip
def test_gradient(kwargs: dict[str, Any]) -> None:
    a = rng.standard_normal((4, 5))
    same(pydl.gradient(pydl.tensor(a), **kwargs), torch.gradient(torch.tensor(a), **kwargs))
    assert gradcheck(lambda x: pydl.gradient(x, **kwargs), [pydl.tensor(a, requires_grad=True)])
    assert gradgradcheck(lambda x: pydl.gradient(x, **kwargs)[0].square(), [pydl.tensor(a[:4, :3], requires_grad=True)])


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_over_coordinates(edge_order: int) -> None:
    a, x, y = rng.standard_normal((4, 5)), np.array([0.0, 1.0, 2.5, 4.0]), np.array([0.0, 0.5, 1.5, 2.0, 5.0])
    mine = pydl.gradient(pydl.tensor(a), spacing=(pydl.tensor(x), pydl.tensor(y)), edge_order=edge_order)
    same(mine, torch.gradient(torch.tensor(a), spacing=(torch.tensor(x), torch.tensor(y)), edge_order=edge_order))


def test_gradient_refuses() -> None:
    for kwargs in ({"edge_order": 3}, {"spacing": (1.0, 2.0)}, {"dim": (0, 0)}, {"spacing": pydl.ones(2)}):
        with pytest.raises(RuntimeError, match="gradient"):
            pydl.gradient(pydl.ones(3), **kwargs)
    with pytest.raises(IndexError, match="gradient"):
        pydl.gradient(pydl.ones(3), dim=1)
    with pytest.raises(RuntimeError, match="edge_order"):
        pydl.gradient(pydl.ones(1))


@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize("bins", [7, [-2.0, -0.5, 0.1, 1.5]])
def test_histogram(bins: Any, density: bool) -> None:
    a, w = rng.standard_normal(50), rng.random(50)
    for kwargs in [{}, {"weight": w}, *([{"range": (-1.0, 2.0)}] if isinstance(bins, int) else [])]:

        def call(lib: Any, kwargs: Any = kwargs) -> Any:
            options = {k: lib.tensor(v) if k == "weight" else v for k, v in kwargs.items()}
            edges = bins if isinstance(bins, int) else lib.tensor(bins, dtype=lib.float64)
            return lib.histogram(lib.tensor(a), edges, density=density, **options)

        same(call(pydl), call(torch))


def test_histogramdd() -> None:
    a, w = rng.standard_normal((40, 2)), rng.random(40)
    same(pydl.histogramdd(pydl.tensor(a), [3, 4]), torch.histogramdd(torch.tensor(a), [3, 4]))
    mine = pydl.histogramdd(pydl.tensor(a), 3, range=[-1, 1, -2, 2], weight=pydl.tensor(w), density=True)
    same(mine, torch.histogramdd(torch.tensor(a), 3, range=[-1, 1, -2, 2], weight=torch.tensor(w), density=True))
    for bad in (
        {"bins": [3]},
        {"bins": 0},
        {"bins": 2, "range": [0, 1]},
        {"bins": 2, "range": [0, float("inf"), 0, 1]},
    ):
        with pytest.raises(RuntimeError, match="histogramdd"):
            pydl.histogramdd(pydl.tensor(a), **bad)


NAMES = ["bartlett", "blackman", "cosine", "exponential", "gaussian", "hamming", "hann", "kaiser", "nuttall", "general_hamming"]  # fmt: skip


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_windows(name: str, sym: bool) -> None:
    for m in (0, 1, 2, 7, 8):
        same(getattr(pydl.signal.windows, name)(m, sym=sym), getattr(torch.signal.windows, name)(m, sym=sym))
    with pytest.raises(RuntimeError, match="window length"):
        getattr(pydl.signal.windows, name)(-1)
    with pytest.raises(RuntimeError, match="floating point"):
        getattr(pydl.signal.windows, name)(3, dtype=pydl.int64)


def test_constructors_by_type_name() -> None:
    assert pydl.FloatTensor(2, 3).shape == (2, 3) and pydl.LongTensor([1, 2]).tolist() == [1, 2]
    assert pydl.DoubleTensor(pydl.Size([4])).shape == (4,) and pydl.BoolTensor().numel() == 0
    assert isinstance(pydl.ones(1), pydl.FloatTensor) and not isinstance(pydl.ones(1), pydl.LongTensor)
    assert pydl.ones(1).type(pydl.DoubleTensor).dtype is pydl.float64
    assert pydl.tensor([1]).new([2, 3]).tolist() == [2, 3] and pydl.ones(1).new(2, 2).shape == (2, 2)
    with pytest.raises(TypeError, match="FloatTensor"):
        pydl.FloatTensor(pydl.tensor([1]))
    pydl.set_default_tensor_type("torch.DoubleTensor")
    assert pydl.ones(1).dtype is pydl.float64
    pydl.set_default_tensor_type(pydl.FloatTensor)
    with pytest.raises(TypeError, match="floating"):
        pydl.set_default_tensor_type(pydl.LongTensor)


def test_storages() -> None:
    x = pydl.tensor([[1.0, 2.0], [3.0, 4.0]])
    s = x[1].storage()
    assert len(s) == 4 and s.tolist() == [1, 2, 3, 4] and s[1] == 2 and pydl.is_storage(s)
    s[0] = 7
    assert x[0, 0] == 7 and isinstance(s, pydl.FloatStorage) and x.storage_type() is pydl.FloatStorage
    assert x.untyped_storage().nbytes() == 16 and x.untyped_storage().tolist()[:4] == [0, 0, 224, 64]
    assert pydl.FloatTensor(s).tolist() == [7, 2, 3, 4]


def test_asarray() -> None:
    a = np.arange(3.0)
    shared = pydl.asarray(a)
    shared[0] = 5
    assert a[0] == 5 and pydl.asarray(a, copy=True).data_ptr() != shared.data_ptr()
    assert pydl.asarray([1, 2]).dtype is pydl.int64 and pydl.asarray(2.0).dim() == 0
    with pytest.raises(ValueError, match="alias"):
        pydl.asarray(a, dtype=pydl.float32, copy=False)
    with pytest.raises(ValueError, match="alias"):
        pydl.asarray([1], copy=False)
    leaf = pydl.ones(2, requires_grad=True)
    assert not pydl.asarray(leaf).requires_grad and pydl.asarray(leaf, requires_grad=True).requires_grad


def test_options_that_have_one_meaning() -> None:
    assert pydl.zeros(2, layout=pydl.strided, pin_memory=False).shape == (2,)
    with pytest.raises(TypeError, match="layout"):
        pydl.zeros(2, layout=3)
    with pytest.raises(TypeError, match="layout"):
        pydl.relu(pydl.ones(1), layout=pydl.strided)


def test_settings() -> None:
    pydl.use_deterministic_algorithms(True, warn_only=True)
    assert pydl.are_deterministic_algorithms_enabled() and pydl.get_deterministic_debug_mode() == 1
    pydl.use_deterministic_algorithms(False)
    with pytest.raises(RuntimeError, match="precision"):
        pydl.set_float32_matmul_precision("low")
    with pytest.raises(RuntimeError, match="device|cuda"):
        pydl.set_default_device("cuda")
    kinds = (pydl.bool, pydl.uint8, pydl.int64, pydl.float32, pydl.complex64)
    for a in kinds:
        for b in kinds:
            expected = torch.can_cast(getattr(torch, str(a)[6:]), getattr(torch, str(b)[6:]))
            assert pydl.can_cast(a, b) == expected


@pytest.mark.parametrize("rate", [0.3, 4.0, 40.0, 1e6])
def test_poisson_numbers(rate: float) -> None:
    n = 40000
    pydl.manual_seed(1)
    x = pydl.poisson(pydl.full((n,), rate, dtype=pydl.float64))
    assert bool((x == x.floor()).all()) and bool((x >= 0).all())
    assert abs(x.mean().item() - rate) < 5 * (rate / n) ** 0.5
    assert abs(x.var().item() / rate - 1) < 0.06


@pytest.mark.parametrize("count, p", [(20, 0.1), (40, 0.5), (1000, 0.7), (10**6, 0.999)])
def test_binomial_numbers(count: int, p: float) -> None:
    n = 40000
    pydl.manual_seed(2)
    x = pydl.binomial(pydl.full((n,), float(count), dtype=pydl.float64), pydl.tensor(p, dtype=pydl.float64))
    variance = count * p * (1 - p)
    assert bool(((x >= 0) & (x <= count)).all())
    assert abs(x.mean().item() - count * p) < 5 * (variance / n) ** 0.5
    assert abs(x.var().item() / variance - 1) < 0.06


@pytest.mark.parametrize("n", [0, 1])
def test_vander_of_few_columns(n: int) -> None:
    same(pydl.vander(pydl.tensor([2.0, 3.0]), n), torch.vander(torch.tensor([2.0, 3.0]), n))
