"""Colours as transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl.vision.transforms import functional as F
from pydl.vision.transforms._base import RandomApplied, Transform, image_dimensions, uniform

__all__ = [
    "RGB", "ColorJitter", "Grayscale", "RandomAdjustSharpness", "RandomAutocontrast", "RandomChannelPermutation",
    "RandomEqualize", "RandomGrayscale", "RandomInvert", "RandomPhotometricDistort", "RandomPosterize",
    "RandomSolarize",
]  # fmt: skip


class Grayscale(Transform):
    """Grey images of 1 (default) or 3 equal channels.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.Grayscale()(pydl.zeros(3, 2, 2)).shape
        torch.Size([1, 2, 2])
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The grey image."""
        return self._call_kernel(F.rgb_to_grayscale, inpt, self.num_output_channels)


class RandomGrayscale(RandomApplied):
    """Grey, in as many channels as before, with probability ``p`` (default 0.1).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomGrayscale(p=1.0)(pydl.zeros(3, 2, 2)).shape
        torch.Size([3, 2, 2])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The number of channels."""
        return {"num_output_channels": image_dimensions(flat_inputs)[0]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The grey image."""
        return self._call_kernel(F.rgb_to_grayscale, inpt, **params)


class RGB(Transform):
    """Images of three channels; grey ones get three equal ones.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.RGB()(pydl.zeros(1, 2, 2)).shape
        torch.Size([3, 2, 2])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image."""
        return self._call_kernel(F.grayscale_to_rgb, inpt)


def _range(value: Any, name: str, centre: float = 1.0, bounds: tuple[float, float] = (0.0, float("inf"))) -> Any:
    """The range of a factor, ``None`` if it is the centre alone."""
    if value is None:
        return None
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        limits = [max(centre - value, bounds[0]) if centre == 1.0 else centre - value, centre + value]
    elif isinstance(value, Sequence) and len(value) == 2:
        limits = [float(v) for v in value]
    else:
        raise TypeError(f"{name}={value} should be a single number or a sequence with length 2.")
    if not bounds[0] <= limits[0] <= limits[1] <= bounds[1]:
        raise ValueError(f"{name} values should be between {bounds} and increasing, but got {limits}.")
    return None if limits[0] == limits[1] == centre else (float(limits[0]), float(limits[1]))


_ADJUST = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)


class ColorJitter(Transform):
    """Random brightness, contrast, saturation and hue, in random order.

    Args:
        brightness, contrast, saturation: factors from max(0, 1 - value) to 1 + value, or a range of them. Default:
            ``None``, unchanged.
        hue: a share of the circle from -value to value, or a range within [-0.5, 0.5]. Default: ``None``.

    Raises:
        TypeError, ValueError: other types or ranges.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.ColorJitter(0.5, 0.5, 0.5, 0.1)(pydl.zeros(3, 2, 2)).shape
        torch.Size([3, 2, 2])
    """

    def __init__(self, brightness: Any = None, contrast: Any = None, saturation: Any = None, hue: Any = None) -> None:
        super().__init__()
        self.brightness = _range(brightness, "brightness")
        self.contrast = _range(contrast, "contrast")
        self.saturation = _range(saturation, "saturation")
        self.hue = _range(hue, "hue", 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """The order of the four, and their factors or ``None``."""
        order = pydl.randperm(4)
        ranges = (brightness, contrast, saturation, hue)
        return (order, *(None if limits is None else uniform(*limits) for limits in ranges))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The order and the factors."""
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return {"order": order.tolist(), "factors": factors}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The changed image."""
        for k in params["order"]:
            if params["factors"][k] is not None:
                inpt = self._call_kernel(_ADJUST[k], inpt, params["factors"][k])
        return inpt


class RandomPhotometricDistort(Transform):
    """The changes of colour of SSD (Liu et al., ECCV 2016): each with probability ``p``, channels exchanged at last.

    Args:
        brightness, contrast, saturation, hue: ranges. Default: (0.875, 1.125), (0.5, 1.5), (0.5, 1.5), (-0.05, 0.05).
        p: Default: 0.5.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.RandomPhotometricDistort()(pydl.zeros(3, 2, 2)).shape
        torch.Size([3, 2, 2])
    """

    def __init__(
        self,
        brightness: tuple[float, float] = (0.875, 1.125),
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue: tuple[float, float] = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.hue = hue
        self.saturation = saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The factors, the order, the permutation."""

        def happens() -> bool:
            return pydl.rand(()).item() < self.p

        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = [uniform(*limits) if happens() else None for limits in ranges]
        # Contrast comes before saturation and hue, or after them
        order = [0, 1, 2, 3] if pydl.rand(()).item() < 0.5 else [0, 2, 3, 1]
        channels = image_dimensions(flat_inputs)[0]
        return {"factors": factors, "order": order, "permutation": pydl.randperm(channels) if happens() else None}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The changed image."""
        for k in params["order"]:
            if params["factors"][k] is not None:
                inpt = self._call_kernel(_ADJUST[k], inpt, params["factors"][k])
        if params["permutation"] is not None:
            inpt = self._call_kernel(F.permute_channels, inpt, params["permutation"])
        return inpt


class RandomChannelPermutation(Transform):
    """Channels in random order.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.RandomChannelPermutation()(pydl.arange(3).reshape(3, 1, 1)).sum().item()
        3
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The order."""
        return {"permutation": pydl.randperm(image_dimensions(flat_inputs)[0])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The permuted image."""
        return self._call_kernel(F.permute_channels, inpt, **params)


class RandomEqualize(RandomApplied):
    """:func:`~pydl.vision.transforms.functional.equalize` with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomEqualize()(pydl.zeros(3, 2, 2, dtype=pydl.uint8)).shape
        torch.Size([3, 2, 2])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The equalised image."""
        return self._call_kernel(F.equalize, inpt)


class RandomInvert(RandomApplied):
    """:func:`~pydl.vision.transforms.functional.invert` with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomInvert(p=1.0)(pydl.zeros(1, 1, 1)).item()
        1.0
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The inverted image."""
        return self._call_kernel(F.invert, inpt)


class RandomPosterize(RandomApplied):
    """:func:`~pydl.vision.transforms.functional.posterize` to ``bits`` with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomPosterize(2, p=1.0)(pydl.full((1, 1, 1), 255, dtype=pydl.uint8)).item()
        192
    """

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The posterised image."""
        return self._call_kernel(F.posterize, inpt, self.bits)


class RandomSolarize(RandomApplied):
    """:func:`~pydl.vision.transforms.functional.solarize` from ``threshold`` on with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomSolarize(0.5, p=1.0)(pydl.full((1, 1, 1), 0.75)).item()
        0.25
    """

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The solarised image."""
        return self._call_kernel(F.solarize, inpt, self.threshold)


class RandomAutocontrast(RandomApplied):
    """:func:`~pydl.vision.transforms.functional.autocontrast` with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomAutocontrast(p=1.0)(pydl.tensor([[[0.25, 0.5]]]))
        tensor([[[0., 1.]]])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The stretched image."""
        return self._call_kernel(F.autocontrast, inpt)


class RandomAdjustSharpness(RandomApplied):
    """:func:`~pydl.vision.transforms.functional.adjust_sharpness` by a factor with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomAdjustSharpness(2.0)(pydl.zeros(3, 4, 4)).shape
        torch.Size([3, 4, 4])
    """

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The sharper image."""
        return self._call_kernel(F.adjust_sharpness, inpt, self.sharpness_factor)
