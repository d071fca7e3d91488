"""PNG, JPEG, GIF and WebP to uint8 tensors and back."""

from __future__ import annotations

import enum
import io
import os
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision.transforms.functional._dispatch import pil

__all__ = [
    "ImageReadMode", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_webp", "encode_jpeg",
    "encode_png", "read_file", "read_image", "write_file", "write_jpeg", "write_png",
]  # fmt: skip


class ImageReadMode(enum.Enum):
    """Which channels a decoded image has."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_PIL_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}


def read_file(path: Any) -> Tensor:
    """The bytes of a file, uint8.

    Raises:
        OSError: it cannot be read.

    Example:
        >>> import os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "a")
        >>> pydl.vision.io.write_file(path, pydl.tensor([1, 2], dtype=pydl.uint8))
        >>> pydl.vision.io.read_file(path)
        tensor([1, 2], dtype=torch.uint8)
    """
    return pydl.from_numpy(np.fromfile(os.fspath(path), dtype=np.uint8))


def write_file(filename: Any, data: Tensor) -> None:
    """Bytes, uint8 of one dim, into a file.

    Raises:
        ValueError: another dtype or other dims. OSError: it cannot be written.

    Example:
        See :func:`read_file`.

        >>> import pydl
        >>> pydl.vision.io.write_file("/nowhere", pydl.zeros(2, 2))
        Traceback (most recent call last):
        ValueError: write_file(): data must be uint8 of one dim, got torch.float32 of shape (2, 2)
    """
    _check_bytes("write_file", "data", data)
    with open(filename, "wb") as file:
        file.write(data.numpy().tobytes())


def _check_bytes(function: str, name: str, data: Any) -> None:
    if not isinstance(data, Tensor):
        raise TypeError(f"{function}(): {name} must be a tensor, got {type(data).__name__}")
    if data.dtype != pydl.uint8 or data.dim() != 1:
        raise ValueError(
            f"{function}(): {name} must be uint8 of one dim, got {data.dtype} of shape {tuple(data.shape)}"
        )


def _mode_of(mode: Any) -> ImageReadMode:
    if isinstance(mode, str):
        if mode.upper() not in ImageReadMode.__members__:
            raise ValueError(f"mode must be one of {list(ImageReadMode.__members__)}, got {mode!r}")
        return ImageReadMode[mode.upper()]
    return ImageReadMode(mode)


def _opened(function: str, source: Any, formats: tuple[str, ...] | None) -> Any:
    """Pillow's image, whose pixels are not read yet.

    Pillow raises errors of many kinds for damaged data, here and later; all of them become SerializationError.
    """
    try:
        return pil("Image").open(source, formats=formats)
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        wanted = "an image" if formats is None else " or ".join(formats)
        raise pydl.SerializationError(f"{function}(): cannot read the data as {wanted}: {error}") from None


def _pixels(opened: Any, mode: ImageReadMode, upright: bool) -> Tensor:
    if upright:
        opened = pil("ImageOps").exif_transpose(opened)
    if mode != ImageReadMode.UNCHANGED:
        opened = opened.convert(_PIL_MODES[mode])
    elif opened.mode in ("P", "PA"):
        opened = opened.convert("RGBA" if "transparency" in opened.info or opened.mode == "PA" else "RGB")
    elif opened.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        opened = opened.convert("L" if opened.mode == "1" else "RGB")
    array = np.array(opened)
    if array.ndim == 2:
        array = array[:, :, None]
    return pydl.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


def _decoded(function: str, source: Any, mode: Any, upright: bool, formats: tuple[str, ...] | None) -> Tensor:
    """The image in a file or in bytes."""
    chosen = _mode_of(mode)
    if isinstance(source, Tensor):
        _check_bytes(function, "input", source)
        source = io.BytesIO(source.numpy().tobytes())
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return _decoded(function, file, mode, upright, formats)
    elif not hasattr(source, "read"):
        raise TypeError(f"{function}(): expected a tensor of bytes or a path, got {type(source).__name__}")
    with _opened(function, source, formats) as opened:
        try:
            return _pixels(opened, chosen, upright)
        except MemoryError:
            raise
        except Exception as error:
            raise pydl.SerializationError(f"{function}(): the image is damaged: {error}") from None


def decode_image(input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """An image in the bytes of a file, or in a file, as (C, H, W) uint8 (uint16 for PNG of 16 bits).

    Args:
        input: bytes, uint8 of one dim; or a path.
        mode: :class:`ImageReadMode` or its name. Default: the channels that the image has.
        apply_exif_orientation: turn photographs upright. Default: ``False``.

    Raises:
        SerializationError: no image, or a damaged one. OSError: the file cannot be read. ImportError: no Pillow.

    Example:
        >>> import pydl
        >>> data = pydl.vision.io.encode_png(pydl.zeros(3, 4, 5, dtype=pydl.uint8))
        >>> pydl.vision.io.decode_image(data, "GRAY").shape
        torch.Size([1, 4, 5])
    """
    return _decoded("decode_image", input, mode, apply_exif_orientation, None)


def read_image(path: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """:func:`decode_image` of a file.

    Raises:
        SerializationError: no image, or a damaged one. OSError: the file cannot be read.

    Example:
        >>> import os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "a.png")
        >>> pydl.vision.io.write_png(pydl.full((1, 2, 2), 7, dtype=pydl.uint8), path)
        >>> pydl.vision.io.read_image(path).flatten().tolist()
        [7, 7, 7, 7]
    """
    return _decoded("read_image", os.fspath(path), mode, apply_exif_orientation, None)


def decode_png(input: Tensor, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """:func:`decode_image` of a PNG file's bytes.

    Example:
        >>> import pydl
        >>> image = pydl.arange(12, dtype=pydl.uint8).reshape(3, 2, 2)
        >>> pydl.vision.io.decode_png(pydl.vision.io.encode_png(image)).equal(image)
        True
    """
    return _decoded("decode_png", input, mode, apply_exif_orientation, ("PNG",))


def decode_jpeg(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, device: Any = "cpu", apply_exif_orientation: bool = False
) -> Any:
    """:func:`decode_image` of a JPEG file's bytes, or of a list of them.

    Example:
        >>> import pydl
        >>> data = pydl.vision.io.encode_jpeg(pydl.zeros(3, 8, 8, dtype=pydl.uint8))
        >>> pydl.vision.io.decode_jpeg(data).shape
        torch.Size([3, 8, 8])
    """
    if isinstance(input, (list, tuple)):
        return [decode_jpeg(one, mode, device, apply_exif_orientation) for one in input]
    return _decoded("decode_jpeg", input, mode, apply_exif_orientation, ("JPEG",))


def decode_gif(input: Tensor) -> Tensor:
    """The frames of a GIF file's bytes, (N, 3, H, W), or (3, H, W) if there is one.

    Raises:
        SerializationError: no GIF, or a damaged one.

    Example:
        >>> import io, numpy as np, PIL.Image, pydl
        >>> file = io.BytesIO()
        >>> PIL.Image.new("RGB", (5, 4)).save(file, "GIF")
        >>> pydl.vision.io.decode_gif(pydl.from_numpy(np.frombuffer(file.getvalue(), np.uint8).copy())).shape
        torch.Size([3, 4, 5])
    """
    _check_bytes("decode_gif", "input", input)
    with _opened("decode_gif", io.BytesIO(input.numpy().tobytes()), ("GIF",)) as opened:
        try:
            frames = [_pixels(frame, ImageReadMode.RGB, False) for frame in pil("ImageSequence").Iterator(opened)]
        except MemoryError:
            raise
        except Exception as error:
            raise pydl.SerializationError(f"decode_gif(): the image is damaged: {error}") from None
    return frames[0] if len(frames) == 1 else pydl.stack(frames)


def decode_webp(input: Tensor, mode: Any = ImageReadMode.UNCHANGED) -> Tensor:
    """:func:`decode_image` of a WebP file's bytes.

    Example:
        >>> import pydl
        >>> pydl.vision.io.decode_webp(pydl.zeros(3, dtype=pydl.uint8))
        Traceback (most recent call last):
        pydl.SerializationError: ...
    """
    return _decoded("decode_webp", input, mode, False, ("WEBP",))


def _encoded(function: str, image: Any, format: str, **options: Any) -> Tensor:
    if not isinstance(image, Tensor) or image.dtype != pydl.uint8:
        raise ValueError(f"{function}(): input must be a uint8 tensor, got {getattr(image, 'dtype', type(image))}")
    if image.dim() != 3 or image.shape[0] not in (1, 3) or 0 in image.shape:
        raise pydl.ShapeError(f"{function}(): input must be (1 or 3, H, W), got {tuple(image.shape)}")
    array = image.as_subclass(Tensor).permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    pil("Image").fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(file, format=format, **options)
    return pydl.from_numpy(np.frombuffer(file.getvalue(), dtype=np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """A uint8 image (1 or 3, H, W) as the bytes of a PNG file.

    Args:
        input: the image. compression_level: 0 to 9. Default: 6.

    Raises:
        ValueError: another dtype or level. ShapeError: another shape.

    Example:
        >>> import pydl
        >>> bytes(pydl.vision.io.encode_png(pydl.zeros(1, 2, 2, dtype=pydl.uint8))[1:4].tolist())
        b'PNG'
    """
    if not 0 <= compression_level <= 9:
        raise ValueError(f"encode_png(): compression_level must be between 0 and 9, got {compression_level}")
    return _encoded("encode_png", input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """A uint8 image (1 or 3, H, W), or a list of them, as the bytes of a JPEG file.

    Args:
        input: the image. quality: 1 to 100. Default: 75.

    Raises:
        ValueError: another dtype or quality. ShapeError: another shape.

    Example:
        >>> import pydl
        >>> pydl.vision.io.encode_jpeg(pydl.zeros(1, 8, 8, dtype=pydl.uint8))[:2].tolist()
        [255, 216]
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"encode_jpeg(): image quality should be a positive number between 1 and 100, got {quality}")
    if isinstance(input, (list, tuple)):
        return [encode_jpeg(one, quality) for one in input]
    return _encoded("encode_jpeg", input, "JPEG", quality=quality)


def write_png(input: Tensor, filename: Any, compression_level: int = 6) -> None:
    """:func:`encode_png` into a file.

    Example:
        See :func:`read_image`.

        >>> import pydl
        >>> pydl.vision.io.write_png(pydl.zeros(1, 2, 2), "/nowhere")
        Traceback (most recent call last):
        ValueError: encode_png(): input must be a uint8 tensor, got torch.float32
    """
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: Any, quality: int = 75) -> None:
    """:func:`encode_jpeg` into a file.

    Example:
        >>> import os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "a.jpg")
        >>> pydl.vision.io.write_jpeg(pydl.zeros(3, 8, 8, dtype=pydl.uint8), path)
        >>> pydl.vision.io.read_image(path).shape
        torch.Size([3, 8, 8])
    """
    write_file(filename, encode_jpeg(input, quality))
