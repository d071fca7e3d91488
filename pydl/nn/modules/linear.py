"""Identity, linear and bilinear layers."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn import init
from pydl.nn.modules.lazy import LazyModuleMixin
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter, UninitializedParameter, is_lazy

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]


class Identity(Module):
    """Returns its input; takes and ignores any arguments at construction.

    Example:
        >>> import pydl
        >>> pydl.nn.Identity(54, unused=0.1)(pydl.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Linear(Module):
    """``y = x @ weight.T + bias``.

    Args:
        in_features, out_features: sizes of the last dimension before and after.
        bias: whether a bias is learned. Default: ``True``.

    Shapes: input (*, in_features), output (*, out_features), weight (out_features, in_features), bias (out_features).
    Both start uniform in ``(-k, k)`` with ``k = 1 / sqrt(in_features)``.

    Example:
        >>> import pydl
        >>> pydl.nn.Linear(20, 30)(pydl.zeros(128, 20)).shape
        torch.Size([128, 30])
    """

    in_features: int
    out_features: int
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(pydl.empty((out_features, in_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(pydl.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # kaiming_uniform with a = sqrt(5) is uniform within 1 / sqrt(fan_in)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """The linear map of the last dimension."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class LazyLinear(LazyModuleMixin, Linear):
    """A :class:`Linear` that takes ``in_features`` from its first input.

    Args:
        out_features: size of the last dimension of the output.
        bias: whether a bias is learned. Default: ``True``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.LazyLinear(3)
        >>> layer(pydl.zeros(2, 5)).shape, layer.in_features
        (torch.Size([2, 3]), 5)
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        # Sizes of zero keep the base class from making a bias; the real ones follow.
        super().__init__(0, 0, False, device, dtype)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the shapes from the first input."""
        if is_lazy(self.weight):
            weight: Any = self.weight
            self.in_features = input.shape[-1]
            weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                bias: Any = self.bias
                bias.materialize((self.out_features,))
            self.reset_parameters()
        elif self.in_features == 0:
            self.in_features = self.weight.shape[-1]  # the weights were loaded before the first call


class NonDynamicallyQuantizableLinear(Linear):
    """`Linear` under the name that attention's last projection has in PyTorch, where quantization leaves it alone."""


class Bilinear(Module):
    """``y = x1 @ A @ x2 + b`` for each output feature.

    Args:
        in1_features, in2_features, out_features: sizes of the last dimensions.
        bias: whether a bias is learned. Default: ``True``.

    Example:
        >>> import pydl
        >>> pydl.nn.Bilinear(2, 3, 4)(pydl.zeros(5, 2), pydl.zeros(5, 3)).shape
        torch.Size([5, 4])
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(pydl.empty((out_features, in1_features, in2_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(pydl.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """The bilinear map of the last dimensions."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
