"""Layers that many vision models are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import Tensor, nn

ModuleMaker = Callable[..., nn.Module]
Size = int | tuple[int, ...]


class _ConvNormActivation(nn.Sequential):
    dims: int
    conv: ModuleMaker

    def _build(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size | str | None,
        groups: int,
        norm_layer: ModuleMaker | None,
        activation_layer: ModuleMaker | None,
        dilation: Size,
        inplace: bool | None,
        bias: bool | None,
    ) -> None:
        if padding is None:
            kernels, dilations = (
                list(v) if isinstance(v, Sequence) else [v] * self.dims for v in (kernel_size, dilation)
            )
            padding = tuple((k - 1) // 2 * d for k, d in zip(kernels, dilations))
        if bias is None:
            bias = norm_layer is None
        self.append(
            type(self).conv(
                in_channels, out_channels, kernel_size, stride, padding, dilation=dilation, groups=groups, bias=bias
            )
        )
        if norm_layer is not None:
            self.append(norm_layer(out_channels))
        if activation_layer is not None:
            self.append(activation_layer() if inplace is None else activation_layer(inplace=inplace))
        self.out_channels = out_channels


class Conv2dNormActivation(_ConvNormActivation):
    """A Sequential of Conv2d, normalisation and activation (either may be None): keys 0, 1.

    `padding` None keeps the size at stride 1: (kernel_size - 1) // 2 * dilation; `bias` None: only without
    normalisation. `inplace` goes to the activation; None: nothing does.

    Example:
        >>> pydl.vision.ops.Conv2dNormActivation(3, 8, stride=2)(pydl.ones(1, 3, 8, 8)).shape
        torch.Size([1, 8, 4, 4])
    """

    dims, conv = 2, nn.Conv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size | str | None = None,
        groups: int = 1,
        norm_layer: ModuleMaker | None = nn.BatchNorm2d,
        activation_layer: ModuleMaker | None = nn.ReLU,
        dilation: Size = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        self._build(
            in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer, dilation,
            inplace, bias
        )  # fmt: skip


class Conv3dNormActivation(_ConvNormActivation):
    """`Conv2dNormActivation` in three dims.

    Example:
        >>> pydl.vision.ops.Conv3dNormActivation(3, 8, stride=2)(pydl.ones(1, 3, 4, 8, 8)).shape
        torch.Size([1, 8, 2, 4, 4])
    """

    dims, conv = 3, nn.Conv3d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding: Size | str | None = None,
        groups: int = 1,
        norm_layer: ModuleMaker | None = nn.BatchNorm3d,
        activation_layer: ModuleMaker | None = nn.ReLU,
        dilation: Size = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        self._build(
            in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer, dilation,
            inplace, bias
        )  # fmt: skip


class SqueezeExcitation(nn.Module):
    """Channels of (N, C, H, W) weighed by what a small network says of their means:
    x * scale_activation(fc2(activation(fc1(mean(x))))), fc1 and fc2 1x1 convolutions over `squeeze_channels`.

    Hu et al., "Squeeze-and-excitation networks", CVPR 2018.

    Example:
        >>> pydl.vision.ops.SqueezeExcitation(8, 2)(pydl.ones(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: ModuleMaker = nn.ReLU,
        scale_activation: ModuleMaker = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        squeezed = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(squeezed)) * input


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation of (N, C, H, W) with fixed statistics, weight and bias, which are buffers and are not
    trained.

    Example:
        >>> layer = pydl.vision.ops.FrozenBatchNorm2d(3)
        >>> len(list(layer.parameters())), sorted(layer.state_dict())
        (0, ['bias', 'running_mean', 'running_var', 'weight'])
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-05) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, pydl.full((num_features,), value))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        state_dict.pop(prefix + "num_batches_tracked", None)  # files of BatchNorm2d have it
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"


class MLP(nn.Sequential):
    """Linear, normalisation, activation, dropout for each hidden size; the last has linear and dropout alone.

    Example:
        >>> pydl.vision.ops.MLP(4, [8, 2])(pydl.ones(1, 4)).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: list[int],
        norm_layer: ModuleMaker | None = None,
        activation_layer: ModuleMaker | None = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        options = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        width = in_channels
        for size in hidden_channels[:-1]:
            layers.append(nn.Linear(width, size, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(size))
            if activation_layer is not None:
                layers.append(activation_layer(**options))
            layers.append(nn.Dropout(dropout, **options))
            width = size
        layers.append(nn.Linear(width, hidden_channels[-1], bias=bias))
        layers.append(nn.Dropout(dropout, **options))
        super().__init__(*layers)


class Permute(nn.Module):
    """`permute` as a module.

    Example:
        >>> pydl.vision.ops.Permute([0, 2, 1])(pydl.ones(1, 2, 3)).shape
        torch.Size([1, 3, 2])
    """

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)
