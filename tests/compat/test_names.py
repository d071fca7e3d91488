"""Namespaces that programs written for torch ask for."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import func, testing

try:
    import torch
except ImportError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="compares with torch")


def tensor(lib: Any, *values: float) -> Any:
    return lib.tensor(list(values), dtype=lib.float64)


def cubes(lib: Any) -> Any:
    return lambda x, y: (x**3 * y).sum()


CALLS: dict[str, Any] = {
    "grad": lambda f, lib: f.grad(cubes(lib))(tensor(lib, 1, 2), tensor(lib, 3, 4)),
    "grad argnums": lambda f, lib: f.grad(cubes(lib), argnums=(0, 1))(tensor(lib, 1, 2), tensor(lib, 3, 4)),
    "grad twice": lambda f, lib: f.grad(lambda x: f.grad(cubes(lib))(x, x).sum())(tensor(lib, 1, 2)),
    "grad aux": lambda f, lib: f.grad(lambda x: (x.sum(), x * 2), has_aux=True)(tensor(lib, 1, 2)),
    "grad of dict": lambda f, lib: f.grad(lambda p: (p["a"] * p["b"]).sum())(
        {"a": tensor(lib, 1), "b": tensor(lib, 2)}
    ),
    "grad and value": lambda f, lib: f.grad_and_value(cubes(lib))(tensor(lib, 1, 2), tensor(lib, 3, 4)),
    "vjp": lambda f, lib: f.vjp(lambda x: x.sin(), tensor(lib, 1, 2))[1](tensor(lib, 1, 3)),
    "jvp": lambda f, lib: f.jvp(lambda x: x.sin(), (tensor(lib, 1, 2),), (tensor(lib, 1, 3),)),
    "jacrev": lambda f, lib: f.jacrev(lambda x: x.outer(x))(tensor(lib, 1, 2)),
    "jacfwd": lambda f, lib: f.jacfwd(lambda x, y: x * y, argnums=1)(tensor(lib, 1, 2), tensor(lib, 3, 4)),
    "hessian": lambda f, lib: f.hessian(lambda x: (x**3).prod())(tensor(lib, 1, 2, 3)),
    "vmap": lambda f, lib: f.vmap(lambda a, b: (a @ b, a.sum()))(
        tensor(lib, *range(6)).view(3, 2), lib.ones(3, 2).double()
    ),
    "vmap dims": lambda f, lib: f.vmap(lambda a, b: a * b, (1, None), 1)(
        tensor(lib, *range(6)).view(2, 3), tensor(lib, 5, 7)
    ),
    "vmap of grad": lambda f, lib: f.vmap(f.grad(lambda x: (x**2).sum()))(tensor(lib, *range(6)).view(3, 2)),
    "vmap nested": lambda f, lib: f.vmap(f.vmap(lambda a: a + 1))(tensor(lib, *range(6)).view(3, 2)),
}


def flat(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [v for k in tree for v in flat(tree[k])]
    return [v for t in tree for v in flat(t)] if isinstance(tree, (list, tuple)) else [tree.detach().numpy()]


@needs_torch
@pytest.mark.parametrize("name", CALLS)
def test_functions_of_functions(name: str) -> None:
    ours, theirs = flat(CALLS[name](func, pydl)), flat(CALLS[name](torch.func, torch))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_ensembles_by_stacked_state() -> None:
    models = [pydl.nn.Linear(2, 3) for _ in range(4)]
    parameters, buffers = func.stack_module_state(models)
    x = pydl.rand(5, 2)
    out = func.vmap(lambda p, b: func.functional_call(models[0], (p, b), (x,)))(parameters, buffers)
    assert pydl.allclose(out, pydl.stack([m(x) for m in models]), atol=1e-6)


def test_functions_refuse() -> None:
    with pytest.raises(RuntimeError, match="one number"):
        func.grad(lambda x: x)(pydl.ones(2))
    with pytest.raises(ValueError, match="one size"):
        func.vmap(lambda a, b: a + b)(pydl.ones(2), pydl.ones(3))
    with pytest.raises(RuntimeError, match="argnums"):
        func.grad(lambda x: x.sum(), argnums=3)(pydl.ones(2))


PAIRS: list[Any] = [
    lambda lib: (lib.tensor([1.0, 2.0]), lib.tensor([1.0, 2.5])),
    lambda lib: (lib.tensor([[1.0, 2.0]]), lib.tensor([[1.0, 2.00001]])),
    lambda lib: (lib.tensor(1.0), lib.tensor(2.0)),
    lambda lib: (lib.tensor([1, 2]), lib.tensor([1, 3])),
    lambda lib: (lib.tensor([1.0]), lib.tensor([1.0], dtype=lib.float64)),
    lambda lib: (lib.ones(2), lib.ones(3)),
    lambda lib: (lib.tensor([float("nan")]), lib.tensor([float("nan")])),
    lambda lib: ([lib.ones(2), lib.ones(1)], [lib.ones(2), lib.zeros(1)]),
    lambda lib: ({"a": lib.ones(2)}, {"b": lib.ones(2)}),
    lambda lib: ((lib.ones(2),), (lib.ones(2), lib.ones(2))),
    lambda lib: (1.0, 1.0 + 1e-9),
    lambda lib: (lib.tensor([float("inf")]), lib.tensor([float("inf")])),
    lambda lib: (lib.tensor([1.0 + 1e-7], dtype=lib.complex64), lib.tensor([1.0], dtype=lib.complex64)),
]


def verdict(check: Any, pair: Any) -> str:
    try:
        check(*pair)
    except AssertionError as error:
        return str(error).split("\n")[0]
    return "close"


@needs_torch
@pytest.mark.parametrize("make", PAIRS)
def test_assert_close_agrees(make: Any) -> None:
    ours, theirs = verdict(testing.assert_close, make(pydl)), verdict(torch.testing.assert_close, make(torch))
    assert (ours == "close") == (theirs == "close"), (ours, theirs)
    if "not close" in theirs:
        assert ours == theirs


def test_assert_close_options() -> None:
    testing.assert_close(pydl.tensor([1.0]), pydl.tensor([1.4]), rtol=0.0, atol=0.5)
    testing.assert_close(pydl.tensor([float("nan")]), pydl.tensor([float("nan")]), equal_nan=True)
    with pytest.raises(AssertionError, match="mine: Tensor"):
        testing.assert_close(pydl.ones(2), pydl.zeros(2), msg=lambda text: "mine: " + text)
    with pytest.raises(ValueError, match="rtol and atol"):
        testing.assert_close(pydl.ones(2), pydl.ones(2), rtol=0.1)
    made = testing.make_tensor(3, 4, dtype=pydl.int64, low=1, high=3, noncontiguous=True)
    assert made.shape == (3, 4) and set(made.reshape(-1).tolist()) <= {1, 2} and not made.is_contiguous()


@needs_torch
@pytest.mark.parametrize("name", pydl.cuda.__all__)
def test_cuda_answers_as_a_build_without_it(name: str) -> None:
    if name in ("GradScaler", "OutOfMemoryError", "amp", "autocast", "reset_peak_memory_stats"):
        assert getattr(pydl.cuda, name) is not None
        return
    args = {"set_device": (0,), "manual_seed": (1,), "manual_seed_all": (1,), "get_device_properties": (0,)}.get(
        name, ()
    )
    outcomes = []
    for lib in (pydl, torch):
        try:
            outcomes.append(getattr(lib.cuda, name)(*args))
        except (AssertionError, RuntimeError, AttributeError) as error:
            outcomes.append(type(error) if name != "set_device" else "refused")
    assert outcomes[0] == outcomes[1]


def test_devices_have_names() -> None:
    for name in ("cpu", "cuda", "cuda:1", "mps", "meta"):
        device = pydl.device(name)
        assert (
            str(device) == name
            and pickle.loads(pickle.dumps(device)) == device
            and hash(device) == hash(pydl.device(name))
        )
    assert pydl.device("cuda", 1) == pydl.device("cuda:1") != pydl.device("cuda") != pydl.device("cpu")
    assert (pydl.device("cuda:3").type, pydl.device("cuda:3").index, pydl.device("cpu").index) == ("cuda", 3, None)
    for bad in ("gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999999999999", ""):
        with pytest.raises(RuntimeError):
            pydl.device(bad)
    with pytest.raises(RuntimeError, match="index"):
        pydl.device("cuda:1", 1)
    cuda = pydl.device("cuda")
    for use in (
        lambda: pydl.zeros(2, device=cuda), lambda: pydl.zeros(2).to(cuda), lambda: pydl.tensor(1, device=cuda),
        lambda: pydl.nn.Linear(1, 1, device=cuda), lambda: pydl.nn.Linear(1, 1).to(cuda), lambda: pydl.asarray([1], device=cuda),
        lambda: pydl.set_default_device(cuda), lambda: pydl.Generator(device=cuda), lambda: pydl.array_api.zeros(1, device=cuda),
        lambda: pydl.ones(1).new_tensor([1.0], device=cuda), lambda: cuda.__enter__(),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="not available"):
            use()
    with pytest.raises(AssertionError):
        pydl.ones(1).cuda()
    with pydl.device("cpu"):
        assert pydl.ones(1).device == pydl.device("cpu")


def test_switches() -> None:
    pydl.backends.cuda.matmul.allow_tf32 = True
    pydl.backends.cudnn.allow_tf32 = False
    with pydl.backends.cudnn.flags(benchmark=True):
        assert pydl.backends.cudnn.benchmark
    assert not pydl.backends.cudnn.benchmark
    with pydl.autocast("cuda", dtype=pydl.float16), pydl.amp.autocast("cpu"):
        assert (pydl.ones(1) + 1).dtype == pydl.float32
    with pytest.raises(RuntimeError):
        pydl.autocast("gpu")

    @pydl.compile
    def f(x: Any) -> Any:
        return x + 1

    assert f(1) == 2 and pydl.jit.script(f) is f and pydl.compile(fullgraph=True)(f) is f


def test_mapped_names_are_the_same_modules(tmp_path: Path) -> None:
    code = """
import sys, pydl, pydl.vision
sys.modules["torch"], sys.modules["torchvision"] = pydl, pydl.vision
import torch, torch.nn as nn, torch.nn.functional as F, torch.utils.data as data, torch.backends.cudnn as cudnn
import torchvision.transforms.functional as TF
from torch.optim.lr_scheduler import StepLR
from torch.nn.modules.conv import Conv2d
assert nn is pydl.nn and F is pydl.nn.functional and data is pydl.utils.data and cudnn is pydl.backends.cudnn
assert TF is pydl.vision.transforms.functional and StepLR is pydl.optim.lr_scheduler.StepLR and Conv2d is pydl.nn.Conv2d
assert nn.__spec__.name == "pydl.nn" and isinstance(nn.Linear(1, 1), pydl.nn.Module)
try:
    import torch.nothing_like_that
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("found what is not there")
assert not [name for name in sys.modules if name.startswith("torch") and sys.modules[name].__name__.startswith("torch")]
"""
    env = {**os.environ, "PYTHONPATH": str(Path(pydl.__file__).parents[1])}  # not the sources of the working folder
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def fail(rank: int) -> None:
    if rank == 1:
        raise ValueError("number one fails")


def test_spawned_processes() -> None:
    pydl.multiprocessing.spawn(abs, nprocs=2, start_method="fork")
    with pytest.raises(RuntimeError, match="number one fails"):
        pydl.multiprocessing.spawn(fail, nprocs=2, start_method="fork")


def test_ranges_are_indices() -> None:
    x = pydl.arange(12).view(3, 4)
    assert x[range(3), range(3)].tolist() == [0, 5, 10] and x[range(0, 3, 2)].shape == (2, 4)
    x[range(2), 0] = -1
    assert x[:, 0].tolist() == [-1, -1, 8]


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_states_can_be_detached_in_place(kind: str) -> None:
    _, state = getattr(pydl.nn, kind)(2, 3)(pydl.rand(4, 1, 2))
    for s in state if isinstance(state, tuple) else (state,):
        assert s.detach_().grad_fn is None
