"""FCN (Long et al., "Fully convolutional networks for semantic segmentation", 2015)."""

from __future__ import annotations

from pydl.vision.models.segmentation._common import FCNHead, Segmenter, builder, resnet_body

__all__ = ["FCN", "FCNHead", "fcn_resnet101", "fcn_resnet50"]


class FCN(Segmenter):
    """A backbone that gives {'out'} (and {'aux'}), a classifier for either: (N, 3, H, W) to {'out': (N, classes, H,
    W)} and 'aux' (Long et al., "Fully convolutional networks", 2015).

    Example:
        >>> S = pydl.vision.models.segmentation
        >>> body = S.IntermediateLayerGetter(pydl.nn.Sequential(pydl.nn.Conv2d(3, 8, 3, 4, 1)), {"0": "out"})
        >>> S.FCN(body, S.FCNHead(8, 2))(pydl.zeros(2, 3, 16, 16))["out"].shape
        torch.Size([2, 2, 16, 16])
    """


_LONG = "FCN on ResNet-{} (Long et al. 2015)"
fcn_resnet50 = builder("fcn_resnet50", 32957013, _LONG.format(50), resnet_body, FCN, FCNHead)
fcn_resnet101 = builder("fcn_resnet101", 51949141, _LONG.format(101), resnet_body, FCN, FCNHead, 101)
