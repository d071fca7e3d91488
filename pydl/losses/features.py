"""Losses in the space of a network's features: perceptual, style, content, feature matching."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    HALF,
    Loss,
    MeanOrSum,
    Reduction,
    functional,
    matching,
    mean,
    need_dims,
    need_shape,
    reduce,
    shape_error,
    widen,
)
from pydl.nn import Module

__all__ = [
    "ContentLoss", "FeatureMatchingLoss", "PerceptualLoss", "StyleLoss", "content_loss", "feature_matching_loss",
    "gram_matrix", "perceptual_loss", "style_loss",
]  # fmt: skip

Features = Tensor | Sequence[Tensor] | Mapping[str, Tensor]
Extractor = Callable[[Tensor], Features]


def _list(op: str, features: Any) -> list[Tensor]:
    """A tensor, a sequence or a mapping of tensors as a list, 16-bit floats as float32."""
    if isinstance(features, Tensor):
        return [widen(features)]
    found = list(features.values()) if isinstance(features, Mapping) else list(features)
    for t in found:
        if not isinstance(t, Tensor):
            raise TypeError(f"{op}(): features must be tensors, got {type(t).__name__}")
    return [widen(t) for t in found]


def _extracted(op: str, extractor: Extractor | None, x: Any, layers: Sequence[str] | None) -> list[Tensor]:
    """What the extractor returns, or the outputs of its submodules of these names."""
    if extractor is None:
        if layers is not None:
            raise ValueError(f"{op}(): layers need a feature_extractor")
        return _list(op, x)
    if not isinstance(x, Tensor):
        raise TypeError(f"{op}(): with a feature_extractor input and target must be tensors, got {type(x).__name__}")
    if layers is None:
        return _list(op, extractor(x))
    if not isinstance(extractor, Module):
        raise ValueError(f"{op}(): layers need a feature_extractor that is a Module, got {type(extractor).__name__}")
    modules = dict(extractor.named_modules())
    unknown = [name for name in layers if name not in modules]
    if unknown:
        raise ValueError(f"{op}(): feature_extractor has no submodule {', '.join(map(repr, unknown))}")
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        # A copy, as the next module may change the output in place.
        return lambda module, inputs, output: outputs.__setitem__(
            name, output.clone() if isinstance(output, Tensor) else output
        )

    hooks = [modules[name].register_forward_hook(keep(name)) for name in layers]
    try:
        extractor(x)
    finally:
        for hook in hooks:
            hook.remove()
    idle = [name for name in layers if name not in outputs]
    if idle:
        raise ValueError(f"{op}(): feature_extractor does not run its submodule {', '.join(map(repr, idle))}")
    return _list(op, [outputs[name] for name in layers])


def _pairs(
    op: str,
    extractor: Extractor | None,
    input: Any,
    target: Any,
    layers: Sequence[str] | None,
    weights: Sequence[float] | None,
) -> list[tuple[float, Tensor, Tensor]]:
    """Weight, features of the input and features of the target, layer by layer; the target is a constant."""
    ours = _extracted(op, extractor, input, layers)
    with pydl.no_grad():
        theirs = [t.detach() for t in _extracted(op, extractor, target, layers)]
    if len(ours) != len(theirs):
        raise ValueError(f"{op}(): input has {len(ours)} layers of features, target {len(theirs)}")
    if not ours:
        raise ValueError(f"{op}(): there are no features to compare")
    factors = [1.0] * len(ours) if weights is None else [float(w) for w in weights]
    if len(factors) != len(ours):
        raise ValueError(f"{op}(): weights must be {len(ours)} numbers, one per layer, got {len(factors)}")
    return [(w, a, b.to(a.dtype)) for w, a, b in zip(factors, ours, theirs)]


def _added(terms: list[Tensor], like: Any) -> Tensor:
    """The sum of the layers' terms, in the dtype of the first input."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    first = like if isinstance(like, Tensor) else next(iter(like.values() if isinstance(like, Mapping) else like))
    return total.to(first.dtype) if first.dtype in HALF else total


class _FrozenExtractor(Loss):
    """A loss whose extractor, if it is a module, stays in eval mode with frozen parameters."""

    def _set_options(self, options: dict[str, Any]) -> None:
        super()._set_options(options)
        extractor = options["feature_extractor"]
        if isinstance(extractor, Module):
            extractor.requires_grad_(False).eval()
        elif extractor is not None and not callable(extractor):
            kind = type(self).__name__
            raise TypeError(f"{kind}(): feature_extractor must be callable, got {type(extractor).__name__}")

    def train(self, mode: bool = True) -> Any:
        """As of every module, but the extractor stays in eval mode."""
        super().train(mode)
        if isinstance(self.feature_extractor, Module):
            self.feature_extractor.eval()
        return self


@functional(widening=False)
def gram_matrix(input: Tensor, normalize: bool = True) -> Tensor:
    """F F^T of features flattened to (N, C, L): how alike the channels respond, wherever in the image.

    Shapes: (N, C, *) -> (N, C, C).

    Args:
        normalize: divide by C * L (Johnson et al. 2016). Default: True; False gives the matrix of Gatys et al. 2016.

    Raises:
        ShapeError: fewer than two dims.

    Example:
        >>> import pydl
        >>> pydl.losses.gram_matrix(pydl.tensor([[[1.0, 1.0], [0.0, 2.0]]]), normalize=False)
        tensor([[[2., 2.],
                 [2., 4.]]])
    """
    need_dims("gram_matrix", "input", input, "(N, C, *)", 2)
    f = widen(input)
    f = f.flatten(2) if f.dim() > 2 else f.unsqueeze(2)
    gram = f @ f.mT
    if normalize:
        gram = gram / max(1, f.shape[1] * f.shape[2])
    return gram.to(input.dtype)


@functional(widening=False)
def perceptual_loss(
    input: Tensor,
    target: Tensor,
    feature_extractor: Extractor,
    layers: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    loss: Literal["mse", "l1"] = "mse",
    reduction: MeanOrSum = "mean",
) -> Tensor:
    """Functional form of :class:`PerceptualLoss`; uses the extractor as it is, without freezing it.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[3.0, 4.0]])
        >>> pydl.losses.perceptual_loss(x, 0 * x, lambda t: [t, 2 * t], reduction="sum")
        tensor(125.)
    """
    op = "perceptual_loss"
    terms = []
    for w, a, b in _pairs(op, feature_extractor, input, target, layers, weights):
        need_shape(op, "features of the target", b, a.shape)
        terms.append(w * reduce((a - b).square() if loss == "mse" else (a - b).abs(), reduction))
    return _added(terms, input)


class PerceptualLoss(_FrozenExtractor, of=perceptual_loss):
    """sum_l w_l * mean (phi_l(x) - phi_l(y))^2, the distance of two images in a network's features (Johnson et al.
    2016).

    The extractor is kept in eval mode, also after ``.train()``, and its parameters are frozen. The derivative goes to
    the input; the target is a constant.

    Shapes: input and target as the extractor takes them. A scalar.

    Args:
        feature_extractor: a module or a callable that returns a tensor, or a sequence or mapping of tensors.
        layers: names of its submodules, whose outputs are compared instead of what it returns.
        weights: one per layer. Default: 1.
        loss: ``"mse"`` (default) or ``"l1"``.
        reduction: ``"mean"`` (default) or ``"sum"``, the squared norm.

    Raises:
        ShapeError: features of different shapes.
        ValueError: an unknown layer, or another number of weights.

    Example:
        >>> import pydl
        >>> net = pydl.nn.Sequential(pydl.nn.Conv2d(3, 4, 3), pydl.nn.ReLU())
        >>> loss = pydl.losses.PerceptualLoss(net, layers=["0", "1"])
        >>> x = pydl.rand(1, 3, 8, 8)
        >>> loss(x, x)
        tensor(0.)
    """


@functional(widening=False)
def style_loss(
    input: Features,
    target: Features,
    feature_extractor: Extractor | None = None,
    layers: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    normalize: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`StyleLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.style_loss(pydl.ones(1, 1, 2), pydl.zeros(1, 1, 5), normalize=False)
        tensor(4.)
    """
    op = "style_loss"
    terms = []
    for w, a, b in _pairs(op, feature_extractor, input, target, layers, weights):
        need_dims(op, "features of the input", a, "(N, C, *)", 2)
        if b.dim() < 2 or b.shape[:2] != a.shape[:2]:
            raise shape_error(op, "features of the target", f"({a.shape[0]}, {a.shape[1]}, *)", b)
        terms.append(w * (gram_matrix(a, normalize) - gram_matrix(b, normalize)).square().sum((1, 2)))
    if any(t.shape != terms[0].shape for t in terms):
        raise shape_error(
            op, "features", f"({terms[0].shape[0]}, C, *) in every layer", [tuple(t.shape) for t in terms]
        )
    return reduce(_added(terms, input), reduction)


class StyleLoss(_FrozenExtractor, of=style_loss):
    """sum_l w_l |G(phi_l(x)) - G(phi_l(y))|_F^2 with G = :func:`gram_matrix` (Gatys et al. 2016; Johnson et al. 2016).

    The squared Frobenius norm is not divided by C^2, unlike a mean squared error of the matrices. The target is a
    constant; an extractor is frozen as in :class:`PerceptualLoss`.

    Shapes: features (N, C, *), whose sizes * may differ between input and target; with an extractor images. With
    ``"none"`` (N,).

    Args:
        feature_extractor: as in :class:`PerceptualLoss`. Default: None, input and target are features, or sequences of
            them.
        layers, weights: as in :class:`PerceptualLoss`.
        normalize: of the matrices. Default: True.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: an unknown layer, or another number of weights or layers.

    Example:
        >>> import pydl
        >>> features = [pydl.rand(1, 2, 4, 4), pydl.rand(1, 3, 2, 2)]
        >>> pydl.losses.StyleLoss(weights=[1.0, 0.5])(features, features)
        tensor(0.)
    """


@functional(widening=False)
def content_loss(
    input: Features,
    target: Features,
    feature_extractor: Extractor | None = None,
    layers: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    factor: float = 1.0,
    reduction: MeanOrSum = "mean",
) -> Tensor:
    """Functional form of :class:`ContentLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.content_loss(pydl.ones(1, 2), pydl.zeros(1, 2), factor=0.5, reduction="sum")
        tensor(1.)
    """
    op = "content_loss"
    terms = []
    for w, a, b in _pairs(op, feature_extractor, input, target, layers, weights):
        need_shape(op, "features of the target", b, a.shape)
        terms.append(factor * w * reduce((a - b).square(), reduction))
    return _added(terms, input)


class ContentLoss(_FrozenExtractor, of=content_loss):
    """factor * sum_l w_l * mean (F_l - P_l)^2; with ``reduction="sum"`` and factor 0.5 that of Gatys et al. 2016. A
    scalar.

    The target is a constant; an extractor is frozen as in :class:`PerceptualLoss`.

    Shapes: features of one shape, or sequences of them; with an extractor images.

    Args:
        feature_extractor, layers, weights: as in :class:`StyleLoss`.
        factor: default 1.
        reduction: ``"mean"`` (default) or ``"sum"``.

    Raises:
        ShapeError: features of different shapes.
        ValueError: an unknown layer, or another number of weights or layers.

    Example:
        >>> import pydl
        >>> pydl.losses.ContentLoss()(pydl.ones(1, 2), pydl.zeros(1, 2))
        tensor(1.)
    """


@functional(widening=False)
def feature_matching_loss(
    input: Sequence[Tensor],
    target: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    mode: Literal["elementwise", "moments"] = "elementwise",
) -> Tensor:
    """Functional form of :class:`FeatureMatchingLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.feature_matching_loss([pydl.zeros(2, 3)], [pydl.ones(4, 3)], mode="moments")
        tensor(3.)
    """
    op = "feature_matching_loss"
    terms = []
    for w, a, b in _pairs(op, None, input, target, None, weights):
        if mode == "elementwise":
            terms.append(w * mean((a - matching(op, a, b, "features of the target")).abs()))
            continue
        need_dims(op, "features of the input", a, "(N, *)", 1)
        if b.dim() != a.dim() or b.shape[1:] != a.shape[1:] or a.shape[0] == 0 or b.shape[0] == 0:
            raise shape_error(op, "features of the target", f"(N, {', '.join(map(str, a.shape[1:]))}), N >= 1,", b)
        terms.append(w * (a.mean(0) - b.mean(0)).square().sum())
    return _added(terms, input)


class FeatureMatchingLoss(Loss, of=feature_matching_loss):
    """The distance of a discriminator's features of generated and real images, added over layers. A scalar.

    The target is a constant.

    Shapes: two sequences of features of one shape each.

    Args:
        weights: one per layer. Default: 1.
        mode: ``"elementwise"`` (default) sum_l w_l * mean |f_l - g_l| (Wang et al. 2018, pix2pixHD); ``"moments"``
            sum_l w_l |mean_N f_l - mean_N g_l|^2 (Salimans et al. 2016), where the numbers of samples may differ.

    Raises:
        ShapeError: features of different shapes.
        ValueError: sequences of different lengths, or another number of weights.

    Example:
        >>> import pydl
        >>> real = [pydl.zeros(2, 3), pydl.zeros(2, 5)]
        >>> pydl.losses.FeatureMatchingLoss()([f + 2 for f in real], real)
        tensor(4.)
    """
