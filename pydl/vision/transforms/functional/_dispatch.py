"""What transforms which kind of input: tensors and arrays as images, Pillow images, boxes, masks, points."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision import tv_tensors

__all__ = [
    "is_array_image",
    "is_pil",
    "is_pure_tensor",
    "pil",
    "register",
    "register_composed",
    "register_kernel",
    "run",
]

_KERNELS: dict[Callable[..., Any], dict[Any, Callable[..., Any]]] = {}
_PIL = "pil"
_IMAGES = (tv_tensors.Image, tv_tensors.Video, tv_tensors.Mask)


def pil(what: str) -> Any:
    """A module of Pillow.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import importlib

        return importlib.import_module(f"PIL.{what}")
    except ImportError:
        raise ImportError("this needs Pillow: pip install 'pydl-nn[vision]'") from None


def is_pil(value: Any) -> bool:
    """Whether it is a Pillow image; without importing Pillow."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def is_pure_tensor(value: Any) -> bool:
    """Whether it is a tensor of no kind.

    Example:
        >>> import pydl
        >>> F = pydl.vision.transforms.functional
        >>> F.is_pure_tensor(pydl.zeros(2)), F.is_pure_tensor(pydl.vision.tv_tensors.Mask(pydl.zeros(2, 2)))
        (True, False)
    """
    return isinstance(value, Tensor) and not isinstance(value, tv_tensors.TVTensor)


def is_array_image(value: Any) -> bool:
    """Whether it is a NumPy image, (H, W) or (H, W, C)."""
    return isinstance(value, np.ndarray) and value.ndim in (2, 3) and value.dtype.kind in "uifb"


def register(
    function: Callable[..., Any],
    image: Callable[..., Any] | None = None,
    pil: Callable[..., Any] | str | None = None,
    mask: Callable[..., Any] | None = None,
    boxes: Callable[..., Any] | None = None,
    points: Callable[..., Any] | None = None,
) -> None:
    """Set what transforms each kind.

    ``image`` and ``mask`` take and return plain tensors; ``boxes`` and ``points`` take and return their own kinds;
    ``pil="image"`` goes through a tensor and back.
    """
    table: dict[Any, Callable[..., Any]] = {}
    if image is not None:
        table[Tensor] = image
        table[tv_tensors.Image] = table[tv_tensors.Video] = _wrapped(image)
    if pil is not None:
        table[_PIL] = _through_tensor(image) if pil == "image" and image is not None else pil  # type: ignore[assignment]
    if mask is not None:
        table[tv_tensors.Mask] = _wrapped(mask)
    if boxes is not None:
        table[tv_tensors.BoundingBoxes] = boxes
    if points is not None:
        table[tv_tensors.KeyPoints] = points
    _KERNELS[function] = table


def register_composed(function: Callable[..., Any], images_only: bool = False) -> None:
    """A function made of others, which find out the kind themselves."""
    kinds = [Tensor, tv_tensors.Image, tv_tensors.Video, _PIL]
    if not images_only:
        kinds += [tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints]
    _KERNELS[function] = dict.fromkeys(kinds, function)


def _wrapped(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def run_wrapped(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        out = kernel(inpt.as_subclass(Tensor), *args, **kwargs)
        if isinstance(out, tuple):
            return tuple(tv_tensors.wrap(part, like=inpt) for part in out)
        return tv_tensors.wrap(out, like=inpt)

    return run_wrapped


def _through_tensor(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def run_through(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        from pydl.vision.transforms.functional._conversion import pil_to_tensor, to_pil_image

        return to_pil_image(kernel(pil_to_tensor(inpt), *args, **kwargs), mode=inpt.mode)

    return run_through


def _on_array(kernel: Callable[..., Any], inpt: np.ndarray, *args: Any, **kwargs: Any) -> Any:
    """An array is an image whose channels come last; so is what comes back."""

    def back(out: Tensor) -> np.ndarray:
        made = out.numpy()
        return made[0] if inpt.ndim == 2 and made.shape[0] == 1 else np.ascontiguousarray(made.transpose(1, 2, 0))

    channels_first = inpt[None] if inpt.ndim == 2 else inpt.transpose(2, 0, 1)
    out = kernel(pydl.from_numpy(np.ascontiguousarray(channels_first)), *args, **kwargs)
    return tuple(back(part) for part in out) if isinstance(out, tuple) else back(out)


def run(function: Callable[..., Any], inpt: Any, *args: Any, passthrough: bool = False, **kwargs: Any) -> Any:
    """The function on the input, by its kind.

    Raises:
        TypeError: no code for this kind, unless with ``passthrough``, which gives the input back.
    """
    table = _KERNELS.get(function)
    if table is None:
        raise ValueError(f"{getattr(function, '__name__', function)!r} is no function of pydl.vision.transforms")
    if is_pil(inpt):
        kernel = table.get(_PIL)
    elif isinstance(inpt, np.ndarray):
        if Tensor in table and is_array_image(inpt):
            return _on_array(table[Tensor], inpt, *args, **kwargs)
        kernel = None
    else:
        # A kind of tensor that has no code is no image either
        kinds = [kind for kind in type(inpt).__mro__ if kind is not Tensor or is_pure_tensor(inpt)]
        kernel = next((table[kind] for kind in kinds if kind in table), None)
    if kernel is not None:
        return kernel(inpt, *args, **kwargs)
    if passthrough:
        return inpt
    raise TypeError(f"{function.__name__}(): expected a tensor, array or Pillow image, got {type(inpt).__name__}")


def register_kernel(functional: Callable[..., Any], tv_tensor_cls: type) -> Callable[[Any], Any]:
    """Decorator that makes a function transform tensors of an own kind.

    Args:
        functional: a function of this module.
        tv_tensor_cls: a subclass of :class:`~pydl.vision.tv_tensors.TVTensor`.

    Raises:
        ValueError: another function. TypeError: another class.

    Example:
        >>> import pydl
        >>> F, tv = pydl.vision.transforms.functional, pydl.vision.tv_tensors
        >>> class Depth(tv.TVTensor):
        ...     pass
        >>> @F.register_kernel(F.hflip, Depth)
        ... def flip_depth(depth):
        ...     return depth.flip(-1)
        >>> F.hflip(pydl.tensor([1, 2]).as_subclass(Depth)).tolist()
        [2, 1]
    """
    if functional not in _KERNELS:
        raise ValueError(f"register_kernel(): {functional!r} is no function of pydl.vision.transforms.functional")
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, tv_tensors.TVTensor)):
        raise TypeError(f"register_kernel(): tv_tensor_cls must be a subclass of TVTensor, got {tv_tensor_cls!r}")

    def add(kernel: Any) -> Any:
        _KERNELS[functional][tv_tensor_cls] = kernel
        return kernel

    return add
