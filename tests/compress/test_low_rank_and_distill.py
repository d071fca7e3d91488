"""Low-rank layers, distillation and pruning on digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.compress import distill, low_rank, shrink
from pydl.nn import functional as F
from pydl.nn.utils import prune


def test_the_error_is_that_of_the_dropped_singular_values() -> None:
    pydl.manual_seed(0)
    layer = nn.Linear(12, 9).double()
    weight = layer.weight.detach().numpy()
    sigma = np.linalg.svd(weight, compute_uv=False)
    small, report = low_rank(layer, rank=3, return_report=True)
    entry = report.layers[""]
    product = (small[1].weight @ small[0].weight).detach().numpy()
    want = np.sqrt((sigma[3:] ** 2).sum())
    np.testing.assert_allclose(entry["error"], want, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(weight - product), want, rtol=1e-12)
    np.testing.assert_allclose(entry["singular_values"].numpy(), sigma[3:], rtol=1e-12)
    assert list(small.state_dict()) == ["0.weight", "1.weight", "1.bias"]
    assert entry["parameters"] == (12 * 9 + 9, 36 + 27 + 9) == report.parameters
    assert entry["flops"] == (216, 126) == report.flops
    np.testing.assert_allclose((small[0].weight @ small[0].weight.T).diagonal().detach().numpy(), sigma[:3], rtol=1e-12)
    exact = low_rank(layer, rank=9, only_if_smaller=False)
    x = pydl.randn(4, 12, dtype=pydl.float64)
    np.testing.assert_allclose(exact(x).detach().numpy(), layer(x).detach().numpy(), rtol=1e-10, atol=1e-12)


def test_convolutions_and_choices() -> None:
    pydl.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=2),
        nn.Flatten(),
        nn.Linear(72, 10),
    )
    x = pydl.randn(2, 3, 10, 10)
    small, report = low_rank(net, rank=1.0, only_if_smaller=False, return_report=True)
    assert set(report.layers) == {"0", "4"} and isinstance(small[2], nn.Conv2d)
    assert (small(x) - net(x)).abs().max() < 1e-5
    assert tuple(small[0][0].weight.shape) == (8, 3, 3, 3) and tuple(small[0][1].weight.shape) == (8, 8, 1, 1)
    assert not low_rank(net, rank=1.0, return_report=True)[1].layers  # nothing would be smaller
    _, named = low_rank(net, rank={"4": 2}, return_report=True)
    assert {n: e["rank"] for n, e in named.layers.items()} == {"4": 2}
    assert named.parameters == (224 + 296 + 730, 224 + 296 + 2 * 82 + 10)
    _, some = low_rank(net, rank=2, include=lambda name, m: isinstance(m, nn.Conv2d), return_report=True)
    assert set(some.layers) == {"0"}
    assert low_rank(net, rank=2, inplace=True) is net and isinstance(net[4], nn.Sequential)


@pytest.mark.parametrize("energy", [0.5, 0.9, 1.0])
def test_energy_is_the_least_share_kept(energy: float) -> None:
    pydl.manual_seed(1)
    layer = nn.Linear(10, 10, bias=False)
    _, report = low_rank(layer, energy=energy, only_if_smaller=False, return_report=True)
    squares = np.linalg.svd(layer.weight.detach().double().numpy(), compute_uv=False) ** 2
    rank = report.layers[""]["rank"]
    assert squares[:rank].sum() >= energy * squares.sum() * (1 - 1e-9)
    assert rank == 1 or squares[: rank - 1].sum() < energy * squares.sum()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rank": 1, "energy": 0.5},
        {"rank": 0},
        {"rank": 1.5},
        {"energy": 0.0},
        {"energy": 2.0},
        {"rank": {"no": 1}},
        {"rank": {"": 0}},
    ],
)
def test_wrong_ranks(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="low_rank"):
        low_rank(nn.Linear(3, 3), **options)


def test_shared_layers_and_masks() -> None:
    layer = nn.Linear(20, 20)
    prune.l1_unstructured(layer, "weight", 0.5)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    small = low_rank(net, rank=2)
    assert small[0] is small[2] and isinstance(small[0], nn.Sequential)


# ---- on digits --------------------------------------------------------------------------------------------------


class Batches:
    """Shuffled batches, the same for a seed."""

    def __init__(self, x: Any, y: Any, size: int, seed: int) -> None:
        self.x, self.y, self.size, self.rng = x, y, size, np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        order = self.rng.permutation(len(self.x))
        for i in range(0, len(order), self.size):
            rows = pydl.tensor(order[i : i + self.size])
            yield self.x[rows], self.y[rows]


def accuracy(model: Any, x: Any, y: Any) -> float:
    with pydl.no_grad():
        return float((model.eval()(x).argmax(1) == y).float().mean().item())


def fit(model: Any, batches: Any, epochs: int, lr: float) -> Any:
    optimizer = pydl.optim.Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return model


def digits(seed: int) -> Any:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = pydl.tensor((x[order] / 16).astype(np.float32)), pydl.tensor(y[order])
    return x[:1000], y[:1000], x[1000:], y[1000:]


def teacher_of(x: Any, y: Any, seed: int) -> Any:
    pydl.manual_seed(seed)
    net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10))
    return fit(net, Batches(x, y, 64, seed), 20, 3e-3)


def test_distillation_beats_the_student_alone(full: bool) -> None:
    """A small student on 150 digits, with and without what a teacher says of them; the mean over seeds."""
    gains, alone_all, taught_all = [], [], []
    for seed in range(5 if full else 2):
        x, y, test_x, test_y = digits(seed)
        teacher = teacher_of(x, y, seed).train()
        few = x[:150], y[:150]
        students = []
        for _ in range(2):
            pydl.manual_seed(seed + 10)
            students.append(nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)))
        alone, taught = students
        fit(alone, Batches(*few, 50, 1), 60, 1e-2)
        seen: list[tuple[int, float]] = []
        optimizer = pydl.optim.Adam(taught.parameters(), lr=1e-2)
        history = distill(
            taught, teacher, Batches(*few, 50, 1), optimizer, 60, callback=lambda e, v, s=seen: s.append((e, v))
        )
        assert seen == list(enumerate(history["loss"])) and history["loss"][-1] < history["loss"][0] / 5
        assert teacher.training and all(p.requires_grad for p in teacher.parameters())
        alone_all.append(accuracy(alone, test_x, test_y))
        taught_all.append(accuracy(taught, test_x, test_y))
        gains.append(taught_all[-1] - alone_all[-1])
    print(f"alone {np.mean(alone_all):.3f}, distilled {np.mean(taught_all):.3f}")
    assert min(gains) > 0 and np.mean(gains) > 0.015


def test_the_teacher_is_put_back_after_an_exception() -> None:
    teacher = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    teacher[0].bias.requires_grad_(False)
    student = nn.Linear(2, 2)
    optimizer = pydl.optim.SGD(student.parameters(), lr=0.1)

    def broken(epoch: int, value: float) -> None:
        assert not teacher.training and not teacher[0].weight.requires_grad
        raise KeyError("stop")

    batch = [(pydl.rand(3, 2), pydl.tensor([0, 1, 1]))]
    with pytest.raises(KeyError):
        distill(student, teacher, batch, optimizer, callback=broken)
    assert (
        teacher.training
        and teacher[1].training
        and teacher[0].weight.requires_grad
        and not teacher[0].bias.requires_grad
    )
    with pytest.raises(ValueError, match="batches"):
        distill(student, teacher, [], optimizer)
    with pytest.raises(ValueError, match="epochs"):
        distill(student, teacher, batch, optimizer, epochs=-1)


def test_pruning_loses_less_than_a_point(full: bool) -> None:
    """80 % of all weights, and 80 % of the hidden units taken out for good, each with some more epochs."""
    losses = []
    for seed in range(5 if full else 2):
        x, y, test_x, test_y = digits(seed)
        batches = Batches(x, y, 64, seed)
        net = teacher_of(x, y, seed)
        before = accuracy(net, test_x, test_y)
        prune.global_unstructured([(net[0], "weight"), (net[3], "weight")], prune.L1Unstructured, amount=0.8)
        sparse = accuracy(fit(net, batches, 15, 2e-3), test_x, test_y)
        zeros = sum((m.weight == 0).sum().item() for m in (net[0], net[3]))
        assert zeros == round(0.8 * (64 * 256 + 2560))

        net = teacher_of(x, y, seed)
        prune.ln_structured(net[0], "weight", 0.8, 2, 0)
        net = shrink(fit(net, batches, 15, 2e-3), x[:1])
        assert net[0].out_features == 51
        losses.append((before - sparse, before - accuracy(net, test_x, test_y)))
    print("lost", losses)
    assert max(np.mean(losses, 0)) < 0.01


def test_the_history_of_a_distillation_is_the_mean_over_samples() -> None:
    pydl.manual_seed(0)
    student, teacher = nn.Linear(3, 2), nn.Linear(3, 2)
    x, y = pydl.rand(7, 3), pydl.zeros(7, dtype=pydl.int64)
    batches = [(x[:5], y[:5]), (x[5:], y[5:])]
    still = pydl.optim.SGD(student.parameters(), lr=0.0)
    history = pydl.compress.distill(student, teacher, batches, still, epochs=2)["loss"]
    want = pydl.losses.distillation_loss(student(x), teacher(x), y).item()
    assert history == pytest.approx([want, want], rel=1e-5)
