"""Graphs, meshes and point clouds: PyTorch Geometric's names on pydl's tensors, MeshCNN and PointNet."""

from __future__ import annotations

from pydl.geometric.aggregate import (
    degree,
    global_add_pool,
    global_max_pool,
    global_mean_pool,
    scatter,
    softmax,
)
from pydl.geometric.graphs import GATConv, GCNConv, GINConv, MessagePassing, SAGEConv
from pydl.geometric.mesh import Mesh, MeshConv, MeshPool
from pydl.geometric.mesh_files import load_mesh
from pydl.geometric.pointnet import PointNet, PointNet2SetAbstraction, TNet
from pydl.geometric.points import ball_query, farthest_point_sample, knn

__all__ = [
    "GATConv",
    "GCNConv",
    "GINConv",
    "Mesh",
    "MeshConv",
    "MeshPool",
    "MessagePassing",
    "PointNet",
    "PointNet2SetAbstraction",
    "SAGEConv",
    "TNet",
    "ball_query",
    "degree",
    "farthest_point_sample",
    "global_add_pool",
    "global_max_pool",
    "global_mean_pool",
    "knn",
    "load_mesh",
    "scatter",
    "softmax",
]
