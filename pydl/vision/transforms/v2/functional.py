"""The same as :mod:`pydl.vision.transforms.functional`, and its functions under the names of one kind of input each:
``resize_image``, ``resize_video``, ``resize_mask``, ``resize_bounding_boxes``, ``resize_keypoints``."""

from typing import Any

from pydl.vision.transforms.functional import *  # noqa: F403
from pydl.vision.transforms.functional import __all__ as __all__
from pydl.vision.transforms.functional._kernels import kernel, kernel_names


def __getattr__(name: str) -> Any:
    try:
        made = globals()[name] = kernel(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return made


def __dir__() -> list[str]:
    return sorted({*globals(), *kernel_names()})
