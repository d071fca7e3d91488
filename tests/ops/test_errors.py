"""Wrong calls: the exception's type, and a message that names the op."""

from __future__ import annotations

import re

import numpy as np
import pytest
from opinfo import OPS, OpInfo, Sample, to_pydl

ALL_OPS = [pytest.param(info, id=info.name) for info in OPS]


def names(info: OpInfo) -> str:
    last = info.name.rpartition(".")[2]
    return "|".join(re.escape(n) for n in {last, *(s[0].partition("(")[0] for s in info.op.signatures)})


@pytest.mark.parametrize("info", ALL_OPS)
def test_missing_surplus_and_unknown_arguments(info: OpInfo) -> None:
    """No arguments, a wrong first one, too many, a keyword that does not exist."""
    for args, kwargs in [((), {}), ((object(),), {}), ((None,), {}), ((object(),) * 30, {}), ((), {"bogus": 1})]:
        if not args and not kwargs and "Size" in info.op.signatures[0][0]:
            continue  # zeros() has no sizes
        with pytest.raises(TypeError, match=names(info)):
            info.op(*args, **kwargs)


@pytest.mark.parametrize("info", [p for p in ALL_OPS if p.values[0].errors])
def test_error_samples(info: OpInfo) -> None:
    for args, exception, message in info.errors:
        t = Sample(*args).map(to_pydl)
        with pytest.raises(exception, match=message) as caught:
            info.op(*t.args)
        assert re.search(names(info), str(caught.value)), str(caught.value)


@pytest.mark.parametrize("info", [p for p in ALL_OPS if p.values[0].grad and p.values[0].inplace])
def test_saved_tensor_changed_in_place(info: OpInfo) -> None:
    """A tensor that backward needs and that was written to since is noticed, or was not needed."""
    if "float64" not in info.dtypes:
        pytest.skip("no float64")
    sample = next(
        (s for s in info.sample_list("float64") if isinstance(s.args[0], np.ndarray) and s.args[0].shape == (3,)), None
    )
    if sample is None:
        pytest.skip("no such sample")
    t = sample.map(to_pydl)
    leaf = t.args[0].requires_grad_()
    x = leaf * 1
    y = info.op(x, *t.args[1:], **t.kwargs)
    y.sum().backward(retain_graph=True)
    clean = leaf.grad.clone()
    leaf.grad = None
    x.detach().add_(0.25)
    try:
        y.sum().backward()
    except RuntimeError as e:
        assert "modified by an inplace operation" in str(e)
    else:
        assert np.array_equal(leaf.grad.numpy(), clean.numpy())
