"""Optimizers against PyTorch's over several steps, with the turns that break caches."""

import copy

import numpy as np
import pytest

import pydl
from pydl.optim import SGD, Adam, AdamW

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-6}),
    ("AdamW", {"lr": 0.05, "maximize": True}),
    ("Adadelta", {"lr": 0.7, "weight_decay": 0.1}),
    ("Adadelta", {"rho": 0.5, "eps": 1e-3, "maximize": True}),
    ("Adafactor", {"lr": 0.1}),
    ("Adafactor", {"weight_decay": 0.1, "eps": (1e-4, 1e-2), "d": 2.0, "beta2_decay": -0.5, "maximize": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adamax", {"betas": (0.3, 0.5), "eps": 1e-2, "maximize": True}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "t0": 3}),
    ("ASGD", {"lr": 0.05, "alpha": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1}),
    ("RAdam", {"betas": (0.7, 0.8), "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RMSprop", {"lr": 0.05, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "centered": True, "alpha": 0.7}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.9, "centered": True, "maximize": True}),
    ("Rprop", {"lr": 0.05}),
    ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.02), "maximize": True}),
]


def history(lib, kind, options, turns):
    """Parameters after each of eight steps; ``turns`` does something at the steps it names."""
    rng = np.random.default_rng(0)
    params = [lib.tensor(rng.normal(size=s).tolist(), requires_grad=True) for s in ((3, 2), (4,), (2,))]
    optimizer = getattr(lib.optim, kind)(params[:2], **options)
    seen = []
    for step in range(12):
        if step in turns:
            turns[step](lib, optimizer, params)
        for param in params:
            grad = lib.tensor(rng.normal(size=tuple(param.shape)).tolist())
            param.grad = None if step == 3 and param is params[1] else grad
        optimizer.step()
        seen += [param.tolist() for param in params]
    return seen


def reload(lib, optimizer, params):
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def add_group(lib, optimizer, params):
    optimizer.add_param_group({"params": [params[2]], "lr": 0.01})


def change_rate(lib, optimizer, params):
    optimizer.param_groups[0]["lr"] *= 0.1


def forget(lib, optimizer, params):
    optimizer.state.clear()


@pytest.mark.parametrize("kind, options", CASES)
@pytest.mark.parametrize("turn", [None, reload, add_group, change_rate, forget])
def test_same_steps_as_torch(kind, options, turn):
    torch = pytest.importorskip("torch")
    turns = {} if turn is None else {5: turn}
    ours, theirs = (history(lib, kind, options, turns) for lib in (pydl, torch))
    for mine, wanted in zip(ours, theirs):
        np.testing.assert_allclose(mine, wanted, rtol=2e-5, atol=1e-6)


def test_state_has_torchs_layout():
    w = pydl.ones(2, requires_grad=True)
    optimizer = Adam([w], amsgrad=True)
    w.grad = pydl.ones(2)
    optimizer.step()
    state = optimizer.state_dict()
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
    assert state["state"][0]["step"].dtype == pydl.float32
    assert state["state"][0]["step"].item() == 1.0
    assert state["param_groups"][0]["params"] == [0]


def test_closure_and_hooks():
    w = pydl.ones(1, requires_grad=True)
    optimizer = SGD([w], lr=0.5)
    calls = []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append("pre"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append("post"))

    def closure():
        optimizer.zero_grad()
        loss = (w * 2).sum()
        loss.backward()
        return loss

    with pydl.no_grad():
        assert optimizer.step(closure).item() == 2.0
    assert w.tolist() == [0.0]
    assert calls == ["pre", "post"]


def test_errors():
    w = pydl.ones(1, requires_grad=True)
    for bad in ([],):
        with pytest.raises(ValueError):
            SGD(bad)
    with pytest.raises(TypeError):
        SGD(w)
    with pytest.raises(TypeError):
        SGD([1.0])
    with pytest.raises(TypeError):
        SGD([{"params": {w}}])
    with pytest.raises(ValueError):
        SGD([w * 2])
    with pytest.raises(ValueError):
        SGD([{"params": [w]}, {"params": [w]}])
    for options in ({"lr": -1.0}, {"momentum": -1}, {"nesterov": True}):
        with pytest.raises(ValueError):
            SGD([w], **options)
    for options in ({"betas": (1.0, 0.9)}, {"eps": -1.0}):
        with pytest.raises(ValueError):
            Adam([w], **options)
    with pytest.raises(ValueError):
        Adam([w]).load_state_dict(Adam([w, pydl.ones(1, requires_grad=True)]).state_dict())


def test_zero_grad_and_repr():
    w = pydl.ones(1, requires_grad=True)
    optimizer = AdamW([w])
    w.grad = pydl.ones(1)
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert w.grad is None
    assert repr(optimizer).startswith("AdamW (\nParameter Group 0\n    amsgrad: False\n")


def test_named_parameters():
    layer = pydl.nn.Linear(2, 1)
    optimizer = SGD(layer.named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@pytest.mark.parametrize("state", ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"])
def test_state_that_cannot_be_written(state):
    w = pydl.ones(3, requires_grad=True)
    optimizer = Adam([w], amsgrad=True)
    w.grad = pydl.ones(3)
    optimizer.step()
    before = w.tolist()
    optimizer.state[w][state] = pydl.zeros(1).expand(3)
    with pytest.raises(RuntimeError, match=f"{state}s\\[0\\] cannot be written"):
        optimizer.step()
    assert w.tolist() == before
