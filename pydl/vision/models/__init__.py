"""Models with torchvision's names, numbers and keys of weights; nothing is downloaded."""

from __future__ import annotations

from pydl.vision.models._build import PARAMETER_COUNTS as PARAMETER_COUNTS
from pydl.vision.models._weights import *  # noqa: F403
from pydl.vision.models._weights import attribute as _attribute
from pydl.vision.models._weights import listing as _listing
from pydl.vision.models.alexnet import *  # noqa: F403
from pydl.vision.models.convnext import *  # noqa: F403
from pydl.vision.models.densenet import *  # noqa: F403
from pydl.vision.models.efficientnet import *  # noqa: F403
from pydl.vision.models.googlenet import *  # noqa: F403
from pydl.vision.models.inception import *  # noqa: F403
from pydl.vision.models.lenet import *  # noqa: F403
from pydl.vision.models.maxvit import *  # noqa: F403
from pydl.vision.models.mnasnet import *  # noqa: F403
from pydl.vision.models.mobilenet import *  # noqa: F403
from pydl.vision.models.regnet import *  # noqa: F403
from pydl.vision.models.resnet import *  # noqa: F403
from pydl.vision.models.shufflenetv2 import *  # noqa: F403
from pydl.vision.models.squeezenet import *  # noqa: F403
from pydl.vision.models.swin_transformer import *  # noqa: F403
from pydl.vision.models.unet import *  # noqa: F403
from pydl.vision.models.vgg import *  # noqa: F403
from pydl.vision.models.vision_transformer import *  # noqa: F403

__all__ = sorted(
    name
    for name, value in list(globals().items())
    if callable(value) and name[0] != "_" and getattr(value, "__module__", "").startswith(__name__)
)

# After the names above, which they use; so that PARAMETER_COUNTS has all models.
from pydl.vision.models import detection, keypoint, segmentation  # noqa: E402, F401

__getattr__, __dir__ = _attribute("models"), _listing("models", globals())
