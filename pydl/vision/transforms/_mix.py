"""Mixtures of the images of a batch, and batches of changing size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pydl
from pydl import Tensor
from pydl.nn import functional as nnF
from pydl.utils.data import default_collate
from pydl.vision import tv_tensors
from pydl.vision.transforms import functional as F
from pydl.vision.transforms._base import Transform, flatten, image_size, is_pil, labels_getter, whole

__all__ = ["CutMix", "MixUp", "MultiScaleBatch"]


class _Mixture(Transform):
    """Rolls the batch by one and mixes images and labels with it."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default") -> None:
        super().__init__()
        if not alpha > 0:
            raise ValueError(f"{type(self).__name__}: alpha must be positive, got {alpha}")
        self.alpha = float(alpha)
        self.num_classes = num_classes
        self.labels_getter = labels_getter

    def _share(self) -> float:
        from pydl.distributions import Beta

        return float(Beta(self.alpha, self.alpha).sample().item())

    def _checked_labels(self, labels: Any) -> Tensor:
        name = type(self).__name__
        if not isinstance(labels, Tensor):
            raise ValueError(f"{name}: the labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError(f"{name}: labels must be (N,) or (N, classes), got {tuple(labels.shape)}")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ValueError(f"{name}: labels have {labels.shape[1]} classes, num_classes is {self.num_classes}")
        return labels

    def forward(self, *inputs: Any) -> Any:
        """The mixed batch; labels become shares of classes, (N, classes)."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        leaves, rebuild = flatten(sample)
        without = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)
        if any(is_pil(leaf) or isinstance(leaf, without) for leaf in leaves):
            raise ValueError(
                f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints and masks."
            )
        labels = self._checked_labels(labels_getter(self.labels_getter)(sample))
        chosen = [yes and leaf is not labels for leaf, yes in zip(leaves, self._needs_transform_list(leaves))]
        images = [leaf for leaf, yes in zip(leaves, chosen) if yes]
        for image in images:
            if image.ndim != (5 if isinstance(image, tv_tensors.Video) else 4) or len(image) != len(labels):
                raise ValueError(
                    f"{type(self).__name__}: images must be (N, C, H, W) with N = {len(labels)} as the labels, got "
                    f"{tuple(image.shape)}"
                )
        params = self.make_params(images)
        made = []
        for leaf, yes in zip(leaves, chosen):
            if leaf is labels:
                leaf = self._mixed_labels(leaf, params["share"])
            elif yes:
                mixed = self.transform(leaf.as_subclass(Tensor), params)
                leaf = tv_tensors.wrap(mixed, like=leaf) if isinstance(leaf, tv_tensors.TVTensor) else mixed
            made.append(leaf)
        return rebuild(made)

    def _mixed_labels(self, labels: Tensor, share: float) -> Tensor:
        if labels.ndim == 1 and self.num_classes is not None:
            labels = nnF.one_hot(labels, self.num_classes)
        labels = labels if labels.is_floating_point() else labels.float()
        return labels.roll(1, 0) * (1.0 - share) + labels * share


class MixUp(_Mixture):
    """``share * image + (1 - share) * other image``, and the labels likewise, with a share of Beta(alpha, alpha).

    Args:
        alpha: Default: 1.
        num_classes: needed for labels (N,).
        labels_getter: finds the labels of a batch. Default: the second of a pair, or a key with "label" in it.

    Raises:
        ValueError: labels or images of other shapes, Pillow images, boxes, masks.

    Source: Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> images, labels = v2.MixUp(num_classes=3)(pydl.zeros(2, 1, 4, 4), pydl.tensor([0, 2]))
        >>> labels.sum(1).tolist()
        [1.0, 1.0]
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The share."""
        return {"share": self._share()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The mixed images."""
        return inpt.roll(1, 0) * (1.0 - params["share"]) + inpt * params["share"]


class CutMix(_Mixture):
    """A random rectangle of each image comes from another; labels are mixed by area.

    Args:
        alpha, num_classes, labels_getter: as :class:`MixUp`.

    Raises:
        ValueError: labels or images of other shapes, Pillow images, boxes, masks.

    Source: Yun et al., "CutMix: Regularization strategy to train strong classifiers", ICCV 2019.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> images, labels = v2.CutMix(num_classes=3)(pydl.zeros(2, 1, 4, 4), pydl.tensor([0, 2]))
        >>> images.shape, labels.shape
        (torch.Size([2, 1, 4, 4]), torch.Size([2, 3]))
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The rectangle and the share that stays."""
        height, width = image_size(flat_inputs)
        half = 0.5 * (1.0 - self._share()) ** 0.5
        spans = []
        for length in (height, width):
            centre, reach = whole(0, length), int(half * length)
            spans.append((max(centre - reach, 0), min(centre + reach, length)))
        (y1, y2), (x1, x2) = spans
        return {"box": (y1, y2, x1, x2), "share": 1.0 - (x2 - x1) * (y2 - y1) / (width * height)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The mixed images."""
        y1, y2, x1, x2 = params["box"]
        made = inpt.clone()
        made[..., y1:y2, x1:x2] = inpt.roll(1, 0)[..., y1:y2, x1:x2]
        return made


class MultiScaleBatch:
    """Collate function that resizes each batch to a size which changes every few batches.

    The samples are (image (C, H, W), target). Images become (N, C, h, w), bilinear with antialias; of dict targets the
    boxes under ``"boxes"`` and the masks under ``"masks"`` are scaled along.

    Args:
        sizes: of squares, or (height, width).
        every: batches of one size. Default: 10.
        order: ``"random"`` (default): drawn anew every time; ``"cycle"``: one after the other.
        collate_fn: puts targets together. Default: ``default_collate``; a list if the targets are dicts with boxes or
            masks, whose numbers differ.
        generator: of the random numbers. Default: pydl's own.

    With several workers each counts its own batches.

    Raises:
        ValueError: no or other sizes, ``every`` below 1, another order. ShapeError: (on use) images that are not
        (C, H, W).

    Source: Redmon and Farhadi, "YOLO9000: Better, faster, stronger", CVPR 2017.

    Example:
        >>> import pydl
        >>> collate = pydl.vision.transforms.MultiScaleBatch([8, 16], every=1, order="cycle")
        >>> batch = [(pydl.zeros(3, 10, 10), 0), (pydl.zeros(3, 12, 9), 1)]
        >>> [tuple(collate(batch)[0].shape) for _ in range(3)]
        [(2, 3, 8, 8), (2, 3, 16, 16), (2, 3, 8, 8)]
    """

    def __init__(
        self,
        sizes: Sequence[int | tuple[int, int]],
        every: int = 10,
        order: Literal["random", "cycle"] = "random",
        collate_fn: Callable[[list[Any]], Any] | None = None,
        generator: Any = None,
    ) -> None:
        self.sizes = [(size, size) if isinstance(size, int) else tuple(size) for size in sizes]
        if not self.sizes or any(len(size) != 2 or min(size) < 1 for size in self.sizes):
            raise ValueError(f"MultiScaleBatch: sizes must be positive numbers or pairs of them, got {sizes}")
        if every < 1:
            raise ValueError(f"MultiScaleBatch: every must be at least 1, got {every}")
        if order not in ("random", "cycle"):
            raise ValueError(f"MultiScaleBatch: order must be 'random' or 'cycle', got {order!r}")
        self.every = every
        self.order = order
        self.collate_fn = collate_fn
        self.generator = generator
        self._batches = 0
        self._current = 0

    def _size(self) -> tuple[int, ...]:
        turn, within = divmod(self._batches, self.every)
        self._batches += 1
        if self.order == "cycle":
            return self.sizes[turn % len(self.sizes)]
        if within == 0:
            self._current = int(pydl.randint(len(self.sizes), (), generator=self.generator).item())
        return self.sizes[self._current]

    def __call__(self, batch: list[Any]) -> Any:
        """Images (N, C, h, w) and the collated targets."""
        size = list(self._size())
        images, targets = [], []
        for image, target in batch:
            if not isinstance(image, Tensor) or image.dim() != 3:
                got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
                raise pydl.ShapeError(f"MultiScaleBatch: images must be tensors (C, H, W), got {got}")
            images.append(F.resize(image.as_subclass(Tensor), size))
            targets.append(self._scaled(target, image.shape[1:], size))
        return pydl.stack(images), self._collated(targets)

    def _collated(self, targets: list[Any]) -> Any:
        if self.collate_fn is not None:
            return self.collate_fn(targets)
        if isinstance(targets[0], Mapping) and {"boxes", "masks"} & set(targets[0]):
            return targets
        return default_collate(targets)

    def _scaled(self, target: Any, old: Any, size: list[int]) -> Any:
        if not isinstance(target, Mapping):
            return target
        made = dict(target)
        if "boxes" in made:
            boxes = made["boxes"]
            if isinstance(boxes, tv_tensors.BoundingBoxes):
                made["boxes"] = F.resize(boxes, size)
            else:
                values = boxes if boxes.is_floating_point() else boxes.float()
                made["boxes"] = values * pydl.tensor([size[1] / old[1], size[0] / old[0]] * 2, dtype=values.dtype)
        if "masks" in made:
            masks = made["masks"]
            resized = F.resize(tv_tensors.Mask(masks), size)
            made["masks"] = resized if isinstance(masks, tv_tensors.Mask) else resized.as_subclass(Tensor)
        return made
