"""Smaller networks: removing pruned channels, low-rank layers, distillation. Int8 is in `pydl.quantization`."""

from __future__ import annotations

from pydl.compress.distill import distill
from pydl.compress.low_rank import LowRankReport, low_rank
from pydl.compress.shrink import ShrinkReport, shrink

__all__ = ["LowRankReport", "ShrinkReport", "distill", "low_rank", "shrink"]
