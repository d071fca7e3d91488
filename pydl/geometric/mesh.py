"""Triangle meshes and convolutions on their edges (Hanocka et al., "MeshCNN: a network with an edge", 2019)."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

import pydl
from pydl import Tensor, nn

__all__ = ["Mesh", "MeshConv", "MeshPool"]


class Mesh:
    """Triangle mesh.

    Args:
        vertices: (V, 3) floating.
        faces: (F, 3) int64, the corners of each triangle.

    Attributes:
        edges: (E, 2), rows u < v in lexicographic order.
        edge_neighbors: (E, 4): of edge e = (u, v) the other two edges a, b of its first face and c, d of the second,
            each pair in the face's cyclic order after e; -1 where the edge has one face only.

    Raises ``ShapeError`` for other sizes, ``IndexError`` for corners outside the vertices, ``ValueError`` for a
    triangle with equal corners or an edge with more than two faces.

    >>> mesh = pydl.geometric.Mesh(pydl.rand(4, 3), pydl.tensor([[0, 1, 2], [0, 2, 3]]))
    >>> mesh.edges.tolist()
    [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    >>> mesh.edge_neighbors[1].tolist()
    [0, 3, 4, 2]
    """

    vertices: Tensor
    faces: Tensor
    edges: Tensor
    edge_neighbors: Tensor

    def __init__(self, vertices: Tensor, faces: Tensor) -> None:
        if vertices.dim() != 2 or vertices.shape[1] != 3 or not vertices.is_floating_point():
            raise pydl.ShapeError(
                f"Mesh: vertices must be floating of size (V, 3), got {vertices.dtype} of size {tuple(vertices.shape)}"
            )
        if faces.dim() != 2 or faces.shape[1] != 3 or faces.is_floating_point():
            raise pydl.ShapeError(
                f"Mesh: faces must be int64 of size (F, 3), got {faces.dtype} of size {tuple(faces.shape)}"
            )
        self.vertices, self.faces = vertices, faces.long()
        corners = self.faces.numpy()
        if len(corners) and (corners.min() < 0 or corners.max() >= vertices.shape[0]):
            raise IndexError(f"Mesh: faces must be in [0, {vertices.shape[0]}), got {corners.min()} to {corners.max()}")
        if (corners == np.roll(corners, 1, 1)).any():
            raise ValueError("Mesh: a face has two equal corners")
        self._index_edges(corners)

    def _index_edges(self, corners: Any) -> None:
        # Side k of a face runs from corner k to corner k + 1.
        sides = np.sort(np.stack([corners, np.roll(corners, -1, 1)], -1), -1).reshape(-1, 2)
        edges, number, count = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
        if len(count) and count.max() > 2:
            u, v = edges[count.argmax()]
            raise ValueError(f"Mesh: the edge ({u}, {v}) has {count.max()} faces, at most two can be")
        number = number.reshape(-1, 3)
        neighbors = np.full((len(edges), 4), -1, np.int64)
        self._faces_of = np.full((len(edges), 2), -1, np.int64)
        order = np.argsort(number.reshape(-1), kind="stable")  # the faces of an edge in their order
        second = np.zeros(len(order), np.int64)
        second[1:] = number.reshape(-1)[order][1:] == number.reshape(-1)[order][:-1]
        face, side = order // 3, order % 3
        edge = number[face, side]
        self._faces_of[edge, second] = face
        for k in (1, 2):
            neighbors[edge, 2 * second + k - 1] = number[face, (side + k) % 3]
        self.edges, self.edge_neighbors = pydl.from_numpy(edges.astype(np.int64)), pydl.from_numpy(neighbors)

    def edge_features(self) -> Tensor:
        """Five numbers per edge that do not change when the mesh moves, turns or grows (Hanocka et al. 2019, section
        3).

        (E, 5) in the dtype of the vertices: dihedral angle (pi where the mesh is flat), the angles opposite to the
        edge in its two faces, rising, and the ratios of height to base of the two faces, rising. An edge with one
        face counts that face twice.

        >>> square = pydl.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        >>> pydl.geometric.Mesh(square, pydl.tensor([[0, 1, 2], [0, 2, 3]])).edge_features()[1]
        tensor([3.1416, 1.5708, 1.5708, 0.5000, 0.5000])
        """
        points = self.vertices.detach().numpy().astype(np.float64)
        faces, edges, of = self.faces.numpy(), self.edges.numpy(), self._faces_of
        of = np.where(of < 0, of[:, :1], of)
        normals = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
        # Neighbouring faces that pass their edge in the same direction have opposite orientations.
        forward = np.stack([self._direction(faces[of[:, i]], edges) for i in (0, 1)])
        flip = np.where((forward[0] == forward[1]) & (of[:, 0] != of[:, 1]), -1.0, 1.0)
        cosine = (normals[of[:, 0]] * normals[of[:, 1]]).sum(1) * flip
        dihedral = np.pi - np.arccos(np.clip(cosine, -1, 1))
        base = np.maximum(np.linalg.norm(points[edges[:, 1]] - points[edges[:, 0]], axis=1), 1e-30)
        angles, ratios = [], []
        for i in (0, 1):
            apex = points[faces[of[:, i]].sum(1) - edges.sum(1)]
            a, b = points[edges[:, 0]] - apex, points[edges[:, 1]] - apex
            area = np.linalg.norm(np.cross(a, b), axis=1)
            angles.append(np.arctan2(area, (a * b).sum(1)))
            ratios.append(area / base / base)
        table = np.concatenate([dihedral[:, None], np.sort(np.stack(angles, 1), 1), np.sort(np.stack(ratios, 1), 1)], 1)
        return pydl.from_numpy(table).to(self.vertices.dtype)

    @staticmethod
    def _direction(faces: Any, edges: Any) -> Any:
        """Whether the face runs from the edge's first end to its second."""
        at = (faces == edges[:, :1]).argmax(1)
        return faces[np.arange(len(faces)), (at + 1) % 3] == edges[:, 1]

    def __repr__(self) -> str:
        return f"Mesh({len(self.vertices)} vertices, {len(self.faces)} faces, {len(self.edges)} edges)"


class MeshConv(nn.Module):
    """Convolution over an edge and its four neighbours (Hanocka et al. 2019).

    The weights act on (e, \\|a - c\\|, a + c, \\|b - d\\|, b + d), so it does not matter which face of the edge is
    the first. A neighbour of -1 reads as zeros.

    Args:
        in_channels, out_channels: features per edge.
        bias: default True.

    Shapes: x (N, in, E), neighbors (E, 4) or (N, E, 4) int64, to (N, out, E). Keys ``conv.weight`` (out, in, 1, 5),
    ``conv.bias``. Raises ``ShapeError`` for other sizes, ``IndexError`` for neighbours outside [-1, E).

    >>> mesh = pydl.geometric.Mesh(pydl.rand(4, 3), pydl.tensor([[0, 1, 2], [0, 2, 3]]))
    >>> pydl.geometric.MeshConv(5, 8)(mesh.edge_features().T.unsqueeze(0), mesh.edge_neighbors).shape
    torch.Size([1, 8, 5])
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, (1, 5), bias=bias)

    def forward(self, x: Tensor, neighbors: Tensor) -> Tensor:
        if x.dim() != 3 or x.shape[1] != self.conv.in_channels:
            raise pydl.ShapeError(f"MeshConv: x must be of size (N, {self.conv.in_channels}, E), got {tuple(x.shape)}")
        batch, _, edges = x.shape
        if tuple(neighbors.shape) not in ((edges, 4), (batch, edges, 4)) or neighbors.is_floating_point():
            raise pydl.ShapeError(
                f"MeshConv: neighbors must be int64 of size ({edges}, 4) or ({batch}, {edges}, 4), got "
                f"{neighbors.dtype} of size {tuple(neighbors.shape)}"
            )
        if neighbors.numel() and not -1 <= int(neighbors.min()) <= int(neighbors.max()) < edges:
            raise IndexError(
                f"MeshConv: neighbors must be in [-1, {edges}), got {int(neighbors.min())} to {int(neighbors.max())}"
            )
        # Row 0 holds the zeros that -1 reads.
        padded = pydl.nn.functional.pad(x, (1, 0))
        index = (neighbors.long() + 1).expand(batch, edges, 4).reshape(batch, 1, -1).expand(-1, x.shape[1], -1)
        a, b, c, d = padded.gather(2, index).view(batch, x.shape[1], edges, 4).unbind(-1)
        return self.conv(pydl.stack([x, (a - c).abs(), a + c, (b - d).abs(), b + d], -1)).squeeze(-1)


class MeshPool(nn.Module):
    """Collapses edges in the order of rising feature norm until `target_edges` remain (Hanocka et al. 2019).

    A collapse joins the ends of an edge in their middle; the edge and the two pairs of edges beside it become two
    edges, which get the mean of the features of all edges that went into them. Collapses after which the surface
    would be no manifold are passed over, so more than `target_edges` can remain; with fewer edges than that the
    input comes back.

    Shapes: x (1, C, E) and a :class:`Mesh` of E edges, to (1, C, E') and the new mesh. Raises ``ValueError`` for
    target_edges < 1.

    >>> n = pydl.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1], [5, 2, 1], [5, 3, 2], [5, 4, 3], [5, 1, 4]])
    >>> x, mesh = pydl.geometric.MeshPool(9)(pydl.rand(1, 2, 12), pydl.geometric.Mesh(pydl.rand(6, 3), n))
    >>> x.shape, mesh
    (torch.Size([1, 2, 9]), Mesh(5 vertices, 6 faces, 9 edges))
    """

    def __init__(self, target_edges: int) -> None:
        super().__init__()
        if target_edges < 1:
            raise ValueError(f"MeshPool: target_edges must be at least 1, got {target_edges}")
        self.target_edges = target_edges

    def forward(self, x: Tensor, mesh: Mesh) -> tuple[Tensor, Mesh]:
        edges = len(mesh.edges)
        if x.dim() != 3 or x.shape[0] != 1 or x.shape[2] != edges:
            raise pydl.ShapeError(f"MeshPool: x must be of size (1, C, {edges}), got {tuple(x.shape)}")
        if self.target_edges >= edges:
            return x, mesh
        surface = _Surface(mesh)
        norms = pydl.linalg.vector_norm(x[0].detach(), dim=0).tolist()
        queue = [(norm, edge) for edge, norm in enumerate(norms)]
        heapq.heapify(queue)
        while queue and len(surface.groups) > self.target_edges:
            surface.collapse(heapq.heappop(queue)[1])
        groups, pooled = surface.result()
        size = pydl.tensor([len(g) for g in groups], dtype=x.dtype)
        members = pydl.tensor([e for g in groups for e in g])
        place = pydl.arange(len(groups)).repeat_interleave(size.long())
        total = x.new_zeros(1, x.shape[1], len(groups)).index_add(2, place, x.index_select(2, members))
        return total / size, pooled

    def extra_repr(self) -> str:
        return f"target_edges={self.target_edges}"


class _Surface:
    """A mesh that loses edges: which faces each vertex has, and which first edges went into each edge of now."""

    def __init__(self, mesh: Mesh) -> None:
        self.points = mesh.vertices.detach().clone()
        self.moved: dict[int, Any] = {}
        self.faces = {i: tuple(f) for i, f in enumerate(mesh.faces.tolist())}
        self.around: dict[int, set[int]] = {}
        for i, face in self.faces.items():
            for v in face:
                self.around.setdefault(v, set()).add(i)
        self.groups = {tuple(e): {i} for i, e in enumerate(mesh.edges.tolist())}
        self.now = {i: tuple(e) for i, e in enumerate(mesh.edges.tolist())}

    def collapse(self, edge: int) -> None:
        """Collapses the edge that a first edge has gone into, if it is there and may be."""
        key = self.now.get(edge)
        if key is not None and self._may_collapse(*key):
            self._join(*key)

    def _opposite(self, v: int, without: int) -> set[frozenset[int]]:
        return {frozenset(self.faces[f]) - {v} for f in self.around[v] if without not in self.faces[f]}

    def _near(self, v: int) -> set[int]:
        return {w for f in self.around[v] for w in self.faces[f]} - {v}

    def _on_border(self, v: int) -> bool:
        return len(self._near(v)) != len(self.around[v])

    def _may_collapse(self, u: int, v: int) -> bool:
        """The link condition (Dey et al. 1999): what both ends touch is what the edge touches, and something
        remains."""
        shared = self.around[u] & self.around[v]
        apexes = {w for f in shared for w in self.faces[f]} - {u, v}
        if self._near(u) & self._near(v) != apexes or self._opposite(u, v) & self._opposite(v, u):
            return False
        if len(shared) == 2 and self._on_border(u) and self._on_border(v):
            return False  # would pinch the surface at a point
        # Every apex keeps a face: no edge may be left without one.
        return all(len(self.around[w]) > 1 for w in apexes) and len(self.around[u] | self.around[v]) > len(shared)

    def _join(self, u: int, v: int) -> None:
        key = (u, v)
        joined = self.groups.pop(key)
        shared = self.around[u] & self.around[v]
        apexes = {w for f in shared for w in self.faces[f]} - {u, v}
        self.moved[u] = (self.moved.get(u, self.points[u]) + self.moved.get(v, self.points[v])) / 2
        for f in shared:
            for w in self.faces.pop(f):
                self.around[w].discard(f)
        neighbours = self._near(v)
        for f in self.around.pop(v):
            self.faces[f] = tuple(u if w == v else w for w in self.faces[f])
            self.around[u].add(f)
        for w in neighbours | apexes:
            old, new = (min(v, w), max(v, w)), (min(u, w), max(u, w))
            members = self.groups.pop(old) | self.groups.get(new, set())
            self.groups[new] = members | joined if w in apexes else members
            for e in members:
                if self.now.get(e) == old:
                    self.now[e] = new
        for e in joined:
            self.now.pop(e, None)

    def result(self) -> tuple[list[list[int]], Mesh]:
        kept = sorted(self.around)
        number = {v: i for i, v in enumerate(kept)}
        points = pydl.stack([self.moved.get(v, self.points[v]) for v in kept])
        faces = pydl.tensor([[number[v] for v in f] for f in self.faces.values()])
        return [sorted(self.groups[k]) for k in sorted(self.groups)], Mesh(points, faces)
