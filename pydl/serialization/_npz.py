"""NumPy's ``.npz``: a zip archive of arrays."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.serialization import _seal
from pydl.serialization._unpickle import Refused

_MOST_DIMS = 64


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
        if info.file_size > max(1, info.compress_size) * 1100 or info.compress_size > size:
            raise Refused(f"the entry {info.filename!r} claims more than its bytes can hold")
        name = info.filename[: -len(".npy")]
        if name in result:
            raise Refused(f"it has the name {name!r} twice")
        result[name] = _array(io.BytesIO(archive.read(info)), name)
    return result


def _array(body: io.BytesIO, name: str) -> Any:
    version = np.lib.format.read_magic(body)
    if version not in ((1, 0), (2, 0)):
        raise Refused(f"the array {name!r} has version {version}")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(body)
    if dtype.hasobject:
        raise Refused(f"the array {name!r} holds objects, which could run code")
    if len(shape) > _MOST_DIMS or any(n < 0 for n in shape):
        raise Refused(f"the array {name!r} has a malformed shape")
    count = 1
    for n in shape:
        count *= n
    rest = body.getbuffer()[body.tell() :]
    if count * dtype.itemsize != len(rest):
        raise Refused(f"the array {name!r} has {len(rest)} bytes instead of {count * dtype.itemsize}")
    array = np.frombuffer(bytes(rest), dtype=dtype) if count else np.empty(0, dtype=dtype)
    array = array.astype(dtype.newbyteorder("="))  # a copy, writable
    return pydl.from_numpy(array.reshape(shape, order="F" if fortran else "C").copy(order="C"))
