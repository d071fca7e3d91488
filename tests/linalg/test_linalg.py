"""torch.linalg and its relatives: values against torch, first and second derivatives, errors, out=, batches."""

from __future__ import annotations

import doctest
import importlib
import math
import pickle
from typing import Any

import numpy as np
import pytest
from python_cases import INF, Case, check_against_torch, check_gradients

import pydl

REAL = ("float32", "float64")
NORMS = ("fro", "nuc", 2, -2, 1, -1, INF, -INF)
SHAPES = ((3, 3), (4, 2), (2, 4), (2, 3, 2))


def positive(m: Any, a: Any) -> Any:
    return a @ a.mH + m.eye(a.shape[-1], dtype=a.dtype)


def vectors_up_to_phase(values: Any, vectors: Any) -> Any:
    return values, vectors.abs() ** 2


def svd_without_phase(m: Any, a: Any) -> Any:
    u, s, vh = m.linalg.svd(a, full_matrices=False)
    return u.abs() ** 2, s, vh.abs() ** 2, (u * s.to(a.dtype).exp().unsqueeze(-2)) @ vh


def symmetric(a: Any, hermitian: bool) -> Any:
    return a + (a.mH if hermitian else a.mT)


CASES = [
    Case("inv", lambda m, a: m.linalg.inv(a), ((2, 3, 3),)),
    Case("inv empty", lambda m, a: m.linalg.inv(a), ((0, 0),), grad=False),
    Case("inverse", lambda m, a: a.inverse(), ((3, 3),)),
    Case("det", lambda m, a: m.linalg.det(a), ((2, 3, 3),)),
    Case("det 0x0", lambda m, a: a.det(), ((2, 0, 0),), grad=False),
    Case("det singular", lambda m, a: m.linalg.det(a), (np.diag([1.0, 2.0, 0.0]),)),
    Case("det zero", lambda m, a: m.linalg.det(a), (np.zeros((2, 2)),)),
    Case("slogdet", lambda m, a: m.linalg.slogdet(a), ((2, 3, 3),)),
    Case("logdet", lambda m, a: m.logdet(positive(m, a)), ((2, 3, 3),)),
    Case("solve", lambda m, a, b: m.linalg.solve(a, b), ((2, 3, 3), (3, 2))),
    Case("solve vectors", lambda m, a, b: m.linalg.solve(a, b), ((2, 3, 3), (2, 3))),
    Case("solve right", lambda m, a, b: m.linalg.solve(a, b, left=False), ((2, 3, 3), (2, 2, 3))),
    Case("solve_ex", lambda m, a, b: m.linalg.solve_ex(a, b), ((2, 3, 3), (3, 2))),
    Case("cholesky", lambda m, a: m.linalg.cholesky(positive(m, a)), ((2, 3, 3),)),
    Case("cholesky upper", lambda m, a: m.linalg.cholesky(positive(m, a), upper=True), ((3, 3),)),
    Case("cholesky_ex", lambda m, a: m.linalg.cholesky_ex(positive(m, a)), ((2, 3, 3),)),
    Case("torch.cholesky", lambda m, a: m.cholesky(positive(m, a)), ((3, 3),)),
    Case("cholesky_inverse", lambda m, a: m.cholesky_inverse(m.linalg.cholesky(positive(m, a))), ((2, 3, 3),)),
    Case(
        "cholesky_inverse upper",
        lambda m, a: m.cholesky_inverse(m.linalg.cholesky(positive(m, a), upper=True), True),
        ((3, 3),),
    ),
    Case("cholesky_solve", lambda m, b, a: m.cholesky_solve(b, a), ((2, 3, 2), (2, 3, 3)), dtypes=REAL),
    Case("cholesky_solve upper", lambda m, b, a: b.cholesky_solve(a, True), ((2, 3, 2), (3, 3)), dtypes=REAL),
    Case("eigh", lambda m, a: vectors_up_to_phase(*m.linalg.eigh(a + a.mH)), ((2, 3, 3),)),
    Case("eigh U", lambda m, a: m.linalg.eigh(a + a.mH, UPLO="U")[0], ((3, 3),)),
    Case("eigvalsh", lambda m, a: m.linalg.eigvalsh(a + a.mH), ((2, 3, 3),)),
    Case("eig", lambda m, a: vectors_up_to_phase(*m.linalg.eig(a)), ((3, 3),), tolerance=3),
    Case("eigvals", lambda m, a: m.linalg.eigvals(a), ((3, 3),), tolerance=3),
    Case("matrix_exp", lambda m, a: m.linalg.matrix_exp(a * 3), ((2, 3, 3),), tolerance=10),
    Case("matrix_exp small", lambda m, a: m.matrix_exp(a * 1e-3), ((2, 2, 2),)),
    Case("matrix_power 3", lambda m, a: m.linalg.matrix_power(a, 3), ((2, 2, 2),)),
    Case("matrix_power -2", lambda m, a: m.matrix_power(a, -2), ((2, 2, 2),), tolerance=10),
    Case("matrix_power 0", lambda m, a: m.matrix_power(a, 0), ((2, 2, 2),), grad=False),
    Case("geqrf", lambda m, a: m.geqrf(a), ((2, 4, 3),), grad=False),
    Case("householder_product", lambda m, a, t: m.linalg.householder_product(a, t), ((4, 3), (3,))),
    Case("orgqr", lambda m, a, t: m.orgqr(a, t), ((2, 4, 3), (2, 2))),
    Case("ormqr", lambda m, a, t, b: m.ormqr(a, t, b), ((4, 3), (3,), (4, 2))),
    Case("ormqr right", lambda m, a, t, b: m.ormqr(a, t, b, False, True), ((4, 3), (3,), (2, 4))),
    *[
        Case(
            f"lu_solve {left} {adjoint}",
            lambda m, a, b, left=left, adjoint=adjoint: m.linalg.lu_solve(
                *m.linalg.lu_factor(a), b, left=left, adjoint=adjoint
            ),
            ((3, 3), (3, 3)),
        )
        for left in (True, False)
        for adjoint in (True, False)
    ],
    Case("torch.lu_solve", lambda m, a, b: m.lu_solve(b, *m.linalg.lu_factor(a)), ((2, 3, 3), (2, 3, 2))),
    Case("lu_unpack", lambda m, a: m.lu_unpack(*m.linalg.lu_factor(a)), ((2, 4, 3),)),
    *[
        Case(
            f"ldl_factor {h}",
            lambda m, a, h=h: m.linalg.ldl_factor(symmetric(a, h), hermitian=h),
            ((3, 7, 7),),
            grad=False,
            tolerance=3,
        )
        for h in (False, True)
    ],
    *[
        Case(
            f"ldl_solve {h}",
            lambda m, a, b, h=h: m.linalg.ldl_solve(*m.linalg.ldl_factor(symmetric(a, h), hermitian=h), b, hermitian=h),
            ((2, 7, 7), (2, 7, 2)),
            grad=False,
            tolerance=3,
        )
        for h in (False, True)
    ],
    Case("linalg.cross", lambda m, a, b: m.linalg.cross(a, b), ((2, 3), (1, 3))),
    Case("cross", lambda m, a, b: m.cross(a, b, dim=0), ((3, 2), (3, 2))),
    Case("vander", lambda m, a: m.linalg.vander(a), ((2, 3),)),
    Case("vander N", lambda m, a: m.linalg.vander(a, N=4), ((3,),)),
    Case("vecdot", lambda m, a, b: m.linalg.vecdot(a, b), ((2, 3), (3,))),
    Case("vdot", lambda m, a, b: m.vdot(a, b), ((3,), (3,))),
    Case("multi_dot", lambda m, *t: m.linalg.multi_dot(t), ((3,), (3, 4), (4, 2), (2, 5))),
    Case("tensorinv", lambda m, a: m.linalg.tensorinv(a, ind=1), ((4, 2, 2),)),
    Case("tensorsolve", lambda m, a, b: m.linalg.tensorsolve(a, b), ((2, 3, 6), (2, 3))),
    Case("tensorsolve dims", lambda m, a, b: m.linalg.tensorsolve(a, b, (0,)), ((6, 2, 3), (2, 3))),
    Case("inner", lambda m, a, b: m.inner(a, b), ((2, 3), (4, 3))),
    Case("kron", lambda m, a, b: m.kron(a, b), ((2, 3), (2,))),
    Case("kron 2", lambda m, a, b: a.kron(b), ((2,), (2, 2))),
    Case("trace", lambda m, a: m.trace(a), ((3, 2),)),
    Case("diagonal", lambda m, a: m.linalg.diagonal(a, offset=1), ((2, 3, 3),)),
    *[Case(f"cond {p}", lambda m, a, p=p: m.linalg.cond(a, p), ((3, 3),)) for p in ("fro", "nuc", 1, -1, INF, -INF)],
    *[Case(f"norm vector {o}", lambda m, a, o=o: m.linalg.norm(a, o), ((3,),)) for o in (None, 2, 1, INF, 0, 3)],
    *[Case(f"norm matrix {o}", lambda m, a, o=o: m.linalg.norm(a, o), ((3, 2),)) for o in NORMS],
    *[Case(f"norm dims {o}", lambda m, a, o=o: m.linalg.norm(a, o, (0, 2), True), ((2, 2, 3),)) for o in NORMS],
    *[
        case
        for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF)
        for case in (
            Case(f"cdist {p}", lambda m, a, b, p=p: m.cdist(a, b, p), ((2, 4, 3), (3, 3)), dtypes=REAL),
            Case(f"pdist {p}", lambda m, a, p=p: m.pdist(a, p), ((4, 3),), dtypes=REAL),
            Case(f"dist {p}", lambda m, a, b, p=p: m.dist(a, b, p), ((4, 3), (3,)), dtypes=REAL),
        )
    ],
    Case("cdist product", lambda m, a, b: m.cdist(a, b), ((30, 3), (4, 3)), dtypes=REAL, gradgrad=False),
    Case("pinverse", lambda m, a: m.pinverse(a), ((3, 2),)),
    Case("torch.svd", lambda m, a: (m.svd(a)[1], m.svd(a)[2].abs() ** 2), ((3, 2),)),
    Case("norm_except_dim", lambda m, a: m.norm_except_dim(a, 2, 1), ((3, 2, 2),)),
    *[
        case
        for s in SHAPES
        for case in (
            Case(f"svd {s}", svd_without_phase, (s,), tolerance=10),
            Case(f"svdvals {s}", lambda m, a: m.linalg.svdvals(a), (s,)),
            Case(f"qr {s}", lambda m, a: m.linalg.qr(a), (s,), tolerance=3),
            Case(f"lu_factor {s}", lambda m, a: m.linalg.lu_factor(a), (s,)),
            Case(f"lu {s}", lambda m, a: m.linalg.lu(a), (s,)),
            Case(f"pinv {s}", lambda m, a: m.linalg.pinv(a), (s,), tolerance=10),
            Case(f"matrix_rank {s}", lambda m, a: m.linalg.matrix_rank(a), (s,), grad=False),
            Case(f"lstsq {s}", lambda m, a, b: m.linalg.lstsq(a, b)[0], (s, (*s[:-1], 2)), tolerance=10),
            Case(
                f"lstsq gelsd {s}",
                lambda m, a, b: m.linalg.lstsq(a, b, driver="gelsd"),
                (s, (*s[:-1], 2)),
                grad=False,
                tolerance=10,
            ),
            *[Case(f"cond {p} {s}", lambda m, a, p=p: m.linalg.cond(a, p), (s,), tolerance=10) for p in (None, 2, -2)],
        )
    ],
    Case("qr complete", lambda m, a: m.linalg.qr(a, "complete"), ((4, 2),), grad=False),
    Case("qr r", lambda m, a: m.linalg.qr(a, "r"), ((4, 2),), grad=False),
    Case("pinv hermitian", lambda m, a: m.linalg.pinv(a + a.mH, hermitian=True), ((3, 3),), tolerance=10),
    Case("matrix_rank tol", lambda m, a: m.linalg.matrix_rank(a, atol=1.0), ((2, 3, 3),), grad=False),
]
PARAMS = [pytest.param(c, d, id=f"{c.name}-{d}") for c in CASES for d in c.dtypes]
WITH_GRADIENT = [
    pytest.param(c, d, id=f"{c.name}-{d}") for c in CASES if c.grad for d in c.dtypes if d in ("float64", "complex128")
]


@pytest.mark.parametrize("case, dtype", PARAMS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_against_torch(case: Case, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    check_against_torch(case, dtype, torch)


@pytest.mark.parametrize("case, dtype", WITH_GRADIENT)
def test_gradcheck(case: Case, dtype: str) -> None:
    check_gradients(case, dtype, second=False)


@pytest.mark.parametrize("case, dtype", [p for p in WITH_GRADIENT if p.values[0].gradgrad])
def test_gradgradcheck(case: Case, dtype: str) -> None:
    check_gradients(case, dtype, second=True)


def test_all_names_are_there() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    names = [n for n in dir(torch.linalg) if not n.startswith("_") and n != "common_notes"]
    assert not [n for n in names if not hasattr(pydl.linalg, n)]


DOCTESTED = ("_spectral", "_factor", "_systems", "_least_squares", "_products", "_distance", "_lowrank", "_legacy")


@pytest.mark.parametrize("name", DOCTESTED)
def test_examples_of_the_docstrings(name: str) -> None:
    pydl.manual_seed(0)
    module = importlib.import_module(f"pydl.linalg.{name}")
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed
    for public in getattr(module, "__all__", ()):
        assert ">>>" in (getattr(module, public).__doc__ or ""), public


# ---- errors ----------------------------------------------------------------------------------------------------

SINGULAR = np.stack([np.eye(2), np.zeros((2, 2))])


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: pydl.linalg.inv(pydl.tensor(SINGULAR)),
            r"linalg.inv: \(Batch element 1\): The diagonal element 1 is zero",
        ),
        (lambda: pydl.linalg.inv(pydl.zeros(2, 2)), "linalg.inv: The diagonal element 1 is zero"),
        (
            lambda: pydl.linalg.solve(pydl.tensor(SINGULAR), pydl.ones(2, 2, dtype=pydl.float64)),
            r"linalg.solve: \(Batch element 1\)",
        ),
        (
            lambda: pydl.linalg.cholesky(pydl.tensor(-SINGULAR)),
            r"linalg.cholesky: \(Batch element 0\).*leading minor of order 1",
        ),
        (lambda: pydl.linalg.cholesky_ex(-pydl.eye(2), check_errors=True), "leading minor of order 1"),
        (lambda: pydl.linalg.lu_factor(pydl.zeros(2, 2)), r"U\[1,1\] is zero"),
        (lambda: pydl.linalg.ldl_factor(pydl.zeros(2, 2)), "diagonal element 1 of D is zero"),
        (lambda: pydl.linalg.tensorinv(pydl.zeros(2, 2), ind=1), "singular"),
        (lambda: pydl.linalg.svd(pydl.tensor([[math.nan]])), "non-finite"),
        (lambda: pydl.linalg.eigh(pydl.tensor([[math.inf]])), "non-finite"),
        (lambda: pydl.linalg.matrix_power(pydl.zeros(2, 2), -1), "singular"),
    ],
)
def test_numerical_errors(call: Any, message: str) -> None:
    with pytest.raises(pydl.linalg.LinAlgError, match=message):
        call()


def test_results_can_be_pickled() -> None:
    result = pydl.linalg.eigh(pydl.eye(2))
    again = pickle.loads(pickle.dumps(result))
    assert again.eigenvalues.tolist() == [1, 1] and repr(again) == repr(result)
    assert repr(result).startswith("torch.return_types.linalg_eigh(\neigenvalues=tensor([1., 1.]),\n")


def test_infos_of_a_batch() -> None:
    a = pydl.tensor(SINGULAR)
    inverse, info = pydl.linalg.inv_ex(a)
    assert info.tolist() == [0, 1] and inverse[0].tolist() == [[1, 0], [0, 1]]
    assert pydl.linalg.solve_ex(a, pydl.ones(2, 2, dtype=pydl.float64)).info.tolist() == [0, 1]
    assert pydl.linalg.cholesky_ex(pydl.tensor(np.stack([np.eye(3), np.diag([1.0, 2.0, -1.0])]))).info.tolist() == [
        0,
        3,
    ]
    assert pydl.linalg.lu_factor_ex(a).info.tolist() == [0, 1]


ONE_MATRIX = [
    "inv", "inv_ex", "det", "slogdet", "cholesky", "cholesky_ex", "eig", "eigh", "eigvals", "eigvalsh", "svd", "svdvals",
    "qr", "lu", "lu_factor", "lu_factor_ex", "ldl_factor", "ldl_factor_ex", "pinv", "matrix_rank", "matrix_exp", "cond",
    "matrix_norm",
]  # fmt: skip
SQUARE = {"inv", "inv_ex", "det", "slogdet", "cholesky", "cholesky_ex", "eig", "eigh", "eigvals", "eigvalsh",
          "ldl_factor", "ldl_factor_ex", "matrix_exp"}  # fmt: skip


@pytest.mark.parametrize("name", ONE_MATRIX)
def test_bad_arguments(name: str) -> None:
    function = getattr(pydl.linalg, name)
    with pytest.raises(TypeError, match=f"linalg.{name}.*'A' must be Tensor, not int"):
        function(3)
    for bad in (pydl.ones(2), pydl.ones(()), pydl.ones(2, 2, dtype=pydl.int64), pydl.ones(2, 2, dtype=pydl.float16)):
        with pytest.raises(RuntimeError, match=f"linalg.{name}"):
            function(bad)
    if name in SQUARE:
        with pytest.raises(RuntimeError, match="batches of square matrices, but they are 2 by 3"):
            function(pydl.ones(2, 3))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pydl.linalg.solve(pydl.ones(2, 2), pydl.ones(3, 1)), "Incompatible shapes"),
        (lambda: pydl.linalg.solve(pydl.ones(2, 2), pydl.ones(2, 1, dtype=pydl.float64)), "same dtype"),
        (lambda: pydl.linalg.qr(pydl.ones(2, 2), "full"), "unrecognized mode"),
        (lambda: pydl.linalg.matrix_norm(pydl.ones(2, 2), 3), "Order 3 not supported"),
        (lambda: pydl.linalg.matrix_norm(pydl.ones(2, 2), dim=(0, 0)), "must be different"),
        (lambda: pydl.linalg.norm(pydl.ones(2, 2, 2), 2), "1D or 2D"),
        (lambda: pydl.linalg.multi_dot([pydl.ones(2, 2)]), "at least 2"),
        (lambda: pydl.linalg.multi_dot([pydl.ones(2, 2), pydl.ones(3, 2)]), "cannot be multiplied"),
        (lambda: pydl.linalg.cross(pydl.ones(2), pydl.ones(2)), "length 3"),
        (lambda: pydl.linalg.lstsq(pydl.ones(2, 2), pydl.ones(3, 1)), "size"),
        (lambda: pydl.linalg.lstsq(pydl.ones(2, 2), pydl.ones(2, 1), driver="x"), "driver"),
        (lambda: pydl.linalg.lu_solve(pydl.ones(2, 2), pydl.ones(2), pydl.ones(2, 1)), "pivots"),
        (lambda: pydl.linalg.lu_solve(pydl.ones(2, 2), pydl.tensor([5, 9], dtype=pydl.int32), pydl.ones(2, 1)), "pivots"),
        (lambda: pydl.linalg.ldl_solve(pydl.ones(2, 2), pydl.tensor([9, 9]), pydl.ones(2, 1)), "pivot"),
        (lambda: pydl.linalg.ldl_solve(pydl.ones(2, 2), pydl.tensor([1, -2]), pydl.ones(2, 1)), "pivots"),
        (lambda: pydl.linalg.householder_product(pydl.ones(2, 3), pydl.ones(2)), "shape"),
        (lambda: pydl.linalg.tensorinv(pydl.ones(2, 3), ind=1), "prod"),
        (lambda: pydl.linalg.tensorsolve(pydl.ones(2, 3), pydl.ones(2)), "prod"),
        (lambda: pydl.linalg.vander(pydl.ones(3), N=1), "greater than 1"),
        (lambda: pydl.linalg.cond(pydl.ones(2, 2), 3), "invalid norm"),
        (lambda: pydl.cdist(pydl.ones(2, 3), pydl.ones(2, 2)), "same number of columns"),
        (lambda: pydl.cdist(pydl.ones(2, 3), pydl.ones(2, 3), p=-1), "non-negative"),
        (lambda: pydl.cdist(pydl.ones(2, 3), pydl.ones(2, 3), compute_mode="x"), "compute_mode"),
        (lambda: pydl.pdist(pydl.ones(2)), "2D"),
        (lambda: pydl.vdot(pydl.ones(2), pydl.ones(3)), "same number of elements"),
        (lambda: pydl.inner(pydl.ones(2), pydl.ones(3)), "last dimension"),
        (lambda: pydl.trace(pydl.ones(3)), "matrix"),
        (lambda: pydl.linalg.eigh(pydl.ones(2, 2), "X"), "UPLO"),
        (lambda: pydl.pca_lowrank(pydl.ones(3, 2), q=5), "q"),
        (lambda: pydl.lobpcg(pydl.eye(4), k=2), "3 x"),
    ],
)  # fmt: skip
def test_bad_shapes_and_options(call: Any, message: str) -> None:
    with pytest.raises((RuntimeError, ValueError), match=message):
        call()


def test_losses_that_depend_on_the_phase_are_refused() -> None:
    rng = np.random.default_rng(0)
    a = pydl.tensor(rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)), requires_grad=True)
    for call in (lambda: pydl.linalg.eigh(a + a.mH)[1], lambda: pydl.linalg.svd(a)[0], lambda: pydl.linalg.eig(a)[1]):
        with pytest.raises(RuntimeError, match="multiplication by"):
            call().imag.sum().backward()


@pytest.mark.parametrize("mode, shape", [("r", (2, 2)), ("complete", (3, 2))])
def test_qr_without_derivative(mode: str, shape: tuple[int, int]) -> None:
    a = pydl.rand(*shape, requires_grad=True)
    with pytest.raises(RuntimeError, match="derivative|differentiable"):
        pydl.linalg.qr(a, mode).R.sum().backward()


# ---- out=, sizes, properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in ONE_MATRIX if n != "matrix_exp"])
def test_out(name: str) -> None:
    function = getattr(pydl.linalg, name)
    a = pydl.tensor(np.random.default_rng(0).standard_normal((2, 3, 3)))
    a = a @ a.mT + pydl.eye(3, dtype=pydl.float64)
    expected = function(a)
    many = isinstance(expected, tuple)
    targets = [pydl.empty((0,), dtype=e.dtype) for e in (expected if many else [expected])]
    result = function(a, out=tuple(targets) if many else targets[0])
    for got, target, want in zip(result if many else [result], targets, expected if many else [expected]):
        assert got is target and np.array_equal(target.numpy(), want.numpy())
    if not many:
        with pytest.raises(RuntimeError, match=f"linalg.{name}"):
            function(a.requires_grad_() if name != "matrix_rank" else a, out=pydl.empty(7, dtype=pydl.bool))


@pytest.mark.parametrize("n", [1, 7, 48, 49, 130])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_blocks_of_lu_and_triangular_solves(n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    a = rng.standard_normal((2, n, n + 9))
    a = (a + (1j * rng.standard_normal(a.shape) if dtype == "complex128" else 0)).astype(dtype)
    p, lower, upper = (t.numpy() for t in pydl.linalg.lu(pydl.tensor(a)))
    scale = n * (2e-5 if dtype == "float32" else 1e-12)
    np.testing.assert_allclose(p @ lower @ upper, a, atol=scale)
    np.testing.assert_allclose(np.tril(lower), lower)
    assert np.abs(lower).max() <= 1.5
    square = a[..., :n] + 4 * n**0.5 * np.eye(n, dtype=dtype)
    right = a[..., n:]
    for up, unit in [(True, False), (False, False), (True, True), (False, True)]:
        t = np.triu(square) if up else np.tril(square)
        if unit:
            t = np.where(np.eye(n, dtype=bool), 1, t / n).astype(dtype)
        x = pydl.linalg.solve_triangular(
            pydl.tensor(square / n if unit else square), pydl.tensor(right), upper=up, unitriangular=unit
        )
        np.testing.assert_allclose(t @ x.numpy(), right, atol=scale)


def test_bits_of_factors_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(0)
    a, b = pydl.tensor(rng.standard_normal((300, 300))), pydl.tensor(rng.standard_normal((300, 500)))
    x = pydl.tensor(rng.standard_normal((200, 70)), requires_grad=True)
    found = set()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        distance = pydl.cdist(x, x, 3.0)
        (slope,) = pydl.autograd.grad(distance.sum(), x)
        parts = (pydl.linalg.lu_factor(a).LU, pydl.linalg.solve_triangular(a, b, upper=True), distance.detach(), slope)
        found.add(b"".join(t.numpy().tobytes() for t in parts))
    assert len(found) == 1


def test_distances_of_close_points_keep_their_digits() -> None:
    """A common offset would cost all digits of |x|^2 + |y|^2 - 2 x y."""
    x = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    moved = pydl.tensor(x + np.float32(1000))
    exact = np.linalg.norm((moved.numpy()[:, None] - moved.numpy()[None]).astype(np.float64), axis=-1)
    off_diagonal = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(pydl.cdist(moved, moved).numpy()[off_diagonal], exact[off_diagonal], rtol=1e-3)
    direct = pydl.cdist(moved, moved, compute_mode="donot_use_mm_for_euclid_dist")
    np.testing.assert_allclose(direct.numpy(), exact, rtol=1e-6, atol=1e-6)


def test_low_rank_functions() -> None:
    rng = np.random.default_rng(0)
    a = pydl.tensor(rng.standard_normal((30, 3)) @ rng.standard_normal((3, 20)))
    u, s, v = pydl.svd_lowrank(a, q=3)
    np.testing.assert_allclose(((u * s) @ v.mT).numpy(), a.numpy(), atol=1e-10)
    np.testing.assert_allclose(s.numpy(), np.linalg.svd(a.numpy(), compute_uv=False)[:3], rtol=1e-10)
    u, s, v = pydl.pca_lowrank(a.mT, q=3)
    centered = a.numpy().T - a.numpy().T.mean(0)
    np.testing.assert_allclose(s.numpy(), np.linalg.svd(centered, compute_uv=False)[:3], rtol=1e-8)


@pytest.mark.parametrize("largest", [True, False])
def test_lobpcg(largest: bool) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 40, 40))
    a = a @ a.swapaxes(-1, -2) + np.eye(40)
    values, vectors = pydl.lobpcg(pydl.tensor(a), k=2, largest=largest, tol=1e-8)
    exact = np.linalg.eigvalsh(a)
    np.testing.assert_allclose(values.numpy(), exact[:, :-3:-1] if largest else exact[:, :2], rtol=1e-6)
    rest = a @ vectors.numpy() - vectors.numpy() * values.numpy()[:, None]
    assert np.abs(rest).max() < 1e-4 * np.abs(exact).max()
    metric = np.diag(np.linspace(1, 2, 40))
    general = pydl.lobpcg(pydl.tensor(a[0]), k=1, B=pydl.tensor(metric), largest=largest, tol=1e-8)[0]
    from scipy.linalg import eigh

    expected = eigh(a[0], metric, eigvals_only=True)
    np.testing.assert_allclose(general.numpy(), [expected[-1] if largest else expected[0]], rtol=1e-6)
