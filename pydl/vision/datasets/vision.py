"""The base of image data sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from pydl.utils.data import Dataset

__all__ = ["VisionDataset"]


class VisionDataset(Dataset[Any]):
    """A folder of files, and what is done to each image and target.

    Args:
        root: where the files are.
        transforms: takes and returns image and target; excludes the next two.
        transform: takes an image (PIL), returns what the data set gives.
        target_transform: the same for targets.

    Raises:
        ValueError: ``transforms`` together with one of the others.
    """

    def __init__(
        self,
        root: Any = None,
        transforms: Callable[..., Any] | None = None,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transforms = transforms
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def _transformed(self, pixels: Any, target: Any) -> tuple[Any, Any]:
        """An image of uint8 pixels, (height, width) or (height, width, 3), as the user wants it."""
        image = as_pil(pixels)
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        split = self.extra_repr()
        if split:
            lines.append(f"    {split}")
        return "\n".join(lines)

    def extra_repr(self) -> str:
        """One more line of ``repr``."""
        return ""


def as_pil(pixels: Any) -> Any:
    """A Pillow image, as torchvision's data sets give.

    Raises:
        ImportError: Pillow is not installed; the data sets' ``data`` and ``targets`` do without it.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "images of data sets are Pillow images: pip install pillow, or use the tensors in .data and .targets"
        ) from None
    return Image.fromarray(np.ascontiguousarray(pixels))


def require_file(folder: str, names: list[str], what: str) -> str:
    """The first of the names that exists in the folder.

    Raises:
        RuntimeError: none does.
    """
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise RuntimeError(
        f"{what}: Dataset not found. None of {names} is in {folder!r}; pydl downloads nothing, so put the original "
        "files there"
    )
