"""nn.Module: registration, state, hooks, conversion, printing."""

import copy
import pickle

import pytest

import pydl
from pydl import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2)
        self.register_buffer("count", pydl.zeros(1))
        self.register_buffer("scratch", pydl.zeros(1), persistent=False)

    def forward(self, x, scale=1.0):
        return self.second(pydl.relu(self.first(x))) * scale


def test_attributes_are_registered():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["first.weight", "first.bias", "second.weight", "second.bias"]
    assert [n for n, _ in net.named_buffers()] == ["count", "scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "second"]
    net.tied = net.first
    assert len(list(net.parameters())) == 4
    assert len(list(net.named_parameters(remove_duplicate=False))) == 6
    del net.tied, net.second
    assert not hasattr(net, "second")


def test_registration_errors():
    net = Net()
    with pytest.raises(KeyError):
        net.register_parameter("a.b", None)
    with pytest.raises(KeyError):
        net.register_buffer("first", pydl.zeros(1))
    with pytest.raises(KeyError):
        net.add_module("", nn.ReLU())
    with pytest.raises(TypeError):
        net.register_buffer("b", 3)
    with pytest.raises(TypeError):
        net.first = 3
    with pytest.raises(TypeError):
        net.first.weight = pydl.zeros(4, 3)
    with pytest.raises(TypeError):
        net.count = "text"
    with pytest.raises(AttributeError):
        net.nothing  # noqa: B018

    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="before"):
        Early()


def test_state_dict_round_trip_and_errors():
    a, b = Net(), Net()
    assert list(a.state_dict()) == ["count", "first.weight", "first.bias", "second.weight", "second.bias"]
    assert repr(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    assert b.first.weight.tolist() == a.first.weight.tolist()
    state = a.state_dict()
    state["extra"] = state.pop("first.bias")
    with pytest.raises(RuntimeError, match='Missing key.*"first.bias"'):
        b.load_state_dict(state)
    keys = b.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["first.bias"]
    assert keys.unexpected_keys == ["extra"]
    state["second.bias"] = pydl.zeros(5)
    with pytest.raises(RuntimeError, match="size mismatch for second.bias"):
        b.load_state_dict(state, strict=False)


def test_assign_takes_the_tensors_themselves():
    net = Net()
    state = {name: tensor.double() for name, tensor in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net.first.weight.dtype == pydl.float64
    assert net.first.weight.requires_grad


def test_extra_state_and_hooks_of_the_state_dict():
    class Stateful(nn.Module):
        seen = None

        def get_extra_state(self):
            return {"steps": 3}

        def set_extra_state(self, state):
            self.seen = state

    module = nn.Sequential(Stateful())
    state = module.state_dict()
    assert state["0._extra_state"] == {"steps": 3}
    module.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.append("made up"))
    with pytest.raises(RuntimeError, match="made up"):
        module.load_state_dict(state)
    assert module[0].seen == {"steps": 3}


def test_forward_hooks():
    net = Net()
    calls = []
    pre = net.register_forward_pre_hook(lambda m, args, kw: (args, {"scale": 0.0}), with_kwargs=True)
    net.register_forward_hook(lambda m, args, out: calls.append(out.shape))
    net.register_forward_hook(lambda m, args, kw, out: out + kw["scale"] + 1, with_kwargs=True)
    assert net(pydl.ones(2, 3)).tolist() == [[1, 1], [1, 1]]
    assert [tuple(s) for s in calls] == [(2, 2)]
    pre.remove()
    assert len(net._forward_pre_hooks) == len(net._forward_pre_hooks_with_kwargs) == 0


def test_always_called_hook_runs_after_an_error():
    net = nn.Linear(2, 2)
    calls = []
    net.register_forward_hook(lambda m, args, out: calls.append(out), always_call=True)
    with pytest.raises(RuntimeError):
        net(pydl.ones(3, 3))
    assert calls == [None]


def test_backward_hooks_see_and_change_gradients():
    layer = nn.Linear(2, 1, bias=False)
    seen = []
    layer.register_full_backward_pre_hook(lambda m, grads: (grads[0] * 2,))
    layer.register_full_backward_hook(
        lambda m, gin, gout: seen.append((gin[0].clone(), gout[0].clone())) or (gin[0] * 10,)
    )
    x = pydl.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    weight = layer.weight.detach()
    assert seen[0][1].tolist() == [[2.0]]
    assert seen[0][0].tolist() == (2 * weight).tolist()
    assert x.grad.tolist() == (20 * weight).tolist()
    assert layer.weight.grad.tolist() == [[2.0, 2.0]]


def test_backward_hook_without_input_gradient():
    layer = nn.Linear(2, 1)
    seen = []
    layer.register_full_backward_hook(lambda m, gin, gout: seen.append((gin, tuple(gout[0].shape))))
    layer(pydl.ones(3, 2)).sum().backward()
    assert seen == [((None,), (3, 1))]


def test_global_hook():
    calls = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, args, out: calls.append(type(m).__name__))
    with handle:
        nn.Sequential(nn.ReLU())(pydl.ones(1))
    nn.ReLU()(pydl.ones(1))
    assert calls == ["ReLU", "Sequential"]


def test_conversion_keeps_identity_and_integers():
    net = Net()
    net.register_buffer("steps", pydl.zeros(1, dtype=pydl.int64))
    weight = net.first.weight
    net(pydl.ones(1, 3)).sum().backward()
    net.double()
    assert net.first.weight is weight
    assert weight.dtype == weight.grad.dtype == net.count.dtype == pydl.float64
    assert net.steps.dtype == pydl.int64
    assert net.to(pydl.zeros(1)).count.dtype == pydl.float32
    with pytest.raises(TypeError):
        net.to(pydl.int64)


def test_modes_and_gradients():
    net = Net()
    assert not net.eval().first.training
    with pytest.raises(ValueError):
        net.train("yes")
    net(pydl.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.first.weight.grad.abs().sum().item() == 0
    net.zero_grad()
    assert net.first.weight.grad is None
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_paths():
    net = nn.Sequential(Net())
    assert net.get_submodule("0.first") is net[0].first
    assert net.get_parameter("0.first.bias") is net[0].first.bias
    assert net.get_buffer("0.count") is net[0].count
    net.set_submodule("0.first", nn.Linear(3, 4, bias=False))
    assert net[0].first.bias is None
    for path in ("0.third", "0.count.x"):
        with pytest.raises(AttributeError):
            net.get_submodule(path)


def test_deepcopy_and_pickle():
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.first.weight is not net.first.weight
        assert type(twin.first.weight) is nn.Parameter
        assert twin(pydl.ones(1, 3)).tolist() == net(pydl.ones(1, 3)).tolist()


def test_buffer_class():
    net = nn.Module()
    net.kept = nn.Buffer(pydl.ones(1))
    net.lost = nn.Buffer(pydl.ones(1), persistent=False)
    assert list(net.state_dict()) == ["kept"]
    net.kept = pydl.zeros(1)
    assert list(net.state_dict()) == ["kept"]


def test_containers():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    row = nn.Sequential(a, b, c)
    assert list(row[1:]) == [b, c]
    assert row.pop(1) is b
    assert list(row) == [a, c]
    assert list(row.insert(1, b)) == [a, b, c]
    assert len(row + nn.Sequential(a)) == 4
    assert len(row * 2) == 6
    with pytest.raises(IndexError):
        row[3]
    layers = nn.ModuleList([a, b])
    layers += [c]
    assert list(layers) == [a, b, c]
    named = nn.ModuleDict([("x", a)])
    named.update({"y": b})
    assert list(named) == ["x", "y"]
    assert named.pop("x") is a
    values = nn.ParameterList([pydl.ones(2)])
    values.append(pydl.zeros(1))
    assert [n for n, _ in values.named_parameters()] == ["0", "1"]
    table = nn.ParameterDict({"w": pydl.ones(2)})
    assert table["w"].requires_grad
    assert "w" in (table | nn.ParameterDict({"v": pydl.ones(1)}))


def test_repr_like_torch():
    torch = pytest.importorskip("torch")

    def build(lib):
        m = lib.nn
        return m.Sequential(
            m.Linear(2, 3, bias=False), m.ReLU(True), m.ModuleList([m.Tanh(), m.Tanh()]), m.Dropout(0.1), m.PReLU(),
            m.LeakyReLU(0.2), m.Softplus(), m.Softmax(1), m.Hardtanh(), m.Embedding(3, 2, padding_idx=1), m.GELU(),
            m.Flatten(), m.Unflatten(1, (2, 3)), m.Identity(), m.Threshold(1, 2), m.ELU(), m.Bilinear(1, 2, 3),
            m.CrossEntropyLoss(), m.ParameterList([lib.ones(2, 1)]), m.ModuleDict({"a": m.GLU()}), m.Softshrink(),
        )  # fmt: skip

    assert repr(build(pydl)) == repr(build(torch))
