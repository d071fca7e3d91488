"""What a benchmark case is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """``setup`` runs once, ``statement`` is timed. ``bar``: the ratio (PyTorch's time over ours) that we aim at."""

    name: str
    setup: str
    statement: str
    bar: float
    bytes: int = 0  # traffic of one execution, for comparison with the copy bandwidth
    flops: int = 0
    reads: int = 0  # bytes that any way of doing it has to read once, and nearly all that it has to do
