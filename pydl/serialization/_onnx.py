"""The weights of an ONNX file: its initialisers, read from the wire format without the onnx library.

The messages are those of onnx.proto (https://github.com/onnx/onnx), the encoding that of Protocol Buffers: fields of
(number, wire type, value). Only lengths inside the bytes that there are get followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import pydl
from pydl.serialization._format import dtype_named
from pydl.serialization._unpickle import Refused

# TensorProto.DataType, and the field that holds the numbers where there are no raw bytes
_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
}  # fmt: skip
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _FLOATS, _INTS, _LONGS, _NAME, _RAW, _DOUBLES, _UNSIGNED, _LOCATION = 1, 2, 4, 5, 7, 8, 9, 10, 11, 14
_EXTERNAL = 1


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Refused("the file ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
    raise Refused("a number has more than ten bytes")


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """(number, integer or bytes) of every field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value: Any
            value, at = _varint(data, at)
        elif wire in (1, 2, 5):
            length = 8 if wire == 1 else 4
            if wire == 2:
                length, at = _varint(data, at)
            if length > len(data) - at:
                raise Refused("a field is longer than the file")
            value = data[at : at + length]
            at += length
        else:
            raise Refused(f"unknown wire type {wire}")
        if number == 0:
            raise Refused("a field has the number 0")
        yield number, value


def _integers(values: list[Any]) -> list[int]:
    """Repeated integers, packed or one by one, with their sign."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(number)
    return [n - (1 << 64) if n >= 1 << 63 else n for n in found]


def _packed(values: list[Any], kind: str) -> Any:
    return np.frombuffer(b"".join(bytes(v) for v in values if not isinstance(v, int)), kind)


def _bytes_of(fields: dict[int, list[Any]], dtype: Any) -> bytes:
    """The numbers as they stand in memory."""
    if _RAW in fields:
        raw = fields[_RAW][-1]
        if isinstance(raw, int):
            raise Refused("the raw bytes of a tensor are a number")
        return bytes(raw)
    name = str(dtype).removeprefix("torch.")
    if name in ("float32", "complex64"):
        return _packed(fields.get(_FLOATS, []), "<f4").tobytes()
    if name in ("float64", "complex128"):
        return _packed(fields.get(_DOUBLES, []), "<f8").tobytes()
    field = _LONGS if name == "int64" else _UNSIGNED if name in ("uint32", "uint64") else _INTS
    # 16-bit floats stand there as the integers of their bits
    kind = {"bool": "uint8", "float16": "uint16", "bfloat16": "uint16"}.get(name, name)
    numbers = np.array(_integers(fields.get(field, [])), dtype=object)
    return (numbers.astype(np.int64) if kind != "uint64" else numbers % (1 << 64)).astype(kind).tobytes()


def _tensor(message: memoryview) -> tuple[str, Any]:
    fields: dict[int, list[Any]] = {}
    for number, value in _fields(message):
        fields.setdefault(number, []).append(value)
    name = fields.get(_NAME, [b""])[-1]
    if isinstance(name, int):
        raise Refused("the name of a tensor is a number")
    label = bytes(name).decode("utf-8", "replace")
    if _EXTERNAL in _integers(fields.get(_LOCATION, [])):
        raise Refused(f"the numbers of {label!r} are in another file")
    code = (_integers(fields.get(_DATA_TYPE, [])) or [0])[-1]
    if code not in _DTYPES:
        raise Refused(f"{label!r} has data type {code}, which is not supported")
    dtype = dtype_named(_DTYPES[code])
    sizes = _integers(fields.get(_DIMS, []))
    data = _bytes_of(fields, dtype)
    if any(s < 0 for s in sizes) or math.prod(sizes) * dtype.itemsize != len(data):
        raise Refused(f"{label!r} has {len(data)} bytes, which do not fit {sizes} of {dtype}")
    flat = pydl.frombuffer(bytearray(data), dtype=dtype) if data else pydl.empty(0, dtype=dtype)
    return label, flat.reshape(sizes)


def read(data: Any) -> dict[str, Any]:
    """The initialisers of an ONNX model by name."""
    found = {}
    graphs = 0
    for number, value in _fields(memoryview(data)):
        if number != _GRAPH or isinstance(value, int):
            continue
        graphs += 1
        for inner, message in _fields(value):
            if inner == _INITIALIZER and not isinstance(message, int):
                name, tensor = _tensor(message)
                found[name] = tensor
    if graphs != 1:
        raise Refused("it is no ONNX model: it has no graph")
    return found
