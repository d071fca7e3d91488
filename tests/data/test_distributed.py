"""The part of a data set that one of several processes reads."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import pydl
from pydl.utils.data import DataLoader, DistributedSampler


def parts(size: int, replicas: int, **options: Any) -> list[list[int]]:
    return [list(DistributedSampler(range(size), replicas, rank, **options)) for rank in range(replicas)]


@pytest.mark.parametrize("shuffle", [True, False])
def test_all_of_the_data_is_read_once(shuffle: bool) -> None:
    for size, replicas in itertools.product(range(9), range(1, 5)):
        repeated, dropped = (parts(size, replicas, shuffle=shuffle, drop_last=d) for d in (False, True))
        assert {len(p) for p in repeated} == {-(-size // replicas)} and {len(p) for p in dropped} == {size // replicas}
        assert set(sum(repeated, [])) == set(range(size))
        assert len(set(sum(dropped, []))) == size // replicas * replicas
        assert len(DistributedSampler(range(size), replicas, 0, drop_last=True)) == size // replicas


def test_against_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    from torch.utils.data import DistributedSampler as Theirs

    for size, replicas, drop in itertools.product((1, 4, 7), (1, 2, 3, 5), (False, True)):
        theirs = [list(Theirs(range(size), replicas, r, shuffle=False, drop_last=drop)) for r in range(replicas)]
        assert parts(size, replicas, shuffle=False, drop_last=drop) == theirs


def test_epochs_have_their_own_order() -> None:
    sampler = DistributedSampler(range(100), 2, 1, seed=3)
    first = list(sampler)
    assert first == list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first and first == list(DistributedSampler(range(100), 2, 1, seed=3))
    loader = DataLoader(pydl.arange(100), batch_size=10, sampler=sampler)
    assert sum(len(batch) for batch in loader) == 50


def test_refuses() -> None:
    from pydl.utils.data.distributed import DistributedSampler as Same

    assert Same is DistributedSampler
    for args in ((), (2,), (None, 0)):
        with pytest.raises(ValueError, match="Default process group has not been initialized"):
            DistributedSampler(range(5), *args)
    for args in ((2, 2), (2, -1), (0, 0)):
        with pytest.raises(ValueError, match="Invalid rank"):
            DistributedSampler(range(5), *args)
