"""The format of ``torch.save`` before 1.6: pickles one after the other, then the storages."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

from pydl.serialization._unpickle import Interpreter, Name, Refused

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of 0x1950a86a20f9469cfc6c
_PROTOCOL = 1001


def _no_names(module: str, name: str) -> Any:
    raise Refused(f"its header mentions {module}.{name}")


def _no_storages(pid: Any) -> Any:
    raise Refused("its header mentions a storage")


class _Storages:
    """Storages that the objects mention, with memory to be filled from the end of the file."""

    def __init__(self, make: Callable[..., Any], swapped: bool, size: int) -> None:
        self.make = make
        self.swapped = swapped
        self.left = size  # bytes that the file can still hold
        self.by_key: dict[str, Any] = {}

    def load_persistent(self, pid: Any) -> Any:
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage" or type(pid[2]) is not str:
            raise Refused("a storage is malformed")
        kind, key, count = pid[1], pid[2], pid[4]
        dtype = kind.value[1] if isinstance(kind, Name) and kind.value else None
        if dtype is None or type(count) is not int or count < 0:
            raise Refused("a storage is malformed")
        if len(pid) == 6 and pid[5] is not None:
            raise Refused("a storage is a view of another one, which PyTorch wrote before 0.4")
        if key not in self.by_key:
            size = count * dtype.itemsize
            self.left -= size
            if self.left < 0:
                raise Refused("its storages are larger than the file")
            self.by_key[key] = self.make(bytearray(size), dtype, self.swapped)
        elif self.by_key[key].dtype != dtype or len(self.by_key[key].data) != count * dtype.itemsize:
            raise Refused(f"storage {key} has two shapes")
        return self.by_key[key]

    def fill(self, stream: io.BytesIO, keys: Any) -> None:
        if type(keys) is not list or set(keys) != set(self.by_key) or len(keys) != len(self.by_key):
            raise Refused("its list of storages does not match the objects")
        for key in keys:
            storage = self.by_key[key]
            header = stream.read(8)
            count = struct.unpack("<q", header)[0] if len(header) == 8 else -1
            if count * storage.dtype.itemsize != len(storage.data):
                raise Refused(f"storage {key} has another size than its tensors")
            if stream.readinto(storage.data) != len(storage.data):
                raise Refused(f"storage {key} is cut short")
            storage.order_bytes()


def read(data: bytes, run: Callable[[io.BytesIO, Callable[[Any], Any]], Any], make: Callable[..., Any]) -> Any:
    """The object in ``data``.

    Args:
        data: the whole file.
        run: gives the object of the pickle at the stream's position, with a function for storages.
        make: builds a storage of bytes, dtype and whether its bytes are swapped.
    """
    stream = io.BytesIO(data)

    def header() -> Any:
        return Interpreter(stream, _no_names, _no_storages).run()

    header()  # the magic number, which the caller has seen
    if header() != _PROTOCOL:
        raise Refused("its protocol version is unknown")
    system = header()
    if type(system) is not dict or type(system.get("little_endian")) is not bool:
        raise Refused("its description of the writing machine is malformed")
    storages = _Storages(make, not system["little_endian"], len(data))
    result = run(stream, storages.load_persistent)
    storages.fill(stream, header())
    return result
