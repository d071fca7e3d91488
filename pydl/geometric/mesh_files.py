"""Readers of triangle meshes: Wavefront OBJ, OFF and PLY (ascii and binary). Nothing outside the file's bytes is
read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import pydl
from pydl.geometric.mesh import Mesh
from pydl.serialization import SerializationError

__all__ = ["load_mesh"]

# Names of the PLY description (Turk 1994) and those that newer writers use.
_PLY_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double":
    "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4",
    "float64": "f8",
}  # fmt: skip


def load_mesh(path: Any) -> Mesh:
    """Reads a mesh from an OBJ, OFF or PLY file, recognised by its content.

    Polygons are cut into fans of triangles. OBJ: ``v`` and ``f`` lines, also ``f v/vt/vn`` and negative indices.
    PLY: ascii and binary of both byte orders. Vertices become float32.

    Args:
        path: a path or a binary file object.

    Raises ``SerializationError`` for a malformed or truncated file, and for a mesh with an edge of more than two faces.

    >>> import io
    >>> pydl.geometric.load_mesh(io.BytesIO(b"OFF 4 1 0  0 0 0  1 0 0  1 1 0  0 1 0  4 0 1 2 3"))
    Mesh(4 vertices, 2 faces, 5 edges)
    """
    data = path.read() if hasattr(path, "read") else Path(os.fspath(path)).read_bytes()
    try:
        if data[:4].strip() == b"ply":
            vertices, polygons = _read_ply(data)
        elif data.lstrip()[:5].upper().split(maxsplit=1)[:1] in ([b"OFF"], [b"COFF"], [b"NOFF"]):
            vertices, polygons = _read_off(data)
        else:
            vertices, polygons = _read_obj(data)
        return _mesh(vertices, polygons)
    except SerializationError:
        raise
    except (ValueError, IndexError, OverflowError) as error:
        raise SerializationError(f"load_mesh(): malformed file: {error}") from None


def _mesh(vertices: Any, polygons: list[Any]) -> Mesh:
    faces = []
    for corners in polygons:
        if len(corners) < 3:
            raise SerializationError(f"load_mesh(): a face has {len(corners)} corners")
        faces += [(corners[0], b, c) for b, c in zip(corners[1:], corners[2:])]
    table = np.array(faces, np.int64).reshape(-1, 3)
    with np.errstate(over="ignore"):  # of a float64 beyond float32: infinite
        points = np.ascontiguousarray(vertices, np.float32)
    return Mesh(pydl.tensor(points), pydl.tensor(table))


def _read_obj(data: bytes) -> tuple[Any, list[Any]]:
    vertices: list[Any] = []
    polygons: list[list[int]] = []
    for line in data.replace(b"\\\n", b" ").decode("utf-8", "replace").splitlines():
        word, *rest = line.split("#", 1)[0].split() or [""]
        if word == "v":
            if len(rest) < 3:
                raise SerializationError(f"load_mesh(): a vertex has {len(rest)} coordinates: {line[:60]!r}")
            vertices.append([float(v) for v in rest[:3]])
        elif word == "f":
            numbers = [int(corner.split("/", 1)[0]) for corner in rest]
            if not all(-len(vertices) <= n <= -1 or n >= 1 for n in numbers):
                raise SerializationError(f"load_mesh(): a face has a corner that is not there: {line[:60]!r}")
            polygons.append([n - 1 if n > 0 else len(vertices) + n for n in numbers])
    if not vertices:
        raise SerializationError("load_mesh(): neither OBJ, OFF nor PLY: no vertices found")
    return np.array(vertices), polygons


def _read_off(data: bytes) -> tuple[Any, list[Any]]:
    text = data.decode("utf-8", "replace")
    lines = [words for line in text.splitlines() if (words := line.split("#", 1)[0].split())]
    per_vertex = {"OFF": 3, "COFF": 7, "NOFF": 6}[lines[0].pop(0).upper()]
    remaining = iter([word for line in lines for word in line])
    count, faces, _ = (int(_next(remaining)) for _ in range(3))
    if count < 0 or faces < 0 or count * per_vertex + faces > sum(map(len, lines)):
        raise SerializationError(f"load_mesh(): the file is too short for {count} vertices and {faces} faces")
    values = [float(_next(remaining)) for _ in range(count * per_vertex)]
    vertices = np.array(values).reshape(count, per_vertex)[:, :3]
    return vertices, _off_faces(lines, remaining, faces, 3 + count * per_vertex)


def _off_faces(lines: list[list[str]], words: Iterator[str], faces: int, before: int) -> list[Any]:
    """The faces behind `before` words. Where they have lines of their own, what follows on a line is a colour."""
    at = 0
    while at < len(lines) and before > 0:
        before -= len(lines[at])
        at += 1
    if before == 0 and len(lines) - at >= faces:
        own = [[int(w) for w in line[: 1 + int(line[0])]] for line in lines[at : at + faces]]
        if any(len(face) != face[0] + 1 for face in own):
            raise SerializationError("load_mesh(): a face has fewer corners than it says")
        return [face[1:] for face in own]
    return [[int(_next(words)) for _ in range(_corners(_next(words)))] for _ in range(faces)]


def _next(words: Iterator[str]) -> str:
    word = next(words, None)
    if word is None:
        raise SerializationError("load_mesh(): the file ends too early")
    return word


def _corners(word: str) -> int:
    count = int(word)
    if count < 3:
        raise SerializationError(f"load_mesh(): a face has {count} corners")
    return count


def _read_ply(data: bytes) -> tuple[Any, list[Any]]:
    end = data.find(b"end_header")
    start = data.find(b"\n", end) + 1
    if end < 0 or start <= 0:
        raise SerializationError("load_mesh(): the PLY header does not end")
    layout, elements = _ply_header(data[:end].decode("ascii", "replace"))
    rows: dict[Any, Any]
    if layout == "ascii":
        rows = _ply_ascii(data[start:].decode("ascii", "replace").split(), elements)
    else:
        rows = _ply_binary(memoryview(data)[start:], elements, "<" if layout == "binary_little_endian" else ">")
    try:
        vertices = np.stack([rows["vertex", axis] for axis in "xyz"], 1)
    except KeyError:
        raise SerializationError("load_mesh(): the PLY file has no vertices with x, y and z") from None
    for name in ("vertex_indices", "vertex_index"):
        if ("face", name) in rows:
            return vertices, [[int(v) for v in corners] for corners in rows["face", name]]
    return vertices, []


def _ply_header(header: str) -> tuple[str, list[Any]]:
    """The layout, and per element its name, number of rows and properties (name, type, type of the count or None)."""
    layout = ""
    elements: list[Any] = []
    for line in header.splitlines()[1:]:
        words = line.split()
        if words[:1] == ["format"] and len(words) >= 2:
            layout = words[1]
        elif words[:1] == ["element"] and len(words) == 3:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"] and elements and len(words) in (3, 5):
            types = words[2:4] if words[1] == "list" else [words[1]]
            if not all(t in _PLY_TYPES for t in types):
                raise SerializationError(f"load_mesh(): unknown PLY property: {line[:60]!r}")
            elements[-1][2].append(
                (words[-1], _PLY_TYPES[types[-1]], _PLY_TYPES[types[0]] if len(types) == 2 else None)
            )
        elif words[:1] not in ([], ["comment"], ["obj_info"]):
            raise SerializationError(f"load_mesh(): not a line of a PLY header: {line[:60]!r}")
    if layout not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise SerializationError(f"load_mesh(): unknown PLY format {layout[:30]!r}")
    if any(count < 0 for _, count, _ in elements):
        raise SerializationError("load_mesh(): a PLY element has a negative number of rows")
    return layout, elements


def _ply_ascii(words: list[str], elements: list[Any]) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    at = 0

    def take(count: int) -> list[str]:
        nonlocal at
        if not 0 <= count <= len(words) - at:
            raise SerializationError("load_mesh(): the file ends too early")
        at += count
        return words[at - count : at]

    for element, count, properties in elements:
        if count * len(properties) > len(words) - at:
            raise SerializationError(f"load_mesh(): the file is too short for {count} rows of {element!r}")
        found: list[list[Any]] = [[] for _ in properties]
        for _ in range(count if properties else 0):
            for values, (_, _, counted) in zip(found, properties):
                row = take(int(take(1)[0]) if counted else 1)
                values.append([int(v) for v in row] if counted and element == "face" else float(row[0]) if row else 0.0)
        for (name, _, counted), values in zip(properties, found):
            rows[element, name] = values if counted else np.array(values)
    return rows


def _ply_binary(data: memoryview, elements: list[Any], order: str) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    at = 0
    for element, count, properties in elements:
        smallest = sum(np.dtype(counted or kind).itemsize for _, kind, counted in properties)
        if count * smallest > len(data) - at:
            raise SerializationError(f"load_mesh(): the file is too short for {count} rows of {element!r}")
        if not any(counted for _, _, counted in properties):
            kinds = np.dtype([(f"{i}", order + kind) for i, (_, kind, _) in enumerate(properties)])
            table = np.frombuffer(data, kinds, count if properties else 0, at)
            rows.update(
                {(element, name): table[f"{i}"].astype(np.float64) for i, (name, _, _) in enumerate(properties)}
            )
            at += count * kinds.itemsize
            continue
        found: list[list[Any]] = [[] for _ in properties]
        for _ in range(count):
            for values, (_, kind, counted) in zip(found, properties):
                number = 1
                if counted:
                    number = int(np.frombuffer(data, order + counted, 1, at)[0])
                    at += np.dtype(counted).itemsize
                size = number * np.dtype(kind).itemsize
                if number < 0 or size > len(data) - at:
                    raise SerializationError("load_mesh(): the file ends too early")
                values.append(np.frombuffer(data, order + kind, number, at))
                at += size
        rows.update({(element, name): values for (name, _, _), values in zip(properties, found)})
    return rows
