"""Boxes: conversion, overlap and its losses, suppression."""

from __future__ import annotations

import math
from typing import Literal

import pydl
from pydl import ShapeError, Tensor
from pydl.vision.ops._checks import check_boxes, reduced
from pydl.vision.ops._rotated import rotated_iou

_FORMATS = ("xyxy", "xywh", "cxcywh")
_ROTATED = {"xywhr": 5, "cxcywhr": 5, "xyxyxyxy": 8}


def _check_format(name: str, argument: str, value: str) -> None:
    if value not in _FORMATS:
        raise ValueError(f"{name}(): {argument} must be one of {_FORMATS}, got {value!r}")


def _wide(boxes: Tensor) -> Tensor:
    """In a dtype whose products do not overflow."""
    if boxes.is_floating_point():
        return boxes if boxes.dtype in (pydl.float32, pydl.float64) else boxes.float()
    return boxes if boxes.dtype in (pydl.int32, pydl.int64) else boxes.to(pydl.int32)


def _floating(boxes: Tensor) -> Tensor:
    return _wide(boxes) if boxes.is_floating_point() else boxes.float()


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Areas (N,) of boxes (N, 4) in the format 'xyxy', 'xywh' or 'cxcywh'.

    Raises ShapeError unless boxes are (N, 4), ValueError for another format.

    Example:
        >>> pydl.vision.ops.box_area(pydl.tensor([[0., 0., 2., 3.]]))
        tensor([6.])
    """
    check_boxes("box_area", boxes)
    _check_format("box_area", "fmt", fmt)
    b = _wide(boxes)
    return (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) if fmt == "xyxy" else b[:, 2] * b[:, 3]


def _like(values: list[Tensor], boxes: Tensor) -> Tensor:
    """The columns in the boxes' dtype, integers rounded."""
    made = pydl.stack(values, -1)
    return made if boxes.is_floating_point() else made.round().to(boxes.dtype)


def _turned(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes with an angle, which turns the way along the width to (cos, -sin), along the height to (sin, cos)."""
    if in_fmt == "xyxyxyxy":
        x, y, x2, y2, x3, y3 = boxes.unbind(-1)[:6]
        r = pydl.atan2(y - y2, x2 - x) * (180 / math.pi)
        boxes = _like(
            [x, y, ((x2 - x) ** 2 + (y2 - y) ** 2).sqrt(), ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt(), r], boxes
        )
    x, y, w, h, r = boxes.unbind(-1)
    angle = r * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    right, down = w / 2 * cos + h / 2 * sin, h / 2 * cos - w / 2 * sin  # from the first corner to the centre
    if in_fmt == "cxcywhr":
        boxes = _like([x - right, y - down, w, h, r], boxes)
        x, y = boxes[:, 0], boxes[:, 1]
    if out_fmt == "xywhr":
        return boxes
    if out_fmt == "cxcywhr":
        return _like([x + right, y + down, w, h, r], boxes)
    across, along = (w * cos, -w * sin), (h * sin, h * cos)
    corners = [(x, y), (x + across[0], y + across[1])]
    corners += [(x + across[0] + along[0], y + across[1] + along[1]), (x + along[0], y + along[1])]
    return _like([value for corner in corners for value in corner], boxes)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """A copy of boxes (N, 4) in another format: 'xyxy' corners, 'xywh' corner and size, 'cxcywh' centre and size.

    Of boxes turned by degrees counter-clockwise: (N, 5) 'xywhr' first corner, size and angle, 'cxcywhr' centre, size
    and angle; (N, 8) 'xyxyxyxy' the corners from the upper left one clockwise.

    Raises ShapeError for boxes of another size, ValueError for another format, NotImplementedError between boxes with
    an angle and others.

    Example:
        >>> pydl.vision.ops.box_convert(pydl.tensor([[0., 0., 2., 4.]]), "xyxy", "cxcywh")
        tensor([[1., 2., 2., 4.]])
    """
    for argument, value in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if value not in _ROTATED:
            _check_format("box_convert", argument, value)
    if (in_fmt in _ROTATED) != (out_fmt in _ROTATED):
        raise NotImplementedError(f"box_convert(): there is no way from {in_fmt!r} to {out_fmt!r}")
    check_boxes("box_convert", boxes, columns=_ROTATED.get(in_fmt, 4))
    if in_fmt == out_fmt:
        return boxes.clone()
    if in_fmt in _ROTATED:
        return _turned(boxes, in_fmt, out_fmt)
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        c, d = c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return pydl.stack([a, b, c, d], -1)


class _Pairs:
    """Intersections, unions and hulls of boxes against boxes; `a` and `b` broadcast but for the last dim."""

    def __init__(self, a: Tensor, b: Tensor) -> None:
        self.a, self.b = a, b
        self.sizes_a = a[..., 2:] - a[..., :2]
        self.sizes_b = b[..., 2:] - b[..., :2]
        common = (pydl.minimum(a[..., 2:], b[..., 2:]) - pydl.maximum(a[..., :2], b[..., :2])).clamp(min=0)
        self.intersection = common[..., 0] * common[..., 1]
        areas = (s[..., 0] * s[..., 1] for s in (self.sizes_a, self.sizes_b))
        self.union = sum(areas) - self.intersection
        self.hull = pydl.maximum(a[..., 2:], b[..., 2:]) - pydl.minimum(a[..., :2], b[..., :2])

    def distance(self, eps: float) -> Tensor:
        """The centres' squared distance in squared diagonals of the hull."""
        diagonal = self.hull[..., 0] ** 2 + self.hull[..., 1] ** 2 + eps
        between = (self.a[..., :2] + self.a[..., 2:] - self.b[..., :2] - self.b[..., 2:]) / 2
        return (between[..., 0] ** 2 + between[..., 1] ** 2) / diagonal

    def aspect(self, iou: Tensor, eps: float) -> Tensor:
        """alpha * v of Zheng et al. 2020, with alpha as a constant."""
        angles = [pydl.atan(s[..., 0] / s[..., 1]) for s in (self.sizes_a, self.sizes_b)]
        v = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
        with pydl.no_grad():
            alpha = v / (1 - iou + v + eps)
        return alpha * v


def _all_pairs(name: str, boxes1: Tensor, boxes2: Tensor) -> _Pairs:
    check_boxes(name, boxes1, "boxes1")
    check_boxes(name, boxes2, "boxes2")
    return _Pairs(_floating(boxes1)[:, None], _floating(boxes2)[None])


def _rows(name: str, boxes1: Tensor, boxes2: Tensor) -> _Pairs:
    check_boxes(name, boxes1, "boxes1")
    check_boxes(name, boxes2, "boxes2")
    if boxes1.shape != boxes2.shape:
        raise ShapeError(
            f"{name}(): boxes1 and boxes2 must have the same sizes, got {tuple(boxes1.shape)}, {tuple(boxes2.shape)}"
        )
    return _Pairs(_floating(boxes1), _floating(boxes2))


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union of all pairs: boxes (N, 4) and (M, 4) give (N, M). Two empty boxes give NaN.

    With a format of `box_convert` that has an angle boxes are (N, 5) or (N, 8); empty ones then give 0.

    Raises ShapeError for boxes of another size, ValueError for another format.

    Example:
        >>> pydl.vision.ops.box_iou(pydl.tensor([[0., 0., 2., 2.]]), pydl.tensor([[0., 0., 2., 1.], [3., 3., 4., 4.]]))
        tensor([[0.5000, 0.0000]])
    """
    if fmt in _ROTATED:
        for argument, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
            check_boxes("box_iou", boxes, argument, _ROTATED[fmt])
        corners = [box_convert(_floating(boxes), fmt, "xyxyxyxy") for boxes in (boxes1, boxes2)]
        return rotated_iou(*corners)
    _check_format("box_iou", "fmt", fmt)
    check_boxes("box_iou", boxes1, "boxes1")
    check_boxes("box_iou", boxes2, "boxes2")
    if fmt != "xyxy":
        boxes1, boxes2 = box_convert(_floating(boxes1), fmt, "xyxy"), box_convert(_floating(boxes2), fmt, "xyxy")
    p = _all_pairs("box_iou", boxes1, boxes2)
    return p.intersection / p.union


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU less the share of the hull that no box covers, for all pairs: (N, 4) and (M, 4) give (N, M) in (-1, 1].

    Rezatofighi et al., "Generalized intersection over union", CVPR 2019. Raises ShapeError unless boxes are (N, 4).

    Example:
        >>> others = pydl.tensor([[1., 0., 2., 1.], [3., 0., 4., 1.]])
        >>> pydl.vision.ops.generalized_box_iou(pydl.tensor([[0., 0., 1., 1.]]), others)
        tensor([[ 0.0000, -0.5000]])
    """
    p = _all_pairs("generalized_box_iou", boxes1, boxes2)
    hull = p.hull[..., 0] * p.hull[..., 1]
    return p.intersection / p.union - (hull - p.union) / hull


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-07) -> Tensor:
    """IoU less the squared distance of the centres in diagonals of the hull, for all pairs: (N, 4) and (M, 4) give
    (N, M).

    Zheng et al., "Distance-IoU loss", AAAI 2020. Raises ShapeError unless boxes are (N, 4).

    Example:
        >>> pydl.vision.ops.distance_box_iou(pydl.tensor([[0., 0., 1., 1.]]), pydl.tensor([[1., 0., 2., 1.]]))
        tensor([[-0.2000]])
    """
    p = _all_pairs("distance_box_iou", boxes1, boxes2)
    return p.intersection / p.union - p.distance(eps)


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-07) -> Tensor:
    """distance_box_iou less a term for different aspect ratios, for all pairs: (N, 4) and (M, 4) give (N, M).

    Zheng et al., "Distance-IoU loss", AAAI 2020. Raises ShapeError unless boxes are (N, 4).

    Example:
        >>> pydl.vision.ops.complete_box_iou(pydl.tensor([[0., 0., 1., 1.]]), pydl.tensor([[0., 0., 1., 1.]]))
        tensor([[1.]])
    """
    p = _all_pairs("complete_box_iou", boxes1, boxes2)
    iou = p.intersection / p.union
    return iou - p.distance(eps) - p.aspect(iou, eps)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-07) -> Tensor:
    """1 - generalized IoU of matched rows of (N, 4) boxes: (N,), or a number with reduction 'mean' or 'sum' (0 for no
    boxes).

    Rezatofighi et al. 2019. Raises ShapeError unless both are (N, 4), ValueError for another reduction.

    Example:
        >>> pydl.vision.ops.generalized_box_iou_loss(pydl.tensor([[0., 0., 1., 1.]]), pydl.tensor([[3., 0., 4., 1.]]))
        tensor([1.5000])
    """
    p = _rows("generalized_box_iou_loss", boxes1, boxes2)
    hull = p.hull[..., 0] * p.hull[..., 1]
    giou = p.intersection / (p.union + eps) - (hull - p.union) / (hull + eps)
    return reduced("generalized_box_iou_loss", 1 - giou, reduction)


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-07) -> Tensor:
    """1 - distance IoU of matched rows of (N, 4) boxes: (N,), or a number with reduction 'mean' or 'sum' (0 for no
    boxes).

    Zheng et al. 2020. Raises ShapeError unless both are (N, 4), ValueError for another reduction.

    Example:
        >>> pydl.vision.ops.distance_box_iou_loss(pydl.tensor([[0., 0., 1., 1.]]), pydl.tensor([[1., 0., 2., 1.]]))
        tensor([1.2000])
    """
    p = _rows("distance_box_iou_loss", boxes1, boxes2)
    diou = p.intersection / (p.union + eps) - p.distance(eps)
    return reduced("distance_box_iou_loss", 1 - diou, reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-07) -> Tensor:
    """1 - complete IoU of matched rows of (N, 4) boxes: (N,), or a number with reduction 'mean' or 'sum' (0 for no
    boxes).

    Zheng et al. 2020. Raises ShapeError unless both are (N, 4), ValueError for another reduction.

    Example:
        >>> pydl.vision.ops.complete_box_iou_loss(pydl.tensor([[0., 0., 1., 1.]]), pydl.tensor([[1., 0., 2., 1.]]))
        tensor([1.2000])
    """
    p = _rows("complete_box_iou_loss", boxes1, boxes2)
    iou = p.intersection / (p.union + eps)
    return reduced("complete_box_iou_loss", 1 - (iou - p.distance(eps) - p.aspect(iou, eps)), reduction)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (N, 4) with coordinates clamped to an image of `size` (H, W); a new tensor.

    Raises ShapeError unless the last dim of boxes is 4.

    Example:
        >>> pydl.vision.ops.clip_boxes_to_image(pydl.tensor([[-1., 2., 9., 9.]]), (5, 8))
        tensor([[0., 2., 8., 5.]])
    """
    check_boxes("clip_boxes_to_image", boxes)
    height, width = size
    x, y = boxes[:, 0::2].clamp(min=0, max=width), boxes[:, 1::2].clamp(min=0, max=height)
    return pydl.stack([x, y], 2).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """int64 indices, in order, of the boxes (N, 4) with both sides at least `min_size`.

    Raises ShapeError unless boxes are (N, 4).

    Example:
        >>> pydl.vision.ops.remove_small_boxes(pydl.tensor([[0., 0., 1., 9.], [0., 0., 3., 3.]]), 2)
        tensor([1])
    """
    check_boxes("remove_small_boxes", boxes)
    sides = boxes[:, 2:] - boxes[:, :2]
    return ((sides[:, 0] >= min_size) & (sides[:, 1] >= min_size)).nonzero().reshape(-1)


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The boxes (N, 4), float32, from the first to the last pixel (both inside) of masks (N, H, W); an empty mask
    gives zeros.

    Raises ShapeError unless masks have three dims.

    Example:
        >>> pydl.vision.ops.masks_to_boxes(pydl.tensor([[[0, 0, 0], [0, 1, 1]]]))
        tensor([[1., 1., 2., 1.]])
    """
    if masks.ndim != 3:
        raise ShapeError(f"masks_to_boxes(): masks must have sizes (N, H, W), got {tuple(masks.shape)}")
    if masks.numel() == 0:
        return pydl.zeros(masks.shape[0], 4)
    inside = masks != 0
    edges: list[Tensor] = []
    for line in (inside.any(1), inside.any(2)):
        numbers = line.to(pydl.uint8)
        edges += [numbers.argmax(1), line.shape[1] - 1 - numbers.flip(1).argmax(1)]
    left, right, top, bottom = edges
    boxes = pydl.stack([left, top, right, bottom], 1).float()
    return boxes * inside.any(2).any(1)[:, None]


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy suppression: the best score stays, others whose IoU with it is more than the threshold go, and so on.

    boxes (N, 4), scores (N,); int64 indices of what stays, by falling score. Of equal scores the smaller index is
    first, NaN ranks last. No gradient. Raises ShapeError for other sizes, TypeError for integers.

    Example:
        >>> boxes = pydl.tensor([[0., 0., 4., 4.], [0., 0., 4., 3.], [5., 5., 6., 6.]])
        >>> pydl.vision.ops.nms(boxes, pydl.tensor([0.5, 0.9, 0.7]), 0.5)
        tensor([1, 2])
    """
    return pydl._nms(boxes, scores, float(iou_threshold))


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` inside each group of equal `idxs` alone: boxes (N, 4), scores (N,), idxs (N,); the kept indices of all
    groups by falling score.

    Raises ShapeError for other sizes.

    Example:
        >>> boxes = pydl.tensor([[0., 0., 4., 4.], [0., 0., 4., 3.], [5., 5., 6., 6.]])
        >>> pydl.vision.ops.batched_nms(boxes, pydl.tensor([0.5, 0.9, 0.7]), pydl.tensor([0, 1, 0]), 0.5)
        tensor([1, 2, 0])
    """
    if idxs.is_floating_point():  # groups by equal values, as by adding them to the boxes
        idxs = idxs.unique(return_inverse=True)[1]
    return pydl._nms(boxes, scores, float(iou_threshold), idxs)


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
    iou_threshold: float = 0.3,
    method: Literal["gaussian", "linear"] = "gaussian",
) -> tuple[Tensor, Tensor]:
    """Lowers the scores of a taken box' neighbours instead of removing them (Bodla et al., "Soft-NMS", ICCV 2017).

    The best box m of those left is taken; every other score is multiplied by exp(-IoU(m, b)^2 / sigma), or for
    'linear' by 1 - IoU where IoU > iou_threshold; until no score reaches `score_threshold`. Returns the int64 indices
    in the order taken and the scores then. Raises ShapeError for sizes but (N, 4) and (N,), ValueError for another
    method or sigma <= 0.

    Example:
        >>> boxes = pydl.tensor([[0., 0., 4., 4.], [0., 0., 4., 2.], [5., 5., 6., 6.]])
        >>> pydl.vision.ops.soft_nms(boxes, pydl.tensor([0.9, 0.8, 0.7]))
        (tensor([0, 2, 1]), tensor([0.9000, 0.7000, 0.4852]))
    """
    return pydl._soft_nms(boxes, scores, float(sigma), float(score_threshold), float(iou_threshold), method)
