"""Explanation by hiding parts of the input."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pydl
from pydl import Tensor
from pydl.attribution._common import (
    Target,
    baseline_of,
    check_inputs,
    repeated_target,
    selected,
    working,
)

__all__ = ["Occlusion"]


class Occlusion:
    """How much a score falls when a window of the input is hidden, averaged over the windows that cover an element.

    Args:
        forward_func: maps (N, ...) to (N, classes) or (N,).

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.

    Example:
        >>> import pydl
        >>> occlusion = pydl.attribution.Occlusion(lambda x: x.sum(1))
        >>> occlusion.attribute(pydl.tensor([[1.0, 5.0, 2.0]]), sliding_window_shapes=(1,))
        tensor([[1., 5., 2.]])
    """

    def __init__(self, forward_func: Callable[..., Tensor]) -> None:
        self.forward_func = forward_func

    def attribute(
        self,
        inputs: Tensor,
        sliding_window_shapes: tuple[int, ...],
        strides: Any = None,
        baselines: Any = None,
        target: Target = None,
        perturbations_per_eval: int = 1,
    ) -> Tensor:
        """Of the inputs' shape.

        Args:
            inputs: (N, ...).
            sliding_window_shapes: size of the window in every dim but the batch.
            strides: steps of the window, one number or one for each dim, at most its size. Default: 1.
            baselines: what is shown in the window: a number, (1, ...) or of the inputs' shape. Default: 0.
            target: class, or one for each sample; ``None`` for outputs (N,) or (N, 1).
            perturbations_per_eval: windows in one call of the model. Default: 1.

        Raises:
            ValueError: windows or strides of another length or size, no target where one is needed.
            IndexError: a target out of range. ShapeError: outputs or baselines of another shape.
        """
        name = "Occlusion"
        x = check_inputs(name, inputs)
        base = baseline_of(name, baselines, x)
        window, steps = _geometry(tuple(x.shape[1:]), sliding_window_shapes, strides)
        if perturbations_per_eval < 1:
            raise ValueError(f"{name}: perturbations_per_eval must be at least 1, got {perturbations_per_eval}")
        wide = working(x)
        total, covered = pydl.zeros_like(x, dtype=wide), pydl.zeros(x.shape[1:], dtype=wide)
        with pydl.no_grad():
            whole = selected(name, self.forward_func(x), target, len(x))
            places = _places(tuple(x.shape[1:]), window, steps)
            while some := list(itertools.islice(places, perturbations_per_eval)):
                hidden = x.repeat(len(some), *(1,) * (x.dim() - 1)).unflatten(0, (len(some), len(x)))
                everywhere = [(slice(None), *place) for place in some]
                for k, place in enumerate(everywhere):
                    hidden[k][place] = base[place]
                output = self.forward_func(hidden.flatten(0, 1))
                scores = selected(name, output, repeated_target(target, len(some)), len(x) * len(some))
                falls = (whole - scores.unflatten(0, (len(some), len(x)))).to(wide)
                for fall, place in zip(falls, everywhere):
                    total[place] += fall.reshape(-1, *(1,) * (x.dim() - 1))
                    covered[place[1:]] += 1
        return (total / covered).to(x.dtype)


def _geometry(shape: tuple[int, ...], window: Any, strides: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sizes = tuple(window) if isinstance(window, (tuple, list)) else (window,)
    steps = tuple(strides) if isinstance(strides, (tuple, list)) else (1 if strides is None else strides,) * len(shape)
    if len(sizes) != len(shape) or any(not isinstance(s, int) or not 1 <= s <= n for s, n in zip(sizes, shape)):
        raise ValueError(
            f"Occlusion: sliding_window_shapes must be one size for each of {shape} and fit in it, got {window}"
        )
    if len(steps) != len(shape) or any(not isinstance(s, int) or not 1 <= s <= w for s, w in zip(steps, sizes)):
        raise ValueError(f"Occlusion: strides must be between 1 and the window's sizes {sizes}, got {strides}")
    return sizes, steps


def _places(shape: tuple[int, ...], window: tuple[int, ...], steps: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """All windows; the last one of a row may reach beyond the border, and is cut there."""
    counts = [-(-(size - w) // step) + 1 for size, w, step in zip(shape, window, steps)]
    for at in itertools.product(*map(range, counts)):
        yield tuple(slice(k * step, min(k * step + w, size)) for k, step, w, size in zip(at, steps, window, shape))
