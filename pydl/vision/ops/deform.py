"""Deformable convolution."""

from __future__ import annotations

import math

import pydl
from pydl import ShapeError, Tensor
from pydl.nn import Module, Parameter, init
from pydl.utils.checkpoint import checkpoint
from pydl.vision.ops._checks import pair

Size = int | tuple[int, int]


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = (1, 1),
    padding: Size = (0, 0),
    dilation: Size = (1, 1),
    mask: Tensor | None = None,
) -> Tensor:
    """Convolution whose places of the kernel read at positions moved by offsets, bilinear, with zeros outside.

    input (N, C, H, W), weight (O, C/groups, kh, kw), offset (N, 2*G*kh*kw, oh, ow) of pairs (dy, dx), G sets of them,
    each for its share of the channels; mask (N, G*kh*kw, oh, ow) weights what is read. Result (N, O, oh, ow);
    gradients for all tensors. Offset 0 is `conv2d`. What the places read is held for some images at a time and read
    again in backward, so that memory does not grow with kh*kw times the batch. Dai et al., "Deformable convolutional
    networks", 2017; with mask: Zhu et al., "Deformable ConvNets v2", 2019.

    Raises ShapeError for sizes that do not fit, TypeError for different dtypes.

    Example:
        >>> x, w = pydl.arange(9.).reshape(1, 1, 3, 3), pydl.ones(1, 1, 1, 1)
        >>> offset = pydl.zeros(1, 2, 3, 3)
        >>> offset[:, 1] = 0.5
        >>> pydl.vision.ops.deform_conv2d(x, offset, w)[0, 0, 0]
        tensor([0.5000, 1.5000, 1.0000])
    """
    if weight.ndim != 4 or input.ndim != 4 or weight.shape[1] == 0 or input.shape[1] % weight.shape[1]:
        raise ShapeError(
            "deform_conv2d(): weight must have sizes (O, C/groups, kh, kw) for an input (N, C, H, W), got "
            f"{tuple(weight.shape)} and {tuple(input.shape)}"
        )
    out, per_group, *kernel = weight.shape
    groups = input.shape[1] // per_group
    if groups == 0 or out % groups:
        raise ShapeError(f"deform_conv2d(): weight has {out} filters, which {groups} groups do not divide")
    if bias is not None and tuple(bias.shape) != (out,):
        raise ShapeError(f"deform_conv2d(): bias must have sizes ({out},), got {tuple(bias.shape)}")
    geometry = (pair(stride), pair(padding), pair(dilation))
    each = max(1, math.prod(kernel) * input.shape[1] * math.prod(offset.shape[2:]))
    images, step = input.shape[0], max(1, _MOST_COLUMNS // each)
    if images <= step or offset.shape[0] != images or (mask is not None and mask.shape[0] != images):
        result = _convolved(input, offset, mask, weight, groups, *geometry)
    else:
        # Images by blocks, whose columns are made again in backward: kept they would be kh*kw times the batch.
        tensors = (input, offset) if mask is None else (input, offset, mask)
        blocks = []
        for x, o, *m in zip(*(t.split(step) for t in tensors)):
            arguments = (x, o, m[0] if m else None, weight, groups, *geometry)
            blocks.append(checkpoint(_convolved, *arguments, use_reentrant=False, preserve_rng_state=False))
        result = pydl.cat(blocks)
    return result if bias is None else result + bias[:, None, None]


# Of one block: 64 MiB of float32. A single image may have more.
_MOST_COLUMNS = 1 << 24


def _convolved(
    input: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, groups: int, *geometry: tuple[int, int]
) -> Tensor:
    out, per_group, *kernel = weight.shape
    columns = pydl._deform_columns(input, offset, mask, kernel, *geometry)
    n, cells = columns.shape[:2]
    filters = weight.permute(0, 2, 3, 1)
    if groups == 1:
        result = filters.reshape(out, -1) @ columns.transpose(1, 2)
    else:
        parts = columns.reshape(n, cells, -1, groups, per_group).permute(0, 3, 2, 4, 1)
        result = filters.reshape(groups, out // groups, -1) @ parts.reshape(n, groups, -1, cells)
    return result.reshape(n, out, *offset.shape[2:])


class DeformConv2d(Module):
    """`deform_conv2d` with a weight and a bias: forward(input, offset, mask=None).

    Raises ValueError where `groups` does not divide the channels.

    Example:
        >>> layer = pydl.vision.ops.DeformConv2d(4, 8, 3, padding=1)
        >>> layer(pydl.ones(1, 4, 5, 5), pydl.zeros(1, 18, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"DeformConv2d(): groups must divide in_channels and out_channels, got {groups}, {in_channels}, "
                f"{out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding, self.dilation = map(pair, (kernel_size, stride, padding, dilation))
        self.weight = Parameter(pydl.empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias = Parameter(pydl.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None and self.weight.numel():
            bound = 1 / math.sqrt(self.weight[0].numel())
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        return deform_conv2d(input, offset, self.weight, self.bias, self.stride, self.padding, self.dilation, mask)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text + ("" if self.bias is not None else ", bias=False")
