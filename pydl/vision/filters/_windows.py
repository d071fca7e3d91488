"""Fixed kernels on each channel of images, with a border."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._checks import check_images

__all__ = ["bordered", "check_border", "each_channel"]

_BORDERS = {"replicate": "replicate", "reflect": "reflect", "zeros": "constant"}


def check_border(name: str, padding_mode: str) -> None:
    """Raise for a border that does not exist."""
    if padding_mode not in _BORDERS:
        raise ValueError(f"{name}: padding_mode must be one of {list(_BORDERS)}, got {padding_mode!r}")


def bordered(x: Tensor, edges: list[int], padding_mode: str) -> Tensor:
    """The images with a border: left, right, top, bottom."""
    return F.pad(x, edges, mode=_BORDERS[padding_mode])


def each_channel(name: str, x: Tensor, kernels: Any, padding_mode: str) -> Tensor:
    """(N, C, H, W) correlated with (K, kh, kw) kernels: (N, C, K, H, W)."""
    check_images(name, x, filled=True)
    if not x.is_floating_point():
        raise TypeError(f"{name}: x must be of floating point, got {x.dtype}")
    weight = kernels.to(x.dtype).unsqueeze(1)
    down, right = weight.shape[2] // 2, weight.shape[3] // 2
    # A channel is a picture of its own: one kernel serves all, and the convolution has one input channel
    flat = bordered(x.reshape(-1, 1, *x.shape[2:]), [right, right, down, down], padding_mode)
    return F.conv2d(flat, weight).reshape(*x.shape[:2], len(weight), *x.shape[2:])


def buffer(values: Any) -> Tensor:
    """A kernel in float64, which loses nothing when it is converted to the images' dtype."""
    return pydl.tensor(values, dtype=pydl.float64)
