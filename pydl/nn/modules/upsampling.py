"""Interpolation layers."""

from __future__ import annotations

from typing import Any

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules.module import Module

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """:func:`~pydl.nn.functional.interpolate` as a layer.

    Args:
        size: the new sizes. scale_factor: in its place, how much longer each dim becomes.
        mode: ``'nearest'``, ``'linear'``, ``'bilinear'``, ``'bicubic'`` or ``'trilinear'``. Default: ``'nearest'``.
        align_corners: whether the centres of the outermost places fall together. Default: ``None``, that is, no.
        recompute_scale_factor: compute positions from the sizes. Default: ``None``, that is, no.

    Raises:
        ValueError: (on use) arguments that exclude each other. NotImplementedError: a mode for other dims.

    Example:
        >>> import pydl
        >>> pydl.nn.Upsample(scale_factor=2)(pydl.tensor([[[1.0, 3.0]]]))
        tensor([[[1., 1., 3., 3.]]])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The interpolated input."""
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        size = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """:class:`Upsample` of images in mode ``'nearest'``.

    Example:
        >>> import pydl
        >>> pydl.nn.UpsamplingNearest2d(scale_factor=2)(pydl.ones(1, 1, 2, 2)).shape
        torch.Size([1, 1, 4, 4])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """:class:`Upsample` of images in mode ``'bilinear'`` with aligned corners.

    Example:
        >>> import pydl
        >>> pydl.nn.UpsamplingBilinear2d(size=(1, 3))(pydl.tensor([[[[1.0, 3.0]]]]))
        tensor([[[[1., 2., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
