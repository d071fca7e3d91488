"""What images go through before the models that torchvision has trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import Module
from pydl.vision.transforms import functional as F
from pydl.vision.transforms.functional import InterpolationMode

__all__ = ["ImageClassification", "ObjectDetection", "SemanticSegmentation"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ObjectDetection(Module):
    """A Pillow image or tensor (..., C, H, W) as float32 in [0, 1].

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms._presets import ObjectDetection
        >>> ObjectDetection()(pydl.full((1, 1, 1), 255, dtype=pydl.uint8)).item()
        1.0
    """

    def forward(self, img: Any) -> Tensor:
        return F.convert_image_dtype(img if isinstance(img, Tensor) else F.pil_to_tensor(img), pydl.float32)


class SemanticSegmentation(ObjectDetection):
    """As :class:`ObjectDetection`, with the shorter side `resize_size` (None: as it is), normalised.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms._presets import SemanticSegmentation
        >>> SemanticSegmentation(resize_size=6)(pydl.zeros(3, 4, 8)).shape
        torch.Size([3, 6, 12])
    """

    def __init__(
        self,
        *,
        resize_size: int | None,
        mean: Sequence[float] = _MEAN,
        std: Sequence[float] = _STD,
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.resize_size = None if resize_size is None else [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def _sized(self, img: Any) -> Any:
        if self.resize_size is None:
            return img
        return F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)

    def forward(self, img: Any) -> Tensor:
        return F.normalize(super().forward(self._sized(img)), self.mean, self.std)

    def extra_repr(self) -> str:
        return f"resize_size={self.resize_size}, mean={self.mean}, std={self.std}, interpolation={self.interpolation}"


class ImageClassification(SemanticSegmentation):
    """As :class:`SemanticSegmentation`, with its other arguments, and the middle of `crop_size` of it.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms._presets import ImageClassification
        >>> ImageClassification(crop_size=224)(pydl.zeros(3, 300, 400)).shape
        torch.Size([3, 224, 224])
    """

    def __init__(self, *, crop_size: int, resize_size: int = 256, **options: Any) -> None:
        super().__init__(resize_size=resize_size, **options)
        self.crop_size = [crop_size]

    def _sized(self, img: Any) -> Any:
        return F.center_crop(super()._sized(img), self.crop_size)

    def extra_repr(self) -> str:
        return f"crop_size={self.crop_size}, {super().extra_repr()}"
