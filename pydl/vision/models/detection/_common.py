"""What detectors share: the frame around a network, sampling, codes, the choice of candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import ShapeError, Tensor, nn
from pydl.vision.models.detection.image_list import ImageList
from pydl.vision.models.detection.transform import GeneralizedRCNNTransform, Target
from pydl.vision.ops import Matcher, batched_nms, box_iou, clip_boxes_to_image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NO_MATCH = Matcher.BELOW_LOW_THRESHOLD


def make_transform(
    min_size: int | Sequence[int],
    max_size: int,
    image_mean: Sequence[float] | None,
    image_std: Sequence[float] | None,
    **options: Any,
) -> GeneralizedRCNNTransform:
    """With ImageNet's statistics where there are no others."""
    mean = IMAGENET_MEAN if image_mean is None else image_mean
    std = IMAGENET_STD if image_std is None else image_std
    return GeneralizedRCNNTransform(min_size, max_size, mean, std, **options)


class Detector(nn.Module):
    """The frame of all detectors: model(images, targets) gives a dict of losses in training and a list of dicts in
    eval mode.

    A subclass has `backbone`, `transform`, and answers `losses` and `detect`.

    Example:
        >>> import pydl
        >>> issubclass(pydl.vision.models.detection.RetinaNet, pydl.vision.models.detection.Detector)
        True
    """

    backbone: nn.Module
    transform: GeneralizedRCNNTransform

    def losses(self, images: ImageList, features: dict[str, Tensor], targets: list[Target]) -> dict[str, Tensor]:
        raise NotImplementedError

    def detect(self, images: ImageList, features: dict[str, Tensor]) -> list[Target]:
        raise NotImplementedError

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> Any:
        name = type(self).__name__
        if not len(images):
            raise ValueError(f"{name}(): images must not be empty")
        if not self.training:
            targets = None  # they make losses alone
        elif targets is None:
            raise ValueError(f"{name}(): targets must be given in training mode")
        else:
            check_targets(name, targets, len(images))
        original = [(int(i.shape[-2]), int(i.shape[-1])) for i in images]
        batch, moved = self.transform(images, targets)
        features = self.backbone(batch.tensors)
        if isinstance(features, Tensor):
            features = {"0": features}
        if self.training:
            return self.losses(batch, features, moved)
        return self.transform.postprocess(self.detect(batch, features), batch.image_sizes, original)


def check_targets(name: str, targets: Sequence[Target], count: int) -> None:
    """Raises unless there is a dict with boxes (K, 4) of positive size and int64 labels (K,) for each image."""
    if len(targets) != count:
        raise ValueError(f"{name}(): there are {count} images, got {len(targets)} targets")
    for i, target in enumerate(targets):
        for key in ("boxes", "labels"):
            if not isinstance(target.get(key), Tensor):
                raise ValueError(f"{name}(): target {i} must have a tensor {key!r}")
        boxes, labels = target["boxes"], target["labels"]
        if boxes.ndim != 2 or boxes.shape[1] != 4 or tuple(labels.shape) != (boxes.shape[0],):
            raise ShapeError(
                f"{name}(): target {i} must have boxes (K, 4) and labels (K,), "
                f"got {tuple(boxes.shape)} and {tuple(labels.shape)}"
            )
        if not boxes.is_floating_point() or labels.dtype != pydl.int64:
            raise TypeError(
                f"{name}(): target {i} must have floating-point boxes and int64 labels, "
                f"got {boxes.dtype} and {labels.dtype}"
            )
        bad = ~(boxes[:, 2:] > boxes[:, :2]).all(1)
        if bad.any():
            box = boxes[bad.nonzero()[0, 0]].tolist()
            raise ValueError(f"{name}(): boxes must have positive width and height, got {box} in target {i}")


class BalancedPositiveNegativeSampler:
    """Draws up to `batch_size_per_image` elements, at most `positive_fraction` of them positive.

    Called with labels per image (>= 1 positive, 0 negative, -1 ignored) it returns two lists of masks.

    Example:
        >>> import pydl
        >>> sample = pydl.vision.models.detection.BalancedPositiveNegativeSampler(2, 0.5)
        >>> positive, negative = sample([pydl.tensor([1, -1, 0])])
        >>> positive[0], negative[0]
        (tensor([ True, False, False]), tensor([False, False,  True]))
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float) -> None:
        self.batch_size_per_image, self.positive_fraction = batch_size_per_image, positive_fraction

    def __call__(self, labels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        masks: tuple[list[Tensor], list[Tensor]] = ([], [])
        for label in labels:
            room = int(self.batch_size_per_image * self.positive_fraction)
            for mask, group in zip(masks, (label >= 1, label == 0)):
                members = group.nonzero().reshape(-1)
                chosen = members[pydl.randperm(len(members))[: max(room, 0)]]
                selected = pydl.zeros(label.shape, dtype=pydl.bool)
                selected[chosen] = True
                mask.append(selected)
                room = self.batch_size_per_image - len(chosen)
        return masks


class BoxLinearCoder:
    """Distances from a reference's centre to the four sides of a box (Tian et al., "FCOS", 2019), in sides of the
    reference if `normalize_by_size`. Boxes and references (..., 4).

    Example:
        >>> import pydl
        >>> coder = pydl.vision.models.detection.BoxLinearCoder()
        >>> coder.encode(pydl.tensor([0., 0., 2., 2.]), pydl.tensor([0., 0., 4., 2.]))
        tensor([0.5000, 0.5000, 1.5000, 0.5000])
    """

    def __init__(self, normalize_by_size: bool = True) -> None:
        self.normalize_by_size = normalize_by_size

    def _frame(self, references: Tensor) -> tuple[Tensor, Tensor]:
        low, high = references[..., :2], references[..., 2:]
        size = pydl.cat([high - low, high - low], -1) if self.normalize_by_size else pydl.ones_like(references)
        return 0.5 * (low + high), size

    def encode(self, references: Tensor, boxes: Tensor) -> Tensor:
        centre, size = self._frame(references)
        return pydl.cat([centre - boxes[..., :2], boxes[..., 2:] - centre], -1) / size

    def decode(self, codes: Tensor, references: Tensor) -> Tensor:
        centre, size = self._frame(references.to(codes.dtype))
        distances = codes * size
        return pydl.cat([centre - distances[..., :2], centre + distances[..., 2:]], -1)


class SSDMatcher(Matcher):
    """A Matcher with one threshold where each truth also keeps its best prediction (Liu et al., "SSD", 2016).

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.SSDMatcher(0.5)(pydl.tensor([[0.1, 0.4], [0.7, 0.3]]))
        tensor([1, 0])
    """

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold, threshold)

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        matches = super().__call__(match_quality_matrix)
        best = match_quality_matrix.max(1)[1]
        matches[best] = pydl.arange(len(best))
        return matches


def match_anchors(matcher: Matcher, anchors: list[Tensor], targets: list[Target]) -> list[Tensor]:
    """For each image the truth of each anchor, negative without one."""
    found = []
    for a, t in zip(anchors, targets):
        if len(t["boxes"]):
            found.append(matcher(box_iou(t["boxes"], a)))
        else:
            found.append(pydl.full((len(a),), _NO_MATCH, dtype=pydl.int64))
    return found


def by_anchor(maps: Tensor, columns: int) -> Tensor:
    """What a head says of its anchors, (N, A*columns, H, W), as rows (N, H*W*A, columns)."""
    n, _, h, w = maps.shape
    return maps.reshape(n, -1, columns, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, columns)


Decode = Callable[[Tensor], Tensor]


def best_of_level(scores: Tensor, decode: Decode, threshold: float, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and labels of the `most` best of scores (A, K) above the threshold; decode(anchors' numbers)
    gives boxes."""
    flat = scores.reshape(-1)
    places = (flat > threshold).nonzero().reshape(-1)
    values, order = flat[places].topk(min(most, len(places)))
    places = places[order]
    return decode(places // scores.shape[1]), values, places % scores.shape[1]


def final_detections(
    parts: list[tuple[Tensor, Tensor, Tensor]], size: tuple[int, int], nms_thresh: float, most: int
) -> Target:
    """Boxes, scores and labels of levels or classes as one result: clipped, suppressed by class, the best of them."""
    boxes, scores, labels = (pydl.cat(p) for p in zip(*parts))
    boxes = clip_boxes_to_image(boxes, size)
    keep = batched_nms(boxes, scores, labels, nms_thresh)[:most]
    return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]}


def overwrite_eps(model: nn.Module, eps: float) -> None:
    """Sets eps of every FrozenBatchNorm2d; torchvision's first COCO files were trained with 0.

    Example:
        >>> import pydl
        >>> layer = pydl.vision.ops.FrozenBatchNorm2d(3)
        >>> pydl.vision.models.detection.overwrite_eps(layer, 0.0)
        >>> layer.eps
        0.0
    """
    from pydl.vision.ops import FrozenBatchNorm2d

    for m in model.modules():
        if isinstance(m, FrozenBatchNorm2d):
            m.eps = eps
