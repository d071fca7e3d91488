"""Data sets, samplers, collation and loading, here and in workers."""

import collections
import os
import time

import numpy as np
import pytest

import pydl
from pydl.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
    random_split,
)

Point = collections.namedtuple("Point", "x y")


class Rows(Dataset):
    def __len__(self):
        return 23

    def __getitem__(self, i):
        return {"row": np.full(3, i, dtype=np.float32), "i": i, "more": (pydl.tensor([i], dtype=pydl.bfloat16), "s")}


class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, 10, info.num_workers) if info else range(10))


class Failing(Dataset):
    def __init__(self, action):
        self.action = action

    def __len__(self):
        return 10

    def __getitem__(self, i):
        if i == 7:
            self.action()
        return i


def missing_key():
    raise KeyError("seven")


def leave():
    os._exit(3)


def draw(i):
    return float(np.random.rand()) + pydl.rand(1).item()


class Random(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return draw(i)


def slow_start(worker_id):
    time.sleep(3)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_in_order(workers):
    batches = list(DataLoader(Rows(), 4, num_workers=workers))
    assert len(batches) == 6
    assert pydl.cat([b["i"] for b in batches]).tolist() == list(range(23))
    assert batches[1]["row"].tolist() == [[i] * 3 for i in (4, 5, 6, 7)]
    assert batches[0]["more"][0].dtype == pydl.bfloat16
    assert batches[0]["more"][1] == ("s",) * 4
    batches[0]["row"][0] = 5.0  # a batch from a worker can be written to
    assert len(list(DataLoader(Rows(), 4, drop_last=True, num_workers=workers))) == 5


def test_spawned_workers():
    loader = DataLoader(Rows(), 10, num_workers=1, multiprocessing_context="spawn")
    assert pydl.cat([b["i"] for b in loader]).tolist() == list(range(23))


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_stream(workers):
    batches = list(DataLoader(Stream(), 3, num_workers=workers))
    assert sorted(i for b in batches for i in b.tolist()) == list(range(10))


@pytest.mark.parametrize("workers", [0, 1])
def test_exception_comes_through(workers):
    with pytest.raises(KeyError, match="seven" if workers == 0 else "(?s)worker process 0.*missing_key"):
        list(DataLoader(Failing(missing_key), 4, num_workers=workers))


def test_dead_worker_and_timeout():
    with pytest.raises(RuntimeError, match="exited unexpectedly: exit code 3"):
        list(DataLoader(Failing(leave), 4, num_workers=2))
    with pytest.raises(RuntimeError, match="timed out"):
        list(DataLoader(Rows(), 4, num_workers=1, timeout=0.2, worker_init_fn=slow_start))


def test_workers_after_an_operation_and_their_seeds():
    (pydl.rand(300, 300) @ pydl.rand(300, 300)).sum()
    generator = pydl.Generator()
    rounds = []
    for _ in range(2):
        generator.manual_seed(5)
        rounds.append([b.tolist() for b in DataLoader(Random(), 1, num_workers=2, generator=generator)])
    assert rounds[0] == rounds[1]
    assert len({x for batch in rounds[0] for x in batch}) == 4


def test_persistent_workers_and_an_epoch_left_early():
    loader = DataLoader(Rows(), 4, num_workers=2, persistent_workers=True)
    pids = []
    for epoch in range(3):
        for n, _batch in enumerate(loader):
            if epoch == 1 and n == 1:
                break
        pids.append([w.process.pid for w in loader._workers._workers])
        if epoch != 1:
            assert n == 5
    assert pids[0] == pids[2]


def test_workers_end_with_their_iterator():
    iterator = iter(DataLoader(Rows(), 1, num_workers=2))
    next(iterator)
    processes = [worker.process for worker in iterator._workers]
    del iterator
    assert all(process.exitcode is not None for process in processes)


def test_shuffle_is_a_permutation_and_repeats_with_its_generator():
    data = TensorDataset(pydl.arange(50), pydl.arange(50.0))
    generator = pydl.Generator()
    orders = []
    for _ in range(2):
        generator.manual_seed(1)
        batches = list(DataLoader(data, 7, shuffle=True, generator=generator))
        assert all(a.tolist() == b.tolist() for a, b in batches)
        orders.append(pydl.cat([a for a, _ in batches]).tolist())
    assert orders[0] == orders[1] != list(range(50))
    assert sorted(orders[0]) == list(range(50))


def test_fast_path_equals_the_plain_one():
    data = Subset(
        TensorDataset(pydl.rand(20, 3), pydl.arange(20), pydl.rand(20, 4).t()[:4].t()), list(range(19, 0, -2))
    )
    fast = list(DataLoader(data, 4))
    plain = list(DataLoader(data, 4, collate_fn=lambda batch: default_collate(batch)))
    for a, b in zip(fast, plain):
        assert type(a) is type(b) is list
        assert [x.tolist() for x in a] == [x.tolist() for x in b]
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(pydl.arange(3)), batch_sampler=[[0, 5]]))


def test_default_collate():
    assert default_collate([1, 2]).dtype == pydl.int64
    assert default_collate([1.5, 2]).dtype == pydl.float64
    assert default_collate([True, False]).dtype == pydl.bool
    assert default_collate([np.float32(1), np.float32(2)]).dtype == pydl.float32
    assert default_collate([np.arange(3), np.arange(3)[::-1]]).tolist() == [[0, 1, 2], [2, 1, 0]]
    assert default_collate(["a", "b"]) == ["a", "b"]
    point = default_collate([Point(1, "a"), Point(2, "b")])
    assert type(point) is Point
    assert point.x.tolist() == [1, 2]
    nested = default_collate([{"a": [1, (2.0, "t")]}, {"a": [3, (4.0, "u")]}])
    assert nested["a"][1][0].tolist() == [2.0, 4.0]
    with pytest.raises(TypeError):
        default_collate([object()])
    with pytest.raises(TypeError):
        default_collate([np.array(["text"])])
    with pytest.raises(RuntimeError):
        default_collate([[1, 2], [1]])
    with pytest.raises(RuntimeError):
        default_collate([np.zeros(2), np.zeros(3)])


def test_batch_size_none_and_samplers():
    assert [x for x in DataLoader([1, 2], batch_size=None)] == [1, 2]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(list(RandomSampler(range(3), num_samples=7))) == 7
    assert set(RandomSampler(range(3), replacement=True, num_samples=40)) == {0, 1, 2}
    assert set(WeightedRandomSampler([0, 1, 0, 2], 50)) == {1, 3}
    assert ConcatDataset([[1, 2], [3]])[-1] == 3
    parts = random_split(range(10), [0.5, 0.25, 0.25])
    assert [len(p) for p in parts] == [6, 2, 2]
    assert sorted(x for p in parts for x in p) == list(range(10))


def test_errors():
    for options in (
        {"batch_size": 0}, {"num_workers": -1}, {"timeout": -1}, {"prefetch_factor": 2}, {"persistent_workers": True},
        {"sampler": [0], "shuffle": True}, {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_size": None, "drop_last": True},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            DataLoader([1, 2], **options)
    with pytest.raises(ValueError):
        DataLoader(Stream(), shuffle=True)
    with pytest.raises(ValueError):
        DataLoader([1]).batch_size = 3
    with pytest.raises(ValueError):
        random_split([1, 2, 3], [1, 1])
