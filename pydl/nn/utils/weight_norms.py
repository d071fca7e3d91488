"""Weight and spectral norm as hooks before each call: PyTorch's older interface, with its state_dict."""

from __future__ import annotations

import warnings
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.parameter import Parameter
from pydl.nn.utils.parametrizations import _SpectralNorm

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


class _WeightNormHook:
    """Computes ``name`` from ``name_g`` and ``name_v``."""

    def __init__(self, name: str, dim: int) -> None:
        self.name = name
        self.dim = dim

    def weight(self, module: Any) -> Any:
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / pydl.norm_except_dim(v, 2, self.dim))

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.weight(module))


def _hook_of(module: Any, name: str, kind: type) -> tuple[Any, Any]:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:  # type: ignore[attr-defined]
            return key, hook
    return None, None


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Replace a weight by magnitude ``<name>_g`` and direction ``<name>_v``; computed anew before each call.

    The newer form is :func:`pydl.nn.utils.parametrizations.weight_norm`.

    Args:
        module: what has the weight.
        name: of the weight. Default: ``"weight"``.
        dim: one magnitude for each index of this dim; ``None``: one for all. Default: 0.

    Returns:
        ``module``.

    Raises:
        RuntimeError: the weight is normalised already.

    Example:
        >>> import pydl
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     layer = pydl.nn.utils.weight_norm(pydl.nn.Linear(2, 3))
        >>> layer.weight_g.shape
        torch.Size([3, 1])
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    if _hook_of(module, name, _WeightNormHook)[1] is not None:
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    hook = _WeightNormHook(name, -1 if dim is None else dim)
    weight = getattr(module, name)
    delattr(module, name)
    module.register_parameter(name + "_g", Parameter(pydl.norm_except_dim(weight, 2, hook.dim).detach()))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, hook.weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight a parameter again, with its present value.

    Raises:
        ValueError: there is no weight norm on it.

    Example:
        >>> import pydl
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     layer = pydl.nn.utils.weight_norm(pydl.nn.Linear(2, 3))
        >>> list(pydl.nn.utils.remove_weight_norm(layer).state_dict())
        ['bias', 'weight']
    """
    key, hook = _hook_of(module, name, _WeightNormHook)
    if hook is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    weight = hook.weight(module).detach()
    for part in (name, name + "_g", name + "_v"):
        delattr(module, part)
    del module._forward_pre_hooks[key]
    module.register_parameter(name, Parameter(weight))
    return module


class _SpectralNormHook:
    """Computes ``name`` from ``name_orig``, with ``name_u`` and ``name_v`` for the power iteration."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def weight(self, module: Any, iterate: bool) -> Any:
        weight = getattr(module, self.name + "_orig")
        matrix = weight.movedim(self.dim, 0).flatten(1)
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        if iterate:
            with pydl.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(_normalized(pydl.mv(matrix.t(), u), self.eps))
                    u.copy_(_normalized(pydl.mv(matrix, v), self.eps))
            u, v = u.clone(), v.clone()  # the next call overwrites what backward needs
        return weight / pydl.dot(u, pydl.mv(matrix, v))

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.weight(module, module.training))


def _normalized(vector: Tensor, eps: float) -> Tensor:
    return vector / vector.norm(2).clamp_min(eps)


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value before each call (Miyato et al., ICLR 2018).

    The newer form is :func:`pydl.nn.utils.parametrizations.spectral_norm`.

    Args:
        module: what has the weight, which becomes ``<name>_orig``.
        name: of the weight. Default: ``"weight"``.
        n_power_iterations: for each call in training mode. Default: 1.
        eps: floor of the norms divided by. Default: 1e-12.
        dim: of the outputs. Default: 1 for transposed convolutions, 0 otherwise.

    Returns:
        ``module``.

    Raises:
        ValueError: ``n_power_iterations`` is not positive. RuntimeError: the weight is normalised already.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.spectral_norm(pydl.nn.Linear(2, 3))
        >>> sorted(layer.state_dict())
        ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if n_power_iterations <= 0:
        raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
    if _hook_of(module, name, _SpectralNormHook)[1] is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    if dim is None:
        dim = int(any(base.__name__.startswith("ConvTranspose") for base in type(module).__mro__))
    weight = module._parameters[name]
    start = _SpectralNorm(weight, n_power_iterations, dim, eps)
    hook = _SpectralNormHook(name, n_power_iterations, dim, eps)
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    # Until the first call an ordinary attribute, so that initialisation code finds it
    setattr(module, name, weight.detach())
    module.register_buffer(name + "_u", start._u)
    module.register_buffer(name + "_v", start._v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight a parameter again, with its present value.

    Raises:
        ValueError: there is no spectral norm on it.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.utils.spectral_norm(pydl.nn.Linear(2, 3))
        >>> sorted(pydl.nn.utils.remove_spectral_norm(layer).state_dict())
        ['bias', 'weight']
    """
    key, hook = _hook_of(module, name, _SpectralNormHook)
    if hook is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    with pydl.no_grad():
        weight = hook.weight(module, False)
    for part in (name, name + "_u", name + "_v", name + "_orig"):
        delattr(module, part)
    del module._forward_pre_hooks[key]
    module.register_parameter(name, Parameter(weight.detach()))
    return module
