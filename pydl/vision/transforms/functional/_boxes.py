"""Boxes: formats, borders, what is left of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.vision import tv_tensors
from pydl.vision.transforms.functional import _rotated
from pydl.vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, as_format, is_rotated_bounding_format

__all__ = [
    "canvas_of", "clamp_bounding_boxes", "clamp_keypoints", "convert_bounding_box_format", "moved_boxes",
    "sanitize_bounding_boxes", "sanitize_keypoints", "through_corners", "valid_boxes", "valid_points",
]  # fmt: skip

XYXY, XYWH, CXCYWH = BoundingBoxFormat.XYXY, BoundingBoxFormat.XYWH, BoundingBoxFormat.CXCYWH


def _halved(values: Tensor, up: bool) -> Tensor:
    """Half of each; of odd integers rounded up or down."""
    if values.is_floating_point():
        return values / 2
    return (values + 1 if up else values).div(2, rounding_mode="floor")


def converted(boxes: Tensor, old: BoundingBoxFormat, new: BoundingBoxFormat) -> Tensor:
    """A plain tensor (..., 4), or with an angle (..., 5) or (..., 8), in another format.

    Raises:
        ValueError: only one of both has an angle.
    """
    if old == new:
        return boxes.clone()
    if is_rotated_bounding_format(old) != is_rotated_bounding_format(new):
        raise ValueError(f"there is no way from boxes {old.value} to boxes {new.value}: one of both has an angle")
    if is_rotated_bounding_format(old):
        return _rotated.converted_rotated(boxes, old.value, new.value)
    first, second = boxes[..., :2], boxes[..., 2:]
    if old == CXCYWH:
        first = first - _halved(second, True)
    size = second - first if old == XYXY else second
    if new == XYXY:
        return pydl.cat([first, first + size], dim=-1)
    if new == XYWH:
        return pydl.cat([first, size], dim=-1)
    return pydl.cat([_halved(2 * first + size, False), size], dim=-1)


def convert_bounding_box_format(
    inpt: Any, old_format: Any = None, new_format: Any = None, inplace: bool = False
) -> Any:
    """Boxes in another format.

    Args:
        inpt: :class:`~pydl.vision.tv_tensors.BoundingBoxes`, or a tensor (..., 4), with an angle (..., 5) or (..., 8).
        old_format: of a tensor; boxes know theirs.
        new_format: the format wanted.
        inplace: write into ``inpt``, unless the format has other columns. Default: ``False``.

    Raises:
        TypeError: no ``new_format``, or another kind of input. ValueError: ``old_format`` missing, or given for boxes;
            only one of both formats has an angle.

    Example:
        >>> import pydl
        >>> F = pydl.vision.transforms.functional
        >>> F.convert_bounding_box_format(pydl.tensor([[1, 2, 4, 6]]), "xyxy", "xywh").tolist()
        [[1, 2, 3, 4]]
    """
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    if not isinstance(inpt, Tensor) or isinstance(inpt, (tv_tensors.Image, tv_tensors.Mask, KeyPoints)):
        raise TypeError(f"convert_bounding_box_format(): expected a tensor or boxes, got {type(inpt).__name__}")
    own = isinstance(inpt, BoundingBoxes)
    if own == (old_format is not None):
        raise ValueError("convert_bounding_box_format(): give old_format for plain tensors, and for these alone")
    plain = inpt.as_subclass(Tensor)
    old = as_format(getattr(inpt, "format", old_format))
    made = converted(plain, old, as_format(new_format))
    if inplace and made.shape == plain.shape:
        made = plain.copy_(made)
    return tv_tensors.wrap(made, like=inpt, format=as_format(new_format)) if own else made


def _clamped(corners: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    height, width = canvas_size
    x, y = corners[..., 0::2].clamp(0, width), corners[..., 1::2].clamp(0, height)
    return pydl.stack([x, y], dim=-1).flatten(-2)


def clamp_bounding_boxes(
    inpt: Any, format: Any = None, canvas_size: tuple[int, int] | None = None, clamping_mode: str | None = "auto"
) -> Any:
    """Boxes cut at the borders of the image; those with an angle to the smallest box of the same angle around what is
    inside.

    Args:
        inpt: boxes, or a tensor (N, 4) with the next arguments.
        format, canvas_size: of a tensor.
        clamping_mode: ``None``: leave them as they are; ``"auto"`` (default): the boxes' own.

    Raises:
        ValueError: arguments missing for a tensor or given for boxes, another mode. NotImplementedError: ``"hard"`` for
            boxes with an angle.

    Example:
        >>> import pydl
        >>> F = pydl.vision.transforms.functional
        >>> F.clamp_bounding_boxes(pydl.tensor([[-1, 2, 9, 6]]), "xyxy", (5, 7), "soft").tolist()
        [[0, 2, 7, 5]]
    """
    if clamping_mode not in (None, "auto", "soft", "hard"):
        raise ValueError(f"clamp_bounding_boxes(): clamping_mode must be soft, hard, auto or None, got {clamping_mode}")
    own = isinstance(inpt, BoundingBoxes)
    if own:
        if format is not None or canvas_size is not None:
            raise ValueError("clamp_bounding_boxes(): boxes know their format and canvas_size, do not pass them")
        format, canvas_size = inpt.format, inpt.canvas_size
        mode = inpt.clamping_mode if clamping_mode == "auto" else clamping_mode
    else:
        if format is None or canvas_size is None or clamping_mode == "auto":
            raise ValueError("clamp_bounding_boxes(): give format, canvas_size and clamping_mode for plain tensors")
        mode = clamping_mode
    plain, format = inpt.as_subclass(Tensor), as_format(format)
    if is_rotated_bounding_format(format):
        plain = _rotated.clamped(plain, format.value, canvas_size, mode)
    elif mode is not None:
        plain = converted(_clamped(converted(plain, format, XYXY), canvas_size), XYXY, format)
    return tv_tensors.wrap(plain.clone(), like=inpt) if own else plain


def _canvas(inpt: Any, canvas_size: tuple[int, int] | None) -> tuple[int, int]:
    """That of the boxes or points, else the one given."""
    return getattr(inpt, "canvas_size", canvas_size)  # type: ignore[return-value]


def clamp_keypoints(inpt: Any, canvas_size: tuple[int, int] | None = None) -> Any:
    """Points moved to the nearest pixel of the image.

    Args:
        inpt: points, or a tensor (..., 2) with ``canvas_size``.

    Raises:
        ValueError: ``canvas_size`` missing for a tensor or given for points.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.clamp_keypoints(pydl.tensor([[-1, 9]]), (5, 7)).tolist()
        [[0, 4]]
    """
    own = isinstance(inpt, KeyPoints)
    if own == (canvas_size is not None):
        raise ValueError("clamp_keypoints(): give canvas_size for plain tensors, and for these alone")
    height, width = _canvas(inpt, canvas_size)
    plain = inpt.as_subclass(Tensor)
    made = pydl.stack([plain[..., 0].clamp(0, width - 1), plain[..., 1].clamp(0, height - 1)], dim=-1)
    return tv_tensors.wrap(made, like=inpt) if own else made


def canvas_of(boxes: Any, made: Tensor, canvas_size: tuple[int, int]) -> Any:
    """The tensor, in the boxes' format, as boxes on another canvas, cut at its borders."""
    return clamp_bounding_boxes(tv_tensors.wrap(made, like=boxes, canvas_size=canvas_size))


def moved_boxes(boxes: Any, right: int, down: int, canvas_size: tuple[int, int]) -> Any:
    """Boxes whose origin moved."""
    shift = [right, down, right, down] if boxes.format == XYXY else [right, down, 0, 0]
    if is_rotated_bounding_format(boxes.format):
        shift = _rotated.shifts(boxes.format.value, right, down)
    plain = boxes.as_subclass(Tensor)
    return canvas_of(boxes, plain + pydl.tensor(shift, dtype=plain.dtype), canvas_size)


def through_corners(boxes: Any, move: Callable[[Tensor], Tensor], canvas_size: tuple[int, int]) -> Any:
    """The boxes around the moved corners: ``move`` takes and returns points (P, 2)."""
    plain = boxes.as_subclass(Tensor)
    if plain.numel() == 0:
        return tv_tensors.wrap(plain, like=boxes, canvas_size=canvas_size)
    if is_rotated_bounding_format(boxes.format):
        made = _rotated.moved(plain, boxes.format.value, move, canvas_size, boxes.clamping_mode)
        return tv_tensors.wrap(made, like=boxes, canvas_size=canvas_size)
    exact = plain if plain.is_floating_point() else plain.float()
    corners = converted(exact, boxes.format, XYXY).reshape(-1, 4)
    points = move(corners[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)).reshape(-1, 4, 2)
    made = pydl.cat([points.amin(dim=1), points.amax(dim=1)], dim=1)
    if boxes.clamping_mode is not None:
        made = _clamped(made, canvas_size)
    made = converted(made, XYXY, boxes.format).to(plain.dtype).reshape(plain.shape)
    return tv_tensors.wrap(made, like=boxes, canvas_size=canvas_size)


def valid_boxes(
    boxes: Tensor, format: Any, canvas_size: tuple[int, int], min_size: float = 1.0, min_area: float = 1.0
) -> Tensor:
    """(N,) bool: inside the canvas and neither short nor small."""
    format, plain = as_format(format), boxes.as_subclass(Tensor)
    if is_rotated_bounding_format(format):
        corners = converted(plain, format, BoundingBoxFormat.XYXYXYXY)
        width, height = converted(plain, format, BoundingBoxFormat.XYWHR)[..., 2:4].unbind(-1)
    else:
        corners = converted(plain, format, XYXY)
        width, height = corners[..., 2] - corners[..., 0], corners[..., 3] - corners[..., 1]
    large = (width >= min_size) & (height >= min_size) & (width * height >= min_area)
    limits = pydl.tensor([canvas_size[1], canvas_size[0]] * (corners.shape[-1] // 2))
    return large & ((corners >= 0) & (corners <= limits)).all(dim=-1)


def sanitize_bounding_boxes(
    bounding_boxes: Any,
    format: Any = None,
    canvas_size: tuple[int, int] | None = None,
    min_size: float = 1.0,
    min_area: float = 1.0,
) -> tuple[Any, Tensor]:
    """The boxes that are inside the image and not degenerate, and which they were, (N,) bool.

    Args:
        bounding_boxes: boxes, or a tensor (N, 4) with the next two arguments.
        format, canvas_size: of a tensor.
        min_size: shortest side. min_area: smallest area. Default: 1.

    Raises:
        ValueError: arguments missing for a tensor or given for boxes.

    Example:
        >>> import pydl
        >>> F = pydl.vision.transforms.functional
        >>> boxes = pydl.tensor([[0, 0, 4, 4], [2, 2, 2, 3]])
        >>> F.sanitize_bounding_boxes(boxes, "xyxy", (5, 5))[1].tolist()
        [True, False]
    """
    own = isinstance(bounding_boxes, BoundingBoxes)
    if own != (format is None and canvas_size is None) or (not own and (format is None or canvas_size is None)):
        raise ValueError(
            "sanitize_bounding_boxes(): give format and canvas_size for plain tensors, and for these alone"
        )
    if own:
        format, canvas_size = bounding_boxes.format, bounding_boxes.canvas_size
    assert canvas_size is not None
    valid = valid_boxes(bounding_boxes, format, canvas_size, min_size, min_area)
    kept = bounding_boxes.as_subclass(Tensor)[valid]
    return (tv_tensors.wrap(kept, like=bounding_boxes) if own else kept), valid


def valid_points(points: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """(N,) bool: all points of a row inside the canvas."""
    plain = points.as_subclass(Tensor)
    x, y = plain[..., 0], plain[..., 1]
    inside = (x >= 0) & (x < canvas_size[1]) & (y >= 0) & (y < canvas_size[0])
    return inside.flatten(1).all(dim=1) if inside.ndim > 1 else inside


def sanitize_keypoints(key_points: Any, canvas_size: tuple[int, int] | None = None) -> tuple[Any, Tensor]:
    """The points inside the image, and which they were, (N,) bool.

    Args:
        key_points: points, or a tensor (N, ..., 2) with ``canvas_size``.

    Raises:
        ValueError: ``canvas_size`` missing for a tensor or given for points.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.sanitize_keypoints(pydl.tensor([[0, 9], [1, 1]]), (5, 5))[0]
        tensor([[1, 1]])
    """
    own = isinstance(key_points, KeyPoints)
    if own == (canvas_size is not None):
        raise ValueError("sanitize_keypoints(): give canvas_size for plain tensors, and for these alone")
    valid = valid_points(key_points, _canvas(key_points, canvas_size))
    kept = key_points.as_subclass(Tensor)[valid]
    return (tv_tensors.wrap(kept, like=key_points) if own else kept), valid
