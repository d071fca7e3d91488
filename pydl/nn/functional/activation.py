"""Activation functions."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor, _nn

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6",
    "relu_", "rrelu", "rrelu_", "selu", "selu_", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink",
    "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)`` of each element.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.relu(pydl.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return pydl.relu_(input) if inplace else pydl.relu(input)


def relu_(input: Tensor) -> Tensor:
    """In-place :func:`relu`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.relu_(x)
        >>> x
        tensor([0.0000, 0.5000, 2.0000])
    """
    return pydl.relu_(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element limited to ``[min_val, max_val]``.

    Raises:
        ValueError: ``min_val`` above ``max_val``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.hardtanh(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh(): min_val must not exceed max_val, got {min_val} > {max_val}")
    return _nn.hardtanh_(input, min_val, max_val) if inplace else _nn.hardtanh(input, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place :func:`hardtanh`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.hardtanh_(x)
        >>> x
        tensor([-1.0000,  0.5000,  1.0000])
    """
    return hardtanh(input, min_val, max_val, True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x, 0), 6)`` of each element (Krizhevsky, 2010).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.relu6(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([0.0000, 0.5000, 2.0000])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``x`` where positive, else ``negative_slope * x`` (Maas et al., 2013).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.leaky_relu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.0100,  0.5000,  2.0000])
    """
    return _nn.leaky_relu_(input, negative_slope) if inplace else _nn.leaky_relu(input, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place :func:`leaky_relu`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.leaky_relu_(x)
        >>> x
        tensor([-0.0100,  0.5000,  2.0000])
    """
    return leaky_relu(input, negative_slope, True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where positive, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2016).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.elu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.6321,  0.5000,  2.0000])
    """
    return _nn.elu_(input, alpha) if inplace else _nn.elu(input, alpha)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place :func:`elu`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.elu_(x)
        >>> x
        tensor([-0.6321,  0.5000,  2.0000])
    """
    return elu(input, alpha, True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`` (Barron, 2017). ``alpha`` must not be zero.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.celu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.6321,  0.5000,  2.0000])
    """
    return pydl.celu_(input, alpha) if inplace else pydl.celu(input, alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place :func:`celu`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.celu_(x)
        >>> x
        tensor([-0.6321,  0.5000,  2.0000])
    """
    return pydl.celu_(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.selu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-1.1113,  0.5254,  2.1014])
    """
    return pydl.selu_(input) if inplace else pydl.selu(input)


def selu_(input: Tensor) -> Tensor:
    """In-place :func:`selu`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.selu_(x)
        >>> x
        tensor([-1.1113,  0.5254,  2.1014])
    """
    return pydl.selu_(input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``x`` times the normal distribution function (Hendrycks and Gimpel, 2016); ``approximate`` may be ``"tanh"``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.gelu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.1587,  0.3457,  1.9545])
    """
    return _nn.gelu(input, approximate=approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * sigmoid(x)``, also called swish (Elfwing et al., 2017).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.silu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.2689,  0.3112,  1.7616])
    """
    return _nn.silu_(input) if inplace else _nn.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * tanh(softplus(x))`` (Misra, 2019).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.mish(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.3034,  0.3752,  1.9440])
    """
    return _nn.mish_(input) if inplace else _nn.mish(input)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``; the identity where ``beta * x`` exceeds ``threshold``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.softplus(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([0.3133, 0.9741, 2.1269])
    """
    return _nn.softplus(input, beta, threshold)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.sigmoid(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([0.2689, 0.6225, 0.8808])
    """
    return pydl.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.tanh(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.7616,  0.4621,  0.9640])
    """
    return pydl.tanh(input)


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x))`` without overflow.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.logsigmoid(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-1.3133, -0.4741, -0.1269])
    """
    return _nn.logsigmoid(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6`` (Howard et al., 2019).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.hardsigmoid(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([0.3333, 0.5833, 0.8333])
    """
    return _nn.hardsigmoid_(input) if inplace else _nn.hardsigmoid(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * hardsigmoid(x)`` (Howard et al., "Searching for MobileNetV3", 2019).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.hardswish(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.3333,  0.2917,  1.6667])
    """
    return _nn.hardswish_(input) if inplace else _nn.hardswish(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``x`` where it exceeds ``threshold``, else ``value``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.threshold(pydl.tensor([-1.0, 0.5, 2.0]), 0.6, 9.0)
        tensor([9., 9., 2.])
    """
    return pydl.threshold_(input, threshold, value) if inplace else pydl.threshold(input, threshold, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place :func:`threshold`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.threshold_(x, 0.6, 9.0)
        >>> x
        tensor([9., 9., 2.])
    """
    return pydl.threshold_(input, threshold, value)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """``x`` where positive, else ``weight * x``, with one weight or one for each channel (He et al., 2015).

    Raises:
        RuntimeError: the number of weights is neither one nor the size of dimension 1.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.prelu(pydl.tensor([-1.0, 0.5, 2.0]), pydl.tensor(0.1))
        tensor([-0.1000,  0.5000,  2.0000])
    """
    return pydl.prelu(input, weight)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Leaky ReLU whose slope is drawn from ``[lower, upper]`` for each element in training, else their mean.

    Raises:
        RuntimeError: ``lower`` above ``upper``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.rrelu(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.2292,  0.5000,  2.0000])
    """
    return pydl.rrelu_(input, lower, upper, training) if inplace else pydl.rrelu(input, lower, upper, training)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """In-place :func:`rrelu`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([-1.0, 0.5, 2.0])
        >>> _ = pydl.nn.functional.rrelu_(x)
        >>> x
        tensor([-0.2292,  0.5000,  2.0000])
    """
    return pydl.rrelu_(input, lower, upper, training)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """First half times the sigmoid of the second half along ``dim`` (Dauphin et al., 2017).

    Raises:
        RuntimeError: the size along ``dim`` is odd.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.glu(pydl.tensor([1.0, 2.0, 0.0, 0.0]))
        tensor([0.5000, 1.0000])
    """
    if input.shape[dim] % 2:
        raise RuntimeError(f"glu(): size along dim {dim} must be even, got {input.shape[dim]}")
    first, second = input.chunk(2, dim)
    return first * pydl.sigmoid(second)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """``x`` where ``|x| > lambd``, else 0.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.hardshrink(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-1.,  0.,  2.])
    """
    return pydl.hardshrink(input, lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """``x`` moved by ``lambd`` towards 0, and 0 within. ``lambd`` must not be negative.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.softshrink(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.5000,  0.0000,  1.5000])
    """
    return _nn.softshrink(input, lambd)


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.softsign(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.5000,  0.3333,  0.6667])
    """
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.tanhshrink(pydl.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.2384,  0.0379,  1.0360])
    """
    return input - input.tanh()


def _dim(name: str, dim: int | None, input: Tensor) -> int:
    if dim is not None:
        return dim
    import warnings

    warnings.warn(f"{name}(): leaving out dim is deprecated, pass it", stacklevel=4)
    return 0 if input.dim() in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """``exp(x)`` normalised to sum 1 along ``dim``; ``dtype`` converts first.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.softmax(pydl.zeros(2), dim=0)
        tensor([0.5000, 0.5000])
    """
    return pydl.softmax(input, _dim("softmax", dim, input), dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """:func:`softmax` of ``-x``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.softmin(pydl.tensor([1.0, 1.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    return pydl.softmax(-input, _dim("softmin", dim, input), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Logarithm of :func:`softmax`, without overflow.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.log_softmax(pydl.tensor([0.0, 0.0]), dim=0)
        tensor([-0.6931, -0.6931])
    """
    return pydl.log_softmax(input, _dim("log_softmax", dim, input), dtype=dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample of the Gumbel-softmax distribution (Jang et al., 2017); one-hot with ``hard``.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.gumbel_softmax(pydl.zeros(2, 5), hard=True).sum(1)
        tensor([1., 1.])
    """
    gumbels = -pydl.empty_like(logits).exponential_().log()
    soft = pydl.softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = pydl.zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft  # straight through: value of the one-hot, gradient of the soft sample
