"""Normalisation, blur, noise, erasing, compression."""

from __future__ import annotations

import io
import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as nnF
from pydl.vision.transforms.functional._dispatch import register, run

__all__ = [
    "erase", "gaussian_blur", "gaussian_kernel", "gaussian_noise", "jpeg", "normalize", "uniform_temporal_subsample",
]  # fmt: skip


def normalize(inpt: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
    """``(x - mean[c]) / std[c]`` of float images (..., C, H, W).

    Raises:
        TypeError: an image of integers. ValueError: fewer than 3 dims, a zero in ``std``.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.normalize(pydl.ones(1, 1, 1), [0.5], [0.25]).item()
        2.0
    """
    return run(normalize, inpt, mean, std, inplace)


def _normalize_image(image: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    if not image.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {image.dtype}.")
    if image.ndim < 3:
        raise ValueError(f"Expected tensor to be a tensor image of size (..., C, H, W). Got {tuple(image.shape)}.")
    means, stds = (pydl.as_tensor(value, dtype=image.dtype) for value in (mean, std))
    if bool((stds == 0).any()):
        raise ValueError(f"normalize(): std must not be zero, got {stds.tolist()}")
    means, stds = (value.reshape(-1, 1, 1) if value.ndim == 1 else value for value in (means, stds))
    return image.sub_(means).div_(stds) if inplace else (image - means) / stds


register(normalize, _normalize_image)


def gaussian_kernel(size: int, sigma: float, dtype: Any) -> Tensor:
    """Weights of a window, exp(-x^2 / (2 sigma^2)), that sum to 1."""
    half = (size - 1) / 2
    x = pydl.linspace(-half, half, size, dtype=pydl.float64)
    return pydl.softmax(-0.5 * (x / sigma) ** 2, dim=0).to(dtype)


def gaussian_blur(inpt: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Smoothed by a Gaussian, with a reflected border.

    Args:
        inpt: image.
        kernel_size: odd, or width and height of the window.
        sigma: positive, or two. Default: ``0.15 * kernel_size + 0.35``.

    Raises:
        ValueError: even or other sizes. TypeError: another ``sigma``.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.gaussian_blur(pydl.ones(1, 5, 5), 3).mean()
        tensor(1.)
    """
    return run(gaussian_blur, inpt, kernel_size, sigma)


def _window(kernel_size: Any, sigma: Any) -> tuple[list[int], list[float]]:
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    if sigma is None:
        sigma = [0.15 * size + 0.35 for size in sizes]
    elif isinstance(sigma, (int, float)):
        sigma = [float(sigma)] * 2
    elif not isinstance(sigma, (list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigmas = list(sigma) * (2 if len(sigma) == 1 else 1)
    if len(sigmas) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
    if any(not value > 0 for value in sigmas):
        raise ValueError(f"sigma should have positive values. Got {sigmas}")
    return sizes, sigmas


def _blur_image(image: Tensor, kernel_size: Any, sigma: Any = None) -> Tensor:
    sizes, sigmas = _window(kernel_size, sigma)
    if image.numel() == 0:
        return image
    values = image if image.is_floating_point() else image.float()
    # A Gaussian of two variables is the product of one in each: rows, then columns, each pixel a picture of its own
    flat = values.reshape(-1, 1, *image.shape[-2:])
    flat = nnF.pad(flat, [sizes[0] // 2] * 2 + [sizes[1] // 2] * 2, mode="reflect")
    flat = nnF.conv2d(flat, gaussian_kernel(sizes[0], sigmas[0], flat.dtype).reshape(1, 1, 1, -1))
    flat = nnF.conv2d(flat, gaussian_kernel(sizes[1], sigmas[1], flat.dtype).reshape(1, 1, -1, 1))
    flat = flat.reshape(image.shape)
    return flat if image.is_floating_point() else flat.round().to(image.dtype)


register(gaussian_blur, _blur_image, "image")  # type: ignore[arg-type]


def gaussian_noise(inpt: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """Normal noise added, of mean and deviation on the scale from 0 to 1.

    Args:
        inpt: image tensor, float or uint8.
        mean: Default: 0. sigma: Default: 0.1.
        clip: keep values within black and white. Default: ``True``.

    Raises:
        ValueError: a negative ``sigma``, another dtype.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.gaussian_noise(pydl.zeros(1, 2, 2)).shape
        torch.Size([1, 2, 2])
    """
    return run(gaussian_noise, inpt, mean, sigma, clip)


def _noise_image(image: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if image.is_floating_point():
        made = image + (mean + pydl.randn(image.shape, dtype=image.dtype) * sigma)
        return made.clamp(0, 1) if clip else made
    if image.dtype != pydl.uint8:
        raise ValueError(f"Input tensor is expected to be in uint8 or float dtype, got dtype={image.dtype}")
    noise = (mean * 255 + pydl.randn(image.shape) * (sigma * 255)).to(pydl.int16)
    made = image + noise
    return (made.clamp(0, 255) if clip else made).to(pydl.uint8)


register(gaussian_noise, _noise_image)


def erase(inpt: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """A rectangle (top i, left j, height h, width w) gets the value ``v``, which is broadcast.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.erase(pydl.ones(1, 1, 3), 0, 1, 1, 1, pydl.tensor(0.0))
        tensor([[[1., 0., 1.]]])
    """
    return run(erase, inpt, i, j, h, w, v, inplace)


def _erase_image(image: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    made = image if inplace else image.clone()
    made[..., i : i + h, j : j + w] = v
    return made


register(erase, _erase_image, "image")  # type: ignore[arg-type]


def jpeg(image: Any, quality: int) -> Any:
    """What JPEG's compression leaves of a uint8 image of 1 or 3 channels.

    Args:
        image: the image. quality: 1 to 100.

    Example:
        >>> import pydl
        >>> image = pydl.full((3, 8, 8), 128, dtype=pydl.uint8)
        >>> pydl.vision.transforms.functional.jpeg(image, 50).shape
        torch.Size([3, 8, 8])
    """
    return run(jpeg, image, quality)


def _jpeg_image(image: Tensor, quality: int) -> Tensor:
    from pydl.vision.io import decode_jpeg, encode_jpeg

    flat = image.reshape(-1, *image.shape[-3:])
    made = [decode_jpeg(encode_jpeg(picture, quality)) for picture in flat]
    return pydl.stack(made).reshape(image.shape) if made else image.clone()


def _jpeg_pil(image: Any, quality: int) -> Any:
    from pydl.vision.transforms.functional._dispatch import pil

    file = io.BytesIO()
    image.save(file, format="JPEG", quality=quality)
    return pil("Image").open(file).copy()


register(jpeg, _jpeg_image, _jpeg_pil)


def uniform_temporal_subsample(inpt: Any, num_samples: int) -> Any:
    """So many frames of a video (..., T, C, H, W), in equal steps.

    Example:
        >>> import pydl
        >>> video = pydl.zeros(9, 3, 2, 2)
        >>> pydl.vision.transforms.functional.uniform_temporal_subsample(video, 3).shape
        torch.Size([3, 3, 2, 2])
    """
    return run(uniform_temporal_subsample, inpt, num_samples)


def _subsample(video: Tensor, num_samples: int) -> Tensor:
    if num_samples < 1:
        raise ValueError(f"num_samples must be positive, got {num_samples}")
    last = video.shape[-4] - 1
    step = last / max(num_samples - 1, 1)
    places = [math.floor(k * step + 1e-9) for k in range(num_samples)]
    return video.index_select(-4, pydl.tensor(places))


register(uniform_temporal_subsample, _subsample)
