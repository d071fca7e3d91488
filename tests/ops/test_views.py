"""Strided inputs, zero sizes, views that share memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opinfo import OPS, OpInfo, to_pydl
from test_values import to_numpy

import pydl


def scattered(array: np.ndarray) -> Any:
    """The same values, each dim strided and the dims stored in reverse order."""
    wide = np.zeros([2 * n for n in array.shape[::-1]], array.dtype)
    view = pydl.tensor(wide)[tuple(slice(None, None, 2) for _ in array.shape)]
    view = view.permute(tuple(range(array.ndim))[::-1]) if array.ndim else view
    if array.size:
        view.copy_(pydl.tensor(array))
    return view


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind in "fc"))


# These count in the memory behind a tensor.
ON_MEMORY = ("as_strided", "resize_", "resize_as_", "set_")


@pytest.mark.parametrize(
    "info", [pytest.param(i, id=i.name) for i in OPS if not i.random and not any(w in i.name for w in ON_MEMORY)]
)
def test_strided_inputs_give_the_same(info: OpInfo) -> None:
    for dtype in ("float32", "int64"):
        if dtype not in info.dtypes:
            continue
        for sample in info.sample_list(dtype):
            a, b = sample.map(to_pydl), sample.map(scattered)
            expected = to_numpy(info.op(*a.args, **a.kwargs))
            try:
                got = to_numpy(info.op(*b.args, **b.kwargs))
            except RuntimeError as e:
                assert "view" in str(e) or "stride" in str(e), f"{info.name}({sample})"  # view() of strided memory
                continue
            if info.pointwise or info.view:
                assert same(got, expected), f"{info.name}({sample})"
            else:  # sums may add up in another order
                for g, e in zip(
                    got if isinstance(got, list) else [got], expected if isinstance(expected, list) else [expected]
                ):
                    np.testing.assert_allclose(g, e, rtol=1e-5, atol=1e-6, err_msg=f"{info.name}({sample})")


NO_VIEW = {"real", "t", "ravel", "flatten", "squeeze", "detach"}


@pytest.mark.parametrize("info", [pytest.param(i, id=i.name) for i in OPS if i.view])
def test_views_share_memory_and_know_their_base(info: OpInfo) -> None:
    dtype = "float32" if "float32" in info.dtypes else info.dtypes[0]
    for sample in info.sample_list(dtype):
        t = sample.map(to_pydl)
        x = t.args[0]
        result = info.op(*t.args, **t.kwargs)
        for r in result if isinstance(result, (tuple, list)) else (result,):
            if r.numel() == 0:
                continue
            assert r._storage_ptr() == x._storage_ptr(), f"{info.name}({sample})"
            before = x._version
            r.detach().clone()
            assert x._version == before
            if 0 in r.stride() or info.name in ("as_strided", "Tensor.unfold"):
                continue  # elements that share memory refuse writes
            r.fill_(1)
            assert x._version == before + 1, f"{info.name}: a write to the view counts for the base"


@pytest.mark.parametrize("info", [pytest.param(i, id=i.name) for i in OPS if i.view and i.grad])
def test_writing_to_a_view_is_differentiated(info: OpInfo) -> None:
    """x -> base = x * 1; view(base) *= 3: the gradient of base says 3 where the view is."""
    if "float64" not in info.dtypes or info.name in ("unbind", "split", "chunk"):
        pytest.skip("complex alone, or views that refuse writes")
    for sample in info.sample_list("float64"):
        t = sample.map(to_pydl)
        x = t.args[0].requires_grad_()
        base = x * 1
        r = info.op(base, *t.args[1:], **t.kwargs)
        if pydl.as_strided is info.op or r.numel() > base.numel() or r.numel() == 0:
            continue
        r.mul_(3.0)
        base.sum().backward()
        marks = pydl.ones_like(x)
        info.op(marks, *t.args[1:], **t.kwargs).mul_(3.0)
        assert pydl.equal(x.grad, marks.detach()), f"{info.name}({sample})"
