"""The same bits for 1, 2, 3 and 4 threads, forward and backward, on sizes that are split."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from opinfo import OPS, OpInfo, to_pydl

import pydl

BIG = 300_000  # above the grain of every kernel


def enlarge(array: np.ndarray) -> np.ndarray:
    return (
        np.resize(array, (*array.shape[:-1], max(array.shape[-1], BIG // max(int(np.prod(array.shape[:-1])), 1))))
        if array.shape
        else array
    )


def digest(info: OpInfo, sample: Any) -> str:
    h = hashlib.sha256()
    t = sample.map(to_pydl)
    inputs: list[Any] = []
    t.map(lambda a: a)
    for a in t.args:
        for x in a if isinstance(a, (list, tuple)) else (a,):
            if isinstance(x, pydl.Tensor) and x.dtype.is_floating_point and info.grad:
                inputs.append(x.requires_grad_())
    result = info.op(*t.args, **t.kwargs)
    outputs = [r for r in (result if isinstance(result, (tuple, list)) else (result,)) if isinstance(r, pydl.Tensor)]
    for r in outputs:
        h.update(np.ascontiguousarray(r.detach().numpy()).tobytes())
    roots = [r for r in outputs if r.requires_grad]
    if roots:
        seeds = [pydl.tensor(np.resize(np.linspace(-1, 1, 1013), tuple(r.shape))).to(r.dtype) for r in roots]
        for g in pydl.autograd.grad(roots, inputs, seeds, allow_unused=True):
            h.update(b"" if g is None else np.ascontiguousarray(g.numpy()).tobytes())
    return h.hexdigest()


def splits(info: OpInfo) -> Any:
    """A sample whose tensors can all be made long in the last dim."""
    for sample in info.sample_list("float32"):
        shapes: list[tuple[int, ...]] = []
        sample.map(lambda a, shapes=shapes: shapes.append(a.shape))
        if shapes and len(set(shapes)) == 1 and shapes[0] and 0 not in shapes[0] and len(sample.args) <= 2:
            yield sample.map(enlarge)
            return


@pytest.mark.parametrize(
    "info", [pytest.param(i, id=i.name) for i in OPS if "float32" in i.dtypes and not i.random and not i.view]
)
def test_bits_do_not_depend_on_threads(info: OpInfo) -> None:
    if not info.scales or info.name in (
        "mm",
        "matmul",
        "bmm",
        "mv",
        "prod",
        "diag",
        "diag_embed",
        "view_as_complex",
        "outer",
        "ger",
        "is_nonzero",
    ):
        pytest.skip("tested below with shapes of their own, or of results that grow as the square")
    tested = False
    for sample in splits(info):
        found = set()
        for threads in (1, 2, 3, 4):
            pydl.set_num_threads(threads)
            found.add(digest(info, sample))
        assert len(found) == 1, f"{info.name}({sample})"
        tested = True
    if not tested:
        pytest.skip("no sample to enlarge")


SHAPES = [((300, 257), (257, 190)), ((1, 4096), (4096, 64)), ((5, 90, 70), (5, 70, 33)), ((700, 300), (300,))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a, b", SHAPES)
def test_products(a: tuple[int, ...], b: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = (pydl.tensor(rng.standard_normal(s).astype(dtype)).requires_grad_() for s in (a, b))
    found = set()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        z = x @ y
        grads = pydl.autograd.grad(z, [x, y], pydl.ones_like(z))
        found.add(tuple(t.detach().numpy().tobytes() for t in (z, *grads)))
    assert len(found) == 1


@pytest.mark.parametrize("dim", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "amax", "logsumexp", "norm"])
def test_reductions(name: str, dim: Any) -> None:
    x = pydl.tensor(np.random.default_rng(1).standard_normal((700, 900)).astype(np.float32))
    kwargs = {} if dim is None else {"dim": dim}
    if name == "logsumexp" and dim is None:
        kwargs = {"dim": (0, 1)}
    if name == "prod" and isinstance(dim, tuple):
        pytest.skip("prod takes one dim")
    found = set()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        found.add(getattr(pydl, name)(x, **kwargs).numpy().tobytes())
    assert len(found) == 1
