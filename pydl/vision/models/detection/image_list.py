"""Images of different sizes in one tensor."""

from __future__ import annotations

from dataclasses import dataclass

from pydl import Tensor


@dataclass
class ImageList:
    """`tensors` (N, C, H, W), padded on the right and below, and the sizes (H, W) of the images in it.

    Example:
        >>> import pydl
        >>> images = pydl.vision.models.detection.ImageList(pydl.zeros(1, 3, 8, 8), [(6, 7)])
        >>> images.image_sizes
        [(6, 7)]
    """

    tensors: Tensor
    image_sizes: list[tuple[int, int]]
