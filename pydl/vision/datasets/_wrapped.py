"""Targets of data sets as boxes, masks and labels that transforms move."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl
from pydl.utils.data import Dataset
from pydl.vision import tv_tensors
from pydl.vision.datasets.coco import CocoDetection
from pydl.vision.datasets.voc import VOCDetection, VOCSegmentation

__all__ = ["wrap_dataset_for_transforms_v2"]

# In the order of the segmentations' numbers, which begin with the background
_VOC = (
    "__background__ aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
).split()


class _Wrapped(Dataset[Any]):
    """A data set with typed targets; everything else is that data set's."""

    def __init__(self, dataset: Any, target_keys: Any) -> None:
        self._dataset = dataset
        self._keys = target_keys
        self._transforms = (dataset.transforms, dataset.transform, dataset.target_transform)
        dataset.transforms = dataset.transform = dataset.target_transform = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = self._dataset[index]
        target = self._typed(index, image, target)
        both, first, second = self._transforms
        if both is not None:
            return both(image, target)
        image = image if first is None else first(image)
        return image, target if second is None else second(target)

    def _typed(self, index: int, image: Any, target: Any) -> Any:
        if isinstance(self._dataset, VOCSegmentation):
            return tv_tensors.Mask(pydl.from_numpy(np.array(target)))
        size = (image.height, image.width)
        if isinstance(self._dataset, VOCDetection):
            made = _voc(target, size)
        elif isinstance(self._dataset, CocoDetection):
            made = _coco(self._dataset, index, target, size)
        else:
            return target
        default = {"boxes", "labels"} if isinstance(self._dataset, VOCDetection) else {"image_id", "boxes", "labels"}
        wanted = set(made) if self._keys == "all" else default if self._keys is None else set(self._keys)
        return {key: value for key, value in made.items() if key in wanted}


def _boxes(rows: list[list[float]], format: str, size: tuple[int, int]) -> Any:
    data = pydl.tensor(rows, dtype=pydl.float32).reshape(-1, 4)
    return tv_tensors.BoundingBoxes(data, format=format, canvas_size=size)


def _voc(target: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    objects = target["annotation"]["object"]
    rows = [[float(thing["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")] for thing in objects]
    labels = pydl.tensor([_VOC.index(thing["name"]) for thing in objects], dtype=pydl.int64)
    return {"annotation": target["annotation"], "boxes": _boxes(rows, "XYXY", size), "labels": labels}


def _coco(dataset: CocoDetection, index: int, target: list[Any], size: tuple[int, int]) -> dict[str, Any]:
    made: dict[str, Any] = {"image_id": dataset.ids[index]}
    if not all(isinstance(annotation, dict) for annotation in target):
        return {**made, "captions": target}
    boxes = _boxes([annotation["bbox"] for annotation in target], "XYWH", size)
    from pydl.vision.transforms.functional import convert_bounding_box_format

    made["boxes"] = convert_bounding_box_format(boxes, new_format="XYXY")
    made["labels"] = pydl.tensor([annotation["category_id"] for annotation in target], dtype=pydl.int64)
    if all("segmentation" in annotation for annotation in target):
        masks = [dataset.coco.annToMask(annotation) for annotation in target]
        stacked = np.stack(masks) if masks else np.zeros((0, *size), np.uint8)
        made["masks"] = tv_tensors.Mask(pydl.from_numpy(stacked))
    for key in {key for annotation in target for key in annotation} - set(made):
        made[key] = [annotation.get(key) for annotation in target]
    return made


def wrap_dataset_for_transforms_v2(dataset: Any, target_keys: Any = None) -> Any:
    """A data set whose targets hold boxes, masks and labels, so that ``transforms`` moves them along with the image.

    Args:
        dataset: COCO: targets become {image_id, boxes, labels, masks, ...}; VOC: {boxes, labels, annotation}, or a
            mask; others stay as they are.
        target_keys: the keys wanted, or ``"all"``. Default: image_id, boxes and labels.

    Raises:
        TypeError: no data set with ``transforms``.

    Example:
        >>> import pydl
        >>> data = pydl.vision.datasets.FakeData(3, (3, 4, 4))
        >>> len(pydl.vision.datasets.wrap_dataset_for_transforms_v2(data))
        3
    """
    if not hasattr(dataset, "transforms") or not hasattr(dataset, "__getitem__"):
        raise TypeError(
            f"wrap_dataset_for_transforms_v2(): expected a data set of images, got {type(dataset).__name__}"
        )
    return _Wrapped(dataset, target_keys)
