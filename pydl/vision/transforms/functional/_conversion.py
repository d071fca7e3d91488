"""Between Pillow images, arrays and tensors, and between dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision import tv_tensors
from pydl.vision.transforms.functional._dispatch import is_array_image, is_pil, pil, register, run

__all__ = [
    "convert_image_dtype", "get_dimensions", "get_image_num_channels", "get_image_size", "get_num_channels",
    "get_num_frames", "get_size", "max_value", "pil_to_tensor", "to_dtype", "to_image", "to_pil_image", "to_tensor",
    "value_bits",
]  # fmt: skip

# Modes of Pillow whose pixels NumPy does not give as uint8
_WIDE = {"I": np.int32, "I;16": np.uint16, "F": np.float32}
_BITS = {
    pydl.bool: 1, pydl.uint8: 8, pydl.int8: 7, pydl.int16: 15, pydl.uint16: 16, pydl.int32: 31, pydl.int64: 63,
}  # fmt: skip


def value_bits(dtype: Any) -> int:
    """Bits of the largest value of an integer dtype."""
    if dtype not in _BITS:
        raise TypeError(f"images must be of an integer or floating-point dtype, got {dtype}")
    return _BITS[dtype]


def max_value(dtype: Any) -> float:
    """White: the largest value of an integer dtype, 1 for floats."""
    return 1 if dtype.is_floating_point else (1 << value_bits(dtype)) - 1


def _channels_first(array: np.ndarray) -> Tensor:
    if array.ndim == 2:
        array = array[:, :, None]
    return pydl.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


def pil_to_tensor(pic: Any) -> Tensor:
    """A Pillow image as (C, H, W) of its own dtype; bool for mode 1.

    Raises:
        TypeError: another kind of input.

    Example:
        >>> import PIL.Image, pydl
        >>> pydl.vision.transforms.functional.pil_to_tensor(PIL.Image.new("RGB", (3, 2))).shape
        torch.Size([3, 2, 3])
    """
    if not is_pil(pic):
        raise TypeError(f"pil_to_tensor(): pic must be a Pillow image, got {type(pic).__name__}")
    return _channels_first(np.array(pic, copy=True))


def to_tensor(pic: Any) -> Tensor:
    """A Pillow image or an array (H, W) or (H, W, C) as (C, H, W); uint8 becomes float32 in [0, 1].

    Raises:
        TypeError: another kind of input, a tensor too. ValueError: an array of other dims.

    Example:
        >>> import numpy as np, pydl
        >>> pydl.vision.transforms.functional.to_tensor(np.full((1, 2), 51, np.uint8))
        tensor([[[0.2000, 0.2000]]])
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"to_tensor(): an array must have 2 or 3 dims, got {pic.ndim}")
        made = _channels_first(pic)
        return made.to(pydl.get_default_dtype()) / 255 if made.dtype == pydl.uint8 else made
    if not is_pil(pic):
        raise TypeError(f"to_tensor(): pic must be a Pillow image or an array, got {type(pic).__name__}")
    made = pil_to_tensor(pic)
    if made.dtype == pydl.bool:  # mode 1
        return made.to(pydl.get_default_dtype())
    return made.to(pydl.get_default_dtype()) / 255 if made.dtype == pydl.uint8 else made


def to_image(inpt: Any) -> Any:
    """A tensor, array (H, W, C) or Pillow image as :class:`~pydl.vision.tv_tensors.Image`, values as they are.

    Example:
        >>> import numpy as np, pydl
        >>> pydl.vision.transforms.functional.to_image(np.zeros((4, 5, 3), np.uint8)).shape
        torch.Size([3, 4, 5])
    """
    if isinstance(inpt, np.ndarray):
        return tv_tensors.Image(_channels_first(np.atleast_3d(inpt)))
    if is_pil(inpt):
        return tv_tensors.Image(pil_to_tensor(inpt))
    if isinstance(inpt, Tensor):
        return tv_tensors.Image(inpt.as_subclass(Tensor))
    raise TypeError(f"to_image(): expected a tensor, array or Pillow image, got {type(inpt).__name__}")


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a Pillow image.

    Floats are multiplied by 255. Modes that follow from dtype and channels: L, LA, RGB, RGBA; I;16, I and F for one
    channel of wider values.

    Args:
        pic: the image. mode: of Pillow. Default: as above.

    Raises:
        TypeError: another kind of input or dtype. ValueError: other dims, channels or mode.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.to_pil_image(pydl.ones(3, 4, 5)).size
        (5, 4)
    """
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        plain = pic.detach().as_subclass(Tensor)
        if plain.is_floating_point() and mode != "F":
            plain = (plain.float() * 255).clamp(0, 255).to(pydl.uint8)
        array = plain.numpy()
        array = array if array.ndim == 2 else array.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    return _from_array(np.ascontiguousarray(array), mode)


def _from_array(array: np.ndarray, mode: str | None) -> Any:
    channels = 1 if array.ndim == 2 else array.shape[2]
    if channels == 1:
        array = array.reshape(array.shape[:2])
        found = {"bool": "1", "uint8": "L", "int16": "I;16", "uint16": "I;16", "int32": "I", "float32": "F"}.get(
            str(array.dtype)
        )
        allowed: tuple[str | None, ...] = (found,)
    else:
        allowed = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV", "LAB"), 4: ("RGBA", "CMYK", "RGBX")}.get(channels, ())
        if not allowed:
            raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
        found = allowed[0] if array.dtype == np.uint8 else None
    if found is None:
        raise TypeError(f"Input type {array.dtype} is not supported")
    if mode is not None and mode not in allowed and not (mode == "1" and found == "L"):
        raise ValueError(
            f"Incorrect mode ({mode}) supplied for input of {channels} channels. Should be one of {allowed}"
        )
    image = pil("Image")
    if found == "I;16":
        array = array.astype(np.uint16)
    made = image.fromarray(array)
    if mode is None or mode == made.mode:
        return made
    if mode == "1":
        return made.convert("1")
    # The numbers stay, what they mean is said by the mode
    return image.frombytes(mode, made.size, made.tobytes())


def to_dtype(inpt: Any, dtype: Any = pydl.float32, scale: bool = False) -> Any:
    """Another dtype; with ``scale`` white stays white.

    Args:
        inpt: an image. Boxes and masks are converted without scaling.
        dtype: Default: float32.
        scale: integers count from 0 to their largest value, floats from 0 to 1. Default: ``False``.

    Raises:
        RuntimeError: from float32 to int32 or int64, or float64 to int64, whose range floats do not hold.

    Example:
        >>> import pydl
        >>> F = pydl.vision.transforms.functional
        >>> F.to_dtype(pydl.tensor([[[0, 255]]], dtype=pydl.uint8), scale=True)
        tensor([[[0., 1.]]])
    """
    return run(to_dtype, inpt, dtype, scale)


def _to_dtype_image(image: Tensor, dtype: Any = pydl.float32, scale: bool = False) -> Tensor:
    if not isinstance(dtype, pydl.dtype):
        raise TypeError(f"to_dtype(): dtype must be a dtype, got {dtype!r}")
    if image.dtype == dtype or not scale:
        return image.to(dtype)
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        if value_bits(dtype) > 30 and not (image.dtype == pydl.float64 and dtype == pydl.int32):
            raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
        # Equal steps for all values; the last one is a little shorter, so that 1.0 stays in range
        return (image * (max_value(dtype) + 1.0 - 1e-3)).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) * (1.0 / max_value(image.dtype))
    shift = value_bits(dtype) - value_bits(image.dtype)
    if shift < 0:
        return image.to(pydl.int64).bitwise_right_shift(-shift).to(dtype)
    return image.to(pydl.int64).bitwise_left_shift(shift).to(dtype)


def _unscaled(inpt: Any, dtype: Any = pydl.float32, scale: bool = False) -> Any:
    return inpt.to(dtype)


register(to_dtype, image=_to_dtype_image, mask=_unscaled, boxes=_unscaled, points=_unscaled)


def convert_image_dtype(image: Any, dtype: Any = pydl.float32) -> Any:
    """:func:`to_dtype` with ``scale=True``.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.convert_image_dtype(pydl.ones(1, 1, 1), pydl.uint8).item()
        255
    """
    return to_dtype(image, dtype, scale=True)


def get_dimensions(inpt: Any) -> list[int]:
    """Channels, height and width of an image.

    Raises:
        TypeError: another kind of input.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.get_dimensions(pydl.zeros(3, 4, 5))
        [3, 4, 5]
    """
    if is_pil(inpt):
        return [len(inpt.getbands()), inpt.height, inpt.width]
    if is_array_image(inpt):
        return [1 if inpt.ndim == 2 else inpt.shape[2], inpt.shape[0], inpt.shape[1]]
    if isinstance(inpt, Tensor) and not isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)):
        if inpt.ndim < 2:
            raise TypeError(f"get_dimensions(): an image has at least 2 dims, got {inpt.ndim}")
        return [1 if inpt.ndim == 2 else inpt.shape[-3], *inpt.shape[-2:]]
    raise TypeError(f"get_dimensions(): expected an image, got {type(inpt).__name__}")


def get_size(inpt: Any) -> list[int]:
    """Height and width: of an image or mask, or of the canvas of boxes and points.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.get_size(pydl.zeros(3, 4, 5))
        [4, 5]
    """
    if isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)):
        return list(inpt.canvas_size)
    return get_dimensions(inpt)[1:]


def get_num_channels(inpt: Any) -> int:
    """Channels of an image.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.get_num_channels(pydl.zeros(3, 4, 5))
        3
    """
    return get_dimensions(inpt)[0]


get_image_num_channels = get_num_channels


def get_image_size(inpt: Any) -> list[int]:
    """Width and height, in this order, of an image.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.get_image_size(pydl.zeros(3, 4, 5))
        [5, 4]
    """
    return get_size(inpt)[::-1]


def get_num_frames(inpt: Any) -> int:
    """Frames of a video (..., T, C, H, W).

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.get_num_frames(pydl.zeros(7, 3, 4, 5))
        7
    """
    return inpt.shape[-4]
