"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn import init
from pydl.nn.modules._sizes import Size, repeated
from pydl.nn.modules.lazy import LazyModuleMixin
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter, UninitializedParameter

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: options, weight and bias. Subclasses say how many dims there are."""

    weight: Parameter
    bias: Parameter | None
    _dims: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        output_padding: Size = 0,
    ) -> None:
        super().__init__()
        self._check(in_channels, out_channels, groups, padding, stride, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = repeated(kernel_size, self._dims)
        self.stride = repeated(stride, self._dims)
        self.padding = padding if isinstance(padding, str) else repeated(padding, self._dims)
        self.dilation = repeated(dilation, self._dims)
        self.output_padding = repeated(output_padding, self._dims)
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._edges()
        self._make_parameters(bias, device, dtype)

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = Parameter(pydl.empty(self._weight_shape(), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(pydl.empty(self.out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def _check(
        self, in_channels: int, out_channels: int, groups: int, padding: Any, stride: Size, padding_mode: str
    ) -> None:
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
            if padding == "same" and any(s != 1 for s in repeated(stride, self._dims)):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _MODES:
            raise ValueError(f"padding_mode must be one of {set(_MODES)}, but got padding_mode='{padding_mode}'")

    def _edges(self) -> list[int]:
        """What the modes other than zeros add, in the order of ``F.pad``: the last dim first."""
        edges: list[int] = []
        for k, d, p in zip(
            self.kernel_size, self.dilation, self.padding if isinstance(self.padding, tuple) else self.kernel_size
        ):
            if isinstance(self.padding, str):
                total = d * (k - 1) if self.padding == "same" else 0
                edges[:0] = [total // 2, total - total // 2]
            else:
                edges[:0] = [p, p]
        return edges

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, both uniform within 1 / sqrt(fan_in)."""
        # kaiming_uniform with a = sqrt(5) is uniform within 1 / sqrt(fan_in)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight[0].numel() if self.weight.shape[0] else 0
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        zeros = (0,) * self._dims
        if self.padding != zeros:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self._dims:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != zeros:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with any weight: what subclasses that change the weight call, as in torch."""
        function = getattr(F, f"conv{self._dims}d")
        if self.padding_mode == "zeros":
            return function(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return function(padded, weight, bias, self.stride, 0, self.dilation, self.groups)


class Conv1d(_ConvNd):
    """A convolution (in fact a cross-correlation) of signals.

    Args:
        in_channels, out_channels: channels before and after.
        kernel_size: places that one output sees.
        stride: step between outputs. Default: 1.
        padding: places added at both ends, or ``'valid'`` (none) or ``'same'`` (the length stays). Default: 0.
        dilation: distance between the places of the kernel. Default: 1.
        groups: into which the channels are split; each output group sees its own input group. Default: 1.
        bias: whether a bias is learned. Default: ``True``.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``. Default: ``'zeros'``.

    Shapes: input (N, in_channels, L) or (in_channels, L); output (N, out_channels, (L + 2 padding - dilation
    (kernel_size - 1) - 1) / stride + 1), rounded down; weight (out_channels, in_channels / groups, kernel_size).

    Raises:
        ValueError: channels that the groups do not divide, an unknown mode, 'same' with a stride.

    Example:
        >>> import pydl
        >>> pydl.nn.Conv1d(16, 33, 3, stride=2)(pydl.zeros(20, 16, 50)).shape
        torch.Size([20, 33, 24])
    """

    _dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """The convolved signals."""
        return self._conv_forward(input, self.weight, self.bias)


class Conv2d(_ConvNd):
    """A convolution (in fact a cross-correlation) of images.

    Args:
        in_channels, out_channels: channels before and after.
        kernel_size: places that one output sees; a number or one for height and width each, as all sizes below.
        stride: step between outputs. Default: 1.
        padding: places added at all edges, or ``'valid'`` (none) or ``'same'`` (the sizes stay). Default: 0.
        dilation: distance between the places of the kernel. Default: 1.
        groups: into which the channels are split; each output group sees its own input group. Default: 1.
        bias: whether a bias is learned. Default: ``True``.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``. Default: ``'zeros'``.

    Shapes: input (N, in_channels, H, W) or (in_channels, H, W); output (N, out_channels, H', W') with
    H' = (H + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1, rounded down; weight (out_channels,
    in_channels / groups, *kernel_size).

    Raises:
        ValueError: channels that the groups do not divide, an unknown mode, 'same' with a stride.

    Example:
        >>> import pydl
        >>> pydl.nn.Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2))(pydl.zeros(20, 16, 50, 100)).shape
        torch.Size([20, 33, 28, 100])
    """

    _dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """The convolved images."""
        return self._conv_forward(input, self.weight, self.bias)


class Conv3d(_ConvNd):
    """A convolution (in fact a cross-correlation) of volumes; the arguments are those of :class:`Conv2d`.

    Shapes: input (N, in_channels, D, H, W) or (in_channels, D, H, W).

    Raises:
        ValueError: channels that the groups do not divide, an unknown mode, 'same' with a stride.

    Example:
        >>> import pydl
        >>> pydl.nn.Conv3d(3, 4, 3, stride=2)(pydl.zeros(2, 3, 10, 9, 9)).shape
        torch.Size([2, 4, 4, 4, 4])
    """

    _dims = 3

    def forward(self, input: Tensor) -> Tensor:
        """The convolved volumes."""
        return self._conv_forward(input, self.weight, self.bias)


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            output_padding,
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        if output_size is None:
            return self.output_padding
        spatial = tuple(output_size)
        batched = input.dim() == self._dims + 2
        if len(spatial) == self._dims + (2 if batched else 1):
            spatial = spatial[-self._dims :]
        if len(spatial) != self._dims:
            raise ValueError(
                f"{type(self).__name__}: for {input.dim()}D input, output_size must have {self._dims} or "
                f"{input.dim()} elements (got {len(output_size)})"
            )
        extra = []
        sizes = input.shape[-self._dims :]
        for d, wanted in enumerate(spatial):
            least = (
                (sizes[d] - 1) * self.stride[d]
                - 2 * self.padding[d]  # type: ignore[operator]
                + self.dilation[d] * (self.kernel_size[d] - 1)
                + 1
            )
            if not least <= wanted < least + self.stride[d]:
                raise ValueError(
                    f"requested an output size of {tuple(spatial)}, but dimension {d} must lie in "
                    f"[{least}, {least + self.stride[d] - 1}] (for an input of {tuple(sizes)})"
                )
            extra.append(wanted - least)
        return tuple(extra)

    def _spread(self, function: Any, input: Tensor, output_size: Sequence[int] | None) -> Any:
        extra = self._output_padding(input, output_size)
        return function(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTransposeNd):
    """The transpose of :class:`Conv1d` as a linear map: a learned enlargement of signals.

    Args:
        in_channels, out_channels: channels before and after.
        kernel_size: places to which one input is spread.
        stride: step between the places of neighbouring inputs. Default: 1.
        padding: places cut off at both ends. Default: 0.
        output_padding: places added at the end, below stride or dilation. Default: 0.
        groups: into which the channels are split. Default: 1.
        bias: whether a bias is learned. Default: ``True``.
        dilation: distance between the places of the kernel. Default: 1.

    Shapes: input (N, in_channels, L) or (in_channels, L); output length (L - 1) stride - 2 padding + dilation
    (kernel_size - 1) + output_padding + 1; weight (in_channels, out_channels / groups, kernel_size).

    Raises:
        ValueError: channels that the groups do not divide, a padding mode other than zeros.

    Example:
        >>> import pydl
        >>> pydl.nn.ConvTranspose1d(2, 3, 3, stride=2)(pydl.zeros(1, 2, 5)).shape
        torch.Size([1, 3, 11])
    """

    _dims = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The enlarged signals; ``output_size`` chooses among the lengths that the stride allows."""
        return self._spread(F.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of :class:`Conv2d` as a linear map: a learned enlargement of images.

    The arguments are those of :class:`ConvTranspose1d`; sizes are a number or one for height and width each.

    Shapes: input (N, in_channels, H, W) or (in_channels, H, W).

    Raises:
        ValueError: channels that the groups do not divide, a padding mode other than zeros.

    Example:
        >>> import pydl
        >>> up = pydl.nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1)
        >>> up(pydl.zeros(1, 16, 6, 6), output_size=(12, 12)).shape
        torch.Size([1, 16, 12, 12])
    """

    _dims = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The enlarged images; ``output_size`` chooses among the sizes that the stride allows."""
        return self._spread(F.conv_transpose2d, input, output_size)


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of :class:`Conv3d` as a linear map: a learned enlargement of volumes.

    The arguments are those of :class:`ConvTranspose1d`; sizes are a number or one for depth, height and width each.

    Shapes: input (N, in_channels, D, H, W) or (in_channels, D, H, W).

    Raises:
        ValueError: channels that the groups do not divide, a padding mode other than zeros.

    Example:
        >>> import pydl
        >>> pydl.nn.ConvTranspose3d(2, 3, 3, stride=2)(pydl.zeros(1, 2, 3, 4, 5)).shape
        torch.Size([1, 3, 7, 9, 11])
    """

    _dims = 3

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The enlarged volumes; ``output_size`` chooses among the sizes that the stride allows."""
        return self._spread(F.conv_transpose3d, input, output_size)


class _LazyConvMixin(LazyModuleMixin):
    """Takes ``in_channels`` from the first input."""

    in_channels: int
    out_channels: int
    weight: Any
    bias: Any

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)
        else:
            self.register_parameter("bias", None)  # type: ignore[attr-defined]

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, once their shapes are known."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that the first input asks for."""
        if not self.has_uninitialized_params():
            return
        dims = self._dims  # type: ignore[attr-defined]
        if input.dim() not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {type(self).__name__}, "
                f"but got input of size: {list(input.shape)}"
            )
        self.in_channels = input.shape[-dims - 1]
        groups = self.groups  # type: ignore[attr-defined]
        if self.in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        self.weight.materialize(self._weight_shape())  # type: ignore[attr-defined]
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class LazyConv1d(_LazyConvMixin, Conv1d):
    """A :class:`Conv1d` that takes ``in_channels`` from its first input.

    Args:
        out_channels: channels of the result; the other arguments are those of :class:`Conv1d`.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyConv1d(4, 3)
        >>> layer(pydl.zeros(2, 5, 8)).shape[1], layer.in_channels
        (4, 5)
    """

    cls_to_become = Conv1d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class LazyConv2d(_LazyConvMixin, Conv2d):
    """A :class:`Conv2d` that takes ``in_channels`` from its first input.

    Args:
        out_channels: channels of the result; the other arguments are those of :class:`Conv2d`.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyConv2d(4, 3)
        >>> layer(pydl.zeros(2, 5, 8, 8)).shape[1], layer.in_channels
        (4, 5)
    """

    cls_to_become = Conv2d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class LazyConv3d(_LazyConvMixin, Conv3d):
    """A :class:`Conv3d` that takes ``in_channels`` from its first input.

    Args:
        out_channels: channels of the result; the other arguments are those of :class:`Conv3d`.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyConv3d(4, 3)
        >>> layer(pydl.zeros(2, 5, 8, 8, 8)).shape[1], layer.in_channels
        (4, 5)
    """

    cls_to_become = Conv3d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class LazyConvTranspose1d(_LazyConvMixin, ConvTranspose1d):
    """A :class:`ConvTranspose1d` that takes ``in_channels`` from its first input.

    Args:
        out_channels: channels of the result; the other arguments are those of :class:`ConvTranspose1d`.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyConvTranspose1d(4, 3)
        >>> layer(pydl.zeros(2, 5, 8)).shape[1], layer.in_channels
        (4, 5)
    """

    cls_to_become = ConvTranspose1d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )


class LazyConvTranspose2d(_LazyConvMixin, ConvTranspose2d):
    """A :class:`ConvTranspose2d` that takes ``in_channels`` from its first input.

    Args:
        out_channels: channels of the result; the other arguments are those of :class:`ConvTranspose2d`.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyConvTranspose2d(4, 3)
        >>> layer(pydl.zeros(2, 5, 8, 8)).shape[1], layer.in_channels
        (4, 5)
    """

    cls_to_become = ConvTranspose2d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )


class LazyConvTranspose3d(_LazyConvMixin, ConvTranspose3d):
    """A :class:`ConvTranspose3d` that takes ``in_channels`` from its first input.

    Args:
        out_channels: channels of the result; the other arguments are those of :class:`ConvTranspose3d`.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyConvTranspose3d(4, 3)
        >>> layer(pydl.zeros(2, 5, 8, 8, 8)).shape[1], layer.in_channels
        (4, 5)
    """

    cls_to_become = ConvTranspose3d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )
