"""One OpInfo per op of the op table: reference, samples, errors. The generic tests of ``tests/ops`` walk `OPS`.

Samples hold NumPy arrays where the op takes tensors; a test turns them into tensors of pydl or of torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pydl
from pydl import _C

FLOATS = ("float32", "float64")
REALS = (*FLOATS, "uint8", "int8", "int16", "int32", "int64", "bool")
ALL = (*REALS, "complex64", "complex128")
SHAPES: list[tuple[int, ...]] = [(), (3,), (2, 3), (0,), (2, 0, 3), (1, 4, 1), (37,)]


class Sample:
    """Arguments of one call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __repr__(self) -> str:
        def show(v: Any) -> str:
            return f"<{v.dtype} {v.shape}>" if isinstance(v, np.ndarray) else repr(v)

        return ", ".join([*map(show, self.args), *(f"{k}={show(v)}" for k, v in self.kwargs.items())])

    def map(self, f: Callable[[np.ndarray], Any]) -> Sample:
        def convert(v: Any) -> Any:
            if isinstance(v, np.ndarray):
                return f(v)
            return type(v)(map(convert, v)) if type(v) in (list, tuple) else v

        return Sample(*map(convert, self.args), **{k: convert(v) for k, v in self.kwargs.items()})


class Maker:
    """Makes the arrays of samples, from a seed of the op's own."""

    def __init__(self, name: str, dtype: str, low: float, high: float) -> None:
        self.rng = np.random.default_rng(list(name.encode()))
        self.dtype, self.low, self.high = dtype, low, high

    def __call__(self, *shape: int, low: float | None = None, high: float | None = None) -> np.ndarray:
        low, high = self.low if low is None else low, self.high if high is None else high
        values = self.rng.uniform(low, high, shape)
        if self.dtype == "bool":
            return np.asarray(self.rng.integers(0, 2, shape), dtype=bool)
        if self.dtype.startswith("complex"):
            return np.asarray(values + 1j * self.rng.uniform(low, high, shape)).astype(self.dtype)
        if "int" in self.dtype:
            first, last = (max(low, 0) if self.dtype[0] == "u" else low), high
            return np.asarray(
                self.rng.integers(int(np.ceil(first)), max(int(last), int(np.ceil(first))) + 1, shape)
            ).astype(self.dtype)
        return np.asarray(values).astype(self.dtype)

    def index(self, bound: int, *shape: int) -> np.ndarray:
        return np.asarray(self.rng.integers(0, bound, shape), dtype=np.int64)

    def mask(self, *shape: int) -> np.ndarray:
        return np.asarray(self.rng.integers(0, 2, shape), dtype=bool)

    def distinct(self, *shape: int) -> np.ndarray:
        """Values with clear gaps, where ties would make a derivative undefined."""
        n = int(np.prod(shape))
        return np.asarray(self.rng.permutation(n) * 0.25 - 1.0).reshape(shape).astype(self.dtype)


@dataclass
class OpInfo:
    name: str
    reference: Callable[..., Any] | None
    samples: Callable[[Maker], Iterator[Sample]]
    dtypes: tuple[str, ...] = FLOATS
    grad: bool = True
    gradgrad: bool = True
    domain: tuple[float, float] = (-3.0, 3.0)
    errors: list[tuple[tuple[Any, ...], type[Exception], str]] = field(default_factory=list)
    torch_name: str = ""  # "-": no counterpart
    pointwise: bool = False
    view: bool = False
    random: bool = False  # values are not determined by the arguments
    tolerance: float = 1.0
    scales: bool = (
        True  # longer tensors are fine with the samples' other arguments and give a result of no more than their order
    )

    @property
    def op(self) -> Callable[..., Any]:
        place, _, name = self.name.rpartition(".")
        space = {"": _C.functions, "Tensor": pydl.Tensor, "private": _C.private}.get(place) or getattr(_C, place)
        return getattr(space, name)

    @property
    def flags(self) -> int:
        return self.op.signatures[0][1]

    @property
    def inplace(self) -> Callable[..., Any] | None:
        place, _, name = self.name.rpartition(".")
        return getattr(pydl.Tensor, name + "_", None) if self.flags & 4 else None

    @property
    def takes_out(self) -> bool:
        return any(s[1] & 8 for s in self.op.signatures)

    def sample_list(self, dtype: str) -> list[Sample]:
        return list(self.samples(Maker(self.name, dtype, *self.domain)))

    def torch_op(self, torch: Any) -> Callable[..., Any] | None:
        if self.torch_name == "-":
            return None
        name = self.torch_name or self.name
        if self.torch_name and "." not in name:
            name = name if self.name.count(".") == 0 else self.name.rpartition(".")[0] + "." + name
        place, _, last = name.rpartition(".")
        space = {"": torch, "Tensor": torch.Tensor, "nn": torch.nn.functional, "private": None}.get(place)
        if space is None:
            space = getattr(torch, place, None)
        return getattr(space, last, None)


OPS: list[OpInfo] = []


def op(name: str, reference: Any, samples: Any, **options: Any) -> None:
    """Adds an OpInfo for each of the names in `name` (aliases stand side by side, split by spaces)."""
    OPS.extend(OpInfo(n, reference, samples, **options) for n in name.split())


def unary(m: Maker) -> Iterator[Sample]:
    for shape in SHAPES:
        yield Sample(m(*shape))


def binary(m: Maker) -> Iterator[Sample]:
    for a, b in [
        ((), ()),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((2, 1), (1, 3)),
        ((0, 3), (1,)),
        ((4, 1, 2), (3, 1)),
        ((19,), (19,)),
    ]:
        yield Sample(m(*a), m(*b))


def binary_number(m: Maker) -> Iterator[Sample]:
    yield from binary(m)
    yield Sample(m(2, 3), 2 if "int" in m.dtype or m.dtype == "bool" else 1.5)


def to_pydl(array: np.ndarray) -> Any:
    return pydl.tensor(array)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
