"""Images, boxes and points through affine and perspective maps and free displacements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.nn import functional as nnF
from pydl.vision import tv_tensors
from pydl.vision.transforms.functional import _pil, _rotated
from pydl.vision.transforms.functional._boxes import through_corners
from pydl.vision.transforms.functional._dispatch import register, run
from pydl.vision.transforms.functional._geometry import on_masks
from pydl.vision.transforms.functional._modes import InterpolationMode, as_mode, pil_resampling

__all__ = ["affine", "elastic", "elastic_transform", "perspective", "perspective_coefficients", "rotate"]

Matrix = tuple[float, float, float, float, float, float]


def _affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    inverse: bool = False,
) -> np.ndarray:
    """3x3: T(center + translate) R(angle) Shear Scale T(-center) of x, y, 1 in pixels, or its inverse.

    R Shear is the rotation by angle - sy over cos(sy), with x sheared by tan(sx); its determinant is 1.
    """
    rotation, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(rotation - sy) / math.cos(sy)
    c = math.sin(rotation - sy) / math.cos(sy)
    b = -(a * math.tan(sx) + math.sin(rotation))
    d = math.cos(rotation) - c * math.tan(sx)
    old, new = np.asarray(center, float), np.asarray(center, float) + np.asarray(translate, float)
    made = np.eye(3)
    if inverse:
        made[:2, :2] = np.array([[d, -b], [-c, a]]) / scale
        made[:2, 2] = old - made[:2, :2] @ new
    else:
        made[:2, :2] = np.array([[a, b], [c, d]]) * scale
        made[:2, 2] = new - made[:2, :2] @ old
    return made


def _planes(rows: np.ndarray, first: tuple[float, float], size: tuple[int, int], dtype: Any) -> list[Tensor]:
    """For each row (a, b, c) the values a x + b y + c of every pixel, (h, w), counted from ``first`` = (x, y)."""
    x = pydl.arange(size[1], dtype=dtype) + first[0]
    y = (pydl.arange(size[0], dtype=dtype) + first[1]).unsqueeze(1)
    return [x * a + (y * b + c) for a, b, c in rows.tolist()]


def _pixel_grid(backward: np.ndarray, old: tuple[int, int], new: tuple[int, int], dtype: Any) -> Tensor:
    """(1, h, w, 2): where each new pixel is read, -1 to 1; ``backward`` takes centred pixels to centred pixels."""
    if not all(old):
        raise pydl.ShapeError(f"an image without pixels has no places to sample, got size {tuple(old)}")
    scale = np.array([[2.0 / old[1]], [2.0 / old[0]]])
    middle = ((1.0 - new[1]) * 0.5, (1.0 - new[0]) * 0.5)
    return pydl.stack(_planes(backward[:2] * scale, middle, new, dtype), dim=-1).unsqueeze(0)


def _perspective_grid(backward: np.ndarray, size: tuple[int, int], dtype: Any) -> Tensor:
    """The same for a perspective map, which counts pixels from the upper left corner."""
    scale = np.array([[2.0 / size[1]], [2.0 / size[0]], [1.0]])
    across, down, depth = _planes(backward * scale, (0.5, 0.5), size, dtype)
    return pydl.stack([across / depth - 1.0, down / depth - 1.0], dim=-1).unsqueeze(0)


def _sampled(image: Tensor, grid: Tensor, mode: InterpolationMode, fill: Any) -> Tensor:
    """The image read at the grid's places; ``fill`` where these lie outside."""
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(f"this interpolation mode ({mode.value}) is unsupported with tensors: nearest or bilinear")
    shape = (*image.shape[:-2], *grid.shape[1:3])
    if image.numel() == 0:
        return image.new_zeros(shape)
    channels = image.shape[-3] if image.ndim > 2 else 1
    values = image.to(grid.dtype).reshape(-1, channels, *image.shape[-2:])
    options: Any = {"mode": mode.value, "padding_mode": "zeros", "align_corners": False}
    values = nnF.grid_sample(values, grid.expand(len(values), -1, -1, -1), **options)
    if fill is not None:
        numbers = list(fill) if isinstance(fill, (list, tuple)) else [float(fill)]
        if len(numbers) not in (1, channels):
            raise ValueError(f"fill must have 1 or {channels} values, as the image has channels, got {len(numbers)}")
        colour = pydl.tensor(numbers, dtype=values.dtype).reshape(1, -1, 1, 1)
        # How much of each pixel comes from the image, the same for all images and channels
        inside = nnF.grid_sample(values.new_ones(1, 1, *image.shape[-2:]), grid, **options)
        if mode == InterpolationMode.NEAREST:
            values = pydl.where(inside < 0.5, colour, values)
        else:
            values = values.sub_(colour).mul_(inside).add_(colour)
    return (values if image.is_floating_point() else values.round_()).to(image.dtype).reshape(shape)


def _grid_dtype(image: Tensor) -> Any:
    return image.dtype if image.dtype in (pydl.float32, pydl.float64) else pydl.float32


def _moved(points: Tensor, forward: np.ndarray) -> Tensor:
    """Points (P, 2) through a 3x3 map."""
    matrix = pydl.from_numpy(np.ascontiguousarray(forward)).to(points.dtype)
    places = pydl.cat([points, pydl.ones_like(points[:, :1])], dim=1) @ matrix.T
    return places[:, :2] / places[:, 2:]


def _move_points(points: Any, forward: np.ndarray, canvas_size: tuple[int, int]) -> Any:
    plain = points.as_subclass(Tensor)
    exact = plain if plain.is_floating_point() else plain.float()
    made = _moved(exact.reshape(-1, 2), forward).to(plain.dtype).reshape(plain.shape)
    return tv_tensors.wrap(made, like=points, canvas_size=canvas_size)


def _checked(angle: Any, translate: Any, scale: Any, shear: Any, center: Any) -> tuple[Any, Any]:
    """Shear as two numbers, and the centre."""
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if not scale > 0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (int, float, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    pair = [shear, 0.0] if isinstance(shear, (int, float)) else list(shear) * (2 if len(shear) == 1 else 1)
    if len(pair) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    numbers = [angle, *translate, scale, *pair]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"affine(): angle, translate, scale and shear must be finite, got {numbers}")
    if center is not None and (not isinstance(center, (list, tuple)) or len(center) != 2):
        raise TypeError("Argument center should be a sequence of two numbers")
    return pair, center


def affine(
    inpt: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Rotated clockwise, scaled and sheared around the centre, then moved.

    Args:
        inpt: image, mask, boxes or points.
        angle: degrees.
        translate: pixels to the right and down.
        scale: positive factor.
        shear: degrees along x, or along x and y.
        interpolation: nearest (default) or bilinear; Pillow images also bicubic.
        fill: a number, or one for each channel. Default: 0.
        center: x and y. Default: the image's.

    Raises:
        TypeError, ValueError: arguments of other types or values.

    Example:
        >>> import pydl
        >>> image = pydl.tensor([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
        >>> pydl.vision.transforms.functional.affine(image, 0, [1, 0], 1.0, 0.0)
        tensor([[[0, 1, 2],
                 [0, 4, 5],
                 [0, 7, 8]]])
    """
    return run(affine, inpt, angle, translate, scale, shear, interpolation=interpolation, fill=fill, center=center)


def _affine_image(
    image: Tensor, angle: Any, translate: Any, scale: Any, shear: Any,
    interpolation: Any = InterpolationMode.NEAREST, fill: Any = None, center: Any = None,
) -> Tensor:  # fmt: skip
    shear, center = _checked(angle, translate, scale, shear, center)
    size = (image.shape[-2], image.shape[-1])
    middle = [0.0, 0.0] if center is None else [center[0] - size[1] / 2, center[1] - size[0] / 2]
    backward = _affine_matrix(middle, angle, translate, scale, shear, inverse=True)
    return _sampled(image, _pixel_grid(backward, size, size, _grid_dtype(image)), as_mode(interpolation), fill)


def _affine_pil(
    image: Any, angle: Any, translate: Any, scale: Any, shear: Any,
    interpolation: Any = InterpolationMode.NEAREST, fill: Any = None, center: Any = None,
) -> Any:  # fmt: skip
    shear, center = _checked(angle, translate, scale, shear, center)
    middle = [image.width / 2, image.height / 2] if center is None else center
    backward = _affine_matrix(middle, angle, translate, scale, shear, inverse=True)
    return _pil.transform(image, "AFFINE", backward[:2].ravel().tolist(), pil_resampling(interpolation), fill)


def _affine_forward(canvas: Any, angle: Any, translate: Any, scale: Any, shear: Any, center: Any) -> np.ndarray:
    shear, center = _checked(angle, translate, scale, shear, center)
    return _affine_matrix([canvas[1] / 2, canvas[0] / 2] if center is None else center, angle, translate, scale, shear)


def _affine_boxes(boxes: Any, angle: Any, translate: Any, scale: Any, shear: Any, center: Any = None, **_: Any) -> Any:
    forward = _affine_forward(boxes.canvas_size, angle, translate, scale, shear, center)
    return through_corners(boxes, lambda points: _moved(points, forward), boxes.canvas_size)


def _affine_points(
    points: Any, angle: Any, translate: Any, scale: Any, shear: Any, center: Any = None, **_: Any
) -> Any:
    forward = _affine_forward(points.canvas_size, angle, translate, scale, shear, center)
    return _move_points(points, forward, points.canvas_size)


def _nearest(kernel: Any) -> Any:
    """Masks are never interpolated."""

    def on_mask(mask: Tensor, *args: Any, interpolation: Any = None, **kwargs: Any) -> Tensor:
        return kernel(mask, *args, interpolation=InterpolationMode.NEAREST, **kwargs)

    return on_masks(on_mask)


register(affine, _affine_image, _affine_pil, _nearest(_affine_image), _affine_boxes, _affine_points)


def rotate(
    inpt: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """Rotated counter-clockwise.

    Args:
        inpt: image, mask, boxes or points.
        angle: degrees.
        interpolation: nearest (default) or bilinear; Pillow images also bicubic.
        expand: enlarge the image so that all of it stays. Default: ``False``.
        center: x and y. Default: the image's.
        fill: a number, or one for each channel. Default: 0.

    Example:
        >>> import pydl
        >>> pydl.vision.transforms.functional.rotate(pydl.tensor([[[1, 2], [3, 4]]]), 90)
        tensor([[[2, 4],
                 [1, 3]]])
    """
    return run(rotate, inpt, angle, interpolation=interpolation, expand=expand, center=center, fill=fill)


def _expanded(size: tuple[int, int], angle: float, center: Any) -> tuple[int, int]:
    """Height and width of the rotated image; shares of 1e-4 of a pixel are errors of rounding."""
    height, width = size
    middle = [0.0, 0.0] if center is None else [center[0] - width / 2, center[1] - height / 2]
    backward = _affine_matrix(middle, -angle, [0, 0], 1.0, [0, 0], inverse=True)
    corners = np.array([[-width, -height, 2], [-width, height, 2], [width, height, 2], [width, -height, 2]]) / 2
    places = corners @ backward[:2].T + np.array([width, height]) / 2
    low, high = (np.round(edge, 4) for edge in (places.min(0), places.max(0)))
    size_xy = np.ceil(high) - np.floor(low)
    return int(size_xy[1]), int(size_xy[0])


def _rotate_image(
    image: Tensor, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
    center: Any = None, fill: Any = None,
) -> Tensor:  # fmt: skip
    if not math.isfinite(angle):
        raise ValueError(f"rotate(): angle must be finite, got {angle}")
    turns, rest = divmod(angle % 360, 90)
    square = image.shape[-1] == image.shape[-2]
    if center is None and rest == 0 and (turns % 2 == 0 or expand or square):
        return pydl.rot90(image, int(turns), (-2, -1)) if turns else image.clone()
    size = (image.shape[-2], image.shape[-1])
    middle = [0.0, 0.0] if center is None else [center[0] - size[1] / 2, center[1] - size[0] / 2]
    new = _expanded(size, angle, center) if expand else size
    backward = _affine_matrix(middle, -angle, [0, 0], 1.0, [0, 0], inverse=True)
    return _sampled(image, _pixel_grid(backward, size, new, _grid_dtype(image)), as_mode(interpolation), fill)


def _rotate_pil(
    image: Any, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
    center: Any = None, fill: Any = None,
) -> Any:  # fmt: skip
    return _pil.rotate(image, angle, pil_resampling(interpolation), expand, center, fill)


def _rotation_of(inpt: Any, angle: float, expand: bool, center: Any) -> tuple[np.ndarray, tuple[int, int]]:
    height, width = inpt.canvas_size
    middle = [width / 2, height / 2] if center is None else center
    forward = _affine_matrix(middle, -angle, [0, 0], 1.0, [0, 0])
    if not expand:
        return forward, inpt.canvas_size
    corners = np.array([[0, 0, 1], [0, height, 1], [width, height, 1], [width, 0, 1]]) @ forward.T
    forward[:2, 2] -= corners[:, :2].min(0)
    return forward, _expanded(inpt.canvas_size, angle, center)


def _rotate_boxes(boxes: Any, angle: float, expand: bool = False, center: Any = None, **_: Any) -> Any:
    forward, canvas = _rotation_of(boxes, angle, expand, center)
    return through_corners(boxes, lambda points: _moved(points, forward), canvas)


def _rotate_points(points: Any, angle: float, expand: bool = False, center: Any = None, **_: Any) -> Any:
    return _move_points(points, *_rotation_of(points, angle, expand, center))


register(rotate, _rotate_image, _rotate_pil, _nearest(_rotate_image), _rotate_boxes, _rotate_points)


def perspective_coefficients(startpoints: Any, endpoints: Any) -> list[float]:
    """a ... h of the map of endpoints to startpoints, ((a x + b y + c) / (g x + h y + 1), (d x + e y + f) / (...))."""
    if startpoints is None or endpoints is None or len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(f"perspective(): give four startpoints and four endpoints, got {startpoints} and {endpoints}")
    rows, values = [], []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.lstsq(np.array(rows, float), np.array(values, float), rcond=None)[0].tolist()


def perspective(
    inpt: Any,
    startpoints: Any,
    endpoints: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    fill: Any = None,
    coefficients: Sequence[float] | None = None,
) -> Any:
    """Seen from another place: what was at ``startpoints`` comes to ``endpoints``.

    Args:
        inpt: image, mask, boxes or points.
        startpoints, endpoints: four corners [x, y] each: upper left, upper right, lower right, lower left.
        interpolation: nearest or bilinear (default); Pillow images also bicubic.
        fill: a number, or one for each channel. Default: 0.
        coefficients: eight numbers in place of the points, a to h of
            ``(a x + b y + c) / (g x + h y + 1), (d x + e y + f) / (g x + h y + 1)``, from new to old places.

    Raises:
        ValueError: points and coefficients together or none, other numbers of them. RuntimeError: boxes through a map
            that cannot be inverted.

    Example:
        >>> import pydl
        >>> corners = [[0, 0], [3, 0], [3, 3], [0, 3]]
        >>> image = pydl.arange(16.0).reshape(1, 4, 4)
        >>> moved = pydl.vision.transforms.functional.perspective(image, corners, corners)
        >>> bool((moved - image).abs().max() < 1e-4)
        True
    """
    if coefficients is not None:
        if startpoints is not None and endpoints is not None:
            raise ValueError("perspective(): give points or coefficients, not both")
        if len(coefficients) != 8:
            raise ValueError("Argument coefficients should have 8 float values")
    else:
        coefficients = perspective_coefficients(startpoints, endpoints)
    return run(perspective, inpt, list(coefficients), interpolation=interpolation, fill=fill)


def _backward(coefficients: Sequence[float]) -> np.ndarray:
    return np.array([*coefficients, 1.0], dtype=np.float64).reshape(3, 3)


def _perspective_image(
    image: Tensor, coefficients: Any, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None
) -> Tensor:
    size = (image.shape[-2], image.shape[-1])
    if not all(size):
        raise pydl.ShapeError(f"perspective(): the image must have pixels, got {tuple(image.shape)}")
    grid = _perspective_grid(_backward(coefficients), size, _grid_dtype(image))
    return _sampled(image, grid, as_mode(interpolation), fill)


def _perspective_pil(
    image: Any, coefficients: Any, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None
) -> Any:
    return _pil.transform(image, "PERSPECTIVE", coefficients, pil_resampling(interpolation), fill)


def _perspective_forward(coefficients: Any) -> np.ndarray:
    a, b, _, d, e = coefficients[:5]
    if a * e - b * d == 0:
        raise RuntimeError(f"Provided perspective_coeffs {coefficients} can not be inverted to transform coordinates.")
    return np.linalg.inv(_backward(coefficients))


def _perspective_boxes(boxes: Any, coefficients: Any, **_: Any) -> Any:
    forward = _perspective_forward(coefficients)
    return through_corners(boxes, lambda points: _moved(points, forward), boxes.canvas_size)


def _perspective_points(points: Any, coefficients: Any, **_: Any) -> Any:
    return _move_points(points, _perspective_forward(coefficients), points.canvas_size)


register(
    perspective, _perspective_image, _perspective_pil, _nearest(_perspective_image), _perspective_boxes,
    _perspective_points,
)  # fmt: skip


def elastic(inpt: Any, displacement: Tensor, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None) -> Any:
    """Every pixel read at another place.

    Args:
        inpt: image, mask, boxes or points.
        displacement: (1, H, W, 2), how far off to the right and down, in halves of the image's sides.
        interpolation: nearest or bilinear (default).
        fill: a number, or one for each channel. Default: 0.

    Raises:
        TypeError: ``displacement`` is no tensor. ValueError: of another shape.

    Example:
        >>> import pydl
        >>> still = pydl.zeros(1, 2, 2, 2)
        >>> pydl.vision.transforms.functional.elastic(pydl.tensor([[[1.0, 2.0], [3.0, 4.0]]]), still).flatten()
        tensor([1., 2., 3., 4.])
    """
    return run(elastic, inpt, displacement, interpolation=interpolation, fill=fill)


elastic_transform = elastic


def _places(displacement: Any, size: tuple[int, int], sign: int, dtype: Any) -> Tensor:
    """The grid of all pixels, -1 to 1, and the displacement added or taken off."""
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    if tuple(displacement.shape) != (1, *size, 2):
        raise ValueError(f"displacement must have shape {(1, *size, 2)}, got {tuple(displacement.shape)}")
    return _pixel_grid(np.eye(3), size, size, dtype) + sign * displacement.to(dtype)


def _elastic_image(
    image: Tensor, displacement: Any, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None
) -> Tensor:
    grid = _places(displacement, (image.shape[-2], image.shape[-1]), 1, _grid_dtype(image))
    return _sampled(image, grid, as_mode(interpolation), fill)


def _displaced(points: Tensor, displacement: Any, canvas: tuple[int, int], up: bool) -> Tensor:
    """Points (P, 2), against the displacement at their pixel: its inverse where it varies slowly."""
    grid = _places(displacement, canvas, -1, points.dtype)[0]
    pixel = (points.ceil() if up else points).to(pydl.int64)
    found = grid[pixel[:, 1].clamp(0, canvas[0] - 1), pixel[:, 0].clamp(0, canvas[1] - 1)]
    return (found + 1) * pydl.tensor([canvas[1] / 2, canvas[0] / 2], dtype=points.dtype) - 0.5


def _elastic_boxes(boxes: Any, displacement: Any, **_: Any) -> Any:
    canvas = boxes.canvas_size
    if tv_tensors.is_rotated_bounding_format(boxes.format):
        move = lambda points: _displaced(points, displacement, canvas, True)  # noqa: E731
        made = _rotated.moved_centres(boxes.as_subclass(Tensor), boxes.format.value, move, canvas, boxes.clamping_mode)
        return tv_tensors.wrap(made, like=boxes)
    return through_corners(boxes, lambda points: _displaced(points, displacement, canvas, True), canvas)


def _elastic_points(points: Any, displacement: Any, **_: Any) -> Any:
    plain = points.as_subclass(Tensor)
    exact = plain if plain.is_floating_point() else plain.float()
    made = _displaced(exact.reshape(-1, 2), displacement, points.canvas_size, False)
    return tv_tensors.wrap(made.to(plain.dtype).reshape(plain.shape), like=points)


register(elastic, _elastic_image, "image", _nearest(_elastic_image), _elastic_boxes, _elastic_points)  # type: ignore[arg-type]
