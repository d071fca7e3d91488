"""Differentiable search: cells, the second-order derivative, and that a planted best cell is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.search import DARTSCell, DARTSSearch


class Apply(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Any) -> Any:
        return {"none": x * 0, "skip": x, "tanh": x.tanh(), "square": x * x, "abs": x.abs()}[self.kind]


OPS = {kind: (lambda c, kind=kind: Apply(kind)) for kind in ("none", "skip", "tanh", "square", "abs")}


class Net(nn.Module):
    """A cell on the halves of its input, with a scale per output to learn."""

    def __init__(self, nodes: int = 2) -> None:
        super().__init__()
        self.cell = DARTSCell(4, nodes=nodes, ops=OPS)
        self.scale = nn.Parameter(pydl.full((4 * nodes,), 0.5))

    def forward(self, x: Any) -> Any:
        return self.scale * self.cell(x[:, :4], x[:, 4:])


def planted(x: Any) -> Any:
    a, b = x[:, :4], x[:, 4:]
    first = a * a + b.tanh()
    return pydl.cat([first, b.abs() + first.tanh()], 1)


@pytest.mark.parametrize("unrolled", [False, True])
def test_the_planted_best_cell_is_found(unrolled: bool) -> None:
    pydl.manual_seed(0)
    net = Net()
    batches = [(x, planted(x)) for x in pydl.randn(40, 64, 8)]
    search = DARTSSearch(
        net, nn.functional.mse_loss, lr=0.01, weight_decay=0.0, arch_lr=0.05, arch_weight_decay=0.0, unrolled=unrolled
    )
    history = search.run(batches[:20], batches[20:], epochs=30)
    assert history["genotype"] == search.genotype() == [[("square", 0), ("tanh", 1)], [("abs", 1), ("tanh", 2)]]
    assert len(history["train_loss"]) == len(history["val_loss"]) == 30
    assert history["val_loss"][-1] < 0.01 * history["val_loss"][0]
    small = search.discretize()
    x, y = batches[-1]
    assert nn.functional.mse_loss(small(x), y).item() < 0.02
    assert small is not net and isinstance(net.cell, DARTSCell) and "alphas" not in "".join(small.state_dict())


def test_a_cell_mixes_its_operations() -> None:
    pydl.manual_seed(0)
    cell = DARTSCell(3, nodes=2, ops=OPS).double()
    with pydl.no_grad():
        cell.alphas.copy_(pydl.randn(5, 5, dtype=pydl.float64))
    a, b = (np.random.default_rng(i).standard_normal((2, 3)) for i in (0, 1))
    w = np.exp(cell.alphas.detach().numpy())
    w /= w.sum(1, keepdims=True)

    def mixed(edge: int, x: Any) -> Any:
        return w[edge, 1] * x + w[edge, 2] * np.tanh(x) + w[edge, 3] * x * x + w[edge, 4] * np.abs(x)

    first = mixed(0, a) + mixed(1, b)
    second = mixed(2, a) + mixed(3, b) + mixed(4, first)
    got = cell(pydl.tensor(a), pydl.tensor(b))
    np.testing.assert_allclose(got.detach().numpy(), np.concatenate([first, second], 1), rtol=1e-12)
    assert pydl.autograd.gradcheck(
        lambda al: _with_alphas(cell, al, a, b), [cell.alphas.detach().clone().requires_grad_()]
    )
    with pytest.raises(ValueError, match="DARTSCell"):
        DARTSCell(3, ops={"none": OPS["none"]})
    with pytest.raises(ValueError, match="DARTSCell"):
        DARTSCell(3, nodes=0)
    assert "nodes=2" in repr(cell)


def _with_alphas(cell: Any, alphas: Any, a: Any, b: Any) -> Any:
    return pydl.nn.utils.stateless.functional_call(cell, {"alphas": alphas}, (pydl.tensor(a), pydl.tensor(b)))


def test_operations_for_images() -> None:
    pydl.manual_seed(0)
    cell = DARTSCell(4)
    assert cell.alphas.shape == (2 + 3 + 4 + 5, 8)
    x = pydl.rand(2, 4, 6, 6)
    out = cell(x, x)
    assert out.shape == (2, 16, 6, 6)
    out.sum().backward()
    assert cell.alphas.grad.abs().sum() > 0
    search = DARTSSearch(nn.ModuleDict({"cell": cell}), nn.functional.mse_loss)
    small = search.discretize()["cell"]
    assert small(x, x).shape == out.shape and sum(len(node) for node in small.ops) == 8
    again = pydl.nn.Module.state_dict(small)
    small.load_state_dict(again)


def test_genotype_keeps_the_strongest_edges() -> None:
    cell = DARTSCell(2, nodes=2, ops=OPS)
    with pydl.no_grad():
        cell.alphas.zero_()
        cell.alphas[0, 0] = 9.0  # none is never chosen, and weakens the others
        cell.alphas[1, 3] = 2.0
        cell.alphas[2, 1] = 1.0
        cell.alphas[3, 4] = 3.0
        cell.alphas[4, 2] = 2.0
    one = DARTSSearch(cell, nn.functional.mse_loss, top_k=1)
    assert one.genotype() == [[("square", 1)], [("abs", 1)]]
    two = DARTSSearch(cell, nn.functional.mse_loss)
    assert two.genotype()[1] == [("abs", 1), ("tanh", 2)]
    x, y = pydl.randn(3, 2), pydl.randn(3, 2)
    np.testing.assert_allclose(one.discretize()(x, y).numpy(), pydl.cat([y * y, y.abs()], 1).numpy(), rtol=1e-6)
    both = DARTSSearch(nn.ModuleDict({"a": cell, "b": DARTSCell(2, nodes=1, ops=OPS)}), nn.functional.mse_loss)
    assert set(both.genotype()) == {"a", "b"} and both.genotype()["a"] == two.genotype()


class Own(nn.Module):
    """An architecture of one's own: alphas without a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.op_alphas = nn.Parameter(pydl.zeros(3))
        self.line = nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        w = self.op_alphas.softmax(0)
        x = self.line(x)
        return w[0] * x + w[1] * x.tanh() + w[2] * x * x


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_second_order_derivative(momentum: float) -> None:
    """Against the exact one, by differentiating through the step."""
    pydl.manual_seed(0)
    net = Own().double()
    search = DARTSSearch(net, nn.functional.mse_loss, lr=0.1, momentum=momentum, weight_decay=0.01, unrolled=True)
    train, held = ((pydl.randn(16, 2, dtype=pydl.float64), pydl.randn(16, 2, dtype=pydl.float64)) for _ in range(2))
    search._weight_step(train)  # a velocity
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    loss, (got,) = search._unrolled(train, held)
    for n, p in net.named_parameters():
        assert (p == before[n]).all()

    functional_call = pydl.nn.utils.stateless.functional_call
    params = {n: p.detach().clone().requires_grad_() for n, p in net.named_parameters()}
    inner = nn.functional.mse_loss(functional_call(net, params, (train[0],)), train[1])
    names = ["line.weight", "line.bias"]
    slopes = pydl.autograd.grad(inner, [params[n] for n in names], create_graph=True)
    moved = dict(params)
    for n, g in zip(names, slopes):
        velocity = search._optimizer.state[dict(net.named_parameters())[n]].get("momentum_buffer")
        push = g + 0.01 * params[n] + (momentum * velocity if velocity is not None else 0)
        moved[n] = params[n] - 0.1 * push
    outer = nn.functional.mse_loss(functional_call(net, moved, (held[0],)), held[1])
    (want,) = pydl.autograd.grad(outer, [params["op_alphas"]])
    np.testing.assert_allclose(loss, outer.item(), rtol=1e-10)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-3, atol=1e-6)
    assert search.genotype() == {"op_alphas": net.op_alphas.argmax().item()}


def test_models_without_weights_and_wrong_calls() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = DARTSCell(4, nodes=1, ops=OPS)

        def forward(self, x: Any) -> Any:
            return self.cell(x, -x)

    pydl.manual_seed(0)
    batches = [(x, x * x) for x in pydl.randn(10, 32, 4)]
    search = DARTSSearch(Bare(), nn.functional.mse_loss, arch_lr=0.1, arch_weight_decay=0.0, unrolled=True, top_k=1)
    history = search.run(batches, batches[:3], epochs=20)
    assert history["genotype"][0][0][0] == "square" and history["val_loss"][-1] < history["val_loss"][0]
    with pytest.raises(ValueError, match="train_loader"):
        search.run([], batches, 1)
    with pytest.raises(ValueError, match="val_loader"):
        search.run(batches, [], 1)
    with pytest.raises(ValueError, match="alphas"):
        DARTSSearch(nn.Linear(2, 2), nn.functional.mse_loss)
    with pytest.raises(ValueError, match="top_k"):
        DARTSSearch(Bare(), nn.functional.mse_loss, top_k=0)
