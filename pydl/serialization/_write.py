"""Writing: objects to a pickle whose names are PyTorch's, storages beside it, all in a zip archive."""

from __future__ import annotations

import io
import os
import pickle
import secrets
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.parameter import Parameter
from pydl.serialization import _seal
from pydl.serialization._format import ALIGNMENT, CLASS_OF_DTYPE


class _Global:
    """A name in the file, written without importing what it names."""

    def __init__(self, module: str, name: str) -> None:
        self.line = f"{module}\n{name}\n".encode()

    def __call__(self, *args: Any) -> None:
        raise TypeError("a name for the file only")  # pickle wants what it is told to call to be callable


class _StorageRef:
    """A storage as the pickle mentions it: its class, its key, its number of elements."""

    def __init__(self, pid: tuple[Any, ...]) -> None:
        self.pid = pid


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_TENSOR_DTYPE = _Global("torch._utils", "_rebuild_tensor_v3")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_UNTYPED = _Global("torch.storage", "UntypedStorage")
_SIZE = _Global("torch", "Size")
_DEVICE = _Global("torch", "device")
_STORAGES = {dtype: _Global("torch", name) for dtype, name in CLASS_OF_DTYPE.items()}


# The pickler written in Python: the C one insists on importing what it names.
_PythonPickler: Any = pickle._Pickler  # type: ignore[attr-defined]


class _Pickler(_PythonPickler):
    dispatch: dict[Any, Any] = dict(_PythonPickler.dispatch)

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.storages: list[Any] = []  # tensors of one dimension over each whole storage, by key
        self._keys: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, _StorageRef) else None

    def _save_name(self, obj: _Global) -> None:
        self.write(pickle.GLOBAL + obj.line)
        self.memoize(obj)

    def _save_dtype(self, obj: Any) -> None:
        self.write(pickle.GLOBAL + b"torch\n" + str(obj).rpartition(".")[2].encode() + b"\n")
        self.memoize(obj)

    dispatch[_Global] = _save_name
    dispatch[pydl.dtype] = _save_dtype

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is Parameter:
            return _REBUILD_PARAMETER, (obj.detach(), obj.requires_grad, OrderedDict())
        if isinstance(obj, Tensor):
            return self._reduce_tensor(obj)
        if kind is pydl.Size:
            return _SIZE, (tuple(obj),)
        if kind is pydl.device:
            return _DEVICE, (str(obj),)
        return NotImplemented

    def _reduce_tensor(self, tensor: Any) -> Any:
        requires_grad = tensor.requires_grad
        tensor = tensor.detach()
        size, stride, offset = tuple(tensor.shape), tuple(tensor.stride()), tensor.storage_offset()
        storage = tensor.untyped_storage()
        pointer, nbytes = storage.data_ptr(), storage.nbytes()
        key = self._keys.get(pointer) if nbytes else None
        if key is None:
            key = len(self.storages)
            self._keys[pointer] = key
            self.storages.append(tensor.as_strided((nbytes // tensor.element_size(),), (1,), 0))
        name = _STORAGES.get(tensor.dtype)
        count = nbytes if name is None else nbytes // tensor.element_size()
        ref = _StorageRef(("storage", name or _UNTYPED, str(key), "cpu", count))
        args: tuple[Any, ...] = (ref, offset, size, stride, requires_grad, OrderedDict())
        return (_REBUILD_TENSOR, args) if name else (_REBUILD_TENSOR_DTYPE, (*args, tensor.dtype))


def _bytes_of(flat: Any) -> memoryview | bytes:
    if flat.numel() == 0:
        return b""
    if flat.dtype == pydl.bfloat16:
        flat = flat.view(pydl.int16)  # NumPy has no bfloat16
    return memoryview(flat.numpy()).cast("B")


def _add(archive: zipfile.ZipFile, name: str, data: Any) -> None:
    """One stored entry; its bytes start at a multiple of 64 so that a reader may map them."""
    info = zipfile.ZipInfo(name)  # a fixed date: equal objects make equal files
    assert archive.fp is not None
    start = archive.fp.tell() + 30 + len(name.encode()) + 4  # 30: size of a local header, 4: of an extra field's
    padding = -start % ALIGNMENT
    info.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
    archive.writestr(info, data)


def _write_archive(obj: Any, file: Any, root: str) -> None:
    body = io.BytesIO()
    pickler = _Pickler(body)
    pickler.dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.comment = _seal.PLACEHOLDER
        _add(archive, f"{root}/data.pkl", body.getvalue())
        _add(archive, f"{root}/byteorder", b"little")
        for key, flat in enumerate(pickler.storages):
            _add(archive, f"{root}/data/{key}", _bytes_of(flat))
        _add(archive, f"{root}/version", b"3\n")
    _seal.seal(file)


def _write(obj: Any, file: Any, name: str) -> None:
    """In the format that the ending of the name tells."""
    kind = os.path.splitext(name)[1]
    if kind == ".safetensors":
        from pydl.serialization import _safetensors

        _safetensors.write(obj, file)
    elif kind == ".npz":
        from pydl.serialization import _npz

        _npz.write(obj, file)
    else:
        _write_archive(obj, file, os.path.splitext(name)[0] or "archive")


def write_file(obj: Any, f: Any, fsync: bool, write: Callable[[Any, Any, str], None] = _write) -> None:
    """:func:`pydl.save`."""
    if hasattr(f, "write"):
        buffer = io.BytesIO()
        write(obj, buffer, "archive")
        f.write(buffer.getvalue())
        return
    path = os.path.realpath(os.fspath(f))  # through a link, the file it points to is replaced
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "x+b") as file:
            write(obj, file, name)
            file.flush()
            if fsync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    if fsync:
        _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make the new name durable too, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
