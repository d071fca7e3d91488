"""Boxes with an angle, as their corners (N, 4, 2): moved, made right-angled again, cut at the borders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.vision.ops._rotated import common_corners
from pydl.vision.ops.boxes import box_convert

__all__ = ["COLUMNS", "clamped", "converted_rotated", "flipped", "moved", "moved_centres", "right_angled", "shifts"]

COLUMNS = {"XYXY": 4, "XYWH": 4, "CXCYWH": 4, "XYWHR": 5, "CXCYWHR": 5, "XYXYXYXY": 8}


def converted_rotated(boxes: Tensor, old: str, new: str) -> Tensor:
    """A plain tensor (..., 5) or (..., 8) in another format with an angle."""
    rows = box_convert(boxes.reshape(-1, COLUMNS[old]), old.lower(), new.lower())
    return rows.reshape(*boxes.shape[:-1], COLUMNS[new])


def _corners(boxes: Tensor, format: str) -> Tensor:
    return converted_rotated(boxes, format, "XYXYXYXY").reshape(-1, 4, 2)


def _boxes(corners: Tensor, format: str) -> Tensor:
    return converted_rotated(corners.reshape(-1, 8), "XYXYXYXY", format)


def right_angled(corners: Tensor) -> Tensor:
    """Rectangles for parallelograms (N, 4, 2): the centre and the longer side's direction stay, the sides reach to the
    corners."""
    centre = (corners[:, 0] + corners[:, 2]) / 2
    a, b = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    wide = (a.square().sum(-1) >= b.square().sum(-1))[:, None]
    long, short = pydl.where(wide, a, b), pydl.where(wide, b, a)
    square = long.square().sum(-1, keepdim=True)
    along = (long * short).sum(-1, keepdim=True) / pydl.where(square > 0, square, 1.0)
    short = short - along * long  # across the longer side
    long = long * (1 + along.abs())
    right, down = pydl.where(wide, long, short) / 2, pydl.where(wide, short, long) / 2
    return pydl.stack([centre - right - down, centre + right - down, centre + right + down, centre - right + down], 1)


def flipped(boxes: Tensor, format: str, axis: int, length: int) -> Tensor:
    """Mirrored: the corners change places, so that they are still named clockwise."""
    corners = _corners(boxes, format).clone()
    corners[..., axis] = length - corners[..., axis]
    return _boxes(corners[:, [1, 0, 3, 2]], format).reshape(boxes.shape)


def moved(boxes: Tensor, format: str, move: Callable[[Tensor], Tensor], canvas: Any, mode: str | None) -> Tensor:
    """The boxes around moved corners: ``move`` takes and returns points (P, 2)."""
    corners = move(_corners(boxes, format).reshape(-1, 2)).reshape(-1, 4, 2)
    return _boxes(_cut(right_angled(corners), canvas, mode), format).to(boxes.dtype).reshape(boxes.shape)


def moved_centres(
    boxes: Tensor, format: str, move: Callable[[Tensor], Tensor], canvas: Any, mode: str | None
) -> Tensor:
    """The boxes with moved centres, sizes and angles as they were."""
    turned = converted_rotated(boxes, format, "CXCYWHR")
    made = pydl.cat([move(turned[:, :2]), turned[:, 2:]], dim=1)
    return clamped(converted_rotated(made, "CXCYWHR", format), format, canvas, mode).to(boxes.dtype)


def shifts(format: str, right: int, down: int) -> list[int]:
    """What moves the origin."""
    return [right, down] * 4 if format == "XYXYXYXY" else [right, down, 0, 0, 0]


def clamped(boxes: Tensor, format: str, canvas: Any, mode: str | None) -> Tensor:
    """The smallest boxes of the same angle around what of them is inside the image; zeros where nothing is.

    Raises:
        NotImplementedError: ``mode`` is ``"hard"``, the largest box inside both.
    """
    return boxes.clone() if mode is None else _boxes(_cut(_corners(boxes, format), canvas, mode), format)


def _cut(corners: Tensor, canvas: Any, mode: str | None) -> Tensor:
    if mode == "hard":
        raise NotImplementedError("boxes with an angle have no clamping_mode 'hard', use 'soft' or None")
    if mode is None or corners.numel() == 0:
        return corners
    height, width = canvas
    image = pydl.tensor([[0, 0], [width, 0], [width, height], [0, height]], dtype=pydl.float64)
    exact = corners.double()
    points, counts = common_corners(exact, image)
    inside = ((exact >= 0) & (exact <= image[2])).all(-1).all(-1)
    first = exact[:, :1]
    sides = pydl.stack([exact[:, 1] - exact[:, 0], exact[:, 3] - exact[:, 0]], 1)
    squares = sides.square().sum(-1, keepdim=True)
    # Places along both sides as shares of their lengths
    shares = (points - first) @ (sides / pydl.where(squares > 0, squares, 1.0)).transpose(1, 2)
    low = pydl.where(counts[..., None], shares, 1.0).amin(1).clamp(0, 1)[..., None]
    high = pydl.where(counts[..., None], shares, 0.0).amax(1).clamp(0, 1)[..., None]
    right, down = sides.unbind(1)
    spans = [first[:, 0] + x * right + y * down for x, y in (
        (low[:, 0], low[:, 1]), (high[:, 0], low[:, 1]), (high[:, 0], high[:, 1]), (low[:, 0], high[:, 1])
    )]  # fmt: skip
    made = pydl.stack(spans, 1) * counts.any(-1)[:, None, None]
    return pydl.where(inside[:, None, None], exact, made).to(corners.dtype)
