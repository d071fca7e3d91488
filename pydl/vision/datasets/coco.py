"""COCO: boxes, outlines, points and captions in one JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import pydl
from pydl.vision.datasets.folder import default_loader
from pydl.vision.datasets.vision import VisionDataset

__all__ = ["COCO", "CocoCaptions", "CocoDetection"]

_MOST_PIXELS = 1 << 28


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]


class COCO:
    """The annotations in a JSON file of COCO's format, with the methods of the same names in ``pycocotools``.

    Args:
        annotation_file: path.

    Attributes:
        dataset: what the file holds. imgs, anns, cats: by id. imgToAnns: lists of annotations by the image's id.

    Raises:
        SerializationError: no JSON, or not of this format.

    Source: Lin et al., "Microsoft COCO: Common objects in context", ECCV 2014.

    Example:
        >>> import json, os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "a.json")
        >>> box = {"id": 7, "image_id": 1, "category_id": 3, "bbox": [0, 0, 2, 1]}
        >>> with open(path, "w") as file:
        ...     json.dump({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [box]}, file)
        >>> coco = pydl.vision.datasets.COCO(path)
        >>> coco.getAnnIds(imgIds=1), coco.loadAnns(7)[0]["bbox"]
        ([7], [0, 0, 2, 1])
    """

    def __init__(self, annotation_file: Any) -> None:
        path = os.fspath(annotation_file)
        try:
            with open(path, encoding="utf-8") as file:
                self.dataset = json.load(file)
            self._index()
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
            raise pydl.SerializationError(
                f"COCO: {path!r} is no file of COCO's format: {type(error).__name__}: {error}"
            ) from None

    def _index(self) -> None:
        def by_id(key: str) -> dict[Any, dict[str, Any]]:
            return {entry["id"]: dict(entry) for entry in self.dataset.get(key, [])}

        self.imgs, self.anns, self.cats = by_id("images"), by_id("annotations"), by_id("categories")
        self.imgToAnns: dict[Any, list[dict[str, Any]]] = {key: [] for key in self.imgs}
        for annotation in self.anns.values():
            self.imgToAnns.setdefault(annotation["image_id"], []).append(annotation)
        sorted(self.imgs)  # raises now for ids that cannot be ordered

    def getImgIds(self) -> list[Any]:
        """The images' ids."""
        return list(self.imgs)

    def getCatIds(self, catNms: Any = ()) -> list[Any]:
        """The categories' ids, of all or of those with these names."""
        names = _listed(catNms)
        return [key for key, entry in self.cats.items() if not names or entry.get("name") in names]

    def getAnnIds(self, imgIds: Any = (), catIds: Any = (), iscrowd: Any = None) -> list[Any]:
        """The annotations' ids, of all or of those of these images, these categories, this ``iscrowd``."""
        images, categories = _listed(imgIds), _listed(catIds)
        chosen = [a for key in images for a in self.imgToAnns.get(key, [])] if images else self.anns.values()
        return [
            a["id"]
            for a in chosen
            if (not categories or a.get("category_id") in categories)
            and (iscrowd is None or a.get("iscrowd", 0) == iscrowd)
        ]

    def loadAnns(self, ids: Any) -> list[dict[str, Any]]:
        """The annotations of these ids."""
        return [self.anns[key] for key in _listed(ids)]

    def loadImgs(self, ids: Any) -> list[dict[str, Any]]:
        """What is said of the images of these ids."""
        return [self.imgs[key] for key in _listed(ids)]

    def loadCats(self, ids: Any) -> list[dict[str, Any]]:
        """The categories of these ids."""
        return [self.cats[key] for key in _listed(ids)]

    def annToMask(self, ann: dict[str, Any]) -> np.ndarray:
        """The outlines or the run lengths of an annotation as an array (H, W) of 0 and 1.

        Raises:
            SerializationError: run lengths that do not fit the image's size, a size that no image has.
        """
        image = self.imgs[ann["image_id"]]
        height, width = int(image["height"]), int(image["width"])
        if not (0 < height and 0 < width and height * width <= _MOST_PIXELS):
            raise pydl.SerializationError(f"COCO: no image has the size {height} x {width}")
        outline = ann["segmentation"]
        return _runs(outline, height, width) if isinstance(outline, dict) else _polygons(outline, height, width)


def _polygons(outlines: list[list[float]], height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie inside some outline."""
    mask = np.zeros((height, width), dtype=bool)
    for outline in outlines:
        points = np.asarray(outline, dtype=np.float64)
        points = points[: len(points) // 2 * 2].reshape(-1, 2)
        crossed = np.zeros((height, width + 1), dtype=np.int64)
        for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0)):
            low, high = np.clip(np.ceil(np.sort([y1, y2]) - 0.5), 0, height).astype(np.int64)
            rows = np.arange(low, high)
            if len(rows):
                x = x1 + (rows + 0.5 - y1) * (x2 - x1) / (y2 - y1)
                np.add.at(crossed, (rows, np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)), 1)
        # Beyond an odd number of borders a place is inside
        mask |= np.cumsum(crossed, axis=1)[:, :-1] % 2 == 1
    return mask.astype(np.uint8)


def _run_counts(text: str) -> list[int]:
    """COCO's compressed run lengths: 5 bits a character, the sixth says that more follow, differences to two before."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise pydl.SerializationError("COCO: the run lengths are damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts


def _runs(outline: dict[str, Any], height: int, width: int) -> np.ndarray:
    counts = outline.get("counts", [])
    numbers = _run_counts(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if (
        list(outline.get("size", [])) != [height, width]
        or min(numbers, default=0) < 0
        or sum(numbers) != height * width
    ):
        raise pydl.SerializationError("COCO: the run lengths do not fit the image's size")
    values = np.arange(len(numbers)) % 2
    # Run lengths go down the columns
    return np.repeat(values, numbers).astype(np.uint8).reshape(width, height).T


class CocoDetection(VisionDataset):
    """Images and the list of their annotations, from a JSON file of COCO's format.

    Args:
        root: folder of the images. annFile: the JSON file.
        transform, target_transform, transforms: of image (Pillow) and list.

    Attributes:
        coco: :class:`COCO`. ids: of the images, sorted.

    Raises:
        SerializationError: another format.

    Example:
        >>> import pydl
        >>> pydl.vision.datasets.CocoDetection(".", "/nowhere.json")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """

    def __init__(
        self,
        root: Any,
        annFile: Any,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        transforms: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.coco = COCO(annFile)
        self.ids = sorted(self.coco.imgs)

    def _load_image(self, key: Any) -> Any:
        name = self.coco.imgs[key]["file_name"]
        root = os.path.realpath(os.fspath(self.root))
        path = os.path.realpath(os.path.join(root, name))
        if os.path.commonpath([root, path]) != root:
            raise pydl.SerializationError(f"{type(self).__name__}: file_name {name!r} leads out of {root!r}")
        return default_loader(path)

    def _load_target(self, key: Any) -> list[Any]:
        return self.coco.loadAnns(self.coco.getAnnIds([key]))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not isinstance(index, (int, np.integer)):
            raise ValueError(f"Index must be of type integer, got {type(index)} instead.")
        key = self.ids[index]
        image, target = self._load_image(key), self._load_target(key)
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Images and the list of their captions; see :class:`CocoDetection`.

    Example:
        >>> import pydl
        >>> pydl.vision.datasets.CocoCaptions(".", "/nowhere.json")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """

    def _load_target(self, key: Any) -> list[str]:
        return [annotation["caption"] for annotation in super()._load_target(key)]
