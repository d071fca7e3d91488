"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl._speedups import collate as _fast

__all__ = ["collate", "default_collate", "default_convert"]


def _stack_tensors(batch: Any) -> Tensor:
    return pydl.stack(list(batch), 0)


def _stack_arrays(batch: Any) -> Any:
    if batch[0].dtype.kind in "SaUO":
        raise TypeError(_UNKNOWN.format(batch[0].dtype))
    return pydl.from_numpy(_fast.stack_rows(batch))


_UNKNOWN = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def default_collate(batch: Any) -> Any:
    """Put samples together along a new first dimension.

    Tensors and NumPy arrays are stacked, numbers become a tensor (int64, or float64 for floats), strings and bytes
    stay a list; mappings, named tuples, tuples and other sequences are collated entry by entry.

    Raises:
        TypeError: samples of another type. RuntimeError: shapes or lengths that differ.

    Example:
        >>> import pydl
        >>> pydl.utils.data.default_collate([(0, "a"), (1, "b")])
        [tensor([0, 1]), ('a', 'b')]
    """
    return collate(batch)


def collate(batch: Any, *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None) -> Any:
    """:func:`default_collate` with own functions for some types, called as ``fn(batch, collate_fn_map=...)``."""
    first = batch[0]
    if collate_fn_map:
        for kind, function in collate_fn_map.items():
            if isinstance(first, kind):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Tensor):
        return _stack_tensors(batch)
    if isinstance(first, np.ndarray):
        return _stack_arrays(batch)
    if isinstance(first, np.generic) and not isinstance(first, (np.str_, np.bytes_)):
        return pydl.as_tensor(np.asarray(batch, dtype=first.dtype))
    if isinstance(first, bool):
        return pydl.tensor(list(batch))
    if isinstance(first, float):
        return pydl.from_numpy(_fast.stack_floats(batch))
    if isinstance(first, int):
        return pydl.from_numpy(_fast.stack_ints(batch))
    if isinstance(first, (str, bytes)):
        return batch
    return _collate_container(batch, first, collate_fn_map)


def _collate_container(batch: Any, first: Any, collate_fn_map: Any) -> Any:
    if isinstance(first, Mapping):
        return _rebuild_mapping(
            first, {k: collate([s[k] for s in batch], collate_fn_map=collate_fn_map) for k in first}
        )
    named = isinstance(first, tuple) and hasattr(first, "_fields")
    if not isinstance(first, Sequence):
        raise TypeError(_UNKNOWN.format(type(first)))
    if any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
    if named:
        return type(first)(*columns)
    return columns if isinstance(first, tuple) else _rebuild_sequence(first, columns)


def _rebuild_mapping(like: Any, values: dict[Any, Any]) -> Any:
    """``values`` in the type of ``like``, where that can be built; a dictionary otherwise."""
    try:
        if isinstance(like, MutableMapping):
            import copy

            clone = copy.copy(like)
            clone.update(values)
            return clone
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def _rebuild_sequence(like: Any, values: list[Any]) -> Any:
    try:
        if isinstance(like, MutableSequence):
            import copy

            clone = copy.copy(like)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def default_convert(data: Any) -> Any:
    """NumPy arrays and numbers inside ``data`` become tensors; what a DataLoader without batches gives.

    Example:
        >>> import pydl
        >>> pydl.utils.data.default_convert([1.5, {"a": 2}])
        [1.5, {'a': 2}]
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in "SaUO" else pydl.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        values = [default_convert(value) for value in data]
        return type(data)(*values) if hasattr(data, "_fields") else values
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuild_sequence(data, [default_convert(value) for value in data])
    return data
