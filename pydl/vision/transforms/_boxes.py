"""Transforms for detection: formats and borders of boxes, and random changes of scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision import tv_tensors
from pydl.vision.transforms import functional as F
from pydl.vision.transforms._base import (
    RandomApplied,
    Transform,
    checked_fill,
    fill_for,
    flatten,
    image_size,
    is_image,
    labels_getter,
    maybe_image,
    pair_of,
    uniform,
    whole,
)
from pydl.vision.transforms.functional._boxes import converted, valid_boxes, valid_points
from pydl.vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints

__all__ = [
    "ClampBoundingBoxes", "ClampKeyPoints", "ConvertBoundingBoxFormat", "RandomIoUCrop", "RandomResize",
    "RandomShortestSize", "RandomZoomOut", "SanitizeBoundingBoxes", "SanitizeKeyPoints", "ScaleJitter",
    "SetClampingMode",
]  # fmt: skip


class ConvertBoundingBoxFormat(Transform):
    """Boxes in another format.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes([[1, 2, 4, 6]], format="XYXY", canvas_size=(9, 9))
        >>> v2.ConvertBoundingBoxFormat("XYWH")(boxes).tolist()
        [[1, 2, 3, 4]]
    """

    _transformed_types = (BoundingBoxes,)

    def __init__(self, format: Any) -> None:
        super().__init__()
        self.format = tv_tensors.as_format(format)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The boxes."""
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """Boxes cut at the borders of the image.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes([[-1, 2, 4, 6]], format="XYXY", canvas_size=(5, 9))
        >>> v2.ClampBoundingBoxes()(boxes).tolist()
        [[0, 2, 4, 5]]
    """

    _transformed_types = (BoundingBoxes,)

    def __init__(self, clamping_mode: str | None = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The boxes."""
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


class SetClampingMode(Transform):
    """Boxes with another clamping mode: ``None``, ``"soft"`` or ``"hard"``.

    Raises:
        ValueError: another mode.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes([[1, 2, 4, 6]], format="XYXY", canvas_size=(9, 9))
        >>> v2.SetClampingMode(None)(boxes).clamping_mode is None
        True
    """

    _transformed_types = (BoundingBoxes,)

    def __init__(self, clamping_mode: str | None) -> None:
        super().__init__()
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be soft, hard or None, got {clamping_mode}")
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The boxes."""
        made = inpt.clone()
        made.clamping_mode = self.clamping_mode
        return made


class ClampKeyPoints(Transform):
    """Points moved to the nearest pixel of the image.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.ClampKeyPoints()(pydl.vision.tv_tensors.KeyPoints([[-1, 9]], canvas_size=(5, 5))).tolist()
        [[0, 4]]
    """

    _transformed_types = (KeyPoints,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The points."""
        return F.clamp_keypoints(inpt)


class _Sanitize(Transform):
    """Keeps the rows of boxes or points that are valid, and of the labels that belong to them."""

    _kind: type
    _along: tuple[type, ...] = ()

    def __init__(self, getter: Any) -> None:
        super().__init__()
        self.labels_getter = getter
        labels_getter(getter)

    def _valid(self, found: Any) -> Tensor:
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The sample without what is not valid."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = labels_getter(self.labels_getter)(sample)
        rows = () if labels is None else tuple(labels) if isinstance(labels, (tuple, list)) else (labels,)
        for row in rows:
            if not isinstance(row, Tensor):
                raise ValueError(f"The labels in the sample must be a tensor or None, got {type(row)} instead.")
        leaves, rebuild = flatten(sample)
        found: Any = next((leaf for leaf in leaves if isinstance(leaf, self._kind)), None)
        if found is None:
            raise ValueError(f"No {self._kind.__name__} were found in the sample")
        for row in rows:
            if len(row) != len(found):
                raise ValueError(
                    f"{type(self).__name__}: there must be as many labels as {self._kind.__name__}, got "
                    f"{tuple(row.shape)} and {tuple(found.shape)}"
                )
        valid = self._valid(found)
        kinds = (self._kind, *self._along)
        return rebuild(
            [
                self._kept(leaf, valid) if isinstance(leaf, kinds) or any(leaf is r for r in rows) else leaf
                for leaf in leaves
            ]
        )

    def _kept(self, leaf: Any, valid: Tensor) -> Any:
        if leaf.ndim == 0 or len(leaf) != len(valid):
            return leaf  # a mask of classes: it has no row for each box
        kept = leaf.as_subclass(Tensor)[valid]
        return tv_tensors.wrap(kept, like=leaf) if isinstance(leaf, tv_tensors.TVTensor) else kept


class SanitizeBoundingBoxes(_Sanitize):
    """Without boxes that are degenerate or leave the image, and the masks and labels that belong to them.

    Args:
        min_size: shortest side. min_area: smallest area. Default: 1.
        labels_getter: finds the labels in a sample (a tensor or several); ``"default"``: under a key with "label" in
            it; ``None``: there are none.

    Raises:
        ValueError: sizes below 1; (on use) no boxes, or labels of another length.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> boxes = [[0, 0, 4, 4], [2, 2, 2, 3]]
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(9, 9))
        >>> v2.SanitizeBoundingBoxes()({"boxes": boxes, "labels": pydl.tensor([7, 8])})["labels"]
        tensor([7])
    """

    _kind = BoundingBoxes
    _along = (tv_tensors.Mask,)

    def __init__(self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Any = "default") -> None:
        super().__init__(labels_getter)
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self.min_size = min_size
        self.min_area = min_area

    def _valid(self, found: Any) -> Tensor:
        return valid_boxes(found, found.format, found.canvas_size, self.min_size, self.min_area)


class SanitizeKeyPoints(_Sanitize):
    """Without points outside the image, and the labels that belong to them.

    Args:
        labels_getter: as :class:`SanitizeBoundingBoxes`. Default: ``None``.

    Raises:
        ValueError: (on use) no points, or labels of another length.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.SanitizeKeyPoints()(pydl.vision.tv_tensors.KeyPoints([[-1, 9], [1, 2]], canvas_size=(5, 5))).tolist()
        [[1, 2]]
    """

    _kind = KeyPoints

    def __init__(self, labels_getter: Any = None) -> None:
        super().__init__(labels_getter)

    def _valid(self, found: Any) -> Tensor:
        return valid_points(found, found.canvas_size)


class RandomIoUCrop(Transform):
    """A random part that overlaps some box well enough; boxes whose centre is outside become empty.

    :class:`SanitizeBoundingBoxes` takes these away.

    Args:
        min_scale, max_scale: of the sides, as shares of the image's. Default: 0.3, 1.0.
        min_aspect_ratio, max_aspect_ratio: width by height. Default: 0.5, 2.0.
        sampler_options: intersections over union of which one is drawn; from 1 on: the whole image. Default:
            0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.
        trials: parts tried before another option is drawn. Default: 40.

    Raises:
        TypeError: (on use) a sample without image or boxes.

    Source: Liu et al., "SSD: Single shot multibox detector", ECCV 2016.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> boxes = pydl.vision.tv_tensors.BoundingBoxes([[2, 2, 7, 7]], format="XYXY", canvas_size=(9, 9))
        >>> image, boxes = v2.RandomIoUCrop()(pydl.zeros(3, 9, 9), boxes)
        >>> boxes.canvas_size == tuple(image.shape[1:])
        True
    """

    def __init__(
        self,
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: Sequence[float] | None = None,
        trials: int = 40,
    ) -> None:
        super().__init__()
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.min_aspect_ratio = min_aspect_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else list(sampler_options)
        self.trials = trials

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise without image or boxes."""
        boxes = any(isinstance(leaf, BoundingBoxes) for leaf in flat_inputs)
        if not boxes or not any(is_image(leaf) or maybe_image(leaf) for leaf in flat_inputs):
            raise TypeError(f"{type(self).__name__}() requires a sample with an image and bounding boxes.")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The part and which boxes have their centre in it; nothing for the whole image."""
        height, width = image_size(flat_inputs)
        boxes = next(leaf for leaf in flat_inputs if isinstance(leaf, BoundingBoxes))
        plain = converted(boxes.as_subclass(Tensor), boxes.format, BoundingBoxFormat.XYXY)
        corners = plain.detach().double().numpy()
        # The whole image is an option too: without boxes no part would ever fit
        while len(corners):
            overlap = self.options[whole(0, len(self.options))]
            if overlap >= 1.0:
                break
            for _ in range(self.trials):
                part = self._part(height, width)
                if part is not None and (inside := self._fits(corners, part, overlap)) is not None:
                    return {"part": part, "inside": pydl.from_numpy(inside)}
        return {}

    def _part(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """Top, left, height and width."""
        new_width, new_height = (int(side * uniform(self.min_scale, self.max_scale)) for side in (width, height))
        if new_width == 0 or new_height == 0:
            return None
        if not self.min_aspect_ratio <= new_width / new_height <= self.max_aspect_ratio:
            return None
        left, top = int(uniform(0, width - new_width)), int(uniform(0, height - new_height))
        return top, left, new_height, new_width

    def _fits(self, corners: np.ndarray, part: tuple[int, int, int, int], overlap: float) -> np.ndarray | None:
        """Which boxes have their centre in the part, if one of these overlaps it enough."""
        top, left, height, width = part
        low, high = np.array([left, top]), np.array([left + width, top + height])
        centres = (corners[:, :2] + corners[:, 2:]) / 2
        inside = ((centres > low) & (centres < high)).all(1)
        if not inside.any():
            return None
        kept = corners[inside]
        shared = np.clip(np.minimum(kept[:, 2:], high) - np.maximum(kept[:, :2], low), 0, None).prod(1)
        union = (kept[:, 2:] - kept[:, :2]).prod(1) + width * height - shared
        return inside if (shared / union).max() >= overlap else None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The part."""
        if not params:
            return inpt
        made = self._call_kernel(F.crop, inpt, *params["part"])
        if isinstance(made, BoundingBoxes):
            made = tv_tensors.wrap(made.as_subclass(Tensor) * params["inside"][:, None].to(made.dtype), like=made)
        return made


class RandomZoomOut(RandomApplied):
    """The image on a larger canvas, with probability ``p``.

    Args:
        fill: as :class:`Pad`. side_range: range of the factor of both sides, from 1 on. Default: (1.0, 4.0).
        p: Default: 0.5.

    Raises:
        ValueError: another range.

    Source: Liu et al., "SSD: Single shot multibox detector", ECCV 2016.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.RandomZoomOut(side_range=(2.0, 2.0), p=1.0)(pydl.zeros(3, 4, 5)).shape
        torch.Size([3, 8, 10])
    """

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p)
        self.fill = checked_fill(fill)
        pair_of(side_range, "side_range")
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")
        self.side_range = side_range

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The border."""
        height, width = image_size(flat_inputs)
        factor = uniform(*self.side_range)
        right, down = int(width * factor) - width, int(height * factor) - height
        left, top = int(uniform(0, right)), int(uniform(0, down))
        return {"padding": [left, top, right - left, down - top]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The part with its border."""
        return self._call_kernel(F.pad, inpt, **params, fill=fill_for(self.fill, inpt))


class _RandomSize(Transform):
    """Resizes to the ``size`` of ``make_params``."""

    def __init__(self, interpolation: Any, antialias: bool | None) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The resized part."""
        return self._call_kernel(
            F.resize, inpt, params["size"], interpolation=self.interpolation, antialias=self.antialias
        )


class ScaleJitter(_RandomSize):
    """As large as fits into ``target_size``, times a random factor (Ghiasi et al., CVPR 2021).

    Args:
        target_size: (height, width) after which the image is scaled.
        scale_range: range of the factor. Default: (0.1, 2.0).
        interpolation, antialias: as :class:`Resize`.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.ScaleJitter((8, 8), (1.0, 1.0))(pydl.zeros(3, 4, 2)).shape
        torch.Size([3, 8, 4])
    """

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__(interpolation, antialias)
        self.target_size = target_size
        self.scale_range = scale_range

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The size."""
        height, width = image_size(flat_inputs)
        # torchvision sets the second number of target_size against the height
        factor = min(self.target_size[1] / height, self.target_size[0] / width) * uniform(*self.scale_range)
        return {"size": [max(int(height * factor), 1), max(int(width * factor), 1)]}


class RandomShortestSize(_RandomSize):
    """The shorter side of one of several lengths.

    Args:
        min_size: one length or several. max_size: most of the longer side. Default: ``None``.
        interpolation, antialias: as :class:`Resize`.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.RandomShortestSize(6)(pydl.zeros(3, 4, 2)).shape
        torch.Size([3, 12, 6])
    """

    def __init__(
        self, min_size: Any, max_size: int | None = None, interpolation: Any = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__(interpolation, antialias)
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The size."""
        height, width = image_size(flat_inputs)
        factor = self.min_size[whole(0, len(self.min_size))] / min(height, width)
        if self.max_size is not None:
            factor = min(factor, self.max_size / max(height, width))
        return {"size": [max(int(height * factor), 1), max(int(width * factor), 1)]}


class RandomResize(_RandomSize):
    """The shorter side of a random length, ``min_size <= length < max_size``.

    Args:
        min_size, max_size: the range. interpolation, antialias: as :class:`Resize`.

    Example:
        >>> import pydl
        >>> from pydl.vision.transforms import v2
        >>> v2.RandomResize(6, 7)(pydl.zeros(3, 4, 2)).shape
        torch.Size([3, 12, 6])
    """

    def __init__(
        self, min_size: int, max_size: int, interpolation: Any = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__(interpolation, antialias)
        self.min_size = min_size
        self.max_size = max_size

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The size."""
        return {"size": [whole(self.min_size, self.max_size)]}
