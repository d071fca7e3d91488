"""Explanations by the gradient of the output by the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.attribution._common import (
    Target,
    as_arguments,
    baseline_of,
    check_inputs,
    gradient,
    repeated,
    repeated_target,
    selected,
    working,
)

__all__ = ["IntegratedGradients", "Saliency", "SmoothGrad"]


class Saliency:
    """The gradient of a class's score by the input, without sign: how much each element matters.

    Args:
        forward_func: maps (N, ...) to (N, classes) or (N,).

    Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", ICLR 2014.

    Example:
        >>> import pydl
        >>> saliency = pydl.attribution.Saliency(lambda x: x @ pydl.tensor([[1.0, 0.0], [-2.0, 3.0]]))
        >>> saliency.attribute(pydl.ones(1, 2), target=0)
        tensor([[1., 2.]])
    """

    def __init__(self, forward_func: Callable[..., Tensor]) -> None:
        self.forward_func = forward_func

    def attribute(
        self, inputs: Tensor, target: Target = None, abs: bool = True, additional_forward_args: Any = None
    ) -> Tensor:
        """Of the inputs' shape.

        Args:
            inputs: (N, ...). target: class, or one for each sample; ``None`` for outputs (N,) or (N, 1).
            abs: without sign. Default: ``True``.
            additional_forward_args: further arguments of the model, a tuple if there are several.

        Raises:
            IndexError: a target out of range. ValueError: no target where one is needed. ShapeError: outputs of another
                shape. TypeError: inputs that are not floating point.
        """
        x = check_inputs("Saliency", inputs)
        found = gradient("Saliency", self.forward_func, x, target, as_arguments(additional_forward_args))
        return found.abs() if abs else found


class SmoothGrad:
    """The mean of another explanation over inputs with noise, which takes its own noise away.

    Args:
        forward_func: maps (N, ...) to (N, classes) or (N,).
        method: has ``attribute``. Default: ``Saliency``, with sign.

    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", arXiv:1706.03825.

    Example:
        >>> import pydl
        >>> smooth = pydl.attribution.SmoothGrad(lambda x: (x ** 2).sum(1))
        >>> smooth.attribute(pydl.tensor([[3.0]]), stdevs=0.0, n_samples=2)
        tensor([[6.]])
    """

    def __init__(self, forward_func: Callable[..., Tensor], method: Any = None) -> None:
        self.forward_func = forward_func
        self.method = method

    def attribute(
        self,
        inputs: Tensor,
        target: Target = None,
        n_samples: int = 50,
        stdevs: float = 0.15,
        generator: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """Of the inputs' shape.

        Args:
            inputs: (N, ...). target: class, or one for each sample.
            n_samples: noisy copies. Default: 50. stdevs: deviation of the noise. Default: 0.15.
            generator: of the noise. Default: pydl's own.
            kwargs: of the method's ``attribute``.

        Raises:
            ValueError: ``n_samples`` below 1, a negative deviation; and what the method raises.
        """
        x = check_inputs("SmoothGrad", inputs)
        if n_samples < 1 or not stdevs >= 0:
            raise ValueError(
                f"SmoothGrad: n_samples must be at least 1 and stdevs not negative, got {n_samples} and {stdevs}"
            )
        total = pydl.zeros_like(x, dtype=working(x))
        method = self.method
        if method is None:
            method = Saliency(self.forward_func)
            kwargs = {"abs": False, **kwargs}
        for _ in range(n_samples):
            noise = pydl.randn(x.shape, generator=generator, dtype=x.dtype) * stdevs
            total = total + method.attribute(x + noise, target=target, **kwargs).detach()
        return (total / n_samples).to(x.dtype)


def _rule(method: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in [0, 1] and weights of a quadrature."""
    if steps < 1 or (steps < 2 and method == "riemann_trapezoid"):
        raise ValueError(f"IntegratedGradients: n_steps must be at least 1 (trapezoid: 2), got {steps}")
    if method == "gausslegendre":
        places, weights = np.polynomial.legendre.leggauss(steps)
        return (1 + places) / 2, weights / 2
    if method == "riemann_trapezoid":
        weights = np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, steps), weights
    shifts = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}
    if method not in shifts:
        raise ValueError(
            f"IntegratedGradients: method must be 'gausslegendre', 'riemann_trapezoid' or one of {list(shifts)}, got "
            f"{method!r}"
        )
    return (np.arange(steps) + shifts[method]) / steps, np.full(steps, 1 / steps)


class IntegratedGradients:
    """``(x - x')`` times the mean of the gradients on the line from ``x'`` to ``x``.

    The sum over all elements is ``F(x) - F(x')`` (completeness), up to the error of the quadrature.

    Args:
        forward_func: maps (N, ...) to (N, classes) or (N,).
        multiply_by_inputs: ``False``: the mean of the gradients alone. Default: ``True``.

    Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017.

    Example:
        >>> import pydl
        >>> integrated = pydl.attribution.IntegratedGradients(lambda x: (x ** 2).sum(1))
        >>> integrated.attribute(pydl.tensor([[1.0, 3.0]]), n_steps=4)
        tensor([[1., 9.]])
    """

    def __init__(self, forward_func: Callable[..., Tensor], multiply_by_inputs: bool = True) -> None:
        self.forward_func = forward_func
        self.multiply_by_inputs = multiply_by_inputs

    def attribute(
        self,
        inputs: Tensor,
        baselines: Any = None,
        target: Target = None,
        additional_forward_args: Any = None,
        n_steps: int = 50,
        method: str = "gausslegendre",
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
    ) -> Any:
        """Of the inputs' shape; with ``return_convergence_delta`` also (N,), the sums less ``F(x) - F(x')``.

        Args:
            inputs: (N, ...). baselines: x': a number, (1, ...) or of the inputs' shape. Default: 0.
            target: class, or one for each sample; ``None`` for outputs (N,) or (N, 1).
            additional_forward_args: further arguments of the model, a tuple if there are several.
            n_steps: places on the line. Default: 50.
            method: ``'gausslegendre'`` (default), ``'riemann_left'``, ``'riemann_middle'``, ``'riemann_right'``,
                ``'riemann_trapezoid'`` (whose weights sum to 1, where Captum's sum to 1 - 1 / n_steps).
            internal_batch_size: most samples in one call of the model, at least N. Default: all at once.

        Raises:
            ValueError: another method, too few steps, no target where one is needed. IndexError: a target out of range.
            ShapeError: outputs or baselines of another shape.
        """
        name = "IntegratedGradients"
        x = check_inputs(name, inputs)
        base = baseline_of(name, baselines, x)
        arguments = as_arguments(additional_forward_args)
        places, weights = _rule(method, n_steps)
        together = n_steps if internal_batch_size is None else max(internal_batch_size // max(len(x), 1), 1)
        total = pydl.zeros_like(x, dtype=working(x))
        for start in range(0, n_steps, together):
            some = slice(start, start + together)
            total = total + self._part(x, base, places[some], weights[some], target, arguments)
        result = total * (x - base) if self.multiply_by_inputs else total
        if not return_convergence_delta:
            return result.to(x.dtype)
        with pydl.no_grad():
            ends = [selected(name, self.forward_func(end, *arguments), target, len(x)) for end in (x, base)]
        effect = result if self.multiply_by_inputs else result * (x - base)
        return result.to(x.dtype), (effect.flatten(1).sum(1) - (ends[0] - ends[1])).to(x.dtype)

    def _part(
        self, x: Tensor, base: Tensor, places: np.ndarray, weights: np.ndarray, target: Target, arguments: Any
    ) -> Tensor:
        """The weighted sum of the gradients at some places."""
        count = len(places)
        shape = (count, *(1,) * x.dim())
        wide = working(x)
        along, share = (pydl.from_numpy(values).to(wide).reshape(shape) for values in (places, weights))
        points = (base + along * (x - base)).flatten(0, 1).to(x.dtype)
        found = gradient(
            "IntegratedGradients", self.forward_func, points, repeated_target(target, count),
            repeated(arguments, len(x), count),
        )  # fmt: skip
        return (found.unflatten(0, (count, len(x))) * share).sum(0)
