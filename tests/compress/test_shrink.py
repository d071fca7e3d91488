"""Removing channels: the outputs stay, for every input; what cannot go stays."""

from __future__ import annotations

from typing import Any

import pytest

import pydl
from pydl import nn
from pydl.compress import shrink
from pydl.nn.utils import prune


@pytest.fixture(autouse=True)
def _seed() -> None:
    pydl.manual_seed(0)


def lived(model: Any) -> Any:
    """Norms as after training."""
    for m in model.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for t, low, high in (
                (m.running_mean, -0.1, 0.1),
                (m.running_var, 0.5, 1.5),
                (m.weight.data, 0.5, 1.5),
                (m.bias.data, -0.5, 0.5),
            ):
                t.uniform_(low, high)
    return model


def kill(layer: Any, *channels: int) -> None:
    layer.weight.data[list(channels)] = 0


def agree(model: Any, small: Any, *shape: int) -> None:
    for _ in range(3):
        x = pydl.randn(*shape)
        assert (model.eval()(x) - small.eval()(x)).abs().max() < 1e-5


def widths(model: Any) -> list[tuple[int, int]]:
    return [tuple(m.weight.shape[:2]) for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.Conv1d))]


def test_linear_layers_with_masks() -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 10), nn.Tanh(), nn.Linear(10, 3))
    prune.ln_structured(net[0], "weight", 0.5, 2, 0)
    prune.ln_structured(net[2], "weight", 3, 1, 0)
    prune.l1_unstructured(net[4], "weight", 0.5)
    net.train()
    small, report = shrink(net, pydl.randn(2, 6), return_report=True)
    assert widths(small) == [(4, 6), (7, 4), (3, 7)]
    assert report.channels == {"0": (8, 4), "2": (10, 7)}
    assert report.parameters == (6 * 8 + 8 + 80 + 10 + 33, 24 + 4 + 28 + 7 + 24)
    assert report.flops == (2 * 2 * (48 + 80 + 30), 2 * 2 * (24 + 28 + 21))
    assert report.bytes[1] == 4 * report.parameters[1] < report.bytes[0]
    assert small.training and net.training and all(m.training for m in small.modules())
    assert "weight" in dict(small[4].named_parameters()) and not list(small.named_buffers())
    assert prune.is_pruned(net) and widths(net) == [(8, 6), (10, 8), (3, 10)]
    agree(net, small, 5, 6)
    small(pydl.randn(2, 6)).sum().backward()
    assert small[0].weight.grad.shape == (4, 6)
    same = shrink(net, pydl.randn(2, 6), inplace=True)
    assert same is net and widths(net) == widths(small)


def test_convolutions_norms_and_flatten() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3, bias=False), nn.BatchNorm2d(6), nn.PReLU(6),
        nn.Flatten(), nn.Linear(6 * 4, 5),
    )  # fmt: skip
    lived(net)
    kill(net[0], 0, 3, 7)
    kill(net[4], 2)
    small = shrink(net, pydl.randn(1, 3, 10, 10))
    assert widths(small) == [(5, 3), (5, 5), (5, 20)]
    assert small[1].num_features == 5 and small[6].num_parameters == 5
    agree(net, small, 4, 3, 10, 10)


def test_a_constant_in_front_of_zero_padding_stays() -> None:
    """Its share would be smaller at the border. A constant that relu makes 0 goes."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    kill(net[0], 0, 1)
    net[0].bias.data[:2] = pydl.tensor([0.7, -0.7])
    small = shrink(net, pydl.randn(1, 1, 8, 8))
    assert widths(small) == [(3, 1), (2, 3)]
    agree(net, small, 2, 1, 8, 8)
    net[2].padding_mode = "replicate"
    net[2]._reversed_padding_repeated_twice = (1, 1, 1, 1)
    assert widths(shrink(net, pydl.randn(1, 1, 8, 8))) == [(2, 1), (2, 2)]


def test_a_bias_is_made_where_there_is_none() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2, bias=False))
    kill(net[0], 1)
    small = shrink(net, pydl.randn(1, 3))
    assert small[2].bias is not None and widths(small) == [(3, 3), (2, 3)]
    agree(net, small, 4, 3)


class Residual(nn.Module):
    def __init__(self, join: str = "add") -> None:
        super().__init__()
        self.join = join
        self.stem = nn.Conv2d(2, 6, 1)
        self.branch = nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(), nn.Conv2d(6, 6, 1, bias=False))
        self.norm = nn.BatchNorm2d(6 if join == "add" else 12)
        self.head = nn.Linear(6 if join == "add" else 12, 3)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = self.branch(x)
        z = x + y if self.join == "add" else pydl.cat([x, y], 1)
        return self.head(pydl.relu(self.norm(z)).mean((2, 3)))


def test_sums_and_concatenations() -> None:
    for join, stem, last in (("add", 5, 5), ("cat", 4, 3)):
        net = lived(Residual(join))
        kill(net.stem, 1, 2)  # in the sum 1 goes with its partner, 2 has to stay
        kill(net.branch[0], 0)
        kill(net.branch[2], 1, 4, 5)
        small = shrink(net, pydl.randn(1, 2, 4, 4))
        assert [w[0] for w in widths(small)] == [stem, 5, last, 3]
        agree(net, small, 3, 2, 4, 4)


def test_outputs_inputs_and_one_channel_stay() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    kill(net[0], 0, 1, 2, 3)
    kill(net[2], 1)
    small = shrink(net, pydl.randn(1, 3))
    assert widths(small) == [(1, 3), (2, 1)]
    agree(net, small, 4, 3)


class Fixed(nn.Module):
    """Counts on the size of one layer, not of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        x = pydl.relu(self.a(x)).reshape(-1, 2, 3).flatten(1)
        return self.c(pydl.relu(self.b(x)))


def test_code_that_counts_on_a_size() -> None:
    net = Fixed()
    kill(net.a, 0, 1)
    kill(net.b, 0, 1)
    small, report = shrink(net, pydl.randn(2, 3), return_report=True)
    assert report.channels == {"b": (6, 4)}
    agree(net, small, 4, 3)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.b(pydl.relu(self.a(pydl.relu(self.a(x)))))


def test_layers_that_stay() -> None:
    twice = Twice()
    kill(twice.a, 1)
    assert widths(shrink(twice, pydl.randn(1, 4))) == [(4, 4), (4, 4)]
    grouped = nn.Sequential(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 2, 1))
    kill(grouped[0], 1)
    small = shrink(grouped, pydl.randn(1, 2, 5, 5))
    agree(grouped, small, 2, 2, 5, 5)
    mixed = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    kill(mixed[0], 1)
    assert widths(shrink(mixed, pydl.randn(1, 4))) == [(4, 4), (2, 4)]


def separable(bias: bool = False) -> Any:
    """Expansion, depthwise convolution, projection, as in MobileNet v2."""
    return lived(
        nn.Sequential(
            nn.Conv2d(3, 6, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU6(),
            nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=bias), nn.BatchNorm2d(6), nn.ReLU6(),
            nn.Conv2d(6, 4, 1),
        )
    ).eval()  # fmt: skip


@pytest.mark.parametrize("bias", [False, True])
def test_dead_filters_of_a_depthwise_convolution(bias: bool) -> None:
    """What is read by them alone goes too, though it is alive."""
    net = separable(bias)
    kill(net[3], 1, 4)
    small, report = shrink(net, pydl.randn(1, 3, 5, 5), return_report=True)
    assert widths(small) == [(4, 3), (4, 1), (4, 4)] and small[3].groups == 4 == small[4].num_features
    assert report.channels == {"0": (6, 4), "3": (6, 4)}
    agree(net, small, 2, 3, 6, 7)
    kill(net[3], 0, 2, 3)
    small = shrink(net, pydl.randn(1, 3, 5, 5))
    assert widths(small) == [(1, 3), (1, 1), (4, 1)]
    agree(net, small, 2, 3, 6, 7)


def test_dead_channels_go_through_a_depthwise_convolution() -> None:
    net = separable(True)
    kill(net[0], 2, 5)
    net[1].bias.data[2] = -9.0  # nothing passes the relu, so that the zeros beside do not show
    net[1].bias.data[5] = 1.0  # this channel has a border that differs from its middle
    small = shrink(net, pydl.randn(1, 3, 5, 5))
    assert widths(small) == [(5, 3), (5, 1), (4, 5)]
    agree(net, small, 2, 3, 6, 7)
    net[3].padding = (0, 0)
    net[3]._reversed_padding_repeated_twice = [0] * 4
    small = shrink(net, pydl.randn(1, 3, 5, 5))
    assert widths(small) == [(4, 3), (4, 1), (4, 4)]
    agree(net, small, 2, 3, 6, 7)


def test_a_channel_that_others_read_stays_in_front_of_a_dead_filter() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.deep = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.last = nn.Conv2d(4, 2, 1)

        def forward(self, x: Any) -> Any:
            y = self.first(x)
            return self.last(y + self.deep(y))

    net = Net().eval()
    kill(net.deep, 0, 1, 2, 3)
    small = shrink(net, pydl.randn(1, 3, 5, 5))
    assert widths(small) == widths(net)
    # A depthwise convolution of the input, whose channels are given
    net = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 2, 1)).eval()
    kill(net[0], 1)
    small = shrink(net, pydl.randn(1, 3, 5, 5))
    assert widths(small) == widths(net)
    agree(net, small, 1, 3, 5, 5)


def test_other_ways_to_call() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(2, 4), nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x: Any, y: Any) -> Any:
            return {"out": self.c(pydl.relu(self.a(x) + self.b(y)))}

    net = Two()
    kill(net.a, 1)
    kill(net.b, 1)
    x, y = pydl.randn(5, 2), pydl.randn(5, 3)
    for example in ((x, y), {"x": x, "y": y}):
        small = shrink(net, example)
        assert widths(small) == [(3, 2), (3, 3), (2, 3)]
        assert (small(x, y)["out"] - net(x, y)["out"]).abs().max() < 1e-5


def test_float64_and_frozen_parameters() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    net[0].requires_grad_(False)
    kill(net[0], 2)
    small = shrink(net, pydl.randn(1, 3, dtype=pydl.float64))
    assert not small[0].weight.requires_grad and small[2].weight.requires_grad and small[0].bias.dtype == pydl.float64
    x = pydl.randn(4, 3, dtype=pydl.float64)
    assert (net(x) - small(x)).abs().max() < 1e-14


def in_groups() -> Any:
    """As in ResNeXt: three groups of two channels in, four out."""
    return lived(
        nn.Sequential(
            nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 12, 3, padding=1, groups=3), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 5, 1),
        )
    )  # fmt: skip


def test_a_group_without_weights_goes_with_its_inputs() -> None:
    net = in_groups()
    kill(net[3], 4, 5, 6, 7, 8)  # the second group, and one filter of the third
    small, report = shrink(net, pydl.randn(1, 3, 6, 6), return_report=True)
    assert widths(small) == [(4, 3), (8, 2), (5, 8)]
    assert (small[3].groups, small[3].in_channels, small[3].out_channels) == (2, 4, 8)
    assert small[1].num_features == 4 and small[4].num_features == 8
    assert report.channels == {"0": (6, 4), "3": (12, 8)}
    agree(net, small, 2, 3, 6, 6)


def test_a_group_goes_with_inputs_that_are_all_gone() -> None:
    net = in_groups()
    kill(net[0], 2, 3, 4)  # all inputs of the second group, one of the third
    for layer in (net[0], net[1]):
        layer.bias.data[2:5] = 0  # nothing reaches the border of the padded zeros
    net[1].running_mean.zero_()
    small = shrink(net, pydl.randn(1, 3, 6, 6))
    assert widths(small) == [(4, 3), (8, 2), (5, 8)] and small[3].groups == 2
    agree(net, small, 2, 3, 6, 6)


def test_groups_stay_whose_inputs_are_read_elsewhere() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.front, self.groups = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1, groups=2)
            self.beside, self.last = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 3, 1)

        def forward(self, x: Any) -> Any:
            x = self.front(x)
            return self.last(self.groups(x)) + self.beside(x)

    net = Twice()
    kill(net.groups, 0, 1)
    small = shrink(net, pydl.randn(1, 2, 4, 4))
    assert small.groups.groups == 2 and widths(small) == widths(net)
    agree(net, small, 2, 2, 4, 4)
