"""Flips, sizes, crops and random maps as transforms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pydl
from pydl.vision import tv_tensors
from pydl.vision.transforms import functional as F
from pydl.vision.transforms._base import (
    RandomApplied,
    Transform,
    angles,
    checked_fill,
    fill_for,
    image_size,
    number_or_two,
    pair_of,
    two,
    uniform,
    whole,
)
from pydl.vision.transforms._convert import random_shape
from pydl.vision.transforms.functional._modes import as_mode
from pydl.vision.transforms.functional._warp import perspective_coefficients

__all__ = [
    "CenterCrop", "ElasticTransform", "FiveCrop", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip",
    "RandomPerspective", "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize", "TenCrop",
]  # fmt: skip


class RandomHorizontalFlip(RandomApplied):
    """Left and right exchanged with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomHorizontalFlip(p=1.0)(pydl.tensor([[[1, 2]]]))
        tensor([[[2, 1]]])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The flipped part."""
        return self._call_kernel(F.horizontal_flip, inpt)


class RandomVerticalFlip(RandomApplied):
    """Top and bottom exchanged with probability ``p`` (default 0.5).

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomVerticalFlip(p=1.0)(pydl.tensor([[[1], [2]]])).flatten()
        tensor([2, 1])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The flipped part."""
        return self._call_kernel(F.vertical_flip, inpt)


class Resize(Transform):
    """:func:`~pydl.vision.transforms.functional.resize` of a sample.

    Args:
        size: (height, width); the length of the shorter side; or ``None`` with ``max_size`` for the longer one.
        interpolation: Default: ``"bilinear"``.
        max_size: most of the longer side, when ``size`` is one number.
        antialias: Default: ``True``.

    Raises:
        ValueError: other sizes.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.Resize(5)(pydl.zeros(3, 20, 10)).shape
        torch.Size([3, 10, 5])
    """

    def __init__(
        self, size: Any, interpolation: Any = "bilinear", max_size: int | None = None, antialias: bool | None = True
    ) -> None:
        super().__init__()
        if size is None and not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        if not (size is None or isinstance(size, int) or (isinstance(size, Sequence) and len(size) in (1, 2))):
            raise ValueError(
                f"size can be an integer, a sequence of one or two integers, or None, but got {size} instead."
            )
        self.size = size if size is None else [size] if isinstance(size, int) else list(size)
        as_mode(interpolation)
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The resized part."""
        return self._call_kernel(
            F.resize, inpt, self.size, interpolation=self.interpolation, max_size=self.max_size,
            antialias=self.antialias,
        )  # fmt: skip


_SIZE = "Please provide only two dimensions (h, w) for size."


class CenterCrop(Transform):
    """The middle, (height, width) or a square; smaller images get a border of 0.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.CenterCrop(2)(pydl.arange(16).reshape(1, 4, 4)).flatten()
        tensor([ 5,  6,  9, 10])
    """

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = two(size, _SIZE)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The middle."""
        return self._call_kernel(F.center_crop, inpt, self.size)


class RandomResizedCrop(Transform):
    """A random part, of random size and shape, resized (Szegedy et al., CVPR 2015).

    Args:
        size: (height, width) or a square.
        scale: range of the part's share of the image. Default: (0.08, 1.0).
        ratio: range of width by height. Default: (3/4, 4/3).
        interpolation, antialias: as :class:`Resize`.

    Raises:
        TypeError: ranges that are no sequences of two.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomResizedCrop(8)(pydl.zeros(3, 20, 10)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        size: Any,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = two(size, _SIZE)
        for name, value in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(value, Sequence) or len(value) != 2:
                raise TypeError(f"{name} should be a sequence of two floats.")
            if value[0] > value[1]:
                warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random part."""
        height, width = F.get_size(img)
        for _ in range(10):
            h, w = random_shape(height * width, scale, ratio)
            if 0 < w <= width and 0 < h <= height:
                return whole(0, height - h + 1), whole(0, width - w + 1), h, w
        h, w = height, width  # none fits: the middle, of a ratio within the range
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The part."""
        canvas = pydl.empty(1, *image_size(flat_inputs))
        top, left, height, width = self.get_params(canvas, self.scale, self.ratio)
        return {"top": top, "left": left, "height": height, "width": width}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The resized part."""
        return self._call_kernel(
            F.resized_crop, inpt, **params, size=self.size, interpolation=self.interpolation, antialias=self.antialias
        )


class _Crops(Transform):
    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = two(size, _SIZE)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for boxes and masks, which would have to be given several times."""
        if any(isinstance(leaf, (tv_tensors.BoundingBoxes, tv_tensors.Mask)) for leaf in flat_inputs):
            raise TypeError(f"BoundingBoxes'es and Mask's are not supported by {type(self).__name__}()")


class FiveCrop(_Crops):
    """The four corners and the middle, as a tuple.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> len(transforms.FiveCrop(2)(pydl.zeros(3, 5, 5)))
        5
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The parts."""
        return self._call_kernel(F.five_crop, inpt, self.size)


class TenCrop(_Crops):
    """The four corners and the middle, of the image and of the flipped image, as a tuple.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> len(transforms.TenCrop(2)(pydl.zeros(3, 5, 5)))
        10
    """

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The parts."""
        return self._call_kernel(F.ten_crop, inpt, self.size, self.vertical_flip)


_MODES = ("constant", "edge", "reflect", "symmetric")


def _check_padding(padding: Any, mode: str) -> None:
    fits = isinstance(padding, int) or (
        isinstance(padding, (tuple, list)) and len(padding) in (1, 2, 4) and all(isinstance(p, int) for p in padding)
    )
    if not fits:
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element of tuple or list, got {padding}.")
    if mode not in _MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


class Pad(Transform):
    """:func:`~pydl.vision.transforms.functional.pad` of a sample.

    Args:
        padding: one number, (left and right, top and bottom), or (left, top, right, bottom).
        fill: a number, one for each channel, or a dict of them by type. Default: 0.
        padding_mode: ``"constant"`` (default), ``"edge"``, ``"reflect"`` or ``"symmetric"``.

    Raises:
        ValueError: other lengths or modes.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.Pad(1)(pydl.zeros(3, 5, 5)).shape
        torch.Size([3, 7, 7])
    """

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        _check_padding(padding, padding_mode)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill = checked_fill(fill)
        self.padding_mode = padding_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The part with its border."""
        fill = fill_for(self.fill, inpt)
        return self._call_kernel(F.pad, inpt, self.padding, fill=fill, padding_mode=self.padding_mode)


class RandomCrop(Transform):
    """A random part of fixed size.

    Args:
        size: (height, width) or a square.
        padding: a border before, as :class:`Pad`. Default: ``None``.
        pad_if_needed: a border where the image is smaller than the part. Default: ``False``.
        fill, padding_mode: of the borders, as :class:`Pad`.

    Raises:
        ValueError: (on use) an image that is smaller.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomCrop(3, padding=1)(pydl.zeros(3, 4, 4)).shape
        torch.Size([3, 3, 3])
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = two(size, _SIZE)
        _check_padding(0 if padding is None else padding, padding_mode)
        self.padding = padding if padding is None or isinstance(padding, int) else list(padding)
        self.pad_if_needed = pad_if_needed
        self.fill = checked_fill(fill)
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Sequence[int]) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random part."""
        height, width = F.get_size(img)
        h, w = output_size
        if h > height or w > width:
            raise ValueError(f"Required crop size {(h, w)} is larger than input image size {(height, width)}")
        return whole(0, height - h + 1), whole(0, width - w + 1), h, w

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The border and the part."""
        height, width = image_size(flat_inputs)
        sides = [0, 0, 0, 0]
        if self.padding is not None:
            given = [self.padding] if isinstance(self.padding, int) else self.padding
            sides = given * (4 // len(given))
        missing_rows = self.size[0] - height - sides[1] - sides[3]
        missing_columns = self.size[1] - width - sides[0] - sides[2]
        if self.pad_if_needed:
            rows, columns = max(missing_rows, 0), max(missing_columns, 0)
            sides = [sides[0] + columns, sides[1] + rows, sides[2] + columns, sides[3] + rows]
        padded = pydl.empty(1, height + sides[1] + sides[3], width + sides[0] + sides[2])
        top, left, h, w = self.get_params(padded, self.size)
        return {"padding": sides, "part": (top, left, h, w)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The part."""
        if any(params["padding"]):
            fill = fill_for(self.fill, inpt)
            inpt = self._call_kernel(F.pad, inpt, params["padding"], fill=fill, padding_mode=self.padding_mode)
        return self._call_kernel(F.crop, inpt, *params["part"])


class RandomRotation(Transform):
    """Rotated by a random angle.

    Args:
        degrees: the range, or its half.
        interpolation: ``"nearest"`` (default) or ``"bilinear"``.
        expand: enlarge images so that all of them stays. Default: ``False``.
        center: x and y. Default: the image's.
        fill: as :class:`Pad`.

    Raises:
        ValueError: a negative number, sequences of other lengths.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomRotation((90, 90))(pydl.tensor([[[1, 2], [3, 4]]])).flatten()
        tensor([2, 4, 1, 3])
    """

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = "nearest",
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = angles(degrees, "degrees")
        as_mode(interpolation)
        self.interpolation = interpolation
        self.expand = expand
        if center is not None:
            pair_of(center, "center")
        self.center = center
        self.fill = checked_fill(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """A random angle."""
        return uniform(degrees[0], degrees[1])

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The angle."""
        return {"angle": self.get_params(self.degrees)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The rotated part."""
        return self._call_kernel(
            F.rotate, inpt, **params, interpolation=self.interpolation, expand=self.expand, center=self.center,
            fill=fill_for(self.fill, inpt),
        )  # fmt: skip


class RandomAffine(Transform):
    """A random affine map around the centre.

    Args:
        degrees: range of the angle, or its half.
        translate: largest shares of width and height. Default: ``None``, no shift.
        scale: range of the factor. Default: ``None``, 1.
        shear: range of degrees along x (or its half), or four numbers for x and y. Default: ``None``.
        interpolation: ``"nearest"`` (default) or ``"bilinear"``.
        fill: as :class:`Pad`.
        center: x and y. Default: the image's.

    Raises:
        TypeError, ValueError: values of other types, lengths or ranges.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomAffine(10, translate=(0.1, 0.1))(pydl.zeros(3, 8, 8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = "nearest",
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = angles(degrees, "degrees")
        if translate is not None:
            pair_of(translate, "translate")
            if not all(0.0 <= share <= 1.0 for share in translate):
                raise ValueError("translation values should be between 0 and 1")
        self.translate = translate
        if scale is not None:
            pair_of(scale, "scale")
            if not all(factor > 0 for factor in scale):
                raise ValueError("scale values should be positive")
        self.scale = scale
        self.shear = None if shear is None else angles(shear, "shear", (2, 4))
        as_mode(interpolation)
        self.interpolation = interpolation
        self.fill = checked_fill(fill)
        if center is not None:
            pair_of(center, "center")
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Angle, shift, factor and shear; ``img_size`` is width, height."""
        angle = uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            reach = (translate[0] * img_size[0], translate[1] * img_size[1])
            shift = (round(uniform(-reach[0], reach[0])), round(uniform(-reach[1], reach[1])))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        shear = (0.0, 0.0)
        if shears is not None:
            shear = (uniform(shears[0], shears[1]), uniform(shears[2], shears[3]) if len(shears) == 4 else 0.0)
        return angle, shift, scale, shear

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The map."""
        height, width = image_size(flat_inputs)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, (width, height))
        return dict(zip(("angle", "translate", "scale", "shear"), drawn))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The moved part."""
        return self._call_kernel(
            F.affine, inpt, **params, interpolation=self.interpolation, fill=fill_for(self.fill, inpt),
            center=self.center,
        )  # fmt: skip


class RandomPerspective(RandomApplied):
    """Seen from a random place, with probability ``p``.

    Args:
        distortion_scale: how far corners move at most, as a share of half the sides. Default: 0.5.
        p: Default: 0.5.
        interpolation: ``"bilinear"`` (default) or ``"nearest"``.
        fill: as :class:`Pad`.

    Raises:
        ValueError: ``distortion_scale`` or ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandomPerspective(p=1.0)(pydl.zeros(3, 8, 8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(
        self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Any = "bilinear", fill: Any = 0
    ) -> None:
        super().__init__(p)
        if not 0 <= distortion_scale <= 1:
            raise ValueError("Argument distortion_scale value should be between 0 and 1")
        self.distortion_scale = distortion_scale
        as_mode(interpolation)
        self.interpolation = interpolation
        self.fill = checked_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """The corners, and where they come to."""
        reach_x, reach_y = (int(distortion_scale * (side // 2)) + 1 for side in (width, height))
        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        end = []
        for x, y in start:
            new_x = whole(0, reach_x) if x == 0 else whole(width - reach_x, width)
            new_y = whole(0, reach_y) if y == 0 else whole(height - reach_y, height)
            end.append([new_x, new_y])
        return start, end

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The map."""
        height, width = image_size(flat_inputs)
        return {"coefficients": perspective_coefficients(*self.get_params(width, height, self.distortion_scale))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The moved part."""
        return self._call_kernel(
            F.perspective, inpt, **params, interpolation=self.interpolation, fill=fill_for(self.fill, inpt)
        )


class ElasticTransform(Transform):
    """Random smooth displacements (Simard, Steinkraus and Platt, ICDAR 2003).

    Args:
        alpha: their size in pixels. Default: 50.
        sigma: how smooth they are. Default: 5.
        interpolation: ``"bilinear"`` (default) or ``"nearest"``.
        fill: as :class:`Pad`.

    Raises:
        TypeError, ValueError: no number, or sequences of other lengths.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.ElasticTransform()(pydl.zeros(3, 48, 48)).shape
        torch.Size([3, 48, 48])
    """

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = "bilinear", fill: Any = 0) -> None:
        super().__init__()
        self.alpha = number_or_two(alpha, "alpha")
        self.sigma = number_or_two(sigma, "sigma")
        as_mode(interpolation)
        self.interpolation = interpolation
        self.fill = checked_fill(fill)

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Any:
        """The displacements, (1, H, W, 2); ``size`` is height, width."""
        parts = []
        for strength, smooth, side in zip(alpha, sigma, (size[1], size[0])):
            noise = pydl.rand(1, 1, *size) * 2 - 1
            if smooth > 0.0:
                window = int(8 * smooth + 1) | 1
                noise = F.gaussian_blur(noise, [window, window], list(sigma))
            parts.append(noise * strength / side)
        return pydl.cat(parts, 1).permute(0, 2, 3, 1)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The displacements."""
        return {"displacement": self.get_params(self.alpha, self.sigma, image_size(flat_inputs))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The moved part."""
        return self._call_kernel(
            F.elastic, inpt, **params, interpolation=self.interpolation, fill=fill_for(self.fill, inpt)
        )
