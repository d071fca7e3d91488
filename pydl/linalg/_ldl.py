"""The Bunch-Kaufman factorisation of symmetric and Hermitian matrices, which NumPy does not offer."""

from __future__ import annotations

from typing import Any

import numpy as np

# Bunch and Kaufman's threshold: it bounds the growth of elements alike for blocks of one and of two.
_ALPHA = (1 + 17**0.5) / 8


def _size(x: Any) -> Any:
    """|re| + |im|, by which LAPACK compares."""
    return np.abs(x.real) + np.abs(x.imag)


def _choose(a: Any, k: int, hermitian: bool) -> tuple[int, int, bool]:
    """Block size, row to exchange and whether the column is zero, at step k of the lower form."""
    n = a.shape[0]
    diagonal = abs(a[k, k].real) if hermitian else _size(a[k, k])
    if k + 1 >= n:
        return 1, k, bool(diagonal == 0)
    largest = k + 1 + int(np.argmax(_size(a[k + 1 :, k])))
    column = _size(a[largest, k])
    if max(diagonal, column) == 0:
        return 1, k, True
    if diagonal >= _ALPHA * column:
        return 1, k, False
    row = _size(a[largest, k:largest]).max()
    if largest + 1 < n:
        row = max(row, _size(a[largest + 1 :, largest]).max())
    if diagonal >= _ALPHA * column * (column / row):
        return 1, k, False
    other = abs(a[largest, largest].real) if hermitian else _size(a[largest, largest])
    return (1, largest, False) if other >= _ALPHA * row else (2, largest, False)


def _exchange(a: Any, k: int, p: int, hermitian: bool, size: int) -> None:
    """Rows and columns k (the last of the block) and p > k of the lower triangle."""
    below = a[p + 1 :, k].copy()
    a[p + 1 :, k] = a[p + 1 :, p]
    a[p + 1 :, p] = below
    between = a[k + 1 : p, k].copy()
    turn = np.conj if hermitian else (lambda x: x)
    a[k + 1 : p, k] = turn(a[p, k + 1 : p])
    a[p, k + 1 : p] = turn(between)
    if hermitian:
        a[p, k] = np.conj(a[p, k])
    a[k, k], a[p, p] = a[p, p], a[k, k]
    if size == 2:
        a[k, k - 1], a[p, k - 1] = a[p, k - 1], a[k, k - 1]


def _factor(a: Any, pivots: Any, hermitian: bool) -> int:
    n, k, info = a.shape[0], 0, 0
    turn = np.conj if hermitian else (lambda x: x)
    while k < n:
        size, p, zero = _choose(a, k, hermitian)
        if zero:
            info = info or k + 1
        last = k + size - 1
        if p != last:
            _exchange(a, last, p, hermitian, size)
        if hermitian:
            a[k, k] = a[k, k].real
            a[last, last] = a[last, last].real
        rest = slice(last + 1, n)
        if not zero and last + 1 < n:
            block = a[k : last + 1, k : last + 1].copy()
            if size == 2:
                block[0, 1] = turn(block[1, 0])
            columns = a[rest, k : last + 1].copy()
            multipliers = np.linalg.solve(block.T, columns.T).T if size == 2 else columns / block[0, 0]
            update = multipliers @ turn(columns).T
            a[rest, rest] -= np.tril(update)
            a[rest, k : last + 1] = multipliers
        pivots[k : last + 1] = p + 1 if size == 1 else -(p + 1)
        k += size
    return info


def factor_batch(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """LD, pivots and infos of (*, n, n); the strict upper triangle of LD is zero."""
    factors = np.tril(a)
    pivots = np.zeros(a.shape[:-1], np.int32)
    infos = np.zeros(a.shape[:-2], np.int32)
    for at in np.ndindex(*a.shape[:-2]):
        infos[at] = _factor(factors[at], pivots[at], hermitian)
    return factors, pivots, infos


def _solve(factor: Any, pivots: Any, b: Any, hermitian: bool) -> None:
    n, k = factor.shape[0], 0
    turn = np.conj if hermitian else (lambda x: x)
    blocks = []
    while k < n:
        size = 1 if pivots[k] > 0 else 2
        if size == 2 and k + 2 > n:
            raise RuntimeError("linalg.ldl_solve(): pivots end within a block of two")
        p, last = abs(int(pivots[k])) - 1, k + size - 1
        if not last <= p < n:
            raise RuntimeError(f"linalg.ldl_solve(): pivot {pivots[k]} at {k} is out of range for {n} rows")
        blocks.append((k, size, p, last))
        b[[last, p]] = b[[p, last]]
        b[last + 1 :] -= factor[last + 1 :, k : last + 1] @ b[k : last + 1]
        block = factor[k : last + 1, k : last + 1].copy()
        if size == 2:
            block[0, 1] = turn(block[1, 0])
            b[k : last + 1] = np.linalg.solve(block, b[k : last + 1])
        else:
            b[k] /= block[0, 0]
        k += size
    for k, _, p, last in reversed(blocks):
        b[k : last + 1] -= turn(factor[last + 1 :, k : last + 1]).T @ b[last + 1 :]
        b[[last, p]] = b[[p, last]]


def solve_batch(factors: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
    """X (*, n, k) for right-hand sides b (*, n, k)."""
    x = np.array(b)
    with np.errstate(all="ignore"):
        for at in np.ndindex(*b.shape[:-2]):
            _solve(factors[at], pivots[at], x[at], hermitian)
    return x
