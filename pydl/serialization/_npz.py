"""NumPy's ``.npz``: a zip archive of arrays."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.serialization import _seal
from pydl.serialization._unpickle import Refused

_MOST_DIMS = 64
_LONGEST_HEADER = 65536
_ITEM = re.compile(
    r"'(descr|fortran_order|shape)'\s*:\s*('[<>|=]?[?a-zA-Z][0-9]{0,4}'|True|False|\((?:[0-9]{1,18}\s*,\s*)*(?:[0-9]{1,18})?\))"
)
_WHOLE = re.compile(rf"\{{\s*(?:{_ITEM.pattern}\s*,\s*){{2}}{_ITEM.pattern}\s*,?\s*\}}\s*")


def write(tensors: Any, file: Any) -> None:
    """Write a dictionary of tensors (or arrays), which ``numpy.load`` reads.

    Raises:
        TypeError: no dictionary of tensors by name, or a dtype that NumPy lacks.
    """
    from pydl.serialization._write import _add

    if not isinstance(tensors, dict) or not all(isinstance(name, str) for name in tensors):
        raise TypeError("save(): an npz file holds a dictionary of tensors by name")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.comment = _seal.PLACEHOLDER
        for name, value in tensors.items():
            if isinstance(value, Tensor) and value.dtype == pydl.bfloat16:
                raise TypeError(f"save(): npz files cannot hold bfloat16, the dtype of {name!r}")
            array = value.detach().resolve_conj().numpy() if isinstance(value, Tensor) else np.asarray(value)
            if array.dtype.hasobject:
                raise TypeError(f"save(): npz files hold tensors; {name!r} is a {type(value).__name__}")
            body = io.BytesIO()
            np.lib.format.write_array(body, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            _add(archive, f"{name}.npy", body.getvalue())
    _seal.seal(file)


def read(file: Any, archive: zipfile.ZipFile, size: int) -> dict[str, Any]:
    """The tensors by name. Entries may be compressed, but not to less than 1/1000, as zeros are.

    Raises:
        Refused: objects, dtypes that pydl lacks, or entries that claim more than such a file can hold.
    """
    result = {}
    for info in archive.infolist():
        if not info.filename.endswith(".npy"):
            raise Refused(f"it has the entry {info.filename!r}, which is no array")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise Refused(f"the entry {info.filename!r} is encrypted, or compressed in an unknown way")
        if info.file_size > max(1, info.compress_size) * 1100 or info.compress_size > size:
            raise Refused(f"the entry {info.filename!r} claims more than its bytes can hold")
        name = info.filename[: -len(".npy")]
        if name in result:
            raise Refused(f"it has the name {name!r} twice")
        result[name] = _array(io.BytesIO(archive.read(info)), name)
    return result


def _header(body: io.BytesIO, name: str) -> tuple[Any, bool, tuple[int, ...]]:
    """Dtype, order and shape.

    By a pattern: NumPy has Python parse the text, which may raise anything and overflow the stack.
    """
    start = body.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0"):
        raise Refused(f"the array {name!r} has no header of version 1 or 2")
    width = "<H" if start[6] == 1 else "<I"
    (length,) = struct.unpack(width, body.read(struct.calcsize(width)))
    text = body.read(min(length, _LONGEST_HEADER)).decode("latin-1")
    if len(text) != length or not _WHOLE.fullmatch(text):
        raise Refused(f"the header of the array {name!r} is malformed")
    found = {match[1]: match[2] for match in _ITEM.finditer(text)}
    if len(found) != 3:
        raise Refused(f"the header of the array {name!r} is malformed")
    shape = tuple(int(n) for n in found["shape"][1:-1].split(",") if n.strip())
    return np.dtype(found["descr"][1:-1]), found["fortran_order"] == "True", shape


def _array(body: io.BytesIO, name: str) -> Any:
    dtype, fortran, shape = _header(body, name)
    if dtype.hasobject:
        raise Refused(f"the array {name!r} holds objects, which could run code")
    if len(shape) > _MOST_DIMS:
        raise Refused(f"the array {name!r} has more than {_MOST_DIMS} dims")
    count = 1
    for n in shape:
        count *= n
    rest = body.getbuffer()[body.tell() :]
    if count * dtype.itemsize != len(rest):
        raise Refused(f"the array {name!r} has {len(rest)} bytes instead of {count * dtype.itemsize}")
    array = np.frombuffer(bytes(rest), dtype=dtype) if count else np.empty(0, dtype=dtype)
    array = array.astype(dtype.newbyteorder("="))  # a copy, writable
    return pydl.from_numpy(array.reshape(shape, order="F" if fortran else "C").copy(order="C"))
