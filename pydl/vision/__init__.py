"""Images: what torchvision has, on pydl's tensors."""

from __future__ import annotations

import importlib
from typing import Any

<<<<<<< HEAD
_SUBMODULES = ("datasets", "models", "ops")
=======
_SUBMODULES = ("datasets", "feature_extraction", "filters", "io", "transforms", "tv_tensors", "utils")
>>>>>>> parts

__all__ = list(_SUBMODULES)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
