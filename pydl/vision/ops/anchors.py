"""Anchors, the offsets of boxes from them, and who matches whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import ShapeError, Tensor
from pydl.nn import Module
from pydl.vision.ops._checks import check_boxes


class AnchorGenerator(Module):
    """Boxes around every cell of feature maps: width size/sqrt(ratio), height size*sqrt(ratio), rounded, centred on
    multiples of the stride (image size // map size).

    forward(image_list, feature_maps) -> list of (A, 4), one per image; within a level the order is y, x, then ratio,
    then size. `image_list` has `.tensors` (N, C, H, W) and `.image_sizes`, or is a tensor (N, C, H, W). One tuple of
    sizes and ratios per level. Ren et al., "Faster R-CNN", 2015. Raises ValueError if the number of levels is another.

    Example:
        >>> anchors = pydl.vision.ops.AnchorGenerator(((8,),), ((1.0,),))
        >>> anchors(pydl.zeros(1, 3, 32, 32), [pydl.zeros(1, 4, 2, 2)])[0][:2]
        tensor([[-4., -4.,  4.,  4.],
                [12., -4., 20.,  4.]])
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[float]] = ((128, 256, 512),),
        aspect_ratios: Sequence[Sequence[float]] = ((0.5, 1.0, 2.0),),
    ) -> None:
        super().__init__()
        for name, given in (("sizes", sizes), ("aspect_ratios", aspect_ratios)):
            if not isinstance(given, (list, tuple)) or not given:
                raise ValueError(f"AnchorGenerator: {name} must be a sequence with one entry per map, got {given!r}")
        if not isinstance(sizes[0], (list, tuple)):
            sizes = tuple((s,) for s in sizes)  # type: ignore[misc]
        if not isinstance(aspect_ratios[0], (list, tuple)):
            aspect_ratios = (aspect_ratios,) * len(sizes)  # type: ignore[assignment]
        self.sizes, self.aspect_ratios = sizes, aspect_ratios
        self.cell_anchors = [self.generate_anchors(s, a) for s, a in zip(sizes, aspect_ratios)]

    def generate_anchors(self, scales: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
        """Anchors (ratios * sizes, 4) around the origin."""
        sides = pydl.tensor([float(s) for s in scales])
        tall = pydl.tensor([float(a) for a in aspect_ratios]).sqrt()
        widths, heights = ((f[:, None] * sides[None, :]).reshape(-1) for f in (1 / tall, tall))
        return (pydl.stack([-widths, -heights, widths, heights], 1) / 2).round()

    def num_anchors_per_location(self) -> list[int]:
        return [len(s) * len(a) for s, a in zip(self.sizes, self.aspect_ratios)]

    def _level(self, anchors: Tensor, size: Sequence[int], stride: tuple[int, int], dtype: pydl.dtype) -> Tensor:
        ys, xs = (pydl.arange(n, dtype=dtype) * s for n, s in zip(size, stride))
        y, x = (t.reshape(-1) for t in pydl.meshgrid(ys, xs, indexing="ij"))
        shifts = pydl.stack([x, y, x, y], 1)
        return (shifts[:, None] + anchors.to(dtype)[None]).reshape(-1, 4)

    def forward(self, image_list: Any, feature_maps: list[Tensor]) -> list[Tensor]:
        images = image_list if isinstance(image_list, Tensor) else image_list.tensors
        if len(feature_maps) != len(self.cell_anchors):
            raise ValueError(
                f"AnchorGenerator(): there are sizes for {len(self.cell_anchors)} levels, got {len(feature_maps)} maps"
            )
        height, width = images.shape[-2:]
        levels = []
        for anchors, m in zip(self.cell_anchors, feature_maps):
            size = m.shape[-2:]
            stride = (height // max(size[0], 1), width // max(size[1], 1))
            levels.append(self._level(anchors, size, stride, feature_maps[0].dtype))
        count = images.shape[0] if isinstance(image_list, Tensor) else len(image_list.image_sizes)
        return [pydl.cat(levels) for _ in range(count)]


class BoxCoder:
    """Offsets between boxes and references: (wx dx/w, wy dy/h, ww log(w'/w), wh log(h'/h)) of centres and sizes.

    Girshick et al., "Rich feature hierarchies", 2014. When decoding, dw and dh are capped at `bbox_xform_clip`.
    Raises ShapeError for boxes that are not (N, 4).

    Example:
        >>> coder = pydl.vision.ops.BoxCoder((1.0, 1.0, 1.0, 1.0))
        >>> box, reference = pydl.tensor([[1., 1., 5., 5.]]), pydl.tensor([[0., 0., 4., 4.]])
        >>> codes = coder.encode_single(box, reference)
        >>> codes, coder.decode_single(codes, reference)
        (tensor([[0.2500, 0.2500, 0.0000, 0.0000]]), tensor([[1., 1., 5., 5.]]))
    """

    def __init__(
        self, weights: tuple[float, float, float, float], bbox_xform_clip: float = math.log(1000.0 / 16)
    ) -> None:
        self.weights, self.bbox_xform_clip = weights, bbox_xform_clip

    def encode(self, reference_boxes: list[Tensor], proposals: list[Tensor]) -> list[Tensor]:
        """Codes of each image's boxes (k_i, 4) with respect to its proposals."""
        codes = self.encode_single(pydl.cat(list(reference_boxes)), pydl.cat(list(proposals)))
        return list(codes.split([len(b) for b in reference_boxes]))

    def encode_single(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        """Codes (N, 4) of boxes (N, 4) with respect to proposals (N, 4)."""
        check_boxes("BoxCoder.encode_single", reference_boxes, "reference_boxes")
        check_boxes("BoxCoder.encode_single", proposals, "proposals")
        sizes, goal = (b[:, 2:] - b[:, :2] for b in (proposals, reference_boxes))
        shift = (reference_boxes[:, :2] + 0.5 * goal - proposals[:, :2] - 0.5 * sizes) / sizes
        weights = pydl.tensor(self.weights, dtype=reference_boxes.dtype)
        return pydl.cat([shift, (goal / sizes).log()], 1) * weights

    def decode(self, rel_codes: Tensor, boxes: Sequence[Tensor]) -> Tensor:
        """Boxes (sum, k, 4) from codes (sum, 4*k) and each image's references (k_i, 4)."""
        if isinstance(boxes, Tensor):
            raise TypeError("BoxCoder.decode(): boxes must be a list of tensors")
        references = pydl.cat(list(boxes))
        count = references.shape[0]
        decoded = self.decode_single(rel_codes.reshape(count, -1) if count else rel_codes, references)
        return decoded.reshape(count, decoded.shape[1] // 4, 4)

    def decode_single(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """Boxes (N, 4*k) from codes (N, 4*k) and references (N, 4)."""
        check_boxes("BoxCoder.decode_single", boxes)
        if rel_codes.ndim != 2 or rel_codes.shape[1] % 4 or rel_codes.shape[0] != boxes.shape[0]:
            raise ShapeError(
                f"BoxCoder.decode_single(): rel_codes must have sizes ({boxes.shape[0]}, 4*k), "
                f"got {tuple(rel_codes.shape)}"
            )
        boxes = boxes.to(rel_codes.dtype)
        sizes = (boxes[:, 2:] - boxes[:, :2])[:, None]
        centres = boxes[:, None, :2] + 0.5 * sizes
        weights = pydl.tensor(self.weights, dtype=rel_codes.dtype)
        codes = rel_codes.reshape(boxes.shape[0], rel_codes.shape[1] // 4, 4) / weights
        middle = codes[..., :2] * sizes + centres
        half = 0.5 * (codes[..., 2:].clamp(max=self.bbox_xform_clip).exp() * sizes)
        return pydl.cat([middle - half, middle + half], 2).reshape(rel_codes.shape)


class Matcher:
    """From qualities (truths, predictions) to the index of each prediction's best truth, int64 (predictions,): -1
    where it is below `low_threshold`, -2 where it is between the thresholds.

    `allow_low_quality_matches`: each truth also keeps the predictions that tie for its own best quality. Raises
    ValueError for thresholds in the wrong order, no truths or no predictions.

    Example:
        >>> matcher = pydl.vision.ops.Matcher(0.7, 0.3)
        >>> matcher(pydl.tensor([[0.9, 0.1, 0.2], [0.2, 0.5, 0.1]]))
        tensor([ 0, -2, -1])
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(self, high_threshold: float, low_threshold: float, allow_low_quality_matches: bool = False) -> None:
        if low_threshold > high_threshold:
            raise ValueError(
                f"Matcher(): low_threshold must not exceed high_threshold, got {low_threshold} and {high_threshold}"
            )
        self.high_threshold, self.low_threshold = high_threshold, low_threshold
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        if match_quality_matrix.ndim != 2:
            raise ShapeError(
                f"Matcher(): qualities must have sizes (truths, predictions), got {tuple(match_quality_matrix.shape)}"
            )
        if match_quality_matrix.numel() == 0:
            missing = "ground-truth" if match_quality_matrix.shape[0] == 0 else "proposal"
            raise ValueError(f"No {missing} boxes available for one of the images during training")
        quality, best = match_quality_matrix.max(0)
        matches = best.clone()
        matches[quality < self.low_threshold] = self.BELOW_LOW_THRESHOLD
        matches[(quality >= self.low_threshold) & (quality < self.high_threshold)] = self.BETWEEN_THRESHOLDS
        if self.allow_low_quality_matches:
            self._keep_best_of_each_truth(matches, best, match_quality_matrix)
        return matches

    def _keep_best_of_each_truth(self, matches: Tensor, best: Tensor, quality: Tensor) -> None:
        ties = (quality == quality.max(1, keepdim=True)[0]).any(0)
        matches[ties] = best[ties]
