"""Conversions as transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.vision import tv_tensors
from pydl.vision.transforms import functional as F
from pydl.vision.transforms._base import (
    RandomApplied,
    Transform,
    flatten,
    image_dimensions,
    is_array_image,
    is_pil,
    is_pure_tensor,
    number_or_two,
    two,
    uniform,
    whole,
)

__all__ = [
    "JPEG", "ConvertImageDtype", "GaussianBlur", "GaussianNoise", "LinearTransformation", "Normalize", "PILToTensor",
    "RandomErasing", "ToDtype", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor", "UniformTemporalSubsample",
]  # fmt: skip


class ToTensor(Transform):
    """:func:`~pydl.vision.transforms.functional.to_tensor` of the Pillow images and arrays (H, W[, C]) of a sample.

    Raises:
        TypeError: there is none in the sample, but a tensor or something else.

    Example:
        >>> import numpy as np
        >>> from pydl.vision import transforms
        >>> transforms.ToTensor()(np.full((1, 1, 3), 255, np.uint8)).shape
        torch.Size([3, 1, 1])
    """

    def forward(self, *inputs: Any) -> Any:
        """The sample with tensors."""
        leaves, rebuild = flatten(inputs if len(inputs) > 1 else inputs[0])
        if not any(is_pil(leaf) or is_array_image(leaf) for leaf in leaves):
            if len(leaves) == 1:
                return F.to_tensor(leaves[0])
            raise TypeError("ToTensor: there is no Pillow image and no array in the sample")
        return rebuild([F.to_tensor(leaf) if is_pil(leaf) or is_array_image(leaf) else leaf for leaf in leaves])


class PILToTensor(Transform):
    """:func:`~pydl.vision.transforms.functional.pil_to_tensor` of the Pillow images of a sample.

    Example:
        >>> import PIL.Image
        >>> from pydl.vision import transforms
        >>> transforms.PILToTensor()(PIL.Image.new("L", (3, 2))).shape
        torch.Size([1, 2, 3])
    """

    _transformed_types = (is_pil,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The tensor."""
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """:func:`~pydl.vision.transforms.functional.to_image` of the images of a sample.

    Example:
        >>> import numpy as np
        >>> from pydl.vision.transforms import v2
        >>> type(v2.ToImage()(np.zeros((2, 3, 3), np.uint8))).__name__
        'Image'
    """

    _transformed_types = (is_pure_tensor, is_pil, is_array_image)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image."""
        return F.to_image(inpt)


class ToPILImage(Transform):
    """:func:`~pydl.vision.transforms.functional.to_pil_image` of the images of a sample.

    Args:
        mode: of Pillow. Default: from dtype and channels.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.ToPILImage()(pydl.zeros(3, 4, 5)).size
        (5, 4)
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Image, is_array_image)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The Pillow image."""
        return F.to_pil_image(inpt, self.mode)


class ToPureTensor(Transform):
    """Images, masks, boxes and points as plain tensors.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> type(v2.ToPureTensor()(pydl.vision.tv_tensors.Mask(pydl.zeros(2, 2)))).__name__
        'Tensor'
    """

    _transformed_types = (tv_tensors.TVTensor,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The tensor."""
        return inpt.as_subclass(Tensor)


class ToDtype(Transform):
    """:func:`~pydl.vision.transforms.functional.to_dtype` of a sample.

    Args:
        dtype: of images; or a dict of dtypes (or ``None``: as they are) by type, with ``"others"`` for the rest.
        scale: white stays white. Default: ``False``.

    Raises:
        ValueError: no dtype for a kind of input.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.ToDtype(pydl.float32, scale=True)(pydl.full((1, 1, 1), 255, dtype=pydl.uint8)).item()
        1.0
    """

    _transformed_types = (Tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (dict, pydl.dtype)):
            raise ValueError(f"dtype must be a dict or a dtype, got {type(dtype).__name__} instead")
        self.dtype = dtype
        self.scale = scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The converted part."""
        picture = is_pure_tensor(inpt) or isinstance(inpt, (tv_tensors.Image, tv_tensors.Video))
        if not isinstance(self.dtype, dict):
            return self._call_kernel(F.to_dtype, inpt, self.dtype, self.scale) if picture else inpt
        key = type(inpt) if type(inpt) in self.dtype else "others"
        if key not in self.dtype:
            raise ValueError(
                f"ToDtype: no dtype was given for {type(inpt).__name__}; add it or 'others' (None: leave it as it is)"
            )
        dtype = self.dtype[key]
        return inpt if dtype is None else self._call_kernel(F.to_dtype, inpt, dtype, self.scale)


class ConvertImageDtype(Transform):
    """Images in another dtype, white staying white; the older form of :class:`ToDtype`.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.ConvertImageDtype(pydl.uint8)(pydl.ones(1, 1, 1)).item()
        255
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Image, tv_tensors.Video)

    def __init__(self, dtype: Any = pydl.float32) -> None:
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The converted image."""
        return self._call_kernel(F.to_dtype, inpt, self.dtype, True)


class Normalize(Transform):
    """``(x - mean[c]) / std[c]`` of float images (..., C, H, W).

    Args:
        mean, std: one number for each channel. inplace: Default: ``False``.

    Raises:
        ValueError: a zero in ``std``. TypeError: (on use) an integer tensor or a Pillow image.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.Normalize([0.5], [0.5])(pydl.ones(1, 1, 1)).item()
        1.0
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = list(mean)
        self.std = list(std)
        if any(value == 0 for value in self.std):
            raise ValueError(f"Normalize: std must not be zero, got {self.std}")
        self.inplace = inplace

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for Pillow images."""
        if any(is_pil(leaf) for leaf in flat_inputs):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The normalised image."""
        return self._call_kernel(F.normalize, inpt, self.mean, self.std, self.inplace)


class LinearTransformation(Transform):
    """``(flat - mean_vector) @ transformation_matrix`` of images with D pixel values, for instance whitening.

    Args:
        transformation_matrix: (D, D). mean_vector: (D,).

    Raises:
        ValueError: other shapes or different dtypes. TypeError: (on use) Pillow images.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.LinearTransformation(pydl.eye(4) * 2, pydl.ones(4))(pydl.ones(1, 2, 2)).sum().item()
        0.0
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Image, tv_tensors.Video)

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        rows = transformation_matrix.shape[0]
        if tuple(transformation_matrix.shape) != (rows, rows) or tuple(mean_vector.shape) != (rows,):
            raise ValueError(
                "LinearTransformation: transformation_matrix must be (D, D) and mean_vector (D,), got "
                f"{tuple(transformation_matrix.shape)} and {tuple(mean_vector.shape)}"
            )
        if transformation_matrix.dtype != mean_vector.dtype:
            raise ValueError(
                f"Input tensors should have the same dtype. Got {transformation_matrix.dtype} and {mean_vector.dtype}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for Pillow images."""
        if any(is_pil(leaf) for leaf in flat_inputs):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The mapped image."""
        values = inpt.shape[-3:].numel()
        if values != len(self.mean_vector):
            raise ValueError(
                f"LinearTransformation: images must have {len(self.mean_vector)} values, got {tuple(inpt.shape)}"
            )
        flat = inpt.as_subclass(Tensor).reshape(-1, values) - self.mean_vector
        made = (flat @ self.transformation_matrix.to(flat.dtype)).reshape(inpt.shape)
        return made if is_pure_tensor(inpt) else tv_tensors.wrap(made, like=inpt)


class GaussianBlur(Transform):
    """Smoothed by a Gaussian of random width.

    Args:
        kernel_size: odd, or (width, height) of the window.
        sigma: a number or range of the deviation. Default: (0.1, 2.0).

    Raises:
        ValueError: even sizes, deviations that are not positive.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> transforms.GaussianBlur(3)(pydl.zeros(3, 8, 8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = two(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        self.sigma = number_or_two(sigma, "sigma")
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {self.sigma}")

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A random deviation."""
        return uniform(sigma_min, sigma_max)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The deviation."""
        return {"sigma": [self.get_params(*self.sigma)] * 2}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The smoothed image."""
        return self._call_kernel(F.gaussian_blur, inpt, self.kernel_size, **params)


class GaussianNoise(Transform):
    """:func:`~pydl.vision.transforms.functional.gaussian_noise` of a sample's images.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.GaussianNoise()(pydl.zeros(3, 8, 8)).shape
        torch.Size([3, 8, 8])
    """

    _transformed_types = (Tensor, is_array_image)

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for Pillow images."""
        if any(is_pil(leaf) for leaf in flat_inputs):
            raise ValueError("Gaussian Noise is not implemented for PIL images.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The noisy image."""
        return self._call_kernel(F.gaussian_noise, inpt, self.mean, self.sigma, self.clip)


class RandomErasing(RandomApplied):
    """A random rectangle of an image overwritten (Zhong et al., AAAI 2020).

    Args:
        p: probability. Default: 0.5.
        scale: range of the rectangle's share of the image. Default: (0.02, 0.33).
        ratio: range of height by width. Default: (0.3, 3.3).
        value: a number, one for each channel, or ``"random"`` for normal noise. Default: 0.
        inplace: Default: ``False``.

    Raises:
        TypeError, ValueError: other types, ``scale`` outside [0, 1], another string.

    Example:
        >>> import pydl
        >>> from pydl.vision import transforms
        >>> bool((transforms.RandomErasing(p=1.0)(pydl.ones(1, 20, 20)) == 0).any())
        True
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0.0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p)
        if not isinstance(value, (int, float, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if not isinstance(scale, Sequence) or not isinstance(ratio, Sequence):
            raise TypeError("Scale and ratio should be sequences")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        self.scale = scale
        self.ratio = ratio
        numbers = [value] if isinstance(value, (int, float)) else value
        self.value = None if isinstance(numbers, str) else [float(v) for v in numbers]
        self.inplace = inplace

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The rectangle and what comes into it."""
        channels, height, width = image_dimensions(flat_inputs)
        if self.value is not None and len(self.value) not in (1, channels):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {channels} (number of inpt channels)"
            )
        for _ in range(10):
            h, w = random_shape(height * width, self.scale, [1 / r for r in self.ratio[::-1]])
            if h < height and w < width:
                v = pydl.randn(channels, h, w) if self.value is None else pydl.tensor(self.value)[:, None, None]
                return {"i": whole(0, height - h + 1), "j": whole(0, width - w + 1), "h": h, "w": w, "v": v}
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image, erased if a rectangle was found that fits."""
        return self._call_kernel(F.erase, inpt, **params, inplace=self.inplace) if params else inpt


def random_shape(area: float, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int]:
    """Height and width of a random share of the area, with a random ratio of width to height, even on a log scale."""
    wanted = area * uniform(scale[0], scale[1])
    low, high = (pydl.tensor(float(r)).log().item() for r in ratio)
    aspect = pydl.tensor(uniform(low, high)).exp().item()
    return round((wanted / aspect) ** 0.5), round((wanted * aspect) ** 0.5)


class JPEG(Transform):
    """:func:`~pydl.vision.transforms.functional.jpeg` of a random quality.

    Args:
        quality: 1 to 100, or a range.

    Raises:
        TypeError, ValueError: another type or range.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.JPEG((50, 90))(pydl.zeros(3, 8, 8, dtype=pydl.uint8)).shape
        torch.Size([3, 8, 8])
    """

    def __init__(self, quality: Any) -> None:
        super().__init__()
        if isinstance(quality, bool):
            raise TypeError("quality can't be bool")
        limits = [quality] * 2 if isinstance(quality, int) else list(quality)
        if len(limits) != 2 or not all(isinstance(q, int) for q in limits) or not 1 <= limits[0] <= limits[1] <= 100:
            raise ValueError(f"quality must be an integer from 1 to 100, or a range of them, got {quality!r}")
        self.quality = limits

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The quality."""
        return {"quality": whole(self.quality[0], self.quality[1] + 1)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The compressed image."""
        return self._call_kernel(F.jpeg, inpt, **params)


class UniformTemporalSubsample(Transform):
    """So many frames of a video (..., T, C, H, W), in equal steps.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.UniformTemporalSubsample(2)(pydl.zeros(9, 3, 2, 2)).shape
        torch.Size([2, 3, 2, 2])
    """

    _transformed_types = (is_pure_tensor, tv_tensors.Video)

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The frames."""
        return self._call_kernel(F.uniform_temporal_subsample, inpt, self.num_samples)
