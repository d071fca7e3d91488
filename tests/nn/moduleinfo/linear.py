"""Linear maps, lookups, shapes."""

from __future__ import annotations

from moduleinfo import module

module("Identity", lambda m: (m.real(3, 2),), args=(54,), kwargs={"unused": 1})
module("Linear", lambda m: (m.real(4, 3),), args=(3, 5))
module("Linear", lambda m: (m.real(3),), args=(3, 5), kwargs={"bias": False}, label="one-vector-no-bias")
module("Linear", lambda m: (m.real(2, 0, 3),), args=(3, 5), label="empty")
module("Bilinear", lambda m: (m.real(4, 3), m.real(4, 2)), args=(3, 2, 5))
module(
    "Bilinear", lambda m: (m.real(2, 4, 3), m.real(2, 4, 2)), args=(3, 2, 5), kwargs={"bias": False}, label="batches"
)
module("Flatten", lambda m: (m.real(2, 3, 4),))
module("Flatten", lambda m: (m.real(2, 3, 4),), args=(0, 1), label="dims")
module("Unflatten", lambda m: (m.real(2, 6),), args=(1, (2, 3)))
module("Embedding", lambda m: (m.index(7, 2, 5),), args=(7, 3))
module(
    "Embedding",
    lambda m: (m.index(7, 2, 5),),
    args=(7, 3),
    kwargs={"padding_idx": 2},
    label="padding",
    gradcheck=False,
    gradgradcheck=False,
)
module("Dropout", lambda m: (m.real(3, 4),), args=(0.3,), modes=("eval",))
module("Dropout", lambda m: (m.real(3, 4),), args=(0.0,), label="none-dropped")
module("LazyLinear", lambda m: (m.real(4, 3),), args=(5,))
module("LazyLinear", lambda m: (m.real(4, 3),), args=(5,), kwargs={"bias": False}, label="no-bias")
