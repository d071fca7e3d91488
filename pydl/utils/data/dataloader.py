"""DataLoader: batches from a data set, in this process or in worker processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pydl
from pydl.utils.data._collate import default_collate, default_convert
from pydl.utils.data._fetch import make_fetcher
from pydl.utils.data.dataset import IterableDataset
from pydl.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

__all__ = ["DataLoader"]

_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader:
    """Iterates over batches of a data set.

    Args:
        dataset: one with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples in a batch; ``None`` gives samples as they are. Default: 1.
        shuffle: a new random order in each epoch. Default: ``False``.
        sampler, batch_sampler: own order of indices, or of lists of them, instead.
        num_workers: processes that load; 0 loads in this process. Default: 0.
        collate_fn: makes a batch of a list of samples. Default: :func:`default_collate`.
        pin_memory, pin_memory_device: accepted; memory of the CPU needs no pinning.
        drop_last: leave out a last batch that is not full. Default: ``False``.
        timeout: seconds to wait for a worker, 0 for ever. Default: 0.
        worker_init_fn: called in each worker with its number.
        multiprocessing_context: ``"fork"`` (default where there is one), ``"spawn"``, ``"forkserver"`` or a context.
        generator: where random order and worker seeds come from.
        prefetch_factor: batches loaded ahead by each worker. Default: 2.
        persistent_workers: keep the workers between epochs. Default: ``False``.
        in_order: with workers, give batches in order (default), or as they are ready.

    Raises:
        ValueError: options that exclude each other or are out of range.
        RuntimeError: (on iteration) a worker died or the time is over. Exceptions in workers are raised here again.

    Example:
        >>> import pydl
        >>> data = pydl.utils.data.TensorDataset(pydl.arange(5))
        >>> [batch.tolist() for (batch,) in pydl.utils.data.DataLoader(data, batch_size=2)]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[..., Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._is_stream = isinstance(dataset, IterableDataset)
        self._check_order(shuffle, sampler, batch_sampler)
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            sampler = self._default_sampler(bool(shuffle))
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self._workers: Any = None
        self._initialized = True

    def _check_order(self, shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
        if self._is_stream:
            if shuffle not in (False, None):
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle={shuffle}"
                )
            for name, value in (("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")

    def _default_sampler(self, shuffle: bool) -> Any:
        if self._is_stream:
            return _Endless()
        return RandomSampler(self.dataset, generator=self.generator) if shuffle else SequentialSampler(self.dataset)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and self.__dict__.get("_initialized"):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0:
            return _iterate_here(self)
        from pydl.utils.data._workers import WorkerIterator

        if not self.persistent_workers:
            return WorkerIterator(self)
        if self._workers is None:
            self._workers = WorkerIterator(self)
        else:
            self._workers.restart(self)
        return self._workers

    def __len__(self) -> int:
        if not self._is_stream:
            return len(self._index_sampler)
        size = len(self.dataset)
        if self.batch_size is None:
            return size
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


class _Endless:
    """The index sampler of a stream: nothing to choose, no end."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


def _check_workers(num_workers: int, timeout: float, prefetch: int | None, persistent: bool, context: Any) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. Let num_workers > 0 to enable it."
        )
    if prefetch is not None and prefetch <= 0:
        raise ValueError("prefetch_factor option should be positive")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and num_workers == 0:
        raise ValueError("multiprocessing_context can only be used with multi-process loading (num_workers > 0)")
    if isinstance(context, str):
        import multiprocessing

        if context not in multiprocessing.get_all_start_methods():
            raise ValueError(
                f"multiprocessing_context option should specify a valid start method in "
                f"{multiprocessing.get_all_start_methods()!r}, but got {context!r}"
            )


def draw_seed(generator: Any) -> int:
    """A seed for the workers of one epoch."""
    return int(pydl.empty((), dtype=pydl.int64).random_(generator=generator).item())


class _iterate_here:
    """One epoch in this process."""

    def __init__(self, loader: DataLoader) -> None:
        # Drawn though nothing here uses it, so that the generator goes on alike with workers and without.
        draw_seed(loader.generator)
        self._fetch = make_fetcher(loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last)
        self._indices = iter(loader._index_sampler)
        self._length = loader.__len__

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._fetch(next(self._indices))

    def __len__(self) -> int:
        return self._length()
