"""Linear algebra: products, norms, factors and systems of matrices and of batches of them.

NumPy's LAPACK computes the decompositions; triangular systems, LU and all derivatives are pydl's own.
"""

from pydl import _C
from pydl.linalg._checks import LinAlgError
from pydl.linalg._factor import (
    cholesky,
    cholesky_ex,
    ldl_factor,
    ldl_factor_ex,
    ldl_solve,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
)
from pydl.linalg._least_squares import cond, lstsq, matrix_rank, pinv
from pydl.linalg._products import (
    cross,
    diagonal,
    matmul,
    matrix_exp,
    matrix_norm,
    matrix_power,
    multi_dot,
    norm,
    vander,
    vecdot,
)
from pydl.linalg._spectral import eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from pydl.linalg._systems import (
    det,
    householder_product,
    inv,
    inv_ex,
    slogdet,
    solve,
    solve_ex,
    tensorinv,
    tensorsolve,
)

solve_triangular = _C.linalg.solve_triangular
vector_norm = _C.linalg.vector_norm

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
    "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq", "lu", "lu_factor",
    "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv",
    "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip
