"""Derivatives of images."""

from __future__ import annotations

from typing import Literal

import pydl
from pydl import Tensor
from pydl.nn import Module
from pydl.vision.filters._windows import buffer, check_border, each_channel

__all__ = ["Laplacian", "Scharr", "Sobel"]


class _Gradient(Module):
    """Both derivatives by a 3x3 kernel [[-a, 0, a], [-b, 0, b], [-a, 0, a]] and its transpose."""

    kernel: Tensor
    _weights: tuple[int, int]

    def __init__(
        self, normalized: bool = False, magnitude: bool = False, eps: float = 1e-06, padding_mode: str = "replicate"
    ) -> None:
        super().__init__()
        check_border(type(self).__name__, padding_mode)
        self.normalized = normalized
        self.magnitude = magnitude
        self.eps = eps
        self.padding_mode = padding_mode
        a, b = self._weights
        across = buffer([[-a, 0, a], [-b, 0, b], [-a, 0, a]])
        kernels = pydl.stack([across, across.T])
        # Divided by the sum of the positive and the negative weights, the response to a step is the step
        self.register_buffer("kernel", kernels / (2 * (2 * a + b)) if normalized else kernels, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 2, H, W), by x and by y; (N, C, H, W) with ``magnitude``."""
        found = each_channel(type(self).__name__, x, self.kernel, self.padding_mode)
        return (found.square().sum(dim=2) + self.eps).sqrt() if self.magnitude else found

    def extra_repr(self) -> str:
        return f"normalized={self.normalized}, magnitude={self.magnitude}, padding_mode={self.padding_mode!r}"


class Sobel(_Gradient):
    """Correlates each channel with [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]] and its transpose.

    (N, C, H, W) -> (N, C, 2, H, W): d/dx, d/dy.

    Args:
        normalized: divide by 8. Default: ``False``.
        magnitude: give ``sqrt(gx^2 + gy^2 + eps)``, (N, C, H, W), instead. Default: ``False``.
        eps: keeps that differentiable at 0. Default: 1e-6.
        padding_mode: border ``'replicate'`` (default; SciPy's ``'nearest'``), ``'reflect'`` (the border not twice,
            SciPy's ``'mirror'``) or ``'zeros'``.

    Raises:
        ValueError: another border. ShapeError: (on use) input that is not (N, C, H, W) with pixels.

    Source: Sobel and Feldman, 1968; in Duda and Hart, "Pattern classification and scene analysis", 1973.

    Example:
        >>> import pydl
        >>> x = pydl.arange(4.0).expand(1, 1, 3, 4)
        >>> pydl.vision.filters.Sobel(normalized=True)(x)[0, 0, 0, 1]
        tensor([0.5000, 1.0000, 1.0000, 0.5000])
    """

    _weights = (1, 2)


class Scharr(_Gradient):
    """As :class:`Sobel` with [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], whose response depends less on direction.

    Args:
        normalized: divide by 32. Default: ``False``.
        magnitude, eps, padding_mode: as :class:`Sobel`.

    Raises:
        ValueError: another border. ShapeError: (on use) input that is not (N, C, H, W) with pixels.

    Source: Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", Heidelberg 2000.

    Example:
        >>> import pydl
        >>> pydl.vision.filters.Scharr()(pydl.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 2, 8, 8])
    """

    _weights = (3, 10)


class Laplacian(Module):
    """The 3x3 Laplacian of each channel; the shape (N, C, H, W) stays.

    Args:
        connectivity: 4 (default): [[0, 1, 0], [1, -4, 1], [0, 1, 0]]; 8: ones around -8.
        padding_mode: as :class:`Sobel`.

    Raises:
        ValueError: another connectivity or border. ShapeError: (on use) input that is not (N, C, H, W) with pixels.

    Source: Gonzalez and Woods, "Digital image processing", section 3.6.

    Example:
        >>> import pydl
        >>> x = pydl.zeros(1, 1, 3, 3)
        >>> x[0, 0, 1, 1] = 1.0
        >>> pydl.vision.filters.Laplacian()(x)[0, 0, 1]
        tensor([ 1., -4.,  1.])
    """

    kernel: Tensor

    def __init__(self, connectivity: Literal[4, 8] = 4, padding_mode: str = "replicate") -> None:
        super().__init__()
        check_border("Laplacian", padding_mode)
        if connectivity not in (4, 8):
            raise ValueError(f"Laplacian: connectivity must be 4 or 8, got {connectivity!r}")
        self.connectivity = connectivity
        self.padding_mode = padding_mode
        corner = int(connectivity == 8)
        kernel = buffer([[[corner, 1, corner], [1, -connectivity, 1], [corner, 1, corner]]])
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The second derivatives' sum."""
        return each_channel("Laplacian", x, self.kernel, self.padding_mode).squeeze(2)

    def extra_repr(self) -> str:
        return f"connectivity={self.connectivity}, padding_mode={self.padding_mode!r}"
