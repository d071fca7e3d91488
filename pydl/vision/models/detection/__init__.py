"""Detectors with torchvision's names, keys and losses, and a YOLO of this package."""

from pydl.vision.models._weights import attribute as _attribute
from pydl.vision.models._weights import listing as _listing
from pydl.vision.models.detection._common import (  # noqa: F401
    BalancedPositiveNegativeSampler,
    BoxLinearCoder,
    Detector,
    SSDMatcher,
    overwrite_eps,
)
from pydl.vision.models.detection.anchor_utils import *  # noqa: F403
from pydl.vision.models.detection.backbone_utils import *  # noqa: F403
from pydl.vision.models.detection.faster_rcnn import *  # noqa: F403
from pydl.vision.models.detection.fcos import *  # noqa: F403
from pydl.vision.models.detection.image_list import ImageList  # noqa: F401
from pydl.vision.models.detection.keypoint_rcnn import *  # noqa: F403
from pydl.vision.models.detection.mask_rcnn import *  # noqa: F403
from pydl.vision.models.detection.retinanet import *  # noqa: F403
from pydl.vision.models.detection.roi_heads import RoIHeads  # noqa: F401
from pydl.vision.models.detection.rpn import *  # noqa: F403
from pydl.vision.models.detection.ssd import *  # noqa: F403
from pydl.vision.models.detection.transform import GeneralizedRCNNTransform  # noqa: F401
from pydl.vision.models.detection.yolo import *  # noqa: F403

__all__ = sorted(
    name
    for name, value in list(globals().items())
    if callable(value) and name[0] != "_" and value.__module__.startswith(__name__)
)
__getattr__, __dir__ = _attribute("detection"), _listing("detection", globals())
