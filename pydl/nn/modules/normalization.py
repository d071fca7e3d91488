"""Normalisation of features and of groups of channels."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn import init
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, numbers.Integral)) else tuple(shape)


class LayerNorm(Module):
    """Normalisation over the last dims, whose sizes are ``normalized_shape`` (Ba, Kiros and Hinton, 2016).

    Args:
        normalized_shape: an int or several.
        eps: added to the variance. Default: 1e-5.
        elementwise_affine: learn a weight and a bias of this shape. Default: ``True``.
        bias: learn the bias. Default: ``True``.

    Raises:
        RuntimeError: an input that ends in other sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.LayerNorm(2)(pydl.tensor([[1.0, 3.0]])).tolist()
        [[-0.9999949932098389, 0.9999949932098389]]
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        options = {"device": device, "dtype": dtype}
        shape = self.normalized_shape
        self.register_parameter("weight", Parameter(pydl.empty(shape, **options)) if elementwise_affine else None)
        self.register_parameter(
            "bias", Parameter(pydl.empty(shape, **options)) if elementwise_affine and bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """``x / sqrt(mean(x**2) + eps) * weight`` over the last dims (Zhang and Sennrich, 2019).

    Args:
        normalized_shape: an int or several.
        eps: the machine epsilon by default.
        elementwise_affine: learn the weight. Default: ``True``.

    Raises:
        RuntimeError: an input that ends in other sizes.

    Example:
        >>> import pydl
        >>> pydl.nn.RMSNorm(2, elementwise_affine=False)(pydl.tensor([[3.0, 4.0]]))
        tensor([[0.8485, 1.1314]])
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = pydl.empty(self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", None if weight is None else Parameter(weight))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised input."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Normalisation of each of ``num_groups`` groups of channels of each sample ``(N, C, *)`` (Wu and He, 2018).

    Args:
        num_groups: a divisor of ``num_channels``.
        num_channels: C.
        eps: added to the variance. Default: 1e-5.
        affine: learn a weight and a bias for each channel. Default: ``True``.
        bias: learn the bias. Default: ``True``.

    Raises:
        ValueError: ``num_groups`` does not divide ``num_channels``.

    Example:
        >>> import pydl
        >>> pydl.nn.GroupNorm(1, 2, eps=0.0, affine=False)(pydl.tensor([[1.0, 3.0]]))
        tensor([[-1.,  1.]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups <= 0 or num_channels % num_groups != 0:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        options = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(pydl.empty(num_channels, **options)) if affine else None)
        self.register_parameter("bias", Parameter(pydl.empty(num_channels, **options)) if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """``x / (k + alpha * mean(x**2 of `size` neighbouring channels))**beta`` (Krizhevsky et al., 2012).

    Args:
        size: how many channels count. alpha, beta, k: see the formula. Defaults: 1e-4, 0.75, 1.

    Raises:
        ValueError: an input without dims after the channels.

    Example:
        >>> import pydl
        >>> pydl.nn.LocalResponseNorm(1, alpha=1.0, beta=1.0)(pydl.tensor([[[1.0, 3.0]]]))
        tensor([[[0.5000, 0.3000]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """Local response normalisation of images ``(N, C, H, W)`` with a window of ``2 * ((size + 1) // 2) - 1`` channels.

    As in PyTorch the first channel stays in the window of all that follow; :class:`LocalResponseNorm` has no such
    memory.

    Args:
        size: how many channels count. alpha, beta, k: as in :class:`LocalResponseNorm`.

    Raises:
        ValueError: an input of another number of dims, or a size below 1.

    Example:
        >>> import pydl
        >>> pydl.nn.CrossMapLRN2d(1, alpha=1.0, beta=1.0)(pydl.tensor([[[[1.0, 3.0]]]]))
        tensor([[[[0.5000, 0.3000]]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        if self.size < 1:
            raise ValueError(f"CrossMapLRN2d: size must be at least 1, got {self.size}")
        channels = input.shape[1]
        reach = min(int((self.size - 1) / 2), channels)  # to both sides
        squares = input.square()
        padded = F.pad(squares, [0, 0, 0, 0, reach, reach])
        sums = padded.unfold(1, 2 * reach + 1, 1).sum(-1)
        left = (pydl.arange(channels) > reach).to(input.dtype).reshape(1, -1, 1, 1)
        sums = sums + squares[:, :1] * left
        return input * (sums * (self.alpha / self.size) + self.k).pow(-self.beta)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
