"""Reading: the zip archive, its storages, and the names that a file may use."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import struct
import sys
import zipfile
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import pydl
from pydl.nn.parameter import Parameter
from pydl.serialization import _legacy, _seal
from pydl.serialization._format import STORAGE_CLASSES, dtype_named
from pydl.serialization._safe import find_safe
from pydl.serialization._unpickle import Interpreter, Name, Refused, check_key, check_view

# What a malformed file makes the standard library and the core raise.
_MALFORMED = (
    zipfile.BadZipFile, ArithmeticError, AssertionError, AttributeError, EOFError, IndexError, KeyError, MemoryError,
    NotImplementedError, RuntimeError, TypeError, UnicodeError, ValueError, pickle.UnpicklingError, struct.error,
    zlib.error,
)  # fmt: skip


class Archive:
    """The entries of a file, read on demand and checked."""

    def __init__(self, file: Any) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.zip = zipfile.ZipFile(file)
        _seal.check(file, self.zip.comment)
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

    ordered = True  # whether the bytes are there when the first tensor is built

    def __init__(self, data: bytearray, dtype: Any, swapped: bool) -> None:
        self.data = data
        self.dtype = dtype
        self.swapped = swapped
        self._flat: dict[Any, Any] = {}

    def order_bytes(self, dtype: Any = None) -> None:
        """Make the bytes those of this machine, whose order may be another than that of the file."""
        dtype = self.dtype if dtype is None else dtype
        if self.swapped:
            _swap(self.data, dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize)
            self.swapped = False

    def flat(self, dtype: Any) -> Any:
        """All of it as a tensor of one dimension."""
        if dtype not in self._flat:
            if len(self.data) % dtype.itemsize:
                raise Refused("a storage ends within an element")
            if self.ordered:
                self.order_bytes(dtype)
            self._flat[dtype] = pydl.frombuffer(self.data, dtype=dtype) if self.data else pydl.empty(0, dtype=dtype)
        return self._flat[dtype]


class LateStorage(Storage):
    """A storage whose bytes are read after the tensors over it."""

    ordered = False


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
    ("torch._utils", "_rebuild_tensor"): _rebuild,
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
    safe = find_safe(module, name)
    if safe is not None:
        return Name(text, call=safe, trusted=True)
    raise Refused(
        f"it holds the object {text}, which weights_only=True does not allow. If you trust the file, allow the object "
        "with pydl.serialization.add_safe_globals, or load with weights_only=False, which runs what the file says"
    )


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

    def __init__(self, stream: io.BytesIO, load_persistent: Callable[[Any], Any]) -> None:
        super().__init__(stream)
        self._load_persistent = load_persistent

    def persistent_load(self, pid: Any) -> Any:
        return self._load_persistent(pid)

    def find_class(self, module: str, name: str) -> Any:
        try:
            found = _find(module, name)
        except Refused:
            ours = module == "torch" or module.startswith("torch.")
            return super().find_class("pydl" + module[len("torch") :] if ours else module, name)
        return found.call if isinstance(found, Name) and found.call else found


def _unpickled(stream: io.BytesIO, load_persistent: Callable[[Any], Any], weights_only: bool) -> Any:
    if weights_only:
        return Interpreter(stream, _find, load_persistent).run()
    return _TrustingUnpickler(stream, load_persistent).load()


def _read(file: Any, weights_only: bool) -> Any:
    """The object in a file, whose first bytes tell the format."""
    file.seek(0)
    start = file.read(len(_legacy.MAGIC))
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(file, weights_only)
    if start == _legacy.MAGIC:
        return _legacy.read(file.read(), lambda stream, load: _unpickled(stream, load, weights_only), LateStorage)
    if start[8:9] == b"{":
        from pydl.serialization import _safetensors

        return _safetensors.read(bytearray(file.read()))[0]
    raise Refused("it is none of PyTorch's formats, nor safetensors or npz")


def _read_zip(file: Any, weights_only: bool) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if names and all(name.endswith(".npy") for name in names):
            from pydl.serialization import _npz

            _seal.check(file, archive.comment)
            return _npz.read(file, archive, file.seek(0, os.SEEK_END))
    archive_of_tensors = Archive(file)
    loader = _Loader(archive_of_tensors)
    return _unpickled(io.BytesIO(archive_of_tensors.read("data.pkl")), loader.load_persistent, weights_only)


def _open(f: Any, use: Callable[[Any], Any], weights_only: bool = True) -> Any:
    """``use(file)``, with the errors of malformed files as SerializationError."""
    if hasattr(f, "read"):
        file = f if hasattr(f, "seek") else io.BytesIO(f.read())
        return _checked(lambda: use(file), weights_only, "the file")
    with open(f, "rb") as file:
        return _checked(lambda: use(file), weights_only, repr(os.fspath(f)))


def _checked(use: Callable[[], Any], weights_only: bool, what: str) -> Any:
    try:
        return use()
    except _MALFORMED as error:
        if not weights_only and not isinstance(error, (Refused, zipfile.BadZipFile)):
            raise  # an error of the object that was unpickled
        reason = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        raise pydl.SerializationError(f"load(): cannot read {what}: {reason}") from None


def read_file(f: Any, weights_only: bool) -> Any:
    """:func:`pydl.load`."""
    return _open(f, lambda file: _read(file, weights_only), weights_only)


def read_onnx(f: Any) -> Any:
    """The weights of an ONNX file by name."""
    from pydl.serialization import _onnx

    return _open(f, lambda file: _onnx.read(file.read()))


def read_safetensors(f: Any) -> Any:
    """:func:`pydl.serialization.load_safetensors`."""
    from pydl.serialization import _safetensors

    def use(file: Any) -> Any:
        return _safetensors.read(bytearray(file.read()))

    return _open(f, use)


def unsafe_names(f: Any) -> list[str]:
    """:func:`pydl.serialization.get_unsafe_globals_in_checkpoint`."""
    return _open(f, lambda file: sorted(_unsafe(Archive(file).read("data.pkl"))))


def _unsafe(data: bytes) -> set[str]:
    names: set[str] = set()
    texts: list[str] = []  # text pushed so far; the last two are a name that STACK_GLOBAL takes
    memo: dict[int, str] = {}
    last: str | None = None
    for code, argument, _ in pickletools.genops(data):
        if code.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            if last is not None:
                memo[len(memo) if argument is None else int(argument)] = last
            elif argument is None:
                memo[len(memo)] = ""
            continue
        if code.name in ("BINGET", "LONG_BINGET", "GET"):
            argument = memo.get(int(argument or 0))
        pair = []
        if code.name == "GLOBAL":
            pair = str(argument).split(" ", 1)
        elif code.name == "STACK_GLOBAL":
            pair = texts[-2:]
        last = argument if isinstance(argument, str) and not pair else None
        if last is not None:
            texts.append(last)
        if len(pair) == 2 and not _is_allowed(*pair):
            names.add(".".join(pair))
    return names


def _is_allowed(module: str, name: str) -> bool:
    try:
        _find(module, name)
    except Refused:
        return False
    return True
