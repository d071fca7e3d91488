"""Images and volumes: interpolation, sampling, rearrangement of channels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor, _nn

__all__ = [
    "affine_grid", "channel_shuffle", "grid_sample", "interpolate", "native_channel_shuffle", "pixel_shuffle",
    "pixel_unshuffle", "upsample", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip

_ALIGNING = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_ANY = ("nearest", "nearest-exact", "area")


def _output_size(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """The size asked for, and the scales that are to be used in place of the quotient of the sizes."""
    dims = input.dim() - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "only one of size or scale_factor should be defined"
            if size is not None
            else "either size or scale_factor should be defined"
        )
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        sizes = list(size) if isinstance(size, (list, tuple)) else [size] * dims
        if len(sizes) != dims:
            raise ValueError(
                f"Input and output must have the same number of spatial dimensions, but got input with spatial "
                f"dimensions of {list(input.shape[2:])} and output size of {size}."
            )
        return [int(s) for s in sizes], [None] * dims
    factors = list(scale_factor) if isinstance(scale_factor, (list, tuple)) else [scale_factor] * dims
    if len(factors) != dims:
        raise ValueError(
            f"Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
            f"dimensions of {list(input.shape[2:])} and scale_factor of shape {scale_factor}."
        )
    sizes = []
    for length, factor in zip(input.shape[2:], factors):
        if not math.isfinite(factor) or abs(length * factor) >= 2**62:
            raise RuntimeError(f"interpolate(): scale_factor {factor} gives no size that fits in memory")
        sizes.append(math.floor(length * factor))
    return sizes, [None] * dims if recompute else [float(f) for f in factors]


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """``input`` `(N, C, d...)` with one to three last dims made longer or shorter.

    Args:
        size: the new sizes, one for all dims or one for each. scale_factor: in its place, how much longer each is.
        mode: ``'nearest'`` (as old as it is; off by half a place), ``'nearest-exact'``, ``'linear'``, ``'bilinear'``,
            ``'bicubic'`` (Keys, 1981), ``'trilinear'``, or ``'area'``, the mean of what a place covers.
        align_corners: whether the centres of the outermost places, not their edges, fall together. Default: ``False``.
        recompute_scale_factor: compute positions from the sizes rather than from ``scale_factor``. Default: ``False``.
        antialias: widen the filter by how much shorter a dim becomes (bilinear and bicubic). Default: ``False``.

    Raises:
        ValueError: arguments that exclude each other. NotImplementedError: a mode for another number of dims.
        RuntimeError: sizes below one.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.interpolate(pydl.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
        tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if align_corners is not None and mode in _ANY:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    sizes, scales = _output_size(input, size, scale_factor, recompute_scale_factor)
    if mode not in _ANY and mode not in _ALIGNING:
        raise NotImplementedError(f"interpolate(): unknown mode {mode!r}")
    if not 3 <= input.dim() <= 5 or (mode in _ALIGNING and input.dim() != _ALIGNING[mode]):
        raise NotImplementedError(f"interpolate(): mode {mode!r} does not take a {input.dim()}-D input")
    if antialias and not (mode in ("bilinear", "bicubic") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input"
        )
    if mode == "area":
        scales = [None] * len(sizes)
    last = next((f for f in (pydl.channels_last, pydl.channels_last_3d) if _lies(input, f)), None)
    result = _nn.resample(input, sizes, mode, bool(align_corners), antialias, *scales)
    return result if last is None else result.contiguous(memory_format=last)


def _lies(input: Tensor, layout: Any) -> bool:
    wanted = 4 if layout is pydl.channels_last else 5
    return input.dim() == wanted and not input.is_contiguous() and input.is_contiguous(memory_format=layout)


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """:func:`interpolate` under its old name.

    Example:
        >>> import pydl
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     y = pydl.nn.functional.upsample(pydl.ones(1, 1, 1, 1), scale_factor=2)
        >>> y.flatten()
        tensor([1., 1., 1., 1.])
    """
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """:func:`interpolate` in mode ``'nearest'``.

    Example:
        >>> import pydl
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     y = pydl.nn.functional.upsample_nearest(pydl.ones(1, 1, 1, 1), scale_factor=2)
        >>> y.flatten()
        tensor([1., 1., 1., 1.])
    """
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """:func:`interpolate` in mode ``'bilinear'`` with aligned corners.

    Example:
        >>> import pydl
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     y = pydl.nn.functional.upsample_bilinear(pydl.ones(1, 1, 1, 1), scale_factor=2)
        >>> y.flatten()
        tensor([1., 1., 1., 1.])
    """
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, "bilinear", True)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The values of ``input`` at the positions ``grid`` (Jaderberg et al., "Spatial transformer networks", 2015).

    Shapes: input `(N, C, H, W)` or `(N, C, D, H, W)`, grid `(N, H', W', 2)` or `(N, D', H', W', 3)` with x, y (and z)
    in [-1, 1] from edge to edge; result `(N, C, H', W')` or `(N, C, D', H', W')`.

    Args:
        mode: ``'bilinear'`` (trilinear in three dims), ``'nearest'`` or ``'bicubic'`` (two dims).
        padding_mode: what lies outside: ``'zeros'``, ``'border'`` or ``'reflection'``.
        align_corners: -1 and 1 are the centres of the outermost places instead of their edges. Default: ``False``.

    Raises:
        ValueError: an unknown mode. RuntimeError: sizes that do not fit. NotImplementedError: bicubic in three dims.

    Example:
        >>> import pydl
        >>> image = pydl.tensor([[[[1.0, 3.0]]]])
        >>> pydl.nn.functional.grid_sample(image, pydl.zeros(1, 1, 1, 2), align_corners=False)
        tensor([[[[2.]]]])
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            f"but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
            "Please specify align_corners=True if the old behavior is desired.",
            stacklevel=2,
        )
    modes = {"bilinear": 0, "nearest": 1, "bicubic": 2}
    paddings = {"zeros": 0, "border": 1, "reflection": 2}
    return pydl.grid_sampler(input, grid, modes[mode], paddings[padding_mode], bool(align_corners))


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Positions for :func:`grid_sample` of an affine map of the plane or of space.

    Shapes: theta `(N, 2, 3)` with size (N, C, H, W) gives `(N, H, W, 2)`; `(N, 3, 4)` with (N, C, D, H, W) gives
    `(N, D, H, W, 3)`.

    Raises:
        RuntimeError: an integer theta, or sizes that do not fit. NotImplementedError: another number of dims.
        ValueError: sizes below one.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.affine_grid(pydl.eye(2, 3).unsqueeze(0), (1, 1, 1, 2), align_corners=False)
        tensor([[[[-0.5000,  0.0000],
                  [ 0.5000,  0.0000]]]])
    """
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    sizes = [int(s) for s in size]
    if len(sizes) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {tuple(sizes)}."
        )
    d = len(sizes) - 2
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (d, d + 1):
        raise ValueError(
            f"Expected a batch of {d}D affine matrices of shape Nx{d}x{d + 1} for size {tuple(sizes)}. "
            f"Got {tuple(theta.shape)}."
        )
    if min(sizes) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(sizes)}")
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
            "Please specify align_corners=True if the old behavior is desired.",
            stacklevel=2,
        )
    axes = []
    for length in reversed(sizes[2:]):  # x first
        if length > 1:
            edge = 1.0 if align_corners else (length - 1) / length
            axes.append(pydl.linspace(-edge, edge, length, dtype=theta.dtype))
        else:
            axes.append(pydl.zeros(1, dtype=theta.dtype))
    # The sum over the coordinates by broadcasting: they lie on a lattice, so no (positions x d) matrix is needed.
    shape = [sizes[0], *[1] * d, d]
    grid = theta[:, :, d].reshape(shape)
    for i, axis in enumerate(axes):
        along = [1] * (d + 2)
        along[d - i] = -1
        grid = grid + axis.reshape(along) * theta[:, :, i].reshape(shape)
    return grid.expand(sizes[0], *sizes[2:], d)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """`(*, C * r * r, H, W)` as `(*, C, H * r, W * r)` (Shi et al., "Real-time super-resolution", 2016).

    Raises:
        RuntimeError: fewer than three dims, or channels that ``r * r`` does not divide.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.pixel_shuffle(pydl.arange(4).reshape(4, 1, 1), 2)
        tensor([[[0, 1],
                 [2, 3]]])
    """
    r = _factor("pixel_shuffle", input, upscale_factor)
    *batch, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    parts = input.reshape(*batch, channels // (r * r), r, r, height, width)
    n = len(batch)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return parts.permute(order).reshape(*batch, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """`(*, C, H * r, W * r)` as `(*, C * r * r, H, W)`: the reverse of :func:`pixel_shuffle`.

    Raises:
        RuntimeError: fewer than three dims, or a height or width that ``r`` does not divide.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.pixel_unshuffle(pydl.arange(4.0).reshape(1, 1, 2, 2), 2).flatten()
        tensor([0., 1., 2., 3.])
    """
    r = _factor("pixel_unshuffle", input, downscale_factor)
    *batch, channels, height, width = input.shape
    for name, dim, length in (("height", -2, height), ("width", -1, width)):
        if length % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, "
                f"but input.size({dim})={length} is not divisible by {r}"
            )
    parts = input.reshape(*batch, channels, height // r, r, width // r, r)
    n = len(batch)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return parts.permute(order).reshape(*batch, channels * r * r, height // r, width // r)


def _factor(name: str, input: Tensor, factor: int) -> int:
    if input.dim() < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)"
        )
    if not 0 < factor < 2**31:
        raise RuntimeError(f"{name} expects a positive factor, but got {factor}")
    return int(factor)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of `(N, C, *)` dealt out in turn from ``groups`` groups (Zhang et al., "ShuffleNet", 2018).

    Raises:
        RuntimeError: fewer than three dims, or a number of groups that does not divide C.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.channel_shuffle(pydl.arange(4).reshape(1, 4, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    if input.dim() <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    batch, channels, *rest = input.shape
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    return input.reshape(batch, groups, channels // groups, *rest).transpose(1, 2).reshape(input.shape)


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """:func:`channel_shuffle`.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.native_channel_shuffle(pydl.arange(4.0).reshape(1, 4, 1), 2).flatten()
        tensor([0., 2., 1., 3.])
    """
    return channel_shuffle(input, groups)
