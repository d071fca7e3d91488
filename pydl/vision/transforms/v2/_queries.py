"""What own transforms look for among the parts of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydl.vision import tv_tensors
from pydl.vision.transforms._base import image_dimensions, image_size

__all__ = ["check_type", "get_bounding_boxes", "get_keypoints", "has_all", "has_any", "query_chw", "query_size"]

Check = type | Callable[[Any], bool]


def check_type(obj: Any, types_or_checks: tuple[Check, ...]) -> bool:
    """Whether it is of one of the classes, or one of the functions says so.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.v2.check_type(3, (str, lambda value: value > 2))
        True
    """
    return any(isinstance(obj, c) if isinstance(c, type) else c(obj) for c in types_or_checks)


def has_any(flat_inputs: list[Any], *types_or_checks: Check) -> bool:
    """Whether :func:`check_type` holds for one of the parts.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.v2.has_any([1, "a"], str, float)
        True
    """
    return any(check_type(inpt, types_or_checks) for inpt in flat_inputs)


def has_all(flat_inputs: list[Any], *types_or_checks: Check) -> bool:
    """Whether for each class or function there is a part.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.v2.has_all([1, "a"], str, float)
        False
    """
    return all(has_any(flat_inputs, check) for check in types_or_checks)


def _first(flat_inputs: list[Any], kind: type, what: str) -> Any:
    for inpt in flat_inputs:
        if isinstance(inpt, kind):
            return inpt
    raise ValueError(f"No {what} were found in the sample")


def get_bounding_boxes(flat_inputs: list[Any]) -> tv_tensors.BoundingBoxes:
    """The first boxes among the parts.

    Raises:
        ValueError: there are none.

    Example:
        >>> import pydl
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes([[0, 0, 2, 1]], format="XYXY", canvas_size=(4, 10))
        >>> pydl.vision.transforms.v2.get_bounding_boxes([3, boxes]).canvas_size
        (4, 10)
    """
    return _first(flat_inputs, tv_tensors.BoundingBoxes, "bounding boxes")


def get_keypoints(flat_inputs: list[Any]) -> tv_tensors.KeyPoints:
    """The first points among the parts.

    Raises:
        ValueError: there are none.

    Example:
        >>> import pydl
        >>> points = pydl.vision.tv_tensors.KeyPoints([[0, 1]], canvas_size=(4, 10))
        >>> pydl.vision.transforms.v2.get_keypoints([points]) is points
        True
    """
    return _first(flat_inputs, tv_tensors.KeyPoints, "keypoints")


def query_chw(flat_inputs: list[Any]) -> tuple[int, int, int]:
    """Channels, height and width of the images among the parts.

    Raises:
        TypeError: there are none. ValueError: they differ.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.v2.query_chw([pydl.zeros(3, 4, 5), "label"])
        (3, 4, 5)
    """
    return image_dimensions(flat_inputs)


def query_size(flat_inputs: list[Any]) -> tuple[int, int]:
    """Height and width of the images, masks, boxes and points among the parts.

    Raises:
        TypeError: there are none. ValueError: they differ.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.v2.query_size([pydl.zeros(3, 4, 5), "label"])
        (4, 5)
    """
    return image_size(flat_inputs)
