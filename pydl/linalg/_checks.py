"""What the functions of linear algebra share: checks, named results, ``out=`` and the way to NumPy and back."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import numpy as np

import pydl
from pydl import Tensor

_FLOATS = {pydl.float32, pydl.float64, pydl.complex64, pydl.complex128}
_LOW = {pydl.float16, pydl.bfloat16, pydl.complex32}


class LinAlgError(RuntimeError):
    """A matrix that a function cannot handle: singular, not positive-definite, without convergence.

    Example:
        >>> import pydl
        >>> try:
        ...     pydl.linalg.inv(pydl.zeros(2, 2))
        ... except pydl.linalg.LinAlgError:
        ...     print('singular')
        singular
    """


LinAlgError.__module__ = "pydl.linalg"


def _restore(name: str, fields: str, values: tuple[Any, ...]) -> Any:
    return named(name, fields)(*values)


@functools.cache
def named(name: str, fields: str) -> Any:
    """A named tuple that prints as torch's result types do."""
    kind = namedtuple(name, fields)  # type: ignore[misc]

    def text(self: Any) -> str:
        body = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self))
        return f"torch.return_types.{name}(\n{body})"

    kind.__repr__ = text  # type: ignore[method-assign,assignment]
    kind.__reduce__ = lambda self: (_restore, (name, fields, tuple(self)))  # type: ignore[method-assign,arg-type]
    kind.__module__ = "torch.return_types"
    return kind


def check_tensor(op: str, value: Any, name: str = "A") -> None:
    """Raise TypeError unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{op}(): argument '{name}' must be Tensor, not {type(value).__name__}")


def check_float(op: str, value: Any, name: str = "A") -> None:
    """Raise unless ``value`` is a float32, float64, complex64 or complex128 tensor."""
    check_tensor(op, value, name)
    if value.dtype in _LOW:
        raise RuntimeError(f"{op}(): Low precision dtypes not supported. Got {value.dtype} as {name}")
    if value.dtype not in _FLOATS:
        raise RuntimeError(f"{op}(): Expected a floating point or complex tensor as {name}. Got {value.dtype}")


def check_matrix(op: str, value: Any, name: str = "A") -> None:
    """Raise unless ``value`` is a floating-point matrix or a batch of them."""
    check_float(op, value, name)
    if value.dim() < 2:
        raise pydl.ShapeError(
            f"{op}(): The input tensor {name} must have at least 2 dimensions, got {value.dim()} dimensions"
        )


def check_square(op: str, value: Any, name: str = "A") -> None:
    """Raise unless ``value`` is a square matrix or a batch of them."""
    check_matrix(op, value, name)
    if value.shape[-1] != value.shape[-2]:
        raise pydl.ShapeError(
            f"{op}(): {name} must be batches of square matrices, "
            f"but they are {value.shape[-2]} by {value.shape[-1]} matrices"
        )


def check_same_dtype(op: str, a: Tensor, b: Tensor, names: tuple[str, str] = ("A", "B")) -> None:
    """Raise unless the two tensors have one dtype."""
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{op}(): Expected {names[0]} and {names[1]} to have the same dtype, but got {names[0]} with dtype "
            f"{a.dtype} and {names[1]} with dtype {b.dtype} instead"
        )


def wrap_dim(op: str, dim: int, ndim: int) -> int:
    """``dim`` counted from the front. Raises IndexError outside [-ndim, ndim)."""
    size = max(ndim, 1)
    if not -size <= dim < size:
        raise IndexError(
            f"{op}(): Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        )
    return dim % size


def arrays(*tensors: Tensor) -> Any:
    """The values of tensors as NumPy arrays, without a copy."""
    found = tuple(t.detach().numpy() for t in tensors)
    return found if len(found) > 1 else found[0]


def tensor(array: Any, dtype: Any = None) -> Tensor:
    """A tensor of what NumPy computed, contiguous as torch's results are."""
    found = np.asarray(array)
    result = pydl.from_numpy(np.ascontiguousarray(found).reshape(found.shape))
    return result if dtype is None else result.to(dtype)


def deliver(op: str, result: Any, out: Any) -> Any:
    """``result``, or ``out`` after the result was written there. Raises RuntimeError where it does not fit."""
    if out is None:
        return result
    if isinstance(result, Tensor):
        _write(op, result, out)
        return out
    targets = tuple(out)
    if len(targets) != len(result):
        raise TypeError(f"{op}(): argument 'out' must be a tuple of {len(result)} tensors, got {len(targets)}")
    for value, target in zip(result, targets):
        _write(op, value, target)
    return type(result)(*targets) if hasattr(result, "_fields") else targets


def _write(op: str, value: Tensor, target: Any) -> None:
    if not isinstance(target, Tensor):
        raise TypeError(f"{op}(): argument 'out' must be Tensor, not {type(target).__name__}")
    try:
        pydl._result(value, out=target)  # type: ignore[attr-defined]
    except RuntimeError as error:
        raise type(error)(str(error).replace("_result()", f"{op}()")) from None


def real_dtype(t: Tensor) -> Any:
    """The dtype of the parts of ``t``."""
    return t.dtype.to_real()


def batch_label(batch: tuple[int, ...], position: int) -> str:
    """How an error names one matrix of a batch."""
    return f"(Batch element {position}): " if batch else ""


def identity_like(a: Tensor, n: int) -> Tensor:
    """The n x n identity in the dtype of ``a``."""
    return pydl.eye(n, dtype=a.dtype)
