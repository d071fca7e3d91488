"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._sizes import Size, repeated
from pydl.nn.modules.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )

    def _pool(self, function: Any, input: Tensor) -> Any:
        return function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of signals.

    Args:
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        padding: places outside that windows may cover, at most half a window. Default: 0.
        dilation: distance between the elements of a window. Default: 1.
        return_indices: whether the places of the maxima are returned too, for ``MaxUnpool1d``. Default: ``False``.
        ceil_mode: whether a last window may end outside. Default: ``False``.

    Shapes: input (N, C, L) or (C, L).

    Example:
        >>> import pydl
        >>> pydl.nn.MaxPool1d(3, stride=2)(pydl.zeros(1, 2, 7)).shape
        torch.Size([1, 2, 3])
    """

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return self._pool(F.max_pool1d, input)


class MaxPool2d(_MaxPoolNd):
    """The largest element of each window of images.

    Args:
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        padding: places outside that windows may cover, at most half a window. Default: 0.
        dilation: distance between the elements of a window. Default: 1.
        return_indices: whether the places of the maxima are returned too, for ``MaxUnpool2d``. Default: ``False``.
        ceil_mode: whether a last window may end outside. Default: ``False``.

    Shapes: input (N, C, H, W) or (C, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.MaxPool2d(3, stride=2)(pydl.zeros(1, 2, 7, 7)).shape
        torch.Size([1, 2, 3, 3])
    """

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return self._pool(F.max_pool2d, input)


class MaxPool3d(_MaxPoolNd):
    """The largest element of each window of volumes.

    Args:
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        padding: places outside that windows may cover, at most half a window. Default: 0.
        dilation: distance between the elements of a window. Default: 1.
        return_indices: whether the places of the maxima are returned too, for ``MaxUnpool3d``. Default: ``False``.
        ceil_mode: whether a last window may end outside. Default: ``False``.

    Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.MaxPool3d(3, stride=2)(pydl.zeros(1, 2, 7, 7, 7)).shape
        torch.Size([1, 2, 3, 3, 3])
    """

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return self._pool(F.max_pool3d, input)


class _MaxUnpoolNd(Module):
    _dims: ClassVar[int]

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self._dims)
        self.stride = repeated(kernel_size if stride is None else stride, self._dims)
        self.padding = repeated(padding, self._dims)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """The partial inverse of :class:`MaxPool1d`: maxima at their places, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Example:
        >>> import pydl
        >>> pool = pydl.nn.MaxPool1d(2, return_indices=True)
        >>> pydl.nn.MaxUnpool1d(2)(*pool(pydl.zeros(1, 2, 6))).shape
        torch.Size([1, 2, 6])
    """

    _dims = 1

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The enlarged signals; ``output_size`` chooses among the sizes that the pooling maps to the input's."""
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpoolNd):
    """The partial inverse of :class:`MaxPool2d`: maxima at their places, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Example:
        >>> import pydl
        >>> pool = pydl.nn.MaxPool2d(2, return_indices=True)
        >>> pydl.nn.MaxUnpool2d(2)(*pool(pydl.zeros(1, 2, 6, 6))).shape
        torch.Size([1, 2, 6, 6])
    """

    _dims = 2

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The enlarged images; ``output_size`` chooses among the sizes that the pooling maps to the input's."""
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpoolNd):
    """The partial inverse of :class:`MaxPool3d`: maxima at their places, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Example:
        >>> import pydl
        >>> pool = pydl.nn.MaxPool3d(2, return_indices=True)
        >>> pydl.nn.MaxUnpool3d(2)(*pool(pydl.zeros(1, 2, 6, 6, 6))).shape
        torch.Size([1, 2, 6, 6, 6])
    """

    _dims = 3

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The enlarged volumes; ``output_size`` chooses among the sizes that the pooling maps to the input's."""
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _AvgPoolNd(Module):
    kernel_size: Size
    stride: Size
    padding: Size

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of signals.

    Args:
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        padding: zeros at both ends, at most half a window. Default: 0.
        ceil_mode: whether a last window may end outside. Default: ``False``.
        count_include_pad: whether the padding counts in the mean. Default: ``True``.

    Shapes: input (N, C, L) or (C, L).

    Example:
        >>> import pydl
        >>> pydl.nn.AvgPool1d(3, stride=2)(pydl.tensor([[[1.0, 2, 3, 4, 5, 6, 7]]]))
        tensor([[[2., 4., 6.]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, 1)
        self.stride = repeated(kernel_size if stride is None else stride, 1)
        self.padding = repeated(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of images.

    Args:
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        padding: zeros at all edges, at most half a window. Default: 0.
        ceil_mode: whether a last window may end outside. Default: ``False``.
        count_include_pad: whether the padding counts in the mean. Default: ``True``.
        divisor_override: by what sums are divided instead of the number of elements. Default: ``None``.

    Shapes: input (N, C, H, W) or (C, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.AvgPool2d(2)(pydl.ones(1, 1, 2, 2)).flatten()
        tensor([1.])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of volumes.

    Args:
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        padding: zeros at all edges, at most half a window. Default: 0.
        ceil_mode: whether a last window may end outside. Default: ``False``.
        count_include_pad: whether the padding counts in the mean. Default: ``True``.
        divisor_override: by what sums are divided instead of the number of elements. Default: ``None``.

    Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.AvgPool3d(2)(pydl.ones(1, 1, 2, 2, 2)).flatten()
        tensor([1.])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class _LPPoolNd(Module):
    def __init__(
        self, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window of signals: (sum of x ** p) ** (1 / p), without absolute values.

    Args:
        norm_type: p.
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        ceil_mode: whether a last window may end outside. Default: ``False``.

    Shapes: input (N, C, L) or (C, L).

    Example:
        >>> import pydl
        >>> pydl.nn.LPPool1d(2, 2)(pydl.zeros(1, 2, 6)).shape
        torch.Size([1, 2, 3])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        return F.lp_pool1d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPoolNd):
    """The p-norm of each window of images: (sum of x ** p) ** (1 / p), without absolute values.

    Args:
        norm_type: p.
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        ceil_mode: whether a last window may end outside. Default: ``False``.

    Shapes: input (N, C, H, W) or (C, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.LPPool2d(2, 2)(pydl.zeros(1, 2, 6, 6)).shape
        torch.Size([1, 2, 3, 3])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        return F.lp_pool2d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool3d(_LPPoolNd):
    """The p-norm of each window of volumes: (sum of x ** p) ** (1 / p), without absolute values.

    Args:
        norm_type: p.
        kernel_size: size of the windows.
        stride: step between them. Default: ``kernel_size``.
        ceil_mode: whether a last window may end outside. Default: ``False``.

    Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.LPPool3d(2, 2)(pydl.zeros(1, 2, 6, 6, 6)).shape
        torch.Size([1, 2, 3, 3, 3])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        return F.lp_pool3d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class _AdaptiveAvgPoolNd(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPoolNd(Module):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Means of windows that divide signals evenly.

    Args:
        output_size: size of the result, one number or one for each dim.

    Shapes: input (N, C, L) or (C, L).

    Example:
        >>> import pydl
        >>> pydl.nn.AdaptiveAvgPool1d(4)(pydl.zeros(1, 2, 6)).shape
        torch.Size([1, 2, 4])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Means of windows that divide images evenly.

    Args:
        output_size: size of the result, one number or one for each dim; None keeps a side.

    Shapes: input (N, C, H, W) or (C, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.AdaptiveAvgPool2d(4)(pydl.zeros(1, 2, 6, 6)).shape
        torch.Size([1, 2, 4, 4])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Means of windows that divide volumes evenly.

    Args:
        output_size: size of the result, one number or one for each dim; None keeps a side.

    Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.AdaptiveAvgPool3d(4)(pydl.zeros(1, 2, 6, 6, 6)).shape
        torch.Size([1, 2, 4, 4, 4])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Maxima of windows that divide signals evenly.

    Args:
        output_size: size of the result, one number or one for each dim.
        return_indices: whether the places of the maxima are returned too. Default: ``False``.

    Shapes: input (N, C, L) or (C, L).

    Example:
        >>> import pydl
        >>> pydl.nn.AdaptiveMaxPool1d(4)(pydl.zeros(1, 2, 6)).shape
        torch.Size([1, 2, 4])
    """

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Maxima of windows that divide images evenly.

    Args:
        output_size: size of the result, one number or one for each dim; None keeps a side.
        return_indices: whether the places of the maxima are returned too. Default: ``False``.

    Shapes: input (N, C, H, W) or (C, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.AdaptiveMaxPool2d(4)(pydl.zeros(1, 2, 6, 6)).shape
        torch.Size([1, 2, 4, 4])
    """

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Maxima of windows that divide volumes evenly.

    Args:
        output_size: size of the result, one number or one for each dim; None keeps a side.
        return_indices: whether the places of the maxima are returned too. Default: ``False``.

    Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import pydl
        >>> pydl.nn.AdaptiveMaxPool3d(4)(pydl.zeros(1, 2, 6, 6, 6)).shape
        torch.Size([1, 2, 4, 4, 4])
    """

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class _FractionalMaxPoolNd(Module):
    _dims: ClassVar[int]

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self._dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else repeated(output_size, self._dims)
        self.output_ratio = None if output_ratio is None else repeated(output_ratio, self._dims)
        name = type(self).__name__
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def _pool(self, function: Any, input: Tensor) -> Any:
        return function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima of windows of images that begin at pseudo-random distances.

    (Graham, "Fractional max-pooling", 2014.)

    Args:
        kernel_size: size of the windows.
        output_size: sides of the result, or
        output_ratio: their fraction of the input's sides, in (0, 1).
        return_indices: whether the places of the maxima are returned too. Default: ``False``.

    Shapes: input (N, C, H, W) or (C, H, W).

    Raises:
        ValueError: neither or both of size and ratio, or a ratio outside (0, 1).

    Example:
        >>> import pydl
        >>> pydl.nn.FractionalMaxPool2d(2, output_ratio=0.5)(pydl.zeros(1, 2, 6, 6)).shape
        torch.Size([1, 2, 3, 3])
    """

    _dims = 2

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return self._pool(F.fractional_max_pool2d, input)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Maxima of windows of volumes that begin at pseudo-random distances.

    (Graham, "Fractional max-pooling", 2014.)

    Args:
        kernel_size: size of the windows.
        output_size: sides of the result, or
        output_ratio: their fraction of the input's sides, in (0, 1).
        return_indices: whether the places of the maxima are returned too. Default: ``False``.

    Shapes: input (N, C, D, H, W) or (C, D, H, W).

    Raises:
        ValueError: neither or both of size and ratio, or a ratio outside (0, 1).

    Example:
        >>> import pydl
        >>> pydl.nn.FractionalMaxPool3d(2, output_ratio=0.5)(pydl.zeros(1, 2, 6, 6, 6)).shape
        torch.Size([1, 2, 3, 3, 3])
    """

    _dims = 3

    def forward(self, input: Tensor) -> Any:
        """The maxima, with ``return_indices`` also their places."""
        return self._pool(F.fractional_max_pool3d, input)
