"""Boxes, regions, anchors and layers of vision models: torchvision.ops, soft_nms and the parts of keypoint models."""

from pydl.vision.ops.anchors import AnchorGenerator, BoxCoder, Matcher
from pydl.vision.ops.boxes import (
    batched_nms,
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    complete_box_iou,
    complete_box_iou_loss,
    distance_box_iou,
    distance_box_iou_loss,
    generalized_box_iou,
    generalized_box_iou_loss,
    masks_to_boxes,
    nms,
    remove_small_boxes,
    soft_nms,
)
from pydl.vision.ops.deform import DeformConv2d, deform_conv2d
from pydl.vision.ops.drop import (
    DropBlock2d,
    DropBlock3d,
    StochasticDepth,
    drop_block2d,
    drop_block3d,
    stochastic_depth,
)
from pydl.vision.ops.feature_pyramid_network import FeaturePyramidNetwork
from pydl.vision.ops.focal import sigmoid_focal_loss
from pydl.vision.ops.keypoints import heatmaps_to_keypoints, spatial_soft_argmax2d
from pydl.vision.ops.layers import (
    MLP,
    Conv2dNormActivation,
    Conv3dNormActivation,
    FrozenBatchNorm2d,
    Permute,
    SqueezeExcitation,
)
from pydl.vision.ops.regions import (
    MultiScaleRoIAlign,
    PSRoIAlign,
    PSRoIPool,
    RoIAlign,
    RoIPool,
    ps_roi_align,
    ps_roi_pool,
    roi_align,
    roi_pool,
)

__all__ = [
    "MLP", "AnchorGenerator", "BoxCoder", "Conv2dNormActivation", "Conv3dNormActivation", "DeformConv2d",
    "DropBlock2d", "DropBlock3d", "FeaturePyramidNetwork", "FrozenBatchNorm2d", "Matcher", "MultiScaleRoIAlign",
    "PSRoIAlign", "PSRoIPool", "Permute", "RoIAlign", "RoIPool", "SqueezeExcitation", "StochasticDepth",
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "complete_box_iou",
    "complete_box_iou_loss", "deform_conv2d", "distance_box_iou", "distance_box_iou_loss", "drop_block2d",
    "drop_block3d", "generalized_box_iou", "generalized_box_iou_loss", "heatmaps_to_keypoints", "masks_to_boxes",
    "nms", "ps_roi_align", "ps_roi_pool", "remove_small_boxes", "roi_align", "roi_pool", "sigmoid_focal_loss",
    "soft_nms", "spatial_soft_argmax2d", "stochastic_depth",
]  # fmt: skip
