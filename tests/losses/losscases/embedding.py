"""Embeddings: pairs, labels, class directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

import pydl

from . import Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(length == 0, 1, length)


def contrastive(a: Any, b: Any, y: Any = None, margin: float = 1.0, similar: int = 0) -> Any:
    d = np.linalg.norm(a - b, axis=1)
    near, far = d**2 / 2, np.maximum(margin - d, 0) ** 2 / 2
    if y is None:
        return near + far
    return np.where(y == similar, near, far)


PAIR_ERRORS: tuple[Any, ...] = (
    (lambda r: (r.real(4, 3), r.real(4, 2)), ValueOrShape),
    (lambda r: (r.real(4), r.real(4)), ValueOrShape),
)
loss(
    "ContrastiveLoss",
    lambda r: (r.real(4, 3), r.real(4, 3), r.index(2, 4)),
    contrastive,
    ("turned", {"similar": 1, "margin": 3.0}),
    options={"margin": 2.0},
    sliced=(0, 1, 2),
    edges=(
        lambda r: (np.zeros((2, 3)), np.zeros((2, 3)), np.array([0, 1])),
        lambda r: (r.real(2, 3) * 1e4, r.real(2, 3), np.array([0, 1])),
    ),
    errors=(
        *PAIR_ERRORS,
        (lambda r: (r.real(4, 3), r.real(4, 3), r.index(2, 3)), ValueOrShape),
        (lambda r: (r.real(4, 3), r.real(4, 3), np.full(4, 2)), ValueError),
    ),
)
loss("ContrastiveLoss", lambda r: (r.real(4, 3), r.real(4, 3)), contrastive, label="both")


def siamese(a: Any, b: Any, distance: Any = "euclidean") -> Any:
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    if callable(distance) or distance == "sqeuclidean":
        return ((a - b) ** 2).sum(1)
    if distance == "cosine":
        return 1 - (unit(a) * unit(b)).sum(1)
    return np.linalg.norm(a - b, axis=1) if distance == "euclidean" else np.abs(a - b).sum(1)


def squares(a: Any, b: Any) -> Any:
    return (a - b).square().sum(1)


def equal(r: Inputs) -> Any:
    x = r.real(2, 3)
    return x, x.copy()


def zero(r: Inputs) -> Any:
    return np.zeros((2, 3)), r.real(2, 3)


loss(
    "SiameseLoss", lambda r: (r.real(4, 2, 3), r.real(4, 2, 3)), siamese, ("sqeuclidean", {"distance": "sqeuclidean"}),
    ("manhattan", {"distance": "manhattan"}), ("callable", {"distance": squares}), edges=(equal, zero),
    errors=((lambda r: (r.real(4, 3), r.real(4, 2)), ValueOrShape), (equal, ValueOrShape, {"distance": lambda a, b: a})),
)  # fmt: skip
loss(
    "SiameseLoss",
    lambda r: (r.real(4, 3), r.real(4, 3)),
    siamese,
    options={"distance": "cosine"},
    label="cosine",
    edges=(equal, zero),
)


def nt_xent(x: Any, y: Any, temperature: float = 0.07) -> Any:
    s = unit(x) @ unit(x).T / temperature
    out = []
    for a in range(len(x)):
        for p in range(len(x)):
            if a != p and y[a] == y[p]:
                row = [s[a, p], *(s[a, n] for n in range(len(x)) if y[n] != y[a])]
                out.append(special.logsumexp(row) - s[a, p])
    return np.array(out)


def supcon(x: Any, y: Any, temperature: float = 0.1) -> Any:
    s = unit(x) @ unit(x).T / temperature
    out = []
    for i in range(len(x)):
        others = [a for a in range(len(x)) if a != i]
        positives = [p for p in others if y[p] == y[i]]
        terms = [special.logsumexp(s[i, others]) - s[i, p] for p in positives]
        out.append(np.mean(terms) if terms else 0.0)
    return np.array(out)


def over_anchors(values: np.ndarray, reduction: str, inputs: Any) -> Any:
    y = inputs[1]
    count = sum((y == label).sum() > 1 for label in y)
    return values.sum() if reduction == "sum" else values.sum() / max(1, count)


def tagged(r: Inputs) -> Any:
    return r.real(6, 3), np.array([0, 1, 0, 2, 1, 0])


LABEL_ERRORS: tuple[Any, ...] = (
    (lambda r: (r.real(4, 3), r.index(2, 3)), ValueOrShape),
    (lambda r: (r.real(4), r.index(2, 4)), ValueOrShape),
    (lambda r: (r.real(4, 3), r.real(4)), TypeError),
)
LABEL_EDGES = (
    lambda r: (np.zeros((4, 3)), np.array([0, 0, 1, 1])),
    lambda r: (np.ones((4, 3)), np.array([0, 0, 1, 1])),
    lambda r: (r.real(3, 3) * 1e4, np.array([0, 1, 2])),
    lambda r: (r.real(3, 3), np.array([1, 1, 1])),
    lambda r: (r.real(0, 3), np.zeros(0, dtype=int)),
)
TEMPERATURE = ((tagged, ValueError, {"temperature": 0.0}),)
loss(
    "NTXentLoss",
    tagged,
    nt_xent,
    ("warm", {"temperature": 0.5}),
    sliced=None,
    edges=LABEL_EDGES,
    errors=(*LABEL_ERRORS, *TEMPERATURE),
)
loss(
    "SupConLoss", tagged, supcon, ("warm", {"temperature": 0.5}), sliced=None, reduced=over_anchors, edges=LABEL_EDGES,
    errors=(*LABEL_ERRORS, *TEMPERATURE),
)  # fmt: skip


def info_nce(q: Any, p: Any, negatives: Any = None, temperature: float = 0.07) -> Any:
    q, p = unit(q), unit(p)
    out = []
    for i in range(len(q)):
        rest = [p[j] for j in range(len(p)) if j != i] if negatives is None else unit(negatives)
        row = np.array([q[i] @ p[i], *(q[i] @ n for n in rest)]) / temperature
        out.append(special.logsumexp(row) - row[0])
    return np.array(out)


loss(
    "InfoNCELoss", lambda r: (r.real(4, 3), r.real(4, 3), r.real(5, 3)), info_nce, ("warm", {"temperature": 1.0}),
    edges=(
        lambda r: (np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((1, 3))),
        lambda r: (np.ones((2, 3)), np.ones((2, 3)), np.ones((0, 3))),
        lambda r: (r.real(1, 3), r.real(1, 3)),
    ),
    errors=(
        (lambda r: (r.real(4, 3), r.real(4, 2)), ValueOrShape),
        (lambda r: (r.real(4, 3), r.real(3, 3)), ValueOrShape),
        (lambda r: (r.real(4, 3), r.real(4, 3), r.real(4, 2)), ValueOrShape),
        (lambda r: (r.real(4, 3), r.real(4, 3)), ValueError, {"temperature": -1.0}),
    ),
)  # fmt: skip
loss("InfoNCELoss", lambda r: (r.real(4, 3), r.real(4, 3)), info_nce, label="in-batch", sliced=None)


def triangle(s: np.ndarray, bins: int) -> np.ndarray:
    centres = np.linspace(-1, 1, bins)
    return np.maximum(0, 1 - np.abs(s[:, None] - centres) / (2 / (bins - 1))).mean(0)


def histogram(x: Any, y: Any, bins: int = 151) -> Any:
    z = unit(x)
    pairs = [(z[i] @ z[j], y[i] == y[j]) for i in range(len(x)) for j in range(i + 1, len(x))]
    like = triangle(np.array([s for s, same in pairs if same]), bins)
    unlike = triangle(np.array([s for s, same in pairs if not same]), bins)
    return sum(unlike[r] * like[: r + 1].sum() for r in range(bins))


loss(
    "EmbeddingHistogramLoss", tagged, histogram, ("few", {"bins": 5}), scalar=True, sliced=None, edges=LABEL_EDGES,
    errors=(*LABEL_ERRORS, ), gradgradcheck=False,
)  # fmt: skip


def barlow(a: Any, b: Any, lambd: float = 0.005, eps: float = 1e-5) -> Any:
    z = [(t - t.mean(0)) / np.sqrt(t.var(0) + eps) for t in (a, b)]
    c = z[0].T @ z[1] / len(a)
    off = c - np.diag(np.diag(c))
    return ((1 - np.diag(c)) ** 2).sum() + lambd * (off**2).sum()


loss(
    "BarlowTwinsLoss", lambda r: (r.real(5, 3), r.real(5, 3)), barlow, ("stronger", {"lambd": 0.5}), scalar=True, sliced=None,
    edges=(lambda r: (np.ones((3, 2)), np.ones((3, 2))), lambda r: (r.real(3, 2) * 1e4, r.real(3, 2))),
    errors=(*PAIR_ERRORS, (lambda r: (r.real(1, 3), r.real(1, 3)), ValueOrShape)),
)  # fmt: skip


def with_rows(cls: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
    """The function's third argument as the module's parameter."""
    module = cls(*inputs[2].shape, **options).to(inputs[2].dtype)
    with pydl.no_grad():
        getattr(module, cls._rows).copy_(inputs[2])
    return module, inputs[:2]


def classes(r: Inputs) -> Any:
    return r.real(5, 3), r.index(4, 5), r.real(4, 3)


CLASS_ERRORS: tuple[Any, ...] = (
    (lambda r: (r.real(5, 3), r.index(4, 5), r.real(4, 2)), ValueOrShape),
    (lambda r: (r.real(5, 3), r.index(4, 4), r.real(4, 3)), ValueOrShape),
    (lambda r: (r.real(5, 3), np.full(5, 4), r.real(4, 3)), IndexError),
    (lambda r: (r.real(5, 3), r.real(5), r.real(4, 3)), TypeError),
)
CLASS_EDGES = (
    lambda r: (np.zeros((2, 3)), np.array([0, 1]), r.real(2, 3)),
    lambda r: (np.ones((2, 3)), np.array([0, 1]), np.array([[1.0, 1, 1], [-1, -1, -1]])),
    lambda r: (r.real(2, 3) * 1e4, np.array([0, 0]), r.real(1, 3)),
    lambda r: (r.real(0, 3), np.zeros(0, dtype=int), r.real(2, 3)),
)


def center(x: Any, y: Any, c: Any) -> Any:
    return ((x - c[y]) ** 2).sum(1) / 2


def angular(x: Any, y: Any, w: Any) -> Any:
    return (1 - (unit(x) * unit(w)[y]).sum(1)) ** 2


def margin_entropy(lowered: Any) -> Any:
    def reference(x: Any, y: Any, w: Any, margin: float, scale: float = 64.0) -> Any:
        cosines = unit(x) @ unit(w).T
        for i, label in enumerate(y):
            cosines[i, label] = lowered(cosines[i, label], margin)
        logs = special.log_softmax(scale * cosines, axis=1)
        return -logs[np.arange(len(y)), y]

    return reference


def arc(cosine: float, margin: float) -> float:
    theta = np.arccos(cosine)
    return np.cos(theta + margin) if theta <= np.pi - margin else cosine - margin * np.sin(margin)


ROWS: dict[str, Any] = {"build": with_rows, "errors": CLASS_ERRORS, "edges": CLASS_EDGES}
loss("CenterLoss", classes, center, **ROWS)
loss("AngularLoss", classes, angular, **ROWS)
loss(
    "ArcFaceLoss",
    classes,
    margin_entropy(arc),
    ("wide", {"margin": 1.2, "scale": 4.0}),
    options={"margin": 0.5, "scale": 8.0},
    **ROWS,
)
loss(
    "CosFaceLoss", classes, margin_entropy(lambda c, m: c - m), ("wide", {"margin": 0.1, "scale": 64.0}),
    options={"margin": 0.35, "scale": 8.0}, tolerance=3, **ROWS,
)  # fmt: skip


def angular_triplet(a: Any, p: Any, n: Any, alpha: float = 40.0) -> Any:
    tan = np.tan(alpha * np.pi / 180)
    return np.maximum(0, ((a - p) ** 2).sum(1) - 4 * tan**2 * ((n - (a + p) / 2) ** 2).sum(1))


loss(
    "AngularTripletLoss", lambda r: (r.real(5, 3), r.real(5, 3), r.real(5, 3) / 9), angular_triplet, ("narrow", {"alpha": 10.0}),
    sliced=(0, 1, 2), edges=(lambda r: (np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3))),),
    errors=(
        (lambda r: (r.real(5, 3), r.real(5, 3), r.real(4, 3)), ValueOrShape),
        (lambda r: (r.real(5, 3), r.real(5, 3), r.real(5, 3)), ValueError, {"alpha": 90.0}),
    ),
)  # fmt: skip
