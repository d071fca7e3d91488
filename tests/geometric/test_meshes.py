"""Meshes: edges, features, files, convolution and pooling."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import geometric
from pydl.serialization import SerializationError

CUBE = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)], np.float32)
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
CUBE_FACES = np.array([t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))])


def cube() -> geometric.Mesh:
    return geometric.Mesh(pydl.tensor(CUBE), pydl.tensor(CUBE_FACES))


def grid(n: int) -> geometric.Mesh:
    """A flat square of 2 n^2 triangles."""
    i = np.arange(n * (n + 1)).reshape(n, n + 1)[:, :-1].reshape(-1)
    faces = np.concatenate([np.stack([i, i + 1, i + n + 2], 1), np.stack([i, i + n + 2, i + n + 1], 1)])
    y, x = np.divmod(np.arange((n + 1) ** 2), n + 1)
    return geometric.Mesh(pydl.tensor(np.stack([x, y, 0 * x], 1).astype(np.float64)), pydl.tensor(faces))


def test_edges_and_neighbours() -> None:
    mesh = cube()
    assert len(mesh.edges) == 18
    listed = [tuple(e) for e in mesh.edges.tolist()]
    assert listed == sorted({tuple(sorted((f[k], f[k - 1]))) for f in CUBE_FACES.tolist() for k in range(3)})
    number = {e: i for i, e in enumerate(listed)}
    for e, (u, v) in enumerate(listed):
        pairs = []
        for face in CUBE_FACES.tolist():
            sides = [number[tuple(sorted((face[k], face[(k + 1) % 3])))] for k in range(3)]
            if e in sides:
                k = sides.index(e)
                pairs += [sides[(k + 1) % 3], sides[(k + 2) % 3]]
        assert mesh.edge_neighbors[e].tolist() == pairs, (u, v)


def test_border_and_empty() -> None:
    mesh = grid(1)
    assert sorted(map(sorted, (mesh.edge_neighbors == -1).sum(1).view(1, -1).tolist())) == [[0, 2, 2, 2, 2]]
    empty = geometric.Mesh(pydl.zeros(0, 3), pydl.zeros(0, 3, dtype=pydl.int64))
    assert empty.edges.shape == (0, 2) and empty.edge_neighbors.shape == (0, 4)
    assert empty.edge_features().shape == (0, 5)


def test_mesh_refuses() -> None:
    v = pydl.rand(5, 3)
    fan = pydl.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    with pytest.raises(ValueError, match="3 faces"):
        geometric.Mesh(v, fan)
    with pytest.raises(ValueError, match="equal corners"):
        geometric.Mesh(v, pydl.tensor([[0, 1, 1]]))
    with pytest.raises(IndexError, match="Mesh"):
        geometric.Mesh(v, pydl.tensor([[0, 1, 5]]))
    with pytest.raises(pydl.ShapeError, match="vertices"):
        geometric.Mesh(v[:, :2], fan)
    with pytest.raises(pydl.ShapeError, match="faces"):
        geometric.Mesh(v, fan.float())


def test_features_do_not_change_with_the_pose() -> None:
    rng = np.random.default_rng(0)
    points = CUBE.astype(np.float64) + 0.2 * rng.normal(size=CUBE.shape)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    before = geometric.Mesh(pydl.tensor(points), pydl.tensor(CUBE_FACES)).edge_features()
    after = geometric.Mesh(pydl.tensor(3 * points @ turn + 1), pydl.tensor(CUBE_FACES)).edge_features()
    np.testing.assert_allclose(before.numpy(), after.numpy(), rtol=1e-9)


def test_features_of_the_cube() -> None:
    features = cube().edge_features().numpy()
    mesh = cube()
    length = np.linalg.norm(CUBE[mesh.edges[:, 0].numpy()] - CUBE[mesh.edges[:, 1].numpy()], axis=1)
    flat = length > 1.2  # the diagonals of the sides
    np.testing.assert_allclose(features[flat], [[np.pi, np.pi / 2, np.pi / 2, 0.5, 0.5]] * 6, rtol=1e-6)
    np.testing.assert_allclose(features[~flat], [[np.pi / 2, np.pi / 4, np.pi / 4, 1, 1]] * 12, rtol=1e-6)


def test_convolution() -> None:
    pydl.manual_seed(0)
    mesh = grid(2)
    layer = geometric.MeshConv(3, 2).double()
    x = pydl.randn(2, 3, len(mesh.edges), dtype=pydl.float64, requires_grad=True)
    out = layer(x, mesh.edge_neighbors)
    padded = np.concatenate([x.detach().numpy(), np.zeros((2, 3, 1))], 2)
    a, b, c, d = (padded[:, :, mesh.edge_neighbors[:, k].numpy()] for k in range(4))
    table = np.stack([x.detach().numpy(), np.abs(a - c), a + c, np.abs(b - d), b + d], -1)
    weight = layer.conv.weight.detach().numpy()[:, :, 0]
    expected = np.einsum("ncek,ock->noe", table, weight) + layer.conv.bias.detach().numpy()[:, None]
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    swapped = mesh.edge_neighbors[:, [2, 3, 0, 1]]
    assert pydl.equal(layer(x, swapped), out)
    assert pydl.equal(layer(x, mesh.edge_neighbors.expand(2, -1, -1)), out)
    assert pydl.autograd.gradcheck(lambda x, w: layer(x, mesh.edge_neighbors), (x, layer.conv.weight))
    with pytest.raises(IndexError, match="MeshConv"):
        layer(x, mesh.edge_neighbors + 1000)
    with pytest.raises(pydl.ShapeError, match="MeshConv"):
        layer(x, mesh.edge_neighbors[:3])


@pytest.mark.parametrize("make", [cube, lambda: grid(6)], ids=["closed", "with a border"])
def test_pooling(make: Any) -> None:
    pydl.manual_seed(0)
    mesh = make()
    edges = len(mesh.edges)
    target = edges * 2 // 3
    x = pydl.rand(1, 4, edges, dtype=pydl.float64, requires_grad=True)
    out, pooled = geometric.MeshPool(target)(x, mesh)
    assert out.shape[2] == len(pooled.edges) and target - 3 <= len(pooled.edges) <= target
    # Euler's number is what a collapse keeps; every feature is a mean of features
    number = [len(m.vertices) - len(m.edges) + len(m.faces) for m in (mesh, pooled)]
    assert number[0] == number[1]
    assert float(out.min()) >= float(x.min()) and float(out.max()) <= float(x.max())
    constant, _ = geometric.MeshPool(target)(pydl.ones(1, 1, edges), mesh)
    assert constant.eq(1).all()
    assert pydl.autograd.gradcheck(lambda x: geometric.MeshPool(target)(x, mesh)[0], (x,))
    same = geometric.MeshPool(edges)(x, mesh)
    assert same[0] is x and same[1] is mesh


def test_pooling_keeps_a_manifold() -> None:
    """However few edges are asked for: a closed surface stays one, since only a tetrahedron has no edge that may go."""
    out, pooled = geometric.MeshPool(1)(pydl.rand(1, 2, 18), cube())
    assert len(pooled.vertices) - len(pooled.edges) + len(pooled.faces) == 2
    assert len(pooled.edges) == out.shape[2] >= 6
    assert not (pooled.edge_neighbors < 0).any()


def test_pooling_takes_the_weakest_edge_first() -> None:
    mesh = cube()
    norm = pydl.arange(18.0) + 1
    norm[7] = 0.5
    x = norm.view(1, 1, -1)
    out, pooled = geometric.MeshPool(17)(x, mesh)
    u, v = mesh.edges[7].tolist()
    middle = (mesh.vertices[u] + mesh.vertices[v]) / 2
    assert len(pooled.edges) == 15 and any(pydl.allclose(middle, p) for p in pooled.vertices)
    a, b, c, d = mesh.edge_neighbors[7].tolist()
    means = [float((norm[7] + norm[i] + norm[j]) / 3) for i, j in ((a, b), (c, d))]
    rest = [float(norm[i]) for i in range(18) if i not in (7, a, b, c, d)]
    np.testing.assert_allclose(sorted(out.view(-1).tolist()), sorted(means + rest), rtol=1e-6)


# Files


def obj_text() -> bytes:
    lines = ["# a cube", "o cube", *(f"v {x} {y} {z}" for x, y, z in CUBE), "vt 0 0", "vn 0 0 1"]
    lines += [f"f {a + 1}/1/1 {b + 1}//1 {c + 1}/1 {d - 8}" for a, b, c, d in QUADS]
    return "\n".join(lines).encode()


def off_text(kind: str = "OFF") -> bytes:
    more = {"OFF": "", "COFF": " 0.1 0.2 0.3 1", "NOFF": " 0 0 1"}[kind]
    lines = [f"{kind}", "# counts", "8 6 12", *(f"{x} {y} {z}{more}" for x, y, z in CUBE)]
    return "\n".join([*lines, *(f"4 {a} {b} {c} {d} 255 0 0" for a, b, c, d in QUADS)]).encode()


def ply(layout: str, name: str = "vertex_indices") -> bytes:
    header = (
        f"ply\nformat {layout} 1.0\ncomment made here\nelement vertex 8\nproperty float x\nproperty float y\n"
        f"property double z\nproperty uchar red\nelement face 6\nproperty list uchar int {name}\n"
        "element extra 1\nproperty list int short values\nend_header\n"
    ).encode()
    if layout == "ascii":
        rows = [f"{x} {y} {z} 200" for x, y, z in CUBE] + [" ".join(map(str, (4, *q))) for q in QUADS] + ["2 7 8"]
        return header + "\n".join(rows).encode()
    order = "<" if "little" in layout else ">"
    body = b"".join(struct.pack(order + "ffdB", *p, 200) for p in CUBE)
    body += b"".join(struct.pack(order + "B4i", 4, *q) for q in QUADS)
    return header + body + struct.pack(order + "ihh", 2, 7, 8)


FILES = {
    "obj": obj_text(),
    "off": off_text(),
    "coff": off_text("COFF"),
    "noff": off_text("NOFF"),
    "ply-ascii": ply("ascii"),
    "ply-little": ply("binary_little_endian"),
    "ply-big": ply("binary_big_endian", "vertex_index"),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "cube"
    path.write_bytes(FILES[name])
    for source in (path, str(path), io.BytesIO(FILES[name])):
        mesh = geometric.load_mesh(source)
        assert mesh.vertices.dtype == pydl.float32 and np.array_equal(mesh.vertices.numpy(), CUBE)
        assert np.array_equal(mesh.faces.numpy(), CUBE_FACES)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(name: str, full: bool) -> None:
    """Cut at every byte and changed at random: a mesh or a SerializationError, nothing else."""
    data = FILES[name]
    for end in range(0, len(data), 1 if full else 7):
        read_or_refuse(data[:end])
    rng = np.random.default_rng(0)
    for _ in range(5000 if full else 200):
        copy = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            copy[at] = rng.integers(0, 256)
        read_or_refuse(bytes(copy))


def read_or_refuse(data: bytes) -> None:
    try:
        assert isinstance(geometric.load_mesh(io.BytesIO(data)), geometric.Mesh)
    except SerializationError as error:
        assert "load_mesh" in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"OFF 1000000000000 1 0\n",
        b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n",
        b"v 0 0 0\nv 1 0 0\nf 1 2\n",
        b"v 0 0 0\nf 1 2 9\n",
        b"v 0 0 0\nf 0 0 0\n",
        b"ply\nformat binary_little_endian 1.0\nelement vertex 99999999999\nproperty float x\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex -1\nproperty float x\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty list float float x\nend_header\n1e300 1\n",
    ],
)
def test_hostile_files(data: bytes) -> None:
    with pytest.raises(SerializationError, match="load_mesh"):
        geometric.load_mesh(io.BytesIO(data))
