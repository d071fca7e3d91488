"""Batch normalisation folded into the layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _scale_and_shift(
    weight: Any, bias: Any, mean: Any, variance: Any, eps: float, gain: Any, offset: Any
) -> tuple[Any, Any]:
    factor = (variance + eps).rsqrt()
    if gain is not None:
        factor = factor * gain
    shift = (0 if bias is None else bias) - mean
    shift = shift * factor
    return factor.to(weight.dtype), shift if offset is None else shift + offset


def _parameters(weight: Any, fused: Any, bias: Any, shift: Any) -> tuple[Parameter, Parameter]:
    needs = bias.requires_grad if bias is not None else weight.requires_grad
    dtype = weight.dtype if bias is None else bias.dtype
    return Parameter(fused, weight.requires_grad), Parameter(shift.to(dtype), needs)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution that does what it and the batch normalisation after it did together.

    Args:
        conv_w, conv_b: of the convolution.
        bn_rm, bn_rv, bn_eps: running mean and variance, and epsilon.
        bn_w, bn_b: gain and offset of the normalisation.
        transpose: the convolution is transposed: outputs are its weight's second dim. Default: ``False``.

    Example:
        >>> import pydl
        >>> one = pydl.ones(1)
        >>> w, b = pydl.nn.utils.fuse_conv_bn_weights(pydl.ones(1, 1, 1), None, one, 4 * one, 0.0, one, one)
        >>> w.item(), b.item()
        (0.5, 0.5)
    """
    factor, shift = _scale_and_shift(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    return _parameters(conv_w, conv_w * factor.reshape(shape), conv_b, shift)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """The same for a linear layer.

    Example:
        >>> import pydl
        >>> one = pydl.ones(1)
        >>> w, b = pydl.nn.utils.fuse_linear_bn_weights(pydl.ones(1, 2), None, one, 4 * one, 0.0, one, one)
        >>> w.tolist(), b.tolist()
        ([[0.5, 0.5]], [0.5])
    """
    factor, shift = _scale_and_shift(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return _parameters(linear_w, linear_w * factor.unsqueeze(-1), linear_b, shift)


def _fused(layer: Any, bn: Any, what: str, weights: Any) -> Any:
    if layer.training or bn.training:
        raise AssertionError(f"{what}(): both modules must be in evaluation mode")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError(f"{what}(): the batch normalisation has no running statistics")
    result = copy.deepcopy(layer)
    result.weight, result.bias = weights
    return result


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A copy of the convolution that also normalises: for evaluation, where it gives the same outputs in one pass.

    Raises:
        AssertionError: a module is in training mode, or there are no running statistics.

    Example:
        >>> import pydl
        >>> conv, bn = pydl.nn.Conv2d(1, 2, 3).eval(), pydl.nn.BatchNorm2d(2).eval()
        >>> x = pydl.randn(1, 1, 5, 5)
        >>> pydl.allclose(pydl.nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-5)
        True
    """
    weights = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return _fused(conv, bn, "fuse_conv_bn_eval", weights)


@pydl.no_grad()
def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A copy of the linear layer that also normalises, for evaluation.

    Raises:
        AssertionError: a module is in training mode, there are no running statistics, or the sizes differ.

    Example:
        >>> import pydl
        >>> linear, bn = pydl.nn.Linear(3, 2).eval(), pydl.nn.BatchNorm1d(2).eval()
        >>> x = pydl.randn(4, 3)
        >>> pydl.allclose(pydl.nn.utils.fuse_linear_bn_eval(linear, bn)(x), bn(linear(x)), atol=1e-5)
        True
    """
    if not (linear.out_features == bn.num_features or bn.num_features == 1):
        raise AssertionError(
            f"fuse_linear_bn_eval(): linear.out_features ({linear.out_features}) must equal bn.num_features "
            f"({bn.num_features}), or that must be 1"
        )
    weights = fuse_linear_bn_weights(
        linear.weight, linear.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return _fused(linear, bn, "fuse_linear_bn_eval", weights)
