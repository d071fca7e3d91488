"""Graph layers against dense matrix formulas, and what holds for any graph."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import geometric, nn

V, F_IN, F_OUT = 7, 5, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(V, F_IN))
# A loop, a double edge, a node without edges (6) and one without neighbours (5)
EDGES = np.array([[0, 1, 2, 2, 3, 3, 4, 5, 1, 1], [1, 0, 0, 2, 1, 4, 3, 4, 4, 4]])
WEIGHTS = RNG.uniform(0.2, 2, EDGES.shape[1])


def adjacency(edges: Any = EDGES, weights: Any = None) -> Any:
    a = np.zeros((V, V))
    np.add.at(a, (edges[1], edges[0]), 1.0 if weights is None else weights)
    return a


def double(layer: nn.Module) -> nn.Module:
    return layer.double()


def parts(layer: Any) -> dict[str, Any]:
    return {k: v.detach().numpy() for k, v in layer.state_dict().items()}


def gcn(layer: Any, x: Any, weights: Any) -> Any:
    a, p = adjacency(weights=weights), parts(layer)
    if layer.normalize:
        loops = np.diag(a).copy()
        if layer.add_self_loops:
            np.fill_diagonal(a, np.where(loops > 0, loops, 2.0 if layer.improved else 1.0))
        d = a.sum(1)
        s = np.where(d > 0, np.where(d > 0, d, 1) ** -0.5, 0)
        a = s[:, None] * a * s[None]
    return a @ x @ p["lin.weight"].T + p.get("bias", 0)


def gat(layer: Any, x: Any, attributes: Any = None) -> Any:
    p = parts(layer)
    source, target = EDGES
    e = None if attributes is None else attributes
    if layer.add_self_loops:
        keep = source != target
        source, target = source[keep], target[keep]
        if e is not None:
            e = e[keep]
            mean = np.stack([e[target == i].mean(0) if (target == i).any() else np.zeros(e.shape[1]) for i in range(V)])
            e = np.concatenate([e, mean])
        source, target = np.append(source, np.arange(V)), np.append(target, np.arange(V))
    h = (x @ p["lin.weight"].T).reshape(V, layer.heads, -1)
    score = (h * p["att_src"]).sum(-1)[source] + (h * p["att_dst"]).sum(-1)[target]
    if e is not None:
        score = score + ((e @ p["lin_edge.weight"].T).reshape(len(e), layer.heads, -1) * p["att_edge"]).sum(-1)
    score = np.exp(np.where(score > 0, score, layer.negative_slope * score))
    out = np.zeros_like(h)
    for i in range(V):
        here = target == i
        if here.any():
            out[i] = ((score[here] / score[here].sum(0))[..., None] * h[source[here]]).sum(0)
    return (out.reshape(V, -1) if layer.concat else out.mean(1)) + p.get("bias", 0)


def sage(layer: Any, x: Any) -> Any:
    p = parts(layer)
    source, target = EDGES
    if layer.project:
        near = np.maximum(x @ p["lin.weight"].T + p["lin.bias"], 0)
    else:
        near = x
    joined = np.zeros_like(near)
    for i in range(V):
        if (target == i).any():
            joined[i] = getattr(near[source[target == i]], layer.aggr)(0)
    out = joined @ p["lin_l.weight"].T + p.get("lin_l.bias", 0)
    if layer.root_weight:
        out = out + x @ p["lin_r.weight"].T
    return out / np.linalg.norm(out, axis=1, keepdims=True) if layer.normalize else out


def gin(layer: Any, x: Any) -> Any:
    p = parts(layer)
    return ((1 + p["eps"]) * x + adjacency() @ x) @ p["nn.weight"].T + p["nn.bias"]


ATTRIBUTES = RNG.normal(size=(EDGES.shape[1], 3))
CASES = [
    *[
        (geometric.GCNConv, (F_IN, F_OUT), options, gcn, w)
        for options in ({}, {"improved": True}, {"normalize": False}, {"add_self_loops": False}, {"bias": False})
        for w in (None, WEIGHTS)
    ],
    *[
        (geometric.GATConv, (F_IN, F_OUT), options, gat, None)
        for options in (
            {},
            {"heads": 3},
            {"heads": 2, "concat": False, "negative_slope": 0.5},
            {"add_self_loops": False},
        )
    ],
    (geometric.GATConv, (F_IN, F_OUT), {"heads": 2, "edge_dim": 3}, gat, ATTRIBUTES),
    *[
        (geometric.SAGEConv, (F_IN, F_OUT), options, sage, None)
        for options in ({}, {"aggr": "max"}, {"aggr": "sum"}, {"normalize": True}, {"project": True, "bias": False})
    ],
    (geometric.SAGEConv, (F_IN, F_OUT), {"root_weight": False}, sage, None),
    (geometric.GINConv, (nn.Linear(F_IN, F_OUT),), {"eps": 0.3}, gin, None),
    (geometric.GINConv, (nn.Linear(F_IN, F_OUT),), {"train_eps": True}, gin, None),
]
IDS = [f"{c.__name__}-{'-'.join(map(str, o.items()))}-{w is not None}" for c, _, o, _, w in CASES]


@pytest.mark.parametrize(("kind", "args", "options", "reference", "extra"), CASES, ids=IDS)
def test_layer(kind: Any, args: Any, options: Any, reference: Any, extra: Any) -> None:
    pydl.manual_seed(0)
    layer = double(copy.deepcopy(kind(*args, **options)))
    x = pydl.tensor(X, requires_grad=True)
    inputs = (x, pydl.tensor(EDGES)) + (() if extra is None else (pydl.tensor(extra),))
    expected = reference(layer, X) if extra is None and reference is not gcn else reference(layer, X, extra)
    np.testing.assert_allclose(layer(*inputs).detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    parameters = list(layer.parameters())
    assert pydl.autograd.gradcheck(lambda x, *p: layer(x, *inputs[1:]), (x, *parameters))
    assert pydl.autograd.gradgradcheck(lambda x: layer(x, *inputs[1:]), (x,))
    again = pickle.loads(pickle.dumps(layer))
    again.load_state_dict(layer.state_dict())
    assert pydl.equal(again(*inputs), layer(*inputs))


@pytest.mark.parametrize("make", [geometric.GCNConv, geometric.GATConv, geometric.SAGEConv])
def test_dense_adjacency_equals_edges(make: Any) -> None:
    pydl.manual_seed(0)
    layer, x = double(make(F_IN, F_OUT)), pydl.tensor(X)
    once = np.unique(EDGES, axis=1)
    by_edges = layer(x, pydl.tensor(once))
    assert pydl.allclose(layer(x, pydl.tensor(adjacency(once))), by_edges)
    if make is not geometric.GATConv:  # there an edge of weight 2 is one edge
        assert pydl.allclose(layer(x, pydl.tensor(adjacency())), layer(x, pydl.tensor(EDGES)))


def test_dense_adjacency_has_a_gradient() -> None:
    layer = double(geometric.GCNConv(F_IN, F_OUT))
    a = pydl.tensor(adjacency(weights=WEIGHTS) + 0.1, requires_grad=True)
    assert pydl.autograd.gradcheck(lambda a: layer(pydl.tensor(X), a), (a,))


@pytest.mark.parametrize(
    "layer",
    [geometric.GCNConv(3, 2), geometric.GATConv(3, 2), geometric.SAGEConv(3, 2), geometric.GINConv(nn.Linear(3, 2))],
    ids=lambda layer: type(layer).__name__,
)
def test_any_graph(layer: Any) -> None:
    none = pydl.zeros(2, 0, dtype=pydl.int64)
    assert layer(pydl.rand(4, 3), none).isfinite().all()
    assert layer(pydl.zeros(0, 3), none).shape == (0, 2)
    for edges in ([[0], [4]], [[-1], [0]]):
        with pytest.raises(IndexError, match=type(layer).__name__):
            layer(pydl.rand(4, 3), pydl.tensor(edges))
    for edges in (pydl.zeros(3, 2, dtype=pydl.int64), pydl.zeros(2, dtype=pydl.int64), pydl.rand(3, 3)):
        with pytest.raises(pydl.ShapeError, match=type(layer).__name__):
            layer(pydl.rand(4, 3), edges)
    with pytest.raises(RuntimeError):
        layer(pydl.rand(4, 5), none)


def test_attention_weights() -> None:
    layer = geometric.GATConv(F_IN, F_OUT, heads=3).double()
    out, (edges, alpha) = layer(pydl.tensor(X), pydl.tensor(EDGES), return_attention_weights=True)
    assert edges.shape == (2, EDGES.shape[1] - 1 + V) and alpha.shape == (edges.shape[1], 3)
    assert pydl.allclose(geometric.scatter(alpha, edges[1]), pydl.ones(V, 3, dtype=pydl.float64))


def test_messages_both_ways_and_their_arguments() -> None:
    class Difference(geometric.MessagePassing):
        def forward(self, x: Any, edges: Any, scale: Any) -> Any:
            return self.propagate(edges, x=x, scale=scale)

        def message(self, x_i: Any, x_j: Any, scale: Any) -> Any:  # type: ignore[override]
            return scale * (x_j - x_i)

    x, edges = pydl.tensor([[1.0], [3.0], [7.0]]), pydl.tensor([[0, 1], [2, 2]])
    assert Difference()(x, edges, 2.0).tolist() == [[0.0], [0.0], [-20.0]]
    assert Difference(flow="target_to_source")(x, edges, 2.0).tolist() == [[12.0], [8.0], [0.0]]
    with pytest.raises(ValueError, match="aggr"):
        Difference("median")


def test_cached_edges() -> None:
    layer = geometric.GCNConv(F_IN, F_OUT, cached=True).double()
    first = layer(pydl.tensor(X), pydl.tensor(EDGES))
    assert pydl.equal(layer(pydl.tensor(X), pydl.tensor(EDGES[:, :2])), first)


REDUCE = {"sum": np.sum, "add": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "mul": np.prod}


@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_scatter(reduce: str, dim: int) -> None:
    x = RNG.normal(size=(6, 6, 6))
    index = np.array([4, 0, 1, 1, 4, 4])
    out = geometric.scatter(pydl.tensor(x), pydl.tensor(index), dim, 6, reduce).numpy()
    for group in range(6):
        rows = np.take(x, np.flatnonzero(index == group), dim)
        empty = np.full(np.delete(x.shape, dim), float(reduce == "mul"))
        expected = REDUCE[reduce](rows, axis=dim) if (index == group).any() else empty
        np.testing.assert_allclose(np.take(out, group, dim), expected, rtol=1e-12)
    t = pydl.tensor(x, requires_grad=True)
    assert pydl.autograd.gradcheck(lambda t: geometric.scatter(t, pydl.tensor(index), dim, None, reduce), (t,))


def test_scatter_refuses() -> None:
    x, index = pydl.rand(3, 2), pydl.tensor([0, 1, 2])
    with pytest.raises(ValueError, match="reduce"):
        geometric.scatter(x, index, reduce="median")
    with pytest.raises(IndexError, match="scatter"):
        geometric.scatter(x, index, dim_size=2)
    with pytest.raises(IndexError, match="scatter"):
        geometric.scatter(x, index - 1)
    with pytest.raises(pydl.ShapeError, match="scatter"):
        geometric.scatter(x, index[:2])
    with pytest.raises((RuntimeError, MemoryError)):
        geometric.scatter(x, index, dim_size=2**62)


def test_readout() -> None:
    x, batch = pydl.tensor(X), pydl.tensor([0, 0, 2, 2, 2, 2, 4])
    for name, reduce in (("add", "sum"), ("mean", "mean"), ("max", "max")):
        pool = getattr(geometric, f"global_{name}_pool")
        assert pydl.equal(pool(x, batch), geometric.scatter(x, batch, 0, None, reduce))
        assert pydl.equal(pool(x, None), geometric.scatter(x, pydl.zeros(V, dtype=pydl.int64), 0, 1, reduce))
        assert pool(x, batch, 7).shape == (7, F_IN) and pool(x, batch, 7)[1].eq(0).all()
        assert pool(pydl.zeros(0, 3), None).tolist() == [[0.0, 0.0, 0.0]]
        with pytest.raises(IndexError):
            pool(x, batch, 3)


def test_graph_convolutions_beat_an_mlp() -> None:
    """A planted partition: features say little, the neighbours much."""
    rng = np.random.default_rng(0)
    n, classes = 300, 3
    y = rng.integers(0, classes, n)
    same = y[:, None] == y[None]
    a = rng.random((n, n)) < np.where(same, 0.1, 0.01)
    a = np.triu(a, 1)
    edges = pydl.tensor(np.stack(np.nonzero(a | a.T)))
    x = pydl.tensor((np.eye(classes)[y] + 1.5 * rng.normal(size=(n, classes))).astype(np.float32))
    train = pydl.tensor(np.arange(n) < 60)
    target = pydl.tensor(y)

    def accuracy(layers: Any) -> float:
        pydl.manual_seed(0)
        first, second = layers()
        parameters = [*first.parameters(), *second.parameters()]
        optimizer = pydl.optim.Adam(parameters, lr=0.02, weight_decay=5e-4)

        def logits() -> Any:
            def run(layer: Any, x: Any) -> Any:
                return layer(x, edges) if isinstance(layer, geometric.MessagePassing) else layer(x)

            return run(second, run(first, x).relu())

        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits()[train], target[train]).backward()
            optimizer.step()
        return float((logits().argmax(1) == target)[~train].float().mean())

    plain = accuracy(lambda: (nn.Linear(classes, 16), nn.Linear(16, classes)))
    graph = accuracy(lambda: (geometric.GCNConv(classes, 16), geometric.GCNConv(16, classes)))
    assert graph > 0.9 and graph > plain + 0.2, (graph, plain)


@pytest.mark.parametrize("dtype", [pydl.float16, pydl.bfloat16])
def test_half_precision_is_joined_in_float32(dtype: Any) -> None:
    """A running sum of ones would end at 2048, or 256."""
    many, group = pydl.ones(5000, 1).to(dtype) * 2, pydl.zeros(5000, dtype=pydl.int64)
    for reduce, want in (("sum", 10000), ("mean", 2)):
        got = geometric.scatter(many, group, reduce=reduce)
        assert got.dtype == dtype and abs(got.item() - want) <= want / 256
    assert abs(geometric.degree(group, dtype=dtype).item() - 5000) <= 20
    star = pydl.stack([pydl.arange(600), group[:600]])
    for layer in (geometric.GCNConv(3, 2), geometric.GATConv(3, 2), geometric.SAGEConv(3, 2)):
        want = layer(pydl.ones(600, 3), star)[0]
        got = layer.to(dtype)(pydl.ones(600, 3).to(dtype), star)[0]
        assert pydl.allclose(got.float(), want, rtol=0.05, atol=0.05)


def test_a_dense_adjacency_weighs_the_messages_of_the_base() -> None:
    class Sum(geometric.MessagePassing):
        def forward(self, x: Any, edges: Any) -> Any:
            return self.propagate(edges, x=x)

    dense = pydl.tensor([[0.0, 2.0, 0.5], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    x = pydl.tensor([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])
    assert pydl.equal(Sum()(x, dense), dense @ x)
    assert pydl.equal(Sum(flow="target_to_source")(x, dense), dense.T @ x)
    assert pydl.equal(Sum(node_dim=0)(x, dense), dense @ x)
