"""From indices to a batch; runs in the main process or in a worker."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pydl
from pydl._speedups import collate as _fast
from pydl.utils.data._collate import default_collate
from pydl.utils.data.dataset import IterableDataset, Subset, TensorDataset


def make_fetcher(dataset: Any, auto: bool, collate_fn: Callable[..., Any], drop_last: bool) -> Callable[[Any], Any]:
    """A function of what the sampler gives (an index, or a list of them with ``auto`` batches) to the batch.

    It raises StopIteration at the end of a stream.
    """
    if isinstance(dataset, IterableDataset):
        return _stream_fetcher(iter(dataset), auto, collate_fn, drop_last)
    if not auto:
        return lambda index: collate_fn(dataset[index])
    if collate_fn is default_collate:
        fast = _tensor_fetcher(dataset)
        if fast is not None:
            return fast
    fetch_many = getattr(dataset, "__getitems__", None)
    if fetch_many is not None:
        return lambda indices: collate_fn(fetch_many(indices))
    return lambda indices: collate_fn([dataset[i] for i in indices])


def _stream_fetcher(stream: Any, auto: bool, collate_fn: Callable[..., Any], drop_last: bool) -> Callable[[Any], Any]:
    def fetch_batch(indices: Any) -> Any:
        batch = list(itertools.islice(stream, len(indices)))
        if not batch or (drop_last and len(batch) < len(indices)):
            raise StopIteration
        return collate_fn(batch)

    return fetch_batch if auto else lambda index: collate_fn(next(stream))


def _tensor_fetcher(dataset: Any) -> Callable[[Any], Any] | None:
    """For a TensorDataset (or a Subset of one): each tensor's rows in one call instead of sample by sample."""
    subsets = []
    while type(dataset) is Subset:
        subsets.append(dataset.indices)
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    gathers = [_gather(tensor) for tensor in dataset.tensors]

    def fetch(indices: Any) -> Any:
        for outer in subsets:
            indices = [outer[i] for i in indices]
        return [gather(indices) for gather in gathers]

    return fetch


def _gather(tensor: Any) -> Callable[[Any], Any]:
    if tensor.requires_grad or tensor.dtype == pydl.bfloat16 or not tensor.is_contiguous():
        return lambda indices: tensor[pydl.tensor(indices, dtype=pydl.int64)]
    array = tensor.numpy()
    return lambda indices: pydl.from_numpy(_fast.gather_rows(array, indices))
