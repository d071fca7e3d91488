"""The same bits for 1, 2, 3 and 4 threads, for ops whose table samples cannot simply be made longer."""

import numpy as np
import pytest

import pydl

RNG = np.random.default_rng(5)
LONG = RNG.normal(size=200_000).astype(np.float32)
WIDE = RNG.normal(size=(300, 500)).astype(np.float32)
PICKS = RNG.integers(0, 500, 200_000)
ROWS = RNG.integers(0, 300, (400, 500))

CASES = {
    "quantile": lambda x, w: pydl.quantile(w, 0.3, dim=1),
    "nanquantile": lambda x, w: pydl.nanquantile(w, pydl.tensor([0.1, 0.7]), dim=0),
    "median": lambda x, w: pydl.median(w, dim=1).values,
    "cov": lambda x, w: pydl.cov(w),
    "corrcoef": lambda x, w: pydl.corrcoef(w),
    "diff": lambda x, w: pydl.diff(x, n=2),
    "trapezoid": lambda x, w: pydl.trapezoid(w, dim=0),
    "cumulative_trapezoid": lambda x, w: pydl.cumulative_trapezoid(w),
    "pad reflect": lambda x, w: pydl.nn.functional.pad(w[None], (40, 30), mode="reflect"),
    "pad replicate": lambda x, w: pydl.nn.functional.pad(w[None], (4000, 3000), mode="replicate"),
    "pad circular": lambda x, w: pydl.nn.functional.pad(w[None], (400, 300), mode="circular"),
    "scatter_add": lambda x, w: pydl.zeros(500).scatter_add(0, pydl.tensor(PICKS), x),
    "scatter_add rows": lambda x, w: w.scatter_add(0, pydl.tensor(ROWS[:300]), w * 2),
    "scatter_reduce mean": lambda x, w: pydl.zeros(500).scatter_reduce(0, pydl.tensor(PICKS), x, "mean"),
    "scatter_reduce amax": lambda x, w: pydl.zeros(500).scatter_reduce(0, pydl.tensor(PICKS), x, "amax"),
    "index_reduce mean": lambda x, w: pydl.zeros(500, 400).index_reduce(
        0, pydl.tensor(PICKS[:500]), x.reshape(500, 400), "mean"
    ),
    "index_add": lambda x, w: pydl.zeros(500, 400).index_add(0, pydl.tensor(PICKS[:500]), x.reshape(500, 400)),
    "index_put": lambda x, w: pydl.zeros(500).index_put((pydl.tensor(PICKS),), x, accumulate=True),
    "put": lambda x, w: pydl.zeros(500).put(pydl.tensor(PICKS), x, accumulate=True),
    "split_copy": lambda x, w: pydl.cat([2 * part for part in pydl.split_copy(x, 30_000)]),
    "unsafe_split": lambda x, w: pydl.cat([part * part for part in pydl.unsafe_split(x, 70_000)]),
    "take": lambda x, w: pydl.take(w, pydl.tensor(PICKS)),
    "gather": lambda x, w: pydl.gather(w, 0, pydl.tensor(ROWS)),
    "embedding": lambda x, w: pydl.nn.functional.embedding(pydl.tensor(PICKS % 300), w),
    "cdist": lambda x, w: pydl.cdist(w, w[:100] + 1),
    "cdist 1": lambda x, w: pydl.cdist(w, w[:100] + 1, p=1.0),
    "searchsorted": lambda x, w: pydl.searchsorted(pydl.sort(w, dim=1).values, w[:, :100].contiguous()),
    "histc": lambda x, w: pydl.histc(x.detach(), 50),
    "bincount": lambda x, w: pydl.bincount(pydl.tensor(PICKS), x.detach()),
    "renorm": lambda x, w: pydl.renorm(w, 2, 0, 3.0),
    "cumsum rows": lambda x, w: pydl.cumsum(w, 1),
    "cumsum columns": lambda x, w: pydl.cumsum(w, 0),
    "cumprod columns": lambda x, w: pydl.cumprod(x.reshape(2, 50, 2000), 1),
    "batch norm of a table": lambda x, w: pydl.nn.functional.batch_norm(w, None, None, training=True),
    "embedding bag": lambda x, w: pydl.nn.functional.embedding_bag(pydl.tensor(PICKS % 300).reshape(-1, 8), w),
    "logcumsumexp": lambda x, w: pydl.logcumsumexp(w, 1),
    "einsum": lambda x, w: pydl.einsum("ij,kj->ik", w, w),
    "layer of matmul": lambda x, w: pydl.nn.functional.linear(w, w[:64] * 2, x[:64]),
    "skinny product": lambda x, w: w[:20] @ w.t(),
}


@pytest.mark.parametrize("name", CASES)
def test_bits(name):
    found = set()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        x, w = pydl.tensor(LONG).requires_grad_(), pydl.tensor(WIDE).requires_grad_()
        out = CASES[name](x, w)
        bits = out.detach().numpy().tobytes()
        if out.requires_grad:
            seed = pydl.linspace(-1, 1, out.numel()).reshape(out.shape)
            for grad in pydl.autograd.grad(out, [x, w], seed, allow_unused=True):
                bits += b"" if grad is None else grad.numpy().tobytes()
        found.add(bits)
    assert len(found) == 1
