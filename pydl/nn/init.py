"""Starting values of parameters. Every function fills its tensor in place, outside autograd, and returns it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import pydl
from pydl import Tensor

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
    "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
    "constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal", "sparse", "uniform",
    "xavier_normal", "xavier_uniform",
]  # fmt: skip

_LINEAR = (
    "linear",
    "sigmoid",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance of activations through ``nonlinearity`` (He et al., 2015).

    ``param`` is the slope of ``"leaky_relu"``, 0.01 by default.

    Raises:
        ValueError: an unknown name, or a slope that is no number.

    Example:
        >>> import pydl
        >>> round(pydl.nn.init.calculate_gain("relu"), 4)
        1.4142
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
        raise ValueError(f"negative_slope {param} not a valid number")
    slope = 0.01 if param is None else param
    return math.sqrt(2.0 / (1 + slope**2))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in ``[a, b)``.

    Example:
        >>> import pydl
        >>> bool((pydl.nn.init.uniform_(pydl.empty(9), 2.0, 3.0) >= 2).all())
        True
    """
    with pydl.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with the given mean and standard deviation.

    Example:
        >>> import pydl
        >>> pydl.nn.init.normal_(pydl.empty(10_000), mean=5.0).mean().round()
        tensor(5.)
    """
    with pydl.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normal, restricted to ``[a, b]`` by the inverse of the distribution function.

    Warns where the mean lies more than two ``std`` outside the range: the tails are then inexact.

    Example:
        >>> import pydl
        >>> bool(pydl.nn.init.trunc_normal_(pydl.empty(1000), a=-1.0, b=1.0).abs().max() <= 1.0)
        True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        import warnings

        warnings.warn(
            f"trunc_normal_(): mean {mean} is more than 2 std from [{a}, {b}]; it may be inexact", stacklevel=2
        )
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2.0))) for bound in (a, b))
    with pydl.no_grad():
        # a uniform value of erf, turned back into the normal one
        tensor.uniform_(low, high, generator=generator)
        tensor.erfinv_()
        return tensor.mul_(std * math.sqrt(2.0)).add_(mean).clamp_(min=a, max=b)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """``val`` everywhere.

    Example:
        >>> import pydl
        >>> pydl.nn.init.constant_(pydl.empty(2), 3.0)
        tensor([3., 3.])
    """
    with pydl.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere.

    Example:
        >>> import pydl
        >>> pydl.nn.init.ones_(pydl.empty(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere.

    Example:
        >>> import pydl
        >>> pydl.nn.init.zeros_(pydl.empty(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix. Raises ValueError unless the tensor has two dimensions.

    Example:
        >>> import pydl
        >>> pydl.nn.init.eye_(pydl.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with pydl.no_grad():
        return tensor.copy_(pydl.eye(tensor.shape[0], tensor.shape[1], dtype=tensor.dtype))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The kernel of a convolution (3 to 5 dimensions) that passes its input channels on.

    Raises:
        ValueError: another number of dimensions, or output channels that ``groups`` does not divide.

    Example:
        >>> import pydl
        >>> pydl.nn.init.dirac_(pydl.empty(2, 2, 3))[0]
        tensor([[0., 1., 0.],
                [0., 0., 0.]])
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = out_channels // groups
    centre = tuple(size // 2 for size in kernel)
    with pydl.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, in_channels)):
                at = (group * per_group + channel, channel, *centre)
                tensor[at] = 1
    return tensor


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Inputs that reach one output value, and outputs that one input value reaches."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform with variance ``2 * gain**2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Example:
        >>> import pydl
        >>> bool(pydl.nn.init.xavier_uniform_(pydl.empty(3, 3)).abs().max() <= 1.0)
        True
    """
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with variance ``2 * gain**2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Example:
        >>> import pydl
        >>> pydl.nn.init.xavier_normal_(pydl.empty(3, 5)).shape
        torch.Size([3, 5])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _is_empty(tensor: Tensor) -> bool:
    if 0 not in tensor.shape:
        return False
    import warnings

    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return True


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform with variance ``gain**2 / fan`` (He et al., 2015).

    Args:
        a: slope of the leaky ReLU that follows. Default: 0.
        mode: ``"fan_in"`` keeps the variance forward, ``"fan_out"`` backward.
        nonlinearity: what follows, as in :func:`calculate_gain`.

    Example:
        >>> import pydl
        >>> bool(pydl.nn.init.kaiming_uniform_(pydl.empty(4, 6), nonlinearity="relu").abs().max() <= 1.0)
        True
    """
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal with variance ``gain**2 / fan`` (He et al., 2015); arguments as in :func:`kaiming_uniform_`.

    Example:
        >>> import pydl
        >>> pydl.nn.init.kaiming_normal_(pydl.empty(3, 5), mode="fan_out").shape
        torch.Size([3, 5])
    """
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """A random (semi-)orthogonal matrix times ``gain`` (Saxe et al., 2014); later dimensions count as one.

    Raises:
        ValueError: fewer than two dimensions.

    Example:
        >>> import pydl
        >>> w = pydl.nn.init.orthogonal_(pydl.empty(3, 3))
        >>> pydl.allclose(w @ w.T, pydl.eye(3), atol=1e-5)
        True
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    import numpy as np

    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    with pydl.no_grad():
        sample = pydl.empty((rows, columns), dtype=pydl.float64).normal_(0, 1, generator=generator).numpy()
        q, r = np.linalg.qr(sample.T if rows < columns else sample)
        q *= np.sign(np.diag(r))  # makes the distribution uniform (Mezzadri, 2007)
        q = np.ascontiguousarray(q.T if rows < columns else q) * gain
        return tensor.copy_(pydl.from_numpy(q).reshape(tuple(tensor.shape)))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal values, with the fraction ``sparsity`` of each column set to zero (Martens, 2010).

    Raises:
        ValueError: other than two dimensions.

    Example:
        >>> import pydl
        >>> int((pydl.nn.init.sparse_(pydl.empty(10, 2), sparsity=0.3) == 0).sum())
        6
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with pydl.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[pydl.randperm(rows, generator=generator)[:zeros], column] = 0
    return tensor


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function under its old name, without the underscore."""
    old, new = function.__name__.rstrip("_"), function.__name__

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        message = f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`."
        warnings.warn(message, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = old
    return call


constant = _deprecated(constant_)
dirac = _deprecated(dirac_)
eye = _deprecated(eye_)
kaiming_normal = _deprecated(kaiming_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
normal = _deprecated(normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
uniform = _deprecated(uniform_)
xavier_normal = _deprecated(xavier_normal_)
xavier_uniform = _deprecated(xavier_uniform_)
