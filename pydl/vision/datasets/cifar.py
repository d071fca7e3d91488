"""CIFAR-10 and CIFAR-100, in the Python or the binary version of their files."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl.serialization._unpickle import Interpreter, Name, Refused
from pydl.vision.datasets.vision import VisionDataset, require_file

__all__ = ["CIFAR10", "CIFAR100"]

_PIXELS = 3 * 32 * 32


class _Dtype:
    """Stands for ``numpy.dtype`` in a file."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        pass  # byte order and the like: a byte has none


class _Array:
    """Stands for an array in a file. NumPy's own would be filled from the file's state, and damaged ones crash it."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def rows(self) -> np.ndarray[Any, Any]:
        """The pixels. Raises ValueError for anything but rows of bytes."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise ValueError("an array is malformed")
        _, shape, dtype, fortran, data = self.state
        raw = data.encode("latin-1") if isinstance(data, str) else data  # text: as Python 2 wrote it
        if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1") or not isinstance(raw, bytes):
            raise ValueError("its data are no bytes")
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] != _PIXELS or shape[0] * _PIXELS != len(raw):
            raise ValueError("its data are no rows of 3072 bytes")
        return np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")


def _encode(text: Any, encoding: Any) -> bytes:
    """How pickles of protocol 2 hold bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("bytes are malformed")
    return text.encode("latin-1")


_NAMES = {
    "numpy.core.multiarray._reconstruct": Name("_reconstruct", call=lambda *_: _Array(), trusted=True),
    "numpy._core.multiarray._reconstruct": Name("_reconstruct", call=lambda *_: _Array(), trusted=True),
    "numpy.ndarray": Name("numpy.ndarray"),
    "numpy.dtype": Name("numpy.dtype", call=_Dtype, trusted=True),
    "_codecs.encode": Name("_codecs.encode", call=_encode),
}


def _find(module: str, name: str) -> Name:
    if f"{module}.{name}" not in _NAMES:
        raise Refused(f"it mentions {module}.{name}")
    return _NAMES[f"{module}.{name}"]


def _no_storage(pid: Any) -> Any:
    raise Refused("it mentions a storage")


def _load(path: str) -> Any:
    """The object in a pickle, built by the interpreter for data: the standard library's runs what files say."""
    with open(path, "rb") as file:
        return Interpreter(io.BytesIO(file.read()), _find, _no_storage, "latin-1").run()


def _unpickled(path: str) -> tuple[Any, dict[str, Any]]:
    """Rows of pixels, and the labels by kind."""
    try:
        found = _load(path)
        rows = found["data"].rows()
        labels = {key: found[key] for key in ("labels", "fine_labels", "coarse_labels") if key in found}
        for values in labels.values():
            if not isinstance(values, list) or not all(type(v) is int and 0 <= v < 1000 for v in values):
                raise Refused("its labels are no small numbers")
        return rows, {key: np.asarray(value, dtype=np.int64) for key, value in labels.items()}
    except OSError:
        raise
    except Exception as error:  # whatever a malformed object leads to
        raise pydl.SerializationError(f"CIFAR: cannot read {path!r}: {type(error).__name__}: {error}") from None


def _binary(path: str, kinds: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    data = np.fromfile(path, dtype=np.uint8)
    width = _PIXELS + len(kinds)
    if len(data) == 0 or len(data) % width:
        raise pydl.SerializationError(f"CIFAR: cannot read {path!r}: {len(data)} bytes are no rows of {width}")
    rows = data.reshape(-1, width)
    return rows[:, len(kinds) :], {kind: rows[:, i].astype(np.int64) for i, kind in enumerate(kinds)}


class CIFAR10(VisionDataset):
    """60,000 photographs of 32 x 32 pixels in ten classes (Krizhevsky, 2009).

    Args:
        root: the folder with ``cifar-10-batches-py`` or ``cifar-10-batches-bin`` as they unpack from the archives.
        train: the training part, 50,000 images. Default: ``True``.
        transform: takes the Pillow image. Default: ``None``.
        target_transform: takes the label. Default: ``None``.
        download: not supported.

    Attributes:
        data: NumPy array (n, 32, 32, 3), uint8. targets: list of int. classes: names. class_to_idx.

    Raises:
        RuntimeError: files are missing, or ``download=True``. SerializationError: files are damaged.
    """

    base_folder = "cifar-10-batches-py"
    _binary_folder = "cifar-10-batches-bin"
    _files = {True: [f"data_batch_{i}" for i in range(1, 6)], False: ["test_batch"]}
    _kinds: tuple[str, ...] = ("labels",)
    _kind = "labels"
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

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
        parts = [self._part(name) for name in self._files[train]]
        rows = np.concatenate([rows for rows, _ in parts])
        labels = np.concatenate([found[self._kind] for _, found in parts])
        if len(rows) != len(labels) or (len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes)):
            raise pydl.SerializationError(f"{type(self).__name__}: the labels do not fit the images")
        self.data = np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.targets = labels.tolist()

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each name."""
        return {name: i for i, name in enumerate(self.classes)}

    def _part(self, name: str) -> tuple[Any, dict[str, Any]]:
        binary = os.path.join(os.fspath(self.root), self._binary_folder)
        if os.path.isdir(binary):
            return _binary(require_file(binary, [name + ".bin"], type(self).__name__), self._kinds)
        folder = os.path.join(os.fspath(self.root), self.base_folder)
        rows, labels = _unpickled(require_file(folder, [name], type(self).__name__))
        if self._kind not in labels or len(labels[self._kind]) != len(rows):
            raise pydl.SerializationError(f"{type(self).__name__}: {name} has no {self._kind} for its images")
        return rows, labels

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(self.data[index], self.targets[index])

    def extra_repr(self) -> str:
        """The part."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """The same size in a hundred classes, of twenty groups; ``cifar-100-python`` or ``cifar-100-binary``.

    See :class:`CIFAR10`. ``classes`` comes from the file ``meta`` (or ``fine_label_names.txt``), or is numbers.
    """

    base_folder = "cifar-100-python"
    _binary_folder = "cifar-100-binary"
    _files = {True: ["train"], False: ["test"]}
    _kinds = ("coarse_labels", "fine_labels")
    _kind = "fine_labels"
    classes = [str(i) for i in range(100)]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = os.path.join(os.fspath(self.root), self._binary_folder, "fine_label_names.txt")
        meta = os.path.join(os.fspath(self.root), self.base_folder, "meta")
        if os.path.isfile(names):
            with open(names, encoding="utf-8") as file:
                self.classes = file.read().split()
        elif os.path.isfile(meta):
            try:
                self.classes = [str(name) for name in _load(meta)["fine_label_names"]]
            except Exception as error:
                raise pydl.SerializationError(f"CIFAR100: cannot read {meta!r}: {error}") from None
