"""Point clouds: neighbours, PointNet, PointNet++."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import geometric, nn


def test_neighbours_are_differentiable() -> None:
    pydl.manual_seed(0)
    x = pydl.rand(2, 9, 3, dtype=pydl.float64, requires_grad=True)
    y = pydl.rand(2, 4, 3, dtype=pydl.float64, requires_grad=True)
    assert pydl.autograd.gradcheck(lambda x, y: geometric.knn(x, y, 3)[0], (x, y))
    assert pydl.autograd.gradgradcheck(lambda x, y: geometric.knn(x, y, 3)[0], (x, y))
    plain = geometric.knn(x.detach(), y.detach(), 3)
    recorded = geometric.knn(x, y, 3)
    assert pydl.equal(plain[1], recorded[1]) and pydl.allclose(plain[0], recorded[0])


def test_the_derivative_of_neighbours_takes_no_table() -> None:
    """A table of all pairs would be 300 MB."""
    x, y = pydl.rand(1, 5000, 3, requires_grad=True), pydl.rand(1, 5000, 3, requires_grad=True)
    pydl.reset_peak_memory_stats()
    before = pydl.memory_stats()
    geometric.knn(x, y, 2)[0].sum().backward()
    after = pydl.memory_stats()
    key = next(k for k in after if "peak" in k)
    assert after[key] - before[key] < 5e6


@pytest.mark.parametrize("dtype", [pydl.float16, pydl.bfloat16, pydl.float32, pydl.float64])
def test_dtypes(dtype: Any) -> None:
    pydl.manual_seed(0)
    x = pydl.rand(1, 50, 3).to(dtype)
    distance, index = geometric.knn(x, x, 1)
    assert distance.dtype == dtype and index.dtype == pydl.int64
    assert geometric.farthest_point_sample(x, 5).shape == (1, 5)
    assert geometric.ball_query(0.2, 4, x, x[:, :6]).shape == (1, 6, 4)


def test_neighbours_do_not_depend_on_threads() -> None:
    x, y = pydl.rand(3, 700, 3), pydl.rand(3, 901, 3)
    threads, found = pydl.get_num_threads(), []
    try:
        for count in (1, 2, 3, 4):
            pydl.set_num_threads(count)
            near = [t for k in (1, 5) for t in geometric.knn(x, y, k)]
            found.append([*near, geometric.ball_query(0.1, 6, x, y), geometric.farthest_point_sample(x, 300)])
    finally:
        pydl.set_num_threads(threads)
    assert all(pydl.equal(a, b) for other in found[1:] for a, b in zip(found[0], other))


def test_undefined_coordinates() -> None:
    x = pydl.rand(1, 70, 3)
    x[0, 3] = float("nan")
    x[0, 9] = float("inf")
    _, index = geometric.knn(x, x, 70)
    assert pydl.equal(index.sort(-1)[0], pydl.arange(70).expand(1, 70, 70))
    assert geometric.ball_query(0.1, 2, x, x).max() < 70
    assert geometric.farthest_point_sample(x, 70).max() < 70


def test_farthest_points_start_anywhere() -> None:
    pydl.manual_seed(0)
    x = pydl.rand(4, 30, 3)
    start = pydl.tensor([1, 5, 29, 0])
    assert pydl.equal(geometric.farthest_point_sample(x, 3, start)[:, 0], start)
    assert (geometric.farthest_point_sample(x, 3, 7)[:, 0] == 7).all()
    drawn = {int(geometric.farthest_point_sample(x[:1], 1, None)) for _ in range(30)}
    assert len(drawn) > 5
    with pytest.raises(IndexError, match="start"):
        geometric.farthest_point_sample(x, 3, 30)
    with pytest.raises(pydl.ShapeError, match="farthest_point_sample"):
        geometric.farthest_point_sample(x[0], 3)


def test_transform_net_starts_as_the_identity() -> None:
    net = geometric.TNet(5)
    assert pydl.equal(net(pydl.rand(3, 5, 7)), pydl.eye(5).expand(3, 5, 5))
    assert {k.split(".")[0] for k in net.state_dict()} == {
        *(f"conv{i}" for i in (1, 2, 3)), *(f"fc{i}" for i in (1, 2, 3)), *(f"bn{i}" for i in range(1, 6))
    }  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"in_channels": 6}, {"input_transform": False, "feature_transform": False}])
def test_pointnet(options: Any) -> None:
    pydl.manual_seed(0)
    net = geometric.PointNet(4, **options)
    x = pydl.rand(2, options.get("in_channels", 3), 20)
    logits, transform = net(x)
    assert logits.shape == (2, 4)
    assert (transform is None) == (options.get("feature_transform") is False)
    net.eval()
    order = pydl.randperm(20)
    assert pydl.allclose(net(x[:, :, order])[0], net(x)[0], atol=1e-6)
    again = geometric.PointNet(4, **options).eval()
    again.load_state_dict(net.state_dict())
    assert pydl.equal(again(x)[0], net(x)[0])
    one, _ = net.train()(x[:1, :, :1])
    one.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    with pytest.raises(pydl.ShapeError, match="PointNet"):
        net(x[:, :2])
    with pytest.raises(pydl.ShapeError, match="PointNet"):
        net(x[:, :, :0])


def test_set_abstraction() -> None:
    pydl.manual_seed(0)
    layer = geometric.PointNet2SetAbstraction(5, 0.4, 6, 2, [8, 4]).eval()
    xyz, points = pydl.rand(2, 40, 3), pydl.rand(2, 40, 2)
    new_xyz, features = layer(xyz, points)
    centres = geometric.farthest_point_sample(xyz, 5)
    index = geometric.ball_query(0.4, 6, xyz, new_xyz)
    for b in range(2):
        assert pydl.equal(new_xyz[b], xyz[b][centres[b]])
        for s in range(5):
            group = pydl.cat([xyz[b][index[b, s]] - new_xyz[b, s], points[b][index[b, s]]], 1)
            for conv, bn in zip(layer.mlp_convs, layer.mlp_bns):
                group = (group @ conv.weight[:, :, 0, 0].T + conv.bias) / (1 + bn.eps) ** 0.5
                group = group.relu()
            assert pydl.allclose(features[b, s], group.amax(0), atol=1e-5)
    everything = geometric.PointNet2SetAbstraction(None, None, None, 2, [8], group_all=True)
    centre, feature = everything(xyz, points)
    assert centre.eq(0).all() and centre.shape == (2, 1, 3) and feature.shape == (2, 1, 8)
    assert copy.deepcopy(layer)(xyz, points)[1].equal(features)
    with pytest.raises(pydl.ShapeError, match="PointNet2SetAbstraction"):
        layer(xyz)
    with pytest.raises(ValueError, match="npoint"):
        geometric.PointNet2SetAbstraction(None, 0.1, 3, 0, [4])


def solids(n: int, points: int, rng: Any) -> tuple[Any, Any]:
    """Points on spheres, cubes and cylinders of any size and pose, with noise."""
    y = rng.integers(0, 3, n)
    p = rng.normal(size=(n, points, 3))
    ball = p / np.linalg.norm(p, axis=-1, keepdims=True)
    u = rng.uniform(-1, 1, (n, points, 3))
    box = u / np.abs(u).max(-1, keepdims=True)
    angle = rng.uniform(0, 2 * np.pi, (n, points))
    tube = np.stack([np.cos(angle), np.sin(angle), rng.uniform(-1, 1, (n, points))], -1)
    x = np.choose(y[:, None, None], [ball, box, tube])
    turn = np.linalg.qr(rng.normal(size=(n, 3, 3)))[0]
    x = x @ turn * rng.uniform(0.8, 1.2, (n, 1, 1)) + 0.02 * rng.normal(size=x.shape)
    return pydl.tensor(x.transpose(0, 2, 1).astype(np.float32)), pydl.tensor(y)


def test_pointnet_tells_solids_apart(full: bool) -> None:
    rng = np.random.default_rng(0)
    pydl.manual_seed(0)
    x, y = solids(1200 if full else 300, 128, rng)
    net = geometric.PointNet(3, feature_transform=False)
    optimizer = pydl.optim.Adam(net.parameters(), lr=1e-3)
    means = []
    for _epoch in range(15 if full else 4):
        losses = []
        for part in pydl.from_numpy(rng.permutation(len(x))).split(30):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x[part])[0], y[part])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        means.append(sum(losses) / len(losses))
    assert means[-1] < 0.8 * means[0], means
    if not full:
        return
    net.eval()
    x, y = solids(300, 128, rng)
    with pydl.no_grad():
        accuracy = float((net(x)[0].argmax(1) == y).float().mean())
    assert accuracy >= 0.95, accuracy
