"""What happens to each proposal: class and box, mask, keypoints (Ren et al. 2015, He et al. 2017)."""

from __future__ import annotations

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models.detection._common import BalancedPositiveNegativeSampler, match_anchors
from pydl.vision.models.detection.transform import Target
from pydl.vision.ops import (
    BoxCoder,
    Matcher,
    batched_nms,
    clip_boxes_to_image,
    heatmaps_to_keypoints,
    remove_small_boxes,
    roi_align,
)

__all__ = ["RoIHeads", "fastrcnn_loss", "keypointrcnn_loss", "keypoints_to_heatmap", "maskrcnn_loss"]


def fastrcnn_loss(
    class_logits: Tensor, box_regression: Tensor, labels: list[Tensor], regression_targets: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Cross entropy of classes, and smooth L1 (beta 1/9) of the right class' offsets summed over positives / number
    of samples.

    class_logits (K, C), box_regression (K, 4*C), labels and targets (k_i, 4) per image.

    Example:
        >>> import pydl
        >>> logits, boxes = pydl.zeros(2, 2), pydl.zeros(2, 8)
        >>> loss = pydl.vision.models.detection.roi_heads.fastrcnn_loss
        >>> loss(logits, boxes, [pydl.tensor([0, 1])], [pydl.zeros(2, 4)])
        (tensor(0.6931), tensor(0.))
    """
    label = pydl.cat(labels)
    if not len(label):
        return class_logits.sum() * 0, box_regression.sum() * 0
    positive = (label > 0).nonzero().reshape(-1)
    offsets = box_regression.reshape(len(label), box_regression.shape[-1] // 4, 4)[positive, label[positive]]
    box_loss = F.smooth_l1_loss(offsets, pydl.cat(regression_targets)[positive], beta=1 / 9, reduction="sum")
    return F.cross_entropy(class_logits, label), box_loss / len(label)


def maskrcnn_loss(
    mask_logits: Tensor,
    proposals: list[Tensor],
    gt_masks: list[Tensor],
    gt_labels: list[Tensor],
    mask_matched_idxs: list[Tensor],
) -> Tensor:
    """Binary cross entropy of the right class' mask, logits (K, C, M, M), and the true masks (T, H, W) cut out by the
    proposals.

    Example:
        >>> import pydl
        >>> one, box = pydl.ones(1, 4, 4), pydl.tensor([[0., 0., 4., 4.]])
        >>> loss = pydl.vision.models.detection.roi_heads.maskrcnn_loss
        >>> loss(pydl.zeros(1, 2, 2, 2), [box], [one], [pydl.tensor([1])], [pydl.tensor([0])])
        tensor(0.6931)
    """
    size = mask_logits.shape[-1]
    labels = pydl.cat([label[i] for label, i in zip(gt_labels, mask_matched_idxs)])
    wanted = []
    for masks, boxes, index in zip(gt_masks, proposals, mask_matched_idxs):
        rows = pydl.cat([index[:, None].to(boxes.dtype), boxes], 1)
        if len(rows):
            wanted.append(roi_align(masks[:, None].to(boxes.dtype), rows, size)[:, 0])
    if not wanted:
        return mask_logits.sum() * 0
    return F.binary_cross_entropy_with_logits(mask_logits[pydl.arange(len(labels)), labels], pydl.cat(wanted))


def keypoints_to_heatmap(keypoints: Tensor, rois: Tensor, heatmap_size: int) -> tuple[Tensor, Tensor]:
    """For points (K, J, 3) the number of the cell of a square map of each region (K, 4), and whether it lies there
    and is visible.

    Example:
        >>> import pydl
        >>> f = pydl.vision.models.detection.roi_heads.keypoints_to_heatmap
        >>> f(pydl.tensor([[[3., 1., 1.]]]), pydl.tensor([[0., 0., 4., 4.]]), 4)
        (tensor([[7]]), tensor([[True]]))
    """
    low, high = rois[:, None, :2], rois[:, None, 2:]
    points = keypoints[..., :2]
    cell = ((points - low) * (heatmap_size / (high - low))).floor().to(pydl.int64)
    cell = pydl.where(points == high, heatmap_size - 1, cell)  # the far border counts as inside
    valid = ((cell >= 0) & (cell < heatmap_size)).all(-1) & (keypoints[..., 2] > 0)
    return (cell[..., 1] * heatmap_size + cell[..., 0]) * valid, valid


def keypointrcnn_loss(
    keypoint_logits: Tensor, proposals: list[Tensor], gt_keypoints: list[Tensor], matched: list[Tensor]
) -> Tensor:
    """Cross entropy over the cells of each visible point's map: logits (K, J, M, M), points (T, J, 3) per image.

    Example:
        >>> import pydl
        >>> point, box = pydl.tensor([[[3., 1., 1.]]]), pydl.tensor([[0., 0., 4., 4.]])
        >>> loss = pydl.vision.models.detection.roi_heads.keypointrcnn_loss
        >>> loss(pydl.zeros(1, 1, 4, 4), [box], [point], [pydl.tensor([0])])
        tensor(2.7726)
    """
    size = keypoint_logits.shape[-1]
    parts = [keypoints_to_heatmap(k[i], p, size) for k, p, i in zip(gt_keypoints, proposals, matched) if len(i)]
    valid = pydl.cat([v.reshape(-1) for _, v in parts]).nonzero().reshape(-1) if parts else pydl.zeros(0)
    if not len(valid):
        return keypoint_logits.sum() * 0
    cells = pydl.cat([c.reshape(-1) for c, _ in parts])
    return F.cross_entropy(keypoint_logits.reshape(-1, size * size)[valid], cells[valid])


class RoIHeads(nn.Module):
    """forward(features, proposals, image_shapes, targets=None) -> (results, losses): in training {} losses by name,
    in eval mode for each image 'boxes', 'labels', 'scores' and, where their three parts are there, 'masks' (K, 1, M,
    M) and 'keypoints'.

    Raises ValueError or TypeError for targets without what the parts need.

    Example:
        >>> import pydl
        >>> D = pydl.vision.models.detection
        >>> pool = pydl.vision.ops.MultiScaleRoIAlign(["0"], 2, 2)
        >>> parts = pool, D.TwoMLPHead(16, 8), D.FastRCNNPredictor(8, 3)
        >>> heads = D.RoIHeads(*parts, 0.5, 0.5, 8, 0.25, None, 0.05, 0.5, 10).eval()
        >>> found, _ = heads({"0": pydl.randn(1, 4, 8, 8)}, [pydl.tensor([[0., 0., 16., 16.]])], [(32, 32)])
        >>> sorted(found[0])
        ['boxes', 'labels', 'scores']
    """

    def __init__(
        self,
        box_roi_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        bbox_reg_weights: tuple[float, float, float, float] | None,
        score_thresh: float,
        nms_thresh: float,
        detections_per_img: int,
        mask_roi_pool: nn.Module | None = None,
        mask_head: nn.Module | None = None,
        mask_predictor: nn.Module | None = None,
        keypoint_roi_pool: nn.Module | None = None,
        keypoint_head: nn.Module | None = None,
        keypoint_predictor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.box_coder = BoxCoder(bbox_reg_weights or (10.0, 10.0, 5.0, 5.0))
        self.box_roi_pool, self.box_head, self.box_predictor = box_roi_pool, box_head, box_predictor
        self.score_thresh, self.nms_thresh, self.detections_per_img = score_thresh, nms_thresh, detections_per_img
        self.mask_roi_pool, self.mask_head, self.mask_predictor = mask_roi_pool, mask_head, mask_predictor
        self.keypoint_roi_pool, self.keypoint_head = keypoint_roi_pool, keypoint_head
        self.keypoint_predictor = keypoint_predictor

    def has_mask(self) -> bool:
        return None not in (self.mask_roi_pool, self.mask_head, self.mask_predictor)

    def has_keypoint(self) -> bool:
        return None not in (self.keypoint_roi_pool, self.keypoint_head, self.keypoint_predictor)

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[Target] | None = None,
    ) -> tuple[list[Target], dict[str, Tensor]]:
        if not self.training:
            return self._detect(features, proposals, image_shapes), {}
        if targets is None:
            raise ValueError("RoIHeads(): targets must be given in training mode")
        self._check(targets)
        proposals, matched, labels, wanted = self.select_training_samples(proposals, targets)
        pooled = self.box_head(self.box_roi_pool(features, proposals, image_shapes))
        logits, codes = self.box_predictor(pooled)
        classes, boxes = fastrcnn_loss(logits, codes, labels, wanted)
        losses = {"loss_classifier": classes, "loss_box_reg": boxes}
        positive = [label > 0 for label in labels]
        chosen = [p[k] for p, k in zip(proposals, positive)]
        truth = [m[k] for m, k in zip(matched, positive)]
        if self.has_mask():
            logits = self._masks(features, chosen, image_shapes)
            gt_masks, gt_labels = ([t[key] for t in targets] for key in ("masks", "labels"))
            losses["loss_mask"] = maskrcnn_loss(logits, chosen, gt_masks, gt_labels, truth)
        if self.has_keypoint():
            logits = self._keypoints(features, chosen, image_shapes)
            losses["loss_keypoint"] = keypointrcnn_loss(logits, chosen, [t["keypoints"] for t in targets], truth)
        return [], losses

    def _check(self, targets: list[Target]) -> None:
        needed = ["masks"] * self.has_mask() + ["keypoints"] * self.has_keypoint()
        for i, t in enumerate(targets):
            for key in needed:
                if key not in t or len(t[key]) != len(t["boxes"]):
                    raise ValueError(f"target {i} must have {key!r}, one for each of its {len(t['boxes'])} boxes")
            if self.has_keypoint() and not t["keypoints"].is_floating_point():
                raise TypeError(f"target {i} must have floating-point keypoints, got {t['keypoints'].dtype}")

    def _masks(self, features: dict[str, Tensor], boxes: list[Tensor], shapes: list[tuple[int, int]]) -> Tensor:
        return self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, shapes)))  # type: ignore[misc]

    def _keypoints(self, features: dict[str, Tensor], boxes: list[Tensor], shapes: list[tuple[int, int]]) -> Tensor:
        pooled = self.keypoint_roi_pool(features, boxes, shapes)  # type: ignore[misc]
        return self.keypoint_predictor(self.keypoint_head(pooled))  # type: ignore[misc]

    def select_training_samples(
        self, proposals: list[Tensor], targets: list[Target]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Sampled proposals (the true boxes among them), and for each its truth, label and offsets."""
        truths = [t["boxes"].to(p.dtype) for p, t in zip(proposals, targets)]
        proposals = [pydl.cat([p, t]) for p, t in zip(proposals, truths)]
        matched = match_anchors(self.proposal_matcher, proposals, [{"boxes": t} for t in truths])
        labels = []
        for match, t in zip(matched, targets):
            label = t["labels"][match.clamp(min=0)] if len(t["labels"]) else pydl.zeros_like(match)
            label = pydl.where(match == Matcher.BELOW_LOW_THRESHOLD, 0, label)
            labels.append(pydl.where(match == Matcher.BETWEEN_THRESHOLDS, -1, label))
        sampled = [(p | n).nonzero().reshape(-1) for p, n in zip(*self.fg_bg_sampler(labels))]
        proposals = [p[s] for p, s in zip(proposals, sampled)]
        labels = [label[s] for label, s in zip(labels, sampled)]
        matched = [m.clamp(min=0)[s] for m, s in zip(matched, sampled)]
        boxes = [t[m] if len(t) else p for t, m, p in zip(truths, matched, proposals)]
        return proposals, matched, labels, self.box_coder.encode(boxes, proposals)

    def _detect(
        self, features: dict[str, Tensor], proposals: list[Tensor], shapes: list[tuple[int, int]]
    ) -> list[Target]:
        logits, codes = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, shapes)))
        counts = [len(p) for p in proposals]
        boxes, scores = self.box_coder.decode(codes, proposals).split(counts), logits.softmax(-1).split(counts)
        result = [self._best(b, s, size) for b, s, size in zip(boxes, scores, shapes)]
        found, counts = [r["boxes"] for r in result], [len(r["boxes"]) for r in result]
        if self.has_mask():
            masks = self._masks(features, found, shapes).sigmoid()
            labels = pydl.cat([r["labels"] for r in result])
            for r, m in zip(result, masks[pydl.arange(len(labels)), labels][:, None].split(counts)):
                r["masks"] = m
        if self.has_keypoint():
            for r, maps in zip(result, self._keypoints(features, found, shapes).split(counts)):
                r["keypoints"], r["keypoints_scores"] = heatmaps_to_keypoints(maps, r["boxes"])
        return result

    def _best(self, boxes: Tensor, scores: Tensor, size: tuple[int, int]) -> Target:
        """The detections of one image: boxes (K, C, 4), scores (K, C), class 0 is the background."""
        count, classes = scores.shape
        labels = pydl.arange(1, classes).expand(count, classes - 1).reshape(-1)
        boxes = clip_boxes_to_image(boxes[:, 1:].reshape(-1, 4), size)
        scores = scores[:, 1:].reshape(-1)
        keep = (scores > self.score_thresh).nonzero().reshape(-1)
        keep = keep[remove_small_boxes(boxes[keep], 1e-2)]
        keep = keep[batched_nms(boxes[keep], scores[keep], labels[keep], self.nms_thresh)[: self.detections_per_img]]
        return {"boxes": boxes[keep], "labels": labels[keep], "scores": scores[keep]}
