"""Loss functions."""

from __future__ import annotations

from pydl import Tensor, _nn

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss",
    "mse_loss", "nll_loss", "smooth_l1_loss",
]  # fmt: skip


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that the old pair of flags stands for, or ``reduction`` where neither is given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction != "none":
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return loss


def _warn_broadcast(name: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        import warnings

        warnings.warn(
            f"{name}(): input and target should have the same shape, got {tuple(input.shape)} and "
            f"{tuple(target.shape)}; they are broadcast, which is probably not what is wanted",
            stacklevel=3,
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy between logits and classes or class probabilities.

    Shapes: input (C), (N, C) or (N, C, ...); target the same without C (int64), or the shape of input (probabilities).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.cross_entropy(pydl.zeros(1, 2), pydl.tensor([1]))
        tensor(0.6931)
    """
    return _nn.cross_entropy(
        input,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=legacy_reduction(size_average, reduce, reduction),
        label_smoothing=label_smoothing,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of classes. Shapes as in :func:`cross_entropy`, with input log-probabilities."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _nn.nll_loss(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def _weighted(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return _reduce(loss, reduction)
    loss = loss * weight
    return loss.sum() / weight.expand_as(loss).sum() if reduction == "mean" else _reduce(loss, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Squared difference.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.mse_loss(pydl.zeros(2), pydl.tensor([1.0, 3.0]))
        tensor(5.)
    """
    _warn_broadcast("mse_loss", input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is None:
        return _nn.mse_loss(input, target, reduction=reduction)
    return _weighted((input - target).square(), weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Absolute difference."""
    _warn_broadcast("l1_loss", input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is None:
        return _nn.l1_loss(input, target, reduction=reduction)
    return _weighted((input - target).abs(), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """``d**2 / (2 * beta)`` where ``d = |input - target|`` < ``beta``, else ``d - beta / 2`` (Girshick, 2015)."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss(): beta must not be negative, got {beta}")
    _warn_broadcast("smooth_l1_loss", input, target)
    return _nn.smooth_l1_loss(input, target, legacy_reduction(size_average, reduce, reduction), beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """``d**2 / 2`` where ``d = |input - target|`` < ``delta``, else ``delta * (d - delta / 2)`` (Huber, 1964)."""
    if delta <= 0:
        raise RuntimeError(f"huber_loss(): delta must be positive, got {delta}")
    _warn_broadcast("huber_loss", input, target)
    loss = _nn.huber_loss(input, target, reduction if weight is None else "none", delta)
    return loss if weight is None else _weighted(loss, weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence: ``target * (log(target) - input)``, input being log-probabilities.

    ``reduction="batchmean"`` divides the sum by the batch size, which is the divergence as defined.
    """
    return _nn.kl_div(input, target, legacy_reduction(size_average, reduce, reduction), log_target)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of probabilities in [0, 1]; the logarithms are bounded by -100.

    Raises:
        ValueError: different shapes. RuntimeError: an input outside [0, 1].
    """
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    return _nn.binary_cross_entropy(input, target, weight, legacy_reduction(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of ``sigmoid(input)``, without overflow; ``pos_weight`` scales the positive part.

    Raises:
        ValueError: different shapes.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.binary_cross_entropy_with_logits(pydl.zeros(1), pydl.ones(1))
        tensor(0.6931)
    """
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _nn.binary_cross_entropy_with_logits(input, target, weight, reduction, pos_weight)
