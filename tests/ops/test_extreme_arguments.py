"""The largest and smallest integers as arguments: a result or an exception, no wrapped arithmetic (run under UBSan in CI)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import pydl

TOP, BOTTOM = 2**63 - 1, -(2**63)


def test_round_far_below_the_point() -> None:
    assert pydl.round(pydl.ones(3), decimals=BOTTOM).shape == (3,)


@pytest.mark.parametrize("shift", [TOP, BOTTOM])
def test_roll_is_modular(shift: int) -> None:
    assert pydl.roll(pydl.arange(3), shift).tolist() == pydl.roll(pydl.arange(3), shift % 3).tolist()


def test_pow_gradient_of_the_smallest_exponent() -> None:
    x = pydl.ones(2, requires_grad=True)
    pydl.autograd.backward([pydl.pow(x, BOTTOM).sum()])
    assert x.grad is not None and x.grad.tolist() == [float(BOTTOM)] * 2


def test_unfold_with_one_window() -> None:
    x = pydl.arange(8.0).reshape(4, 2).requires_grad_()
    windows = x.unfold(0, 1, 2**62)
    assert windows.tolist() == [[[0.0], [1.0]]]
    pydl.autograd.backward([windows.sum()])
    assert x.grad is not None and x.grad.tolist() == [[1.0, 1.0]] + [[0.0, 0.0]] * 3


def test_diagonal_of_an_empty_tensor_with_huge_strides() -> None:
    assert pydl.empty(0, 1, 2**62, dtype=pydl.uint8).diagonal(0, 0, 1).shape == (2**62, 0)


def test_multinomial_of_nothing() -> None:
    assert pydl.multinomial(pydl.ones(0, 0), 1, True).shape == (0, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: pydl.bincount(pydl.tensor([TOP])),
        lambda: pydl.diag_embed(pydl.ones(3), BOTTOM),
        lambda: pydl.as_strided(pydl.ones(3), (1, 1), (2**62, 2**62)),
        lambda: pydl.scatter(pydl.ones(3), 0, pydl.tensor([0, 1, 2]), pydl.tensor(1.0)),
        lambda: pydl.frombuffer(bytearray(9), dtype=pydl.uint8, offset=1).view(pydl.float32),
    ],
)
def test_refused(call: Callable[[], pydl.Tensor]) -> None:
    with pytest.raises(RuntimeError, match=r"^(bincount|diag_embed|as_strided|scatter|view)\(\)"):
        call()


def test_zeta_of_huge_numbers_ends():
    """Terms that all vanish, or overflow: the sum has to notice that it stands still."""
    s = pydl.tensor([1e18, 1e30, 1e300, 2.5e9], dtype=pydl.float64)
    q = pydl.tensor([7.0, 0.5, -2.5, 1e300], dtype=pydl.float64)
    assert pydl.special.zeta(s, q).tolist() == [0.0, float("inf"), float("inf"), 0.0]
    assert pydl.special.zeta(pydl.tensor([10**18]), pydl.tensor([7])).tolist() == [0.0]


def test_unravel_index_at_the_end_of_the_range():
    size = 2**63 - 1
    (got,) = pydl.unravel_index(pydl.tensor([2, size - 1, -1]), (size,))
    assert got.tolist() == [2, size - 1, size - 1]


def test_as_many_dims_as_a_tensor_may_have() -> None:
    """Fifteen dims of size 2 in reverse order, which cannot be merged, and dims of size 1 up to 64."""
    shape = (2,) * 15 + (1,) * 49
    x = pydl.arange(2**15).reshape(shape)
    back = x.permute(tuple(range(14, -1, -1)) + tuple(range(15, 64)))
    index = pydl.ones(shape, dtype=pydl.int64)
    flat = back.contiguous().reshape(2, -1)
    assert pydl.equal(back.gather(0, index).reshape(2, -1), flat[[1, 1]])
    added = pydl.zeros_like(x).scatter_add(0, index, back).reshape(2, -1)
    assert pydl.equal(added[1], flat.sum(0)) and not added[0].any()
    assert pydl.equal(back.sort(0).values.reshape(2, -1), flat.sort(0).values)
    assert pydl.equal(x.repeat(*[1] * 63, 3).reshape(-1, 3), x.reshape(-1, 1).expand(-1, 3))


def test_reduction_over_more_dims_than_can_be_merged() -> None:
    x = pydl.arange(2**19).reshape((2,) * 19)
    back = x.permute(tuple(range(18, -1, -1)))
    assert pydl.equal(back.sum(0), back.contiguous().sum(0))
    assert pydl.equal(back.amax(18), back.contiguous().amax(18))
    assert pydl.equal(back.argmax(), back.contiguous().argmax())
