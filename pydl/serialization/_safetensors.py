"""The format of the safetensors library: a JSON header with the place of each tensor, then their bytes.

https://github.com/huggingface/safetensors#format describes it. Files written here carry a checksum in the header's
metadata, twice: a damaged key then cannot pass for a file without one.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from typing import Any

import pydl
from pydl import Tensor
from pydl.serialization._unpickle import Refused

DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64",
}  # fmt: skip
_NAMES = {name: code for code, name in DTYPES.items()}
_LONGEST_HEADER = 100_000_000  # the limit of the format
_CHECKSUMS = ("pydl.crc32", "crc32.pydl")


def _canonical(header: dict[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()


def _checksum(header: dict[str, Any], chunks: Any) -> str:
    crc = zlib.crc32(_canonical(header))
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
    return f"{crc:08x}"


def _swapped(data: Any, dtype: Any) -> Any:
    """Bytes of the other order, on machines that keep the high one first."""
    if sys.byteorder == "little" or dtype.itemsize == 1:
        return data
    import numpy as np

    width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    return np.frombuffer(data, dtype=f"u{width}").byteswap().tobytes()


def write(tensors: Any, file: Any, metadata: dict[str, str] | None = None) -> None:
    """Write a dictionary of tensors.

    Raises:
        TypeError: no dictionary of tensors by name, metadata that are not text, or a dtype that the format lacks.
    """
    from pydl.serialization._write import _bytes_of

    if not isinstance(tensors, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in tensors.items()
    ):
        raise TypeError("save(): a safetensors file holds a dictionary of tensors by name")
    if "__metadata__" in tensors:
        raise TypeError("save(): the name __metadata__ is reserved in safetensors files")
    metadata = dict(metadata or {})
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
        raise TypeError("save(): the metadata of a safetensors file are text by name")
    # Larger elements first, as the reference writes them: every tensor is aligned to its elements
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {"__metadata__": {k: v for k, v in metadata.items() if k not in _CHECKSUMS}}
    chunks, end = [], 0
    for name in names:
        tensor = tensors[name].detach().contiguous().resolve_conj()
        code = _NAMES.get(str(tensor.dtype).rpartition(".")[2])
        if code is None:
            raise TypeError(f"save(): safetensors files cannot hold {tensor.dtype}, the dtype of {name!r}")
        chunks.append(_swapped(_bytes_of(tensor.reshape(-1)), tensor.dtype))
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    digest = _checksum(header, chunks)
    header["__metadata__"].update(dict.fromkeys(_CHECKSUMS, digest))
    text = _canonical(header)
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for chunk in chunks:
        file.write(chunk)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Refused("its header has a name twice")
    return result


def _no_constant(text: str) -> Any:
    raise Refused(f"its header has the number {text}")


def _header(data: Any) -> tuple[dict[str, Any], int]:
    """The header, and where the bytes of the tensors begin."""
    if len(data) < 8:
        raise Refused("it is cut short")
    length = struct.unpack("<Q", data[:8])[0]
    if length > min(_LONGEST_HEADER, len(data) - 8):
        raise Refused("its header is longer than allowed, or than the file")
    raw = bytes(data[8 : 8 + length])
    if not raw.startswith(b"{"):
        raise Refused("its header is no JSON object")
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError:
        raise Refused("its header is nested too deeply") from None
    if raw.rstrip(b" ") != raw.rstrip():
        raise Refused("its header is padded with something else than spaces")
    return header, 8 + length


def _place(name: str, entry: Any) -> tuple[int, int, Any, tuple[int, ...]]:
    if type(entry) is not dict or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise Refused(f"the entry {name!r} is malformed")
    shape, offsets, code = entry["shape"], entry["data_offsets"], entry["dtype"]
    if type(shape) is not list or type(offsets) is not list or len(offsets) != 2 or len(shape) > 64:
        raise Refused(f"the entry {name!r} is malformed")
    if not all(type(v) is int and 0 <= v < 2**62 for v in (*shape, *offsets)) or type(code) is not str:
        raise Refused(f"the entry {name!r} is malformed")
    if code not in DTYPES:
        raise Refused(f"the entry {name!r} has the dtype {code}, which pydl has not")
    dtype = getattr(pydl, DTYPES[code])
    size = dtype.itemsize
    for n in shape:
        size *= n
    if offsets[1] - offsets[0] != size:
        raise Refused(f"the entry {name!r} has {offsets[1] - offsets[0]} bytes instead of {size}")
    return offsets[0], offsets[1], dtype, tuple(shape)


def _verify(header: dict[str, Any], metadata: dict[str, str], body: Any) -> None:
    digests = [metadata.pop(key, None) for key in _CHECKSUMS]
    if digests == [None, None]:
        return
    plain = {**header, "__metadata__": metadata}
    if digests[0] != digests[1] or digests[0] != _checksum(plain, [body]):
        raise Refused("its checksum is wrong: the file is damaged")


def read(data: bytearray) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata in ``data``, whose memory the tensors share.

    Raises:
        Refused: the file breaks a rule of the format or its checksum. ValueError: the header is no JSON.
    """
    header, start = _header(data)
    metadata = header.get("__metadata__", {})
    if type(metadata) is not dict or not all(type(v) is str for v in metadata.values()):
        raise Refused("its metadata are malformed")
    metadata = dict(metadata)
    places = {name: _place(name, entry) for name, entry in header.items() if name != "__metadata__"}
    reached = 0
    for begin, end, _, _ in sorted(places.values(), key=lambda place: place[:2]):
        if begin != reached:
            raise Refused("its tensors overlap or leave holes")
        reached = end
    body = memoryview(data)[start:]
    if reached != len(body):
        raise Refused("its tensors do not fill the file")
    _verify(header, metadata, body)
    tensors = {name: _tensor(body, place) for name, place in places.items()}
    return tensors, metadata


def _tensor(body: Any, place: tuple[int, int, Any, tuple[int, ...]]) -> Tensor:
    begin, end, dtype, shape = place
    if begin == end:
        return pydl.empty(shape, dtype=dtype)
    # Each has memory of its own: to keep one of them must not keep the file.
    return pydl.frombuffer(bytearray(_swapped(body[begin:end], dtype)), dtype=dtype).reshape(shape)
