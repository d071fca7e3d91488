"""Reading: the zip archive, its storages, and the names that a file may use."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from collections import Counter, OrderedDict
from typing import Any

import pydl
from pydl.nn.parameter import Parameter
from pydl.serialization._format import STORAGE_CLASSES, dtype_named
from pydl.serialization._unpickle import Interpreter, Name, Refused, check_key, check_view

# What a malformed file makes the standard library and the core raise.
_MALFORMED = (
    zipfile.BadZipFile, ArithmeticError, AssertionError, AttributeError, EOFError, IndexError, KeyError, MemoryError,
    NotImplementedError, RuntimeError, TypeError, UnicodeError, ValueError, pickle.UnpicklingError,
)  # fmt: skip


class Archive:
    """The entries of a file, read on demand and checked."""

    def __init__(self, file: Any) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(4)
        file.seek(0)
        if start != b"PK\x03\x04":
            raise Refused(
                "it is no zip archive (PyTorch before 1.6 wrote another format: save it anew with a newer one)"
            )
        self.zip = zipfile.ZipFile(file)
        # Stored entries that together fit the file: neither a compressed bomb nor many names for the same bytes.
        infos = self.zip.infolist()
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
            raise Refused("its entries are compressed or encrypted")
        if sum(info.file_size for info in infos) > size:
            raise Refused("its entries overlap")
        roots = [info.filename[: -len("data.pkl")] for info in infos if info.filename.endswith("/data.pkl")]
        if len(roots) != 1:
            raise Refused("it has no data.pkl")
        self.root = roots[0]
        self.sizes = {info.filename: info.file_size for info in infos}
        order = self.read("byteorder") if self.root + "byteorder" in self.sizes else b"little"
        if order not in (b"little", b"big"):
            raise Refused(f"its byte order is {order!r}")
        self.swapped = order.decode() != sys.byteorder

    def read(self, name: str) -> bytes:
        """The bytes of one entry. Raises BadZipFile when their checksum is wrong."""
        return self.zip.read(self.root + name)

    def read_into(self, name: str) -> bytearray:
        """The bytes of one entry, writable."""
        size = self.sizes[self.root + name]
        data = bytearray(size)
        view = memoryview(data)
        done = 0
        with self.zip.open(self.root + name) as entry:
            while done < size:
                count = entry.readinto(view[done:])  # type: ignore[attr-defined]
                if not count:
                    raise Refused(f"the entry {name} is cut short")
                done += count
            entry.read(1)  # at the end the checksum is compared
        return data


class Storage:
    """The bytes of one storage; all tensors over it share them."""

    def __init__(self, data: bytearray, dtype: Any, swapped: bool) -> None:
        self.data = data
        self.dtype = dtype
        self.swapped = swapped
        self._flat: dict[Any, Any] = {}

    def flat(self, dtype: Any) -> Any:
        """All of it as a tensor of one dimension."""
        if dtype not in self._flat:
            itemsize = dtype.itemsize
            if len(self.data) % itemsize:
                raise Refused("a storage ends within an element")
            if self.swapped:
                _swap(self.data, itemsize // 2 if dtype.is_complex else itemsize)
                self.swapped = False
            self._flat[dtype] = pydl.frombuffer(self.data, dtype=dtype) if self.data else pydl.empty(0, dtype=dtype)
        return self._flat[dtype]


def _swap(data: bytearray, itemsize: int) -> None:
    import numpy as np

    if itemsize > 1:
        np.frombuffer(data, dtype=f"u{itemsize}").byteswap(inplace=True)


def _rebuild(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None, dtype: Any = None,
    metadata: Any = None,
) -> Any:  # fmt: skip
    if not isinstance(storage, Storage):
        raise Refused("a tensor has no storage")
    dtype = dtype.value if isinstance(dtype, Name) else dtype
    dtype = storage.dtype if dtype is None else dtype
    if not isinstance(dtype, pydl.dtype) or type(requires_grad) is not bool:
        raise Refused("a tensor is malformed")
    flat = storage.flat(dtype)
    check_view(flat.numel(), offset, size, stride)
    tensor = flat.as_strided(tuple(size), tuple(stride), offset)
    return tensor.requires_grad_() if requires_grad else tensor


def _rebuild_parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Any:
    if not isinstance(data, pydl.Tensor) or type(requires_grad) is not bool:
        raise Refused("a parameter is malformed")
    return Parameter(data, requires_grad)


def _encode(text: Any, encoding: Any) -> bytes:
    """How pickles of protocol 2 hold bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise Refused("bytes are malformed")
    return text.encode("latin-1")


def _ordered(pairs: Any = ()) -> Any:
    return OrderedDict((check_key(key), value) for key, value in pairs)


def _size(values: Any = ()) -> Any:
    if not all(type(v) is int and v >= 0 for v in values):
        raise Refused("a size is malformed")
    return pydl.Size(values)


def _bytearray(text: Any = b"", encoding: Any = None) -> bytearray:
    if type(text) not in (bytes, str):
        raise Refused("bytes are malformed")  # a number here would be a length to allocate
    return bytearray(text) if encoding is None else bytearray(_encode(text, encoding))


def _complex(real: Any, imag: Any) -> complex:
    return complex(float(real), float(imag))


def _device(name: Any, index: Any = None) -> Any:
    """The device of a tensor in the file; everything is loaded to the CPU."""
    return pydl.device("cpu")


def _set(values: Any = ()) -> Any:
    return set(map(check_key, values))


def _counter(values: Any = ()) -> Any:
    if type(values) not in (tuple, dict):
        raise Refused("a counter is malformed")
    return Counter({check_key(key): value for key, value in dict(values).items()})


_ALLOWED: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    ("torch.nn.parameter", "Parameter"): _rebuild_parameter,
    ("collections", "OrderedDict"): _ordered,
    ("collections", "Counter"): _counter,
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("_codecs", "encode"): _encode,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("builtins", "bytearray"): _bytearray,
    ("__builtin__", "bytearray"): _bytearray,
    ("builtins", "complex"): _complex,
    ("__builtin__", "complex"): _complex,
}


def _storage_dtype(module: str, name: str) -> Any:
    """The dtype of a storage class, bytes for the untyped one, ``None`` for another name."""
    if module == "torch" and name in STORAGE_CLASSES:
        return STORAGE_CLASSES[name]
    return pydl.uint8 if name == "UntypedStorage" and module in ("torch", "torch.storage") else None


def _find(module: str, name: str) -> Any:
    text = f"{module}.{name}"
    if (module, name) in _ALLOWED:
        return Name(text, call=_ALLOWED[module, name])
    dtype = _storage_dtype(module, name)
    if dtype is not None:
        return Name(text, value=("storage", dtype))
    dtype = dtype_named(name) if module == "torch" else None
    if dtype is not None:
        return dtype
    raise Refused(f"it holds the object {text}, which weights_only=True does not allow")


class _Loader:
    """Storages by key."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.storages: dict[str, Storage] = {}

    def load_persistent(self, pid: Any) -> Storage:
        if type(pid) is not tuple or len(pid) < 5 or pid[0] != "storage" or type(pid[2]) is not str:
            raise Refused("a storage is malformed")
        kind, key, count = pid[1], pid[2], pid[4]
        dtype = kind.value[1] if isinstance(kind, Name) and kind.value else None
        if dtype is None:
            raise Refused("a storage has an unknown class")
        if key not in self.storages:
            data = self.archive.read_into(f"data/{key}")
            if type(count) is not int or len(data) != count * dtype.itemsize:
                raise Refused(f"storage {key} should have {count} elements, its entry has {len(data)} bytes")
            self.storages[key] = Storage(data, dtype, self.archive.swapped)
        elif self.storages[key].dtype != dtype:
            raise Refused(f"storage {key} has two dtypes")
        return self.storages[key]


class _TrustingUnpickler(pickle.Unpickler):
    """For ``weights_only=False``: any object, with PyTorch's names standing for ours."""

    def __init__(self, data: bytes, loader: _Loader) -> None:
        super().__init__(io.BytesIO(data))
        self._loader = loader

    def persistent_load(self, pid: Any) -> Any:
        return self._loader.load_persistent(pid)

    def find_class(self, module: str, name: str) -> Any:
        try:
            found = _find(module, name)
        except Refused:
            ours = module == "torch" or module.startswith("torch.")
            return super().find_class("pydl" + module[len("torch") :] if ours else module, name)
        return found.call if isinstance(found, Name) and found.call else found


def _read(file: Any, weights_only: bool) -> Any:
    archive = Archive(file)
    loader = _Loader(archive)
    data = archive.read("data.pkl")
    if weights_only:
        return Interpreter(data, _find, loader.load_persistent).run()
    return _TrustingUnpickler(data, loader).load()


def read_file(f: Any, weights_only: bool) -> Any:
    """:func:`pydl.load`."""
    if hasattr(f, "read"):
        file = f if hasattr(f, "seek") else io.BytesIO(f.read())
        return _read_checked(file, weights_only, "the file")
    with open(f, "rb") as file:
        return _read_checked(file, weights_only, repr(os.fspath(f)))


def _read_checked(file: Any, weights_only: bool, what: str) -> Any:
    try:
        return _read(file, weights_only)
    except _MALFORMED as error:
        if not weights_only and not isinstance(error, (Refused, zipfile.BadZipFile)):
            raise  # an error of the object that was unpickled
        reason = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        raise pydl.SerializationError(f"load(): cannot read {what}: {reason}") from None
