"""The focal loss of detectors."""

from __future__ import annotations

import pydl
from pydl import Tensor
from pydl.vision.ops._checks import reduced


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """alpha_t (1 - p_t)^gamma times the binary cross entropy of logits and targets (0 or 1) of the same sizes.

    alpha weighs the positive class, 1 - alpha the negative one; -1: no weights (Lin et al., "Focal loss", ICCV 2017).
    Raises ValueError for another alpha or a reduction but 'none', 'mean', 'sum'.

    Example:
        >>> pydl.vision.ops.sigmoid_focal_loss(pydl.tensor([0., 2.]), pydl.tensor([1., 0.]), reduction="sum")
        tensor(1.2809)
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(f"sigmoid_focal_loss(): alpha must be in [0, 1] or -1, got {alpha}")
    p = inputs.sigmoid()
    loss = pydl.nn.functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    wrong = p * (1 - targets) + (1 - p) * targets
    loss = loss * wrong**gamma
    if alpha >= 0:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return reduced("sigmoid_focal_loss", loss, reduction)
