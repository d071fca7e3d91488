"""Region proposals (Ren et al., "Faster R-CNN", 2015)."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models.detection._common import BalancedPositiveNegativeSampler, by_anchor, match_anchors
from pydl.vision.models.detection.transform import Target
from pydl.vision.ops import (
    AnchorGenerator,
    BoxCoder,
    Conv2dNormActivation,
    Matcher,
    batched_nms,
    clip_boxes_to_image,
    remove_small_boxes,
)

__all__ = ["RPNHead", "RegionProposalNetwork"]


class RPNHead(nn.Module):
    """`conv_depth` 3x3 convolutions with ReLU, then a score for each of A anchors (`cls_logits`) and four offsets
    (`bbox_pred`) by 1x1 convolutions: a list of maps (N, C, H, W) gives lists of (N, A, H, W) and (N, 4*A, H, W).

    Example:
        >>> import pydl
        >>> scores, offsets = pydl.vision.models.detection.RPNHead(8, 3)([pydl.zeros(1, 8, 4, 4)])
        >>> scores[0].shape, offsets[0].shape
        (torch.Size([1, 3, 4, 4]), torch.Size([1, 12, 4, 4]))
    """

    def __init__(self, in_channels: int, num_anchors: int, conv_depth: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *(Conv2dNormActivation(in_channels, in_channels, 3, norm_layer=None) for _ in range(conv_depth))
        )
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, 1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for kind in ("weight", "bias"):  # older files have the one convolution itself
            if f"{prefix}conv.{kind}" in state_dict:
                state_dict[f"{prefix}conv.0.0.{kind}"] = state_dict.pop(f"{prefix}conv.{kind}")
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        hidden = [self.conv(m) for m in x]
        return [self.cls_logits(h) for h in hidden], [self.bbox_pred(h) for h in hidden]


class RegionProposalNetwork(nn.Module):
    """Proposals from anchors: the best of each level, clipped, small ones out, suppressed within their level.

    forward(images, features, targets=None) -> (list of proposals (K, 4), {} or in training {'loss_objectness',
    'loss_rpn_box_reg'}). `images` has `.tensors` and `.image_sizes`; the two top_n dicts have the keys 'training' and
    'testing'. Anchors of IoU >= `fg_iou_thresh` with a box, or its best, are positive, < `bg_iou_thresh` negative;
    `batch_size_per_image` of them make the loss, at most `positive_fraction` positive. Raises ValueError without
    targets in training.

    Example:
        >>> import pydl
        >>> D, n = pydl.vision.models.detection, {"training": 10, "testing": 5}
        >>> anchors = D.AnchorGenerator(((8,),), ((1.0,),))
        >>> rpn = D.RegionProposalNetwork(anchors, D.RPNHead(4, 1), 0.7, 0.3, 16, 0.5, n, n, 0.7).eval()
        >>> proposals, losses = rpn(D.ImageList(pydl.zeros(1, 3, 32, 32), [(32, 32)]), {"0": pydl.randn(1, 4, 4, 4)})
        >>> len(proposals), proposals[0].shape[1], losses
        (1, 4, {})
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator,
        head: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_top_n: dict[str, int],
        post_nms_top_n: dict[str, int],
        nms_thresh: float,
        score_thresh: float = 0.0,
    ) -> None:
        super().__init__()
        self.anchor_generator, self.head = anchor_generator, head
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self._pre_nms_top_n, self._post_nms_top_n = pre_nms_top_n, post_nms_top_n
        self.nms_thresh, self.score_thresh, self.min_size = nms_thresh, score_thresh, 1e-3

    def pre_nms_top_n(self) -> int:
        return self._pre_nms_top_n["training" if self.training else "testing"]

    def post_nms_top_n(self) -> int:
        return self._post_nms_top_n["training" if self.training else "testing"]

    def forward(
        self, images: Any, features: dict[str, Tensor], targets: list[Target] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        maps = list(features.values())
        scores, offsets = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        counts = [s[0].numel() for s in scores]
        logits = pydl.cat([by_anchor(s, 1) for s in scores], 1)[..., 0]
        codes = pydl.cat([by_anchor(o, 4) for o in offsets], 1)
        decoded = self.box_coder.decode(codes.detach().reshape(-1, 4), anchors).reshape(codes.shape)
        proposals = [
            self._filter(boxes, one, size, counts)
            for boxes, one, size in zip(decoded, logits.detach(), images.image_sizes)
        ]
        if not self.training:
            return proposals, {}
        if targets is None:
            raise ValueError("RegionProposalNetwork(): targets must be given in training mode")
        return proposals, self._losses(logits, codes, anchors, targets)

    def _filter(self, boxes: Tensor, logits: Tensor, size: tuple[int, int], counts: list[int]) -> Tensor:
        """The proposals of one image from its decoded anchors."""
        places, levels, offset = [], [], 0
        for level, part in enumerate(logits.split(counts)):
            best = part.topk(min(self.pre_nms_top_n(), len(part)))[1]
            places.append(best + offset)
            levels.append(pydl.full((len(best),), level, dtype=pydl.int64))
            offset += len(part)
        place, level_of = pydl.cat(places), pydl.cat(levels)
        boxes, scores = clip_boxes_to_image(boxes[place], size), logits[place].sigmoid()
        keep = remove_small_boxes(boxes, self.min_size)
        keep = keep[scores[keep] >= self.score_thresh]
        boxes, scores, level_of = boxes[keep], scores[keep], level_of[keep]
        return boxes[batched_nms(boxes, scores, level_of, self.nms_thresh)[: self.post_nms_top_n()]]

    def _losses(self, logits: Tensor, codes: Tensor, anchors: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
        labels, wanted = [], []
        for match, a, t in zip(match_anchors(self.proposal_matcher, anchors, targets), anchors, targets):
            label = (match >= 0).to(pydl.float32)
            label[match == Matcher.BETWEEN_THRESHOLDS] = -1
            labels.append(label)
            boxes = t["boxes"].to(a.dtype)[match.clamp(min=0)] if len(t["boxes"]) else a
            wanted.append(self.box_coder.encode_single(boxes, a))
        positive, negative = (pydl.cat(m).nonzero().reshape(-1) for m in self.fg_bg_sampler(labels))
        sampled = pydl.cat([positive, negative])
        box_loss = F.smooth_l1_loss(
            codes.reshape(-1, 4)[positive], pydl.cat(wanted)[positive], beta=1 / 9, reduction="sum"
        )
        return {
            "loss_objectness": F.binary_cross_entropy_with_logits(
                logits.reshape(-1)[sampled], pydl.cat(labels)[sampled]
            ),
            "loss_rpn_box_reg": box_loss / max(1, len(sampled)),
        }
