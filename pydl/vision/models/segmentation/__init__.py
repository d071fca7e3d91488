"""Semantic segmentation with torchvision's names and keys."""

from pydl.vision.models._layers import IntermediateLayerGetter  # noqa: F401
from pydl.vision.models._weights import attribute as _attribute
from pydl.vision.models._weights import listing as _listing
from pydl.vision.models.segmentation.deeplabv3 import *  # noqa: F403
from pydl.vision.models.segmentation.fcn import *  # noqa: F403
from pydl.vision.models.segmentation.lraspp import *  # noqa: F403

__all__ = sorted(
    name
    for name, value in list(globals().items())
    if callable(value) and name[0] != "_" and value.__module__.startswith("pydl.vision.models")
)
__getattr__, __dir__ = _attribute("segmentation"), _listing("segmentation", globals())
