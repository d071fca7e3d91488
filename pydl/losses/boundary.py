"""Losses of contours and shapes: distance maps, differences of gradients, priors aligned by moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    Reduction,
    functional,
    matching,
    need_dims,
    need_range,
    need_shape,
    reduce,
    shape_error,
)
from pydl.losses.overlap import one_hot, probabilities, without_background
from pydl.nn import functional as F

__all__ = [
    "BoundaryLoss", "GradientBoundaryLoss", "HausdorffDTLoss", "ShapePriorLoss", "boundary_loss",
    "gradient_boundary_loss", "hausdorff_dt_loss", "shape_prior_loss", "signed_distance",
]  # fmt: skip

Sampling = float | Sequence[float] | None


def signed_distance(mask: Tensor, sampling: Sampling = None) -> Tensor:
    """Exact signed Euclidean distance maps of binary masks, negative inside.

    The distance of a pixel's centre to the nearest pixel of the other kind, edt(not m) - edt(m) for m = mask > 0.5, of
    each sample and channel. Empty and full masks give zeros. Not differentiable. Two scans and lower envelopes of
    parabolas in C++ (Felzenszwalb and Huttenlocher 2012), linear in the number of pixels.

    Shapes: mask (N, C, *) of any dtype; the result has its shape and is float32 unless the mask is of another floating
    dtype.

    Args:
        sampling: the spacing, a number or one for each spatial dim. Default: 1.

    Raises:
        ShapeError: fewer than two dims.
        ValueError: another number of spacings, or one that is not positive.

    Example:
        >>> import pydl
        >>> pydl.losses.signed_distance(pydl.tensor([[[0, 0, 1, 1, 1, 0]]]))
        tensor([[[ 2.,  1., -1., -2., -1.,  1.]]])
    """
    op = "signed_distance"
    if not isinstance(mask, Tensor):
        raise TypeError(f"{op}(): mask must be a Tensor, got {type(mask).__name__}")
    need_dims(op, "mask", mask, "(N, C, *)", 2)
    spatial = mask.dim() - 2
    spacing = pydl.as_tensor(1.0 if sampling is None else sampling, dtype=pydl.float64)
    if spacing.dim() == 0:
        spacing = spacing.expand(spatial)
    if tuple(spacing.shape) != (spatial,) or not ((spacing > 0) & spacing.isfinite()).all():
        raise ValueError(f"{op}(): sampling must be {spatial} positive numbers, got {sampling}")
    dtype = mask.dtype if mask.is_floating_point() else pydl.float32
    if spatial == 0:
        return pydl.zeros(mask.shape, dtype=dtype)  # type: ignore[attr-defined]
    inside = (mask.detach() > 0.5).flatten(0, 1)
    computed = pydl.float64 if dtype == pydl.float64 else pydl.float32
    distances = pydl._signed_distance(inside, spacing, computed)  # type: ignore[attr-defined]
    return distances.reshape(mask.shape).to(dtype)


@functional
def boundary_loss(
    input: Tensor,
    target: Tensor | None = None,
    dist_maps: Tensor | None = None,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    sampling: Sampling = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`BoundaryLoss`.

    Example:
        >>> import pydl
        >>> p = pydl.tensor([[[0.0, 0.5, 1.0]]])
        >>> pydl.losses.boundary_loss(p, pydl.tensor([[[0, 0, 1]]]), reduction="none")
        tensor([[[ 0.0000,  0.5000, -1.0000]]])
    """
    op = "boundary_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    predicted = probabilities(op, input, sigmoid, softmax)
    if dist_maps is not None:
        distance = matching(op, input, dist_maps, "dist_maps").detach()
    elif target is None:
        raise ValueError(f"{op}(): target or dist_maps must be given")
    else:
        distance = signed_distance(one_hot(op, input, target)[0], sampling)
    predicted, distance = without_background(op, include_background, predicted, distance)
    return reduce(predicted * distance, reduction)


class BoundaryLoss(Loss, of=boundary_loss, takes=3):
    """p phi with phi the signed distance map of the target (Kervadec et al. 2019).

    Can be negative; used beside a loss of regions. phi is a constant for the derivative and 0 for empty and full masks.

    Shapes: input (N, C, *); target (N, C, *) or class indices (N, *). ``dist_maps`` (N, C, *), if given, is taken for
    phi, and the target may be None. With ``"none"`` (N, C', *), C' without the background if that is left out.

    Args:
        include_background: False leaves out channel 0. Default: True.
        sigmoid, softmax: the input holds logits, to which one of them is applied.
        sampling: as in :func:`signed_distance`.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: neither target nor maps.

    Example:
        >>> import pydl
        >>> target = pydl.tensor([[[0, 1, 1, 1]]])
        >>> pydl.losses.BoundaryLoss()(target.float(), target)
        tensor(-1.5000)
    """


@functional
def hausdorff_dt_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 2.0,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`HausdorffDTLoss`.

    Example:
        >>> import pydl
        >>> p, g = pydl.tensor([[[0.0, 0.9, 0.0]]]), pydl.tensor([[[0.0, 0.0, 1.0]]])
        >>> pydl.losses.hausdorff_dt_loss(p, g)
        tensor(1.2067)
    """
    op = "hausdorff_dt_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    if not alpha >= 0:
        raise ValueError(f"{op}(): alpha must be at least 0, got {alpha}")
    predicted = probabilities(op, input, sigmoid, softmax)
    truth, _ = one_hot(op, input, target)
    predicted, truth = without_background(op, include_background, predicted, truth)
    weight = signed_distance(predicted).abs() ** alpha + signed_distance(truth).abs() ** alpha
    loss = (predicted - truth).square() * weight
    pixels = loss.flatten(2) if loss.dim() > 2 else loss.unsqueeze(2)
    return reduce(pixels.mean(2) if pixels.shape[2] else pixels.sum(2), reduction)


class HausdorffDTLoss(Loss, of=hausdorff_dt_loss):
    """The mean over pixels of (p - g)^2 (d_p^alpha + d_g^alpha) (Karimi and Salcudean 2019).

    d is the distance to the contour, |signed_distance|, of p > 0.5 and of g > 0.5: a constant for the derivative, 0
    for empty and full masks.

    Shapes: input (N, C, *); target (N, C, *) or class indices (N, *). With ``"none"`` (N, C').

    Args:
        alpha: the exponent. Default: 2.
        include_background: False leaves out channel 0. Default: True (MONAI leaves it out here).
        sigmoid, softmax: the input holds logits, to which one of them is applied.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: alpha < 0.

    Example:
        >>> import pydl
        >>> g = pydl.tensor([[[0.0, 1.0, 1.0]]])
        >>> pydl.losses.HausdorffDTLoss()(g, g)
        tensor(0.)
    """


def differences(x: Tensor) -> list[Tensor]:
    """The forward differences of (N, C, *) along each spatial axis."""
    return [
        x.narrow(d, 1, x.shape[d] - 1) - x.narrow(d, 0, x.shape[d] - 1) for d in range(2, x.dim()) if x.shape[d] > 1
    ]


def per_sample(x: Tensor, average: bool) -> Tensor:
    """Sums, or means, over all dims but the first."""
    flat = x.reshape(x.shape[0], x.numel() // max(1, x.shape[0]))
    return flat.mean(1) if average and flat.shape[1] else flat.sum(1)


@functional
def gradient_boundary_loss(
    input: Tensor,
    target: Tensor,
    lambd: float = 1.0,
    gradient_reduction: Literal["mean", "sum"] = "mean",
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`GradientBoundaryLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.gradient_boundary_loss(pydl.zeros(1, 1, 2), pydl.tensor([[[1.0, 3.0]]]))
        tensor(4.)
    """
    op = "gradient_boundary_loss"
    need_dims(op, "input", input, "(N, C, *) with a spatial dim", 3)
    error = matching(op, input, target) - input
    loss = per_sample(error.abs(), True)
    for step in differences(error):
        loss = loss + lambd * per_sample(step.abs(), gradient_reduction == "mean")
    return reduce(loss, reduction)


class GradientBoundaryLoss(Loss, of=gradient_boundary_loss):
    """mean |y - y^| + lambd sum over the spatial axes of |D y - D y^|, D the forward difference.

    Shapes: input and target (N, C, *) with at least one spatial dim. With ``"none"`` (N,).

    Args:
        lambd: weight of the differences. Default: 1.
        gradient_reduction: ``"mean"`` (default) averages the differences of each axis and adds the axes; ``"sum"``
            adds all.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> import pydl
        >>> pydl.losses.GradientBoundaryLoss(lambd=2.0)(pydl.zeros(1, 1, 1, 3), pydl.tensor([[[[0.0, 1.0, 1.0]]]]))
        tensor(1.6667)
    """


# ---- shape priors -----------------------------------------------------------------------------------------------


def _moments(p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mass, centroid (x, y) and radius of gyration of non-negative images (N, H, W)."""
    mass = p.sum((1, 2))
    safe = mass.masked_fill(mass <= 0, 1)
    x = pydl.arange(p.shape[2], dtype=p.dtype)  # type: ignore[attr-defined]
    y = pydl.arange(p.shape[1], dtype=p.dtype).unsqueeze(1)  # type: ignore[attr-defined]
    centre = pydl.stack([(p * x).sum((1, 2)) / safe, (p * y).sum((1, 2)) / safe], 1)  # type: ignore[attr-defined]
    square = (x - centre[:, 0, None, None]).square() + (y - centre[:, 1, None, None]).square()
    return mass, centre, ((p * square).sum((1, 2)) / safe).sqrt()


def _aligned(p: Tensor, prior: Tensor, kind: str, similarity: bool) -> Tensor:
    """The prior moved (and scaled) onto each prediction (N, H, W): a(r) = prior(c' + k (r - c))."""
    count, height, width = p.shape
    with pydl.no_grad():
        mass, centre, radius = _moments(p)
        body = (prior < 0).to(p.dtype) if kind == "sdf" else prior
        prior_mass, prior_centre, prior_radius = _moments(body.unsqueeze(0))
        # Without mass there is nothing to align by, without extent nothing to scale by.
        nothing = (mass < 1e-6) | (prior_mass < 1e-6)
        middle = pydl.tensor([[(width - 1) / 2, (height - 1) / 2]], dtype=p.dtype)
        centre = pydl.where(nothing.unsqueeze(1), middle, centre)
        if prior_mass.item() < 1e-6:
            prior_centre = pydl.tensor([[(prior.shape[1] - 1) / 2, (prior.shape[0] - 1) / 2]], dtype=p.dtype)
        point = nothing | (radius <= 0) | (prior_radius <= 0) | pydl.tensor(not similarity)
        k = pydl.where(point, pydl.ones_like(radius), prior_radius / radius.masked_fill(radius <= 0, 1))  # type: ignore[attr-defined]
        x = prior_centre[:, 0] + k[:, None] * (pydl.arange(width, dtype=p.dtype) - centre[:, :1])  # type: ignore[attr-defined]
        y = prior_centre[:, 1] + k[:, None] * (pydl.arange(height, dtype=p.dtype) - centre[:, 1:])  # type: ignore[attr-defined]
        # grid_sample's coordinates: -1 and 1 are the outer edges of the corner pixels.
        x, y = (2 * x + 1) / prior.shape[1] - 1, (2 * y + 1) / prior.shape[0] - 1
        grid = pydl.stack(  # type: ignore[attr-defined]
            [x[:, None, :].expand(count, height, width), y[:, :, None].expand(count, height, width)], -1
        )
    outside = "zeros" if kind == "mask" else "border"
    image = prior.expand(count, 1, *prior.shape)
    aligned = F.grid_sample(image, grid, mode="bilinear", padding_mode=outside, align_corners=False).squeeze(1)
    return aligned / k[:, None, None] if kind == "sdf" else aligned


@functional
def shape_prior_loss(
    input: Tensor,
    prior: Tensor,
    kind: Literal["mask", "sdf"] = "mask",
    align: Literal["none", "translation", "similarity"] = "similarity",
    weight: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`ShapePriorLoss`.

    Example:
        >>> import pydl
        >>> p = pydl.tensor([[[[0.0, 1.0, 0.0]]]])
        >>> pydl.losses.shape_prior_loss(p, pydl.tensor([[1.0, 0.0, 0.0]]), align="none")
        tensor(0.6667)
    """
    op = "shape_prior_loss"
    if input.dim() != 4 or input.shape[1] != 1:
        raise shape_error(op, "input", "(N, 1, H, W)", input)
    need_dims(op, "prior", prior, "(H', W')", 2, 2)
    if prior.numel() == 0:
        raise shape_error(op, "prior", "(H', W'), not empty,", prior)
    need_range(op, "input", input, 0, 1)
    p, prior = input.squeeze(1), prior.to(input.dtype)
    if kind == "mask":
        need_range(op, "prior", prior, 0, 1)
    if align == "none":
        need_shape(op, "prior", prior, p.shape[1:])
        shape = prior.unsqueeze(0)
    elif p.numel() == 0:
        shape = p * 0
    else:
        shape = _aligned(p.detach(), prior, kind, align == "similarity")
    loss = (p - shape).square() if kind == "mask" else p * shape
    return reduce(weight * per_sample(loss, True), reduction)


class ShapePriorLoss(Loss, of=shape_prior_loss, takes=1):
    """weight * mean over pixels of (p - a)^2, a prior shape aligned to the prediction by its moments.

    With c and s the centroid and the radius of gyration sqrt(sum p |r - c|^2 / sum p) of the prediction, c' and s'
    those of the prior: a(r) = prior(c' + k (r - c)), bilinear, k = s' / s. The alignment is a constant for the
    derivative. A prediction of mass below 1e-6 has its centre in the middle of the image and k = 1.

    Shapes: input (N, 1, H, W) in [0, 1]; with ``"none"`` (N,).

    Args:
        prior: (H', W'), an atlas in [0, 1], zero outside; or a signed distance map, negative inside, with border
            values outside. A buffer.
        kind: ``"mask"`` (default) or ``"sdf"``, where the penalty is mean(p a), a divided by k, and the prior's
            moments are those of prior < 0.
        align: ``"none"`` (a is the prior, the shapes agree), ``"translation"`` (k = 1) or ``"similarity"`` (default).
        weight: default 1.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: values out of [0, 1].

    Example:
        >>> import pydl
        >>> prior = pydl.zeros(5, 5)
        >>> prior[1:3, 1:3] = 1
        >>> moved = pydl.zeros(1, 1, 5, 5)
        >>> moved[..., 2:4, 2:4] = 1
        >>> pydl.losses.ShapePriorLoss(prior)(moved) < 1e-12
        tensor(True)
    """
