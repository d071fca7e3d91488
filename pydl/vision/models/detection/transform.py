"""What every detector does to images first and to results last: normalising, resizing, batching, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import ShapeError, Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models.detection.image_list import ImageList

Target = dict[str, Tensor]


def resize_boxes(boxes: Tensor, old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Boxes (K, 4) of an image of size `old` (H, W) in the image resized to `new`."""
    y, x = (pydl.tensor(float(n)) / pydl.tensor(float(o)) for n, o in zip(new, old))
    return boxes * pydl.stack([x, y, x, y]).to(boxes.dtype)


def resize_keypoints(keypoints: Tensor, old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Points (K, J, 3) of x, y, visibility of an image of size `old` (H, W) in the image resized to `new`."""
    y, x = (pydl.tensor(float(n)) / pydl.tensor(float(o)) for n, o in zip(new, old))
    return keypoints * pydl.stack([x, y, pydl.ones(())]).to(keypoints.dtype)


def paste_mask(mask: Tensor, box: Sequence[int], height: int, width: int) -> Tensor:
    """A mask (M, M) of a box in whole pixels, corners included, as a mask (height, width)."""
    left, top, right, bottom = box
    size = (max(bottom - top + 1, 1), max(right - left + 1, 1))
    resized = F.interpolate(mask[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    out = pydl.zeros(height, width, dtype=mask.dtype)
    x0, x1, y0, y1 = max(left, 0), min(right + 1, width), max(top, 0), min(bottom + 1, height)
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = resized[y0 - top : y1 - top, x0 - left : x1 - left]
    return out


def paste_masks(masks: Tensor, boxes: Tensor, size: tuple[int, int], padding: int = 1) -> Tensor:
    """Masks (K, 1, M, M) of boxes (K, 4) as masks (K, 1, H, W) of the image (He et al., "Mask R-CNN", 2017)."""
    if not len(masks):
        return masks.new_zeros(0, 1, *size)
    scale = (masks.shape[-1] + 2 * padding) / masks.shape[-1]
    masks = F.pad(masks, (padding,) * 4)
    centres, half = (boxes[:, 2:] + boxes[:, :2]) * 0.5, (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale
    whole = pydl.cat([centres - half, centres + half], 1).to(pydl.int64).tolist()
    return pydl.stack([paste_mask(m[0], box, *size) for m, box in zip(masks, whole)])[:, None]


class GeneralizedRCNNTransform(nn.Module):
    """Normalises images, resizes them (the shorter side to `min_size`, unless the longer one then exceeds `max_size`;
    of several sizes one at random in training), pads them to one size that `size_divisible` divides; moves targets
    along and results back.

    forward(images, targets=None) -> (ImageList, targets). `fixed_size` (W, H) resizes to that. Raises ShapeError for
    images that are not (C, H, W), TypeError for integers.

    Example:
        >>> import pydl
        >>> transform = pydl.vision.models.detection.GeneralizedRCNNTransform(32, 64, [0.5] * 3, [0.5] * 3)
        >>> images, _ = transform([pydl.zeros(3, 16, 24)])
        >>> images.tensors.shape, images.image_sizes
        (torch.Size([1, 3, 32, 64]), [(32, 48)])
    """

    def __init__(
        self,
        min_size: int | Sequence[int],
        max_size: int,
        image_mean: Sequence[float],
        image_std: Sequence[float],
        size_divisible: int = 32,
        fixed_size: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self._skip_resize = kwargs.pop("_skip_resize", False)
        if kwargs:
            raise TypeError(f"GeneralizedRCNNTransform(): unknown arguments {sorted(kwargs)}")
        self.min_size = (min_size,) if isinstance(min_size, int) else tuple(min_size)
        self.max_size, self.size_divisible, self.fixed_size = max_size, size_divisible, fixed_size
        self.image_mean, self.image_std = image_mean, image_std

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[Target] | None = None
    ) -> tuple[ImageList, list[Target] | None]:
        moved = [dict(t) for t in targets] if targets is not None else None
        resized: list[Tensor] = []
        for i, image in enumerate(images):
            if image.ndim != 3:
                raise ShapeError(f"images must be tensors (C, H, W), got sizes {tuple(image.shape)}")
            resized.append(self.resize(self.normalize(image), moved[i] if moved is not None else None))
        sizes = [(int(i.shape[1]), int(i.shape[2])) for i in resized]
        return ImageList(self.batch_images(resized), sizes), moved

    def normalize(self, image: Tensor) -> Tensor:
        if not image.is_floating_point():
            raise TypeError(f"images must be floating-point in [0, 1], got {image.dtype}")
        mean, std = (pydl.tensor(list(v), dtype=image.dtype)[:, None, None] for v in (self.image_mean, self.image_std))
        return (image - mean) / std

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if self.fixed_size is not None:
            return self.fixed_size[1], self.fixed_size[0]
        shorter = self.min_size[-1]
        if self.training:
            shorter = self.min_size[int(pydl.randint(len(self.min_size), (1,)).item())]
        scale = min(shorter / min(height, width), self.max_size / max(height, width))
        return math.floor(height * scale), math.floor(width * scale)

    def resize(self, image: Tensor, target: Target | None) -> Tensor:
        """The image in its new size; the target is changed in place."""
        old = (int(image.shape[1]), int(image.shape[2]))
        if self.training and self._skip_resize:
            return image
        new = self._size(*old)
        image = F.interpolate(image[None], size=new, mode="bilinear", align_corners=False)[0]
        if target is not None:
            if "masks" in target:
                target["masks"] = F.interpolate(target["masks"][:, None].float(), size=new)[:, 0].to(pydl.uint8)
            target["boxes"] = resize_boxes(target["boxes"], old, new)
            if "keypoints" in target:
                target["keypoints"] = resize_keypoints(target["keypoints"], old, new)
        return image

    def batch_images(self, images: list[Tensor]) -> Tensor:
        sides = [max(int(i.shape[d]) for i in images) for d in (1, 2)]
        height, width = (-(-s // self.size_divisible) * self.size_divisible for s in sides)
        batch = images[0].new_zeros(len(images), images[0].shape[0], height, width)
        for place, image in zip(batch, images):
            place[:, : image.shape[1], : image.shape[2]] = image
        return batch

    def postprocess(
        self, result: list[Target], image_shapes: list[tuple[int, int]], original: list[tuple[int, int]]
    ) -> list[Target]:
        """Results in the coordinates of the original images."""
        for found, new, old in zip(result, image_shapes, original):
            found["boxes"] = resize_boxes(found["boxes"], new, old)
            if "masks" in found:
                found["masks"] = paste_masks(found["masks"], found["boxes"], old)
            if "keypoints" in found:
                found["keypoints"] = resize_keypoints(found["keypoints"], new, old)
        return result

    def extra_repr(self) -> str:
        return f"mean={self.image_mean}, std={self.image_std}, min_size={self.min_size}, max_size={self.max_size}"
