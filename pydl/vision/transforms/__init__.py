"""Transforms of images, and of the masks, boxes and points that belong to them.

The names of torchvision's ``transforms`` with the behaviour of its ``transforms.v2``, which is here the same module.
"""

from pydl.vision.transforms import _auto, _boxes, _color, _container, _convert, _geometry, _mix, functional
from pydl.vision.transforms._auto import *  # noqa: F403
from pydl.vision.transforms._base import Transform
from pydl.vision.transforms._boxes import *  # noqa: F403
from pydl.vision.transforms._color import *  # noqa: F403
from pydl.vision.transforms._container import *  # noqa: F403
from pydl.vision.transforms._convert import *  # noqa: F403
from pydl.vision.transforms._geometry import *  # noqa: F403
from pydl.vision.transforms._mix import *  # noqa: F403
from pydl.vision.transforms.functional import InterpolationMode

__all__ = [
    "InterpolationMode", "Transform", "functional",
    *_auto.__all__, *_boxes.__all__, *_color.__all__, *_container.__all__, *_convert.__all__, *_geometry.__all__,
    *_mix.__all__,
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name in ("autoaugment", "transforms", "v2"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
