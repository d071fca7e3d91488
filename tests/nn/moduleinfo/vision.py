"""Interpolation, rearrangement, padding, distances, dropout, bags."""

from __future__ import annotations

import numpy as np

from moduleinfo import module

module("Upsample", lambda m: (m.real(2, 2, 3),), kwargs={"scale_factor": 2})
module("Upsample", lambda m: (m.real(1, 2, 3, 2),), kwargs={"size": (4, 5), "mode": "bilinear"}, label="bilinear")
module(
    "Upsample",
    lambda m: (m.real(1, 1, 3, 2),),
    kwargs={"scale_factor": (2.0, 1.5), "mode": "bicubic", "align_corners": True},
    label="bicubic",
)
module("UpsamplingNearest2d", lambda m: (m.real(1, 2, 3, 2),), args=((4, 5),))
module("UpsamplingBilinear2d", lambda m: (m.real(1, 2, 3, 2),), kwargs={"scale_factor": 2})
module("PixelShuffle", lambda m: (m.real(1, 8, 2, 3),), args=(2,))
module("PixelUnshuffle", lambda m: (m.real(2, 4, 6),), args=(2,))
module("ChannelShuffle", lambda m: (m.real(1, 6, 2, 2),), args=(3,))
module("PairwiseDistance", lambda m: (m.real(4, 3), m.real(4, 3)))
module("PairwiseDistance", lambda m: (m.real(4, 3), m.real(3)), args=(3.0, 1e-3, True), label="cubic")
module("CosineSimilarity", lambda m: (m.real(4, 3), m.real(4, 3)))
module("CosineSimilarity", lambda m: (m.real(2, 3, 4), m.real(3, 1)), args=(1, 1e-6), label="broadcast")

SIZES = {1: (5,), 2: (4, 3), 3: (3, 2, 4)}
for _d, _sizes in SIZES.items():
    for _kind in ("Zero", "Reflection", "Replication", "Circular", "Constant"):
        _value = (1.5,) if _kind == "Constant" else ()
        module(f"{_kind}Pad{_d}d", lambda m, s=_sizes: (m.real(1, 2, *s),), args=(1, *_value))
        module(
            f"{_kind}Pad{_d}d",
            lambda m, s=_sizes: (m.real(2, *s),),
            args=((2, 1) + (0, 1) * (_d - 1), *_value),
            label="sample",
        )

for _name, _shape in [
    ("Dropout1d", (2, 3, 4)), ("Dropout2d", (2, 3, 2, 2)), ("Dropout3d", (2, 3, 1, 2, 2)), ("AlphaDropout", (3, 4)),
    ("FeatureAlphaDropout", (3, 4)),
]:  # fmt: skip
    module(_name, lambda m, s=_shape: (m.real(*s),), args=(0.3,), modes=("eval",))
    module(_name, lambda m, s=_shape: (m.real(*s),), args=(0.0,), label="none-dropped")

OFFSETS = np.array([0, 2, 2, 8])
for _mode in ("sum", "mean", "max"):
    module("EmbeddingBag", lambda m: (m.index(7, 2, 5),), args=(7, 3), kwargs={"mode": _mode}, label=_mode)
    module(
        "EmbeddingBag",
        lambda m: (m.index(7, 8), OFFSETS),
        args=(7, 3),
        kwargs={"mode": _mode},
        label=f"{_mode}-offsets",
        gradcheck=_mode != "max",  # a maximum has corners
        gradgradcheck=_mode != "max",
    )
    module(
        "EmbeddingBag",
        lambda m: (np.array([1, 2, 2, 1, 0, 2, 3, 2]), OFFSETS),
        args=(7, 3),
        kwargs={"mode": _mode, "padding_idx": 2, "include_last_offset": True},
        label=f"{_mode}-padding",
        gradcheck=False,
        gradgradcheck=False,
    )
    module(
        "EmbeddingBag",
        lambda m: (np.array([[1, 2, 2], [2, 2, 2]]),),
        args=(7, 3),
        kwargs={"mode": _mode, "padding_idx": 2},
        label=f"{_mode}-padding-rectangle",
        gradcheck=False,
        gradgradcheck=False,
    )
module(
    "EmbeddingBag",
    lambda m: (m.index(7, 8), OFFSETS, m.real(8)),
    args=(7, 3),
    kwargs={"mode": "sum"},
    label="weighted",
)
module(
    "EmbeddingBag",
    lambda m: (np.array([2, 1, 2, 3, 4]), np.array([0, 3, 4])),
    args=(7, 3),
    kwargs={"max_norm": 0.75},
    label="short",
    gradcheck=False,
    gradgradcheck=False,
)
