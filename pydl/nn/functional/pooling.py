"""Pooling, its inverse, and sliding blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pydl
from pydl import Tensor, _nn

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "unfold",
]

_core: Any = _nn
Size: TypeAlias = "int | Sequence[int]"
Sizes: TypeAlias = "int | Sequence[int | None] | None"

avg_pool1d = _core.avg_pool1d
avg_pool2d = _core.avg_pool2d
avg_pool3d = _core.avg_pool3d
max_pool1d_with_indices = _core.max_pool1d_with_indices
max_pool2d_with_indices = _core.max_pool2d_with_indices
max_pool3d_with_indices = _core.max_pool3d_with_indices
unfold = _core.unfold
fold = _core.fold


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of `(N, C, L)` or `(C, L)`; with ``return_indices`` also where it stands.

    Raises:
        RuntimeError: windows that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.max_pool1d(pydl.tensor([[1.0, 3.0, 2.0, 5.0]]), 2, return_indices=True)
        (tensor([[3., 5.]]), tensor([[1, 3]]))
    """
    if return_indices:
        return _core.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return pydl.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of `(N, C, H, W)` or `(C, H, W)`; ``return_indices`` adds where it stands.

    Raises:
        RuntimeError: windows that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.max_pool2d(pydl.arange(16.0).reshape(1, 4, 4), 2)
        tensor([[[ 5.,  7.],
                 [13., 15.]]])
    """
    if return_indices:
        return _core.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return pydl.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of `(N, C, D, H, W)` or `(C, D, H, W)`; with ``return_indices`` adds places.

    Raises:
        RuntimeError: windows that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.max_pool3d(pydl.zeros(1, 2, 4, 4, 4), 2).shape
        torch.Size([1, 2, 2, 2, 2])
    """
    if return_indices:
        return _core.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return pydl.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


def _filled(output_size: Any, input: Tensor, dims: int) -> Any:
    """``output_size`` with the input's own size where it says None."""
    if output_size is None or isinstance(output_size, int):
        output_size = (output_size,) * dims
    if len(output_size) > input.dim():
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}, but got {input.dim()}")
    own = input.shape[input.dim() - len(output_size) :]
    return tuple(n if o is None else o for o, n in zip(output_size, own))


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means of ``output_size`` windows that divide `(N, C, L)` evenly.

    Example:
        >>> import pydl
        >>> x = pydl.arange(4.0).reshape(1, 1, 4)
        >>> pydl.nn.functional.adaptive_avg_pool1d(x, 1)
        tensor([[[1.5000]]])
    """
    return _core.adaptive_avg_pool1d(input, _filled(output_size, input, 1))


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means of windows that divide `(N, C, H, W)` evenly into ``output_size``; None keeps a side.

    Example:
        >>> import pydl
        >>> x = pydl.arange(16.0).reshape(1, 1, 4, 4)
        >>> pydl.nn.functional.adaptive_avg_pool2d(x, 1)
        tensor([[[[7.5000]]]])
    """
    return _core.adaptive_avg_pool2d(input, _filled(output_size, input, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means of windows that divide `(N, C, D, H, W)` evenly into ``output_size``; None keeps a side.

    Example:
        >>> import pydl
        >>> x = pydl.arange(64.0).reshape(1, 1, 4, 4, 4)
        >>> pydl.nn.functional.adaptive_avg_pool3d(x, 1)
        tensor([[[[[31.5000]]]]])
    """
    return _core.adaptive_avg_pool3d(input, _filled(output_size, input, 3))


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Maxima and their places of windows that divide `(N, C, L)` evenly.

    Example:
        >>> import pydl
        >>> x = pydl.arange(4.0).reshape(1, 1, 4)
        >>> pydl.nn.functional.adaptive_max_pool1d_with_indices(x, 1)[1]
        tensor([[[3]]])
    """
    return pydl.adaptive_max_pool1d(input, _filled(output_size, input, 1))


def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Maxima and their places of windows that divide `(N, C, H, W)` evenly; None keeps a side.

    Example:
        >>> import pydl
        >>> x = pydl.arange(16.0).reshape(1, 1, 4, 4)
        >>> pydl.nn.functional.adaptive_max_pool2d_with_indices(x, 1)[1]
        tensor([[[[15]]]])
    """
    return _core.adaptive_max_pool2d_with_indices(input, _filled(output_size, input, 2))


def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Maxima and their places of windows that divide `(N, C, D, H, W)` evenly; None keeps a side.

    Example:
        >>> import pydl
        >>> x = pydl.arange(64.0).reshape(1, 1, 4, 4, 4)
        >>> pydl.nn.functional.adaptive_max_pool3d_with_indices(x, 1)[1]
        tensor([[[[[63]]]]])
    """
    return _core.adaptive_max_pool3d_with_indices(input, _filled(output_size, input, 3))


def adaptive_max_pool1d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Maxima of ``output_size`` windows that divide `(N, C, L)` evenly; with ``return_indices`` also their places.

    Example:
        >>> import pydl
        >>> x = pydl.arange(4.0).reshape(1, 1, 4)
        >>> pydl.nn.functional.adaptive_max_pool1d(x, 1)
        tensor([[[3.]]])
    """
    values, places = adaptive_max_pool1d_with_indices(input, output_size)
    return (values, places) if return_indices else values


def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Maxima of windows that divide `(N, C, H, W)` evenly; with ``return_indices`` also their places.

    Example:
        >>> import pydl
        >>> x = pydl.arange(16.0).reshape(1, 1, 4, 4)
        >>> pydl.nn.functional.adaptive_max_pool2d(x, 1)
        tensor([[[[15.]]]])
    """
    values, places = adaptive_max_pool2d_with_indices(input, output_size)
    return (values, places) if return_indices else values


def adaptive_max_pool3d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Maxima of windows that divide `(N, C, D, H, W)` evenly; with ``return_indices`` also their places.

    Example:
        >>> import pydl
        >>> x = pydl.arange(64.0).reshape(1, 1, 4, 4, 4)
        >>> pydl.nn.functional.adaptive_max_pool3d(x, 1)
        tensor([[[[[63.]]]]])
    """
    values, places = adaptive_max_pool3d_with_indices(input, output_size)
    return (values, places) if return_indices else values


def _repeated(value: Size, dims: int) -> tuple[int, ...]:
    return (value,) * dims if isinstance(value, int) else tuple(value)


def _fractional(
    dims: int, input: Tensor, kernel_size: Size, output_size: Any, output_ratio: Any, random_samples: Tensor | None
) -> Any:
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        ratios = (output_ratio,) * dims if isinstance(output_ratio, float) else tuple(output_ratio)
        if not all(0 < r < 1 for r in ratios):
            raise ValueError(f"{name}: output_ratio must be between 0 and 1, got {output_ratio}")
        output_size = tuple(int(n * r) for n, r in zip(input.shape[-dims:], ratios))
    if random_samples is None:
        batch = 1 if input.dim() == dims + 1 else input.shape[0]
        random_samples = pydl.rand(batch, input.shape[-dims - 1], dims, dtype=input.dtype)
    return _core.fractional_max_pool(input, _repeated(kernel_size, dims), _repeated(output_size, dims), random_samples)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima and their places of pseudo-random overlapping windows; see :func:`fractional_max_pool2d`.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.fractional_max_pool2d_with_indices(pydl.ones(1, 1, 4, 4), 2, output_size=3)[1].shape
        torch.Size([1, 1, 3, 3])
    """
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima and their places of pseudo-random overlapping windows; see :func:`fractional_max_pool3d`.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.fractional_max_pool3d_with_indices(pydl.ones(1, 1, 4, 4, 4), 2, output_size=3)[1].shape
        torch.Size([1, 1, 3, 3, 3])
    """
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima of windows of ``kernel_size`` that begin at pseudo-random distances (Graham, 2014).

    Args:
        input: `(N, C, H, W)` or `(C, H, W)`.
        kernel_size: size of the windows.
        output_size: sides of the result, or
        output_ratio: their fraction of the input's sides, in (0, 1).
        return_indices: whether the places of the maxima are returned too.

    Raises:
        ValueError: neither size nor ratio, or a ratio outside (0, 1). RuntimeError: windows that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.fractional_max_pool2d(pydl.ones(1, 1, 4, 4), 2, output_size=3).shape
        torch.Size([1, 1, 3, 3])
    """
    values, places = _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return (values, places) if return_indices else values


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima of windows of `(N, C, D, H, W)` or `(C, D, H, W)` that begin at pseudo-random distances.

    The arguments are those of :func:`fractional_max_pool2d`.

    Raises:
        ValueError: neither size nor ratio, or a ratio outside (0, 1). RuntimeError: windows that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.fractional_max_pool3d(pydl.ones(1, 1, 4, 4, 4), 2, output_size=3).shape
        torch.Size([1, 1, 3, 3, 3])
    """
    values, places = _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return (values, places) if return_indices else values


def _lp(dims: int, input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None, ceil_mode: bool) -> Tensor:
    if norm_type == 0:
        raise ValueError(f"lp_pool{dims}d(): norm_type must not be zero")
    kernel = _repeated(kernel_size, dims)
    count = 1
    for k in kernel:
        count *= k
    mean = (avg_pool1d, avg_pool2d, avg_pool3d)[dims - 1]
    powers = mean(input.pow(norm_type), kernel, None if stride is None else _repeated(stride, dims), 0, ceil_mode)
    return (pydl.sign(powers) * pydl.relu(pydl.abs(powers))).mul(count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The ``norm_type``-norm (without absolute values) of each window of `(N, C, L)` or `(C, L)`.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, 1, 4)
        >>> pydl.nn.functional.lp_pool1d(x, 1.0, 2).flatten()
        tensor([2., 2.])
    """
    return _lp(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The ``norm_type``-norm (without absolute values) of each window of `(N, C, H, W)` or `(C, H, W)`.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, 1, 4, 4)
        >>> pydl.nn.functional.lp_pool2d(x, 1.0, 2).flatten()
        tensor([4., 4., 4., 4.])
    """
    return _lp(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """The ``norm_type``-norm (without absolute values) of each window of `(N, C, D, H, W)` or `(C, D, H, W)`.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, 1, 4, 4, 4)
        >>> pydl.nn.functional.lp_pool3d(x, 1.0, 2).flatten()
        tensor([8., 8., 8., 8., 8., 8., 8., 8.])
    """
    return _lp(3, input, norm_type, kernel_size, stride, ceil_mode)


def _unpooled_size(
    dims: int, input: Tensor, kernel: tuple[int, ...], stride: Any, padding: Any, output_size: Any
) -> tuple[int, ...]:
    natural = [(n - 1) * s + k - 2 * p for n, s, k, p in zip(input.shape[-dims:], stride, kernel, padding)]
    if output_size is None:
        return tuple(natural)
    wanted = tuple(output_size)
    if len(wanted) == dims + 2:
        wanted = wanted[2:]
    if len(wanted) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, "
            f"but it has a length of {len(wanted)}"
        )
    for d, (w, n, s) in enumerate(zip(wanted, natural, stride)):
        if not n - s < w < n + s:
            raise ValueError(f"invalid output_size {wanted} (dim {d} must be between {n - s} and {n + s})")
    return wanted


def _unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Size, stride: Any, padding: Size, output_size: Any
) -> Tensor:
    name = f"max_unpool{dims}d"
    kernel = _repeated(kernel_size, dims)
    step = kernel if stride is None else _repeated(stride, dims)
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Input should be {dims + 1}D or {dims + 2}D, got {tuple(input.shape)}")
    if indices.dtype != pydl.int64:
        raise RuntimeError(f"{name}(): elements in indices should be type int64 but got: {indices.dtype}")
    if indices.shape != input.shape:
        raise RuntimeError(
            f"{name}(): Expected shape of indices to be {list(input.shape)} but got: {list(indices.shape)}"
        )
    sides = _unpooled_size(dims, input, kernel, step, _repeated(padding, dims), output_size)
    if any(n <= 0 for n in sides):
        raise RuntimeError(f"{name}(): output sizes must be positive, got {sides}")
    plane = 1
    for n in sides:
        plane *= n
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < plane:
        raise RuntimeError(f"{name}(): found an invalid max index (output volumes are of size {sides})")
    lead = tuple(input.shape[: input.dim() - dims])
    values = input.reshape(*lead, -1) if input.numel() else input.reshape(*lead, 0)
    empty = pydl.zeros(*lead, plane, dtype=input.dtype)
    return empty.scatter(-1, indices.reshape(values.shape), values).reshape(*lead, *sides)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the values of ``input`` at the places that ``max_pool1d`` returned: its partial inverse.

    Raises:
        RuntimeError: shapes that differ, a place outside. ValueError: an ``output_size`` that no pooling reaches.

    Example:
        >>> import pydl
        >>> F = pydl.nn.functional
        >>> F.max_unpool1d(*F.max_pool1d(pydl.tensor([[1.0, 3.0, 2.0, 5.0]]), 2, return_indices=True), 2)
        tensor([[0., 3., 0., 5.]])
    """
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the values of ``input`` at the places that ``max_pool2d`` returned: its partial inverse.

    Raises:
        RuntimeError: shapes that differ, a place outside. ValueError: an ``output_size`` that no pooling reaches.

    Example:
        >>> import pydl
        >>> x = pydl.arange(16.0).reshape(1, 1, 4, 4)
        >>> y, places = pydl.nn.functional.max_pool2d(x, 2, return_indices=True)
        >>> pydl.nn.functional.max_unpool2d(y, places, 2).shape
        torch.Size([1, 1, 4, 4])
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the values of ``input`` at the places that ``max_pool3d`` returned: its partial inverse.

    Raises:
        RuntimeError: shapes that differ, a place outside. ValueError: an ``output_size`` that no pooling reaches.

    Example:
        >>> import pydl
        >>> x = pydl.arange(64.0).reshape(1, 1, 4, 4, 4)
        >>> y, places = pydl.nn.functional.max_pool3d(x, 2, return_indices=True)
        >>> pydl.nn.functional.max_unpool3d(y, places, 2).shape
        torch.Size([1, 1, 4, 4, 4])
    """
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
