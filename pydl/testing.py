"""Comparison of tensors in tests: PyTorch's `torch.testing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import pydl
from pydl import Tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

# Of PyTorch's documentation of assert_close: (rtol, atol) per dtype; 0 for integers.
_TOLERANCES = {
    pydl.float16: (1e-3, 1e-5), pydl.bfloat16: (1.6e-2, 1e-5), pydl.float32: (1.3e-6, 1e-5), pydl.float64: (1e-7, 1e-7),
    pydl.complex64: (1.3e-6, 1e-5), pydl.complex128: (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raises AssertionError unless \\|actual - expected\\| <= atol + rtol \\|expected\\| everywhere.

    Args:
        actual, expected: tensors, numbers, arrays, or sequences and mappings of such, of one structure.
        rtol, atol: both or none; by default those of the dtype (float32: 1.3e-6 and 1e-5).
        equal_nan: whether NaN equals NaN, default False.
        check_dtype, check_stride: whether these have to agree; devices and layouts always do.
        msg: the message instead, or a function that makes it from the one that there would be.

    >>> pydl.testing.assert_close(pydl.tensor([1.0, 2.0]), pydl.tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"rtol and atol must both be specified or both be unspecified, got {rtol=} and {atol=}")
    try:
        _compare(actual, expected, rtol, atol, equal_nan, check_dtype, check_stride, "")
    except AssertionError as error:
        if msg is None:
            raise
        raise AssertionError(msg(str(error)) if callable(msg) else msg) from None


def _compare(a: Any, b: Any, rtol: Any, atol: Any, nan: bool, dtype: bool, stride: bool, where: str) -> None:
    rest = (rtol, atol, nan, dtype, stride)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if set(a) != set(b):
            raise AssertionError(f"The keys of the mappings do not match: {sorted(set(a) ^ set(b), key=str)}{where}")
        for key in a:
            _compare(a[key], b[key], *rest, f"{where}\nThe failure occurred for item [{key!r}]")
        return
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str):
        if len(a) != len(b):
            raise AssertionError(f"The length of the sequences mismatch: {len(a)} != {len(b)}{where}")
        for i, (x, y) in enumerate(zip(a, b)):
            _compare(x, y, *rest, f"{where}\nThe failure occurred for item [{i}]")
        return
    if a is None or b is None:
        if a is not b:
            raise AssertionError(f"None mismatch: {a} is not {b}{where}")
        return
    x, y = (v.detach() if isinstance(v, Tensor) else pydl.as_tensor(v) for v in (a, b))
    if x.shape != y.shape:
        raise AssertionError(f"The values for attribute 'shape' do not match: {x.shape} != {y.shape}.{where}")
    tensors = isinstance(a, Tensor) and isinstance(b, Tensor)
    if dtype and tensors and x.dtype != y.dtype:
        raise AssertionError(f"The values for attribute 'dtype' do not match: {x.dtype} != {y.dtype}.{where}")
    if stride and x.stride() != y.stride():
        raise AssertionError(f"The values for attribute 'stride()' do not match: {x.stride()} != {y.stride()}.{where}")
    if rtol is None:
        pairs = [_TOLERANCES.get(v.dtype, (0.0, 0.0)) for v in (x, y)]
        rtol, atol = max(p[0] for p in pairs), max(p[1] for p in pairs)
    _compare_values(x, y, rtol, atol, nan, where)


def _compare_values(x: Tensor, y: Tensor, rtol: float, atol: float, nan: bool, where: str) -> None:
    kind = pydl.promote_types(x.dtype, y.dtype)
    wide = pydl.complex128 if kind.is_complex else pydl.float64 if kind.is_floating_point else pydl.int64
    u, v = (t.to(wide).numpy() for t in (x, y))
    with np.errstate(all="ignore"):
        difference = np.abs(u - v)
        close = (u == v) | (difference <= atol + rtol * np.abs(v)) & np.isfinite(np.abs(v))
        if nan:
            close = close | (np.isnan(u) & np.isnan(v))
        if close.all():
            return
        ratio = difference / np.abs(v)
    if x.dim() == 0:
        raise AssertionError(
            f"Scalars are not close!\n\nExpected {y.item()} but got {x.item()}.\n"
            f"Absolute difference: {difference.item()} (up to {atol} allowed)\n"
            f"Relative difference: {ratio.item()} (up to {rtol} allowed){where}"
        )
    wrong = np.where(close, -np.inf, np.where(np.isnan(difference), np.inf, difference))
    relative = np.where(close, -np.inf, np.where(np.isnan(ratio), np.inf, ratio))
    rows = []
    for name, table, values, allowed in (("absolute", wrong, difference, atol), ("relative", relative, ratio, rtol)):
        at = tuple(int(i) for i in np.unravel_index(table.argmax(), table.shape))
        rows.append(f"Greatest {name} difference: {values[at].item()} at index {at} (up to {allowed} allowed)")
    count = int((~close).sum())
    raise AssertionError(
        f"Tensor-likes are not close!\n\nMismatched elements: {count} / {close.size} "
        f"({100 * count / close.size:.1f}%)\n" + "\n".join(rows) + where
    )


def assert_allclose(
    actual: Any, expected: Any, rtol: Any = None, atol: Any = None, equal_nan: bool = True, msg: str = ""
) -> None:
    """The older form of :func:`assert_close`: dtypes need not agree, NaN equals NaN.

    >>> pydl.testing.assert_allclose(pydl.ones(2), [1.0, 1.0])
    """
    expected = expected if isinstance(expected, Tensor) else pydl.as_tensor(expected)
    actual = actual if isinstance(actual, Tensor) else pydl.as_tensor(actual)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of random numbers in [low, high), by default [-9, 9), or [0, 10) of unsigned ones.

    >>> pydl.testing.make_tensor((2, 3), dtype=pydl.float32, low=0, high=1).shape
    torch.Size([2, 3])
    """
    sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    base = 0.0 if dtype in (pydl.uint8, pydl.bool) else -9.0
    low = base if low is None else low
    high = (2.0 if dtype == pydl.bool else 10.0 if base == 0 else 9.0) if high is None else high
    if low >= high:
        raise ValueError(f"make_tensor(): low must be below high, got {low} and {high}")
    wanted = (*sizes[:-1], 2 * sizes[-1]) if noncontiguous and sizes else sizes
    if dtype.is_floating_point or dtype.is_complex:
        out = pydl.rand(wanted, dtype=dtype if dtype.is_complex else pydl.float32) * (high - low) + low
    else:
        out = pydl.randint(int(low), max(int(high), int(low) + 1), wanted)
    out = out.to(dtype)
    if noncontiguous and sizes:
        out = out[..., ::2]
    if exclude_zero:
        out = pydl.where(out == 0, pydl.ones((), dtype=dtype), out)
    if memory_format is not None:
        out = out.contiguous(memory_format=memory_format)
    return out.requires_grad_(requires_grad) if requires_grad else out
