"""What several ops check alike."""

from __future__ import annotations

from numbers import Integral

from pydl import ShapeError, Tensor
from pydl.nn.functional.loss import reduced as loss_reduced
from pydl.nn.modules._sizes import repeated


def check_boxes(name: str, boxes: Tensor, argument: str = "boxes", columns: int = 4) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != columns:
        raise ShapeError(f"{name}(): {argument} must have sizes (N, {columns}), got {tuple(boxes.shape)}")


def reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    """The mean of no elements counts as zero."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{name}(): reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return loss_reduced(loss, "sum" if reduction == "mean" and loss.numel() == 0 else reduction)


def pair(value: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    """An integer, or one or two of them, as two."""
    sizes = repeated(value, 2)
    if not 1 <= len(sizes) <= 2 or not all(isinstance(size, Integral) for size in sizes):
        raise TypeError(f"a size must be an integer or a pair of them, got {value!r}")
    return int(sizes[0]), int(sizes[-1])
