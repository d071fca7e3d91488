"""Other names of ops: the same function in the same places, and a name that torch has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opinfo import OPS, to_pydl
from test_views import same

import pydl
from pydl import _C

SPACES = {"": _C.functions, "Tensor": pydl.Tensor, "special": _C.special}
ALIASES = [
    pytest.param(place, name, op, id=f"{place}.{name}".lstrip("."))
    for place, space in SPACES.items()
    for name, op in vars(space).items()
    if getattr(op, "alias_of", None)
]
INFOS = {info.name: info for info in OPS}


def target_of(place: str, name: str, op: Any) -> Any:
    last = op.alias_of.rpartition(".")[2]
    space = SPACES["" if place == "special" and hasattr(_C.functions, last) else place]
    return getattr(space, last + "_" if place != "special" and name.endswith("_") else last)


def test_there_are_aliases() -> None:
    names = {p.values[1] for p in ALIASES}
    assert {"arccos", "arccos_", "multiply", "greater_equal", "psi", "expm1"} <= names


@pytest.mark.parametrize("place, name, op", ALIASES)
def test_alias_is_its_target(place: str, name: str, op: Any) -> None:
    target = target_of(place, name, op)
    assert op.__name__ == name and op.signatures == target.signatures and target.alias_of is None
    assert op.__doc__.startswith(f"Alias of `{op.alias_of}`")
    info = INFOS[op.alias_of]
    for sample in info.sample_list(info.dtypes[0])[:3]:
        if not all(isinstance(a, np.ndarray) for a in sample.args):
            continue
        expected = target(*sample.map(to_pydl).args, **sample.map(to_pydl).kwargs)
        got = op(*sample.map(to_pydl).args, **sample.map(to_pydl).kwargs)
        assert same(got.numpy(), expected.numpy())


@pytest.mark.parametrize("place, name, op", ALIASES)
def test_alias_is_in_torch(place: str, name: str, op: Any) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    space = {"": torch, "Tensor": torch.Tensor, "special": torch.special}[place]
    assert hasattr(space, name) or name in EXTRA_IN_PLACE, f"torch has no {place}.{name}"


# In-place functions that torch has as methods alone: here every in-place form is a function as well.
EXTRA_IN_PLACE = {
    f"{n}_" for n in "subtract multiply divide less less_equal greater greater_equal not_equal arctan2 absolute".split()
}
