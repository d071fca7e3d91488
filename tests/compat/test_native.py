"""Functions that give back masks, bags and indices too."""

from __future__ import annotations

import numpy as np
import pytest

import pydl

BAGS = [
    ([0, 2, 1, 3, 1, 0], [0, 2, 2], False, None),
    ([0, 2, 1, 3, 1, 0], [0, 1, 4, 6], True, None),
    ([0, 2, 1, 3, 1, 0], [0, 4, 6], False, 1),
    ([2, 2, 2], [0, 1], False, -2),
]


@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize(("indices", "offsets", "last", "padding"), BAGS)
def test_embedding_bag(indices: list[int], offsets: list[int], last: bool, padding: int | None, mode: int, dtype: str):
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    table = np.random.default_rng(0).standard_normal((4, 3)).round(1)
    given = [table, np.array(indices, dtype), np.array(offsets, dtype)]
    pad = [] if padding is None else [padding]
    expected = torch.embedding_bag(*map(torch.from_numpy, given), False, mode, False, None, last, *pad)
    got = pydl.embedding_bag(*map(pydl.from_numpy, given), False, mode, False, None, last, *pad)
    for a, b in zip(got, expected):
        assert str(a.dtype) == str(b.dtype)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_embedding_bag_sums_with_weights_and_has_a_gradient() -> None:
    table = pydl.tensor([[1.0], [2.0], [4.0]], requires_grad=True)
    weights = pydl.tensor([1.0, 3.0, 0.5])
    values, bag, counts, again = pydl.embedding_bag(
        table, pydl.tensor([0, 2, 1]), pydl.tensor([0, 1]), per_sample_weights=weights
    )
    assert values.tolist() == [[1.0], [13.0]] and bag.tolist() == [0, 1, 1]
    assert counts.tolist() == again.tolist() == [0, 0]
    values.sum().backward()
    assert table.grad is not None and table.grad.tolist() == [[1.0], [0.5], [3.0]]


def test_embedding_bag_refuses() -> None:
    table, i, o = pydl.ones(4, 2), pydl.tensor([0, 1]), pydl.tensor([0])
    for args in ((table, i, o, False, 3), (table, i.float(), o), (table, i[None], o), (table, i, pydl.tensor([1]))):
        with pytest.raises(RuntimeError, match="embedding_bag|offsets"):
            pydl.embedding_bag(*args)
    with pytest.raises((RuntimeError, IndexError)):
        pydl.embedding_bag(table, pydl.tensor([9]), o)
    assert pydl.embedding_bag(table, i[:0], o[:0], mode=2)[3].shape == (0, 2)


def test_native_dropout() -> None:
    pydl.manual_seed(0)
    x = pydl.ones(10000, requires_grad=True)
    y, mask = pydl.native_dropout(x, 0.25, True)
    assert abs(mask.float().mean().item() - 0.75) < 0.02 and pydl.equal(y != 0, mask)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), mask.numpy() / np.float32(0.75), rtol=1e-6)
    for p, train in ((0.5, False), (0.0, True)):
        y, mask = pydl.native_dropout(x, p, train)
        assert pydl.equal(y, x) and mask.all()
    assert not pydl.native_dropout(x, 1.0, None)[0].any()
    for bad in ((x, 1.5, True), (pydl.ones(2, dtype=pydl.int64), 0.5, True)):
        with pytest.raises(RuntimeError, match="native_dropout"):
            pydl.native_dropout(*bad)


def test_conv_tbc() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    given = [np.random.default_rng(0).standard_normal(s) for s in ((5, 2, 3), (3, 3, 4), (4,))]
    expected = torch.conv_tbc(*map(torch.from_numpy, given), 1)
    np.testing.assert_allclose(pydl.conv_tbc(*map(pydl.from_numpy, given), 1).numpy(), expected.numpy(), rtol=1e-12)
    with pytest.raises(RuntimeError, match="conv_tbc"):
        pydl.conv_tbc(pydl.ones(3, 2), pydl.ones(3, 2, 1), pydl.ones(1))


def test_shifts_in_place() -> None:
    x = pydl.tensor([3, -8])
    same = x
    x <<= 2
    assert same.tolist() == [12, -32]
    x >>= pydl.tensor([1, 3])
    assert same.tolist() == [6, -4] and x is same
