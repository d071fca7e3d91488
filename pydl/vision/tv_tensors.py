"""Tensors that know what they are: images, masks, boxes, points. Transforms move all of a sample alike."""

from __future__ import annotations

import copy
import enum
from typing import Any

import pydl
from pydl import Tensor

__all__ = [
    "BoundingBoxFormat", "BoundingBoxes", "Image", "KeyPoints", "Mask", "TVTensor", "Video",
    "is_rotated_bounding_format", "set_return_type", "wrap",
]  # fmt: skip


class TVTensor(Tensor):
    """Base of the kinds. Results of operations are plain tensors, but for ``clone``, ``to`` and ``detach``."""

    _META: tuple[str, ...] = ()

    @classmethod
    def _make(cls, data: Any, dtype: Any, device: Any, requires_grad: bool | None) -> Any:
        if isinstance(data, Tensor):
            plain = data.as_subclass(Tensor)
        elif _is_pil(data):
            from pydl.vision.transforms.functional import pil_to_tensor

            plain = pil_to_tensor(data)
        else:
            plain = pydl.as_tensor(data)
        if requires_grad is None:
            requires_grad = isinstance(data, Tensor) and data.requires_grad
        plain = plain.to(dtype) if dtype is not None else plain
        made = plain.as_subclass(cls)
        return made.requires_grad_(requires_grad) if requires_grad != made.requires_grad else made

    def _as_kind(self, plain: Tensor) -> Any:
        return wrap(plain, like=self)

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """A copy of the same kind."""
        return self._as_kind(Tensor.clone(self, *args, **kwargs))

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Converted, of the same kind."""
        return self._as_kind(Tensor.to(self, *args, **kwargs))

    def detach(self) -> Any:
        """Without history, of the same kind."""
        return self._as_kind(Tensor.detach(self))

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Sets the flag in place."""
        Tensor.requires_grad_(self, requires_grad)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = self._as_kind(copy.deepcopy(self.as_subclass(Tensor), memo))
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        meta = {name: getattr(self, name) for name in self._META}
        return _rebuild, (type(self), self.as_subclass(Tensor), meta)


def _rebuild(kind: type, data: Tensor, meta: dict[str, Any]) -> Any:
    made: Any = data.as_subclass(kind)
    for name, value in meta.items():
        setattr(made, name, value)
    return made


def _is_pil(value: Any) -> bool:
    return type(value).__module__.startswith("PIL.")


class Image(TVTensor):
    """An image or images, (..., C, H, W). A (H, W) one gets a channel.

    Args:
        data: tensor, array, nested lists or Pillow image.
        dtype, device, requires_grad: of the tensor. Default: as ``data``.

    Example:
        >>> import pydl
        >>> pydl.vision.tv_tensors.Image(pydl.zeros(4, 5)).shape
        torch.Size([1, 4, 5])
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        made = cls._make(data, dtype, device, requires_grad)
        if made.ndim < 2:
            raise ValueError(f"Image: data must have at least 2 dims, got {tuple(made.shape)}")
        return Tensor.unsqueeze(made, 0).as_subclass(cls) if made.ndim == 2 else made


class Video(TVTensor):
    """A video, (..., T, C, H, W); see :class:`Image`.

    Example:
        >>> import pydl
        >>> pydl.vision.tv_tensors.Video(pydl.zeros(2, 3, 4, 5)).shape
        torch.Size([2, 3, 4, 5])
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        made = cls._make(data, dtype, device, requires_grad)
        if made.ndim < 4:
            raise ValueError(f"Video: data must have at least 4 dims, got {tuple(made.shape)}")
        return made


class Mask(TVTensor):
    """Masks, (..., H, W): of classes or one for each object; resized and turned without interpolation.

    Example:
        >>> import pydl
        >>> mask = pydl.vision.tv_tensors.Mask(pydl.tensor([[0, 1], [2, 3]]))
        >>> pydl.vision.transforms.functional.hflip(mask).tolist()
        [[1, 0], [3, 2]]
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        return cls._make(data, dtype, device, requires_grad)


class BoundingBoxFormat(enum.Enum):
    """Corners; corner and size; centre and size. With an angle in degrees, counter-clockwise: corner, size and angle;
    centre, size and angle; four corners, clockwise."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


def is_rotated_bounding_format(format: Any) -> bool:
    """Whether boxes of the format have an angle.

    Raises:
        ValueError: no format.

    Example:
        >>> import pydl
        >>> [pydl.vision.tv_tensors.is_rotated_bounding_format(format) for format in ("XYXY", "XYWHR")]
        [False, True]
    """
    return len(as_format(format).value) > 4 and as_format(format) is not BoundingBoxFormat.CXCYWH


def as_format(format: Any) -> BoundingBoxFormat:
    """The format of that name.

    Raises:
        ValueError: there is none.
    """
    if isinstance(format, BoundingBoxFormat):
        return format
    if isinstance(format, str) and format.upper() in BoundingBoxFormat.__members__:
        return BoundingBoxFormat[format.upper()]
    raise ValueError(f"box format must be one of {list(BoundingBoxFormat.__members__)}, got {format!r}")


class BoundingBoxes(TVTensor):
    """Boxes of one image, (N, 4), or with an angle (N, 5) or (N, 8).

    Args:
        data: tensor, array or lists; a single box becomes (1, 4).
        format: :class:`BoundingBoxFormat` or its name.
        canvas_size: (height, width) of the image.
        clamping_mode: ``None``: boxes are not cut at the canvas's borders. Default: ``"soft"``, as ``"hard"``, which
            boxes with an angle do not have.
        dtype, device, requires_grad: of the tensor. Default: as ``data``.

    Raises:
        ValueError: another format or mode, data with more than 2 dims, integers with an angle. ShapeError: a last dim
            that is not the format's.

    Example:
        >>> import pydl
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes([[0, 0, 2, 1]], format="XYXY", canvas_size=(4, 10))
        >>> pydl.vision.transforms.functional.hflip(boxes).tolist()
        [[8, 0, 10, 1]]
    """

    _META = ("format", "canvas_size", "clamping_mode")
    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls,
        data: Any,
        *,
        format: Any,
        canvas_size: tuple[int, int],
        clamping_mode: str | None = "soft",
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        made = cls._make(data, dtype, device, requires_grad)
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"BoundingBoxes: clamping_mode must be None, 'soft' or 'hard', got {clamping_mode!r}")
        kind = as_format(format)
        columns = 4 if not is_rotated_bounding_format(kind) else 8 if kind is BoundingBoxFormat.XYXYXYXY else 5
        if made.ndim == 1:
            made = (Tensor.unsqueeze(made, 0) if made.numel() else Tensor.reshape(made, 0, columns)).as_subclass(cls)
        if made.ndim != 2:
            raise ValueError(f"BoundingBoxes: data must be (N, {columns}), got {tuple(made.shape)}")
        if made.shape[1] != columns:
            raise pydl.ShapeError(f"BoundingBoxes: data must be (N, {columns}), got {tuple(made.shape)}")
        if columns != 4 and not made.is_floating_point():
            raise ValueError(f"BoundingBoxes: boxes with an angle must be of floating point, got {made.dtype}")
        made.format = kind
        made.canvas_size = (int(canvas_size[0]), int(canvas_size[1]))
        made.clamping_mode = clamping_mode
        return made


class KeyPoints(TVTensor):
    """Points of one image as x, y in pixels, (..., 2).

    Args:
        data: tensor, array or lists.
        canvas_size: (height, width) of the image.
        dtype, device, requires_grad: of the tensor. Default: as ``data``.

    Raises:
        ShapeError: a last dim other than 2.

    Example:
        >>> import pydl
        >>> points = pydl.vision.tv_tensors.KeyPoints([[0, 1]], canvas_size=(4, 10))
        >>> pydl.vision.transforms.functional.hflip(points).tolist()
        [[9, 1]]
    """

    _META = ("canvas_size",)
    canvas_size: tuple[int, int]

    def __new__(
        cls,
        data: Any,
        *,
        canvas_size: tuple[int, int],
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        made = cls._make(data, dtype, device, requires_grad)
        if made.ndim == 1:
            made = Tensor.unsqueeze(made, 0).as_subclass(cls)
        if made.ndim == 0 or made.shape[-1] != 2:
            raise pydl.ShapeError(f"KeyPoints: data must be (..., 2), got {tuple(made.shape)}")
        made.canvas_size = (int(canvas_size[0]), int(canvas_size[1]))
        return made


def wrap(wrappee: Tensor, *, like: Any, **kwargs: Any) -> Any:
    """A plain tensor as the kind of ``like``, with its format and canvas or with those given.

    Example:
        >>> import pydl
        >>> tv = pydl.vision.tv_tensors
        >>> type(tv.wrap(pydl.zeros(1, 2, 2), like=tv.Image(pydl.ones(1, 2, 2)))).__name__
        'Image'
    """
    made: Any = wrappee.as_subclass(type(like))
    for name in getattr(like, "_META", ()):
        setattr(made, name, kwargs.get(name, getattr(like, name)))
    return made


def set_return_type(return_type: str) -> None:
    """Accepted for code that says what already holds: ``"Tensor"``, operations return plain tensors.

    Raises:
        ValueError: ``"TVTensor"`` or another type.

    Example:
        >>> import pydl
        >>> pydl.vision.tv_tensors.set_return_type("Tensor")
    """
    if return_type != "Tensor":
        raise ValueError(f"set_return_type(): operations return plain tensors; expected 'Tensor', got {return_type!r}")
