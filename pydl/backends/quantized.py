"""Engines of int8 kernels: all names stand for pydl's own."""

from __future__ import annotations

__all__ = ["engine", "supported_engines"]

engine = "x86"
supported_engines = ["x86", "fbgemm", "onednn", "qnnpack", "none"]
