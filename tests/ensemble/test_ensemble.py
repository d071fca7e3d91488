"""Ensembles: by hand with small members, and against scikit-learn's with its estimators as members."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl._estimators import Estimator, NotFittedError
from pydl.ensemble import BaggingEnsemble, SnapshotEnsemble, StackingEnsemble, VotingEnsemble
from pydl.linear_model import Perceptron
from pydl.svm import SVC


class Centroids(Estimator):
    """The class of the nearest mean, with probabilities."""

    def __init__(self, power: float = 1.0, random_state: int | None = None) -> None:
        self.power = power
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Centroids:
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == c].mean(0) for c in self.classes_])
        return self

    def predict_proba(self, X: Any) -> Any:
        d = ((X[:, None] - self.means_) ** 2).sum(2) ** self.power
        p = np.exp(-(d - d.min(1, keepdims=True)))
        return p / p.sum(1, keepdims=True)

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmax(1)]


class Always:
    """One label whatever comes; not an Estimator, without classes_."""

    def __init__(self, label: Any) -> None:
        self.label = label

    def fit(self, X: Any, y: Any) -> Always:
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.label)


def blobs(seed: int = 0, classes: int = 3, n: int = 40, spread: float = 1.5) -> Any:
    rng = np.random.default_rng(seed)
    y = np.arange(classes).repeat(n)
    x = rng.normal(size=(classes, 4))[y] * 2 + spread * rng.normal(size=(classes * n, 4))
    order = rng.permutation(len(y))
    return x[order], y[order]


def test_hard_votes_by_hand() -> None:
    x, y = blobs()
    vote = VotingEnsemble([Always(2), Always(0), Always(2), Always(0), Always(1)]).fit(x, y)
    assert vote.predict(x[:3]).tolist() == [0, 0, 0]  # a tie: the smaller
    vote.set_params(weights=[1, 1, 1, 1, 5])
    assert vote.predict(x[:2]).tolist() == [1, 1]
    words = np.array(["a", "b", "c"])[y]
    vote = VotingEnsemble([("one", Always("b")), ("two", Centroids()), ("three", Always("b"))]).fit(x, words)
    assert set(vote.predict(x)) == {"b"} and list(vote.named_estimators_) == ["one", "two", "three"]
    with pytest.raises(AttributeError, match="predict_proba"):
        vote.predict_proba(x)


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting_agrees_with_scikit_learn(voting: str) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.tree import DecisionTreeClassifier

    x, y = blobs(spread=2.5)
    labels = np.array(["x", "y", "z"])[y]
    members = [
        ("l", LogisticRegression()),
        ("n", GaussianNB()),
        ("t", DecisionTreeClassifier(max_depth=2, random_state=0)),
    ]
    for weights in (None, [1.0, 2.0, 0.5]):
        ours = VotingEnsemble(members, voting=voting, weights=weights).fit(x, labels)
        theirs = ensemble.VotingClassifier(members, voting=voting, weights=weights).fit(x, labels)
        assert (ours.predict(x) == theirs.predict(x)).all()
        assert ours.score(x, labels) == theirs.score(x, labels)
        if voting == "soft":
            np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-12)


def linear(weight: Any) -> Any:
    net = nn.Linear(4, 3, bias=False)
    net.weight.data = pydl.tensor(weight, dtype=pydl.float32)
    return nn.Sequential(net, nn.Dropout(0.9))


def test_modules_vote_without_fit() -> None:
    x, _ = blobs()
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(3, 4)) for _ in range(3)]
    nets = [linear(w).train() for w in weights]
    logits = [x.astype(np.float32) @ w.T.astype(np.float32) for w in weights]
    p = np.mean([np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in logits], axis=0)
    soft = VotingEnsemble(nets, voting="soft")
    np.testing.assert_allclose(soft.predict_proba(x), p, rtol=1e-5)
    assert (soft.predict(x) == p.argmax(1)).all() and all(n.training for n in nets)
    counts = np.array([np.bincount([z[i].argmax() for z in logits], minlength=3).argmax() for i in range(len(x))])
    assert (VotingEnsemble(nets).predict(x) == counts).all()
    got = soft.predict(pydl.tensor(x))
    assert isinstance(got, pydl.Tensor) and got.tolist() == p.argmax(1).tolist()
    images = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    assert VotingEnsemble([images]).predict(pydl.rand(5, 1, 3, 4)).shape == (5,)
    fitted = VotingEnsemble(nets, voting="soft").fit(x, np.zeros(len(x), dtype=int))
    assert fitted.estimators_[0] is nets[0] and fitted.classes_.tolist() == [0, 1, 2]


def test_modules_beside_estimators() -> None:
    x, y = blobs()
    net = linear(np.eye(3, 4))
    vote = VotingEnsemble([net, Centroids(), SVC()], weights=[0, 1, 0]).fit(x, y)
    assert (vote.predict(x) == Centroids().fit(x, y).predict(x)).all()
    only = VotingEnsemble([net, Centroids()], voting="soft", weights=[1, 0]).fit(
        x, y % 2
    )  # class 2 is known to the net alone
    assert only.classes_.tolist() == [0, 1, 2] and only.predict_proba(x).shape == (len(x), 3)
    with pytest.raises(ValueError, match="integers"):
        VotingEnsemble([net, Centroids()]).fit(x, np.array(["a", "b", "c"])[y])


def test_conventions() -> None:
    x, y = blobs()
    members = [("c", Centroids(2.0)), ("p", Perceptron())]
    vote = VotingEnsemble(members)
    assert (
        vote.estimators is members
        and vote.get_params()["c__power"] == 2.0
        and vote.get_params(deep=False)["voting"] == "hard"
    )
    vote.set_params(c__power=1.0, voting="soft", p=Centroids())
    assert members[0][1].power == 1.0 and isinstance(vote.estimators[1][1], Centroids)
    with pytest.raises(ValueError, match="nothing"):
        vote.set_params(nothing=1)
    assert vote.fit(x, y) is vote and not hasattr(members[0][1], "means_")  # a clone was fitted
    assert "VotingEnsemble(" in repr(vote)
    for made in (VotingEnsemble([Centroids()]), BaggingEnsemble(Centroids()), StackingEnsemble([Centroids()])):
        with pytest.raises(NotFittedError):
            made.predict(x)
        for bad_x, bad_y in (
            (np.full((4, 2), np.nan), [0, 1, 0, 1]),
            (x, y[:-1]),
            (x, np.zeros(len(x))),
            (x[:, 0], y),
        ):
            with pytest.raises(ValueError):
                made.fit(bad_x, bad_y)
        made.fit(x, y)
        assert isinstance(made.predict(pydl.tensor(x)), pydl.Tensor) and isinstance(made.predict(x), np.ndarray)
        assert made.n_features_in_ == 4
        with pytest.raises(ValueError, match="features"):
            made.predict(x[:, :2])
    sklearn = pytest.importorskip("sklearn.base")
    copied = sklearn.clone(BaggingEnsemble(Centroids(3.0), 7, oob_score=True))
    assert copied.n_estimators == 7 and copied.estimator.power == 3.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: VotingEnsemble([]),
        lambda: VotingEnsemble([("a", Centroids()), ("a", Centroids())]),
        lambda: VotingEnsemble([Centroids()], voting="loud"),
        lambda: VotingEnsemble([Centroids()], weights=[1, 2]),
        lambda: VotingEnsemble([Centroids()], weights=[0]),
        lambda: VotingEnsemble([Centroids(), Centroids()], weights=[2, -1]),
        lambda: BaggingEnsemble(Centroids(), 0),
        lambda: BaggingEnsemble(Centroids(), max_samples=0),
        lambda: BaggingEnsemble(Centroids(), max_samples=1000),
        lambda: BaggingEnsemble(Centroids(), max_samples=1.5),
        lambda: BaggingEnsemble(Centroids(), max_features=9),
        lambda: BaggingEnsemble(Centroids(), bootstrap=False, oob_score=True),
        lambda: BaggingEnsemble(Centroids(), max_samples=1),
        lambda: StackingEnsemble([]),
        lambda: StackingEnsemble([Centroids()], cv=1),
        lambda: StackingEnsemble([Centroids()], cv=41),
    ],
)
def test_wrong_arguments(make: Any) -> None:
    with pytest.raises(ValueError, match="Ensemble"):
        make().fit(*blobs())


def test_bagging_by_hand() -> None:
    x, y = blobs(spread=3.0)
    bag = BaggingEnsemble(Centroids(), 15, max_samples=0.5, max_features=3, oob_score=True, random_state=3).fit(x, y)
    assert len(bag.estimators_) == 15 and all(len(s) == 60 for s in bag.estimators_samples_)
    assert all(len(set(c.tolist())) == 3 for c in bag.estimators_features_)
    assert len({e.random_state for e in bag.estimators_}) == 15
    total, unseen = np.zeros((120, 3)), np.zeros((120, 3))
    for e, rows, columns in zip(bag.estimators_, bag.estimators_samples_, bag.estimators_features_):
        again = Centroids().fit(x[rows][:, columns], y[rows])
        np.testing.assert_array_equal(again.means_, e.means_)
        p = e.predict_proba(x[:, columns])
        total += p / 15
        out = ~np.isin(np.arange(120), rows)
        unseen[out] += p[out]
    np.testing.assert_allclose(bag.predict_proba(x), total, rtol=1e-12)
    assert (bag.predict(x) == total.argmax(1)).all()
    assert bag.oob_score_ == (unseen.argmax(1) == y).mean()
    np.testing.assert_allclose(bag.oob_decision_function_, unseen / unseen.sum(1, keepdims=True), rtol=1e-10)
    same = BaggingEnsemble(Centroids(), 15, max_samples=0.5, max_features=3, random_state=3).fit(x, y)
    assert (same.predict_proba(x) == bag.predict_proba(x)).all()
    plain = BaggingEnsemble(Perceptron(max_iter=5), 3, bootstrap=False, max_samples=30, random_state=0)
    with pytest.warns(UserWarning):
        plain.fit(x, y)
    assert all(len(set(s.tolist())) == 30 for s in plain.estimators_samples_)
    assert set(np.unique(plain.predict_proba(x) * 3).round(9)) <= {0, 1, 2, 3}
    with pytest.raises(TypeError, match="fit"):
        BaggingEnsemble(nn.Linear(4, 3)).fit(x, y)
    with pytest.warns(UserWarning, match="left out"):
        few = BaggingEnsemble(Centroids(), 1, oob_score=True, random_state=0).fit(x, y)
    assert np.isnan(few.oob_decision_function_).any()


def test_bagging_beats_a_tree_as_scikit_learn_says() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn.tree import DecisionTreeClassifier

    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:400], order[400:]
    tree = DecisionTreeClassifier(random_state=0)
    single = tree.fit(x[train], y[train]).score(x[test], y[test])
    ours = BaggingEnsemble(tree, 30, oob_score=True, random_state=0).fit(x[train], y[train])
    theirs = ensemble.BaggingClassifier(tree, 30, oob_score=True, random_state=0).fit(x[train], y[train])
    assert ours.score(x[test], y[test]) > single + 0.1
    assert abs(ours.score(x[test], y[test]) - theirs.score(x[test], y[test])) < 0.03
    assert abs(ours.oob_score_ - theirs.oob_score_) < 0.04


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("passthrough", [False, True])
def test_stacking_agrees_with_scikit_learn(classes: int, passthrough: bool) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    x, y = blobs(classes=classes, spread=2.5)
    members = [("n", GaussianNB()), ("s", SVC()), ("l", LogisticRegression())]
    final = LogisticRegression(tol=1e-10, max_iter=10000)
    ours = StackingEnsemble(members, passthrough=passthrough).fit(x, y)
    theirs = ensemble.StackingClassifier(
        [("n", GaussianNB()), ("s", pytest.importorskip("sklearn.svm").SVC(tol=1e-3)), ("l", LogisticRegression())],
        final, cv=5, passthrough=passthrough,
    ).fit(x, y)  # fmt: skip
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=2e-3)
    assert (ours.predict(x) == theirs.predict(x)).mean() > 0.99
    given = StackingEnsemble(members, final, passthrough=passthrough).fit(x, y)
    np.testing.assert_allclose(given.predict_proba(x), theirs.predict_proba(x), atol=2e-3)


@pytest.mark.filterwarnings("ignore:Perceptron")
def test_stacking_uses_unseen_predictions() -> None:
    """A member that knows its training samples by heart is right on them, and useless: stacking must see that."""

    class Memory(Centroids):
        def fit(self, X: Any, y: Any) -> Any:
            self.classes_, self.known = np.unique(y), {tuple(row): label for row, label in zip(X, y)}
            return self

        def predict_proba(self, X: Any) -> Any:
            labels = [self.known.get(tuple(row), int(abs(row[0]) * 1e6) % 3) for row in X]
            return np.eye(3)[labels]

    x, y = blobs(spread=0.7)
    test_x, test_y = blobs(spread=0.7, n=30)
    stack = StackingEnsemble([Memory(), Centroids()], cv=4, random_state=0).fit(x, y)
    fresh = np.random.default_rng(5).normal(size=x.shape) * 1e-6 + x
    assert stack.score(fresh, y) > 0.95
    net = linear(np.zeros((3, 4)))
    with_net = StackingEnsemble([net, Centroids()], cv=3).fit(x, y)
    assert with_net.score(x, y) > 0.95 and with_net.predict_proba(pydl.tensor(test_x)).shape == (90, 3)
    votes_only = StackingEnsemble([Always(1), ("d", Perceptron())], Centroids(), cv=3).fit(x, y)
    assert votes_only.score(x, y) > 0.9
    words = StackingEnsemble([SVC(), Centroids()]).fit(x, np.array(["a", "b", "c"])[y])
    assert set(words.predict(test_x)) <= {"a", "b", "c"} and test_y.size
    with pytest.warns(UserWarning, match="smallest"):
        StackingEnsemble([Centroids()], cv=5).fit(np.r_[x, x[:3] + 9], np.r_[y, [7, 7, 7]])


def test_snapshots() -> None:
    pydl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    optimizer = pydl.optim.SGD([{"params": [model[0].weight]}, {"params": [model[0].bias], "lr": 0.5}], lr=0.1)
    ensemble = SnapshotEnsemble(model, optimizer, total_steps=10, n_cycles=3, use_last=2)
    with pytest.raises(ValueError, match="snapshot"):
        ensemble(pydl.ones(1, 4))
    taken, x = [], pydl.rand(6, 4)
    for t in range(10):
        part = (t % 4) / 4
        for group, start in zip(optimizer.param_groups, (0.1, 0.5)):
            assert math.isclose(group["lr"], start / 2 * (math.cos(math.pi * part) + 1))
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
        taken.append(ensemble.step())
    assert [t + 1 for t, s in enumerate(taken) if s] == [4, 8, 10]
    assert len(ensemble.snapshots) == 3 and not any(s.training for s in ensemble.snapshots) and model.training
    assert (ensemble.snapshots[-1][0].weight == model[0].weight).all()
    assert (ensemble.snapshots[0][0].weight != model[0].weight).any()
    want = sum(s(x).softmax(1) for s in ensemble.snapshots[1:]) / 2
    got = ensemble(x)
    assert not got.requires_grad and (got - want).abs().max() < 1e-6
    with pytest.raises(ValueError, match="total_steps"):
        ensemble.step()
    for bad in ((0, 1, None), (5, 6, None), (5, 0, None), (5, 2, 0)):
        with pytest.raises(ValueError, match="SnapshotEnsemble"):
            SnapshotEnsemble(model, optimizer, *bad)


def test_a_snapshot_ensemble_learns() -> None:
    x, y = blobs(spread=0.8, n=100)
    data, labels = pydl.tensor(x, dtype=pydl.float32), pydl.tensor(y)
    pydl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = pydl.optim.SGD(model.parameters(), lr=0.5)
    ensemble = SnapshotEnsemble(model, optimizer, total_steps=120, n_cycles=4)
    for _ in range(120):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data[:200]), labels[:200]).backward()
        optimizer.step()
        ensemble.step()
    accuracy = (ensemble(data[200:]).argmax(1) == labels[200:]).float().mean().item()
    assert accuracy > 0.85


def test_a_class_that_is_in_one_fold() -> None:
    """Decision values of a member that has not seen a class have no place for it."""
    x, y = np.random.RandomState(0).rand(20, 2), np.array([0] * 10 + [1] * 9 + [2])
    with pytest.warns(UserWarning, match="smallest class"), pytest.raises(ValueError, match="class 2|one of 2 folds"):
        pydl.ensemble.StackingEnsemble([pydl.svm.SVC()], cv=2).fit(x, y)


def test_bfloat16_samples() -> None:
    x, y = pydl.rand(20, 2).bfloat16(), pydl.arange(20) % 2
    vote = pydl.ensemble.VotingEnsemble([pydl.svm.SVC(), pydl.nn.Linear(2, 2)]).fit(x, y)
    assert vote.predict(x).shape == (20,)


def test_a_module_that_begins_with_an_embedding_gets_integers() -> None:
    pydl.manual_seed(0)
    net = pydl.nn.Sequential(pydl.nn.Embedding(10, 4), pydl.nn.Flatten(), pydl.nn.Linear(12, 2))
    x = np.random.RandomState(0).randint(0, 10, (6, 3))
    want = net(pydl.tensor(x)).argmax(1).numpy()
    np.testing.assert_array_equal(pydl.ensemble.VotingEnsemble([net]).predict(x), want)
    with_others = pydl.ensemble.VotingEnsemble([net, pydl.svm.SVC()], weights=[3, 1]).fit(x, [0, 1] * 3)
    np.testing.assert_array_equal(with_others.predict(x), want)
