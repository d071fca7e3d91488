"""Bool memory that another library filled with bytes other than 0 and 1: every byte but 0 is True."""

from __future__ import annotations

import numpy as np
import pytest

import pydl

BYTES = np.array([0, 1, 2, 255, 0, 128, 3] * 11, np.uint8)
TRUTH = BYTES != 0


def odd_bools() -> pydl.Tensor:
    return pydl.from_numpy(BYTES.copy().view(bool))


DTYPES = [
    pydl.uint8, pydl.int8, pydl.int16, pydl.int32, pydl.int64, pydl.float16, pydl.bfloat16, pydl.float32, pydl.float64,
    pydl.complex64, pydl.complex128, pydl.uint16, pydl.uint32, pydl.uint64,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_conversion(dtype: pydl.dtype) -> None:
    assert odd_bools().to(dtype).to(pydl.int64).tolist() == TRUTH.astype(int).tolist()


@pytest.mark.parametrize(
    "name",
    "bitwise_and bitwise_or bitwise_xor logical_and logical_or logical_xor eq ne lt le gt ge maximum minimum add mul".split(),
)
def test_binary(name: str) -> None:
    other = np.roll(TRUTH, 1)
    clean = getattr(pydl, name)(pydl.tensor(TRUTH), pydl.tensor(other))
    got = getattr(pydl, name)(odd_bools(), pydl.from_numpy(np.roll(BYTES, 1).view(bool)))
    assert got.dtype == clean.dtype and got.view(pydl.uint8).tolist() == clean.view(pydl.uint8).tolist()


def test_unary_selection_and_reduction() -> None:
    odd, clean = odd_bools(), pydl.tensor(TRUTH)
    assert odd.bitwise_not().view(pydl.uint8).tolist() == clean.bitwise_not().view(pydl.uint8).tolist()
    assert odd.logical_not().tolist() == clean.logical_not().tolist()
    assert pydl.where(odd, 1, 2).tolist() == pydl.where(clean, 1, 2).tolist()
    values = pydl.arange(len(TRUTH))
    assert values[odd].tolist() == values[clean].tolist()
    assert odd.sum().item() == TRUTH.sum() and odd.any().item() and not odd.all().item()
    assert odd[2].item() is True and odd.tolist() == TRUTH.tolist()
    assert (odd + 1).tolist() == (clean + 1).tolist()
    assert odd.nonzero().tolist() == clean.nonzero().tolist()
