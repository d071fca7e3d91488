"""Point sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special
from scipy.spatial import distance

from . import Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def each(f: Any) -> Any:
    """Over a batch, or on one pair of sets."""

    def reference(x: Any, y: Any, **options: Any) -> Any:
        return np.array([f(a, b, **options) for a, b in zip(x, y)]) if x.ndim == 3 else f(x, y, **options)

    return reference


def chamfer(a: Any, b: Any, squared: bool = True, one_sided: bool = False) -> Any:
    d = distance.cdist(a, b, "sqeuclidean" if squared else "euclidean")
    return d.min(1).mean() + (0 if one_sided else d.min(0).mean())


def hausdorff(a: Any, b: Any, directed: bool = False) -> Any:
    there = distance.directed_hausdorff(a, b)[0]
    return there if directed else max(there, distance.directed_hausdorff(b, a)[0])


def clouds(r: Inputs) -> Any:
    return r.real(2, 5, 3), r.real(2, 7, 3)


EDGES = (
    lambda r: (np.zeros((1, 4, 2)), np.zeros((1, 3, 2))),
    lambda r: (r.real(1, 4, 2) * 1e4, r.real(1, 3, 2)),
    lambda r: (np.ones((2, 1, 1)), np.ones((2, 1, 1))),
)
ERRORS = (
    (lambda r: (r.real(2, 5, 3), r.real(2, 7, 2)), ValueOrShape),
    (lambda r: (r.real(2, 5, 3), r.real(3, 7, 3)), ValueOrShape),
    (lambda r: (r.real(2, 5, 3), r.real(7, 3)), ValueOrShape),
    (lambda r: (r.real(5), r.real(5)), ValueOrShape),
    (lambda r: (r.real(2, 0, 3), r.real(2, 7, 3)), ValueError),
    (lambda r: (r.real(2, 5, 3), r.real(2, 0, 3)), ValueError),
)
for name, f, options in (
    ("ChamferLoss", chamfer, {"squared": False, "one_sided": True}),
    ("HausdorffLoss", hausdorff, {"directed": True}),
):
    loss(name, clouds, each(f), ("other", options), edges=EDGES, errors=ERRORS)
    loss(name, lambda r: (r.real(4, 2), r.real(6, 2)), each(f), label="unbatched", sliced=None)
    loss(name, lambda r: (r.real(1, 9, 5), r.real(1, 600, 5)), each(f), label="many", gradcheck=False, half=False)


def base(x: Any, y: Any, kind: str, reduction: str) -> Any:
    if kind == "points":
        values = ((x - y) ** 2).sum(-1)
    else:
        values = -np.take_along_axis(special.log_softmax(x, axis=1), y[:, None], 1)
    return values.mean() if reduction == "mean" else values.sum()


def pointnet(
    x: Any, y: Any, a: Any = None, loss: str = "cross_entropy", reg_weight: float = 0.001, reduction: str = "mean"
) -> Any:
    value = base(x, y, loss, reduction)
    if a is not None:
        value += reg_weight * np.mean([np.linalg.norm(m @ m.T - np.eye(len(m))) ** 2 for m in a])
    return value


def pointnet2(
    x: Any,
    y: Any,
    f: Any = None,
    g: Any = None,
    loss: str = "cross_entropy",
    lambd: float = 1.0,
    reduction: str = "mean",
) -> Any:
    value = base(x, y, loss, reduction)
    return value if f is None else value + lambd * base(f, g, "points", reduction)


SCALAR: dict[str, Any] = {"scalar": True, "sliced": None}
loss(
    "PointNetLoss", lambda r: (r.real(3, 4, 2), r.index(4, 3, 2), r.real(3, 2, 2)), pointnet,
    ("sum", {"reduction": "sum", "reg_weight": 0.5}),
    edges=(lambda r: (r.real(2, 4) * 1e4, r.index(4, 2), np.eye(3)[None]),),
    errors=(
        (lambda r: (r.real(2, 4), np.array([0, 4])), IndexError),
        (lambda r: (r.real(2, 4), r.index(4, 3)), ValueOrShape),
        (lambda r: (r.real(2, 4), r.index(4, 2), r.real(2, 3, 2)), ValueOrShape),
        (lambda r: (r.real(2, 4), r.index(4, 2)), ValueError, {"reduction": "none"}),
    ),
    **SCALAR,
)  # fmt: skip
loss(
    "PointNetLoss", lambda r: (r.real(3, 4, 2), r.real(3, 4, 2)), pointnet, options={"loss": "points", "reduction": "sum"},
    label="points", edges=(lambda r: (np.ones((2, 3)), np.ones((2, 3))),), **SCALAR,
)  # fmt: skip
loss(
    "PointNet2Loss", lambda r: (r.real(3, 4), r.index(4, 3), r.real(3, 2), r.real(3, 2)), pointnet2, options={"lambd": 0.5},
    edges=(lambda r: (r.real(3, 4) * 1e4, r.index(4, 3), np.ones((3, 2)), np.ones((3, 2))),),
    errors=(
        (lambda r: (r.real(3, 4), r.index(4, 3), r.real(3, 2)), ValueError),
        (lambda r: (r.real(3, 4), r.index(4, 3), r.real(3, 2), r.real(3, 1)), ValueOrShape),
    ),
    **SCALAR,
)  # fmt: skip
loss(
    "PointNet2Loss", lambda r: (r.real(5, 3), r.real(5, 3), r.real(5, 2), r.real(5, 2)), pointnet2,
    options={"loss": "points", "reduction": "sum"}, label="points", **SCALAR,
)  # fmt: skip
