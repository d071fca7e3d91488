"""Calling a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydl import Tensor

__all__ = ["functional_call"]


def _slots(module: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """Where each parameter and buffer is kept, by its full name."""
    found = {}
    for prefix, child in module.named_modules(remove_duplicate=False):
        for store in (child._parameters, child._buffers):
            for name, value in store.items():
                if value is not None:
                    found[f"{prefix}.{name}" if prefix else name] = (store, name)
    return found


def _with_ties(values: Mapping[str, Tensor], slots: dict[str, Any]) -> dict[str, Tensor]:
    """``values`` for all names of the tensors that they name."""
    groups: dict[int, list[str]] = {}
    for name, (store, key) in slots.items():
        groups.setdefault(id(store[key]), []).append(name)
    result = dict(values)
    for names in groups.values():
        given = [name for name in names if name in values]
        if len({id(values[name]) for name in given}) > 1:
            raise ValueError(f"functional_call got multiple values for keys {given}, which are tied")
        for name in names if given else ():
            result[name] = values[given[0]]
    return result


@contextmanager
def _replaced(module: Any, values: Mapping[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    slots = _slots(module)
    full = _with_ties(values, slots) if tie_weights else dict(values)
    unknown = [name for name in full if name not in slots]
    missing = [name for name in slots if name not in full]
    if unknown or (strict and missing):
        lines = [f"Unexpected key(s): {', '.join(unknown)}"] if unknown else []
        lines += [f"Missing key(s): {', '.join(missing)}"] if strict and missing else []
        raise RuntimeError(f"functional_call(): error(s) for {type(module).__name__}: {'; '.join(lines)}")
    before = [(store, key, store[key]) for store, key in slots.values()]
    try:
        for name, value in full.items():
            store, key = slots[name]
            store[key] = value
        yield
    finally:
        for store, key, value in before:
            store[key] = value


def functional_call(
    module: Any,
    parameters_and_buffers: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The output of ``module`` with other parameters and buffers; the module keeps its own.

    Derivatives with respect to the given tensors flow, which meta-learning and ensembles need.

    Args:
        module: what is called.
        parameters_and_buffers: tensors by their names in ``state_dict()``, or a sequence of such dictionaries.
        args: positional arguments: a tuple, or the only one.
        kwargs: keyword arguments.
        tie_weights: a tensor that the module has under several names is replaced under all of them. Default: ``True``.
        strict: all names must be given. Default: ``False``.

    Raises:
        RuntimeError: a name that the module does not have, or (strict) one that is missing.
        ValueError: different values for names of one tensor; TypeError: no dictionary.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.Linear(2, 1, bias=False)
        >>> weight = pydl.tensor([[1.0, 10.0]])
        >>> pydl.nn.utils.stateless.functional_call(layer, {"weight": weight}, pydl.ones(1, 2))
        tensor([[11.]])
    """
    if isinstance(parameters_and_buffers, (list, tuple)):
        names = [name for part in parameters_and_buffers for name in part]
        if len(names) != len(set(names)):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"functional_call(): the names {repeated} appear in several dictionaries")
        parameters_and_buffers = {name: value for part in parameters_and_buffers for name, value in part.items()}
    if not isinstance(parameters_and_buffers, Mapping):
        got = type(parameters_and_buffers).__name__
        raise TypeError(f"functional_call(): expected a dictionary or a sequence of them, got {got}")
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, parameters_and_buffers, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))
