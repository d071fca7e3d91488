"""Smoothing: by distance, and by distance and difference."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import Module
from pydl.nn.modules._checks import check_images, odd_pair
from pydl.vision.filters._windows import bordered, check_border, each_channel
from pydl.vision.transforms.functional._misc import gaussian_kernel

__all__ = ["BilateralFilter", "GaussianFilter", "bilateral_filter"]


def _positive(name: str, **numbers: float) -> None:
    for argument, value in numbers.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name}: {argument} must be positive, got {value}")


class GaussianFilter(Module):
    """Each channel smoothed by a Gaussian of rows and columns; the shape (N, C, H, W) stays.

    Args:
        kernel_size: odd, or (height, width). Default: 5.
        sigma: deviation in pixels; the weights are normalised to sum 1. Default: 1.
        padding_mode: border ``'reflect'`` (default), ``'replicate'`` or ``'zeros'``.

    Raises:
        ValueError: even sizes, ``sigma`` not positive, another border. ShapeError: (on use) input that is not
        (N, C, H, W) with pixels.

    Source: Gonzalez and Woods, "Digital image processing", section 3.5.

    Example:
        >>> import pydl
        >>> pydl.vision.filters.GaussianFilter(3)(pydl.ones(1, 1, 4, 4)).mean()
        tensor(1.)
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, kernel_size: Any = 5, sigma: float = 1.0, padding_mode: str = "reflect") -> None:
        super().__init__()
        self.kernel_size = odd_pair("GaussianFilter", "kernel_size", kernel_size)
        _positive("GaussianFilter", sigma=sigma)
        check_border("GaussianFilter", padding_mode)
        self.sigma = sigma
        self.padding_mode = padding_mode
        for name, size, shape in (
            ("rows", self.kernel_size[0], (1, -1, 1)),
            ("columns", self.kernel_size[1], (1, 1, -1)),
        ):
            self.register_buffer(name, gaussian_kernel(size, sigma, pydl.float64).reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The smoothed images."""
        x = each_channel("GaussianFilter", x, self.columns, self.padding_mode).squeeze(2)
        return each_channel("GaussianFilter", x, self.rows, self.padding_mode).squeeze(2)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, sigma={self.sigma}, padding_mode={self.padding_mode!r}"


def bilateral_filter(
    x: Tensor,
    kernel_size: Any = 5,
    sigma_color: float = 0.1,
    sigma_space: float = 1.5,
    padding_mode: str = "reflect",
) -> Tensor:
    """Smoothing that keeps edges: weights fall with the distance and with the difference of the values.

    ``y_p = sum_q w_pq x_q / sum_q w_pq``, ``w_pq = exp(-|p - q|^2 / (2 sigma_space^2) - |x_p - x_q|_1^2 /
    (2 sigma_color^2))`` over a window, the difference being the sum over the channels (kornia's and OpenCV's form).

    Args:
        x: (N, C, H, W).
        kernel_size: odd, or (height, width). Default: 5.
        sigma_color, sigma_space: Default: 0.1 and 1.5 pixels.
        padding_mode: border ``'reflect'`` (default), ``'replicate'`` or ``'zeros'``.

    Raises:
        ValueError: even sizes, deviations not positive, another border. ShapeError: another shape.

    Source: Tomasi and Manduchi, "Bilateral filtering for gray and color images", ICCV 1998.

    Example:
        >>> import pydl
        >>> step = pydl.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]).expand(1, 1, 6, 6)
        >>> bool((pydl.vision.filters.bilateral_filter(step) - step).abs().max() < 1e-3)
        True
    """
    name = "bilateral_filter"
    sizes = odd_pair(name, "kernel_size", kernel_size)
    _positive(name, sigma_color=sigma_color, sigma_space=sigma_space)
    check_border(name, padding_mode)
    check_images(name, x, filled=True)
    down, right = sizes[0] // 2, sizes[1] // 2
    padded = bordered(x, [right, right, down, down], padding_mode)
    total = weights = None
    sharpness = min(1 / sigma_color, 1e18)  # a difference of 0 counts as 0 with every sigma
    # One shift of the window at a time: no tensor of all windows is made
    for i in range(sizes[0]):
        for j in range(sizes[1]):
            other = padded[:, :, i : i + x.shape[2], j : j + x.shape[3]]
            far = math.hypot((i - down) / sigma_space, (j - right) / sigma_space)
            difference = (other - x).abs().sum(dim=1, keepdim=True)
            weight = (-0.5 * (far * far + (difference * sharpness).square())).exp()
            total = weight * other if total is None else total + weight * other
            weights = weight if weights is None else weights + weight
    return total / weights  # type: ignore[operator]


class BilateralFilter(Module):
    """:func:`bilateral_filter` as a layer.

    Args:
        kernel_size, sigma_color, sigma_space, padding_mode: as :func:`bilateral_filter`.

    Raises:
        ValueError: even sizes, deviations not positive, another border. ShapeError: (on use) another shape.

    Source: Tomasi and Manduchi, "Bilateral filtering for gray and color images", ICCV 1998.

    Example:
        >>> import pydl
        >>> pydl.vision.filters.BilateralFilter()(pydl.zeros(1, 3, 6, 6)).shape
        torch.Size([1, 3, 6, 6])
    """

    def __init__(
        self,
        kernel_size: Any = 5,
        sigma_color: float = 0.1,
        sigma_space: float = 1.5,
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__()
        self.kernel_size = odd_pair("BilateralFilter", "kernel_size", kernel_size)
        _positive("BilateralFilter", sigma_color=sigma_color, sigma_space=sigma_space)
        check_border("BilateralFilter", padding_mode)
        self.sigma_color = sigma_color
        self.sigma_space = sigma_space
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        """The smoothed images."""
        return bilateral_filter(x, self.kernel_size, self.sigma_color, self.sigma_space, self.padding_mode)
