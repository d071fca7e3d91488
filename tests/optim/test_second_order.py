"""L-BFGS, Muon and averages of weights: what the elementwise comparison of optimizers does not cover."""

import numpy as np
import pytest

import pydl
from pydl.optim import LBFGS, Muon
from pydl.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn


def rosenbrock(lib, x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def descend(lib, options, steps=10):
    """Parameters, losses and counts over ten steps on Rosenbrock's function with two tensors."""
    a = lib.tensor([-1.2, 1.0, 0.3], dtype=lib.float64, requires_grad=True)
    b = lib.tensor([[0.5, -0.7]], dtype=lib.float64, requires_grad=True)
    unused = lib.tensor([1.0], dtype=lib.float64, requires_grad=True)
    optimizer = lib.optim.LBFGS([a, b, unused], **options)

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(lib, lib.cat([a, b.reshape(-1)]))
        loss.backward()
        return loss

    seen = []
    for _ in range(steps):
        loss = float(optimizer.step(closure).detach())
        state = optimizer.state_dict()["state"][0]
        seen.append([loss, *a.tolist(), *b.tolist()[0], state["func_evals"], state["n_iter"]])
    return seen


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1e-3, "max_iter": 4},
        {"lr": 1e-2, "max_iter": 3, "history_size": 2},
        {"line_search_fn": "strong_wolfe", "max_iter": 4},
        {"line_search_fn": "strong_wolfe", "max_iter": 20, "history_size": 3, "max_eval": 9},
        {"line_search_fn": "strong_wolfe", "lr": 50.0, "max_iter": 3},
    ],
)
def test_lbfgs_has_torchs_iterates(options):
    torch = pytest.importorskip("torch")
    for mine, wanted in zip(descend(pydl, options), descend(torch, options)):
        np.testing.assert_allclose(mine, wanted, rtol=1e-6, atol=1e-9)


def test_lbfgs_finds_the_minimum():
    w = pydl.tensor([-1.2, 1.0], dtype=pydl.float64, requires_grad=True)
    optimizer = LBFGS([w], line_search_fn="strong_wolfe", max_iter=100, tolerance_change=0)

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(pydl, w)
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(w.tolist(), 1.0, atol=1e-6)


def test_lbfgs_goes_on_from_its_state():
    def run(restart):
        w = pydl.tensor([-1.2, 1.0], dtype=pydl.float64, requires_grad=True)
        optimizer = LBFGS([w], lr=0.01, max_iter=2)

        def closure():
            optimizer.zero_grad()
            loss = rosenbrock(pydl, w)
            loss.backward()
            return loss

        for step in range(6):
            if step == 3 and restart:
                saved = optimizer.state_dict()
                optimizer = LBFGS([w], lr=0.01, max_iter=2)
                optimizer.load_state_dict(saved)
            optimizer.step(closure)
        return w.tolist()

    assert run(True) == run(False)


def test_lbfgs_restores_parameters_when_the_closure_fails():
    w = pydl.tensor([1.0, 2.0], requires_grad=True)
    optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    calls = []

    def closure():
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("no data")
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert w.tolist() == [1.0, 2.0]


def test_lbfgs_errors():
    w = pydl.ones(1, requires_grad=True)
    with pytest.raises(ValueError):
        LBFGS([{"params": [w]}, {"params": [pydl.ones(1, requires_grad=True)]}])
    with pytest.raises(ValueError):
        LBFGS([w], lr=-1)
    optimizer = LBFGS([w], line_search_fn="armijo")

    def closure():
        optimizer.zero_grad()
        loss = (w**2).sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="strong_wolfe"):
        optimizer.step(closure)


@pytest.mark.parametrize("shape", [(4, 6), (7, 3)])
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw", "lr": 0.02}])
def test_muon_has_torchs_steps(shape, options):
    torch = pytest.importorskip("torch")
    seen = []
    for lib in (pydl, torch):
        rng = np.random.default_rng(0)
        w = lib.tensor(rng.normal(size=shape).tolist(), requires_grad=True)
        optimizer = lib.optim.Muon([w], **options)
        for _ in range(10):
            w.grad = lib.tensor(rng.normal(size=shape).tolist())
            optimizer.step()
        seen.append(w.tolist())
    # both iterate in bfloat16, with three digits
    np.testing.assert_allclose(*seen, rtol=2e-2, atol=2e-3)


def test_muon_errors():
    w = pydl.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="2D"):
        Muon([w])
    m = pydl.ones(3, 3, requires_grad=True)
    with pytest.raises(ValueError):
        Muon([m], adjust_lr_fn="other")
    m.grad = pydl.ones(3, 3)
    with pytest.raises(ValueError, match="100"):
        Muon([m], ns_steps=100).step()
    with pytest.raises(ValueError, match="3"):
        Muon([m], ns_coefficients=(1.0, 2.0)).step()


AVERAGES = {
    "equal": lambda swa: {},
    "ema": lambda swa: {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.8)},
    "ema one by one": lambda swa: {"avg_fn": swa.get_ema_avg_fn(0.8)},
    "swa one by one": lambda swa: {"avg_fn": swa.get_swa_avg_fn()},
    "with buffers": lambda swa: {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.8), "use_buffers": True},
}


@pytest.mark.parametrize("kind", AVERAGES)
def test_averages_are_torchs(kind):
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch.optim.swa_utils")
    seen = []
    for lib in (pydl, torch):
        rng = np.random.default_rng(0)
        model = lib.nn.Linear(3, 2)
        model.register_buffer("scale", lib.zeros(2))
        average = lib.optim.swa_utils.AveragedModel(model, **AVERAGES[kind](lib.optim.swa_utils))
        for _ in range(5):
            with lib.no_grad():
                for t in (*model.parameters(), *model.buffers()):
                    t.copy_(lib.tensor(rng.normal(size=tuple(t.shape)).tolist()))
            average.update_parameters(model)
        state = average.state_dict()
        assert list(state) == ["n_averaged", "module.weight", "module.bias", "module.scale"]
        seen.append(np.concatenate([np.ravel(v.tolist()) for v in state.values()]))
    np.testing.assert_allclose(*seen, rtol=1e-5, atol=1e-6)


def test_average_errors():
    layer = pydl.nn.Linear(1, 1)
    with pytest.raises(AssertionError):
        AveragedModel(layer, avg_fn=get_ema_avg_fn(), multi_avg_fn=get_swa_multi_avg_fn())
    for make in (get_ema_avg_fn, get_ema_multi_avg_fn):
        with pytest.raises(ValueError):
            make(1.5)


def test_update_bn_sees_all_batches():
    class Statistics(pydl.nn.Module):
        """What update_bn needs of a normalisation layer."""

        def __init__(self):
            super().__init__()
            self.register_buffer("running_mean", pydl.ones(1))
            self.momentum = 0.1
            self.count = 0

        def reset_running_stats(self):
            self.running_mean.zero_()
            self.count = 0

        def forward(self, x):
            if self.training:
                assert self.momentum is None
                self.count += 1
                self.running_mean += (x.mean() - self.running_mean) / self.count
            return x

    model = pydl.nn.Sequential(Statistics()).eval()
    update_bn([(pydl.full((2,), float(i)), i) for i in range(4)], model)
    assert model[0].running_mean.item() == 1.5
    assert model[0].momentum == 0.1
    assert not model.training


ELEMENTWISE = ["Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"]


@pytest.mark.parametrize("kind", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float64", "complex64", "bfloat16"])
def test_other_dtypes_have_torchs_steps(kind, dtype):
    torch = pytest.importorskip("torch")
    seen = []
    options = {"momentum": 0.9} if kind in ("SGD", "RMSprop") else {}
    for lib in (pydl, torch):
        rng = np.random.default_rng(0)

        def draw(lib=lib, rng=rng):
            values = rng.normal(size=(5, 3)) + 1j * rng.normal(size=(5, 3))
            values = values if dtype == "complex64" else values.real
            return lib.tensor(values.tolist()).to(getattr(lib, dtype))

        w = draw().requires_grad_()
        optimizer = getattr(lib.optim, kind)([w], lr=0.05, **options)
        for _ in range(10):
            w.grad = draw()
            optimizer.step()
        w = w.detach()
        w = w if dtype == "complex64" else w.double()
        state = {k: tuple(v.shape) for k, v in optimizer.state_dict()["state"][0].items() if hasattr(v, "shape")}
        seen.append((np.array(w.tolist()), state))
    # halves: PyTorch rounds after each operation, we once a step
    rtol = {"float64": 1e-11, "complex64": 1e-5, "bfloat16": 0.05}[dtype]
    np.testing.assert_allclose(seen[0][0], seen[1][0], rtol=rtol, atol=rtol)
    assert seen[0][1] == seen[1][1]


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_steps_do_not_depend_on_threads(kind):
    results = []
    for threads in (1, 2, 3):
        pydl.set_num_threads(threads)
        pydl.manual_seed(0)
        params = [pydl.randn(n, requires_grad=True) for n in (70001, 3, 16384)]
        optimizer = getattr(pydl.optim, kind)(params, lr=0.01)
        for _ in range(3):
            for p in params:
                p.grad = pydl.randn(p.shape)
            optimizer.step()
        results.append([p.detach().numpy().tobytes() for p in params])
    assert results[0] == results[1] == results[2]
