"""What several ops check alike."""

from __future__ import annotations

from pydl import ShapeError, Tensor


def check_boxes(name: str, boxes: Tensor, argument: str = "boxes", columns: int = 4) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != columns:
        raise ShapeError(f"{name}(): {argument} must have sizes (N, {columns}), got {tuple(boxes.shape)}")


def reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    """The mean of no elements counts as zero."""
    if reduction == "none":
        return loss
    if reduction == "sum" or (reduction == "mean" and loss.numel() == 0):
        return loss.sum()
    if reduction == "mean":
        return loss.mean()
    raise ValueError(f"{name}(): reduction must be 'none', 'mean' or 'sum', got {reduction!r}")


def pair(value: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"a size must be an integer or a pair of them, got {value!r}")
    if len(value) == 1:
        return value[0], value[0]
    first, second = value
    return first, second
