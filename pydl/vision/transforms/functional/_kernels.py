"""The functions under the names of one kind of input each: ``resize_image``, ``resize_mask``, ...

They take and give plain tensors; what boxes and points know of their image are further arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from pydl import Tensor
from pydl.vision import tv_tensors

__all__ = ["kernel", "kernel_names"]

_COLOURS = (
    "adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness autocontrast "
    "equalize erase five_crop gaussian_blur gaussian_noise get_dimensions get_num_channels invert jpeg normalize "
    "permute_channels posterize solarize ten_crop to_dtype"
)
_PLACES = (
    "affine center_crop crop elastic get_size horizontal_flip pad perspective resize resized_crop rotate vertical_flip"
)
# Behind the boxes or points: their arguments, and whether the new size of the image is given back with them.
_BOXES: dict[str, tuple[str, bool]] = {
    "affine": ("format canvas_size angle translate scale shear center=None clamping_mode='soft'", False),
    "center_crop": ("format canvas_size output_size clamping_mode='soft'", True),
    "crop": ("format top left height width clamping_mode='soft'", True),
    "elastic": ("format canvas_size displacement clamping_mode='soft'", False),
    "horizontal_flip": ("format canvas_size", False),
    "pad": ("format canvas_size padding padding_mode='constant' clamping_mode='soft'", True),
    "perspective": ("format canvas_size startpoints endpoints coefficients=None clamping_mode='soft'", False),
    "resize": ("canvas_size size max_size=None format='XYXY' clamping_mode='soft'", True),
    "resized_crop": ("format top left height width size clamping_mode='soft'", True),
    "rotate": ("format canvas_size angle expand=False center=None clamping_mode='soft'", True),
    "vertical_flip": ("format canvas_size", False),
}
_POINTS = {
    name: (arguments.replace("format ", "").replace(" format='XYXY'", "").replace(" clamping_mode='soft'", ""), canvas)
    for name, (arguments, canvas) in _BOXES.items()
}
_POINTS["resize"] = ("size canvas_size max_size=None", True)
_POINTS["affine"] = (_POINTS["affine"][0], True)
_KINDS = ("bounding_boxes", "keypoints", "image", "video", "mask")


@functools.cache
def kernel_names() -> tuple[str, ...]:
    """All names, sorted."""
    names = [f"{name}_{kind}" for name in f"{_COLOURS} {_PLACES}".split() for kind in ("image", "video")]
    names += [f"{name}_{kind}" for name in _PLACES.split() for kind in ("bounding_boxes", "keypoints", "mask")]
    names += [
        "get_num_frames_video",
        "grayscale_to_rgb_image",
        "rgb_to_grayscale_image",
        "uniform_temporal_subsample_video",
    ]
    return tuple(sorted(names))


def kernel(name: str) -> Callable[..., Any]:
    """The function of that name.

    Raises:
        KeyError: there is none.

    Example:
        >>> import pydl
        >>> v2 = pydl.vision.transforms.v2.functional
        >>> v2.horizontal_flip_bounding_boxes(pydl.tensor([[0, 0, 2, 1]]), "XYXY", (4, 10))
        tensor([[ 8,  0, 10,  1]])
    """
    from pydl.vision.transforms import functional

    if name not in kernel_names():
        raise KeyError(name)
    kind = next(kind for kind in _KINDS if name.endswith(f"_{kind}"))
    stem = name.removesuffix(f"_{kind}")
    function = getattr(functional, stem)
    made: Callable[..., Any]
    if stem == "get_size":
        made = lambda inpt: function(inpt)  # noqa: E731
    elif kind in ("bounding_boxes", "keypoints"):
        made = _of_places(function, kind, *(_BOXES if kind == "bounding_boxes" else _POINTS)[stem])
    else:
        made = _of_pixels(function, kind)
    functools.update_wrapper(made, function, ("__doc__", "__module__"), ())
    made.__name__ = made.__qualname__ = name
    return made


def _of_pixels(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def run(inpt: Tensor, *args: Any, **kwargs: Any) -> Any:
        plain = inpt.as_subclass(Tensor)
        if kind != "mask":
            return function(plain, *args, **kwargs)
        return function(tv_tensors.Mask(plain), *args, **kwargs).as_subclass(Tensor)

    return run


def _of_places(function: Callable[..., Any], kind: str, arguments: str, gives_canvas: bool) -> Callable[..., Any]:
    def parameter(text: str) -> inspect.Parameter:
        name, _, default = text.partition("=")
        value = {"": inspect.Parameter.empty, "None": None, "False": False}.get(default, default.strip("'"))
        return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)

    signature = inspect.Signature([parameter(kind), *map(parameter, arguments.split())])

    def run(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        rest = dict(bound.arguments)
        plain, canvas = rest.pop(kind).as_subclass(Tensor), rest.pop("canvas_size", (0, 0))
        inpt: Any
        if kind == "keypoints":
            inpt = tv_tensors.KeyPoints(plain, canvas_size=canvas)
        else:
            format, mode = rest.pop("format"), rest.pop("clamping_mode", "soft")
            inpt = tv_tensors.BoundingBoxes(plain, format=format, canvas_size=canvas, clamping_mode=mode)
        out = function(inpt, **rest)
        made = out.as_subclass(Tensor).reshape(plain.shape)
        return (made, out.canvas_size) if gives_canvas else made

    return run
