"""Loss modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.functional.loss import legacy_reduction
from pydl.nn.modules.distance import PairwiseDistance
from pydl.nn.modules.linear import Linear
from pydl.nn.modules.module import Module

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss",
    "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "LinearCrossEntropyLoss", "LinearCrossEntropyOptions",
    "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss",
    "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]  # fmt: skip


class _Loss(Module):
    """``reduction``: ``"mean"`` (default), ``"sum"`` or ``"none"``."""

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = legacy_reduction(size_average, reduce, reduction)


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss):
    """Absolute difference.

    Example:
        >>> import pydl
        >>> pydl.nn.L1Loss()(pydl.zeros(2), pydl.tensor([1.0, -3.0]))
        tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """Squared difference.

    Example:
        >>> import pydl
        >>> pydl.nn.MSELoss()(pydl.zeros(2), pydl.tensor([1.0, 3.0]))
        tensor(5.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Quadratic below ``beta``, linear above (Girshick, "Fast R-CNN", 2015).

    Example:
        >>> import pydl
        >>> pydl.nn.SmoothL1Loss()(pydl.zeros(2), pydl.tensor([1.0, 3.0]))
        tensor(1.5000)
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Quadratic below ``delta``, linear above (Huber, 1964).

    Example:
        >>> import pydl
        >>> pydl.nn.HuberLoss(delta=2.0)(pydl.zeros(2), pydl.tensor([1.0, 3.0]))
        tensor(2.2500)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence of log-probabilities ``input`` from ``target``; see :func:`functional.kl_div`.

    Example:
        >>> import pydl
        >>> half = pydl.tensor([[0.5, 0.5]])
        >>> pydl.nn.KLDivLoss(reduction="batchmean")(half.log(), half)
        tensor(0.)
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The divergence."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of classes, from log-probabilities.

    Args:
        weight: one factor for each class. Default: none.
        ignore_index: targets that do not count. Default: -100.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.NLLLoss()(pydl.tensor([[-1.0, -2.0]]), pydl.tensor([1]))
        tensor(2.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(_WeightedLoss):
    """Cross-entropy between logits and classes or class probabilities.

    Args:
        weight: one factor for each class. Default: none.
        ignore_index: targets that do not count. Default: -100.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: how much of the target is spread evenly (Szegedy et al., 2016). Default: 0.

    Shapes: input (C), (N, C) or (N, C, ...); target the same without C (int64), or the shape of input (probabilities).

    Example:
        >>> import pydl
        >>> pydl.nn.CrossEntropyLoss()(pydl.zeros(1, 2), pydl.tensor([1]))
        tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class BCELoss(_WeightedLoss):
    """Cross-entropy of probabilities in [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.BCELoss()(pydl.tensor([0.5]), pydl.ones(1))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Cross-entropy of ``sigmoid(input)``, without overflow.

    Args:
        weight: a factor for each element. pos_weight: a factor of the positive part for each class.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.BCEWithLogitsLoss()(pydl.zeros(1), pydl.ones(1))
        tensor(0.6931)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class PoissonNLLLoss(_Loss):
    """``exp(input) - target * input``; see :func:`~pydl.nn.functional.poisson_nll_loss`.

    Args:
        log_input: the input is the logarithm of the rate. Default: ``True``.
        full: add Stirling's approximation of ``log(target!)``. Default: ``False``.
        eps: keeps a logarithm off zero. Default: 1e-8.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.PoissonNLLLoss()(pydl.zeros(1), pydl.ones(1))
        tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.poisson_nll_loss(
            input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """``(log(var) + (input - target)**2 / var) / 2``; see :func:`~pydl.nn.functional.gaussian_nll_loss`.

    Args:
        full: add ``log(2 * pi) / 2``. Default: ``False``.
        eps: what variances count as at least. Default: 1e-6.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.GaussianNLLLoss()(pydl.zeros(1), pydl.full((1,), 2.0), pydl.ones(1))
        tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """The loss."""
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """``max(0, margin - target * (input1 - input2))``.

    Args:
        margin: Default: 0. reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.MarginRankingLoss()(pydl.zeros(1), pydl.ones(1), pydl.ones(1))
        tensor(1.)
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(_Loss):
    """``input`` where target is 1, ``max(0, margin - input)`` where it is -1.

    Args:
        margin: Default: 1. reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.HingeEmbeddingLoss()(pydl.tensor([0.5]), pydl.tensor([-1.0]))
        tensor(0.5000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_Loss):
    """``1 - cos`` of the inputs' angle where target is 1, ``max(0, cos - margin)`` where it is -1.

    Args:
        margin: Default: 0. reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.CosineEmbeddingLoss()(pydl.eye(1, 2), pydl.eye(1, 2), pydl.tensor([-1]))
        tensor(1.)
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """``log(1 + exp(-target * input))`` with targets 1 and -1.

    Example:
        >>> import pydl
        >>> pydl.nn.SoftMarginLoss()(pydl.zeros(1), pydl.ones(1))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """A margin between the labels of a sample and its other classes; see
    :func:`~pydl.nn.functional.multilabel_margin_loss`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([0.1, 0.2, 0.4, 0.8])
        >>> pydl.nn.MultiLabelMarginLoss()(x, pydl.tensor([3, 0, -1, 1]))
        tensor(0.8500)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The mean over the classes of the cross-entropy between ``sigmoid(input)`` and ``target``.

    Args:
        weight: one factor for each class. Default: none. reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Example:
        >>> import pydl
        >>> pydl.nn.MultiLabelSoftMarginLoss()(pydl.zeros(1, 2), pydl.ones(1, 2))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """The sum of ``max(0, margin - x[y] + x[i])**p`` over the classes i other than the label y, over C.

    Args:
        p: 1 or 2. Default: 1. margin: Default: 1. weight: a factor for each label. Default: none.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: another ``p``, or weights of more than one dim.

    Example:
        >>> import pydl
        >>> pydl.nn.MultiMarginLoss()(pydl.tensor([[0.1, 0.2, 0.4]]), pydl.tensor([2]))
        tensor(0.5000)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.dim() != 1:
            raise ValueError(f"MultiMarginLoss(): weight must be None or have one dim, got {weight.dim()}")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class TripletMarginLoss(_Loss):
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``; see
    :func:`~pydl.nn.functional.triplet_margin_loss`.

    Args:
        margin: Default: 1. p: of the distance's norm. Default: 2. eps: keeps distances off zero. Default: 1e-6.
        swap: take the distance of positive and negative where it is smaller. Default: ``False``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a margin that is not positive.

    Example:
        >>> import pydl
        >>> pydl.nn.TripletMarginLoss()(pydl.zeros(1, 1), pydl.zeros(1, 1), pydl.zeros(1, 1))
        tensor(1.0000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead")
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """:class:`TripletMarginLoss` with any distance.

    Args:
        distance_function: of two tensors. Default: the Euclidean distance.
        margin: Default: 1. swap: see :class:`TripletMarginLoss`. reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a margin that is not positive.

    Example:
        >>> import pydl
        >>> loss = pydl.nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1))
        >>> loss(pydl.zeros(1, 1), pydl.zeros(1, 1), pydl.zeros(1, 1))
        tensor(1.)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(None, None, reduction)
        if margin <= 0:
            raise ValueError(
                f"TripletMarginWithDistanceLoss: expected margin to be greater than 0, got {margin} instead"
            )
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class CTCLoss(_Loss):
    """-log of the probability of labels over all alignments (Graves et al., 2006); see
    :func:`~pydl.nn.functional.ctc_loss`.

    Args:
        blank: the class that stands for no label. Default: 0.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        zero_infinity: losses of labels that do not fit into the time are zero. Default: ``False``.

    Example:
        >>> import pydl
        >>> log_probs = pydl.zeros(2, 1, 2).log_softmax(2)
        >>> pydl.nn.CTCLoss()(log_probs, pydl.tensor([[1]]), [2], [1])
        tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        """The loss."""
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )


class NLLLoss2d(NLLLoss):
    """:class:`NLLLoss` under its old name for images.

    Example:
        >>> import pydl
        >>> pydl.nn.NLLLoss2d()(pydl.zeros(1, 2, 1, 1), pydl.zeros(1, 1, 1, dtype=pydl.int64))
        tensor(0.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        import warnings

        warnings.warn("NLLLoss2d has been deprecated. Please use NLLLoss instead.", FutureWarning, stacklevel=2)
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch cuts :func:`~pydl.nn.functional.linear_cross_entropy` into pieces; accepted, without effect here.

    Example:
        >>> import pydl
        >>> pydl.nn.LinearCrossEntropyOptions().allow_retain_graph
        False
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyLoss(_WeightedLoss):
    """Cross-entropy of a linear layer's outputs, which is part of the loss.

    Args:
        in_features, num_classes: sizes of the linear layer.
        out_features: further dims of the target. Default: none.
        bias: give the layer a bias. Default: ``False``.
        weight, ignore_index, label_smoothing, reduction: as of :class:`CrossEntropyLoss`.
        options: accepted, without effect.

    Raises:
        RuntimeError: a label smoothing outside [0, 1], or sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.LinearCrossEntropyLoss(3, 2)(pydl.zeros(1, 3), pydl.tensor([1])).item()
        0.6931471824645996
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight, None, None, reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
