"""Losses beyond the table of cases: CTC, refusals, extreme values; bags of rows and channel dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pydl

F = pydl.nn.functional


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("concatenated", [False, True])
def test_ctc_against_torch(dtype: str, concatenated: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logits = (rng.standard_normal((30, 5, 7)) * 3).astype(dtype)
    lengths = np.array([8, 0, 3, 12, 5])
    rows = rng.integers(1, 7, (5, 12))
    rows[0, 2] = rows[0, 1]  # repeated labels need a blank between
    targets = np.concatenate([r[:k] for r, k in zip(rows, lengths)]) if concatenated else rows
    steps = np.array([30, 10, 17, 25, 9])
    results = []
    for lib in (pydl, torch):
        x = lib.tensor(logits).requires_grad_()
        log_probs = x.log_softmax(2)
        loss = lib.nn.functional.ctc_loss(log_probs, lib.tensor(targets), lib.tensor(steps), lib.tensor(lengths))
        loss.backward()
        results.append((loss.item(), x.grad.numpy()))
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=tolerance)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=tolerance, atol=tolerance)


def test_ctc_gradient_by_differences() -> None:
    x = pydl.rand(4, 2, 3, dtype=pydl.float64).requires_grad_()
    targets, lengths = pydl.tensor([[1, 2], [2, 2]]), pydl.tensor([2, 1])
    assert pydl.autograd.gradcheck(
        lambda t: F.ctc_loss(t.log_softmax(2), targets, pydl.tensor([4, 3]), lengths, reduction="none"), [x]
    )


def test_ctc_of_the_impossible() -> None:
    """Two equal labels need three steps; very unlikely paths stay finite."""
    x = pydl.zeros(2, 1, 3, requires_grad=True)
    arguments = (pydl.tensor([[1, 1]]), [2], [2])
    assert F.ctc_loss(x, *arguments).item() == float("inf")
    loss = F.ctc_loss(x, *arguments, zero_infinity=True)
    assert loss.item() == 0
    assert pydl.autograd.grad(loss, x)[0].abs().max().item() == 0
    peaked = pydl.full((50, 1, 3), -800.0, dtype=pydl.float64)
    assert abs(F.ctc_loss(peaked, pydl.tensor([[1]]), [50], [1], reduction="sum").item() - 40000) < 10


def test_ctc_has_no_second_derivative() -> None:
    x = pydl.zeros(2, 1, 3, requires_grad=True)
    (g,) = pydl.autograd.grad(F.ctc_loss(x, pydl.tensor([[1]]), [2], [1]), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="ctc_loss_backward"):
        g.sum().backward()


def test_ctc_bits_do_not_depend_on_threads() -> None:
    x = pydl.rand(60, 16, 20).log_softmax(2).detach().requires_grad_()
    targets = pydl.randint(1, 20, (16, 15))
    found, before = set(), pydl.get_num_threads()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        loss = F.ctc_loss(x, targets, [60] * 16, [15] * 16)
        found.add((loss.item(), pydl.autograd.grad(loss, x)[0].numpy().tobytes()))
    pydl.set_num_threads(before)
    assert len(found) == 1


def test_soft_margins_do_not_overflow() -> None:
    x = pydl.tensor([-1e4, 1e4], requires_grad=True)
    loss = F.soft_margin_loss(x, pydl.ones(2), reduction="none")
    assert loss.tolist() == [1e4, 0.0]
    assert pydl.autograd.grad(loss.sum(), x)[0].tolist() == [-1.0, 0.0]
    assert F.multilabel_soft_margin_loss(x.reshape(1, 2), pydl.tensor([[0.0, 1.0]])).item() == 0


def test_gaussian_variances_below_eps_count_as_eps() -> None:
    torch = pytest.importorskip("torch")
    results = []
    for lib in (pydl, torch):
        var = lib.tensor([1e-9, 0.5], requires_grad=True)
        loss = lib.nn.functional.gaussian_nll_loss(lib.zeros(2), lib.ones(2), var, reduction="none", eps=1e-3)
        loss.sum().backward()
        results.append((loss.detach().numpy(), var.grad.numpy()))
    for a, e in zip(*results):
        np.testing.assert_allclose(a, e, rtol=1e-5)


X, Y = (2, 3), (2,)
BAD: list[tuple[Callable[[], Any], type[Exception] | tuple[type[Exception], ...], str]] = [
    (lambda: F.multi_margin_loss(pydl.ones(2, 3), pydl.tensor([0, 3])), RuntimeError, "out of range"),
    (lambda: F.multi_margin_loss(pydl.ones(2, 3), pydl.tensor([0])), RuntimeError, "target size"),
    (lambda: F.multi_margin_loss(pydl.ones(2, 3), pydl.tensor([0, 1]), p=3), ValueError, "p == 1"),
    (lambda: F.multilabel_margin_loss(pydl.ones(2, 3), pydl.tensor([[0, 5, 1]] * 2)), RuntimeError, "target"),
    (lambda: F.multilabel_margin_loss(pydl.ones(2, 3), pydl.tensor([0, 1])), RuntimeError, "target size"),
    (lambda: F.margin_ranking_loss(pydl.ones(2), pydl.ones(2), pydl.ones(1, 2)), RuntimeError, "same dimension"),
    (lambda: F.cosine_embedding_loss(pydl.ones(2, 3), pydl.ones(2, 3), pydl.ones(2, 3)), RuntimeError, "multi-target"),
    (lambda: F.triplet_margin_loss(pydl.ones(2), pydl.ones(2), pydl.ones(2, 1)), RuntimeError, "dimensions"),
    (lambda: F.triplet_margin_loss(pydl.ones(2), pydl.ones(2), pydl.ones(2), margin=0), ValueError, "margin"),
    (lambda: F.gaussian_nll_loss(pydl.ones(2, 3), pydl.ones(2, 3), pydl.ones(3, 2)), ValueError, "incorrect size"),
    (lambda: F.gaussian_nll_loss(pydl.ones(2), pydl.ones(2), -pydl.ones(2)), ValueError, "negative"),
    (lambda: F.gaussian_nll_loss(pydl.ones(2), pydl.ones(2), -1.0), ValueError, "negative"),
    (
        lambda: F.linear_cross_entropy(pydl.ones(2, 3), pydl.ones(4, 2), pydl.tensor([0, 1])),
        RuntimeError,
        "in_features",
    ),
    (lambda: F.linear_cross_entropy(pydl.ones(3), pydl.ones(4, 2, 3), pydl.tensor([0])), RuntimeError, "batched"),
    (lambda: F.soft_margin_loss(pydl.ones(2), pydl.ones(2), reduction="nope"), ValueError, "nope"),
    (lambda: F.embedding_bag(pydl.tensor([0, 9]), pydl.ones(3, 2), pydl.tensor([0])), IndexError, "out of range"),
    (lambda: F.embedding_bag(pydl.tensor([0, 1]), pydl.ones(3, 2)), ValueError, "offsets"),
    (lambda: F.embedding_bag(pydl.tensor([0, 1]), pydl.ones(3, 2), pydl.tensor([1])), RuntimeError, "has to be 0"),
    (lambda: F.embedding_bag(pydl.tensor([0, 1]), pydl.ones(3, 2), pydl.tensor([0, 9])), RuntimeError, "greater"),
    (lambda: F.embedding_bag(pydl.tensor([0, 1]), pydl.ones(3, 2), pydl.tensor([0, 2, 1])), RuntimeError, "rise"),
    (lambda: F.embedding_bag(pydl.tensor([[0]]), pydl.ones(3, 2), mode="nope"), ValueError, "mode"),
    (lambda: F.pixel_shuffle(pydl.ones(3, 3, 3), 2), RuntimeError, "divisible"),
    (lambda: F.pixel_unshuffle(pydl.ones(3, 3, 3), 2), RuntimeError, "divisible"),
    (lambda: F.pixel_shuffle(pydl.ones(4, 3, 3), 2**62), RuntimeError, "factor"),
    (lambda: F.pixel_shuffle(pydl.ones(4, 3, 3), 0), RuntimeError, "factor"),
    (lambda: F.channel_shuffle(pydl.ones(1, 3, 3), 2), RuntimeError, "divisible"),
    (lambda: F.channel_shuffle(pydl.ones(1, 3, 3), 0), RuntimeError, "positive"),
    (lambda: F.local_response_norm(pydl.ones(1, 3), 2), ValueError, "3D"),
    (lambda: F.local_response_norm(pydl.ones(1, 3, 2), 0), RuntimeError, "size"),
    (lambda: F.dropout1d(pydl.ones(2)), RuntimeError, "2D or 3D"),
    (lambda: F.dropout2d(pydl.ones(2, 2, 2, 2), 1.5), ValueError, "between 0 and 1"),
    (lambda: pydl.nn.ZeroPad2d((1, 2)), ValueError, "padding"),
    (lambda: pydl.nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 3]), ValueError, "cutoffs"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_refusals(number: int) -> None:
    call, error, message = BAD[number]
    with pytest.raises(error, match=message):
        call()


def test_local_response_of_a_huge_window() -> None:
    y = F.local_response_norm(pydl.ones(1, 3, 2), 2**62, alpha=1.0)
    assert y.shape == (1, 3, 2)


def test_adaptive_softmax_is_a_distribution() -> None:
    torch = pytest.importorskip("torch")
    nets = [lib.nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], 2.0) for lib in (pydl, torch)]
    state = {k: v.detach().numpy() for k, v in nets[0].state_dict().items()}
    nets[1].load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    x = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32) * 4
    full = [net.log_prob(lib.tensor(x)).detach().numpy() for lib, net in zip((pydl, torch), nets)]
    np.testing.assert_allclose(full[0], full[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(full[0]).sum(1), 1, rtol=1e-5)
    best = [net.predict(lib.tensor(x)).tolist() for lib, net in zip((pydl, torch), nets)]
    assert best[0] == best[1]


def test_bags_scale_gradients_by_frequency() -> None:
    weight = pydl.ones(4, 1, requires_grad=True)
    y = F.embedding_bag(pydl.tensor([2, 1, 2, 3, 3]), weight, pydl.tensor([0, 2]), scale_grad_by_freq=True, mode="sum")
    assert pydl.autograd.grad(y.sum(), weight)[0].flatten().tolist() == [0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "call, shape",
    [
        (F.dropout1d, (50, 20, 4)),
        (F.dropout2d, (50, 20, 2, 2)),
        (F.dropout3d, (50, 20, 2, 1, 2)),
        (F.dropout1d, (1000, 4)),
    ],
)
@pytest.mark.parametrize("inplace", [False, True])
def test_channels_drop_as_a_whole(call: Any, shape: tuple[int, ...], inplace: bool) -> None:
    pydl.manual_seed(0)
    x = pydl.ones(shape)
    y = call(x, 0.25, True, inplace)
    assert (y is x or y.data_ptr() == x.data_ptr()) == inplace
    rows = y.reshape(1000, -1)
    assert set(np.unique(rows.numpy())) == {0.0, np.float32(1 / 0.75)}
    assert (rows == rows[:, :1]).all()
    assert 0.68 < (rows[:, 0] != 0).float().mean().item() < 0.82


@pytest.mark.parametrize("call", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropout_keeps_mean_and_variance(call: Any) -> None:
    pydl.manual_seed(0)
    y = call(pydl.randn(200, 200), 0.3, True)
    assert abs(y.mean().item()) < 0.03
    assert abs(y.var().item() - 1) < 0.05


NUMBERED: dict[str, tuple[Any, ...]] = {
    "binary_cross_entropy_with_logits": ((4,), (4,), None, None),
    "kl_div": ((4,), (4,)),
    "cosine_embedding_loss": ((4, 3), (4, 3), "sign", 0.1),
    "hinge_embedding_loss": ((4,), "sign", 0.7),
    "margin_ranking_loss": ((4,), (4,), "sign", 0.2),
    "poisson_nll_loss": ((4,), (4,), True, True, 1e-8),
    "triplet_margin_loss": ((4, 3), (4, 3), (4, 3), 1.0, 2.0, 1e-6, False),
}


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_numbered_reductions(name: str, reduction: int) -> None:
    torch = pytest.importorskip("torch")
    results = []
    for lib in (pydl, torch):
        rng = np.random.default_rng(0)
        arguments: list[Any] = []
        for a in NUMBERED[name]:
            if a == "sign":
                a = lib.tensor([1.0, -1.0, -1.0, 1.0])
            arguments.append(lib.tensor(rng.standard_normal(a)) if isinstance(a, tuple) else a)
        results.append(getattr(lib, name)(*arguments, reduction).numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match="reduction"):
        getattr(pydl, name)(*[pydl.ones(4, 3) if isinstance(a, (tuple, str)) else a for a in NUMBERED[name]], 3)


def test_names_beside_functional() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in ((4, 3), (4, 2), (5, 3, 2))]
    theta = rng.standard_normal((5, 2, 3))
    calls = [
        lambda lib: lib.bilinear(*map(lib.tensor, arrays)),
        lambda lib: lib.affine_grid_generator(lib.tensor(theta), (5, 1, 2, 3), True),
        lambda lib: lib.embedding_renorm_(lib.tensor(arrays[0]), lib.tensor([1, 3]), 0.5, 2.0),
        lambda lib: lib.ctc_loss(
            lib.tensor(arrays[2]).log_softmax(2),
            lib.tensor([[1], [1], [1]]),
            lib.tensor([5, 5, 4]),
            lib.tensor([1, 1, 1]),
        ),
    ]
    for call in calls:
        np.testing.assert_allclose(call(pydl).numpy(), call(torch).numpy(), rtol=1e-6)
