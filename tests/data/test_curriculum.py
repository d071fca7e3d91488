"""The sampler that begins with the easy samples."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import pydl
from pydl.utils.data import CurriculumSampler, DataLoader, TensorDataset

SCORES = np.random.default_rng(0).random(37)
PACES = {
    "linear": lambda t, s: s + (1 - s) * t,
    "root": lambda t, s: math.sqrt(s**2 + (1 - s**2) * t),
    "step": lambda t, s: s + (1 - s) * math.floor(t * 3) / 3,
}


@pytest.mark.parametrize("pacing", [*PACES, "callable"])
def test_shares(pacing):
    own = (lambda t: 0.05 + 0.5 * t) if pacing == "callable" else pacing
    sampler = CurriculumSampler(SCORES, own, start=0.25, total_epochs=8, steps=3, shuffle=False)
    order = np.argsort(SCORES, kind="stable")
    for epoch in range(12):
        sampler.set_epoch(epoch)
        t = epoch / 7
        share = 1.0 if epoch >= 7 else own(t) if callable(own) else PACES[pacing](t, 0.25)
        count = max(1, math.ceil(share * 37))
        assert len(sampler) == count
        assert list(sampler) == order[:count].tolist()
        assert list(sampler) == list(sampler)


def test_shuffling_by_seed_and_epoch():
    orders = {}
    for seed in (0, 1):
        for epoch in (8, 9, 10):
            sampler = CurriculumSampler(SCORES, total_epochs=9, seed=seed)
            sampler.set_epoch(epoch)
            orders[seed, epoch] = list(sampler)
            assert list(sampler) == orders[seed, epoch]
            assert sorted(orders[seed, epoch]) == list(range(37))
    assert len({tuple(order) for order in orders.values()}) == 6
    sampler = CurriculumSampler(SCORES, start=0.3)
    assert set(sampler) == set(np.argsort(SCORES)[:12].tolist())
    assert list(pickle.loads(pickle.dumps(sampler))) == list(sampler)
    state = pydl.get_rng_state()
    list(sampler)
    assert pydl.get_rng_state().equal(state)


def test_ties_one_epoch_and_loader():
    assert list(CurriculumSampler([1, 0, 1, 0], start=0.75, shuffle=False)) == [1, 3, 0]
    assert len(CurriculumSampler([5.0], start=0.01)) == 1
    assert len(CurriculumSampler(SCORES, start=0.1, total_epochs=1)) == 37
    assert len(CurriculumSampler(pydl.tensor([1.0, float("inf"), -float("inf")]), start=0.3)) == 1
    sampler = CurriculumSampler([3.0, 1.0, 2.0], start=0.5, total_epochs=3, shuffle=False)
    loader = DataLoader(TensorDataset(pydl.arange(3)), batch_size=2, sampler=sampler)
    assert [batch[0].tolist() for batch in loader] == [[1, 2]]
    sampler.set_epoch(2)
    assert [batch[0].tolist() for batch in loader] == [[1, 2], [0]]


def test_refused():
    for scores in ([1.0, float("nan")], [], [[1.0]], 3.0):
        with pytest.raises(ValueError, match="CurriculumSampler"):
            CurriculumSampler(scores)
    for options in (
        {"pacing": "cubic"},
        {"start": 0.0},
        {"start": 1.5},
        {"total_epochs": 0},
        {"steps": 0},
        {"start": float("nan")},
    ):
        with pytest.raises(ValueError, match="CurriculumSampler"):
            CurriculumSampler(SCORES, **options)
    with pytest.raises(ValueError, match="epoch"):
        CurriculumSampler(SCORES).set_epoch(-1)
    with pytest.raises(ValueError, match="pacing"):
        len(CurriculumSampler(SCORES, lambda t: 2.0))
