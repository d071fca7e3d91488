"""Ways of interpolation."""

from __future__ import annotations

import enum
from typing import Any

__all__ = ["InterpolationMode", "as_mode", "pil_resampling"]


class InterpolationMode(enum.Enum):
    """How values between pixels are found; box, hamming and lanczos for Pillow images alone."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's constants (PIL.Image.Resampling)
_NUMBERS = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
}


def as_mode(mode: Any) -> InterpolationMode:
    """The mode of that name or number.

    Raises:
        ValueError: there is none.
    """
    if isinstance(mode, InterpolationMode):
        return mode
    if isinstance(mode, str):
        for known in InterpolationMode:
            if known.value == mode:
                return known
    elif isinstance(mode, int):
        for known, number in _NUMBERS.items():
            if number == mode:
                return known
    names = [known.value for known in InterpolationMode]
    raise ValueError(f"interpolation must be an InterpolationMode, one of {names} or Pillow's number, got {mode!r}")


def pil_resampling(mode: Any) -> int:
    """Pillow's number."""
    known = as_mode(mode)
    return _NUMBERS[InterpolationMode.NEAREST if known == InterpolationMode.NEAREST_EXACT else known]
