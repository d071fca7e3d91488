"""Neighbours in point clouds: exact and deterministic, with kernels that hold no table of all pairs."""

from __future__ import annotations

import pydl
from pydl import Tensor

__all__ = ["ball_query", "farthest_point_sample", "knn"]

_WORKING = (pydl.float32, pydl.float64)


def _working(*clouds: Tensor) -> list[Tensor]:
    """Detached; half precision and integers as float32."""
    return [c.detach() if c.dtype in _WORKING else c.detach().float() for c in clouds]


def farthest_point_sample(xyz: Tensor, npoint: int, start: int | Tensor | None = 0) -> Tensor:
    """Points that cover a cloud: each the farthest from those taken before (Eldar et al. 1997; Qi et al. 2017b).

    Args:
        xyz: clouds (B, N, D), up to 64 coordinates.
        npoint: how many to take, at most N.
        start: the first index, one number or a tensor (B,), default 0; None draws it.

    Returns int64 indices (B, npoint). Of points that are equally far the one with the smallest index is taken.
    Raises ``ShapeError`` for other dims, ``ValueError`` for npoint > N, ``IndexError`` for a start outside the cloud.

    >>> pydl.geometric.farthest_point_sample(pydl.tensor([[[0.0], [1.0], [5.0], [2.0]]]), 3)
    tensor([[0, 2, 3]])
    """
    if xyz.dim() != 3:
        raise pydl.ShapeError(f"farthest_point_sample(): xyz must be of size (B, N, 3), got {tuple(xyz.shape)}")
    batch, count, _ = xyz.shape
    if isinstance(start, Tensor):
        first = start.long()
    elif start is None:
        first = pydl.randint(max(count, 1), (batch,))
    else:
        first = pydl.full((batch,), start, dtype=pydl.int64)
    return pydl._farthest_point_sample(_working(xyz)[0], npoint, first)  # type: ignore[attr-defined]


def ball_query(radius: float, nsample: int, xyz: Tensor, new_xyz: Tensor) -> Tensor:
    """The first points of a cloud within a distance of each centre (Qi et al. 2017b).

    Args:
        radius: the squared distance is at most its square.
        nsample: indices per centre.
        xyz: clouds (B, N, D).
        new_xyz: centres (B, S, D).

    Returns int64 indices (B, S, nsample), rising, filled with the first; a centre without a point in its ball gives
    its nearest point. Raises ``ShapeError`` for other dims, ``ValueError`` for a negative radius or nsample < 1.

    >>> cloud = pydl.tensor([[[0.0], [1.0], [5.0], [2.0]]])
    >>> pydl.geometric.ball_query(1.5, 3, cloud, pydl.tensor([[[1.0], [9.0]]]))
    tensor([[[0, 1, 3],
             [2, 2, 2]]])
    """
    xyz, new_xyz = _working(xyz, new_xyz)
    return pydl._ball_query(radius, nsample, xyz, new_xyz)  # type: ignore[attr-defined]


def knn(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest points of ``x`` (B, N, D) for each of ``y`` (B, S, D).

    Returns (squared distances, int64 indices), each (B, S, k), nearest first, ties by index; the distances are
    differentiable. Raises ``ShapeError`` for other dims, ``ValueError`` for k > N.

    >>> cloud = pydl.tensor([[[0.0], [1.0], [5.0], [2.0]]])
    >>> pydl.geometric.knn(cloud, pydl.tensor([[[1.2]]]), 2)
    (tensor([[[0.0400, 0.6400]]]), tensor([[[1, 3]]]))
    """
    dtype = x.dtype
    x, y = (c if c.dtype in _WORKING else c.float() for c in (x, y))
    distances, index = pydl._knn(x.detach(), y.detach(), k)  # type: ignore[attr-defined]
    if pydl.is_grad_enabled() and (x.requires_grad or y.requires_grad):
        batch = pydl.arange(x.shape[0]).reshape(-1, 1, 1)
        distances = (x[batch, index] - y.unsqueeze(2)).square().sum(-1)
    return distances.to(dtype), index
