"""What Pillow does on its own images; the arguments are those of the functions of this package."""

from __future__ import annotations

from typing import Any

import numpy as np

from pydl.vision.transforms.functional._dispatch import pil

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness",
    "autocontrast", "equalize", "grayscale", "hflip", "invert", "pad", "posterize", "rotate", "solarize", "transform",
    "vflip",
]  # fmt: skip


def hflip(image: Any) -> Any:
    return image.transpose(pil("Image").Transpose.FLIP_LEFT_RIGHT)


def vflip(image: Any) -> Any:
    return image.transpose(pil("Image").Transpose.FLIP_TOP_BOTTOM)


def _fill(image: Any, fill: Any) -> Any:
    """A colour of as many numbers as the image has bands."""
    bands = len(image.getbands())
    values = list(fill) if isinstance(fill, (list, tuple)) else [0 if fill is None else fill]
    if len(values) == 1:
        values = values * bands
    if len(values) != bands:
        raise ValueError(f"fill must have 1 or {bands} values, as the image has channels, got {len(values)}")
    numbers = tuple(value if image.mode == "F" else int(value) for value in values)
    return numbers if bands > 1 else numbers[0]


def pad(image: Any, left: int, top: int, right: int, bottom: int, fill: Any, mode: str) -> Any:
    if mode == "constant":
        return pil("ImageOps").expand(image, border=(left, top, right, bottom), fill=_fill(image, fill))
    if min(left, top, right, bottom) < 0:
        width, height = image.size
        image = image.crop((-min(left, 0), -min(top, 0), width + min(right, 0), height + min(bottom, 0)))
        left, top, right, bottom = (max(side, 0) for side in (left, top, right, bottom))
    palette = image.getpalette() if image.mode == "P" else None
    pixels = np.asarray(image)
    widths = ((top, bottom), (left, right), (0, 0))[: pixels.ndim]
    made = pil("Image").fromarray(np.pad(pixels, widths, mode=mode))  # type: ignore[call-overload]
    if palette is not None:
        made.putpalette(palette)
    return made


def rotate(image: Any, angle: float, resample: int, expand: bool, center: Any, fill: Any) -> Any:
    return image.rotate(angle, resample, expand, center, fillcolor=_fill(image, fill))


def transform(image: Any, kind: str, coefficients: Any, resample: int, fill: Any) -> Any:
    method = pil("Image").Transform[kind]
    return image.transform(image.size, method, coefficients, resample, fillcolor=_fill(image, fill))


def grayscale(image: Any, num_output_channels: int) -> Any:
    grey = image.convert("L")
    return grey if num_output_channels == 1 else pil("Image").merge("RGB", (grey, grey, grey))


def _enhanced(image: Any, what: str, factor: float) -> Any:
    if factor < 0:
        raise ValueError(f"the factor must not be negative, got {factor}")
    return getattr(pil("ImageEnhance"), what)(image).enhance(factor)


def adjust_brightness(image: Any, brightness_factor: float) -> Any:
    return _enhanced(image, "Brightness", brightness_factor)


def adjust_contrast(image: Any, contrast_factor: float) -> Any:
    return _enhanced(image, "Contrast", contrast_factor)


def adjust_saturation(image: Any, saturation_factor: float) -> Any:
    return _enhanced(image, "Color", saturation_factor)


def adjust_sharpness(image: Any, sharpness_factor: float) -> Any:
    return _enhanced(image, "Sharpness", sharpness_factor)


def adjust_hue(image: Any, hue_factor: float) -> Any:
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    # Hue is a circle of 256 steps
    turned = (np.asarray(hue).astype(np.int32) + int(hue_factor * 255)) % 256
    hue = pil("Image").fromarray(turned.astype(np.uint8))
    return pil("Image").merge("HSV", (hue, saturation, value)).convert(image.mode)


def adjust_gamma(image: Any, gamma: float, gain: float = 1.0) -> Any:
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    made = image.convert("RGB")
    # 255 + 1 - 1e-3: equal steps for all 256 values
    table = [int((255 + 1 - 1e-3) * gain * pow(level / 255.0, gamma)) for level in range(256)] * 3
    return made.point([min(level, 255) for level in table]).convert(image.mode)


def posterize(image: Any, bits: int) -> Any:
    return pil("ImageOps").posterize(image, bits)


def solarize(image: Any, threshold: float) -> Any:
    return pil("ImageOps").solarize(image, threshold)


def autocontrast(image: Any) -> Any:
    return pil("ImageOps").autocontrast(image)


def equalize(image: Any) -> Any:
    return pil("ImageOps").equalize(image)


def invert(image: Any) -> Any:
    return pil("ImageOps").invert(image)
