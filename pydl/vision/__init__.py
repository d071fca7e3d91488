"""Images: what torchvision has, on pydl's tensors."""

from __future__ import annotations

import importlib
from typing import Any

_SUBMODULES = (
    "datasets",
    "feature_extraction",
    "filters",
    "io",
    "models",
    "ops",
    "transforms",
    "tv_tensors",
    "utils",
)

__all__ = list(_SUBMODULES)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
