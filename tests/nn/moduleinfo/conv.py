"""Convolutions and their transposes."""

from __future__ import annotations

from typing import Any

from moduleinfo import Inputs, module

SHAPES: dict[int, tuple[int, ...]] = {1: (7,), 2: (5, 6), 3: (4, 3, 5)}
SMALL: dict[int, tuple[int, ...]] = {1: (4,), 2: (3, 3), 3: (2, 3, 2)}


def image(dims: int, channels: int, batch: int | None = 2) -> Any:
    lead = (channels,) if batch is None else (batch, channels)
    return lambda m: (m.real(*lead, *SHAPES[dims]),)


def tiny(dims: int, channels: int) -> Any:
    def make(m: Inputs) -> tuple[Any, ...]:
        return (m.real(1, channels, *SMALL[dims]),)

    return make


for _d in (1, 2, 3):
    module(f"Conv{_d}d", tiny(_d, 1), args=(1, 2, 2))
    for _label, _args, _kwargs, _channels in [
        ("all", (4, 6, 2), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, 4),
        ("same", (2, 3, 4), {"padding": "same", "dilation": 2}, 2),
        ("valid", (2, 3, 2), {"padding": "valid", "bias": False}, 2),
        ("depthwise", (3, 3, 3), {"padding": 1, "groups": 3}, 3),
        ("point", (5, 20, 1), {}, 5),
        ("reflect", (2, 3, 3), {"padding": 1, "padding_mode": "reflect"}, 2),
        ("replicate", (2, 3, 3), {"padding": 2, "padding_mode": "replicate", "stride": 2}, 2),
        ("circular", (2, 3, 3), {"padding": "same", "padding_mode": "circular"}, 2),
    ]:
        module(
            f"Conv{_d}d",
            image(_d, _channels),
            args=_args,
            kwargs=_kwargs,
            label=_label,
            gradcheck=False,
            gradgradcheck=False,
        )
    module(f"Conv{_d}d", image(_d, 2, None), args=(2, 3, 2), label="unbatched", gradcheck=False, gradgradcheck=False)
    module(f"Conv{_d}d", image(_d, 2, 0), args=(2, 3, 2), label="empty", gradcheck=False, gradgradcheck=False)
    module(f"ConvTranspose{_d}d", tiny(_d, 2), args=(2, 1, 2))
    module(
        f"ConvTranspose{_d}d",
        image(_d, 4),
        args=(4, 6, 3),
        kwargs={"stride": 2, "padding": 1, "output_padding": 1, "groups": 2, "dilation": 2},
        label="all",
        gradcheck=False,
        gradgradcheck=False,
    )
    module(
        f"ConvTranspose{_d}d",
        image(_d, 2, None),
        args=(2, 20, 2),
        kwargs={"stride": 3, "bias": False},
        label="unbatched",
        gradcheck=False,
        gradgradcheck=False,
    )
    module(
        f"ConvTranspose{_d}d",
        image(_d, 2),
        args=(2, 3, 3),
        kwargs={"stride": 2, "padding": 1},
        call={"output_size": [2 * n for n in SHAPES[_d]]},
        label="output-size",
        gradcheck=False,
        gradgradcheck=False,
    )
    for _name, _extra in ((f"LazyConv{_d}d", {"padding": 1}), (f"LazyConvTranspose{_d}d", {"stride": 2})):
        module(_name, tiny(_d, 2), args=(3, 2), kwargs=_extra, gradcheck=False, gradgradcheck=False)
