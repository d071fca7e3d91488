"""The namespace of the array API standard, version 2024.12 (data-apis.org/array-api), over pydl's tensors.

``x.__array_namespace__()`` of a tensor leads here. Names and rules are the standard's where they differ from torch's:
promotion by dtype alone, sums of unsigned integers in uint64, ``axis`` and ``keepdims``.
"""

from pydl import bool as bool
from pydl import (
    complex64,
    complex128,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    newaxis,
    uint8,
    uint16,
    uint32,
    uint64,
)
from pydl.array_api import _arrays, _elementwise, _shapes, _statistics, fft, linalg
from pydl.array_api._arrays import e, inf, nan, pi

__array_api_version__ = "2024.12"

for _module in (_arrays, _elementwise, _shapes, _statistics):
    globals().update({_name: getattr(_module, _name) for _name in _module.__all__})
matmul = linalg.matmul
matrix_transpose = linalg.matrix_transpose
tensordot = linalg.tensordot
vecdot = linalg.vecdot

__all__ = [  # noqa: PLE0604
    *_arrays.__all__, *_elementwise.__all__, *_shapes.__all__, *_statistics.__all__,
    "bool", "complex64", "complex128", "e", "fft", "float32", "float64", "inf", "int8", "int16", "int32", "int64",
    "linalg", "matmul", "matrix_transpose", "nan", "newaxis", "pi", "tensordot", "uint8", "uint16", "uint32", "uint64",
    "vecdot",
]  # fmt: skip
