"""Flips, sizes, crops and borders of images, masks, boxes and points."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.nn import functional as nnF
from pydl.vision import tv_tensors
from pydl.vision.transforms.functional import _pil, _rotated
from pydl.vision.transforms.functional._boxes import CXCYWH, XYXY, moved_boxes, through_corners
from pydl.vision.transforms.functional._conversion import get_size
from pydl.vision.transforms.functional._dispatch import register, register_composed, run
from pydl.vision.transforms.functional._modes import InterpolationMode, as_mode, pil_resampling

__all__ = [
    "center_crop", "crop", "five_crop", "hflip", "horizontal_flip", "on_masks", "pad", "resize", "resized_crop",
    "ten_crop", "vertical_flip", "vflip",
]  # fmt: skip

_NEAREST = (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT)


def on_masks(kernel: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The kernel for masks too, which may have no channel dim."""

    def run_kernel(mask: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if mask.ndim >= 3:
            return kernel(mask, *args, **kwargs)
        return kernel(mask.unsqueeze(0), *args, **kwargs).squeeze(0)

    return run_kernel


def _flipped_boxes(axis: int) -> Callable[[Any], Any]:
    def flip(boxes: Any) -> Any:
        plain = boxes.as_subclass(Tensor).clone()
        length = boxes.canvas_size[1 - axis]
        if tv_tensors.is_rotated_bounding_format(boxes.format):
            return tv_tensors.wrap(_rotated.flipped(plain, boxes.format.value, axis, length), like=boxes)
        low, size = plain[..., axis].clone(), plain[..., axis + 2].clone()
        if boxes.format == XYXY:
            plain[..., axis], plain[..., axis + 2] = length - size, length - low
        else:
            plain[..., axis] = length - low if boxes.format == CXCYWH else length - low - size
        return tv_tensors.wrap(plain, like=boxes)

    return flip


def _flipped_points(axis: int) -> Callable[[Any], Any]:
    def flip(points: Any) -> Any:
        plain = points.as_subclass(Tensor).clone()
        # Points are numbers of pixels, boxes are edges: hence the 1
        plain[..., axis] = points.canvas_size[1 - axis] - 1 - plain[..., axis]
        return tv_tensors.wrap(plain, like=points)

    return flip


def horizontal_flip(inpt: Any) -> Any:
    """Left and right exchanged.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.hflip(pydl.tensor([[[1, 2, 3]]]))
        tensor([[[3, 2, 1]]])
    """
    return run(horizontal_flip, inpt)


def vertical_flip(inpt: Any) -> Any:
    """Top and bottom exchanged.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.vflip(pydl.tensor([[[1], [2]]])).flatten()
        tensor([2, 1])
    """
    return run(vertical_flip, inpt)


hflip = horizontal_flip
vflip = vertical_flip


def _flip_last(image: Tensor) -> Tensor:
    return image.flip(-1)


def _flip_rows(image: Tensor) -> Tensor:
    return image.flip(-2)


register(horizontal_flip, _flip_last, _pil.hflip, _flip_last, _flipped_boxes(0), _flipped_points(0))
register(vertical_flip, _flip_rows, _pil.vflip, _flip_rows, _flipped_boxes(1), _flipped_points(1))


def _require_pixels(height: int, width: int) -> None:
    if not (height and width):
        raise pydl.ShapeError(f"resize(): an image without pixels has no ratio to keep, got size ({height}, {width})")


def resized_size(canvas: Any, size: Any, max_size: int | None) -> tuple[int, int]:
    """The height and width that `resize` gives."""
    height, width = canvas
    if isinstance(size, int):
        size = [size]
    if size is None:
        if max_size is None:
            raise ValueError("max_size must be an integer when size is None")
        _require_pixels(height, width)
        factor = max_size / max(height, width)
        return int(height * factor), int(width * factor)
    size = [int(s) for s in size]
    if len(size) not in (1, 2) or min(size) < 1:
        raise ValueError(f"size must be one or two positive integers, got {size}")
    if len(size) == 2:
        if max_size is not None:
            raise ValueError("max_size should only be passed if size is None or the length of the smaller edge")
        return size[0], size[1]
    _require_pixels(height, width)
    short, long = sorted((height, width))
    new_short, new_long = size[0], int(size[0] * long / short)
    if max_size is not None:
        if max_size <= size[0]:
            raise ValueError(f"max_size = {max_size} must be strictly greater than the requested size {size[0]}")
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_short, new_long) if height <= width else (new_long, new_short)


def resize(
    inpt: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Another size.

    Args:
        inpt: image, mask (which is never interpolated), boxes or points.
        size: (height, width); or the length of the shorter side; or ``None`` with ``max_size`` for the longer one.
        interpolation: Default: bilinear.
        max_size: most of the longer side, when ``size`` is one number.
        antialias: widen the filter of tensors that get smaller (Pillow always does). Default: ``True``.

    Raises:
        ValueError: sizes or modes that do not exist. ShapeError: an image without pixels.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.resize(pydl.zeros(3, 20, 10), 5).shape
        torch.Size([3, 10, 5])
    """
    return run(resize, inpt, size, interpolation=interpolation, max_size=max_size, antialias=antialias)


def _lanczos_weights(length: int, new: int) -> Tensor:
    """(new, length): the windowed sinc of three lobes, widened by how much shorter the side becomes."""
    scale = max(length / new, 1.0)
    centre = (np.arange(new) + 0.5) * length / new
    distance = (np.arange(length)[None] + 0.5 - centre[:, None]) / scale
    weights = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
    return pydl.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))


def _resize_image(
    image: Tensor,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Tensor:
    mode = as_mode(interpolation)
    if mode == InterpolationMode.LANCZOS and not antialias:
        raise ValueError("InterpolationMode.LANCZOS requires antialias=True")
    old = tuple(image.shape[-2:])
    new = resized_size(old, size, max_size)
    if new == old:
        return image
    if image.numel() == 0:
        if 0 in old:
            raise pydl.ShapeError(f"resize(): the image must have pixels, got sizes {tuple(image.shape)}")
        return image.new_empty(*image.shape[:-2], *new)
    if mode in (InterpolationMode.BOX, InterpolationMode.HAMMING):
        raise ValueError(f"resize(): interpolation {mode.value!r} is for Pillow images alone")
    exact = image.dtype in (pydl.float32, pydl.float64) or mode in _NEAREST
    if image.dtype == pydl.uint8 and mode != InterpolationMode.LANCZOS:
        exact = True  # bytes are interpolated as such, with Pillow's and torchvision's roundings
    values = (image if exact else image.float()).reshape(-1, image.shape[-3] if image.ndim > 2 else 1, *old)
    if mode == InterpolationMode.LANCZOS:
        rows, columns = (_lanczos_weights(a, b).to(values.dtype) for a, b in zip(old, new))
        values = values @ columns.T
        if image.dtype == pydl.uint8:
            values = values.round().clamp(0, 255)  # as Pillow, which keeps bytes between both passes
        values = rows @ values
    elif mode in _NEAREST:
        values = _resize_nearest(values, new, mode == InterpolationMode.NEAREST_EXACT)
    else:
        values = nnF.interpolate(values, new, mode=mode.value, align_corners=False, antialias=bool(antialias))
    if not exact and not image.is_floating_point():
        values = values.round()
        if image.dtype == pydl.uint8:
            values = values.clamp(0, 255)
    return values.to(image.dtype).reshape(*image.shape[:-2], *new)


def _resize_nearest(values: Tensor, new: tuple[int, int], exact: bool) -> Tensor:
    """Rows and columns picked, in any dtype: pixel i shows old pixel floor(i * old / new), exact: of its centre."""
    for dim, length in ((-2, new[0]), (-1, new[1])):
        old = values.shape[dim]
        # In float32, as PyTorch computes it: the last bit decides at the borders of pixels
        places = (np.arange(length, dtype=np.float32) + np.float32(0.5 if exact else 0)) * np.float32(old / length)
        index = np.minimum(np.floor(places).astype(np.int64), old - 1)
        values = values.index_select(dim, pydl.from_numpy(index))
    return values


def _resize_pil(
    image: Any, size: Any, interpolation: Any = "bilinear", max_size: int | None = None, antialias: bool | None = True
) -> Any:
    if antialias is False:
        warnings.warn("Anti-alias option is always applied for Pillow images. antialias is ignored.", stacklevel=2)
    new = resized_size((image.height, image.width), size, max_size)
    if new == (image.height, image.width):
        return image
    return image.resize((new[1], new[0]), resample=pil_resampling(interpolation))


def _resize_mask(mask: Tensor, size: Any, interpolation: Any = None, max_size: int | None = None, **_: Any) -> Tensor:
    mode = None if interpolation is None else as_mode(interpolation)
    return _resize_image(mask, size, mode if mode in _NEAREST else InterpolationMode.NEAREST, max_size)


def _resize_coordinates(inpt: Any, size: Any, max_size: int | None = None, **_: Any) -> Any:
    old = inpt.canvas_size
    new = resized_size(old, size, max_size)
    if new == old:
        return inpt
    _require_pixels(*old)
    plain, sides = inpt.as_subclass(Tensor), [new[1] / old[1], new[0] / old[0]]
    if tv_tensors.is_rotated_bounding_format(getattr(inpt, "format", "xyxy")):
        scale = pydl.tensor(sides, dtype=plain.dtype)
        return through_corners(inpt, lambda points: points * scale, new)
    factors = pydl.tensor(sides * (plain.shape[-1] // 2))
    return tv_tensors.wrap((plain * factors).to(plain.dtype), like=inpt, canvas_size=new)


register(resize, _resize_image, _resize_pil, on_masks(_resize_mask), _resize_coordinates, _resize_coordinates)


def _sides(padding: Any) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if not isinstance(padding, (tuple, list)):
        raise TypeError(f"padding must be an integer or a sequence of them, got {padding!r}")
    if len(padding) not in (1, 2, 4):
        raise ValueError(f"padding must be an int or a 1, 2, or 4 element tuple or list, got {len(padding)} elements")
    sides = [int(side) for side in padding] * (4 // len(padding))
    return sides[0], sides[1], sides[2], sides[3]


def pad(inpt: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    """A border around.

    Args:
        inpt: image, mask, boxes or points.
        padding: one number; (left and right, top and bottom); or (left, top, right, bottom). Negative: a crop.
        fill: a number, or one for each channel. Default: 0.
        padding_mode: ``"constant"``, ``"edge"``, ``"reflect"`` (the last pixel not twice) or ``"symmetric"`` (twice).

    Raises:
        ValueError: other modes, boxes and points with a mode other than constant, other numbers of values.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.pad(pydl.ones(1, 1, 1), [1, 0], fill=5.0)
        tensor([[[5., 1., 5.]]])
    """
    return run(pad, inpt, padding, fill=fill, padding_mode=padding_mode)


def _mirrored(length: int, before: int, after: int, mode: str) -> Tensor:
    """Which pixel is shown at each place of a border."""
    places = np.arange(-before, length + after)
    if mode == "edge":
        places = places.clip(0, length - 1)
    elif mode == "symmetric":
        places = places % (2 * length)
        places = np.where(places >= length, 2 * length - 1 - places, places)
    else:
        if max(before, after) >= length:
            raise ValueError(f"pad(): 'reflect' needs a padding smaller than the side {length}")
        places = np.abs(places)
        places = np.where(places >= length, 2 * (length - 1) - places, places)
    return pydl.from_numpy(places)


def _pad_image(image: Tensor, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Tensor:
    left, top, right, bottom = _sides(padding)
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"padding_mode must be constant, edge, reflect or symmetric, got {padding_mode!r}")
    values = [0] if fill is None else [fill] if isinstance(fill, (int, float)) else list(fill)
    if padding_mode != "constant":
        if len(values) > 1:
            raise ValueError(f"pad(): padding mode {padding_mode!r} takes no fill of several values")
        rows = _mirrored(image.shape[-2], top, bottom, padding_mode)
        columns = _mirrored(image.shape[-1], left, right, padding_mode)
        return image.index_select(-2, rows).index_select(-1, columns)
    edges = [left, right, top, bottom]
    if len(values) == 1:
        return nnF.pad(image, edges, value=values[0])
    made = nnF.pad(image, edges)
    border = nnF.pad(pydl.zeros(image.shape[-2:], dtype=pydl.bool), edges, value=True)
    colour = pydl.tensor(values).to(image.dtype).reshape(-1, 1, 1)
    return pydl.where(border, colour, made)


def _pad_pil(image: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"padding_mode must be constant, edge, reflect or symmetric, got {padding_mode!r}")
    return _pil.pad(image, *_sides(padding), fill, padding_mode)


def _pad_mask(mask: Tensor, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Tensor:
    if isinstance(fill, (tuple, list)):
        raise ValueError("pad(): masks take one fill value")
    return _pad_image(mask, padding, fill, padding_mode)


def _padded_canvas(inpt: Any, padding: Any, padding_mode: str) -> tuple[int, int, tuple[int, int]]:
    if padding_mode != "constant":
        raise ValueError(f"pad(): padding mode {padding_mode!r} is not supported with {type(inpt).__name__}")
    left, top, right, bottom = _sides(padding)
    height, width = inpt.canvas_size
    return left, top, (height + top + bottom, width + left + right)


def _pad_boxes(boxes: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    return moved_boxes(boxes, *_padded_canvas(boxes, padding, padding_mode))


def _moved_points(points: Any, right: int, down: int, canvas_size: tuple[int, int]) -> Any:
    plain = points.as_subclass(Tensor)
    made = plain + pydl.tensor([right, down], dtype=plain.dtype)
    return tv_tensors.wrap(made, like=points, canvas_size=canvas_size)


def _pad_points(points: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    return _moved_points(points, *_padded_canvas(points, padding, padding_mode))


register(pad, _pad_image, _pad_pil, on_masks(_pad_mask), _pad_boxes, _pad_points)


def crop(inpt: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part whose upper left corner is (top, left); what lies outside the image is 0.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.crop(pydl.tensor([[[1, 2], [3, 4]]]), 1, 0, 1, 3)
        tensor([[[3, 4, 0]]])
    """
    return run(crop, inpt, top, left, height, width)


def _crop_image(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    rows, columns = image.shape[-2:]
    bottom, right = top + height, left + width
    part = image[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if top >= 0 and left >= 0 and bottom <= rows and right <= columns:
        return part
    edges = [
        min(max(-left, 0), width),
        min(max(right - columns, 0), width),
        min(max(-top, 0), height),
        min(max(bottom - rows, 0), height),
    ]
    return nnF.pad(part, edges)


def _crop_pil(image: Any, top: int, left: int, height: int, width: int) -> Any:
    return image.crop((left, top, left + width, top + height))


def _crop_boxes(boxes: Any, top: int, left: int, height: int, width: int) -> Any:
    return moved_boxes(boxes, -left, -top, (height, width))


def _crop_points(points: Any, top: int, left: int, height: int, width: int) -> Any:
    return _moved_points(points, -left, -top, (height, width))


register(crop, _crop_image, _crop_pil, on_masks(_crop_image), _crop_boxes, _crop_points)


def _two(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    sizes = [int(s) for s in size]
    return (sizes[0], sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def center_crop(inpt: Any, output_size: Any) -> Any:
    """The middle, (height, width) or a square; a smaller image gets a border of 0.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.center_crop(pydl.arange(5).reshape(1, 1, 5), [1, 3])
        tensor([[[1, 2, 3]]])
    """
    height, width = _two(output_size)
    rows, columns = get_size(inpt)
    if height > rows or width > columns:
        down, right = max(height - rows, 0), max(width - columns, 0)
        inpt = run(pad, inpt, [right // 2, down // 2, (right + 1) // 2, (down + 1) // 2], fill=0)
        rows, columns = rows + down, columns + right
    return run(crop, inpt, round((rows - height) / 2), round((columns - width) / 2), height, width)


def resized_crop(
    inpt: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A part, see `crop`, in another size, see `resize`.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.resized_crop(pydl.zeros(3, 9, 9), 1, 2, 4, 4, [8, 6]).shape
        torch.Size([3, 8, 6])
    """
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(inpt: Any, size: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The corners (upper left, upper right, lower left, lower right) and the middle.

    Raises:
        ValueError: the image is smaller.

    Example:
        >>> import pydl
        >>> [part.item() for part in pydl.vision.transforms.functional.five_crop(pydl.arange(9).reshape(1, 3, 3), 1)]
        [0, 2, 6, 8, 4]
    """
    height, width = _two(size)
    rows, columns = get_size(inpt)
    if height > rows or width > columns:
        raise ValueError(f"Requested crop size {(height, width)} is bigger than input size {(rows, columns)}")
    corners = [(0, 0), (0, columns - width), (rows - height, 0), (rows - height, columns - width)]
    first, second, third, fourth = (crop(inpt, top, left, height, width) for top, left in corners)
    return first, second, third, fourth, center_crop(inpt, [height, width])


def ten_crop(inpt: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of the image and of the flipped image.

    Example:
        >>> import pydl
        >>> len(pydl.vision.transforms.functional.ten_crop(pydl.zeros(3, 5, 5), 2))
        10
    """
    flipped = vflip(inpt) if vertical_flip else hflip(inpt)
    return five_crop(inpt, size) + five_crop(flipped, size)


register_composed(center_crop)
register_composed(resized_crop)
register_composed(five_crop, images_only=True)
register_composed(ten_crop, images_only=True)
