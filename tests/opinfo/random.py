"""Random ops: shapes, dtypes and errors here; distributions and streams in tests/core/test_random.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import FLOATS, Sample, op

WRONG = (RuntimeError, ValueError)


def random(name: str, *samples: Any, errors: Any = (), dtypes: tuple[str, ...] = FLOATS) -> None:
    def make(m: Any) -> Any:
        return (Sample(*(m(*a) if isinstance(a, tuple) else a for a in args)) for args in samples)

    op(name, None, make, dtypes=dtypes, grad=False, random=True, domain=(0.1, 0.9), errors=list(errors))


ones = np.ones(3)
random("Tensor.uniform_", ((2, 3),), ((0,), -1, 1), errors=[((ones, 2, 1), WRONG, "uniform_")])
random("Tensor.normal_", ((2, 3),), ((0,), 1, 2), errors=[((ones, 0, -1), WRONG, "normal_")])
random(
    "Tensor.random_",
    ((2, 3),),
    ((3,), 5),
    ((3,), -2, 5),
    errors=[((ones, 0), WRONG, "random_"), ((ones, 3, 3), WRONG, "random_")],
)
random(
    "Tensor.bernoulli_",
    ((2, 3),),
    ((3,), 0.2),
    ((2, 3), (3,)),
    errors=[((ones, 2), WRONG, "bernoulli_"), ((ones, -ones), WRONG, "bernoulli_")],
)
random("Tensor.exponential_", ((2, 3),), errors=[((ones, 0), WRONG, "exponential_")])
random("Tensor.cauchy_", ((2, 3),), errors=[((ones, 0, 0), WRONG, "cauchy_")])
random("Tensor.geometric_", ((2, 3), 0.3), errors=[((ones, 0), WRONG, "geometric_")])
random("Tensor.log_normal_", ((2, 3),), errors=[((ones, 0, -1), WRONG, "log_normal_")])
op(
    "randperm", None, lambda m: iter([Sample(5), Sample(0)]), dtypes=("int64",), grad=False, random=True, errors=[((-1,), WRONG, "randperm")])  # fmt: skip
random("bernoulli", ((2, 3),), ((3,), 0.2), errors=[((ones * 2,), WRONG, "bernoulli")])
random("normal", ((2, 3), (3,)), ((3,), 2.0), errors=[((ones, -1.0), WRONG, "normal")])
random(
    "multinomial",
    ((5,), 3),
    ((2, 5), 2),
    errors=[((ones, 4), WRONG, "multinomial"), ((-ones, 1), WRONG, "multinomial"), ((ones, 0), WRONG, "multinomial")],
)
for _name in ("rand", "randn"):
    op(_name, None, lambda m: iter([Sample((2, 3)), Sample((0,))]), dtypes=("float32",), grad=False, random=True,
       errors=[(((-1,),), WRONG, _name)])  # fmt: skip
    random(f"{_name}_like", ((2, 3),), ((0,),))
op("randint", None, lambda m: iter([Sample(2, 5, (2, 3)), Sample(4, (0,))]), dtypes=("int64",), grad=False, random=True,
   errors=[((3, 3, (2,)), WRONG, "randint")])  # fmt: skip
random("randint_like", ((2, 3), 2, 5), ((3,), 4), errors=[((ones, 3, 3), WRONG, "randint")])
for _name in ("dropout", "alpha_dropout"):
    random(_name, ((2, 3), 0.5, True), ((3,), 0.5, False), errors=[((ones, 1.5, True), WRONG, "dropout")])
    random(
        f"feature_{_name}", ((2, 3, 2), 0.5, True), ((2, 3), 0.5, False), errors=[((ones, 1.5, True), WRONG, "dropout")]
    )
random("_standard_gamma", ((2, 3),), ((0,),), errors=[((np.ones(2, np.int64),), WRONG, "_standard_gamma")])
op(
    "_standard_gamma_grad",
    lambda a, z: np.asarray(z, np.float64),  # of an exponential number times a: tested in tests/distributions
    lambda m: iter([Sample(m(0), m(0))]),
    grad=False,
    errors=[((np.ones(2), np.ones(3)), WRONG, "_standard_gamma_grad")],
)
random("poisson", ((2, 3),), ((0,),), errors=[((-ones,), WRONG, "poisson")])
random("binomial", ((2, 3), (3,)), ((0,), (0,)), errors=[((ones, np.ones(3, np.float32)), WRONG, "binomial")])
