"""Unfold and Fold."""

from __future__ import annotations

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._sizes import Size
from pydl.nn.modules.module import Module

__all__ = ["Fold", "Unfold"]


class Unfold(Module):
    """The sliding blocks of images as columns.

    Args:
        kernel_size: size of the blocks.
        dilation: distance between the elements of a block. Default: 1.
        padding: zeros at all edges. Default: 0.
        stride: step between blocks. Default: 1.

    Shapes: input (N, C, H, W) or (C, H, W); output (N, C * elements of a block, number of blocks).

    Example:
        >>> import pydl
        >>> pydl.nn.Unfold((2, 3))(pydl.zeros(2, 5, 3, 4)).shape
        torch.Size([2, 30, 4])
    """

    def __init__(self, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """The columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Images in which the columns of sliding blocks are added up: the transpose of :class:`Unfold`.

    Args:
        output_size: height and width of the images.
        kernel_size, dilation, padding, stride: those of the blocks, as in :class:`Unfold`.

    Shapes: input (N, C * elements of a block, number of blocks) or without N; output (N, C, *output_size).

    Example:
        >>> import pydl
        >>> pydl.nn.Fold((4, 5), (2, 2))(pydl.zeros(1, 12, 12)).shape
        torch.Size([1, 3, 4, 5])
    """

    def __init__(
        self, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """The images."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
