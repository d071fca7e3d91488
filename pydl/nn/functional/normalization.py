"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import pydl
from pydl import Tensor

__all__ = [
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm",
]  # fmt: skip


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` for each channel (Ioffe and Szegedy, 2015).

    Shapes: input `(N, C, *)`, the others `(C)`.

    Args:
        running_mean, running_var: statistics used outside training; training moves them towards those of the batch.
        training: normalise with the statistics of the batch. Default: ``False``.
        momentum: weight of the new statistics. Default: 0.1.

    Raises:
        ValueError: one value per channel in training. RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.batch_norm(pydl.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0)
        tensor([[-1.],
                [ 1.]])
    """
    if training:
        _require_several(input, input.numel() // max(input.shape[1], 1) if input.dim() > 1 else 2, "value per channel")
    return pydl.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, False)


def _batch_norm_clipped(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    six: bool = False,
) -> Tensor:
    # batch_norm and then relu, or relu6: the same values and gradients with fewer passes over memory.
    if training:
        _require_several(input, input.numel() // max(input.shape[1], 1) if input.dim() > 1 else 2, "value per channel")
    return pydl._batch_norm_clipped(input, weight, bias, running_mean, running_var, training, momentum, eps, six)


def _require_several(input: Tensor, count: int, what: str) -> None:
    if count == 1:
        raise ValueError(f"Expected more than 1 {what} when training, got input size {input.shape}")


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """:func:`batch_norm` with the statistics of each channel of each sample (Ulyanov et al., 2016).

    Raises:
        ValueError: one value per channel and sample. RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.instance_norm(pydl.tensor([[[1.0, 3.0]]])).round()
        tensor([[[-1.,  1.]]])
    """
    if use_input_stats and input.dim() > 1:
        _require_several(input, input[:1, :1].numel() if input.numel() else 0, "spatial element")
    return pydl.instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last dims, of sizes ``normalized_shape``.

    Ba, Kiros and Hinton (2016).

    Raises:
        RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.layer_norm(pydl.tensor([[1.0, 3.0]]), (2,))
        tensor([[-1.0000,  1.0000]])
    """
    return pydl.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """``x / sqrt(mean(x**2) + eps) * weight`` over the last dims (Zhang and Sennrich, 2019).

    Args:
        eps: the machine epsilon by default.

    Raises:
        RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.rms_norm(pydl.tensor([3.0, 4.0]), (2,))
        tensor([0.8485, 1.1314])
    """
    return pydl.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalisation of each of ``num_groups`` groups of channels of each sample (Wu and He, 2018).

    Shapes: input `(N, C, *)`, weight and bias `(C)`.

    Raises:
        ValueError: one value per group. RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.group_norm(pydl.tensor([[1.0, 3.0, 2.0, 2.0]]), 2).round()
        tensor([[-1.,  1.,  0.,  0.]])
    """
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    count = input[:1].numel() * input.shape[0] // num_groups if num_groups > 0 else 2
    _require_several(input, count, "value per channel")
    return pydl.group_norm(input, num_groups, weight, bias, eps)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """``x / (k + alpha * mean(x**2 of `size` neighbouring channels))**beta`` (Krizhevsky et al., 2012).

    Shapes: input `(N, C, *)`. Channels beyond the first and the last count as zero.

    Raises:
        ValueError: an input without dims after the channels.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.local_response_norm(pydl.ones(1, 2, 3), 2, alpha=0.0)
        tensor([[[1., 1., 1.],
                 [1., 1., 1.]]])
    """
    if input.dim() < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)")
    if input.numel() == 0:
        return input
    if size < 1:
        raise RuntimeError(f"local_response_norm(): size must be at least 1, got {size}")
    before, after = size // 2, (size - 1) // 2
    reach = min(size, 2 * input.shape[1] + 1)  # wider windows only see more zeros
    squares = pydl.nn.functional.pad(
        input.square(), [0, 0] * (input.dim() - 2) + [min(before, reach), min(after, reach)]
    )
    window = squares.shape[1] - input.shape[1] + 1
    sums = squares.unfold(1, window, 1).sum(-1)
    return input / (sums * (alpha / size) + k).pow(beta)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """``x / max(norm(x), eps)`` with the ``p``-norm along ``dim``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.normalize(pydl.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    lengths = pydl.linalg.vector_norm(input, p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    return input / lengths if out is None else pydl.div(input, lengths, out=out)
