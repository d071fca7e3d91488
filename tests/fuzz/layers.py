"""Hostile calls over the layers, losses and functions that are written in Python: what their annotations ask for, or not."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import pydl

Value = Callable[[random.Random, str, tuple[int, ...]], Any]
Call = tuple[Callable[..., Any], list[Any], dict[str, Any]]

STRINGS = [
    "mean", "sum", "none", "zeros", "reflect", "circular", "same", "valid", "nearest", "bilinear", "bicubic", "area", "relu", "gelu", "tanh",
    "max", "border", "batch_mean",
]  # fmt: skip
BASES = [
    (2, 3, 8),
    (6, 4),
    (7, 5),
    (1, 4, 6, 6),
    (2, 2, 4, 4, 4),
    (3, 4),
    (5,),
    (2, 3),
    (4, 4),
    (0, 3, 5, 5),
    (1, 1, 1, 1),
    (2, 0, 4),
]


def _kinds(annotation: Any) -> list[str]:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")
    found = [kind for kind in ("Tensor", "bool", "str", "float") if kind in text]
    if "int" in text or "tuple" in text or "Size" in text:
        found += ["int", "int", "Size"]
    if "None" in text:
        found.append("None")
    return found or ["int", "Size", "Tensor", "float", "bool"]


def _argument(r: random.Random, p: inspect.Parameter, base: tuple[int, ...], value: Value) -> Any:
    kind = r.choice(_kinds(p.annotation))
    if kind == "str" and r.random() < 0.8:
        return r.choice(STRINGS)
    if kind == "int" and r.random() < 0.5:
        return r.choice([1, 2, 3, 4, *base[:2]])  # sizes that fit
    if kind == "Tensor" and p.name in ("target", "indices", "offsets", "input_lengths") and r.random() < 0.7:
        return pydl.tensor([[r.randrange(-1, 5) for _ in range(r.randrange(4))] for _ in range(1)])[0].long()
    return value(r, kind, base)


def _arguments(
    r: random.Random, parameters: Any, base: tuple[int, ...], value: Value
) -> tuple[list[Any], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or (p.default is not p.empty and r.random() < 0.7):
            continue
        made = _argument(r, p, base, value)
        if p.kind is p.POSITIONAL_ONLY or (p.default is p.empty and not kwargs):
            args.append(made)
        else:
            kwargs[p.name] = made
    return args, kwargs


PLACES = [
    pydl.nn.functional, pydl.nn, pydl.nn.blocks, pydl.losses, pydl.geometric, pydl.vision.ops, pydl.vision.filters,
    pydl.vision.transforms.functional, pydl.quantization, pydl.signal.windows,
]  # fmt: skip
NAMES = [
    (place, name)
    for place in PLACES
    for name in (pydl.nn.modules.__all__ if place is pydl.nn else place.__all__)
    if name not in ("load_mesh",)
]
FUNCTIONS = [f for place, name in NAMES if inspect.isfunction(f := getattr(place, name))]
LAYERS = [c for place, name in NAMES if inspect.isclass(c := getattr(place, name)) and issubclass(c, pydl.nn.Module)]


def function(r: random.Random, value: Value) -> Call:
    """A function of one of the places."""
    f = r.choice(FUNCTIONS)
    args, kwargs = _arguments(r, inspect.signature(f).parameters.values(), r.choice(BASES), value)
    return f, args, kwargs


def layer(r: random.Random, value: Value) -> Call:
    """The construction of a layer and one call of it."""
    kind, base = r.choice(LAYERS), r.choice(BASES)
    args, kwargs = _arguments(r, list(inspect.signature(kind.__init__).parameters.values())[1:], base, value)
    inputs = [value(r, "Tensor", base) for _ in range(r.choice((1, 1, 1, 2, 3)))]

    def build_and_call(*args: Any, **kwargs: Any) -> Any:
        net = kind(*args, **kwargs)
        return net.eval()(*inputs) if r.random() < 0.3 else net(*inputs)

    build_and_call.__qualname__ = f"nn.{kind.__name__}"
    return build_and_call, args, kwargs
