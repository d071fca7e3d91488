"""The MNIST family: images and labels in idx files, plain or gzipped."""

from __future__ import annotations

import gzip
import os
import string
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.vision.datasets.vision import VisionDataset, require_file

__all__ = ["EMNIST", "KMNIST", "MNIST", "FashionMNIST", "read_idx"]

# The third byte of the magic number (http://yann.lecun.com/exdb/mnist)
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_BYTES = 1 << 32


def _unpacked(path: Any) -> bytes:
    with open(path, "rb") as file:
        start = file.read(2)
        file.seek(0)
        if start != b"\x1f\x8b":
            return file.read()
        with gzip.GzipFile(fileobj=file) as packed:
            data = packed.read(_MOST_BYTES)
            if packed.read(1):
                raise pydl.SerializationError(f"read_idx(): {os.fspath(path)!r} unpacks to more than 4 GiB")
            return data


def read_idx(path: Any) -> Tensor:
    """The tensor in an idx file, which may be gzipped.

    Args:
        path: of the file.

    Raises:
        SerializationError: no idx file, or one whose size does not fit its header.

    Example:
        >>> import os, tempfile, pydl
        >>> path = os.path.join(tempfile.mkdtemp(), "labels-idx1-ubyte")
        >>> with open(path, "wb") as file:
        ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        >>> pydl.vision.datasets.read_idx(path)
        tensor([7, 8, 9], dtype=torch.uint8)
    """

    def refuse(reason: str) -> Any:
        raise pydl.SerializationError(f"read_idx(): cannot read {os.fspath(path)!r}: {reason}")

    try:
        data = _unpacked(path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        refuse(f"{type(error).__name__}: {error}")
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or not 1 <= data[3] <= 8:
        refuse("it does not begin as an idx file")
    dims = data[3]
    if len(data) < 4 + 4 * dims:
        refuse("its header is cut short")
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    dtype = np.dtype(_TYPES[data[2]])
    count = 1
    for size in shape:
        count *= size
    if len(data) - 4 - 4 * dims != count * dtype.itemsize:
        refuse(f"its header promises {shape}, and {len(data) - 4 - 4 * dims} bytes follow")
    array = np.frombuffer(data, dtype=dtype, offset=4 + 4 * dims).reshape(shape)
    return pydl.from_numpy(array.astype(dtype.newbyteorder("=")))


class MNIST(VisionDataset):
    """Handwritten digits (LeCun, Cortes and Burges), 60,000 and 10,000 images of 28 x 28 pixels.

    Args:
        root: the folder with ``MNIST/raw/train-images-idx3-ubyte`` and three more files (or ``.gz``), or the folder
            of these files itself.
        train: the training part. Default: ``True``.
        transform: takes the Pillow image. Default: ``None``.
        target_transform: takes the label. Default: ``None``.
        download: not supported.

    Attributes:
        data: (n, 28, 28), uint8. targets: (n,), int64. classes: names.

    Raises:
        RuntimeError: files are missing, or ``download=True``. SerializationError: files are damaged.
    """

    classes = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
        "9 - nine",
    ]  # fmt: skip

    def __init__(
        self,
        root: Any,
        train: bool = True,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if download:
            raise RuntimeError(f"{type(self).__name__}: pydl downloads nothing; put the original files into {root!r}")
        self.train = train
        self.data, self.targets = self._load()

    @property
    def raw_folder(self) -> str:
        """Where torchvision keeps the files."""
        return os.path.join(os.fspath(self.root), type(self).__name__, "raw")

    def _names(self) -> tuple[str, str]:
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _load(self) -> tuple[Any, Any]:
        folder = self.raw_folder if os.path.isdir(self.raw_folder) else os.fspath(self.root)
        kind = type(self).__name__
        images, labels = (read_idx(require_file(folder, [name, name + ".gz"], kind)) for name in self._names())
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            shapes = f"{tuple(images.shape)} and {tuple(labels.shape)}"
            raise pydl.SerializationError(f"{kind}: images and labels do not belong together: {shapes}")
        return images, labels.long()

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each name."""
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(self.data[index].numpy(), int(self.targets[index]))

    def extra_repr(self) -> str:
        """The part."""
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Photographs of clothes (Xiao, Rasul and Vollgraf, arXiv:1708.07747) in MNIST's format; see :class:`MNIST`."""

    classes = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


class KMNIST(MNIST):
    """Cursive Japanese characters (Clanuwat et al., arXiv:1812.01718) in MNIST's format; see :class:`MNIST`."""

    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class EMNIST(MNIST):
    """Handwritten letters and digits (Cohen et al., arXiv:1702.05373), in one of six splits; see :class:`MNIST`.

    Args:
        root: as :class:`MNIST`.
        split: ``"byclass"``, ``"bymerge"``, ``"balanced"``, ``"letters"``, ``"digits"`` or ``"mnist"``; says what
            ``classes`` are.
        kwargs: of :class:`MNIST`.

    Raises:
        ValueError: another split.
    """

    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    # In two splits capitals that look like small letters share the capital's class; letters count from 1
    _all = sorted(string.digits + string.ascii_letters)
    _merged = sorted(set(_all) - set("cijklmopsuvwxyz"))
    classes_split_dict = {
        "byclass": _all,
        "bymerge": _merged,
        "balanced": _merged,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: Any, split: str, **kwargs: Any) -> None:
        if split not in self.splits:
            raise ValueError(f"EMNIST: split must be one of {self.splits}, got {split!r}")
        self.split = split
        self.classes = self.classes_split_dict[split]
        super().__init__(root, **kwargs)

    def _names(self) -> tuple[str, str]:
        part = "train" if self.train else "test"
        return f"emnist-{self.split}-{part}-images-idx3-ubyte", f"emnist-{self.split}-{part}-labels-idx1-ubyte"
