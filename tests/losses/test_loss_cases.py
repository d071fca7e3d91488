"""Every loss against its reference; its derivatives against differences; edges, dtypes, batches, wrong calls, copies."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
from losscases import CASES, Constant, Inputs, LossCase

import pydl

every_case = pytest.mark.parametrize("case", CASES, ids=str)
FIRST = list({case.name: case for case in reversed(CASES)}.values())[::-1]
each_loss = pytest.mark.parametrize("case", FIRST, ids=str)
# Functions that are no losses of a class; tested in tests/losses/test_functions.py
FUNCTIONS = {
    "entropy", "gram_matrix", "gradient_penalty", "l1_penalty", "l2_penalty", "mutual_information", "signed_distance",
    "soft_histogram",
}  # fmt: skip
# Take one tensor, or scores of any shape
ANY_SHAPE = {"AdversarialLoss", "TotalVariationLoss", "WassersteinLoss"}
# Take a callable first, or sequences
ANY_TYPE = {"DeepSupervisionLoss", "UncertaintyWeightedLoss", "WGANGPLoss"}


def test_every_public_loss_has_a_case() -> None:
    covered = {case.cls for case in CASES} | {case.function for case in CASES}
    missing = [n for n in pydl.losses.__all__ if getattr(pydl.losses, n) not in covered and n not in FUNCTIONS]
    assert missing == []


def rounded(value: Any, dtype: str) -> Any:
    """The inputs as they are in this dtype, as float64 arrays."""
    if isinstance(value, Constant):
        return Constant(rounded(value.array, dtype))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return pydl.tensor(value).to(getattr(pydl, dtype)).double().numpy()
    if isinstance(value, (list, tuple)):
        return [rounded(v, dtype) for v in value]
    return value


def tensors(value: Any, dtype: str, grad: bool = True) -> Any:
    if isinstance(value, Constant):
        return tensors(value.array, dtype, False)
    if isinstance(value, np.ndarray):
        made = pydl.tensor(value)
        return made.to(getattr(pydl, dtype)).requires_grad_(grad) if value.dtype.kind == "f" else made
    if isinstance(value, (list, tuple)):
        return [tensors(v, dtype, grad) for v in value]
    return value


def arrays(value: Any) -> Any:
    if isinstance(value, Constant):
        return value.array
    return [arrays(v) for v in value] if isinstance(value, list) else value


def leaves(value: Any) -> list[Any]:
    if isinstance(value, pydl.Tensor):
        return [value] if value.requires_grad else []
    return [t for v in value for t in leaves(v)] if isinstance(value, list) else []


def inputs_of(case: LossCase, dtype: str, seed: int = 1) -> list[Any]:
    return rounded(list(case.inputs(Inputs(seed))), dtype)


def with_reduction(case: LossCase, reduction: str) -> dict[str, Any]:
    return dict(case.options) if case.scalar else {**case.options, "reduction": reduction}


def reductions(case: LossCase) -> tuple[str, ...]:
    return ("",) if case.scalar else case.reductions


def expected(case: LossCase, inputs: list[Any], reduction: str) -> Any:
    plain = arrays(inputs)
    values = np.asarray(case.reference(*plain, **case.options), dtype=np.float64)
    if case.reduced is not None and reduction in ("mean", "sum"):
        return case.reduced(values, reduction, plain)
    return {"mean": np.mean, "sum": np.sum}.get(reduction, lambda v: v)(values)


@every_case
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 1e-5)])
def test_values(case: LossCase, dtype: str, tolerance: float) -> None:
    for seed in (1, 2):
        inputs = inputs_of(case, dtype, seed)
        for reduction in reductions(case):
            want = expected(case, inputs, reduction)
            got = case.function(*tensors(inputs, dtype), **with_reduction(case, reduction))
            assert str(got.dtype).endswith(dtype)
            assert tuple(got.shape) == np.shape(want)
            scale = max(1.0, float(np.abs(want).max(initial=0)))
            bound = tolerance * case.tolerance
            np.testing.assert_allclose(got.detach().numpy(), want, rtol=bound, atol=bound * scale * 0.1)


@pytest.mark.parametrize("case", [c for c in CASES if c.half], ids=str)
@pytest.mark.parametrize("dtype, precision", [("float16", 2e-3), ("bfloat16", 1e-2)])
def test_half_precision(case: LossCase, dtype: str, precision: float) -> None:
    """Computed in float32, rounded once: as close as the format allows."""
    inputs = inputs_of(case, dtype)
    for reduction in reductions(case):
        want = expected(case, inputs, reduction)
        got = case.function(*tensors(inputs, dtype), **with_reduction(case, reduction))
        assert str(got.dtype).endswith(dtype)
        np.testing.assert_allclose(got.detach().double().numpy(), want, rtol=precision, atol=precision * 0.1)


@pytest.mark.parametrize("case", [c for c in CASES if c.gradcheck], ids=str)
def test_derivatives(case: LossCase) -> None:
    inputs = inputs_of(case, "float64")
    args = tensors(inputs, "float64")
    wanted = leaves(args)

    def call(*values: Any) -> Any:
        given = iter(values)

        def put(v: Any) -> Any:
            if isinstance(v, list):
                return [put(x) for x in v]
            return next(given) if isinstance(v, pydl.Tensor) and v.requires_grad else v

        return case.function(*put(args), **with_reduction(case, reductions(case)[0]))

    assert wanted
    assert pydl.autograd.gradcheck(call, wanted)
    if case.gradgradcheck:
        assert pydl.autograd.gradgradcheck(call, wanted)


@pytest.mark.parametrize("case", [c for c in CASES if c.sliced is not None and "none" in reductions(c)], ids=str)
def test_sample_by_sample(case: LossCase) -> None:
    """A sample's loss does not depend on its batch."""
    inputs = inputs_of(case, "float64")
    options = with_reduction(case, "none")
    whole = case.function(*tensors(inputs, "float64"), **options)
    count = len(arrays(inputs[0]))
    assert count > 0
    for i in range(count):

        def cut(v: Any, i: int = i) -> Any:
            return Constant(v.array[i : i + 1]) if isinstance(v, Constant) else v if v is None else v[i : i + 1]

        single = [cut(v) if at in case.sliced else v for at, v in enumerate(inputs)]
        got = case.function(*tensors(single, "float64"), **options)
        np.testing.assert_allclose(got.detach().numpy()[0], whole.detach().numpy()[i], rtol=1e-12, atol=1e-13)


EDGES = [pytest.param(c, at, id=f"{c}-{at}") for c in CASES for at in range(len(c.edges))]


@pytest.mark.parametrize("case, at", EDGES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_finite_at_edges(case: LossCase, at: int, dtype: str) -> None:
    args = tensors(list(case.edges[at](Inputs(3))), dtype)
    for reduction in reductions(case):
        value = case.function(*args, **with_reduction(case, reduction))
        assert value.isfinite().all(), value
        for leaf in leaves(args):
            leaf.grad = None
        value.sum().backward()
        for leaf in leaves(args):
            assert leaf.grad is None or leaf.grad.isfinite().all(), leaf.grad


ERRORS = [pytest.param(c, at, id=f"{c}-{at}") for c in CASES for at in range(len(c.errors))]


@pytest.mark.parametrize("case, at", ERRORS)
def test_wrong_calls(case: LossCase, at: int) -> None:
    maker, exception, *options = case.errors[at]
    with pytest.raises(exception, match=r"\(\)") as caught:
        case.function(*tensors(list(maker(Inputs(3))), "float64"), **(options[0] if options else case.options))
    assert case.function.__name__ in str(caught.value)


@pytest.mark.parametrize("case", [c for c in FIRST if c.name not in ANY_SHAPE], ids=str)
def test_shapes_are_not_broadcast(case: LossCase) -> None:
    """Each tensor in turn with a dim too many, which must not fit."""
    inputs = inputs_of(case, "float64")
    for at, value in enumerate(inputs):
        if not isinstance(value, (np.ndarray, Constant)):
            continue
        args = tensors(inputs, "float64")
        args[at] = args[at][None, None, None].expand(2, 1, 1, *args[at].shape)
        with pytest.raises(pydl.ShapeError):
            case.function(*args, **case.options)


@each_loss
def test_unknown_options(case: LossCase) -> None:
    """By the function when called, by the class when made."""
    args = tensors(inputs_of(case, "float64"), "float64")
    strings = [p.name for p in case.cls._options if isinstance(p.default, str)]
    assert case.scalar or "reduction" in strings
    for name in strings:
        if name == "resize":
            continue  # a mode of interpolate, which checks it
        options = {**case.options, name: "no such option"}
        with pytest.raises(ValueError, match=name):
            case.function(*args, **options)
        with pytest.raises(ValueError, match=name):
            case.build(case.cls, args, options)


@pytest.mark.parametrize("case", [c for c in FIRST if c.name not in ANY_TYPE], ids=str)
def test_first_argument_must_be_a_tensor(case: LossCase) -> None:
    args = tensors(inputs_of(case, "float64"), "float64")
    with pytest.raises(TypeError, match=case.function.__name__):
        case.function(*[[1.0, 2.0], *args[1:]], **case.options)


@every_case
def test_module_is_its_function(case: LossCase) -> None:
    inputs = inputs_of(case, "float64")
    for reduction in reductions(case):
        options = with_reduction(case, reduction)
        args = tensors(inputs, "float64")
        want = case.function(*args, **options)
        module, forward = case.build(case.cls, args, options)
        copies = [module, copy.deepcopy(module)]
        if not any(callable(v) for v in case.options.values()):
            copies.append(pickle.loads(pickle.dumps(module)))
        again, _ = case.build(case.cls, args, options)
        again.load_state_dict(module.state_dict())
        for made in [*copies, again]:
            np.testing.assert_array_equal(made(*forward).detach().numpy(), want.detach().numpy())
            assert repr(made) == repr(module)
        assert repr(module).startswith(f"{case.cls.__name__}(")


@each_loss
def test_signatures_agree(case: LossCase) -> None:
    """forward's arguments and then the constructor's are the function's, where the class has no parameters of its own."""
    function = list(inspect.signature(case.function).parameters.values())
    made = list(inspect.signature(case.cls).parameters.values())
    for option in case.cls._options:
        same = [p for p in made if p.name == option.name]
        assert same and same[0].default == option.default, option.name
    assert [p.name for p in function[len(function) - len(case.cls._options) :]] == [p.name for p in case.cls._options]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_do_not_depend_on_threads(threads: int) -> None:
    rng = np.random.default_rng(0)
    a, b = (pydl.tensor(rng.standard_normal((3, n, 3))) for n in (700, 900))
    mask = pydl.tensor(rng.random((4, 2, 40, 50)) < 0.3)
    logits = pydl.tensor(rng.standard_normal((2, 4, 60, 70)))
    labels = pydl.tensor(rng.integers(0, 4, (2, 60, 70)))
    p, q = pydl.tensor(rng.random((5, 20))), pydl.tensor(rng.random((5, 30)))
    cost = pydl.tensor(rng.random((20, 30)))

    def results() -> list[np.ndarray]:
        x = logits.clone().requires_grad_()
        value = pydl.losses.lovasz_softmax_loss(x, labels)
        value.backward()
        return [
            pydl.losses.chamfer_loss(a, b, reduction="none").numpy(),
            pydl.losses.signed_distance(mask).numpy(),
            value.detach().numpy(),
            x.grad.numpy(),
            pydl.losses.earth_mover_loss(p, q, cost, "sinkhorn", reduction="none").numpy(),
        ]

    pydl.set_num_threads(4)
    want = results()
    pydl.set_num_threads(threads)
    for ours, theirs in zip(results(), want):
        np.testing.assert_array_equal(ours, theirs)
