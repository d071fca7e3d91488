"""Correlation, information, divergence, transport, histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize, special

import pydl

from . import Constant, Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def images(r: Inputs) -> Any:
    return r.real(2, 3, 4, 5), r.real(2, 3, 4, 5)


def flat(r: Inputs) -> Any:
    return np.full((1, 1, 4, 4), 0.7), r.unit(1, 1, 4, 4)


def equal(r: Inputs) -> Any:
    x = r.unit(2, 1, 6)
    return x, x.copy()


SHAPE_ERRORS: tuple[Any, ...] = (
    (lambda r: (r.unit(2, 3, 4), r.unit(2, 3, 5)), ValueOrShape),
    (lambda r: (r.unit(2, 3, 4), r.unit(2, 3, 1)), ValueOrShape),
)


def correlation(x: Any, y: Any, mode: str = "global", kernel_size: int = 9, eps: float = 1e-5) -> Any:
    if mode == "outer":
        return np.array([-np.outer(a, b).sum() for a, b in zip(x, y)])
    if mode == "global":
        return np.array([-np.corrcoef(a.reshape(-1), b.reshape(-1))[0, 1] for a, b in zip(x, y)])
    half = kernel_size // 2
    pad = [(0, 0), (0, 0), *[(half, half)] * (x.ndim - 2)]
    windows = tuple(range(-(x.ndim - 2), 0))
    a, b = (
        np.lib.stride_tricks.sliding_window_view(
            np.pad(t, pad), (kernel_size,) * (x.ndim - 2), axis=tuple(range(2, x.ndim))
        )
        for t in (x, y)
    )
    volume = kernel_size ** (x.ndim - 2)
    cross = (a * b).sum(windows) - a.sum(windows) * b.sum(windows) / volume
    spread = [(t * t).sum(windows) - t.sum(windows) ** 2 / volume for t in (a, b)]
    return -(cross**2) / (spread[0] * spread[1] + eps)


loss(
    "CrossCorrelationLoss", images, correlation, ("outer", {"mode": "outer"}),
    edges=(flat, equal, lambda r: (np.zeros((1, 1, 3)), np.zeros((1, 1, 3))), lambda r: (np.ones((1, 1, 1)), np.ones((1, 1, 1)))),
    errors=(*SHAPE_ERRORS, (lambda r: (r.unit(2), r.unit(2)), ValueOrShape)),
)  # fmt: skip
loss(
    "CrossCorrelationLoss", images, correlation, options={"mode": "local", "kernel_size": 3}, label="local", edges=(flat,),
    errors=(
        (images, ValueError, {"mode": "local", "kernel_size": 4}),
        (lambda r: (r.unit(2, 3), r.unit(2, 3)), ValueOrShape),
    ),
)  # fmt: skip
loss(
    "CrossCorrelationLoss",
    lambda r: (r.unit(2, 1, 7), r.unit(2, 1, 7)),
    correlation,
    options={"mode": "local", "kernel_size": 5},
    label="local-1d",
    edges=(equal,),
)


def information(
    x: Any, y: Any, num_bins: int = 23, sigma_ratio: float = 0.5, value_range: Any = (0.0, 1.0), eps: float = 1e-7
) -> Any:
    centres = np.linspace(*value_range, num_bins)
    sigma = sigma_ratio * (centres[1] - centres[0])
    out = []
    for a, b in zip(x, y):
        weights = []
        for t in (a, b):
            w = np.exp(-((np.clip(t, *value_range).reshape(-1, 1) - centres) ** 2) / (2 * sigma**2))
            weights.append(w / w.sum(1, keepdims=True))
        joint = np.einsum("la,lb->ab", *weights) / a.size
        alone = np.outer(joint.sum(1), joint.sum(0))
        out.append(-(joint * (np.log(joint + eps) - np.log(alone + eps))).sum())
    return np.array(out)


loss(
    "MutualInformationLoss", lambda r: (r.unit(2, 3, 4), r.unit(2, 3, 4)), information,
    ("few", {"num_bins": 5, "sigma_ratio": 1.0, "value_range": (-0.5, 1.2)}),
    edges=(flat, equal, lambda r: (r.real(1, 9) * 1e4, r.real(1, 9) * 1e4)),
    errors=(
        *SHAPE_ERRORS, (equal, ValueError, {"num_bins": 1}), (equal, ValueError, {"sigma_ratio": 0.0}),
        (equal, ValueError, {"value_range": (1.0, 0.0)}),
    ),
)  # fmt: skip
loss(
    "MINELoss", lambda r: (r.real(4), r.real(6)), lambda a, b: -(a.mean() - np.log(np.exp(b).mean())), scalar=True, sliced=None,
    edges=(lambda r: (np.array([1e4, -1e4]), np.array([1e4, -1e4])),),
    errors=((lambda r: (r.real(4, 2), r.real(4)), ValueOrShape), (lambda r: (r.real(4), r.real(0)), ValueError)),
)  # fmt: skip


def js(p: Any, q: Any, dim: int = -1, from_logits: bool = False) -> Any:
    if from_logits:
        p, q = special.softmax(p, axis=dim), special.softmax(q, axis=dim)
    m = (p + q) / 2
    return (special.rel_entr(p, m) + special.rel_entr(q, m)).sum(dim) / 2


loss(
    "JSDivLoss", lambda r: (r.simplex(3, 4), r.simplex(3, 4)), js,
    edges=(
        lambda r: (np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])),
        lambda r: (np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]])),
    ),
    errors=(*SHAPE_ERRORS, (lambda r: (r.real(2, 3), r.unit(2, 3)), ValueError)),
)  # fmt: skip
loss(
    "JSDivLoss", lambda r: (r.real(3, 4, 2), r.real(3, 4, 2)), js, options={"dim": 1, "from_logits": True}, label="logits",
    edges=(lambda r: (np.array([[[1e4], [-1e4]]]), np.array([[[-1e4], [1e4]]])),),
)  # fmt: skip


def entropy_of(x: Any) -> Any:
    return special.entr(special.softmax(x, axis=1)).sum(1).mean()


def regularized(x: Any, y: Any, base: Any = None, weight: float = 0.1, mode: str = "confidence_penalty") -> Any:
    if base is None:
        value = -np.take_along_axis(special.log_softmax(x, axis=1), y[:, None], 1).mean()
    else:
        value = (x**2).mean()
    return value + (-weight if mode == "confidence_penalty" else weight) * entropy_of(x)


def mean_square(x: Any, y: Any) -> Any:
    return x.square().mean()


loss(
    "EntropyRegularizedLoss", lambda r: (r.real(3, 4, 2), r.index(4, 3, 2)), regularized, ("minimize", {"mode": "minimize", "weight": 0.7}),
    ("base", {"base": mean_square}), scalar=True, sliced=None, edges=(lambda r: (r.real(2, 3) * 1e4, r.index(3, 2)),),
    errors=((lambda r: (r.real(3), r.index(3, 1)), ValueOrShape),),
)  # fmt: skip


def distillation(
    s: Any, t: Any, y: Any = None, temperature: float = 4.0, alpha: float = 0.5, soft_weight: float = 1.0
) -> Any:
    p, q = special.softmax(t / temperature, axis=1), special.softmax(s / temperature, axis=1)
    value = soft_weight * temperature**2 * special.rel_entr(p, q).sum(1)
    return value if y is None else value - alpha * special.log_softmax(s, axis=1)[np.arange(len(y)), y]


loss(
    "DistillationLoss", lambda r: (r.real(3, 4), Constant(r.real(3, 4)), r.index(4, 3)), distillation,
    ("convex", {"temperature": 1.0, "alpha": 0.3, "soft_weight": 0.7}), sliced=(0, 1, 2),
    edges=(
        lambda r: (r.real(2, 3) * 1e4, r.real(2, 3) * 1e4, r.index(3, 2)),
        lambda r: (np.ones((2, 3)), np.ones((2, 3)), r.index(3, 2)),
        lambda r: (r.real(2, 1), r.real(2, 1), np.array([0, 0])),
    ),
    errors=(
        (lambda r: (r.real(3, 4), r.real(3, 5)), ValueOrShape),
        (lambda r: (r.real(3, 4), r.real(3, 4), np.full(3, 4)), IndexError),
        (lambda r: (r.real(3, 4), r.real(3, 4), r.index(4, 2)), ValueOrShape),
        (lambda r: (r.real(3, 4), r.real(3, 4)), ValueError, {"temperature": 0.0}),
    ),
)  # fmt: skip
loss("DistillationLoss", lambda r: (r.real(3, 4), Constant(r.real(3, 4))), distillation, label="unlabelled")


# ---- transport --------------------------------------------------------------------------------------------------


def log_sum(x: Any, axis: int) -> Any:
    """scipy.special.logsumexp for finite maxima, without its overhead of 20,000 calls."""
    top = x.max(axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis)) + top.squeeze(axis)


def transport(
    p: Any,
    q: Any,
    cost: Any = None,
    method: str = "cdf",
    positions: Any = None,
    eps: float = 0.1,
    normalize: bool = True,
    **rest: Any,
) -> Any:
    if normalize:
        p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    if cost is None:
        x = np.arange(p.shape[1]) if positions is None else positions.numpy()
        cost = np.abs(x[:, None] - x)
    out = []
    for n in range(len(p)):
        c = cost if cost.ndim == 2 else cost[n]
        if method == "sinkhorn":
            f, g = np.zeros(len(p[n])), np.zeros(len(q[n]))
            with np.errstate(divide="ignore"):
                for _ in range(20000):
                    before = f
                    f = eps * (np.log(p[n]) - log_sum((g - c) / eps, 1))
                    g = eps * (np.log(q[n]) - log_sum((f[:, None] - c) / eps, 0))
                    if np.allclose(f, before, rtol=0, atol=1e-15):  # of potentials near 1
                        break
            out.append((np.exp((f[:, None] + g - c) / eps) * c).sum())
        else:
            k, m = c.shape
            sums = np.vstack([np.kron(np.eye(k), np.ones(m)), np.kron(np.ones(k), np.eye(m))])
            out.append(optimize.linprog(c.reshape(-1), A_eq=sums[:-1], b_eq=np.r_[p[n], q[n]][:-1], method="highs").fun)
    return np.array(out)


def masses(r: Inputs) -> Any:
    return r.unit(2, 4), r.unit(2, 4)


def with_cost(r: Inputs) -> Any:
    return r.unit(2, 3), r.unit(2, 4), r.unit(3, 4)


loss(
    "EarthMoverLoss", masses, transport, ("positions", {"positions": pydl.tensor([0.0, 0.5, 2.0, 2.5])}),
    edges=(lambda r: (np.array([[1.0, 0, 0]]), np.array([[1.0, 0, 0]])), lambda r: (np.array([[1.0, 0, 0]]), np.array([[0.0, 0, 1]]))),
    errors=(
        (lambda r: (r.unit(2, 4), r.unit(2, 3)), ValueOrShape),
        (lambda r: (r.unit(2, 4), r.unit(3, 4)), ValueOrShape),
        (lambda r: (r.real(2, 4), r.unit(2, 4)), ValueError),
        (lambda r: (np.zeros((2, 4)), r.unit(2, 4)), ValueError),
        (masses, ValueError, {"eps": 0.0}),
        (masses, ValueError, {"max_iter": 0}),
        (masses, ValueError, {"positions": pydl.tensor([1.0, 0.0, 2.0, 3.0])}),
        (masses, ValueOrShape, {"positions": pydl.ones(3)}),
        (lambda r: (r.unit(2, 4), 2 + r.unit(2, 4)), ValueError, {"normalize": False, "method": "sinkhorn"}),
        (lambda r: (r.unit(2, 3), r.unit(2, 4), r.unit(4, 3)), ValueOrShape, {"method": "sinkhorn"}),
    ),
)  # fmt: skip
loss(
    "EarthMoverLoss", with_cost, transport, ("exact", {"method": "exact"}), options={"method": "sinkhorn", "tol": 1e-13, "max_iter": 20000},
    label="sinkhorn", gradgradcheck=False,
    edges=(
        lambda r: (np.array([[1.0, 0, 0]]), np.array([[0.0, 0, 1]]), r.unit(3, 3)),
        lambda r: (np.array([[1.0, 1, 1]]), np.array([[1.0, 1, 1]]), 100 * (1 - np.eye(3))),
        lambda r: (np.array([[1.0]]), np.array([[1.0]]), np.zeros((1, 1))),
    ),
)  # fmt: skip
loss(
    "EarthMoverLoss", lambda r: (r.unit(2, 2), r.unit(2, 3), r.unit(2, 2, 3)), transport,
    options={"method": "sinkhorn", "eps": 0.5, "tol": 1e-14}, label="sinkhorn-each", sliced=(0, 1, 2),
)  # fmt: skip
loss(
    "EarthMoverLoss", masses, transport, options={"method": "sinkhorn", "eps": 0.03, "max_iter": 100000, "tol": 1e-13},
    label="sinkhorn-sharp", gradcheck=False, half=False, tolerance=20,
)  # fmt: skip


def triangles(t: Any, bins: int, value_range: Any) -> Any:
    centres = np.linspace(*value_range, bins)
    width = centres[1] - centres[0]
    values = np.clip(t, *value_range).reshape(*t.shape[:2], -1, 1)
    return np.maximum(0, 1 - np.abs(values - centres) / width).mean(2)


def histogram(x: Any, y: Any, bins: int = 64, value_range: Any = (0.0, 1.0), distance: str = "l2") -> Any:
    h, g = triangles(x, bins, value_range), triangles(y, bins, value_range)
    if distance == "l2":
        return ((h - g) ** 2).sum(-1)
    if distance == "l1":
        return np.abs(h - g).sum(-1)
    if distance == "emd":
        return np.abs(np.cumsum(h - g, -1)).sum(-1) * (value_range[1] - value_range[0]) / (bins - 1)
    return np.sqrt(((np.sqrt(h) - np.sqrt(g)) ** 2).sum(-1) / 2)


def two_sizes(r: Inputs) -> Any:
    return r.unit(2, 3, 7), r.unit(2, 3, 2, 3)


loss(
    "HistogramLoss", two_sizes, histogram, ("l1", {"distance": "l1", "bins": 5}),
    ("emd", {"distance": "emd", "bins": 5, "value_range": (-1.0, 2.0)}), edges=(flat, equal, lambda r: (r.real(1, 1, 9) * 9, r.unit(1, 1, 4))),
    errors=(
        (lambda r: (r.unit(2, 3, 4), r.unit(2, 2, 4)), ValueOrShape),
        (lambda r: (r.unit(2), r.unit(2)), ValueOrShape),
        (lambda r: (r.unit(2, 3, 0), r.unit(2, 3, 1)), ValueOrShape),
    ),
    gradgradcheck=False,
)  # fmt: skip
loss(
    "HistogramLoss", two_sizes, histogram, options={"distance": "hellinger", "bins": 3}, label="hellinger", edges=(flat, equal),
)  # fmt: skip
