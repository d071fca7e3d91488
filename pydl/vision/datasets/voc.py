"""Pascal VOC: objects in XML files, segmentations in images of class numbers."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pydl
from pydl.vision.datasets.folder import default_loader
from pydl.vision.datasets.vision import VisionDataset

__all__ = ["VOCDetection", "VOCSegmentation"]

_YEARS = ("2007", "2008", "2009", "2010", "2011", "2012")
_MOST_DEPTH = 50


class _VOC(VisionDataset):
    """The files named in ``ImageSets/<split>/<image_set>.txt``."""

    _split: str
    _targets: str
    _ending: str

    def __init__(
        self,
        root: Any,
        year: str = "2012",
        image_set: str = "train",
        download: bool = False,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        transforms: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        kind = type(self).__name__
        if download:
            raise RuntimeError(f"{kind}: pydl downloads nothing; unpack the original archive in {root!r}")
        if year not in (*_YEARS, "2007-test"):
            raise ValueError(f"{kind}: year must be one of {(*_YEARS, '2007-test')}, got {year!r}")
        sets = (
            ("test",) if year == "2007-test" else ("train", "trainval", "val", *(("test",) if year == "2007" else ()))
        )
        if image_set not in sets:
            raise ValueError(f"{kind}: image_set of {year} must be one of {sets}, got {image_set!r}")
        self.year = year
        self.image_set = image_set
        folder = self._folder(os.fspath(self.root), year[:4])
        with open(os.path.join(folder, "ImageSets", self._split, f"{image_set}.txt"), encoding="utf-8") as file:
            names = [line.split()[0] for line in file if line.strip()]
        for name in names:
            if os.path.basename(name) != name:
                raise pydl.SerializationError(f"{kind}: {name!r} in the list of images is no file name")
        self.images = [os.path.join(folder, "JPEGImages", f"{name}.jpg") for name in names]
        self.targets = [os.path.join(folder, self._targets, f"{name}{self._ending}") for name in names]

    def _folder(self, root: str, year: str) -> str:
        """``root`` is what the archive was unpacked in, its ``VOCdevkit``, or the folder of the year."""
        for folder in (os.path.join(root, "VOCdevkit", f"VOC{year}"), os.path.join(root, f"VOC{year}"), root):
            if os.path.isdir(os.path.join(folder, "ImageSets", self._split)):
                return folder
        raise RuntimeError(
            f"{type(self).__name__}: Dataset not found. {root!r} holds no VOCdevkit/VOC{year}; pydl downloads nothing"
        )

    def _target(self, path: str) -> Any:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = default_loader(self.images[index]), self._target(self.targets[index])
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.images)


class VOCSegmentation(_VOC):
    """Pascal VOC (Everingham et al., IJCV 2010): images and the class of each pixel, 255 where it is open.

    Args:
        root: folder with ``VOCdevkit/VOC2012``, or one of these two.
        year: ``"2007"`` to ``"2012"`` (default). image_set: ``"train"`` (default), ``"trainval"``, ``"val"`` (or
            ``"test"`` of 2007).
        download: not supported.
        transform, target_transform, transforms: of image and mask, both Pillow images.

    Attributes:
        images, masks: paths.

    Raises:
        RuntimeError: the files are not there. ValueError: another year or set.

    Example:
        >>> import pydl
        >>> pydl.vision.datasets.VOCSegmentation(".")
        Traceback (most recent call last):
        RuntimeError: VOCSegmentation: Dataset not found. ...
    """

    _split = "Segmentation"
    _targets = "SegmentationClass"
    _ending = ".png"

    @property
    def masks(self) -> list[str]:
        """The masks' paths."""
        return self.targets

    def _target(self, path: str) -> Any:
        from PIL import Image

        try:
            with Image.open(path) as mask:
                return mask.copy()
        except FileNotFoundError:
            raise
        except Exception as error:  # Pillow's errors for damaged data are of many kinds
            raise pydl.SerializationError(f"cannot read the mask {path!r}: {error}") from None


class VOCDetection(_VOC):
    """Pascal VOC (Everingham et al., IJCV 2010): images and what the XML files say of the objects, as nested dicts.

    Args:
        root, year, image_set, download, transform, target_transform, transforms: as :class:`VOCSegmentation`.

    Attributes:
        images, annotations: paths.

    Raises:
        RuntimeError: the files are not there. ValueError: another year or set. SerializationError: (on use) XML that is
        damaged or declares entities.

    Example:
        >>> import pydl
        >>> pydl.vision.datasets.VOCDetection(".")
        Traceback (most recent call last):
        RuntimeError: VOCDetection: Dataset not found. ...
    """

    _split = "Main"
    _targets = "Annotations"
    _ending = ".xml"

    @property
    def annotations(self) -> list[str]:
        """The XML files' paths."""
        return self.targets

    def _target(self, path: str) -> dict[str, Any]:
        with open(path, "rb") as file:
            text = file.read()
        if b"<!" in text.replace(b"<!--", b""):
            # Entities may grow without end ("billion laughs"); VOC's files have none
            raise pydl.SerializationError(f"VOCDetection: {path!r} declares types or entities, which is not read")
        try:
            return self.parse_voc_xml(ElementTree.fromstring(text))
        except (ElementTree.ParseError, ValueError, RecursionError) as error:
            raise pydl.SerializationError(f"VOCDetection: {path!r} is damaged: {error}") from None

    @classmethod
    def parse_voc_xml(cls, node: Any, depth: int = 0) -> dict[str, Any]:
        """{tag: text or dict of the children}; a tag that comes several times is a list, ``object`` always."""
        if depth > _MOST_DEPTH:
            raise ValueError("the tags are nested too deep")
        children = list(node)
        if not children:
            return {node.tag: (node.text or "").strip()}
        found: dict[str, list[Any]] = {}
        for child in children:
            for tag, value in cls.parse_voc_xml(child, depth + 1).items():
                found.setdefault(tag, []).append(value)
        inside: dict[str, Any] = {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}
        if node.tag == "annotation":
            inside["object"] = found.get("object", [])
        return {node.tag: inside}
