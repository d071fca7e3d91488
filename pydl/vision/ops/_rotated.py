"""Boxes with an angle: what they have in common with each other and with an image."""

from __future__ import annotations

import pydl
from pydl import Tensor


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _edges(quads: Tensor) -> Tensor:
    return quads.roll(-1, -2) - quads


def _area(quads: Tensor) -> Tensor:
    """Twice the area, with a sign for the way round."""
    return _cross(quads[..., 2, :] - quads[..., 0, :], quads[..., 3, :] - quads[..., 1, :])


def _inside(points: Tensor, quads: Tensor) -> Tensor:
    """Which of points (..., P, 2) lie in convex quadrilaterals (..., 4, 2), their edges included."""
    edges = _edges(quads)[..., None, :, :]
    side = _cross(edges, points[..., :, None, :] - quads[..., None, :, :])
    size = edges.square().sum(-1)
    way = _area(quads)[..., None, None].sign()
    return ((side * way >= -1e-9 * size) & (way != 0)).all(-1)


def common_corners(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Points (..., 24, 2), among them all corners of what convex quadrilaterals (..., 4, 2) share, and which of them
    (..., 24) lie in both."""
    edges_a, edges_b = _edges(a)[..., :, None, :], _edges(b)[..., None, :, :]
    between = b[..., None, :, :] - a[..., :, None, :]
    turn = _cross(edges_a, edges_b)
    crossing = turn != 0
    divisor = pydl.where(crossing, turn, 1.0)
    t, s = _cross(between, edges_b) / divisor, _cross(between, edges_a) / divisor
    met = crossing & (t >= 0) & (t <= 1) & (s >= 0) & (s <= 1)
    places = a[..., :, None, :] + t[..., None] * edges_a
    shape = met.shape[:-2]
    a, b = a.expand(*shape, 4, 2), b.expand(*shape, 4, 2)
    points = pydl.cat([places.reshape(*shape, 16, 2), a, b], -2)
    return points, pydl.cat([met.reshape(*shape, 16), _inside(a, b), _inside(b, a)], -1)


def common_area(a: Tensor, b: Tensor) -> Tensor:
    """The area (...) that convex quadrilaterals (..., 4, 2) share: its corners in the order of their angle around one
    point inside, and the triangles between them."""
    points, counts = common_corners(a, b)
    if points.numel() == 0:
        return points.new_zeros(counts.shape[:-1])
    some = points.gather(-2, counts.int().argmax(-1)[..., None, None].expand(*counts.shape[:-1], 1, 2))
    points = pydl.where(counts[..., None], points, some)  # repeated corners add no area
    around = points - points.mean(-2, keepdim=True)
    order = pydl.atan2(around[..., 1], around[..., 0]).argsort(-1)
    ring = around.gather(-2, order[..., None].expand(around.shape))
    area = _cross(ring, ring.roll(-1, -2)).sum(-1) / 2
    return pydl.where(counts.any(-1), area, 0.0)


def rotated_iou(corners1: Tensor, corners2: Tensor) -> Tensor:
    """Intersection over union of all pairs of boxes given by corners (N, 8) and (M, 8): (N, M), 0 for an empty box."""
    pairs = 1 << 14  # at a time: each takes some kilobytes
    parts = corners1.split(max(1, pairs // max(1, len(corners2))))
    return pydl.cat([_rotated_iou(part, corners2) for part in parts])


def _rotated_iou(corners1: Tensor, corners2: Tensor) -> Tensor:
    a, b = corners1.double().reshape(-1, 1, 4, 2), corners2.double().reshape(1, -1, 4, 2)
    areas = [_area(quads).abs() / 2 for quads in (a, b)]
    common = common_area(a, b)
    united = areas[0] + areas[1] - common
    return pydl.where((areas[0] > 0) & (areas[1] > 0), common / united, 0.0).to(corners1.dtype)
