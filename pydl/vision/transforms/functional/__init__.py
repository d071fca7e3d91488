"""Transforms as functions: of tensors and NumPy arrays as images, Pillow images, masks, boxes and points."""

from pydl.vision.transforms.functional._boxes import (
    clamp_bounding_boxes,
    clamp_keypoints,
    convert_bounding_box_format,
    sanitize_bounding_boxes,
    sanitize_keypoints,
)
from pydl.vision.transforms.functional._color import *  # noqa: F403
from pydl.vision.transforms.functional._color import __all__ as _colours
from pydl.vision.transforms.functional._conversion import (
    convert_image_dtype,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
    get_num_channels,
    get_num_frames,
    get_size,
    pil_to_tensor,
    to_dtype,
    to_image,
    to_pil_image,
    to_tensor,
)
from pydl.vision.transforms.functional._dispatch import is_pure_tensor, register_kernel
from pydl.vision.transforms.functional._geometry import (
    center_crop,
    crop,
    five_crop,
    hflip,
    horizontal_flip,
    pad,
    resize,
    resized_crop,
    ten_crop,
    vertical_flip,
    vflip,
)
from pydl.vision.transforms.functional._misc import (
    erase,
    gaussian_blur,
    gaussian_noise,
    jpeg,
    normalize,
    uniform_temporal_subsample,
)
from pydl.vision.transforms.functional._modes import InterpolationMode
from pydl.vision.transforms.functional._warp import affine, elastic, elastic_transform, perspective, rotate

__all__ = [
    "InterpolationMode", "affine", "center_crop", "clamp_bounding_boxes", "clamp_keypoints",
    "convert_bounding_box_format", "convert_image_dtype", "crop", "elastic", "elastic_transform", "erase", "five_crop",
    "gaussian_blur", "gaussian_noise", "get_dimensions", "get_image_num_channels", "get_image_size",
    "get_num_channels", "get_num_frames", "get_size", "hflip", "horizontal_flip", "is_pure_tensor", "jpeg",
    "normalize", "pad", "perspective", "pil_to_tensor", "register_kernel", "resize", "resized_crop", "rotate",
    "sanitize_bounding_boxes", "sanitize_keypoints", "ten_crop", "to_dtype", "to_image", "to_pil_image", "to_tensor",
    "uniform_temporal_subsample", "vertical_flip", "vflip", *_colours,
]  # fmt: skip
