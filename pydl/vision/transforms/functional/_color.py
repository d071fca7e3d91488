"""Colours: brightness, contrast, saturation, hue and the like. Masks, boxes and points have none."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as nnF
from pydl.vision.transforms.functional import _pil
from pydl.vision.transforms.functional._conversion import _to_dtype_image, max_value, value_bits
from pydl.vision.transforms.functional._dispatch import register, run

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness",
    "autocontrast", "equalize", "grayscale_to_rgb", "invert", "permute_channels", "posterize", "rgb_to_grayscale",
    "solarize", "to_grayscale",
]  # fmt: skip

# How much the three colours count (ITU-R BT.601), in the digits that torchvision and Pillow use
_GREY = (0.2989, 0.587, 0.114)


def _channels(name: str, image: Tensor) -> int:
    count = image.shape[-3] if image.ndim > 2 else 0
    if count not in (1, 3):
        raise TypeError(f"{name}(): an image tensor must have 1 or 3 channels, got {tuple(image.shape)}")
    return count


def _not_negative(name: str, value: float) -> None:
    if value < 0:
        raise ValueError(f"{name} ({value}) is not non-negative.")


def _back(values: Tensor, image: Tensor) -> Tensor:
    """Cut at black and white, in the image's dtype."""
    return values.clamp(0, max_value(image.dtype)).to(image.dtype)


def _blend(image: Tensor, other: Tensor, ratio: float) -> Tensor:
    return _back(image * float(ratio) + other * (1.0 - float(ratio)), image)


def _grey(image: Tensor) -> Tensor:
    red, green, blue = image.unbind(-3)
    return (red * _GREY[0] + green * _GREY[1] + blue * _GREY[2]).unsqueeze(-3)


def _whole_grey(image: Tensor) -> Tensor:
    """Grey in whole steps for integers, but in float32."""
    grey = _grey(image)
    return grey if image.is_floating_point() else grey.floor()


def rgb_to_grayscale(inpt: Any, num_output_channels: int = 1) -> Any:
    """0.2989 red + 0.587 green + 0.114 blue.

    Args:
        inpt: image of 3 channels (or 1).
        num_output_channels: 1 (default), or 3 equal ones.

    Raises:
        ValueError: other numbers.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.rgb_to_grayscale(pydl.ones(3, 1, 1)).shape
        torch.Size([1, 1, 1])
    """
    return run(rgb_to_grayscale, inpt, num_output_channels)


def _grayscale_image(image: Tensor, num_output_channels: int = 1) -> Tensor:
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels must be 1 or 3, got {num_output_channels}.")
    grey = image.clone() if _channels("rgb_to_grayscale", image) == 1 else _grey(image).to(image.dtype)
    return pydl.cat([grey] * 3, dim=-3) if num_output_channels == 3 else grey


def _grayscale_pil(image: Any, num_output_channels: int = 1) -> Any:
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels must be 1 or 3, got {num_output_channels}.")
    return _pil.grayscale(image, num_output_channels)


register(rgb_to_grayscale, _grayscale_image, _grayscale_pil)
to_grayscale = rgb_to_grayscale


def grayscale_to_rgb(inpt: Any) -> Any:
    """Three equal channels of one; images of three stay.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.grayscale_to_rgb(pydl.ones(1, 2, 2)).shape
        torch.Size([3, 2, 2])
    """
    return run(grayscale_to_rgb, inpt)


def _to_rgb(image: Tensor) -> Tensor:
    return image if image.shape[-3] >= 3 else _grayscale_image(image, 3)


register(grayscale_to_rgb, _to_rgb, lambda image: image.convert("RGB"))


def adjust_brightness(inpt: Any, brightness_factor: float) -> Any:
    """All values times the factor: 0 is black, 1 changes nothing.

    Raises:
        ValueError: a negative factor.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.adjust_brightness(pydl.full((1, 1, 1), 0.25), 2.0).item()
        0.5
    """
    return run(adjust_brightness, inpt, brightness_factor)


def _brightness_image(image: Tensor, brightness_factor: float) -> Tensor:
    _not_negative("brightness_factor", brightness_factor)
    _channels("adjust_brightness", image)
    return _back(image * float(brightness_factor), image)


register(adjust_brightness, _brightness_image, _pil.adjust_brightness)


def adjust_saturation(inpt: Any, saturation_factor: float) -> Any:
    """The image blended with its grey: 0 is grey, 1 changes nothing.

    Raises:
        ValueError: a negative factor.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.adjust_saturation(pydl.ones(3, 1, 1), 0.0).shape
        torch.Size([3, 1, 1])
    """
    return run(adjust_saturation, inpt, saturation_factor)


def _saturation_image(image: Tensor, saturation_factor: float) -> Tensor:
    _not_negative("saturation_factor", saturation_factor)
    if _channels("adjust_saturation", image) == 1:
        return image
    return _blend(image, _whole_grey(image), saturation_factor)


register(adjust_saturation, _saturation_image, _pil.adjust_saturation)


def adjust_contrast(inpt: Any, contrast_factor: float) -> Any:
    """The image blended with the mean of its grey: 0 is flat, 1 changes nothing.

    Raises:
        ValueError: a negative factor.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.adjust_contrast(pydl.tensor([[[0.2, 0.6]]]), 0.0)
        tensor([[[0.4000, 0.4000]]])
    """
    return run(adjust_contrast, inpt, contrast_factor)


def _contrast_image(image: Tensor, contrast_factor: float) -> Tensor:
    _not_negative("contrast_factor", contrast_factor)
    grey = _whole_grey(image) if _channels("adjust_contrast", image) == 3 else image
    grey = grey if grey.is_floating_point() else grey.float()
    return _blend(image, grey.mean(dim=(-3, -2, -1), keepdim=True), contrast_factor)


register(adjust_contrast, _contrast_image, _pil.adjust_contrast)


def adjust_sharpness(inpt: Any, sharpness_factor: float) -> Any:
    """The image blended with a smoothed one (3x3, the middle weighs 5 of 13): 0 is smooth, 1 changes nothing.

    Raises:
        ValueError: a negative factor.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.adjust_sharpness(pydl.eye(3)[None], 0.0)[0, 1, 1] < 1
        tensor(True)
    """
    return run(adjust_sharpness, inpt, sharpness_factor)


def _sharpness_image(image: Tensor, sharpness_factor: float) -> Tensor:
    _not_negative("sharpness_factor", sharpness_factor)
    channels = _channels("adjust_sharpness", image)
    if image.numel() == 0 or min(image.shape[-2:]) <= 2:
        return image
    values = image if image.is_floating_point() else image.float()
    kernel = pydl.full((channels, 1, 3, 3), 1.0 / 13, dtype=values.dtype)
    kernel[:, :, 1, 1] = 5.0 / 13
    flat = values.reshape(-1, channels, *image.shape[-2:])
    smooth = nnF.conv2d(flat, kernel, groups=channels)
    if not image.is_floating_point():
        smooth = smooth.round()
    made = flat.clone()
    # The border has no full window and stays
    made[..., 1:-1, 1:-1] += (smooth - flat[..., 1:-1, 1:-1]) * (1.0 - sharpness_factor)
    return _back(made, image).reshape(image.shape)


register(adjust_sharpness, _sharpness_image, _pil.adjust_sharpness)


def adjust_hue(inpt: Any, hue_factor: float) -> Any:
    """Colours turned on their circle by this share of it, -0.5 to 0.5.

    Raises:
        ValueError: a factor outside.

    Example:
        >>> import pydl
        >>> red = pydl.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
        >>> pydl.vision.transforms.functional.adjust_hue(red, 1 / 3).flatten().round().tolist()
        [0.0, 1.0, 0.0]
    """
    return run(adjust_hue, inpt, hue_factor)


def _hue_and_chroma(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in [0, 1), smallest and largest channel."""
    low, high = rgb.amin(dim=-3), rgb.amax(dim=-3)
    red, green, blue = rgb.unbind(-3)
    chroma = pydl.where(high == low, 1.0, high - low)
    sector = pydl.where(
        high == red,
        (green - blue) / chroma,
        pydl.where(high == green, 2.0 + (blue - red) / chroma, 4.0 + (red - green) / chroma),
    )
    return (sector / 6.0) % 1.0, low, high


def _hue_image(image: Tensor, hue_factor: float) -> Tensor:
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if _channels("adjust_hue", image) == 1 or image.numel() == 0:
        return image
    hue, low, high = _hue_and_chroma(_to_dtype_image(image, pydl.float32, True))
    hue = ((hue + hue_factor) % 1.0) * 6.0
    # A channel is highest within 60 degrees of its colour, lowest beyond 120, a straight line between (Smith, 1978)
    planes = []
    for offset in (5.0, 3.0, 1.0):
        place = (hue + offset) % 6.0
        fall = pydl.minimum(place, 4.0 - place).clamp(0.0, 1.0)
        planes.append(high - (high - low) * fall)
    return _to_dtype_image(pydl.stack(planes, dim=-3).clamp(0.0, 1.0), image.dtype, True)


register(adjust_hue, _hue_image, _pil.adjust_hue)


def adjust_gamma(inpt: Any, gamma: float, gain: float = 1) -> Any:
    """``gain * value ** gamma`` of values from 0 to 1: above 1 darkens, below lightens.

    Raises:
        ValueError: a negative gamma.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.adjust_gamma(pydl.full((1, 1, 1), 0.5), 2.0).item()
        0.25
    """
    return run(adjust_gamma, inpt, gamma, gain)


def _gamma_image(image: Tensor, gamma: float, gain: float = 1.0) -> Tensor:
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    values = image if image.is_floating_point() else _to_dtype_image(image, pydl.float32, True)
    values = values.pow(gamma)
    if gain != 1.0:
        values = (values * gain).clamp(0.0, 1.0)
    return _to_dtype_image(values, image.dtype, True)


register(adjust_gamma, _gamma_image, _pil.adjust_gamma)


def posterize(inpt: Any, bits: int) -> Any:
    """Only the highest ``bits`` of each value are kept.

    Raises:
        TypeError: bits outside 0 to 8.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.posterize(pydl.full((1, 1, 1), 255, dtype=pydl.uint8), 2).item()
        192
    """
    return run(posterize, inpt, bits)


def _posterize_image(image: Tensor, bits: int) -> Tensor:
    if not isinstance(bits, int) or not 0 <= bits <= 8:
        raise TypeError(f"bits must be a positive integer in the range [0, 8], got {bits} instead.")
    if image.is_floating_point():
        levels = 1 << bits
        return (image * levels).floor().clamp(0, levels - 1) * (1.0 / levels)
    wide = value_bits(image.dtype)
    return image if bits >= wide else image & (((1 << bits) - 1) << (wide - bits))


register(posterize, _posterize_image, _pil.posterize)


def solarize(inpt: Any, threshold: float) -> Any:
    """Values from the threshold on are inverted.

    Raises:
        TypeError: a threshold above white.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.solarize(pydl.tensor([[[0.25, 0.75]]]), 0.5)
        tensor([[[0.2500, 0.2500]]])
    """
    return run(solarize, inpt, threshold)


def _solarize_image(image: Tensor, threshold: float) -> Tensor:
    if threshold > max_value(image.dtype):
        raise TypeError(f"Threshold should be less or equal the maximum value of the dtype, but got {threshold}")
    return pydl.where(image >= threshold, _invert_image(image), image)


register(solarize, _solarize_image, _pil.solarize)


def autocontrast(inpt: Any) -> Any:
    """Each channel stretched from black to white; flat ones stay.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.autocontrast(pydl.tensor([[[0.25, 0.5]]]))
        tensor([[[0., 1.]]])
    """
    return run(autocontrast, inpt)


def _autocontrast_image(image: Tensor) -> Tensor:
    _channels("autocontrast", image)
    if image.numel() == 0:
        return image
    values = image if image.is_floating_point() else image.float()
    low, high = values.amin(dim=(-2, -1), keepdim=True), values.amax(dim=(-2, -1), keepdim=True)
    flat = low == high
    step = pydl.where(flat, 1.0, (high - low) * (1.0 / max_value(image.dtype)))
    return _back((values - pydl.where(flat, 0.0, low)) / step, image)


register(autocontrast, _autocontrast_image, _pil.autocontrast)


def equalize(inpt: Any) -> Any:
    """Each channel's values spread so that all occur about equally often (histogram equalisation, in 256 steps).

    Example:
        >>> import pydl
        >>> image = pydl.arange(16, dtype=pydl.uint8).reshape(1, 4, 4)
        >>> pydl.vision.transforms.functional.equalize(image).max() <= 255
        tensor(True)
    """
    return run(equalize, inpt)


def _equalize_image(image: Tensor) -> Tensor:
    if image.numel() == 0:
        return image
    return _to_dtype_image(pydl._equalize(_to_dtype_image(image.detach(), pydl.uint8, True)), image.dtype, True)


register(equalize, _equalize_image, _pil.equalize)


def invert(inpt: Any) -> Any:
    """White minus the value.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.invert(pydl.tensor([[[0.25]]])).item()
        0.75
    """
    return run(invert, inpt)


def _invert_image(image: Tensor) -> Tensor:
    if image.is_floating_point():
        return 1.0 - image
    return image.bitwise_xor(int(max_value(image.dtype)))


register(invert, _invert_image, _pil.invert)


def permute_channels(inpt: Any, permutation: Any) -> Any:
    """Channel i of the result is channel ``permutation[i]``.

    Raises:
        ValueError: another length.

    Example:
        >>> import pydl
        >>> image = pydl.tensor([1, 2, 3]).reshape(3, 1, 1)
        >>> pydl.vision.transforms.functional.permute_channels(image, [2, 0, 1]).flatten()
        tensor([3, 1, 2])
    """
    return run(permute_channels, inpt, permutation)


def _permuted(image: Tensor, permutation: Any) -> Tensor:
    order = [int(k) for k in permutation]
    if len(order) != image.shape[-3]:
        raise ValueError(f"Length of permutation does not match number of channels: {len(order)} != {image.shape[-3]}")
    return image.index_select(-3, pydl.tensor(order))


register(permute_channels, _permuted, "image")  # type: ignore[arg-type]
