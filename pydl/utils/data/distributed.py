"""The part of a data set that one of several processes reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydl
from pydl.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index from ``rank`` on: the processes together read all of the data set once.

    Args:
        dataset: of a length that does not change.
        num_replicas: how many processes there are. There are no process groups here, so that it has to be given.
        rank: which of them this is, from 0. Has to be given too.
        shuffle: order anew for each epoch of :meth:`set_epoch`. Default: ``True``.
        seed: of the order, the same in all processes. Default: 0.
        drop_last: leave out the indices that do not divide evenly. Default: ``False``: repeat the first ones.

    Raises:
        ValueError: ``num_replicas`` or ``rank`` missing, or a rank outside [0, num_replicas).

    Example:
        >>> import pydl
        >>> [list(pydl.utils.data.DistributedSampler("abcde", 2, rank, shuffle=False)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise ValueError(
                "Default process group has not been initialized, please make sure to call init_process_group. "
                "(DistributedSampler: give num_replicas and rank, there are no process groups.)"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.epoch, self.shuffle, self.seed, self.drop_last = 0, shuffle, seed, drop_last
        size = len(dataset)
        self.num_samples = size // num_replicas if drop_last else -(-size // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        indices = list(range(len(self.dataset)))
        if self.shuffle:
            generator = pydl.Generator()
            generator.manual_seed(self.seed + self.epoch)
            indices = pydl.randperm(len(indices), generator=generator).tolist()
        rounds = -(-self.total_size // max(len(indices), 1))
        return iter((indices * rounds)[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the number that, with the seed, gives the next order: call it before each pass."""
        self.epoch = epoch
