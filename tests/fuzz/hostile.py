"""Hostile calls over every op: no signal, no hang, only Python exceptions that name the op.

``python -m tests.fuzz.hostile --calls 200000 --seed 0`` (from the repository root). Call number i depends on the seed and
on i alone, so ``--first i --calls 1`` repeats one. Batches run in forked children: a crash ends one child and is reported
with its call, and the run goes on behind it. Memory is bounded by RLIMIT_AS, 1 GiB above what the child starts with.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import _C

try:
    from tests.fuzz import layers
except ImportError:  # as a test module, its folder is on the path
    import layers  # type: ignore[no-redef]

SLOW_SECONDS = 10.0
HANG_SECONDS = 60.0
BATCH = 1000
MEMORY = 1 << 30

DTYPES = [
    pydl.bool, pydl.uint8, pydl.uint16, pydl.uint32, pydl.uint64, pydl.int8, pydl.int16, pydl.int32, pydl.int64,
    pydl.float16, pydl.bfloat16, pydl.float32, pydl.float64, pydl.complex64, pydl.complex128,
]  # fmt: skip
SHAPES = [
    (), (0,), (1,), (2,), (3,), (5,), (33,), (0, 3), (3, 0), (1, 3), (3, 1), (2, 3), (3, 2), (4, 4), (17, 9), (2, 3, 4),
    (0, 2, 3), (2, 0, 3), (1, 1, 1), (2, 1, 4), (2, 3, 1, 2), (1, 2, 1, 2, 1), (2, 1, 2, 1, 2, 1, 2), (1,) * 20, (40000,), (300, 200),
]  # fmt: skip
SMALL_INTS = [0, 1, 2, 3, 4, 5, -1, -2, -3, 7, -7]
HUGE_INTS = [
    2**31, 2**31 - 1, -(2**31), 2**32, 2**32 + 1, 2**40, 2**61, 2**62, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**63) - 1, 10**30,
]  # fmt: skip
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e-45, 1e-308, 1e38, 1e300, -1e300, float("inf"), float("-inf"), float("nan")]


class RaisesAtIndex:
    def __index__(self) -> int:
        raise ZeroDivisionError("from __index__")

    __float__ = __index__
    __len__ = __index__

    def __repr__(self) -> str:
        return "RaisesAtIndex()"


class Subclass(pydl.Tensor):
    pass


def _endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def garbage(r: random.Random) -> Any:
    return r.choice([
        lambda: None, lambda: "text", lambda: b"\0\xff", lambda: "", lambda: object, lambda: [], lambda: (), lambda: {},
        lambda: [[1], [2, 3]], lambda: [None], lambda: [[[]]], lambda: {"a": 1}, lambda: 1j, lambda: complex("nan"), lambda: 10**400,
        lambda: _endless(), lambda: RaisesAtIndex(), lambda: [RaisesAtIndex()], lambda: np.array([1, "a"], dtype=object),
        lambda: np.array([1, 2]), lambda: np.float32(1.5), lambda: np.array(3), lambda: np.datetime64("2020-01-01"), lambda: np.bool_(True),
        lambda: range(3), lambda: slice(None), lambda: ..., lambda: pydl.float32, lambda: "cuda", lambda: "\ud800", lambda: iter([1]),
        lambda: pydl.Tensor, lambda: pydl.Size([1, 2]), lambda: True, lambda: 1.5, lambda: [1.5], lambda: [True, 2], lambda: {1, 2},
        lambda: memoryview(b"abc"), lambda: pydl.default_generator, lambda: lambda: 0, lambda: pydl.preserve_format, lambda: "a" * 5000,
    ])()  # fmt: skip


def fill(r: random.Random, dtype: Any, shape: tuple[int, ...]) -> Any:
    """A contiguous tensor with tame or nasty values."""
    g = np.random.default_rng(r.randrange(2**32))
    kind = r.randrange(5)
    if dtype.is_floating_point or dtype.is_complex:
        values = g.standard_normal(shape)
        if kind == 1:
            values = g.choice(np.array(FLOATS), shape)
        elif kind == 2:
            values = np.zeros(shape)
        elif kind == 3:
            values = np.abs(values)
    elif kind <= 1:
        values = g.choice(np.array([0, 1, -1, 127, 255, 2**31 - 1, 2**62, -(2**63), 3], dtype=np.int64), shape)
    else:
        values = g.integers(0, 4, shape)
    with np.errstate(all="ignore"):
        return pydl.tensor(np.asarray(values)).to(dtype)


def tensor(r: random.Random, shape: tuple[int, ...] | None = None, dtype: Any = None) -> Any:
    if shape is None:
        shape = r.choice(SHAPES)
    dtype = dtype or r.choice(
        DTYPES if r.random() < 0.5 else [pydl.float32, pydl.float64, pydl.float32, pydl.int64, pydl.bool]
    )
    t = fill(r, dtype, shape)
    layout = r.randrange(10)
    if layout == 0 and t.ndim >= 2:
        t = t.transpose(0, -1)
    elif layout == 1 and t.ndim >= 1:
        t = t[::2]
    elif layout == 2:
        t = t.unsqueeze(0).expand(3, *t.shape) if t.numel() < 10000 else t
    elif layout == 3 and t.ndim >= 1:
        t = t[1:]
    elif layout == 4 and t.ndim == 1 and t.numel() > 4:
        t = t.as_strided((3, 3), (1, 1))
    elif layout == 5 and t.ndim >= 1 and t.shape[-1]:
        t = t.select(-1, 0)
    if r.random() < 0.3 and (t.dtype.is_floating_point or t.dtype.is_complex):
        t = t.detach().requires_grad_()
        if r.random() < 0.4:
            t = t * 1 if t.numel() < 5000 else t
    if r.random() < 0.02:
        t = t.as_subclass(Subclass)
    return t


def related(r: random.Random, base: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that often fits `base`: the same, broadcastable, transposed, one off."""
    kind = r.randrange(12)
    if kind < 5:
        return base
    if kind == 5:
        return tuple(n if r.random() < 0.5 else 1 for n in base)
    if kind == 6:
        return base[r.randrange(len(base) + 1) :]
    if kind == 7:
        return base[::-1]
    if kind == 8:
        return tuple(n + (r.random() < 0.2) for n in base)
    if kind == 9:
        return base[-1:]
    if kind == 10:
        return base[:-1]
    return r.choice(SHAPES)


def integer(r: random.Random) -> Any:
    p = r.random()
    if p < 0.72:
        return r.choice(SMALL_INTS)
    if p < 0.9:
        return r.choice(HUGE_INTS)
    if p < 0.94:
        return pydl.tensor(r.choice(SMALL_INTS))
    if p < 0.97:
        return np.int64(r.choice(SMALL_INTS))
    return garbage(r)


def size(r: random.Random, base: tuple[int, ...]) -> Any:
    p = r.random()
    if p < 0.35:
        return related(r, base)
    if p < 0.45:
        return list(range(len(base)))[:: r.choice([1, -1])]
    if p < 0.7:
        return [r.choice(SMALL_INTS) for _ in range(r.randrange(5))]
    if p < 0.88:
        return [r.choice(HUGE_INTS if r.random() < 0.5 else SMALL_INTS) for _ in range(r.randrange(1, 5))]
    if p < 0.91:
        return [1] * r.choice([9, 64, 65, 200, 5000])
    if p < 0.93:
        return [2**32, 2**32, 2**32]
    if p < 0.95:
        return [0, 2**62, 2**62]
    if p < 0.97:
        return integer(r)
    return garbage(r)


def number(r: random.Random) -> Any:
    p = r.random()
    if p < 0.45:
        return r.choice(FLOATS)
    if p < 0.75:
        return r.choice(SMALL_INTS)
    if p < 0.85:
        return r.choice(HUGE_INTS)
    return r.choice(
        [
            True,
            False,
            1j,
            complex("nan"),
            np.float32(2),
            np.int8(-3),
            pydl.tensor(2.5),
            pydl.tensor([1.0, 2.0]),
            "1",
            10**400,
        ]
    )


STRINGS = [
    "floor",
    "trunc",
    "mean",
    "sum",
    "none",
    "",
    "fro",
    "nuc",
    "ij",
    "left",
    "linear",
    "constant",
    "tanh",
    "x" * 300,
    "\0",
    "\ud800",
    "é",
]


def value(r: random.Random, kind: str, base: tuple[int, ...]) -> Any:
    """A value for a parameter of the signature type `kind`."""
    if r.random() < 0.04:
        return garbage(r)
    alternatives = [k.strip() for k in kind.split("|")]
    kind = r.choice(alternatives)
    if kind == "Tensor":
        return tensor(r, related(r, base))
    if kind == "None":
        return None
    if kind == "Number":
        return number(r)
    if kind == "int":
        return integer(r)
    if kind == "float":
        return r.choice(FLOATS + [1, 2**70, 1e-5, 0.9])
    if kind == "bool":
        return r.choice([True, False])
    if kind == "Size":
        return size(r, base)
    if kind == "dtype":
        return r.choice(DTYPES + [pydl.complex32, float, int, bool])
    if kind == "str":
        return r.choice(STRINGS)
    if kind == "Sequence[Tensor]":
        n = r.choice([0, 1, 2, 3, 3, 20])
        items: list[Any] = [tensor(r, related(r, base)) for _ in range(n)]
        if r.random() < 0.05:
            items.append(garbage(r))
        return r.choice([list, tuple])(items)
    if kind == "Generator":
        return pydl.default_generator
    if kind == "device":
        return r.choice(["cpu", "cuda", "cpu:0", "cpu:99999999999999999999", "", pydl.device("cpu")])
    if kind == "memory_format":
        return r.choice([pydl.contiguous_format, pydl.preserve_format, pydl.channels_last, pydl.channels_last_3d])
    raise AssertionError(f"a signature type that this generator does not know: {kind}")


# ---- what is called ------------------------------------------------------------------------------------------------


class Parameter:
    def __init__(self, text: str, keyword_only: bool) -> None:
        name, _, rest = text.partition(":")
        kind, _, default = rest.partition("=")
        self.name, self.kind, self.required, self.keyword_only = name.strip(), kind.strip(), not default, keyword_only


def parameters(signature: str) -> list[Parameter]:
    depth, parts, current, keyword_only = 0, [], "", False
    for c in signature[signature.index("(") + 1 :]:
        depth += c in "([" and 1 or (c in ")]" and -1 or 0)
        if depth < 0 or (c == "," and depth == 0):
            if current.strip() == "*":
                keyword_only = True
            elif current.strip():
                parts.append(Parameter(current, keyword_only))
            current = ""
            if depth < 0:
                break
        else:
            current += c
    return parts


class Target:
    """A callable of the op table with one of its signatures."""

    def __init__(self, label: str, call: Callable[..., Any], signature: tuple[str, int, str]) -> None:
        self.label, self.call = label, call
        self.parameters = parameters(signature[0])
        self.takes_out = bool(signature[1] & 8)
        self.names = {
            signature[0].partition("(")[0].strip(),
            label.rpartition(".")[2],
            label.rpartition(".")[2].rstrip("_"),
        }

    def make(self, r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
        base = r.choice(SHAPES)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        by_name = False
        for p in self.parameters:
            if not p.required and r.random() < 0.5:
                by_name = True
                continue
            by_name = by_name or p.keyword_only or r.random() < 0.08
            v = value(r, p.kind, base)
            if by_name:
                kwargs[p.name] = v
            else:
                args.append(v)
        if r.random() < 0.03:
            kwargs[r.choice(["dim", "axis", "keepdims", "bogus", "input", "self", "out", "other", "", "\ud800"])] = (
                garbage(r)
            )
        if r.random() < 0.02:
            args.append(garbage(r))
        if r.random() < 0.01 and args:
            args.pop()
        if self.takes_out and r.random() < 0.25:
            kwargs["out"] = self.out(r, args, base)
        if args and isinstance(args[0], pydl.Tensor) and r.random() < 0.1:  # memory that two arguments share
            for i in range(1, len(args)):
                if isinstance(args[i], pydl.Tensor):
                    args[i] = r.choice([args[0], args[0].detach(), args[0][..., ::2] if args[0].ndim else args[0]])
        return self.call, args, kwargs

    def out(self, r: random.Random, args: list[Any], base: tuple[int, ...]) -> Any:
        inputs = [a for a in args if isinstance(a, pydl.Tensor)]
        kind = r.randrange(8)
        if kind <= 2 and inputs:
            t = r.choice(inputs).detach()
            if kind == 1 and t.ndim:
                return t[1:]
            if kind == 2 and t.ndim >= 2:
                return t.transpose(0, 1)
            return t
        if kind == 3:
            return pydl.empty(0)
        if kind == 4:
            return (tensor(r, base), pydl.empty(0, dtype=pydl.int64))
        if kind == 5:
            return garbage(r)
        return tensor(r, related(r, base))


def _index(r: random.Random, base: tuple[int, ...]) -> Any:
    def item() -> Any:
        p = r.random()
        if p < 0.3:
            return integer(r)
        if p < 0.55:
            bounds = [None, *SMALL_INTS, *HUGE_INTS]
            return slice(r.choice(bounds), r.choice(bounds), r.choice([None, 1, 2, 3, 0, -1, 2**62]))
        if p < 0.65:
            return None
        if p < 0.72:
            return ...
        if p < 0.85:
            return tensor(
                r, r.choice(SHAPES[:14]), r.choice([pydl.int64, pydl.bool, pydl.uint8, pydl.int32, pydl.float32])
            )
        if p < 0.9:
            return r.choice([[0], [0, 1], [-1, 2**62], [True, False], [], [[0], [1]], np.array([0, 1]), True, False])
        if p < 0.96:
            return tensor(r, related(r, base), pydl.bool)
        return garbage(r)

    return item() if r.random() < 0.4 else tuple(item() for _ in range(r.randrange(0, r.choice([3, 5, 70]))))


def _getitem(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    t = tensor(r)
    return pydl.Tensor.__getitem__, [t, _index(r, tuple(t.shape))], {}


def _setitem(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    t = tensor(r)
    index = _index(r, tuple(t.shape))
    new = r.choice(
        [lambda: number(r), lambda: tensor(r, related(r, tuple(t.shape))), lambda: t.detach(), lambda: garbage(r)]
    )()
    return pydl.Tensor.__setitem__, [t, index, new], {}


OPERATORS = [n for n in vars(pydl.Tensor) if n.startswith("__") and n.strip("_").lstrip("ir") in {
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift", "shift"}]  # fmt: skip


def _operator(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    base = r.choice(SHAPES)
    other = value(r, "Tensor | Number", base)
    return getattr(pydl.Tensor, r.choice(OPERATORS)), [tensor(r, related(r, base)), other], {}


PLAIN_METHODS = [
    "size", "stride", "dim", "item", "tolist", "numpy", "to", "type", "element_size", "is_contiguous", "requires_grad_", "new_tensor",
    "backward", "register_hook", "retain_grad", "detach_", "__len__", "__float__", "__int__", "__bool__", "__index__", "__iter__",
    "__contains__", "__array__", "type_as", "where", "as_subclass", "__repr__", "data_ptr", "storage_offset", "untyped_storage",
    "float", "half", "bool", "expand", "view", "reshape", "permute", "set_", "__deepcopy__", "__format__",
]  # fmt: skip


def _method(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    t = tensor(r)
    name = r.choice([n for n in PLAIN_METHODS if hasattr(t, n)])
    kinds = ["int", "Size", "dtype", "Tensor", "Number", "device", "str"]
    return (
        getattr(t, name),
        [value(r, r.choice(kinds), tuple(t.shape)) for _ in range(r.choice([0, 0, 1, 1, 2, 4]))],
        {},
    )


def _module_function(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    base = r.choice(SHAPES)

    def nested(depth: int) -> Any:
        if depth == 0 or r.random() < 0.2:
            return r.choice([number(r), garbage(r), tensor(r, r.choice(SHAPES[:12]))])
        return [nested(depth - 1) for _ in range(r.randrange(4))]

    buffer = bytearray(r.randrange(70))
    equations = [
        "ij,jk->ik",
        "ii",
        "i,i",
        "...i,...i->...",
        "ab,ab",
        "i->",
        "->",
        "ij->ji",
        "iij->j",
        "i,j->ij",
        ",",
        "a" * 60,
        "->ii",
        "é",
    ]
    name, args, kwargs = r.choice([
        lambda: ("tensor", [nested(r.randrange(4))], {"dtype": value(r, "dtype | None", base)}),
        lambda: ("as_tensor", [nested(r.randrange(4)), value(r, "dtype | None", base)], {}),
        lambda: ("from_numpy", [np.zeros(r.choice(SHAPES), r.choice(["f4", "f8", "i8", "?", "U3", "O", ">f4", "f2", "c16", "M8[s]", "V7"]))], {}),
        lambda: ("frombuffer", [buffer], {"dtype": r.choice(DTYPES), "count": integer(r), "offset": integer(r)}),
        lambda: ("einsum", [r.choice(equations), *(tensor(r, related(r, base)) for _ in range(r.randrange(4)))], {}),
        lambda: ("tensordot", [tensor(r), tensor(r), r.choice([integer(r), [[0], [0]], [[0, 2**62], [1, 0]], garbage(r)])], {}),
        lambda: ("broadcast_tensors", [tensor(r) for _ in range(3)], {}),
        lambda: ("meshgrid", [tensor(r, r.choice(SHAPES[:8])) for _ in range(2)], {"indexing": r.choice(["ij", "xy", "zz"])}),
        lambda: ("promote_types", [r.choice(DTYPES), garbage(r)], {}),
        lambda: ("result_type", [tensor(r), number(r)], {}),
        lambda: ("set_num_threads", [r.choice([0, -1, 2**40, 1, 2, 3, "2", None])], {}),
        lambda: ("Size", [size(r, base)], {}),
        lambda: ("device", [garbage(r)], {}),
        lambda: ("Generator", [garbage(r)], {}),
    ])()  # fmt: skip
    return getattr(pydl, name), args, kwargs


def _autograd(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    x = tensor(r, r.choice(SHAPES[:18]), r.choice([pydl.float32, pydl.float64]))
    y = r.choice([lambda: x * 2, lambda: x.sum(), lambda: x.exp(), lambda: x])()
    grad = r.choice([lambda: None, lambda: pydl.ones_like(y), lambda: tensor(r), lambda: garbage(r)])()
    flags = {k: True for k in ("retain_graph", "create_graph", "allow_unused") if r.random() < 0.3}
    if r.random() < 0.5:
        return pydl.autograd.grad, [y, r.choice([x, [x, x], [], tensor(r), garbage(r)]), grad], flags
    flags.pop("allow_unused", None)
    return pydl.autograd.backward, [r.choice([y, [y, y], garbage(r)]), grad], flags


def _function(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    return layers.function(r, value)


def _layer(r: random.Random) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
    return layers.layer(r, value)


SPECIAL: list[tuple[str, Callable[[random.Random], Any], float]] = [
    ("getitem", _getitem, 0.06), ("setitem", _setitem, 0.06), ("operator", _operator, 0.03), ("method", _method, 0.05),
    ("module function", _module_function, 0.04), ("autograd", _autograd, 0.02), ("nn function", _function, 0.08), ("layer", _layer, 0.08),
]  # fmt: skip


def targets() -> list[Target]:
    found = []
    spaces = [("pydl", _C.functions), ("Tensor", pydl.Tensor)]
    spaces += [(name, getattr(_C, name)) for name in ("nn", "linalg", "special", "private") if hasattr(_C, name)]
    for place, space in spaces:
        for name, op in sorted(vars(space).items()):
            found += [Target(f"{place}.{name}", op, s) for s in getattr(op, "signatures", ())]
    return found


# ---- running -------------------------------------------------------------------------------------------------------


def describe(v: Any) -> str:
    if isinstance(v, pydl.Tensor):
        extra = ", requires_grad" if v.requires_grad else ""
        return f"<{v.dtype} {tuple(v.shape)} strides {v.stride()} offset {v.storage_offset()}{extra}>"
    if type(v) in (list, tuple):
        return "[" + ", ".join(describe(x) for x in v[:8] if x is not v) + (", ..." if len(v) > 8 else "") + "]"
    try:
        return repr(v)[:80]
    except Exception:
        return f"<{type(v).__name__}>"


def use(result: Any, r: random.Random) -> None:
    """Touch what came back: its memory, and its backward."""
    for t in result if isinstance(result, (tuple, list)) else (result,):
        if not isinstance(t, pydl.Tensor) or t.numel() > 200_000:
            continue
        if t.numel():
            t.detach().reshape(-1)[-1].item()
        if t.requires_grad and t.grad_fn is not None and r.random() < 0.5:
            pydl.autograd.backward([t], [pydl.ones_like(t)])


def run_call(all_targets: list[Target], seed: int, i: int, announce: Callable[[str], None]) -> str | None:
    """Makes call i and returns a complaint or None."""
    r = random.Random(f"{seed}:{i}")
    p = r.random()
    names: set[str] = set()
    for label, make, share in SPECIAL:  # noqa: B007 - read after the break
        if p < share:
            break
        p -= share
    else:
        target = r.choice(all_targets)
        label, make, names = target.label, target.make, target.names
    call, args, kwargs = make(r)
    text = f"#{i} {label} {getattr(call, '__name__', '')}({', '.join(describe(a) for a in args)}, { ({k: describe(v) for k, v in kwargs.items()}) })"
    announce(text)
    start = time.monotonic()
    complaint = None
    try:
        result = call(*args, **kwargs)
        announce(text + " -> using the result")
        names = set()
        use(result, r)
    except (
        TypeError,
        ValueError,
        IndexError,
        RuntimeError,
        OverflowError,
        MemoryError,
        NotImplementedError,
        BufferError,
        AttributeError,
        AssertionError,  # as PyTorch raises in attention and batch normalisation
    ) as e:
        checked = isinstance(e, (TypeError, ValueError, IndexError, RuntimeError, OverflowError)) and not isinstance(
            e, MemoryError
        )
        if names and checked and not any(n in str(e) for n in names) and "keywords must be strings" not in str(e):
            complaint = f"the message does not name the op: {type(e).__name__}: {str(e)[:200]}"
    except ZeroDivisionError as e:
        if "__index__" not in str(e):
            complaint = f"{type(e).__name__}: {e}"
    except BaseException as e:
        complaint = f"{type(e).__name__}: {str(e)[:200]}"
    seconds = time.monotonic() - start
    if seconds > SLOW_SECONDS:
        complaint = f"took {seconds:.1f} s"
    return f"{complaint}\n    in {text[:600]}" if complaint else None


def limit_memory() -> None:
    with open("/proc/self/status") as status:
        in_use = next(int(line.split()[1]) for line in status if line.startswith("VmSize")) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, in_use + MEMORY))


def child(seed: int, first: int, last: int, board: mmap.mmap, log: str, pipe: int) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit_memory()
    warnings.simplefilter("ignore")
    all_targets = targets()

    for i in range(first, last):

        def announce(text: str, i: int = i) -> None:
            data = text.encode("utf-8", "replace")[:3000]
            board[:12] = i.to_bytes(8, "little") + len(data).to_bytes(4, "little")
            board[12 : 12 + len(data)] = data

        complaint = run_call(all_targets, seed, i, announce)
        if complaint:
            os.write(pipe, json.dumps([i, complaint]).encode() + b"\n")
        if i % 64 == 0 and pydl.get_num_threads() > 8:
            pydl.set_num_threads(2)
    os._exit(0)


def run_batch(seed: int, first: int, last: int) -> tuple[int, list[tuple[int, str]]]:
    """Runs calls [first, last) in a child; the number after the last one that was made, and the complaints."""
    board = mmap.mmap(-1, 4096)
    log = tempfile.NamedTemporaryFile(prefix="hostile", suffix=".txt", delete=False).name
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            child(seed, first, last, board, log, write_end)
        except BaseException as e:
            os.write(2, f"the harness failed: {type(e).__name__}: {e}\n".encode())
            os._exit(70)
    os.close(write_end)
    os.set_blocking(read_end, False)
    data, status, hung, seen, since = b"", 0, False, -1, time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        try:
            while chunk := os.read(read_end, 65536):
                data += chunk
        except BlockingIOError:
            pass
        if done:
            break
        now = int.from_bytes(board[:8], "little")
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > HANG_SECONDS:
            hung = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    os.close(read_end)
    complaints = [tuple(json.loads(line)) for line in data.splitlines()]
    reached = last
    if status != 0:
        at = int.from_bytes(board[:8], "little")
        text = board[12 : 12 + int.from_bytes(board[8:12], "little")].decode("utf-8", "replace")
        code = os.waitstatus_to_exitcode(status)
        what = "HANG" if hung else f"SIGNAL {-code}" if code < 0 else f"EXIT {code}"
        with open(log, errors="replace") as report:
            tail = "".join(report.readlines()[:40])
        complaints.append((at, f"{what}\n    in {text[:1500]}\n{tail}"))
        reached = max(at, first) + 1
    os.unlink(log)
    board.close()
    return reached, complaints


def hostile(
    calls: int, seed: int = 0, first: int = 0, stop_after: int = 50, verbose: bool = False
) -> list[tuple[int, str]]:
    """Makes `calls` hostile calls and returns (number, complaint) pairs."""
    complaints: list[tuple[int, str]] = []
    at, end = first, first + calls
    while at < end and len(complaints) < stop_after:
        at, found = run_batch(seed, at, min(at + BATCH, end))
        complaints += found
        if verbose:
            for number, text in found:
                print(f"--- call {number}: {text}", flush=True)
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--stop-after", type=int, default=50)
    parser.add_argument("--layers", action="store_true", help="only the layers and functions of pydl.nn")
    options = parser.parse_args()
    if options.layers:
        SPECIAL[:] = [("nn function", _function, 0.5), ("layer", _layer, 0.5)]
    start = time.monotonic()
    complaints = hostile(options.calls, options.seed, options.first, options.stop_after, verbose=True)
    ended = [text for _, text in complaints if text.startswith(("SIGNAL", "EXIT", "HANG"))]
    print(f"{options.calls} calls from {len(targets())} signatures, {time.monotonic() - start:.0f} s: "
          f"{len(ended)} children ended, {len(complaints) - len(ended)} other complaints")  # fmt: skip
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
