"""What the comparison of modules does not see: in-place forms, ends of ranges, errors, initialisation, gradient helpers."""

import math

import numpy as np
import pytest

import pydl
from pydl import nn


def values(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 3


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "ELU", "SiLU", "Hardtanh", "Hardswish", "SELU", "CELU", "Mish"])
def test_inplace_activation(name):
    x = pydl.tensor(values((3, 4)).tolist(), requires_grad=True)
    plain = getattr(nn, name)()(x * 1)
    (expected,) = pydl.autograd.grad(plain.sum(), x)
    y = x * 1
    assert getattr(nn, name)(inplace=True)(y) is y
    np.testing.assert_array_equal(y.tolist(), plain.tolist())
    (got,) = pydl.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(got.tolist(), expected.tolist(), rtol=1e-6)


def test_binary_cross_entropy_at_the_ends():
    p = pydl.tensor([0.0, 1.0, 1.0], requires_grad=True)
    loss = nn.BCELoss(reduction="none")(p, pydl.tensor([0.0, 1.0, 0.0]))
    assert loss.tolist() == [0.0, 0.0, 100.0]
    loss.sum().backward()
    assert all(math.isfinite(g) for g in p.grad.tolist())


def test_loss_errors():
    with pytest.raises(ValueError):
        nn.BCELoss()(pydl.zeros(2), pydl.zeros(3))
    with pytest.raises(RuntimeError):
        nn.BCELoss()(pydl.tensor([2.0]), pydl.zeros(1))
    with pytest.warns(UserWarning, match="same shape"):
        nn.MSELoss()(pydl.zeros(2, 1), pydl.zeros(2))


def test_bilinear_by_hand():
    layer = nn.Bilinear(2, 3, 4)
    a, b = values((5, 2)), values((5, 3))
    got = layer(pydl.tensor(a.tolist()), pydl.tensor(b.tolist())).tolist()
    wanted = np.einsum("bi,oij,bj->bo", a, np.array(layer.weight.tolist()), b) + np.array(layer.bias.tolist())
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_dropout():
    layer = nn.Dropout(0.25)
    y = layer(pydl.ones(10000))
    assert set(np.unique(y.tolist()).round(4)) == {0.0, 1.3333}
    assert abs(y.mean().item() - 1) < 0.05
    assert layer.eval()(y) is y
    with pytest.raises(ValueError):
        nn.Dropout(1.5)


@pytest.mark.parametrize("dtype", [pydl.float32, pydl.float64, pydl.bfloat16])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000, 40001])
@pytest.mark.parametrize("p", [0.25, 1.0])
def test_dropout_passes_the_gradient_where_it_let_the_value_pass(dtype, size, p):
    x = pydl.ones(size, dtype=dtype, requires_grad=True)
    g = pydl.ones(size, dtype=dtype, requires_grad=True)
    y = nn.Dropout(p)(x)
    (fused,) = pydl.autograd.grad(y, x, g, retain_graph=True)
    (again,) = pydl.autograd.grad(y, x, g, create_graph=True)
    (twice,) = pydl.autograd.grad(again, g, pydl.ones(size, dtype=dtype))
    for t in (fused, again, twice):
        assert t.tolist() == y.tolist()


def test_init_moments():
    w = pydl.empty(400, 300)
    assert abs(nn.init.xavier_normal_(w).std().item() - math.sqrt(2 / 700)) < 1e-3
    assert nn.init.kaiming_uniform_(w, nonlinearity="relu").abs().max().item() <= math.sqrt(6 / 300)
    assert abs(nn.init.kaiming_normal_(w, mode="fan_out").std().item() - math.sqrt(2 / 400)) < 1e-3
    assert nn.init.trunc_normal_(w, std=2.0, a=-1.0, b=1.5).max().item() <= 1.5
    q = np.array(nn.init.orthogonal_(pydl.empty(6, 4), gain=2.0).tolist())
    np.testing.assert_allclose(q.T @ q, 4 * np.eye(4), atol=1e-5)
    assert (np.array(nn.init.sparse_(pydl.empty(10, 3), 0.3).tolist()) == 0).sum(0).tolist() == [3, 3, 3]
    kernel = nn.init.dirac_(pydl.empty(4, 2, 3), groups=2)
    assert kernel.sum().item() == 4.0
    assert kernel[2, 0, 1].item() == 1.0
    assert nn.init.eye_(pydl.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError):
        nn.init.xavier_uniform_(pydl.empty(3))


def test_old_names_of_init_warn():
    w = pydl.empty(2, 3)
    with pytest.warns(FutureWarning, match="nn.init.constant_"):
        assert nn.init.constant(w, 2.0) is w
    assert w.tolist() == [[2.0] * 3] * 2
    for name in nn.init.__all__:
        if not name.endswith("_") and name != "calculate_gain":
            assert getattr(nn.init, name).__wrapped__ is getattr(nn.init, name + "_")


def test_clipping_and_vectors():
    layer = nn.Linear(2, 2)
    for param in layer.parameters():
        param.grad = pydl.full_like(param.detach(), 3.0)
    norm = nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    assert norm.item() == pytest.approx(math.sqrt(6 * 9))
    assert nn.utils.get_total_norm([p.grad for p in layer.parameters()]).item() == pytest.approx(1.0, rel=1e-5)
    nn.utils.clip_grad_value_(layer.parameters(), 0.1)
    assert layer.bias.grad.max().item() == pytest.approx(0.1)
    nn.utils.vector_to_parameters(pydl.arange(6.0), layer.parameters())
    assert layer.bias.tolist() == [4.0, 5.0]
    assert nn.utils.parameters_to_vector(layer.parameters()).tolist() == [0, 1, 2, 3, 4, 5]
    assert nn.utils.grad_stats(layer)["bias"]["max_abs"] == pytest.approx(0.1)


def test_embedding_from_pretrained() -> None:
    table = pydl.rand(5, 3)
    frozen = nn.Embedding.from_pretrained(table, padding_idx=0)
    assert not frozen.weight.requires_grad and pydl.equal(frozen(pydl.tensor([[1, 4]])), table[[1, 4]].unsqueeze(0))
    tuned = nn.Embedding.from_pretrained(table, freeze=False, max_norm=None)
    assert tuned.weight.requires_grad and tuned.num_embeddings == 5 and tuned.embedding_dim == 3
    with pytest.raises((AssertionError, ValueError)):
        nn.Embedding.from_pretrained(table[0])
