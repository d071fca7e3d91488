"""In-place and out= forms give what the plain form gives."""

from __future__ import annotations

import numpy as np
import pytest
from opinfo import OPS, OpInfo, to_pydl
from test_views import same

import pydl

INPLACE = [pytest.param(i, id=i.name) for i in OPS if i.inplace]
# The overloads of prod, median and nanmedian without a dim take no out=.
OUT = [
    pytest.param(i, id=i.name)
    for i in OPS
    if i.takes_out and not i.random and i.name not in ("prod", "median", "nanmedian")
]


@pytest.mark.parametrize("info", [p for p in INPLACE if not p.values[0].random])
def test_inplace_equals_out_of_place(info: OpInfo) -> None:
    checked = 0
    for dtype in info.dtypes:
        if dtype.startswith("complex") and info.name in ("abs", "absolute"):
            continue  # real results
        for sample in info.sample_list(dtype):
            if not isinstance(sample.args[0], np.ndarray):
                continue
            a, b = sample.map(to_pydl), sample.map(to_pydl)
            expected = info.op(*a.args, **a.kwargs)
            target = b.args[0]
            if tuple(expected.shape) != tuple(target.shape):
                with pytest.raises(RuntimeError, match="shape|can't be cast"):
                    info.inplace(target, *b.args[1:], **b.kwargs)
                continue
            if info.name in ("cumsum", "cumprod") and expected.dtype != target.dtype:
                continue  # in place they keep the dtype of integers, the plain form gives int64
            if pydl.promote_types(expected.dtype, target.dtype) != target.dtype and expected.dtype != pydl.bool:
                with pytest.raises(RuntimeError):
                    info.inplace(target, *b.args[1:], **b.kwargs)
                continue
            version, pointer = target._version, target.data_ptr()
            assert info.inplace(target, *b.args[1:], **b.kwargs) is target
            assert target._version == version + 1 and target.data_ptr() == pointer
            assert same(target.numpy(), expected.to(target.dtype).numpy()), f"{info.name}_({sample})"
            checked += 1
    assert checked


@pytest.mark.parametrize("info", INPLACE)
def test_inplace_refuses_leaves_and_overlap(info: OpInfo) -> None:
    dtype = next((d for d in info.dtypes if d.startswith("float")), None)
    if dtype is None:
        pytest.skip("integers alone")
    sample = next(s for s in info.sample_list(dtype) if isinstance(s.args[0], np.ndarray) and s.args[0].shape)
    t = sample.map(to_pydl)
    leaf = t.args[0].requires_grad_()
    with pytest.raises(RuntimeError, match="leaf"):
        info.inplace(leaf, *t.args[1:], **t.kwargs)
    shared = pydl.ones(1, dtype=leaf.dtype).expand(tuple(t.args[0].shape) if t.args[0].numel() > 1 else (3,))
    with pytest.raises(RuntimeError):
        info.inplace(shared, *t.args[1:], **t.kwargs)


@pytest.mark.parametrize("info", OUT)
def test_out(info: OpInfo) -> None:
    dtype = "float32" if "float32" in info.dtypes else info.dtypes[0]
    for sample in info.sample_list(dtype):
        t = sample.map(to_pydl)
        expected = info.op(*t.args, **t.kwargs)
        if isinstance(expected, (tuple, list)):
            continue
        for shape in (tuple(expected.shape), (0,)):  # fitting; empty ones are resized
            out = pydl.empty(shape, dtype=expected.dtype)
            assert info.op(*t.args, **t.kwargs, out=out) is out
            assert same(out.numpy(), expected.numpy()), f"{info.name}({sample}, out=)"
        if expected.dtype.is_floating_point and expected.numel():
            with pytest.raises(RuntimeError):
                info.op(*t.args, **t.kwargs, out=pydl.empty(tuple(expected.shape), dtype=pydl.int32))
        strided = pydl.zeros(tuple(2 * n for n in expected.shape), dtype=expected.dtype)[
            tuple(slice(None, None, 2) for _ in expected.shape)
        ]
        info.op(*t.args, **t.kwargs, out=strided)
        assert same(strided.numpy(), expected.numpy()), f"{info.name}({sample}, out=strided)"


@pytest.mark.parametrize("info", [p for p in OUT if p.values[0].pointwise])
def test_out_that_overlaps_an_input(info: OpInfo) -> None:
    """Writing over the input itself is fine; over a shifted part of it is refused."""
    dtype = "float32" if "float32" in info.dtypes else info.dtypes[0]
    for sample in info.sample_list(dtype):
        if not isinstance(sample.args[0], np.ndarray) or sample.args[0].shape != (19,):
            continue
        t = sample.map(to_pydl)
        expected = info.op(*t.args, **t.kwargs)
        memory = pydl.zeros(20, dtype=t.args[0].dtype)
        memory[:19].copy_(t.args[0])
        if expected.dtype != memory.dtype:
            continue
        with pytest.raises(RuntimeError, match="overlap|single memory|clone"):
            info.op(memory[:19], *t.args[1:], **t.kwargs, out=memory[1:])
        info.op(memory[:19], *t.args[1:], **t.kwargs, out=memory[:19])
        assert same(memory[:19].numpy(), expected.numpy())
