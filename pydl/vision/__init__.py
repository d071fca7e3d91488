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

__all__ = [*_SUBMODULES, "disable_beta_transforms_warning", "get_image_backend", "set_image_backend"]


def disable_beta_transforms_warning() -> None:
    """Accepted for code written for torchvision: there is no such warning.

    Example:
        >>> import pydl
        >>> pydl.vision.disable_beta_transforms_warning()
    """


def get_image_backend() -> str:
    """What files of images are read with by the data sets: Pillow.

    Example:
        >>> import pydl
        >>> pydl.vision.get_image_backend()
        'PIL'
    """
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Accepted for code that says what already holds.

    Raises:
        ValueError: another name than ``"PIL"``.

    Example:
        >>> import pydl
        >>> pydl.vision.set_image_backend("PIL")
    """
    if backend != "PIL":
        raise ValueError(f"set_image_backend(): images are read with Pillow; expected 'PIL', got {backend!r}")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
