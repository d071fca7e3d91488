"""Helpers for gradients and parameters."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Iterable
from typing import Any

import pydl
from pydl import Tensor

# Loaded when first used: names of functions by the module that has them
_SUBMODULES = ("parametrizations", "parametrize", "prune", "rnn", "stateless")
_FUSION = "pydl.nn.utils.fusion"
_NORMS = "pydl.nn.utils.weight_norms"
_LAZY = {
    "fuse_conv_bn_eval": _FUSION,
    "fuse_conv_bn_weights": _FUSION,
    "fuse_linear_bn_eval": _FUSION,
    "fuse_linear_bn_weights": _FUSION,
    "remove_spectral_norm": _NORMS,
    "remove_weight_norm": _NORMS,
    "spectral_norm": _NORMS,
    "weight_norm": _NORMS,
}

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format", "get_total_norm", "grad_stats",
    "parameters_to_vector", "skip_init", "vector_to_parameters", *_LAZY, *_SUBMODULES,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _with_grad(parameters: Any) -> list[Tensor]:
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [param for param in params if param.grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The p-norm of all elements of all tensors together, without overflow in between.

    Raises:
        RuntimeError: the norm is NaN or infinite, with ``error_if_nonfinite``.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.get_total_norm([pydl.tensor([3.0]), pydl.tensor([4.0])])
        tensor(5.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not tensors:
        return pydl.tensor(0.0)
    norm = pydl._grad_norm(tensors, float(norm_type))
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise RuntimeError(f"get_total_norm(): the total norm of order {norm_type} is not finite: {norm.item()}")
    return norm


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale the gradients by ``max_norm / total_norm`` where that makes them smaller.

    Example:
        >>> import pydl
        >>> w = pydl.zeros(2, requires_grad=True)
        >>> w.grad = pydl.tensor([3.0, 4.0])
        >>> pydl.nn.utils.clip_grads_with_norm_(w, 1.0, pydl.tensor(5.0))
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    factor = float(max_norm) / (total_norm + 1e-6)
    factor = factor.clamp(max=1.0)
    with pydl.no_grad():
        for param in _with_grad(parameters):
            param.grad.mul_(factor.to(param.grad.dtype))


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together so that their norm is at most ``max_norm``. Returns the norm before.

    Example:
        >>> import pydl
        >>> w = pydl.zeros(2, requires_grad=True)
        >>> w.grad = pydl.tensor([3.0, 4.0])
        >>> pydl.nn.utils.clip_grad_norm_(w, 1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    params = _with_grad(parameters)
    norm = get_total_norm([param.grad for param in params], norm_type, error_if_nonfinite)
    clip_grads_with_norm_(params, max_norm, norm)
    return norm


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The deprecated name of :func:`clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limit each element of the gradients to ``[-clip_value, clip_value]``.

    Example:
        >>> import pydl
        >>> w = pydl.zeros(2, requires_grad=True)
        >>> w.grad = pydl.tensor([3.0, -4.0])
        >>> pydl.nn.utils.clip_grad_value_(w, 1.0)
        >>> w.grad
        tensor([ 1., -1.])
    """
    limit = float(clip_value)
    with pydl.no_grad():
        for param in _with_grad(parameters):
            param.grad.clamp_(min=-limit, max=limit)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, in one vector.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.parameters_to_vector(pydl.nn.Linear(3, 2).parameters()).shape
        torch.Size([8])
    """
    return pydl.cat([param.view(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make the parameters views of consecutive slices of ``vec``.

    Raises:
        TypeError: ``vec`` is no tensor.

    Example:
        >>> import pydl
        >>> w = pydl.nn.Parameter(pydl.zeros(2))
        >>> pydl.nn.utils.vector_to_parameters(pydl.tensor([1.0, 2.0]), [w])
        >>> w.tolist()
        [1.0, 2.0]
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for param in parameters:
        count = param.numel()
        param.data = vec[start : start + count].view_as(param).data
        start += count


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """A module for weights that are loaded next. Here it gets its usual initial values, which cost little on a CPU.

    Args:
        module_cls: a class of modules whose constructor takes ``device``.
        args, kwargs: of the constructor.

    Raises:
        RuntimeError: the constructor takes no ``device``.

    Example:
        >>> import pydl
        >>> pydl.nn.utils.skip_init(pydl.nn.Linear, 5, 1)
        Linear(in_features=5, out_features=1, bias=True)
    """
    import inspect

    if not issubclass(module_cls, pydl.nn.Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    return module_cls(*args, **kwargs)


def _convert_convolutions(module: Any, memory_format: Any, dims: int) -> Any:
    kinds = {f"Conv{dims}d", f"ConvTranspose{dims}d"}
    for child in module.modules():
        if kinds & {base.__name__ for base in type(child).__mro__}:
            child.weight.data = child.weight.detach().clone().contiguous(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay out the weights of all 2-d convolutions in ``memory_format``. Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Conv2d(4, 2, 3)
        >>> _ = pydl.nn.utils.convert_conv2d_weight_memory_format(layer, pydl.channels_last)
        >>> layer.weight.is_contiguous(memory_format=pydl.channels_last)
        True
    """
    return _convert_convolutions(module, memory_format, 2)


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay out the weights of all 3-d convolutions in ``memory_format``. Returns ``module``.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Conv3d(4, 2, 3)
        >>> _ = pydl.nn.utils.convert_conv3d_weight_memory_format(layer, pydl.channels_last_3d)
        >>> layer.weight.is_contiguous(memory_format=pydl.channels_last_3d)
        True
    """
    return _convert_convolutions(module, memory_format, 3)


def _grad_norm_of(values: Tensor, norm_type: float) -> float:
    """The norm of a vector, scaled so that no power overflows."""
    if not values.numel():
        return 0.0
    largest = values.max().item()
    if norm_type == math.inf or largest == 0.0:
        return largest
    if norm_type <= 0:
        return pydl.linalg.vector_norm(values, norm_type).item()
    return largest * pydl.linalg.vector_norm(values / largest, norm_type).item()


def grad_stats(module: Any, norm_type: float = 2.0) -> dict[str, dict[str, Any]]:
    """What is known of every parameter's gradient, by the parameter's name; a shared parameter comes once.

    Args:
        module: after ``backward``. Nothing in it changes.
        norm_type: order of the norm. Default: 2.

    Returns:
        For each name ``norm`` of the finite entries, ``max_abs``, the largest of them without sign, ``zeros`` and
        ``nonfinite``, how many are exactly zero and NaN or infinite, ``numel`` of the parameter, and ``has_grad``;
        without gradient norm and counts are 0.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Linear(2, 1)
        >>> layer(pydl.tensor([[3.0, 4.0]])).sum().backward()
        >>> pydl.nn.utils.grad_stats(layer)["weight"]
        {'norm': 5.0, 'max_abs': 4.0, 'zeros': 0, 'nonfinite': 0, 'numel': 2, 'has_grad': True}
    """
    stats: dict[str, dict[str, Any]] = {}
    for name, param in module.named_parameters():
        entry = {"norm": 0.0, "max_abs": 0.0, "zeros": 0, "nonfinite": 0, "numel": param.numel(), "has_grad": False}
        if param.grad is not None:
            sizes = param.grad.detach().reshape(-1).abs().double()
            finite = sizes[sizes.isfinite()]
            entry["norm"] = _grad_norm_of(finite, float(norm_type))
            entry["max_abs"] = finite.max().item() if finite.numel() else 0.0
            entry["zeros"] = int((sizes == 0).sum())
            entry["nonfinite"] = sizes.numel() - finite.numel()
            entry["has_grad"] = True
        stats[name] = entry
    return stats
