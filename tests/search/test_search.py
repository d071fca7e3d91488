"""Grid, random and Optuna searches; architectures by a builder."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.search import BayesianSearch, GridSearch, RandomSearch, Trial, TrialPruned, search_architecture

SPACE: dict[str, Any] = {"x": (-2.0, 2.0), "n": (1, 4), "lr": (1e-4, 1.0, "log"), "kind": ["a", "b"]}


def bowl(p: dict[str, Any]) -> float:
    return (p["x"] - 1) ** 2 + p["n"] + abs(math.log10(p["lr"]) + 2) + (p["kind"] == "a")


@pytest.fixture
def optuna() -> Any:
    return pytest.importorskip("optuna")


def test_grid_visits_all_in_order() -> None:
    seen: list[Any] = []
    result = GridSearch(lambda p: seen.append(p) or p["b"] - p["a"], {"a": [3, 1], "b": (0, 2)}, "maximize").run()
    assert [tuple(p.values()) for p in seen] == [(3, 0), (3, 1), (3, 2), (1, 0), (1, 1), (1, 2)]
    assert result.best_params == {"a": 1, "b": 2} and result.best_value == 1 and result.best_trial.number == 5
    assert [t.params for t in result.trials] == seen
    table = result.to_table()
    assert table[0] == {
        "number": 0,
        "a": 3,
        "b": 0,
        "value": -3.0,
        "state": "complete",
        "duration": table[0]["duration"],
    }
    assert all(row["duration"] >= 0 for row in table)
    few = GridSearch(lambda p: p["b"], {"b": [5, 4, 3]}).run(n_trials=2)
    assert few.best_value == 4 and len(few.trials) == 2
    assert "2 trials" in repr(few)


def test_the_first_of_equal_values_is_best() -> None:
    assert GridSearch(lambda p: 0, {"a": [1, 2]}).run().best_params == {"a": 1}
    assert GridSearch(lambda p: 0, {"a": [1, 2]}, "maximize").run().best_params == {"a": 1}


def test_trials_in_objectives() -> None:
    def told(params: Any, trial: Any) -> float:
        assert isinstance(trial, Trial) and trial.params == params and not trial.should_prune()
        trial.report(params["a"] / 2, 0)
        return params["a"]

    result = GridSearch(told, {"a": [1, 2]}).run()
    assert [t.reported for t in result.trials] == [{0: 0.5}, {0: 1.0}]
    assert GridSearch(lambda p, trial=None: trial.number, {"a": [7]}).run().best_value == 0
    assert GridSearch(lambda p, scale=3: p["a"] * scale, {"a": [7]}).run().best_value == 21


def test_failures() -> None:
    def broken(p: Any) -> float:
        if p["a"] == 1:
            raise KeyError("no")
        if p["a"] == 2:
            raise TrialPruned()
        return float("nan") if p["a"] == 3 else pydl.tensor(4.0)

    with pytest.raises(KeyError):
        GridSearch(broken, {"a": (1, 4)}).run()
    result = GridSearch(broken, {"a": (1, 4)}, catch=(KeyError,)).run()
    assert [t.state for t in result.trials] == ["failed", "pruned", "failed", "complete"]
    assert [t.value for t in result.trials] == [None, None, None, 4.0]
    assert result.best_params == {"a": 4}
    none = GridSearch(broken, {"a": [3]}).run()
    for name in ("best_params", "best_value", "best_trial"):
        with pytest.raises(ValueError, match="completed"):
            getattr(none, name)


def test_callbacks_and_timeout() -> None:
    seen: list[Any] = []
    RandomSearch(bowl, SPACE, seed=0).run(
        3, callbacks=[lambda result, trial: seen.append((len(result.trials), trial.number))]
    )
    assert seen == [(1, 0), (2, 1), (3, 2)]
    assert RandomSearch(bowl, SPACE).run(5, timeout=0.0).trials == []
    assert RandomSearch(bowl, SPACE).run(0).trials == []


def test_random_draws() -> None:
    first = [t.params for t in RandomSearch(bowl, SPACE, seed=3).run(200).trials]
    again = [t.params for t in RandomSearch(bowl, SPACE, seed=3).run(50).trials]
    assert first[:50] == again
    assert first != [t.params for t in RandomSearch(bowl, SPACE, seed=4).run(200).trials]
    assert all(-2 <= p["x"] <= 2 and isinstance(p["x"], float) for p in first)
    assert {p["n"] for p in first} == {1, 2, 3, 4} and all(type(p["n"]) is int for p in first)
    assert {p["kind"] for p in first} == {"a", "b"}
    decades = np.histogram([math.log10(p["lr"]) for p in first], bins=4, range=(-4, 0))[0]
    assert decades.min() > 30  # log-uniform: a quarter in each
    whole = [t.params["k"] for t in RandomSearch(lambda p: 0, {"k": (1, 64, "log")}, seed=0).run(400).trials]
    assert min(whole) == 1 and max(whole) <= 64 and np.median(whole) < 14
    few = [t.params["k"] for t in RandomSearch(lambda p: 0, {"k": (1, 2, "log")}, seed=0).run(2000).trials]
    assert abs(few.count(1) / 2000 - math.log(3) / math.log(5)) < 0.03  # of [0.5, 2.5] what rounds to 1
    assert RandomSearch(lambda p: 0, {"k": (5, 5), "f": (0.5, 0.5)}).run(1).best_params == {"k": 5, "f": 0.5}


@pytest.mark.parametrize(
    "space", [{}, {"a": []}, {"a": (2, 1)}, {"a": (0.0, 1.0, "log")}, {"a": (-1, 4, "log")}, {"a": (1, 2, "exp")}, {"a": 3}, {"a": (1,)}, {"a": ("x", "y")},
              {"a": (0.0, math.inf)}, {"a": (math.nan, 1.0)}]
)  # fmt: skip
def test_wrong_spaces(space: Any) -> None:
    with pytest.raises(ValueError, match=r"RandomSearch\(\)"):
        RandomSearch(bowl, space)
    with pytest.raises(ValueError, match=r"GridSearch\(\)"):
        GridSearch(bowl, space)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="floats"):
        GridSearch(bowl, {"x": (0.0, 1.0)})
    with pytest.raises(ValueError, match="direction"):
        RandomSearch(bowl, SPACE, "down")
    with pytest.raises(TypeError, match="objective"):
        RandomSearch(3, SPACE)
    with pytest.raises(ValueError, match="n_trials"):
        RandomSearch(bowl, SPACE).run(-1)


def test_plot() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    result = GridSearch(lambda p: p["a"], {"a": [3, 1, 2]}).run()
    ax = result.plot()
    assert ax.lines[1].get_ydata().tolist() == [3, 1, 1] and result.plot(ax) is ax
    best = GridSearch(lambda p: p["a"], {"a": [3, 1, 5]}, "maximize").run().plot()
    assert best.lines[1].get_ydata().tolist() == [3, 3, 5]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_bayesian_search_is_seeded(sampler: str, optuna: Any) -> None:
    runs = [BayesianSearch(bowl, SPACE, seed=1, sampler=sampler).run(15) for _ in range(2)]
    assert [t.params for t in runs[0].trials] == [t.params for t in runs[1].trials]
    assert set(runs[0].trials[0].params) == set(SPACE) and type(runs[0].trials[0].params["n"]) is int


def test_tpe_beats_random_draws(optuna: Any) -> None:
    def mean(make: Any) -> float:
        return float(np.mean([make(seed).run(40).best_value for seed in range(3)]))

    assert mean(lambda s: BayesianSearch(bowl, SPACE, seed=s)) < mean(lambda s: RandomSearch(bowl, SPACE, seed=s))


def test_a_stored_study_goes_on(optuna: Any, tmp_path: Any) -> None:
    pytest.importorskip("sqlalchemy")
    path = str(tmp_path / "study.db")
    first = BayesianSearch(bowl, SPACE, seed=0, storage=path).run(4)
    calls: list[Any] = []
    resumed = BayesianSearch(lambda p: calls.append(p) or bowl(p), SPACE, seed=0, storage=f"sqlite:///{path}")
    second = resumed.run(3)
    assert len(calls) == 3 and [t.number for t in second.trials] == list(range(7))
    assert [t.params for t in second.trials[:4]] == [t.params for t in first.trials]
    assert calls[0] != first.trials[0].params  # not the same draws again
    assert len(resumed.run(2).trials) == 9 and len(resumed.run(0).trials) == 9
    assert len(BayesianSearch(bowl, SPACE, storage=path, study_name="other").run(1).trials) == 1
    with pytest.raises(ValueError, match="minimize"):
        BayesianSearch(bowl, SPACE, "maximize", storage=path).run(1)


def test_pruning_and_failures_with_optuna(optuna: Any) -> None:
    def objective(p: Any, trial: Any) -> float:
        for step in range(20):
            trial.report(p["x"], step)
            if trial.should_prune():
                raise TrialPruned() if p["kind"] == "a" else optuna.TrialPruned()
        if p["x"] > 1.5:
            raise KeyError("no")
        return p["x"]

    result = BayesianSearch(
        objective, {"x": (0.0, 2.0), "kind": ["a", "b"]}, seed=0, pruner="median", catch=(KeyError,)
    ).run(40)
    states = [t.state for t in result.trials]
    assert states.count("pruned") > 10 and states.count("complete") > 3 and len(states) == 40
    assert all(t.value is None for t in result.trials if t.state != "complete")
    assert result.best_trial.reported and result.best_value == min(
        t.value for t in result.trials if t.value is not None
    )
    with pytest.raises(ZeroDivisionError):
        BayesianSearch(lambda p: 1 / 0, {"x": [1]}).run(1)
    assert BayesianSearch(lambda p: math.nan, {"x": [1]}).run(1).trials[0].state == "failed"
    seen: list[Any] = []
    BayesianSearch(bowl, SPACE, pruner="hyperband").run(
        2, callbacks=[lambda r, t: seen.append((len(r.trials), t.number))]
    )
    assert seen == [(1, 0), (2, 1)]


def test_choices_that_a_storage_cannot_hold(optuna: Any) -> None:
    choices = [(16, 8), nn.ReLU, [1]]
    result = BayesianSearch(lambda p: choices.index(p["c"]), {"c": choices}, seed=0).run(12)
    assert result.best_params["c"] == (16, 8) and all(t.params["c"] in choices for t in result.trials)
    verbosity = optuna.logging.get_verbosity()
    BayesianSearch(bowl, SPACE).run(1)
    assert optuna.logging.get_verbosity() == verbosity


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install pydl-nn\[search\]"):
        BayesianSearch(bowl, SPACE)
    for bad in ({"sampler": "best"}, {"pruner": "always"}):
        with pytest.raises(ValueError, match="BayesianSearch"):
            BayesianSearch(bowl, SPACE, **bad)
    found = search_architecture(
        lambda width: nn.Linear(3, width), lambda m: m.out_features, {"width": (1, 9)}, 30, sampler="random", seed=0
    )
    assert found.best_params == {"width": 9}


def build(width: int, depth: int, norm: Any) -> Any:
    if width * depth > 60:
        raise ValueError("too large")
    if width == 13:
        raise pydl.ShapeError("unlucky")
    layers: list[Any] = [nn.Linear(4, width), nn.ReLU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 2))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_search_architecture(sampler: str) -> None:
    if sampler == "tpe":
        pytest.importorskip("optuna")
    space = {"width": (1, 32), "depth": (1, 3), "norm": [True, False]}
    count = lambda m: sum(p.numel() for p in m.parameters())  # noqa: E731
    result = search_architecture(build, lambda m: -abs(count(m) - 200), space, 40, sampler=sampler, seed=0)
    states = {t.state for t in result.trials}
    assert states == {"complete", "failed"} and len(result.trials) == 40
    assert all(
        t.params["width"] * t.params["depth"] > 60 or t.params["width"] == 13
        for t in result.trials
        if t.state == "failed"
    )
    assert result.best_value > -40
    with pytest.raises(KeyError):
        search_architecture(build, lambda m: {}["no"], space, 5, sampler="random", seed=0)


def test_search_architecture_by_training() -> None:
    """Of linear, and of networks with a hidden layer, the latter learn a ring."""
    rng = np.random.default_rng(0)
    x = pydl.tensor(rng.uniform(-1, 1, (300, 2)), dtype=pydl.float32)
    y = (x.square().sum(1) < 0.5).long()

    def make(hidden: int) -> Any:
        pydl.manual_seed(0)
        return nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2)) if hidden else nn.Linear(2, 2)

    def score(model: Any) -> float:
        optimizer = pydl.optim.Adam(model.parameters(), lr=0.05)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[:200]), y[:200]).backward()
            optimizer.step()
        return float((model(x[200:]).argmax(1) == y[200:]).float().mean().item())

    result = search_architecture(make, score, {"hidden": [0, 2, 16]}, 8, sampler="random", seed=1)
    assert result.best_params == {"hidden": 16} and result.best_value > 0.9
