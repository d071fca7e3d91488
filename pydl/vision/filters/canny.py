"""Canny's edges."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import Module
from pydl.nn import functional as F
from pydl.nn.modules._checks import check_images
from pydl.vision.filters.edges import Sobel
from pydl.vision.filters.smoothing import GaussianFilter

__all__ = ["Canny"]

# Steps (down, right) along the four directions of a gradient at 0, 45, 90 and 135 degrees, y pointing down
_STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))


# As Sobel's: the root has no derivative at 0
_EPS = 1e-6


class Canny(Module):
    """Thin edges: smoothing, Sobel's derivatives, maxima along the gradient, two thresholds.

    (N, 1 or 3, H, W) -> two of (N, 1, H, W): the magnitude ``sqrt(gx^2 + gy^2 + 1e-6)`` of the gradient at its maxima
    (0 elsewhere), which is differentiable, and the edges, 0 or 1. Three channels are turned to grey (0.299, 0.587,
    0.114). The derivatives are Sobel's as they are, so that a step of 1 has a magnitude of up to 4. Of two equal pixels
    across a vertical (horizontal) edge the left (upper) one is kept, as in OpenCV and kornia.

    Args:
        low_threshold, high_threshold: of the magnitude: pixels above the higher one are edges. Default: 0.1 and 0.2.
        kernel_size, sigma: of the Gaussian, see :class:`GaussianFilter`. Default: 5 and 1.
        hysteresis: pixels above the lower threshold are edges too if pixels above it connect them (among 8
            neighbours) with one above the higher. ``False``: they count 0.5. Default: ``True``.

    Raises:
        ValueError: thresholds that are negative, NaN or in the wrong order, sizes as :class:`GaussianFilter`.
        ShapeError: (on use) another shape.

    Source: Canny, "A computational approach to edge detection", PAMI 8, 1986.

    Example:
        >>> import pydl
        >>> image = pydl.zeros(1, 1, 8, 8)
        >>> image[..., 4:] = 1.0
        >>> magnitude, edges = pydl.vision.filters.Canny()(image)
        >>> edges[0, 0, 4].sum() >= 1
        tensor(True)
    """

    def __init__(
        self,
        low_threshold: float = 0.1,
        high_threshold: float = 0.2,
        kernel_size: Any = 5,
        sigma: float = 1.0,
        hysteresis: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= low_threshold <= high_threshold:
            raise ValueError(
                "Canny: thresholds must be 0 <= low_threshold <= high_threshold, got "
                f"{low_threshold} and {high_threshold}"
            )
        self.low_threshold = low_threshold
        self.high_threshold = high_threshold
        self.hysteresis = hysteresis
        self.smooth = GaussianFilter(kernel_size, sigma)
        self.gradient = Sobel()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitude and edges."""
        check_images("Canny", x, filled=True)
        if x.shape[1] not in (1, 3):
            raise pydl.ShapeError(f"Canny: x must have shape (N, 1 or 3, H, W), got {tuple(x.shape)}")
        if x.shape[1] == 3:
            x = 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
        gradient = self.gradient(self.smooth(x))
        # One pixel around without gradient: a flat pixel never beats it
        around = (F.pad(gradient, [1, 1, 1, 1]).square().sum(dim=2) + _EPS).sqrt()
        magnitude = around[:, :, 1:-1, 1:-1]
        magnitude = pydl.where(self._ridge(around.detach(), gradient.detach()), magnitude, 0.0)
        with pydl.no_grad():
            edges = self._edges(magnitude.detach())
        return magnitude, edges

    def _ridge(self, around: Tensor, gradient: Tensor) -> Tensor:
        """Where the magnitude exceeds its neighbours along the gradient, in the nearest of four directions."""
        height, width = around.shape[2] - 2, around.shape[3] - 2

        def seen(down: int, right: int) -> Tensor:
            return around[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]

        magnitude = seen(0, 0)
        direction = (pydl.atan2(gradient[:, :, 1], gradient[:, :, 0]) * (4 / math.pi)).round() % 4
        ridge = pydl.zeros_like(magnitude, dtype=pydl.bool)
        for k, (dy, dx) in enumerate(_STEPS):
            before, behind = seen(-dy, -dx), seen(dy, dx)
            # The neighbours along a diagonal are two lines apart: what ties there is no edge between two pixels
            beyond = magnitude > behind if dy and dx else magnitude >= behind
            ridge = ridge | ((direction == k) & (magnitude > before) & beyond)
        return ridge & (magnitude > around[:, :, :1, :1])

    def _edges(self, magnitude: Tensor) -> Tensor:
        strong = (magnitude > self.high_threshold).to(magnitude.dtype)
        weak = (magnitude > self.low_threshold).to(magnitude.dtype)
        if not self.hysteresis:
            return 0.5 * weak + 0.5 * strong
        while True:
            # All weak pixels beside an edge become one, until none does
            grown = F.max_pool2d(strong, 3, stride=1, padding=1) * weak
            if grown.equal(strong):
                return strong
            strong = grown

    def extra_repr(self) -> str:
        return f"low_threshold={self.low_threshold}, high_threshold={self.high_threshold}, hysteresis={self.hysteresis}"
