"""Pooling, unpooling, sliding blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from moduleinfo import Inputs, module

SHAPES: dict[int, tuple[int, ...]] = {1: (9,), 2: (7, 8), 3: (4, 5, 6)}
SMALL: dict[int, tuple[int, ...]] = {1: (6,), 2: (4, 4), 3: (3, 3, 3)}
NONE = {"gradcheck": False, "gradgradcheck": False}


def distinct(shape: tuple[int, ...]) -> Any:
    return lambda m: (m.distinct(*shape),)


def positive(shape: tuple[int, ...]) -> Any:
    return lambda m: (m.real(*shape, low=0.5, high=2.0),)


def places(dims: int) -> Any:
    """Maxima and, for windows of 2, a place in each."""

    def make(m: Inputs) -> tuple[Any, ...]:
        sides = SMALL[dims]
        out = tuple(n // 2 for n in sides)
        corner = np.zeros(out, np.int64)
        for d, (n, o) in enumerate(zip(sides, out)):
            steps = (2 * np.arange(o)).reshape(-1, *(1,) * (dims - 1 - d))
            corner = corner * n + steps
        return (m.real(2, 3, *out), np.broadcast_to(corner, (2, 3, *out)).copy())

    return make


def samples(nn: Any, dims: int) -> Any:
    """What the fractional poolings of (2, 3, ...) draw otherwise."""
    values = np.random.default_rng(5).random((2, 3, dims)).tolist()
    return nn.Linear(1, 1).weight.detach().new_tensor(values)


for _d in (1, 2, 3):
    _wide, _small = (2, 3, *SHAPES[_d]), (1, 1, *SMALL[_d])
    module(f"MaxPool{_d}d", distinct(_small), args=(2,))
    for _label, _args, _kwargs in [
        ("overlap", (3,), {"stride": 2, "padding": 1}),
        ("ceil", (3, 2), {"ceil_mode": True}),
        ("dilated", (2, 1), {"dilation": 2, "padding": 1}),
        ("stride-3", (2, 3), {"ceil_mode": True}),
        ("places", (3, 2, 1, 1, True), {}),
    ]:
        module(f"MaxPool{_d}d", distinct(_wide), args=_args, kwargs=_kwargs, label=_label, **NONE)
    module(f"MaxPool{_d}d", distinct((3, *SHAPES[_d])), args=(2,), label="unbatched", **NONE)
    module(f"MaxUnpool{_d}d", places(_d), args=(2,), kwargs={"stride": 2})
    module(f"AvgPool{_d}d", distinct(_small), args=(2,))
    for _label, _args, _kwargs in [
        ("overlap", (3,), {"stride": 2, "padding": 1}),
        ("ceil", (3, 2, 1, True), {"count_include_pad": False}),
        ("stride-1", (2, 1), {}),
        ("stride-3", (2, 3), {"ceil_mode": True}),
        *([] if _d == 1 else [("divisor", (2,), {"divisor_override": 3})]),
    ]:
        module(f"AvgPool{_d}d", distinct(_wide), args=_args, kwargs=_kwargs, label=_label, **NONE)
    module(f"LPPool{_d}d", positive(_small), args=(2, 2))
    module(
        f"LPPool{_d}d",
        positive(_wide),
        args=(1.5, 3),
        kwargs={"stride": 2, "ceil_mode": True},
        label="ceil",
        **NONE,
    )
    module(f"AdaptiveAvgPool{_d}d", distinct(_small), args=(2,))
    module(f"AdaptiveAvgPool{_d}d", distinct(_wide), args=(5,), label="overlap", **NONE)
    module(f"AdaptiveAvgPool{_d}d", distinct(_wide), args=(1,), label="one", **NONE)
    module(f"AdaptiveMaxPool{_d}d", distinct(_small), args=(2,))
    module(f"AdaptiveMaxPool{_d}d", distinct(_wide), args=(5, True), label="places", **NONE)
    if _d > 1:
        module(f"AdaptiveAvgPool{_d}d", distinct(_wide), args=((None, *(3,) * (_d - 1)),), label="none", **NONE)
        module(
            f"FractionalMaxPool{_d}d",
            distinct(_wide),
            args=(2,),
            kwargs=lambda nn, d=_d: {
                "output_size": (2, 3, 3)[:d],
                "return_indices": True,
                "_random_samples": samples(nn, d),
            },
            **NONE,
        )
        module(
            f"FractionalMaxPool{_d}d",
            distinct(_wide),
            args=((2, 1, 2)[:_d],),
            kwargs=lambda nn, d=_d: {"output_ratio": (0.5, 0.7, 0.6)[:d], "_random_samples": samples(nn, d)},
            label="ratio",
            **NONE,
        )

module("Unfold", lambda m: (m.real(1, 1, 4, 3),), args=(2,))
module("Unfold", lambda m: (m.real(2, 3, 6, 7),), args=((2, 3), 2, 1, (2, 1)), label="all", **NONE)
module("Unfold", lambda m: (m.real(3, 6, 7),), args=(3,), label="unbatched", **NONE)
module("Fold", lambda m: (m.real(1, 4, 4),), args=((3, 3), 2))
module("Fold", lambda m: (m.real(2, 18, 8),), args=((7, 8), (2, 3), 2, 1, (2, 3)), label="all", **NONE)
