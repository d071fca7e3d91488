"""Perceptron, SVC and LinearSVC: scikit-learn's conventions, its numbers where it is installed, and by hand."""

import inspect

import numpy as np
import pytest

import pydl
from pydl.linear_model import ConvergenceWarning, NotFittedError, Perceptron
from pydl.svm import SVC, LinearSVC

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, XOR = [0, 0, 0, 1], [0, 1, 1, 0]
MAKE = {"perceptron": Perceptron, "svc": SVC, "linear": LinearSVC}


def blobs(classes, n=25, width=3, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width)) * 2
    y = np.arange(classes).repeat(n)
    return centres[y] + spread * rng.normal(size=(classes * n, width)), y


def test_perceptron_by_hand():
    p = Perceptron().fit([[1.0, 2.0], [2.0, -1.0]], ["no", "yes"])
    # x0 is wrong at w = 0: w = -x0, b = -1; x1 then scores -1: w += x1, b += 1; x0 scores -1: right, x1 scores 4: right
    assert p.coef_.tolist() == [[1.0, -3.0]]
    assert p.intercept_.tolist() == [0.0]
    assert (p.n_iter_, p.n_updates_, p.converged_) == (2, 2, True)
    assert p.predict([[0.0, 0.0]]).tolist() == ["yes"]


def test_perceptron_learns_and_but_not_xor():
    p = Perceptron().fit(X, AND)
    assert p.converged_
    assert p.score(X, AND) == 1.0
    with pytest.warns(ConvergenceWarning):
        q = Perceptron(max_iter=50).fit(X, XOR)
    assert not q.converged_
    assert q.n_iter_ == 50
    assert q.score(X, XOR) < 1.0


def test_perceptron_options():
    x, y = blobs(3, spread=0.1)
    p = Perceptron(shuffle=True, random_state=1, eta0=0.5).fit(x, y)
    assert p.coef_.shape == (3, 3)
    assert p.score(x, y) == 1.0
    again = Perceptron(shuffle=True, random_state=1, eta0=0.5).fit(x, y)
    assert np.array_equal(p.coef_, again.coef_)
    through_zero = Perceptron(fit_intercept=False).fit([[1.0, 2.0], [2.0, -1.0]], [0, 1])
    assert through_zero.intercept_.tolist() == [0.0]
    assert through_zero.coef_.tolist() == [[1.0, -3.0]]
    warm = Perceptron(warm_start=True).fit(X, AND)
    assert warm.fit(X, AND).n_updates_ == 0


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly", "sigmoid"])
@pytest.mark.parametrize("classes", [2, 4])
def test_svc_agrees_with_scikit_learn(kernel, classes):
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    x, y = blobs(classes, spread=1.5)
    options = {"kernel": kernel, "tol": 1e-5, "C": 0.7, "coef0": 0.5, "degree": 2}
    ours, theirs = SVC(**options).fit(x, y), svm.SVC(**options).fit(x, y)
    probe = blobs(classes, spread=2.0, seed=1)[0]
    for shape in ("ovr", "ovo"):
        ours.set_params(decision_function_shape=shape)
        theirs.set_params(decision_function_shape=shape)
        np.testing.assert_allclose(ours.decision_function(probe), theirs.decision_function(probe), atol=1e-3)
    assert np.array_equal(ours.predict(probe), theirs.predict(probe))
    for name in ("classes_", "class_weight_", "shape_fit_"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    for name in ("dual_coef_", "intercept_", "support_vectors_", "n_support_", "n_iter_", "support_"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert a.dtype == b.dtype, name
        assert a.ndim == b.ndim, name
    if kernel == "linear":
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)


def test_svc_other_kernels_and_weights():
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    x, y = blobs(3, spread=1.5)
    probe = x[::7] + 0.1
    gram, to = x @ x.T, probe @ x.T
    names = np.array(["a", "b", "c"])[y]
    plain = SVC(kernel="linear", tol=1e-6).fit(x, names).decision_function(probe)
    for kernel, fit, use in (("precomputed", gram, to), (lambda a, b: a @ b.T, x, probe)):
        model = SVC(kernel=kernel, tol=1e-6).fit(fit, names)
        np.testing.assert_allclose(model.decision_function(use), plain, atol=1e-4)
        assert set(model.predict(use)) <= set("abc")
    weight = np.random.default_rng(0).uniform(0, 2, size=len(x))
    weight[3] = 0
    for class_weight in (None, "balanced", {0: 3.0, 2: 0.5}):
        options = {"class_weight": class_weight, "tol": 1e-5, "gamma": 0.3}
        ours = SVC(**options).fit(x[5:], y[5:], sample_weight=weight[5:])
        theirs = svm.SVC(**options).fit(x[5:], y[5:], sample_weight=weight[5:])
        np.testing.assert_allclose(ours.decision_function(probe), theirs.decision_function(probe), atol=1e-3)
        assert ours.score(x, y, weight) == pytest.approx(theirs.score(x, y, weight))


def test_svc_maximal_margin_by_hand():
    model = SVC(kernel="linear", C=1e6, tol=1e-8).fit([[0.0, 0.0], [2.0, 0.0], [3.0, 5.0]], [0, 1, 1])
    np.testing.assert_allclose(model.coef_, [[1.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(model.intercept_, [-1.0], atol=1e-6)
    assert model.support_.tolist() == [0, 1]
    assert SVC(C=10.0).fit(X, XOR).predict(X).tolist() == XOR


def test_svc_small_cache_and_limits():
    x, y = blobs(2, n=60, spread=2.0)
    full = SVC(tol=1e-6).fit(x, y)
    small = SVC(tol=1e-6, cache_size=1e-3).fit(x, y)  # two rows
    np.testing.assert_array_equal(full.decision_function(x), small.decision_function(x))
    with pytest.warns(ConvergenceWarning):
        stopped = SVC(max_iter=3).fit(x, y)
    assert stopped.fit_status_ == 1
    assert stopped.n_iter_.tolist() == [3]
    ties = SVC(break_ties=True).fit(*blobs(4, spread=2.0))
    probe = blobs(4, spread=3.0)[0]
    assert np.array_equal(ties.predict(probe), ties.decision_function(probe).argmax(1))


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_svc_agrees_with_scikit_learn(loss, classes):
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    x, y = blobs(classes, spread=1.5)
    for options in ({}, {"fit_intercept": False}, {"intercept_scaling": 5.0, "class_weight": "balanced", "C": 0.1}):
        ours = LinearSVC(loss=loss, tol=1e-8, max_iter=200000, **options).fit(x, y)
        theirs = svm.LinearSVC(loss=loss, tol=1e-8, max_iter=200000, dual=True, **options).fit(x, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-4)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-4)
        np.testing.assert_allclose(ours.decision_function(x), theirs.decision_function(x), atol=1e-3)
    with pytest.warns(ConvergenceWarning):
        LinearSVC(loss=loss, max_iter=1, tol=1e-9).fit(x, y)


@pytest.mark.parametrize("kind", MAKE)
def test_tensors_in_tensors_out(kind):
    x, y = pydl.from_numpy(X), pydl.tensor(AND)
    model = MAKE[kind]().fit(x, y)
    assert isinstance(model.predict(x), pydl.Tensor)
    assert isinstance(model.decision_function(x), pydl.Tensor)
    assert isinstance(model.predict(X), np.ndarray)
    assert model.score(x, y) == model.score(X, AND)


@pytest.mark.parametrize("kind", MAKE)
def test_errors(kind):
    make = MAKE[kind]
    with pytest.raises(NotFittedError):
        make().predict(X)
    with pytest.raises(AttributeError):
        make().decision_function(X)
    bad = [
        (X, [0, 0, 0, 0]), (X, [0, 1]), (X[:, 0], AND), (np.where(X > 0, np.nan, X), AND), (X + np.inf, AND),
        (X[:0], []), (X[:, :0], AND), (X, [[0, 1]] * 4), (X, [0.0, 1.0, np.nan, 1.0]), ([["a", "b"]] * 4, AND), (X[None], AND),
    ]  # fmt: skip
    for x, y in bad:
        with pytest.raises(ValueError):
            make().fit(x, y)
    with pytest.raises(ValueError, match="features"):
        make().fit(X, AND).predict(X[:, :1])
    with pytest.raises(ValueError, match="Invalid parameter"):
        make().set_params(nothing=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SVC(C=-1.0), lambda: SVC(kernel="cubic"), lambda: SVC(gamma="big"), lambda: SVC(gamma=-1.0), lambda: SVC(tol=0.0),
        lambda: SVC(decision_function_shape="all"), lambda: SVC(degree=-1), lambda: SVC(class_weight="much"),
        lambda: SVC(kernel="precomputed"), lambda: SVC(kernel=lambda a, b: np.ones(3)), lambda: LinearSVC(penalty="l1"),
        lambda: LinearSVC(loss="log"), lambda: LinearSVC(C=0.0), lambda: LinearSVC(intercept_scaling=0.0),
        lambda: LinearSVC(multi_class="crammer_singer"), lambda: Perceptron(max_iter=0), lambda: Perceptron(eta0=-1.0),
    ],
)  # fmt: skip
def test_bad_options(make):
    with pytest.raises(ValueError):
        make().fit(X, AND)


def test_sample_weights_are_checked():
    for weight in ([1.0], [-1.0, 1, 1, 1], [np.nan, 1, 1, 1]):
        with pytest.raises(ValueError, match="sample_weight"):
            SVC().fit(X, AND, sample_weight=weight)
    with pytest.raises(ValueError, match="positive weight"):
        SVC().fit(X, AND, sample_weight=[1, 1, 1, 0])


@pytest.mark.parametrize("kind", MAKE)
def test_parameters(kind):
    model = MAKE[kind]()
    params = model.get_params()
    assert MAKE[kind](**params).get_params() == params
    name = {"perceptron": "eta0", "svc": "C", "linear": "C"}[kind]
    assert model.set_params(**{name: 3.5}) is model
    assert getattr(model, name) == 3.5
    assert repr(model) == f"{type(model).__name__}({name}=3.5)"
    base = pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
    copied = base.clone(model)
    assert copied is not model
    assert copied.get_params() == model.get_params()


def test_wrong_arguments_of_the_solvers():
    one = pydl.ones(2, 2, dtype=pydl.float64)
    options = {
        "kernel": "rbf",
        "degree": 1.0,
        "gamma": 1.0,
        "coef0": 0.0,
        "tol": 1e-3,
        "max_iter": -1,
        "cache_bytes": 0,
    }
    for args in ((one, one, one), (one.float(), one[0], one[0]), (one, one[0, :1], one[0])):
        with pytest.raises(RuntimeError):
            pydl._smo(*args, **options)
        with pytest.raises(RuntimeError):
            pydl._dual_descent(*args, squared=True, tol=1e-3, max_iter=10, seed=0)


# What scikit-learn 1.9 expects of its own classes of these names as well: weights are no repetitions to the last digits.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "sample_weight is not equivalent to removing/repeating samples"
}


@pytest.mark.parametrize("make", [SVC, LinearSVC, Perceptron], ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(make):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    if "on_fail" not in inspect.signature(checks.check_estimator).parameters:
        pytest.skip("an older scikit-learn")
    expected = EXPECTED if make is not Perceptron else None
    results = checks.check_estimator(make(), expected_failed_checks=expected, on_fail=None, on_skip=None)
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not failed and sum(r["status"] == "passed" for r in results) > 50


def test_a_tolerance_that_rounding_cannot_reach(monkeypatch):
    """The solver ends where no pair moves, or after LIBSVM's number of steps, and says so."""
    x = np.random.RandomState(0).rand(200, 5)
    y = (x.sum(1) > 2.5) ^ (np.arange(200) % 7 == 0)
    assert 0 < SVC(tol=1e-300, C=1e6).fit(x, y.astype(int)).n_iter_[0] < 10_000_000
    assert SVC()._most_steps(200) == 10_000_000 and SVC(max_iter=7)._most_steps(200) == 7
    monkeypatch.setattr(SVC, "_most_steps", lambda self, samples: 1000)
    with pytest.warns(ConvergenceWarning, match="1000 steps"):
        SVC(tol=1e-300).fit(np.random.RandomState(0).rand(40, 2), np.arange(40) % 2)


def test_bfloat16_samples() -> None:
    x, y = pydl.rand(20, 2).bfloat16(), pydl.arange(20) % 2
    for model in (SVC(), LinearSVC(C=0.1)):
        assert model.fit(x, y).predict(x).shape == (20,)
