"""Augmentations drawn from a list of operations."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision import tv_tensors
from pydl.vision.transforms import _policies
from pydl.vision.transforms import functional as F
from pydl.vision.transforms._base import Transform, checked_fill, fill_for, flatten, is_pil, whole
from pydl.vision.transforms.functional._conversion import max_value

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


class AutoAugmentPolicy(enum.Enum):
    """The data set on which AutoAugment's policy was found."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# Of a number of bins, height and width: the magnitudes, or None; and whether the sign is random
_Magnitudes = Callable[[int, int, int], Any]


def _line(stop: float, start: float = 0.0) -> _Magnitudes:
    return lambda bins, height, width: np.linspace(start, stop, bins)


def _share_of_width(share: float) -> _Magnitudes:
    return lambda bins, height, width: np.linspace(0.0, share * width, bins)


def _share_of_height(share: float) -> _Magnitudes:
    return lambda bins, height, width: np.linspace(0.0, share * height, bins)


def _bits(first: int, fewer: int) -> _Magnitudes:
    return lambda bins, height, width: np.round(first - np.arange(bins) * (fewer / max(bins - 1, 1)))


_PLAIN: tuple[_Magnitudes, bool] = (lambda bins, height, width: None, False)
_Space = dict[str, tuple[_Magnitudes, bool]]


def _space(shear: float, move_x: _Magnitudes, move_y: _Magnitudes, turn: float, colour: float, bits: Any) -> _Space:
    signed = {"ShearX": _line(shear), "ShearY": _line(shear), "TranslateX": move_x, "TranslateY": move_y,
              "Rotate": _line(turn)}  # fmt: skip
    signed |= {name: _line(colour) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
    return {
        **{name: (magnitudes, True) for name, magnitudes in signed.items()},
        "Posterize": (bits, False),
        "Solarize": (_line(0.0, 1.0), False),
        "AutoContrast": _PLAIN,
        "Equalize": _PLAIN,
    }


# 150 pixels of an image of 331 in the papers
_AUTO = _space(0.3, _share_of_width(150 / 331), _share_of_height(150 / 331), 30.0, 0.9, _bits(8, 4))
_WIDE = _space(0.99, _line(32.0), _line(32.0), 135.0, 0.99, _bits(8, 6))
_MIX = _space(0.3, _share_of_width(1 / 3), _share_of_height(1 / 3), 30.0, 0.9, _bits(4, 4))
_COLOURS = ("Brightness", "Color", "Contrast", "Sharpness")
_WITHOUT_MAGNITUDE: dict[str, Callable[..., Any]] = {
    "AutoContrast": F.autocontrast,
    "Equalize": F.equalize,
    "Invert": F.invert,
}
_BY_FACTOR: dict[str, Callable[..., Any]] = {
    "Brightness": F.adjust_brightness,
    "Color": F.adjust_saturation,
    "Contrast": F.adjust_contrast,
    "Sharpness": F.adjust_sharpness,
}


class _Automatic(Transform):
    """Finds the one image of the sample, and makes single operations."""

    def __init__(self, interpolation: Any, fill: Any) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.fill = checked_fill(fill)

    def forward(self, *inputs: Any) -> Any:
        """The sample with its image augmented."""
        leaves, rebuild = flatten(inputs if len(inputs) > 1 else inputs[0])
        for leaf in leaves:
            if isinstance(leaf, (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)):
                raise TypeError(f"Inputs of type {type(leaf).__name__} are not supported by {type(self).__name__}()")
        places = [k for k, yes in enumerate(self._needs_transform_list(leaves)) if yes]
        if len(places) != 1:
            raise TypeError(f"{type(self).__name__}: there must be one image in the sample, found {len(places)}")
        leaves[places[0]] = self._augmented(leaves[places[0]])
        return rebuild(leaves)

    def _augmented(self, image: Any) -> Any:
        raise NotImplementedError

    def _magnitude(self, entry: tuple[_Magnitudes, bool], bins: int, at: int, image: Any) -> float:
        magnitudes = entry[0](bins, *F.get_size(image))
        if magnitudes is None:
            return 0.0
        return float(magnitudes[at]) * (-1 if entry[1] and pydl.rand(()).item() <= 0.5 else 1)

    def _drawn(self, space: _Space) -> tuple[str, tuple[_Magnitudes, bool]]:
        name = list(space)[whole(0, len(space))]
        return name, space[name]

    def _operation(self, name: str, image: Any, magnitude: float) -> Any:
        if name in _WITHOUT_MAGNITUDE:
            return _WITHOUT_MAGNITUDE[name](image)
        if name in _BY_FACTOR:
            return _BY_FACTOR[name](image, 1.0 + magnitude)
        if name == "Posterize":
            return F.posterize(image, int(magnitude))
        if name == "Solarize":
            white = max_value(image.dtype) if isinstance(image, Tensor) else 255.0
            return F.solarize(image, white * magnitude)
        return self._moved(name, image, magnitude)

    def _moved(self, name: str, image: Any, magnitude: float) -> Any:
        fill = fill_for(self.fill, image)
        if name == "Rotate":
            return F.rotate(image, magnitude, self.interpolation, fill=fill)
        shift, shear, center = [0, 0], [0.0, 0.0], None
        axis = 0 if name.endswith("X") else 1
        if name.startswith("Shear"):
            # The papers' magnitude is the tangent, counted from the upper left corner
            shear[axis], center = math.degrees(math.atan(magnitude)), [0, 0]
        else:
            shift[axis] = int(magnitude)
        return F.affine(image, 0.0, shift, 1.0, shear, self.interpolation, fill, center)


class AutoAugment(_Automatic):
    """Two operations of a sub-policy drawn from those that were found by search.

    Args:
        policy: the data set of the search. Default: ImageNet.
        interpolation: ``"nearest"`` (default) or ``"bilinear"``.
        fill: as :class:`Pad`. Default: ``None``, 0.

    Raises:
        TypeError: (on use) no or several images, boxes or masks.

    Source: Cubuk et al., "AutoAugment: Learning augmentation strategies from data", CVPR 2019.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.AutoAugment()(pydl.zeros(3, 8, 8, dtype=pydl.uint8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: Any = "nearest",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.policy = AutoAugmentPolicy(policy)
        self.policies = _policies.parsed(getattr(_policies, self.policy.name))

    def extra_repr(self) -> str:
        return f"policy={self.policy}, interpolation={self.interpolation}, fill={self.fill}"

    def _augmented(self, image: Any) -> Any:
        space = {**_AUTO, "Invert": _PLAIN}
        for name, probability, at in self.policies[whole(0, len(self.policies))]:
            if pydl.rand(()).item() <= probability:
                image = self._operation(name, image, self._magnitude(space[name], 10, at, image))
        return image


class RandAugment(_Automatic):
    """``num_ops`` operations drawn at random, all of one magnitude.

    Args:
        num_ops: Default: 2. magnitude: Default: 9.
        num_magnitude_bins: one more than the largest magnitude. Default: 31.
        interpolation, fill: as :class:`AutoAugment`.

    Raises:
        ValueError: a negative ``num_ops``, a magnitude out of range. TypeError: (on use) no or several images.

    Source: Cubuk et al., "RandAugment: Practical automated data augmentation", NeurIPS 2020.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.RandAugment()(pydl.zeros(3, 8, 8, dtype=pydl.uint8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = "nearest",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ValueError(f"num_ops should be a non-negative integer, but got {num_ops} instead.")
        if not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(f"magnitude must be in [0, {num_magnitude_bins}), got {magnitude}")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def _augmented(self, image: Any) -> Any:
        space = {"Identity": _PLAIN, **_AUTO}
        for _ in range(self.num_ops):
            name, entry = self._drawn(space)
            magnitude = self._magnitude(entry, self.num_magnitude_bins, self.magnitude, image)
            image = image if name == "Identity" else self._operation(name, image, magnitude)
        return image


class TrivialAugmentWide(_Automatic):
    """One operation of random magnitude.

    Args:
        num_magnitude_bins: Default: 31. interpolation, fill: as :class:`AutoAugment`.

    Raises:
        TypeError: (on use) no or several images, boxes or masks.

    Source: Müller and Hutter, "TrivialAugment: Tuning-free yet state-of-the-art data augmentation", ICCV 2021.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.TrivialAugmentWide()(pydl.zeros(3, 8, 8, dtype=pydl.uint8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = "nearest", fill: Any = None) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def _augmented(self, image: Any) -> Any:
        name, entry = self._drawn({"Identity": _PLAIN, **_WIDE})
        magnitude = self._magnitude(entry, self.num_magnitude_bins, whole(0, self.num_magnitude_bins), image)
        return image if name == "Identity" else self._operation(name, image, magnitude)


class AugMix(_Automatic):
    """The image mixed with chains of operations on it, with Dirichlet weights.

    Args:
        severity: 1 to 10. Default: 3. mixture_width: chains. Default: 3.
        chain_depth: operations of each; -1 (default): 1 to 3 at random.
        alpha: of the weights' distributions. Default: 1.
        all_ops: with brightness, colour, contrast and sharpness. Default: ``True``.
        interpolation: ``"bilinear"`` (default) or ``"nearest"``. fill: as :class:`AutoAugment`.

    Raises:
        ValueError: a severity outside. TypeError: (on use) no or several images, boxes or masks.

    Source: Hendrycks et al., "AugMix: A simple data processing method to improve robustness", ICLR 2020.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.AugMix()(pydl.zeros(3, 8, 8, dtype=pydl.uint8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Any = "bilinear",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not 1 <= severity <= 10:
            raise ValueError(f"The severity must be between [1, 10]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _augmented(self, image: Any) -> Any:
        from pydl.distributions import Dirichlet

        if is_pil(image) or isinstance(image, np.ndarray):
            tensor = F.to_image(image)
            mixed = self._augmented(tensor).as_subclass(Tensor)
            return F.to_pil_image(mixed) if is_pil(image) else _as_array(mixed, image)
        space = {name: entry for name, entry in _MIX.items() if self.all_ops or name not in _COLOURS}
        plain = image.as_subclass(Tensor)
        # The images of a batch (N, C, H, W) have weights of their own; the frames of a video do not
        one = 4 if isinstance(image, tv_tensors.Video) else 3
        batch, tail = plain.shape[:1] if plain.ndim > one else (), (1,) * min(plain.ndim, one)
        original, rest = Dirichlet(pydl.full((2,), float(self.alpha))).sample(batch).unbind(-1)
        weights = Dirichlet(pydl.full((self.mixture_width,), float(self.alpha))).sample(batch).unbind(-1)
        mixed = plain.float() * original.reshape(*batch, *tail)
        for weight in weights:
            changed = plain
            for _ in range(self.chain_depth if self.chain_depth > 0 else whole(1, 4)):
                name, entry = self._drawn(space)
                magnitude = self._magnitude(entry, 10, whole(0, self.severity), changed)
                changed = self._operation(name, changed, magnitude)
            mixed = mixed + changed.float() * (weight * rest).reshape(*batch, *tail)
        made = mixed.to(plain.dtype)
        return tv_tensors.wrap(made, like=image) if isinstance(image, tv_tensors.TVTensor) else made


def _as_array(mixed: Tensor, like: np.ndarray) -> np.ndarray:
    made = mixed.numpy().transpose(1, 2, 0)
    return np.ascontiguousarray(made.reshape(like.shape))
