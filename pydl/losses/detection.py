"""Losses of detectors, on what their heads return and targets that are already matched to anchors or proposals."""

from __future__ import annotations

from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    MeanOrSum,
    Reduction,
    functional,
    indices,
    is_index,
    matching,
    mean,
    need_dims,
    need_range,
    need_shape,
    need_values,
    reduce,
)
from pydl.losses.classification import focal_loss
from pydl.losses.points import squared_distances
from pydl.nn import functional as F

__all__ = [
    "MaskRCNNLoss", "RetinaNetLoss", "SSDLoss", "VoxelNetLoss", "YOLOLoss", "mask_rcnn_loss", "retinanet_loss",
    "ssd_loss", "voxelnet_loss", "yolo_loss",
]  # fmt: skip


def _box_errors(input: Tensor, target: Tensor, positive: Tensor, beta: float) -> Tensor:
    """Smooth L1 (beta = 0: L1) added over the last dim, 0 where there is no object, whatever stands there."""
    error = (input - target).masked_fill(~positive.unsqueeze(-1), 0)
    if beta == 0:
        return error.abs().sum(-1)
    return F.smooth_l1_loss(error, pydl.zeros_like(error), reduction="none", beta=beta).sum(-1)  # type: ignore[attr-defined]


@functional
def voxelnet_loss(
    input: Tensor,
    target: Tensor,
    regression: Tensor,
    regression_target: Tensor,
    alpha: float = 1.5,
    beta: float = 1.0,
    lambd: float = 1.0,
    mode: Literal["detection", "points"] = "detection",
) -> Tensor:
    """Functional form of :class:`VoxelNetLoss`.

    Example:
        >>> import pydl
        >>> boxes = pydl.zeros(1, 2, 7)
        >>> pydl.losses.voxelnet_loss(pydl.zeros(1, 2), pydl.tensor([[1, 0]]), boxes, boxes)
        tensor(1.7329)
    """
    op = "voxelnet_loss"
    if mode == "points":
        names = ("regression", "regression_target")
        features = squared_distances(op, regression, regression_target, "sum", names)
        return squared_distances(op, input, target, "sum") + lambd * features
    need_dims(op, "input", input, "(N, A)", 2, 2)
    need_shape(op, "target", target, input.shape)
    need_shape(op, "regression", regression, (*input.shape, 7))
    boxes = matching(op, regression, regression_target, "regression_target")
    need_values(op, "target", target, (-1, 0, 1))
    positive, negative = target == 1, target == 0
    yes = (-F.logsigmoid(input)).masked_fill(~positive, 0).sum() / positive.sum().clamp_min(1)
    no = (-F.logsigmoid(-input)).masked_fill(~negative, 0).sum() / negative.sum().clamp_min(1)
    moved = _box_errors(regression, boxes, positive, 1.0).sum() / positive.sum().clamp_min(1)
    return alpha * yes + beta * no + lambd * moved


class VoxelNetLoss(Loss, of=voxelnet_loss, takes=4):
    """alpha/N+ sum_pos BCE(p, 1) + beta/N- sum_neg BCE(p, 0) + lambd/N+ sum_pos smooth_l1(u - u*) (Zhou and Tuzel
    2018). A scalar.

    Shapes: logits (N, A), target (N, A): 1 positive, 0 negative, -1 ignored; regression and its target (N, A, 7),
    smooth L1 (beta = 1) added over the last dim. N+ and N- count the whole batch; the terms of an empty set are 0.

    Args:
        alpha: weight of positives. Default: 1.5.
        beta: weight of negatives. Default: 1.
        lambd: weight of boxes. Default: 1.
        mode: ``"detection"`` (default), or ``"points"``: sum |x - y|^2 + lambd sum |f(x) - f(y)|^2 of points (*, D)
            and features (*, F).

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a target other than 1, 0 and -1.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.VoxelNetLoss(mode="points")
        >>> loss(pydl.zeros(2, 3), pydl.ones(2, 3), pydl.zeros(2, 5), pydl.zeros(2, 5))
        tensor(6.)
    """


@functional
def ssd_loss(
    cls_logits: Tensor,
    bbox_regression: Tensor,
    labels: Tensor,
    regression_targets: Tensor,
    alpha: float = 1.0,
    neg_pos_ratio: float = 3.0,
    reduction: MeanOrSum = "mean",
) -> Tensor:
    """Functional form of :class:`SSDLoss`.

    Example:
        >>> import pydl
        >>> boxes = pydl.zeros(1, 3, 4)
        >>> pydl.losses.ssd_loss(pydl.zeros(1, 3, 2), boxes, pydl.tensor([[1, 0, 0]]), boxes)
        tensor(2.0794)
    """
    op = "ssd_loss"
    boxes = _anchors(op, cls_logits, bbox_regression, labels, regression_targets)
    need_range(op, "labels", labels, -1, cls_logits.shape[2] - 1, IndexError)
    positive, negative = labels > 0, labels == 0
    surprise = _surprise(cls_logits, labels.long().clamp_min(0))
    # The rank of each negative by its cross-entropy among those of its image.
    order = surprise.detach().masked_fill(~negative, float("-inf")).argsort(1, descending=True)
    chosen = positive | (negative & (order.argsort(1) < neg_pos_ratio * positive.sum(1, True)))
    total = surprise.masked_fill(~chosen, 0).sum() + alpha * _box_errors(bbox_regression, boxes, positive, 1.0).sum()
    return total / positive.sum().clamp_min(1) if reduction == "mean" else total


def _anchors(
    op: str, cls_logits: Tensor, bbox_regression: Tensor, labels: Tensor, regression_targets: Tensor
) -> Tensor:
    """Checks the shapes of what stands at the anchors; returns the boxes' targets."""
    need_dims(op, "cls_logits", cls_logits, "(N, A, K)", 3, 3)
    need_shape(op, "bbox_regression", bbox_regression, (*cls_logits.shape[:2], 4))
    need_shape(op, "labels", labels, cls_logits.shape[:2])
    if not is_index(labels):
        raise TypeError(f"{op}(): labels must be of an integer dtype, got {labels.dtype}")
    return matching(op, bbox_regression, regression_targets, "regression_targets")


def _surprise(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of logits (*, K) at each of the labels (*)."""
    return -logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


class SSDLoss(Loss, of=ssd_loss, takes=4):
    """The MultiBox loss: (sum CE over positives and hard negatives + alpha sum_pos smooth_l1) / N+ (Liu et al. 2016).
    A scalar.

    In each image the ``neg_pos_ratio`` times as many negatives as positives count that have the largest cross-entropy.
    N+ is the batch's number of positives, at least 1; without positives the loss is 0.

    Shapes: cls_logits (N, A, K) and bbox_regression (N, A, 4) as the head of an SSD returns them; labels (N, A): 0
    background, above it objects, -1 ignored; regression_targets (N, A, 4), smooth L1 (beta = 1) added over the
    coordinates.

    Args:
        alpha: weight of the boxes. Default: 1.
        neg_pos_ratio: default 3.
        reduction: ``"mean"`` (default), or ``"sum"``, which does not divide by N+.

    Raises:
        ShapeError: the shapes do not fit.
        TypeError: labels of a floating-point dtype.
        IndexError: a label out of range.

    Example:
        >>> import pydl
        >>> boxes = pydl.zeros(1, 8, 4)
        >>> labels = pydl.tensor([[2, 0, 0, 0, 0, -1, 0, 0]])
        >>> pydl.losses.SSDLoss(neg_pos_ratio=1.0)(pydl.zeros(1, 8, 3), boxes, labels, boxes)
        tensor(2.1972)
    """


@functional
def yolo_loss(
    input: Tensor,
    target: Tensor,
    lambda_coord: float = 5.0,
    lambda_noobj: float = 0.5,
    lambda_obj: float = 1.0,
    lambda_class: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`YOLOLoss`.

    Example:
        >>> import pydl
        >>> cell = pydl.tensor([[[0.5, 0.5, 0.25, 0.25, 1.0]]])
        >>> pydl.losses.yolo_loss(cell, pydl.tensor([[[0.5, 0.5, 1.0, 1.0, 1.0]]]))
        tensor(2.5000)
    """
    op = "yolo_loss"
    need_dims(op, "input", input, "(N, A, 5 + K)", 3, 3)
    if input.shape[2] < 5:
        raise pydl.ShapeError(f"{op}(): input must have shape (N, A, 5 + K), got {tuple(input.shape)}")
    target = matching(op, input, target)
    need_values(op, "target objectness", target[..., 4], (-1, 0, 1))
    object_, empty = target[..., 4] == 1, target[..., 4] == 0

    def where(rows: Tensor, errors: Tensor) -> Tensor:
        # Masked before the square, whose derivative would let through what is not finite.
        return errors.masked_fill(~rows.unsqueeze(-1), 0).square().sum((1, 2))

    # The derivative of the root would be infinite for boxes without extent.
    extent = input[..., 2:4].clamp_min(1e-6).sqrt() - target[..., 2:4].clamp_min(1e-6).sqrt()
    error = input - target
    loss = lambda_coord * (where(object_, error[..., :2]) + where(object_, extent))
    loss = loss + lambda_obj * where(object_, error[..., 4:5]) + lambda_class * where(object_, error[..., 5:])
    return reduce(loss + lambda_noobj * where(empty, input[..., 4:5]), reduction)


class YOLOLoss(Loss, of=yolo_loss):
    """The sum of squared errors of YOLO (Redmon et al. 2016).

    Rows of target objectness 1 add lambda_coord ((dx)^2 + (dy)^2 + (d sqrt w)^2 + (d sqrt h)^2) + lambda_obj (dobj)^2
    + lambda_class sum (dp)^2, rows of 0 lambda_noobj obj^2, rows of -1 nothing. Roots are taken of max(w, 1e-6).

    Shapes: input and target (N, A, 5 + K): x, y, w, h, objectness and K class probabilities, K >= 0. With ``"none"``
    (N,).

    Args:
        lambda_coord: default 5.
        lambda_noobj: default 0.5.
        lambda_obj, lambda_class: default 1.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: an objectness other than 1, 0 and -1.

    Example:
        >>> import pydl
        >>> pydl.losses.YOLOLoss()(pydl.ones(1, 2, 5), pydl.tensor([[[1.0, 1, 1, 1, 1], [0, 0, 0, 0, 0]]]))
        tensor(0.5000)
    """


@functional
def retinanet_loss(
    cls_logits: Tensor,
    bbox_regression: Tensor,
    labels: Tensor,
    regression_targets: Tensor,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reg_weight: float = 1.0,
    beta: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`RetinaNetLoss`.

    Example:
        >>> import pydl
        >>> boxes = pydl.zeros(1, 2, 4)
        >>> pydl.losses.retinanet_loss(pydl.zeros(1, 2, 1), boxes, pydl.tensor([[0, -1]]), boxes + 1)
        tensor(4.1733)
    """
    op = "retinanet_loss"
    boxes = _anchors(op, cls_logits, bbox_regression, labels, regression_targets)
    classes = cls_logits.shape[2]
    need_range(op, "labels", labels, -2, classes - 1, IndexError)
    if not beta >= 0:
        raise ValueError(f"{op}(): beta must be at least 0, got {beta}")
    labels = labels.long()
    positive = labels >= 0
    wanted = (labels.unsqueeze(-1) == pydl.arange(classes)).to(cls_logits.dtype)  # type: ignore[attr-defined]
    focal = focal_loss(cls_logits, wanted, alpha, gamma, reduction="none")
    loss = focal.masked_fill((labels == -2).unsqueeze(-1), 0).sum((1, 2))
    loss = loss + reg_weight * _box_errors(bbox_regression, boxes, positive, beta).sum(1)
    return reduce(loss / positive.sum(1).clamp_min(1), reduction)


class RetinaNetLoss(Loss, of=retinanet_loss, takes=4):
    """(sum of sigmoid focal losses + reg_weight * sum_pos box errors) / max(1, N+) of each image (Lin et al. 2017).

    Shapes: cls_logits (N, A, K) and bbox_regression (N, A, 4) as the head of a RetinaNet returns them; labels (N, A):
    classes 0..K-1, -1 background, -2 ignored; regression_targets (N, A, 4). With ``"none"`` (N,).

    Args:
        alpha, gamma: of :class:`FocalLoss`. Default: 0.25 and 2.
        reg_weight: default 1.
        beta: 0 (default) for L1, above it smooth L1.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        TypeError: labels of a floating-point dtype.
        IndexError: a label out of range.

    Example:
        >>> import pydl
        >>> logits, boxes = pydl.full((1, 2, 3), -9.0), pydl.zeros(1, 2, 4)
        >>> pydl.losses.RetinaNetLoss()(logits, boxes, pydl.tensor([[-1, -2]]), boxes) < 1e-6
        tensor(True)
    """


@functional
def mask_rcnn_loss(
    class_logits: Tensor,
    box_regression: Tensor,
    labels: Tensor,
    regression_targets: Tensor,
    mask_logits: Tensor,
    mask_labels: Tensor,
    mask_targets: Tensor,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Tensor:
    """Functional form of :class:`MaskRCNNLoss`.

    Example:
        >>> import pydl
        >>> logits, boxes, masks = pydl.zeros(1, 2), pydl.zeros(1, 8), pydl.zeros(1, 2, 3, 3)
        >>> one = pydl.tensor([1])
        >>> pydl.losses.mask_rcnn_loss(logits, boxes, one, pydl.zeros(1, 4), masks, one, pydl.ones(1, 3, 3))
        tensor(1.3863)
    """
    op = "mask_rcnn_loss"
    need_dims(op, "class_logits", class_logits, "(R, K)", 2, 2)
    rois, classes = class_logits.shape
    need_shape(op, "box_regression", box_regression, (rois, 4 * classes))
    labels = indices(op, labels, (rois,), classes, "labels")
    need_shape(op, "regression_targets", regression_targets, (rois, 4))
    need_dims(op, "mask_logits", mask_logits, "(P, K, M, M)", 4, 4)
    found, _, height, width = mask_logits.shape
    mask_labels = indices(op, mask_labels, (found,), mask_logits.shape[1], "mask_labels")
    need_shape(op, "mask_targets", mask_targets, (found, height, width))
    need_range(op, "mask_targets", mask_targets, 0, 1)
    if len(weights) != 3:
        raise ValueError(f"{op}(): weights must be three numbers, got {len(weights)}")

    boxes = box_regression.reshape(rois, classes, 4)[pydl.arange(rois), labels]  # type: ignore[attr-defined]
    moved = _box_errors(boxes, regression_targets.to(boxes.dtype), labels > 0, 1 / 9).sum() / max(1, rois)
    chosen = mask_logits[pydl.arange(found), mask_labels]  # type: ignore[attr-defined]
    masks = F.binary_cross_entropy_with_logits(chosen, mask_targets.to(chosen.dtype), reduction="none")
    terms = (mean(_surprise(class_logits, labels)), moved, mean(masks).to(class_logits.dtype))
    return weights[0] * terms[0] + weights[1] * terms[1] + weights[2] * terms[2]


class MaskRCNNLoss(Loss, of=mask_rcnn_loss, takes=7):
    """L_cls + L_box + L_mask (He et al. 2017). A scalar.

    L_cls is the mean cross-entropy, L_box smooth L1 (beta = 1/9) of the true class's box, added over positives and
    divided by R, L_mask the mean binary cross-entropy of the true class's mask, 0 for P = 0.

    Shapes: class_logits (R, K), box_regression (R, 4K), labels (R,) with 0 for background, regression_targets (R, 4);
    mask_logits (P, K, M, M), mask_labels (P,), mask_targets (P, M, M) in [0, 1].

    Args:
        weights: of the three terms. Default: 1.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.
        ValueError: mask targets out of [0, 1].

    Example:
        >>> import pydl
        >>> none = pydl.zeros(0, dtype=pydl.int64)
        >>> masks = pydl.zeros(0, 2, 3, 3), none, pydl.zeros(0, 3, 3)
        >>> loss = pydl.losses.MaskRCNNLoss(weights=(2.0, 1.0, 1.0))
        >>> loss(pydl.zeros(1, 2), pydl.zeros(1, 8), pydl.tensor([0]), pydl.zeros(1, 4), *masks)
        tensor(1.3863)
    """
