"""pydl.nn.utils against PyTorch: parametrizations, pruning, norms of weights, fusion, functional calls."""

import copy
import pickle

import numpy as np
import pytest

import pydl
from pydl.nn.utils import parametrizations, parametrize, prune, stateless

pytestmark = pytest.mark.filterwarnings("ignore:.*functional_call. is deprecated:FutureWarning")


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    for name in ("parametrize", "prune", "stateless"):
        pytest.importorskip(f"torch.nn.utils.{name}")
    return torch


def fill(lib, module, seed=0):
    """The same state in both libraries; returns the names and shapes."""
    rng = np.random.default_rng(seed)
    state = module.state_dict()
    for value in state.values():
        value.copy_(lib.from_numpy(rng.uniform(0.1, 0.9, size=tuple(value.shape))))
    module.load_state_dict(state)
    return [(name, tuple(value.shape)) for name, value in state.items()]


def numbers(tensors):
    return [None if t is None else np.array(t.tolist()) for t in tensors]


def close(a, b, rtol=1e-9):
    assert len(a) == len(b)
    for x, y in zip(a, b):
        assert (x is None) == (y is None)
        if x is not None:
            np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-10)


PARAMETRIZED = {
    "weight_norm": lambda u, layer: u.parametrizations.weight_norm(layer),
    "weight_norm of all": lambda u, layer: u.parametrizations.weight_norm(layer, dim=None),
    "weight_norm of columns": lambda u, layer: u.parametrizations.weight_norm(layer, dim=1),
    "spectral_norm": lambda u, layer: u.parametrizations.spectral_norm(layer, n_power_iterations=2),
    "spectral_norm of bias": lambda u, layer: u.parametrizations.spectral_norm(layer, "bias"),
    "exponential": lambda u, layer: u.parametrizations.orthogonal(layer, orthogonal_map="matrix_exp"),
    "cayley": lambda u, layer: u.parametrizations.orthogonal(layer, orthogonal_map="cayley"),
    "householder": lambda u, layer: u.parametrizations.orthogonal(layer),
    "plain householder": lambda u, layer: u.parametrizations.orthogonal(layer, use_trivialization=False),
    "both norms": lambda u, layer: u.parametrizations.spectral_norm(u.parametrizations.weight_norm(layer)),
}


@pytest.mark.parametrize("sizes", [(3, 5), (5, 3), (4, 4)], ids=str)
@pytest.mark.parametrize("kind", PARAMETRIZED)
def test_parametrizations_are_torchs(kind, sizes, torch):
    seen = []
    for lib in (pydl, torch):
        layer = PARAMETRIZED[kind](lib.nn.utils, lib.nn.Linear(*sizes).double())
        layout = fill(lib, layer)
        if "householder" in kind:
            layer.parametrizations.weight.original.data.fill_diagonal_(-1.0)  # signs
        x = lib.from_numpy(np.random.default_rng(1).normal(size=(2, sizes[0]))).requires_grad_()
        outputs = [layer(x), layer(x), layer.eval()(x)]
        sum((o * o).sum() for o in outputs).backward()
        assert type(layer).__name__ == "ParametrizedLinear"
        grads = [x.grad, *(p.grad for p in layer.parameters())]
        seen.append((layout, numbers(outputs), numbers(grads), numbers(layer.buffers())))
    assert seen[0][0] == seen[1][0]
    for mine, wanted in zip(seen[0][1:], seen[1][1:]):
        close(mine, wanted)


@pytest.mark.parametrize("kind", ["exponential", "cayley", "householder"])
@pytest.mark.parametrize("sizes", [(3, 5), (5, 3), (4, 4)], ids=str)
def test_orthogonal_weights_stay_orthogonal_and_can_be_assigned(kind, sizes):
    layer = PARAMETRIZED[kind](pydl.nn.utils, pydl.nn.Linear(*sizes).double())
    optimizer = pydl.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(pydl.ones(2, sizes[0], dtype=pydl.float64)) ** 2).sum().backward()
        optimizer.step()
    small = min(sizes)
    weight = layer.weight.detach()
    product = weight @ weight.T if sizes[1] <= sizes[0] else weight.T @ weight
    np.testing.assert_allclose(product.numpy(), np.eye(small), atol=1e-12)
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(max(sizes), small)))
    wanted = q if sizes[1] >= sizes[0] else q.T
    layer.weight = pydl.from_numpy(np.ascontiguousarray(wanted))
    np.testing.assert_allclose(layer.weight.detach().numpy(), wanted, atol=1e-12)


def test_plain_householder_takes_what_it_gave():
    layer = parametrizations.orthogonal(pydl.nn.Linear(3, 5).double(), use_trivialization=False)
    wanted = layer.weight.detach().clone()
    layer.weight = wanted
    np.testing.assert_allclose(layer.weight.detach().numpy(), wanted.numpy(), atol=1e-12)
    with pytest.raises(NotImplementedError):
        other = parametrizations.orthogonal(pydl.nn.Linear(3, 5), orthogonal_map="cayley", use_trivialization=False)
        other.parametrizations.weight.right_inverse(other.weight)


@pytest.mark.parametrize("kind", PARAMETRIZED)
def test_parametrized_gradients(kind):
    layer = PARAMETRIZED[kind](pydl.nn.utils, pydl.nn.Linear(3, 4).double()).eval()
    x = pydl.randn(2, 3, dtype=pydl.float64)
    assert pydl.autograd.gradcheck(lambda *_: layer(x), tuple(layer.parameters()))


def test_spectral_norm_is_the_largest_singular_value():
    layer = parametrizations.spectral_norm(pydl.nn.Linear(20, 30), n_power_iterations=5)
    for _ in range(20):
        layer(pydl.ones(1, 20))
    assert abs(np.linalg.norm(layer.weight.detach().numpy(), 2) - 1) < 1e-3


class Doubled(pydl.nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


def test_parametrizations_in_a_row():
    layer = pydl.nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert pydl.equal(layer.weight, 2 * before)
    layer.weight = pydl.full((2, 2), 8.0)
    assert layer.parametrizations.weight.original.tolist() == [[2.0, 2.0]] * 2
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert parametrize.type_before_parametrizations(layer) is pydl.nn.Linear
    twin = copy.deepcopy(layer)
    assert twin.weight.tolist() == layer.weight.tolist()
    with pytest.raises(RuntimeError, match="state_dict"):
        pickle.dumps(layer)
    other = parametrize.transfer_parametrizations_and_params(layer, pydl.nn.Linear(2, 2))
    assert other.weight.tolist() == layer.weight.tolist()
    original = layer.parametrizations.weight.original
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is pydl.nn.Linear
    assert layer.weight is original
    assert layer.weight.tolist() == [[8.0, 8.0]] * 2
    parametrize.remove_parametrizations(twin, "weight", leave_parametrized=False)
    assert twin.weight.tolist() == [[2.0, 2.0]] * 2


def test_cached_values():
    layer = parametrizations.weight_norm(pydl.nn.Linear(2, 2))
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
    assert layer.weight is not first


def test_parametrize_errors():
    layer = pydl.nn.Linear(2, 3)

    class Flat(pydl.nn.Module):
        def forward(self, x):
            return x.reshape(-1)

    class Number(pydl.nn.Module):
        def forward(self, x):
            return 1.0

    for bad in (Flat(), Number()):
        with pytest.raises(ValueError):
            parametrize.register_parametrization(layer, "weight", bad)
        assert isinstance(layer._parameters["weight"], pydl.nn.Parameter)  # as before
    with pytest.raises(ValueError, match="name 'missing'"):
        parametrize.register_parametrization(layer, "missing", Doubled())
    with pytest.raises(ValueError):
        parametrize.remove_parametrizations(layer, "weight")
    with pytest.raises(ValueError):
        parametrize.ParametrizationList([], layer.weight)
    with pytest.raises(ValueError):
        parametrizations.weight_norm(layer, "missing")
    with pytest.raises(ValueError):
        parametrizations.orthogonal(layer, "bias")
    with pytest.raises(ValueError):
        parametrizations.orthogonal(layer, orthogonal_map="givens")
    with pytest.raises(ValueError):
        parametrizations.spectral_norm(layer, n_power_iterations=0)
    with pytest.raises(IndexError):
        parametrizations.spectral_norm(layer, dim=2)
    weight_norm = parametrizations.weight_norm(layer)
    with pytest.raises(ValueError):
        parametrize.remove_parametrizations(weight_norm, "weight", leave_parametrized=False)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_older_norms_are_torchs(kind, torch):
    seen = []
    for lib in (pydl, torch):
        layer = getattr(lib.nn.utils, kind)(lib.nn.Linear(3, 4).double())
        layout = fill(lib, layer)
        x = lib.from_numpy(np.random.default_rng(1).normal(size=(2, 3)))
        out = layer(x)
        (out * out).sum().backward()
        grads = numbers(p.grad for p in layer.parameters())
        out = numbers([out, layer(x), layer.eval()(x)])
        getattr(lib.nn.utils, "remove_" + kind)(layer)
        seen.append((layout, sorted(layer.state_dict()), out, grads, numbers([layer(x), layer.weight])))
        with pytest.raises(ValueError):
            getattr(lib.nn.utils, "remove_" + kind)(layer)
    assert seen[0][:2] == seen[1][:2]
    for mine, wanted in zip(seen[0][2:], seen[1][2:]):
        close(mine, wanted)


PRUNED = {
    "l1": lambda p, layer: p.l1_unstructured(layer, "weight", 0.3),
    "l1 count": lambda p, layer: p.l1_unstructured(layer, "weight", 7),
    "scores": lambda p, layer: p.l1_unstructured(layer, "weight", 4, importance_scores=layer.weight.detach() ** -1),
    "structured": lambda p, layer: p.ln_structured(layer, "weight", 2, n=2, dim=0),
    "structured columns": lambda p, layer: p.ln_structured(layer, "weight", 0.5, n=float("inf"), dim=-1),
    "none": lambda p, layer: p.identity(layer, "weight"),
    "twice": lambda p, layer: p.l1_unstructured(p.ln_structured(layer, "weight", 1, n=1, dim=1), "weight", 0.25),
    "other order": lambda p, layer: p.ln_structured(p.l1_unstructured(layer, "weight", 5), "weight", 0.3, n=2, dim=0),
    "thrice": lambda p, layer: p.l1_unstructured(
        p.l1_unstructured(p.ln_structured(layer, "weight", 1, n=1, dim=1), "weight", 2), "weight", 3
    ),
    "together": lambda p, layer: p.global_unstructured(
        [(layer, "weight"), (layer, "bias")], pruning_method=p.L1Unstructured, amount=0.4
    ),
}


@pytest.mark.parametrize("kind", PRUNED)
def test_pruning_is_torchs(kind, torch):
    seen = []
    for lib in (pydl, torch):
        layer = lib.nn.Linear(6, 4).double()
        rng = np.random.default_rng(4)
        with lib.no_grad():
            for param in layer.parameters():
                param.copy_(lib.from_numpy(rng.normal(size=tuple(param.shape))))
        PRUNED[kind](lib.nn.utils.prune, layer)
        x = lib.from_numpy(rng.normal(size=(2, 6)))
        (layer(x) ** 2).sum().backward()
        state = {k: v.tolist() for k, v in layer.state_dict().items()}
        grads = [(name, p.grad.tolist()) for name, p in layer.named_parameters()]
        assert lib.nn.utils.prune.is_pruned(layer)
        lib.nn.utils.prune.remove(layer, "weight")
        seen.append((state, grads, layer.weight.tolist(), isinstance(layer.weight, lib.nn.Parameter)))
    assert list(seen[0][0]) == list(seen[1][0])
    for key, value in seen[1][0].items():
        np.testing.assert_allclose(seen[0][0][key], value)
    assert [g[0] for g in seen[0][1]] == [g[0] for g in seen[1][1]]
    for mine, wanted in zip(seen[0][1], seen[1][1]):
        np.testing.assert_allclose(mine[1], wanted[1], rtol=1e-12)
    assert seen[0][2:] == seen[1][2:]


def test_random_pruning_and_masks():
    layer = prune.random_structured(pydl.nn.Linear(6, 4), "weight", 2, dim=1)
    assert (layer.weight == 0).all(dim=0).sum().item() == 2
    layer = prune.random_unstructured(pydl.nn.Linear(6, 4), "weight", 0.5)
    assert (layer.weight == 0).sum().item() == 12
    layer = prune.custom_from_mask(pydl.nn.Linear(2, 1), "weight", pydl.tensor([[0, 1]]))
    assert layer.weight[0, 0].item() == 0.0
    assert layer.weight[0, 1].item() != 0.0
    pruned = prune.L1Unstructured(amount=1).prune(pydl.tensor([3.0, -1.0, 2.0]))
    assert pruned.tolist() == [3.0, 0.0, 2.0]


def test_pruning_errors():
    layer = pydl.nn.Linear(3, 2)
    for amount, error in ((-1, ValueError), (1.5, ValueError), ("all", TypeError), (7, ValueError)):
        with pytest.raises(error):
            prune.l1_unstructured(layer, "weight", amount)
    assert list(layer.state_dict()) == ["weight", "bias"]  # a failed call changes nothing
    with pytest.raises(ValueError):
        prune.ln_structured(layer, "bias", 1, n=2, dim=0)
    with pytest.raises(IndexError):
        prune.ln_structured(layer, "weight", 1, n=2, dim=2)
    with pytest.raises(ValueError):
        prune.remove(layer, "weight")
    with pytest.raises(TypeError):
        prune.global_unstructured([(layer, "weight")], prune.LnStructured, amount=1, n=2)
    with pytest.raises(AssertionError):
        prune.custom_from_mask(layer, "weight", pydl.ones(3, 3))
    prune.l1_unstructured(layer, "weight", 1)
    with pytest.raises(ValueError):
        prune.l1_unstructured(layer, "weight", 70)
    assert prune.is_pruned(layer)  # the earlier pruning still applies


def test_fused_linear_and_normalisation(torch):
    seen = []
    for lib in (pydl, torch):
        rng = np.random.default_rng(0)
        tensors = [lib.from_numpy(rng.uniform(0.2, 1, size=s)) for s in ((4, 3), (4,), (4,), (4,), (4,), (4,))]
        w, b, mean, var, gain, offset = tensors
        found = [lib.nn.utils.fuse_linear_bn_weights(w, bias, mean, var, 1e-5, gain, offset) for bias in (b, None)]
        kernel = lib.from_numpy(rng.normal(size=(4, 2, 3)))
        found.append(lib.nn.utils.fuse_conv_bn_weights(kernel, b, mean, var, 1e-5, gain, offset))
        turned = kernel.transpose(0, 1)
        found.append(lib.nn.utils.fuse_conv_bn_weights(turned, None, mean, var, 1e-5, gain, offset, True))
        seen.append([x for pair in found for x in numbers(pair)])
    close(*seen)


def test_functional_call_is_torchs(torch):
    seen = []
    for lib in (pydl, torch):
        net = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.Tanh(), lib.nn.Linear(3, 1)).double()
        fill(lib, net)
        weight = lib.from_numpy(np.random.default_rng(5).normal(size=(3, 2))).requires_grad_()
        x = lib.from_numpy(np.ones((4, 2)))
        out = lib.nn.utils.stateless.functional_call(net, {"0.weight": weight}, (x,))
        (grad,) = lib.autograd.grad((out**2).sum(), weight, create_graph=True)
        (second,) = lib.autograd.grad((grad**2).sum(), weight)
        seen.append(numbers([out, grad, second, net(x)]))
    close(*seen)


def test_functional_call_ties_and_errors():
    class Tied(pydl.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = pydl.nn.Parameter(pydl.ones(1))
            self.b = self.a
            self.register_buffer("c", pydl.ones(1))

        def forward(self, x, scale=1):
            if x is None:
                raise KeyError("no input")
            return (x * self.a * self.b + self.c) * scale

    net, one = Tied(), pydl.ones(1)
    call = stateless.functional_call
    assert call(net, {"a": 3 * one}, one).item() == 10.0
    assert call(net, {"a": 3 * one}, (one,), tie_weights=False).item() == 4.0
    assert call(net, ({"a": 3 * one}, {"c": 5 * one}), one, {"scale": 2}).item() == 28.0
    for values, error in (
        ({"z": one}, RuntimeError),
        ({"a": one, "b": 2 * one}, ValueError),
        (({"a": one}, {"a": one}), ValueError),
        ("a", TypeError),
    ):
        with pytest.raises(error):
            call(net, values, one)
    with pytest.raises(RuntimeError, match="Missing"):
        call(net, {"a": one}, one, strict=True)
    with pytest.raises(KeyError):
        call(net, {"a": 3 * one}, (None,))
    assert net.a.item() == 1.0  # the module has its own parameters again
    assert isinstance(net._parameters["a"], pydl.nn.Parameter)
