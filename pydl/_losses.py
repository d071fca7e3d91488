"""Losses that torch has beside those of nn.functional, with reductions as numbers.

0 is none (as in PyTorch the default), 1 mean, 2 sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as F

__all__ = [
    "affine_grid_generator",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "ctc_loss",
    "embedding_renorm_",
    "hinge_embedding_loss",
    "kl_div",
    "margin_ranking_loss",
    "poisson_nll_loss",
    "triplet_margin_loss",
]


def _name(reduction: int) -> str:
    if reduction not in (0, 1, 2):
        raise ValueError(f"{reduction} is not a valid value for reduction: 0 (none), 1 (mean) or 2 (sum)")
    return ("none", "mean", "sum")[reduction]


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 0
) -> Tensor:
    """See :func:`pydl.nn.functional.binary_cross_entropy_with_logits`; ``reduction`` is 0 (none), 1 (mean), 2 (sum)."""
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=_name(reduction), pos_weight=pos_weight)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """See :func:`pydl.nn.functional.cosine_embedding_loss`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_name(reduction))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """See :func:`pydl.nn.functional.ctc_loss`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _name(reduction), zero_infinity)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """See :func:`pydl.nn.functional.hinge_embedding_loss`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_name(reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """See :func:`pydl.nn.functional.kl_div`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.kl_div(input, target, reduction=_name(reduction), log_target=log_target)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """See :func:`pydl.nn.functional.margin_ranking_loss`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_name(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """See :func:`pydl.nn.functional.poisson_nll_loss`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_name(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Tensor:
    """See :func:`pydl.nn.functional.triplet_margin_loss`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_name(reduction))


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """See :func:`pydl.nn.functional.affine_grid`."""
    return F.affine_grid(theta, size, align_corners)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Shorten the rows of ``input`` that ``indices`` name to ``max_norm`` where they are longer, in place.

    Example:
        >>> import pydl
        >>> pydl.embedding_renorm_(pydl.tensor([[3.0, 4.0], [3.0, 4.0]]), pydl.tensor([0]), 1.0, 2.0)
        tensor([[0.6000, 0.8000],
                [3.0000, 4.0000]])
    """
    with pydl.no_grad():
        F.embedding(indices, input, max_norm=max_norm, norm_type=norm_type)
    return input
