"""Features, images, adversaries."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage, special

import pydl

from . import Constant, Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def two_layers(x: Any) -> Any:
    """Of tensors and of arrays."""
    return [x * x, (x * 2)[:, :1]]


def pairs(x: Any, y: Any, extractor: Any, weights: Any) -> Any:
    if extractor is not None:
        x, y = extractor(x), extractor(y)
    x, y = (v if isinstance(v, list) else [v] for v in (x, y))
    return list(zip(weights or [1.0] * len(x), x, y))


def perceptual(
    x: Any, y: Any, extractor: Any = None, feature_extractor: Any = None, weights: Any = None, loss: str = "mse",
    reduction: str = "mean", factor: float = 1.0,
) -> Any:  # fmt: skip
    value = 0.0
    for w, a, b in pairs(x, y, extractor or feature_extractor, weights):
        error = (a - b) ** 2 if loss == "mse" else np.abs(a - b)
        value += factor * w * (error.mean() if reduction == "mean" else error.sum())
    return value


def extracting(cls: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
    return cls(inputs[2], **options), inputs[:2]


def constant_target(r: Inputs) -> Any:
    return r.real(2, 3, 4), Constant(r.real(2, 3, 4))


def equal(r: Inputs) -> Any:
    x = r.real(2, 3, 4)
    return x, Constant(x.copy())


SCALAR: dict[str, Any] = {"scalar": True, "sliced": None}
loss(
    "PerceptualLoss", lambda r: (*constant_target(r), two_layers), perceptual, ("weights", {"weights": [0.5, 2.0], "reduction": "sum"}),
    ("l1", {"loss": "l1"}), build=extracting, edges=(lambda r: (*equal(r), two_layers),),
    errors=(
        (lambda r: (*constant_target(r), two_layers), ValueError, {"weights": [1.0]}),
        (lambda r: (*constant_target(r), two_layers), ValueError, {"layers": ["0"]}),
        (lambda r: (*constant_target(r), pydl.nn.Sequential()), ValueError, {"layers": ["0"]}),
        (lambda r: (r.real(2, 3, 4), r.real(2, 3, 5), two_layers), ValueOrShape),
        (lambda r: (*constant_target(r), two_layers), ValueError, {"reduction": "none"}),
    ),
    **SCALAR,
)  # fmt: skip


def style(x: Any, y: Any, feature_extractor: Any = None, weights: Any = None, normalize: bool = True) -> Any:
    total = 0.0
    for w, a, b in pairs(x, y, feature_extractor, weights):
        grams = []
        for t in (a, b):
            f = t.reshape(*t.shape[:2], -1)
            grams.append(np.einsum("ncl,ndl->ncd", f, f) / (f.shape[1] * f.shape[2] if normalize else 1))
        total = total + w * ((grams[0] - grams[1]) ** 2).sum((1, 2))
    return total


loss(
    "StyleLoss", lambda r: (r.real(2, 3, 4), Constant(r.real(2, 3, 2, 3))), style, ("plain", {"normalize": False}),
    ("extractor", {"feature_extractor": two_layers, "weights": [0.3, 2.0]}),
    edges=(equal,),
    errors=(
        (lambda r: (r.real(2, 3, 4), r.real(2, 2, 4)), ValueOrShape),
        (lambda r: ([r.real(2, 3, 4)], []), ValueError),
        (constant_target, ValueError, {"weights": [1.0, 2.0]}),
        (constant_target, ValueError, {"layers": ["0"]}),
    ),
)  # fmt: skip
loss(
    "StyleLoss", lambda r: ([r.real(2, 3, 4), r.real(2, 2)], [Constant(r.real(2, 3, 5)), Constant(r.real(2, 2))]), style,
    options={"weights": [1.0, 0.5]}, label="sequence", sliced=None,
)  # fmt: skip
loss(
    "ContentLoss", constant_target, perceptual, ("Gatys", {"factor": 0.5, "reduction": "sum"}),
    ("extractor", {"feature_extractor": two_layers}), edges=(equal,),
    errors=(
        (lambda r: (r.real(2, 3), r.real(2, 2)), ValueOrShape),
        (constant_target, ValueError, {"reduction": "none"}),
        (lambda r: ([], []), ValueError),
    ),
    **SCALAR,
)  # fmt: skip


def matched(x: Any, y: Any, weights: Any = None, mode: str = "elementwise") -> Any:
    value = 0.0
    for w, a, b in pairs(x, y, None, weights):
        value += w * (np.abs(a - b).mean() if mode == "elementwise" else ((a.mean(0) - b.mean(0)) ** 2).sum())
    return value


def features(r: Inputs) -> Any:
    return [r.real(3, 2), r.real(3, 2, 2)], [Constant(r.real(3, 2)), Constant(r.real(3, 2, 2))]


loss(
    "FeatureMatchingLoss", features, matched, ("moments", {"mode": "moments", "weights": [1.0, 0.2]}),
    edges=(lambda r: ([np.ones((2, 3))], [np.ones((2, 3))]),),
    errors=(
        (lambda r: ([r.real(2, 3)], []), ValueError),
        (lambda r: ([r.real(2, 3)], [r.real(2, 4)]), ValueOrShape),
        (lambda r: ([r.real(2, 3)], [r.real(2, 4)]), ValueOrShape, {"mode": "moments"}),
        (features, ValueError, {"weights": [1.0]}),
    ),
    **SCALAR,
)  # fmt: skip


# ---- images -----------------------------------------------------------------------------------------------------


def variation(x: Any, p: int = 1, average: bool = False) -> Any:
    out = []
    for image in x:
        steps = [np.abs(np.diff(image, axis=a)) ** p for a in range(1, image.ndim)]
        out.append(sum((s.mean() if average else s.sum()) for s in steps if s.size))
    return np.array(out, dtype=float)


loss(
    "TotalVariationLoss", lambda r: (r.real(2, 3, 4, 5),), variation, ("squared", {"p": 2, "average": True}), ("mean", {"average": True}),
    sliced=(0,), edges=(lambda r: (np.ones((1, 1, 3, 1)),), lambda r: (np.ones((1, 1, 1)),)),
    errors=((lambda r: (r.real(2, 3),), ValueOrShape), (lambda r: (r.real(2, 3, 4),), ValueError, {"p": 3})),
)  # fmt: skip


def cycle(
    rx: Any,
    x: Any,
    ry: Any,
    y: Any,
    ix: Any = None,
    iy: Any = None,
    lambda_cycle: float = 10.0,
    lambda_identity: float = 0.5,
    loss: str = "l1",
) -> Any:
    def apart(a: Any, b: Any) -> Any:
        return (np.abs(a - b) if loss == "l1" else (a - b) ** 2).mean()

    value = lambda_cycle * (apart(rx, x) + apart(ry, y))
    return value if ix is None or iy is None else value + lambda_cycle * lambda_identity * (apart(ix, x) + apart(iy, y))


loss(
    "CycleConsistencyLoss", lambda r: (r.real(2, 3), r.real(2, 3), r.real(3, 2), r.real(3, 2), r.real(2, 3), r.real(3, 2)), cycle,
    ("mse", {"loss": "mse", "lambda_cycle": 1.0, "lambda_identity": 2.0}), edges=(lambda r: (np.ones((1, 2)),) * 4,),
    errors=((lambda r: (r.real(2, 3), r.real(2, 2), r.real(2), r.real(2)), ValueOrShape),), **SCALAR,
)  # fmt: skip
loss(
    "CycleConsistencyLoss",
    lambda r: (r.real(2, 3), r.real(2, 3), r.real(3), r.real(3)),
    cycle,
    label="no-identity",
    **SCALAR,
)


def temporal(x: Any, previous: Any, flow: Any = None, mask: Any = None, p: int = 1) -> Any:
    before = previous
    if flow is not None:
        rows, columns = np.mgrid[: x.shape[2], : x.shape[3]].astype(float)
        before = np.stack(
            [
                [ndimage.map_coordinates(c, [rows + f[1], columns + f[0]], order=1, mode="nearest") for c in image]
                for image, f in zip(previous, flow)
            ]
        )
    values = np.abs(x - before) ** p
    return values if mask is None else values * mask


def frames(r: Inputs) -> Any:
    return r.real(2, 3, 4, 5), r.real(2, 3, 4, 5), r.real(2, 2, 4, 5), r.unit(2, 1, 4, 5)


loss(
    "TemporalConsistencyLoss", frames, temporal, ("squared", {"p": 2}), sliced=(0, 1, 2, 3), gradcheck=False,
    edges=(
        lambda r: (np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), r.real(1, 2, 2, 2) * 1e4, np.zeros((1, 1, 2, 2))),
        lambda r: (np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1)), np.zeros((1, 2, 1, 1))),
    ),
    errors=(
        (lambda r: (r.real(2, 3, 4), r.real(2, 3, 4)), ValueOrShape),
        (lambda r: (r.real(2, 3, 4, 5), r.real(2, 3, 4, 5), r.real(2, 3, 4, 5)), ValueOrShape),
        (lambda r: (r.real(2, 3, 4, 5), r.real(2, 3, 4, 5), None, r.real(2, 3, 4, 5)), ValueOrShape),
    ),
)  # fmt: skip
loss("TemporalConsistencyLoss", lambda r: frames(r)[:2], temporal, label="still")
loss(
    "TemporalConsistencyLoss", lambda r: (r.real(1, 2, 4, 5), r.real(1, 2, 4, 5), 0.3 + 0.3 * r.unit(1, 2, 4, 5)), temporal,
    label="moving", sliced=(0, 1, 2), gradgradcheck=False,
)  # fmt: skip


# ---- adversaries ------------------------------------------------------------------------------------------------


def term(
    scores: Any, real: bool, for_discriminator: bool = True, mode: str = "vanilla", saturating: bool = False
) -> Any:
    s = scores if real else -scores
    if mode == "vanilla":
        if not for_discriminator and saturating:
            return special.log_expit(-s).mean()
        return -special.log_expit(s).mean()
    if mode == "lsgan":
        return ((scores - (1 if real else 0)) ** 2).mean() / 2
    return np.maximum(0, 1 - s).mean() if mode == "hinge" and for_discriminator else -s.mean()


def discriminator(cls: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
    """The module's two methods as one term."""
    module = cls(**options)
    real = inputs[1]
    if not inputs[2]:
        return Generator(module), inputs[:1]
    return (RealTerm if real else FakeTerm)(module), inputs[:1]


class Half(pydl.nn.Module):
    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def __repr__(self) -> str:
        return repr(self.loss)


class Generator(Half):
    def forward(self, scores: Any) -> Any:
        return self.loss.generator(scores)


# Scores of the other kind whose term is 0: what a perfect discriminator gives.
CERTAIN = {"vanilla": (1e4, -1e4), "lsgan": (1.0, 0.0), "hinge": (1e4, -1e4), "wgan": (0.0, 0.0)}


class RealTerm(Half):
    def forward(self, scores: Any) -> Any:
        return self.loss(scores, pydl.full((2,), CERTAIN[self.loss.mode][1], dtype=scores.dtype))


class FakeTerm(Half):
    def forward(self, scores: Any) -> Any:
        return self.loss.discriminator(pydl.full((3,), CERTAIN[self.loss.mode][0], dtype=scores.dtype), scores)


for mode in ("vanilla", "lsgan", "hinge", "wgan"):
    for label, args in {"real": (True, True), "fake": (False, True), "generator": (True, False)}.items():
        loss(
            "AdversarialLoss", lambda r, a=args: (r.real(3, 2), *a), term, options={"mode": mode}, label=f"{mode}-{label}",
            edges=(lambda r, a=args: (np.array([1e4, -1e4, 0.0]), *a),), scalar=True, sliced=None, build=discriminator,
            tolerance=3,
        )  # fmt: skip
loss(
    "AdversarialLoss", lambda r: (r.real(3, 2), True, False), term, options={"saturating": True}, label="saturating",
    edges=(lambda r: (np.array([1e4, -1e4]), True, False),), build=discriminator, **SCALAR,
)  # fmt: skip
loss(
    "WassersteinLoss", lambda r: (r.real(3, 2), r.real(4)), lambda a, b, maximize=False: (a.mean() - b.mean()) * (1 if maximize else -1),
    ("maximize", {"maximize": True}), edges=(lambda r: (r.real(3) * 1e4, r.real(3) * 1e4),), **SCALAR,
)  # fmt: skip


def critic(x: Any) -> Any:
    return (x**3).reshape(len(x), -1).sum(1) / 3


def gp(
    critic: Any, real: Any, fake: Any, alpha: Any, lambd: float = 10.0, maximize: bool = False, one_sided: bool = False
) -> Any:
    mix = alpha.reshape(-1, *[1] * (real.ndim - 1))
    slope = (mix * real + (1 - mix) * fake) ** 2
    excess = np.linalg.norm(slope.reshape(len(real), -1), axis=1) - 1
    penalty = ((np.maximum(excess, 0) if one_sided else excess) ** 2).mean()
    scores = critic(fake).mean() - critic(real).mean()
    return (-scores if maximize else scores) + lambd * penalty


def between(r: Inputs) -> Any:
    return critic, r.real(3, 2, 2), Constant(r.real(3, 2, 2)), Constant(r.unit(3))


loss(
    "WGANGPLoss", between, gp, ("one-sided", {"one_sided": True, "maximize": True, "lambd": 2.0}),
    edges=(lambda r: (critic, np.zeros((2, 3)), np.zeros((2, 3))),),
    errors=((lambda r: (critic, r.real(3, 2), r.real(3, 3)), ValueOrShape),), half=False, **SCALAR,
)  # fmt: skip
