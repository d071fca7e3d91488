"""Grids of images, pictures with boxes, masks and points drawn on them, pictures into files."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision.transforms.functional._dispatch import pil

__all__ = [
    "draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "flow_to_image", "make_grid", "save_image",
]  # fmt: skip


def _batch(tensor: Any) -> Tensor:
    """(N, 3, H, W), or as many channels as there are if they are not one."""
    if not isinstance(tensor, Tensor):
        if not isinstance(tensor, (list, tuple)) or not all(isinstance(t, Tensor) for t in tensor):
            raise TypeError(f"make_grid(): expected a tensor or a list of tensors, got {type(tensor).__name__}")
        if not len(tensor):
            raise ValueError("make_grid(): the list is empty")
        tensor = pydl.stack(list(tensor))
    images = tensor.as_subclass(Tensor)
    if images.dim() == 2:
        images = images.unsqueeze(0)
    if images.dim() == 3:
        images = images.unsqueeze(0)
    if images.dim() != 4:
        raise pydl.ShapeError(
            f"make_grid(): images must be (N, C, H, W), (C, H, W) or (H, W), got {tuple(tensor.shape)}"
        )
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def _normalized(images: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = (images.min().item(), images.max().item()) if value_range is None else value_range
    return (images.clamp(low, high) - low) / max(high - low, 1e-5)


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Images side by side in one, with a border around each. A single image is returned without border.

    Args:
        tensor: (N, C, H, W), or a list of (C, H, W); one channel is tripled.
        nrow: images in a row. Default: 8. padding: width of the border. Default: 2.
        normalize: to [0, 1]. Default: ``False``.
        value_range: what becomes 0 and 1. Default: the smallest and largest value.
        scale_each: normalise each image by itself. Default: ``False``.
        pad_value: of the border. Default: 0.

    Returns:
        (C, rows * (H + padding) + padding, columns * (W + padding) + padding).

    Raises:
        TypeError: no tensors, a ``value_range`` that is no pair. ShapeError: other dims. ValueError: ``nrow`` below 1.

    Example:
        >>> import pydl
        >>> pydl.vision.utils.make_grid(pydl.zeros(5, 1, 4, 6), nrow=3).shape
        torch.Size([3, 14, 26])
    """
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
    if nrow < 1 or padding < 0:
        raise ValueError(f"make_grid(): nrow must be at least 1 and padding at least 0, got {nrow} and {padding}")
    images = _batch(tensor)
    if normalize:
        parts = [_normalized(image, value_range) for image in images] if scale_each else None
        images = _normalized(images, value_range) if parts is None else pydl.stack(parts)
    count, channels, height, width = images.shape
    if count == 1:
        return images[0]
    columns = min(nrow, count)
    rows = -(-count // columns) if columns else 0
    cell_height, cell_width = height + padding, width + padding
    grid = images.new_full((channels, cell_height * rows + padding, cell_width * columns + padding), pad_value)
    for k in range(count):
        top, left = (k // columns) * cell_height + padding, (k % columns) * cell_width + padding
        grid[:, top : top + height, left : left + width] = images[k]
    return grid


def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """:func:`make_grid` of images with values from 0 to 1, into a file that Pillow writes.

    Args:
        tensor: as :func:`make_grid`.
        fp: path or file. format: Pillow's name of it. Default: from the path.
        kwargs: of :func:`make_grid`.

    Raises:
        ImportError: Pillow is not installed.

    Example:
        >>> import os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "a.png")
        >>> pydl.vision.utils.save_image(pydl.rand(4, 3, 8, 8), path)
        >>> pydl.vision.io.read_image(path).shape
        torch.Size([3, 12, 42])
    """
    grid = make_grid(tensor, **kwargs).detach()
    pixels = (grid * 255 + 0.5).clamp(0, 255).permute(1, 2, 0).to(pydl.uint8).contiguous().numpy()
    if pixels.shape[2] not in (1, 3, 4):
        raise pydl.ShapeError(f"save_image(): images must have 1, 3 or 4 channels, got {pixels.shape[2]}")
    pil("Image").fromarray(pixels).save(fp, format=format)


def _palette(count: int) -> list[tuple[int, ...]]:
    """Colours that differ: hues a golden section apart."""
    hues = [(k * 0.6180339887) % 1.0 for k in range(count)]
    return [tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.9, 1.0)) for hue in hues]


def _colours(name: str, colors: Any, count: int) -> list[tuple[int, ...]]:
    """One (r, g, b) for each of the things drawn."""
    if colors is None:
        return _palette(count)
    if isinstance(colors, str) or (isinstance(colors, tuple) and colors and isinstance(colors[0], int)):
        colors = [colors] * count
    colors = list(colors)
    if len(colors) < count:
        raise ValueError(f"{name}(): there must be at least {count} colors, got {len(colors)}")
    return [
        pil("ImageColor").getrgb(color)[:3] if isinstance(color, str) else tuple(int(part) for part in color)
        for color in colors[:count]
    ]


def _check_picture(name: str, image: Any) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"{name}(): image must be a tensor, got {type(image).__name__}")
    if not (image.dtype == pydl.uint8 or image.is_floating_point()):
        raise ValueError(f"{name}(): image must be uint8 or float, got {image.dtype}")
    if image.dim() != 3 or image.shape[0] not in (1, 3):
        raise pydl.ShapeError(f"{name}(): image must be (3, H, W) or (1, H, W), got {tuple(image.shape)}")


def _as_drawing(image: Tensor) -> Any:
    """A Pillow image of three channels."""
    picture = image.detach().as_subclass(Tensor)
    if picture.is_floating_point():
        picture = (picture.clamp(0, 1) * 255).round().to(pydl.uint8)
    pixels = picture.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    return pil("Image").fromarray(pixels)


def _from_drawing(drawn: Any, image: Tensor) -> Tensor:
    made = pydl.from_numpy(np.array(drawn).transpose(2, 0, 1).copy())
    return made.to(image.dtype) / 255 if image.is_floating_point() else made


def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: Any = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Any = None,
    label_background_colors: Any = None,
    fill_labels: bool = False,
) -> Tensor:
    """A copy of an image with rectangles.

    Args:
        image: (3, H, W) or (1, H, W), uint8 or float in [0, 1].
        boxes: (N, 4) as x1, y1, x2, y2 in pixels.
        labels: one string or ``None`` for each box.
        colors: one for all, or a list: names or (r, g, b). Default: a palette.
        fill: fill boxes, half transparent. Default: ``False``. width: of the lines. Default: 1.
        font, font_size: a TrueType file and its size in points. Default: Pillow's own.
        label_colors, label_background_colors: of the text. Default: ``colors``.
        fill_labels: with a background behind the text. Default: ``False``.

    Raises:
        TypeError, ValueError: other types, x1 > x2 or y1 > y2, other numbers of labels or colours. ShapeError: other
            shapes.

    Example:
        >>> import pydl
        >>> image = pydl.zeros(3, 8, 8, dtype=pydl.uint8)
        >>> drawn = pydl.vision.utils.draw_bounding_boxes(image, pydl.tensor([[1, 1, 6, 6]]), colors="red")
        >>> drawn[:, 1, 1].tolist(), drawn[:, 3, 3].tolist()
        ([255, 0, 0], [0, 0, 0])
    """
    name = "draw_bounding_boxes"
    _check_picture(name, image)
    if boxes.dim() != 2 or boxes.shape[-1] != 4:
        raise pydl.ShapeError(f"{name}(): boxes must be (N, 4), got {tuple(boxes.shape)}")
    corners = boxes.detach().double().tolist()
    if any(not (x1 <= x2 and y1 <= y2) for x1, y1, x2, y2 in corners):
        raise ValueError("Boxes need to be in (xmin, ymin, xmax, ymax) format.")
    if labels is not None and len(labels) != len(corners):
        raise ValueError(f"There must be as many labels as boxes, got {len(labels)} and {len(corners)}")
    if not corners:
        return image.clone()
    lines = _colours(name, colors, len(corners))
    texts = lines if label_colors is None else _colours(name, label_colors, len(corners))
    behind = lines if label_background_colors is None else _colours(name, label_background_colors, len(corners))
    drawing = _as_drawing(image)
    pen = pil("ImageDraw").Draw(drawing, "RGBA" if fill else None)
    face = None
    if labels is not None:
        fonts = pil("ImageFont")
        face = fonts.truetype(font, font_size or 10) if font is not None else fonts.load_default()
    limit = 2.0 * max(image.shape[1:]) + 1e4  # far outside is as good as anywhere outside
    for k, box in enumerate(corners):
        place = tuple(min(max(side, -limit), limit) for side in box)
        inside = (*lines[k], 100) if fill else None
        pen.rectangle(place, width=width, outline=lines[k], fill=inside)
        if labels is not None and labels[k] is not None:
            at = (place[0] + width + 1, place[1] + width + 1)
            if fill_labels:
                pen.rectangle(pen.textbbox(at, labels[k], font=face), fill=behind[k])
            pen.text(at, labels[k], fill=texts[k] if not fill_labels or label_colors else (0, 0, 0), font=face)
    return _from_drawing(drawing, image)


def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Any = None) -> Tensor:
    """A copy of an image with colours under masks: ``image * (1 - alpha) + colour * alpha``, black where masks overlap.

    Args:
        image: (3, H, W), uint8 or float in [0, 1].
        masks: bool, (M, H, W) or (H, W).
        alpha: 0 is transparent. Default: 0.8.
        colors: one for all, or a list: names or (r, g, b). Default: a palette.

    Raises:
        TypeError, ValueError: masks that are not bool, other types, ``alpha`` outside [0, 1], too few colours.
        ShapeError: masks of another size than the image.

    Example:
        >>> import pydl
        >>> image = pydl.zeros(3, 1, 2, dtype=pydl.uint8)
        >>> mask = pydl.tensor([[True, False]])
        >>> pydl.vision.utils.draw_segmentation_masks(image, mask, 0.5, "white")[0]
        tensor([[127,   0]], dtype=torch.uint8)
    """
    name = "draw_segmentation_masks"
    _check_picture(name, image)
    if not isinstance(masks, Tensor):
        raise TypeError(f"{name}(): masks must be a tensor, got {type(masks).__name__}")
    if masks.dtype != pydl.bool:
        raise ValueError(f"{name}(): masks must be of dtype bool, got {masks.dtype}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"{name}(): alpha must be between 0 and 1, got {alpha}")
    layers = masks.as_subclass(Tensor).unsqueeze(0) if masks.dim() == 2 else masks.as_subclass(Tensor)
    if image.shape[0] != 3 or layers.dim() != 3 or layers.shape[1:] != image.shape[1:]:
        raise pydl.ShapeError(
            f"{name}(): image must be (3, H, W) and masks (M, H, W) or (H, W) of its size, got {tuple(image.shape)} "
            f"and {tuple(masks.shape)}"
        )
    made = image.as_subclass(Tensor).clone()
    if not len(layers):
        return made
    scale = 255.0 if image.is_floating_point() else 1.0
    painted = made.clone()
    for layer, colour in zip(layers, _colours(name, colors, len(layers))):
        painted = pydl.where(layer, (pydl.tensor(colour) / scale).to(made.dtype).reshape(3, 1, 1), painted)
    painted = pydl.where(layers.sum(dim=0) > 1, pydl.zeros_like(painted), painted)
    values, over = (made, painted) if image.is_floating_point() else (made.float(), painted.float())
    blend = (values * (1 - alpha) + over * alpha).to(made.dtype)
    return pydl.where(layers.any(dim=0), blend, made)


def _check_points(name: str, keypoints: Tensor, visibility: Any) -> Any:
    if keypoints.dim() != 3 or keypoints.shape[-1] not in (2, 3):
        raise pydl.ShapeError(f"{name}(): keypoints must be (instances, points, 2), got {tuple(keypoints.shape)}")
    if visibility is None:
        return None
    seen = pydl.as_tensor(visibility)
    if seen.dim() == 3 and seen.shape[-1] == 1:
        seen = seen.squeeze(-1)
    if tuple(seen.shape) != tuple(keypoints.shape[:2]):
        raise pydl.ShapeError(f"{name}(): visibility must be (instances, points) as keypoints, got {tuple(seen.shape)}")
    return seen.bool().tolist()


def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: list[tuple[int, int]] | None = None,
    colors: Any = None,
    radius: int = 2,
    width: int = 3,
    visibility: Any = None,
) -> Tensor:
    """A copy of an image with dots and the lines between them.

    Args:
        image: (3, H, W), uint8 or float in [0, 1].
        keypoints: (instances, points, 2) as x, y in pixels.
        connectivity: pairs of points with a line between. Default: ``None``.
        colors: of all: a name or (r, g, b). Default: red.
        radius: of the dots. Default: 2. width: of the lines. Default: 3.
        visibility: (instances, points), points that are drawn. Default: all.

    Raises:
        TypeError, ValueError: other types. IndexError: ``connectivity`` with a point that is not there. ShapeError:
            other shapes.

    Example:
        >>> import pydl
        >>> image = pydl.zeros(3, 8, 8, dtype=pydl.uint8)
        >>> drawn = pydl.vision.utils.draw_keypoints(image, pydl.tensor([[[3, 4]]]), colors="blue", radius=1)
        >>> drawn[:, 4, 3].tolist()
        [0, 0, 255]
    """
    name = "draw_keypoints"
    _check_picture(name, image)
    seen = _check_points(name, keypoints, visibility)
    colour = _colours(name, "red" if colors is None else colors, 1)[0]
    drawing = _as_drawing(image)
    pen = pil("ImageDraw").Draw(drawing)
    limit = 2.0 * max(image.shape[1:]) + 1e4
    for k, instance in enumerate(keypoints.detach().double().tolist()):
        points = [
            tuple(min(max(side, -limit), limit) for side in point[:2]) if all(v == v for v in point[:2]) else None
            for point in instance
        ]
        shown = [point is not None and (seen is None or seen[k][i]) for i, point in enumerate(points)]
        for i, point in enumerate(points):
            if point is not None and shown[i]:
                x, y = point
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour, outline=None, width=0)
        for start, end in connectivity or ():
            if shown[start] and shown[end]:
                pen.line((*points[start], *points[end]), width=width, fill=colour)  # type: ignore[misc]
    return _from_drawing(drawing, image)


def _wheel() -> np.ndarray:
    """The colours of directions (Baker et al., "A database and evaluation methodology for optical flow", IJCV 2011)."""
    steps: Sequence[tuple[int, int, int, int]] = (
        (15, 0, 1, 1), (6, 1, 0, -1), (4, 1, 2, 1), (11, 2, 1, -1), (13, 2, 0, 1), (6, 0, 2, -1),
    )  # fmt: skip
    rows = []
    for count, full, changing, sign in steps:
        ramp = np.floor(255 * np.arange(count) / count)
        part = np.zeros((count, 3))
        part[:, full] = 255
        part[:, changing] = ramp if sign > 0 else 255 - ramp
        rows.append(part)
    return np.concatenate(rows)


def flow_to_image(flow: Tensor) -> Tensor:
    """Displacements (2, H, W) or (N, 2, H, W) as colours, uint8 (3, H, W): the hue shows the direction.

    Raises:
        ValueError: not float. ShapeError: another shape.

    Example:
        >>> import pydl
        >>> pydl.vision.utils.flow_to_image(pydl.zeros(2, 1, 1)).flatten().tolist()
        [255, 255, 255]
    """
    if flow.dtype != pydl.float32:
        raise ValueError(f"Flow should be of dtype torch.float, got {flow.dtype}.")
    if flow.dim() not in (3, 4) or flow.shape[-3] != 2:
        raise pydl.ShapeError(f"flow_to_image(): flow must be (2, H, W) or (N, 2, H, W), got {tuple(flow.shape)}")
    values = flow.detach().numpy().reshape(-1, 2, *flow.shape[-2:])
    largest = np.sqrt((values**2).sum(1)).max(initial=0.0)
    u, v = np.moveaxis(values / (largest + np.finfo(np.float32).eps), 1, 0)
    length = np.sqrt(u**2 + v**2)
    wheel = _wheel() / 255
    place = (np.arctan2(-v, -u) / np.pi + 1) / 2 * (len(wheel) - 1)
    low = np.floor(place).astype(np.int64)
    high = np.where(low + 1 == len(wheel), 0, low + 1)
    colour = (1 - (place - low))[..., None] * wheel[low] + (place - low)[..., None] * wheel[high]
    made = np.floor(255 * (1 - length[..., None] * (1 - colour))).astype(np.uint8)
    return pydl.from_numpy(np.ascontiguousarray(np.moveaxis(made, -1, 1))).reshape(
        *flow.shape[:-3], 3, *flow.shape[-2:]
    )
