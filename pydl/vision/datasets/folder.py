"""Data sets of files in folders, one folder for each class, and of random images."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pydl
from pydl.vision.datasets.vision import VisionDataset

__all__ = ["IMG_EXTENSIONS", "DatasetFolder", "FakeData", "ImageFolder", "default_loader", "has_file_allowed_extension"]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Whether the name ends with one of them, in capitals or not.

    Example:
        >>> import pydl
        >>> pydl.vision.datasets.folder.has_file_allowed_extension("a.PNG", (".png", ".jpg"))
        True
    """
    return filename.lower().endswith(extensions if isinstance(extensions, str) else tuple(extensions))


def default_loader(path: str) -> Any:
    """The image in a file, as Pillow's RGB.

    Raises:
        SerializationError: no image, or a damaged one. ImportError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("images of data sets are Pillow images: pip install 'pydl-nn[vision]'") from None
    with open(path, "rb") as file:
        try:
            return Image.open(file).convert("RGB")
        except MemoryError:
            raise
        except Exception as error:  # Pillow's errors for damaged data are of many kinds
            raise pydl.SerializationError(f"cannot read the image {path!r}: {error}") from None


class DatasetFolder(VisionDataset):
    """The files below ``root/<class>/``.

    Args:
        root: the folder of the classes' folders.
        loader: takes a path, returns a sample.
        extensions: of the files. transform, target_transform: of samples and labels.
        is_valid_file: takes a path; in place of ``extensions``.
        allow_empty: classes may be without files. Default: ``False``.

    Holds ``classes`` (sorted), ``class_to_idx``, ``samples`` [(path, label)] and ``targets``.

    Raises:
        FileNotFoundError: no class, or one without files. ValueError: both or neither of ``extensions`` and
        ``is_valid_file``.

    Example:
        >>> import os, tempfile, pydl
        >>> root = tempfile.mkdtemp()
        >>> os.mkdir(os.path.join(root, "cat"))
        >>> open(os.path.join(root, "cat", "a.txt"), "w").close()
        >>> data = pydl.vision.datasets.DatasetFolder(root, os.path.basename, (".txt",))
        >>> data[0], data.classes
        (('a.txt', 0), ['cat'])
    """

    def __init__(
        self,
        root: Any,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("DatasetFolder: give extensions or is_valid_file, not both or neither")
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(os.fspath(self.root))
        self.samples = self._found(is_valid_file, allow_empty)
        self.targets = [label for _, label in self.samples]

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        """The names of the folders in ``directory``, sorted, and their labels; may be overridden."""
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return classes, {name: label for label, name in enumerate(classes)}

    def _found(self, is_valid_file: Callable[[str], bool] | None, allow_empty: bool) -> list[tuple[str, int]]:
        samples: list[tuple[str, int]] = []
        empty: list[str] = []
        for name in sorted(self.class_to_idx):
            before = len(samples)
            for folder, _, files in sorted(os.walk(os.path.join(self.root, name), followlinks=True)):
                for file in sorted(files):
                    path = os.path.join(folder, file)
                    if (
                        is_valid_file(path)
                        if is_valid_file
                        else has_file_allowed_extension(file, self.extensions or ())
                    ):
                        samples.append((path, self.class_to_idx[name]))
            if len(samples) == before:
                empty.append(name)
        if empty and not allow_empty:
            known = "" if self.extensions is None else f" Supported extensions are: {', '.join(self.extensions)}"
            raise FileNotFoundError(f"Found no valid file for the classes {', '.join(empty)}.{known}")
        return samples

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, label = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        return sample, label if self.target_transform is None else self.target_transform(label)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """The images below ``root/<class>/``; see :class:`DatasetFolder`.

    Args:
        root, transform, target_transform, is_valid_file, allow_empty: as :class:`DatasetFolder`.
        loader: Default: Pillow, as RGB.

    Raises:
        FileNotFoundError: no class, or one without images.

    Example:
        >>> import os, tempfile, pydl, PIL.Image
        >>> root = tempfile.mkdtemp()
        >>> os.mkdir(os.path.join(root, "cat"))
        >>> PIL.Image.new("RGB", (4, 3)).save(os.path.join(root, "cat", "a.png"))
        >>> image, label = pydl.vision.datasets.ImageFolder(root)[0]
        >>> image.size, label
        ((4, 3), 0)
    """

    def __init__(
        self,
        root: Any,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples


class FakeData(VisionDataset):
    """Random images and labels, the same at each visit.

    Args:
        size: images. Default: 1000. image_size: (C, H, W). Default: (3, 224, 224). num_classes: Default: 10.
        transform, target_transform: of images (Pillow) and labels.
        random_offset: added to the index, which is the seed. Default: 0.

    Example:
        >>> import pydl
        >>> image, label = pydl.vision.datasets.FakeData(5, (3, 8, 6), 4)[2]
        >>> image.size, 0 <= label < 4
        ((6, 8), True)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = image_size
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"FakeData: index must be in [0, {len(self)}), got {index}")
        generator = pydl.Generator()
        generator.manual_seed(index + self.random_offset)
        pixels = pydl.randint(0, 256, self.image_size, generator=generator).to(pydl.uint8)
        label = int(pydl.randint(0, self.num_classes, (), generator=generator).item())
        array = pixels.permute(1, 2, 0).contiguous().numpy()
        return self._transformed(array[:, :, 0] if array.shape[2] == 1 else array, label)

    def __len__(self) -> int:
        return self.size
