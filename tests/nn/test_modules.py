"""Every module against PyTorch with the same weights and inputs, and its derivatives against differences."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
from moduleinfo import CASES, Constant, Inputs, ModuleCase

import pydl

# Base classes and containers, tested in tests/nn/test_module.py
NOT_LAYERS = {
    "Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "RNNBase", "RNNCellBase",
    "LinearCrossEntropyOptions",
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def tensor(lib: Any, array: np.ndarray, dtype: str, grad: bool = True) -> Any:
    made = lib.from_numpy(np.array(array))
    if array.dtype.kind != "f":
        return made
    return made.to(getattr(lib, dtype)).requires_grad_(grad)


def to_tensors(lib: Any, value: Any, dtype: str) -> Any:
    if isinstance(value, Constant):
        return tensor(lib, value.array, dtype, grad=False)
    if isinstance(value, np.ndarray):
        return tensor(lib, value, dtype)
    if isinstance(value, (tuple, list)):
        return type(value)(to_tensors(lib, v, dtype) for v in value)
    return value


def tensors_of(lib: Any, value: Any) -> list[Any]:
    """The tensors in nested tuples, lists and dicts, in order."""
    if isinstance(value, lib.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors_of(lib, v)]
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in tensors_of(lib, v)]
    return []


def inputs_of(case: ModuleCase, lib: Any, dtype: str) -> tuple[Any, ...]:
    return to_tensors(lib, tuple(case.inputs(Inputs(3))), dtype)


def call(case: ModuleCase, lib: Any, net: Any, inputs: tuple[Any, ...]) -> list[Any]:
    """The output tensors of one call."""
    arguments = case.wrap(lib, inputs) if case.wrap else inputs
    out = net(*arguments, **case.call)
    return tensors_of(lib, case.unwrap(lib, out) if case.unwrap else out)


def build(case: ModuleCase, lib: Any, dtype: str) -> Any:
    """The module with fixed weights, which depend on names and shapes alone; lazy ones have seen their input."""
    net = case.build(lib).to(getattr(lib, dtype))
    if "Lazy" in case.name:
        with lib.no_grad():
            call(case, lib, net, inputs_of(case, lib, dtype))
        net = net.to(getattr(lib, dtype))
    rng = np.random.default_rng(11)
    state = net.state_dict()
    for key in state:
        if "num_batches" in key or not state[key].is_floating_point():
            state[key].zero_()
        else:
            # Positive, since some are variances
            state[key].copy_(lib.from_numpy(rng.uniform(0.1, 0.9, size=tuple(state[key].shape))))
    net.load_state_dict(state)
    return net


def numbers(t: Any) -> np.ndarray:
    return np.asarray((t.detach().double() if t.is_floating_point() else t).numpy())


def results(case: ModuleCase, lib: Any, dtype: str, mode: str) -> dict[str, list[Any]]:
    """Outputs, gradients and buffers after a call in `mode`."""
    net = build(case, lib, dtype).train(mode == "train")
    inputs = inputs_of(case, lib, dtype)
    outputs = call(case, lib, net, inputs)
    floating = [o for o in outputs if o.is_floating_point() and o.requires_grad]
    # Weighted: the plain sum of squares of a normalised output has no gradient.
    weights = [lib.linspace(0.5, 1.5, o.numel(), dtype=o.dtype).reshape(o.shape) for o in floating]
    loss = sum(((o * o * w).sum() for o, w in zip(floating, weights)), lib.zeros((), dtype=getattr(lib, dtype)))
    if floating:
        loss.backward()
    leaves = [t for t in tensors_of(lib, inputs) if t.requires_grad]
    return {
        "outputs": outputs,
        "input gradients": [t.grad for t in leaves],
        "parameter gradients": [p.grad for p in net.parameters()],
        "buffers": list(net.buffers()),
    }


@every_case
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_gradients_against_torch(case: ModuleCase, mode: str, dtype: str, torch: Any) -> None:
    if not hasattr(torch.nn, case.name):
        pytest.skip("pydl's own")
    if mode not in case.modes or dtype not in case.dtypes:
        pytest.skip("not determined by the arguments")
    ours = results(case, pydl, dtype, mode)
    # float32 is held to a float64 reference, as PyTorch's own float32 is no better
    reference = results(case, torch, "float64", mode)
    rtol = case.tolerance[dtype == "float64"]
    for kind, expected in reference.items():
        assert len(ours[kind]) == len(expected), kind
        for number, (a, b) in enumerate(zip(ours[kind], expected, strict=True)):
            assert (a is None) == (b is None), f"{kind} {number}"
            if a is None:
                continue
            wanted = numbers(b)
            assert tuple(a.shape) == wanted.shape, f"{kind} {number}"
            scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)) if wanted.dtype.kind == "f" else 0.0
            np.testing.assert_allclose(
                numbers(a), wanted, rtol=rtol, atol=rtol * max(scale, 1e-3), err_msg=f"{kind} {number}"
            )


@every_case
def test_names_and_printing_are_torchs(case: ModuleCase, torch: Any) -> None:
    if not hasattr(torch.nn, case.name):
        pytest.skip("pydl's own")
    ours, other = build(case, pydl, "float32"), build(case, torch, "float32")
    for what in ("named_parameters", "named_buffers"):
        a, b = ([(k, tuple(v.shape), str(v.dtype)) for k, v in getattr(net, what)()] for net in (ours, other))
        assert [x[:2] for x in a] == [x[:2] for x in b]
    assert list(ours.state_dict()) == list(other.state_dict())
    if case.same_repr:
        assert repr(ours) == repr(other)


@every_case
def test_state_moves_both_ways(case: ModuleCase, torch: Any) -> None:
    """Saved by PyTorch and loaded here, and back, through files."""
    if not hasattr(torch.nn, case.name):
        pytest.skip("pydl's own")
    for source, target in ((pydl, torch), (torch, pydl)):
        giver, taker = build(case, source, "float32"), case.build(target)
        if "Lazy" in case.name:
            with target.no_grad():
                call(case, target, taker, inputs_of(case, target, "float32"))
        for value in giver.state_dict().values():
            if value.is_floating_point():
                value.mul_(1.5)
        file = io.BytesIO()
        source.save(giver.state_dict(), file)
        file.seek(0)
        taker.load_state_dict(target.load(file, weights_only=True))
        for key, value in giver.state_dict().items():
            np.testing.assert_array_equal(numbers(taker.state_dict()[key]), numbers(value))


@every_case
def test_copies_and_pickles(case: ModuleCase) -> None:
    net = build(case, pydl, "float64").eval()
    inputs = inputs_of(case, pydl, "float64")
    expected = call(case, pydl, net, inputs)
    copies = [copy.deepcopy(net)]
    if not any(callable(v) for v in vars(net).values()):
        copies.append(pickle.loads(pickle.dumps(net)))
    for copied in copies:
        for a, b in zip(call(case, pydl, copied, inputs), expected, strict=True):
            np.testing.assert_array_equal(numbers(a), numbers(b))


def derivatives(case: ModuleCase, check: Any) -> None:
    mode = case.modes[0]
    net = build(case, pydl, "float64").train(mode == "train")
    inputs = inputs_of(case, pydl, "float64")
    leaves = [t for t in tensors_of(pydl, inputs) if t.requires_grad] + list(net.parameters())
    state = {k: v.clone() for k, v in net.state_dict().items() if k not in dict(net.named_parameters())}
    if not leaves:
        pytest.skip("nothing to differentiate")

    def f(*_: Any) -> tuple[Any, ...]:
        # Running statistics start anew, so that every call is the same function
        net.load_state_dict(state, strict=False)
        return tuple(o for o in call(case, pydl, net, inputs) if o.is_floating_point() and o.requires_grad)

    assert check(f, tuple(leaves), **case.check_options)


@every_case
def test_first_derivatives(case: ModuleCase) -> None:
    if not case.gradcheck:
        pytest.skip("gradients are compared with PyTorch's alone")
    derivatives(case, pydl.autograd.gradcheck)


@every_case
def test_second_derivatives(case: ModuleCase) -> None:
    if not case.gradgradcheck:
        pytest.skip("no second derivative here, nor in PyTorch")
    derivatives(case, pydl.autograd.gradgradcheck)


def test_every_module_has_a_case() -> None:
    covered = {case.name for case in CASES}
    layers = {n for n in pydl.nn.modules.__all__ if isinstance(getattr(pydl.nn, n), type)}
    assert layers - covered - NOT_LAYERS == set()
