"""Dtypes, promotion and the creation functions of the array API standard."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl._settings import require_cpu

__all__ = [
    "__array_namespace_info__", "arange", "asarray", "astype", "can_cast", "empty", "empty_like", "eye", "finfo",
    "from_dlpack", "full", "full_like", "iinfo", "isdtype", "linspace", "meshgrid", "ones", "ones_like", "result_type",
    "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip

bool_ = pydl.bool
_SIGNED = (pydl.int8, pydl.int16, pydl.int32, pydl.int64)
_UNSIGNED = (pydl.uint8, pydl.uint16, pydl.uint32, pydl.uint64)
_REAL = (pydl.float32, pydl.float64)
_COMPLEX = (pydl.complex64, pydl.complex128)
_KINDS: dict[str, tuple[Any, ...]] = {
    "bool": (bool_,),
    "signed integer": _SIGNED,
    "unsigned integer": _UNSIGNED,
    "integral": _SIGNED + _UNSIGNED,
    "real floating": _REAL,
    "complex floating": _COMPLEX,
    "numeric": _SIGNED + _UNSIGNED + _REAL + _COMPLEX,
}
_ALL = (bool_, *_KINDS["numeric"])
_NAMES = {str(d).removeprefix("torch."): d for d in _ALL}
_C: Any = pydl


def check_device(device: Any) -> None:
    """Raise unless ``device`` is None or names the CPU."""
    if device is not None:
        require_cpu(device)


# ---- dtypes ----------------------------------------------------------------------------------------------------


def isdtype(dtype: Any, kind: Any) -> bool:
    """Is ``dtype`` the dtype ``kind``, or of the kind that it names, or of one of a tuple of these?

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.isdtype(xp.int32, "integral")
        True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise ValueError(f"isdtype(): kind must be one of {sorted(_KINDS)}, got {kind!r}")
        return dtype in _KINDS[kind]
    return bool(dtype == kind)


def dtype_of_number(value: Any, dtype: Any) -> Any:
    """The dtype in which a Python number meets an array of ``dtype``. Raises TypeError for one of a higher kind."""
    if isinstance(value, (bool, np.bool_)):
        if dtype is bool_:
            return dtype
    elif isinstance(value, int):
        if dtype is not bool_:
            return dtype
    elif isinstance(value, float):
        if dtype in _REAL + _COMPLEX:
            return dtype
    elif isinstance(value, complex):
        if dtype in _REAL + _COMPLEX:
            return dtype.to_complex()
    raise TypeError(f"a Python {type(value).__name__} cannot be combined with an array of {dtype}")


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype to which arrays, dtypes and Python numbers are promoted; the shape of an array does not count.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.result_type(xp.int32, xp.int64, 1)
        torch.int64
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type(): at least one array or dtype is needed")
    dtypes = [a.dtype if isinstance(a, Tensor) else a for a in arrays_and_dtypes]
    fixed = [d for d in dtypes if isinstance(d, pydl.dtype)]
    if not fixed:
        raise ValueError("result_type(): at least one array or dtype is needed beside Python numbers")
    found = fixed[0]
    for d in fixed[1:]:
        found = pydl.promote_types(found, d)
    for number in dtypes:
        if not isinstance(number, pydl.dtype):
            found = dtype_of_number(number, found)
    return found


def promoted(*values: Any) -> list[Tensor]:
    """Arrays and numbers as tensors of their common dtype."""
    dtype = result_type(*values)
    return [v.to(dtype) if isinstance(v, Tensor) else _C.full((), v, dtype=dtype) for v in values]


def can_cast(from_: Any, to: Any, /) -> bool:
    """Can ``from_``, a dtype or an array, be converted to ``to`` by promotion?

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.can_cast(xp.int32, xp.float64)
        True
    """
    source = from_.dtype if isinstance(from_, Tensor) else from_
    return bool(pydl.promote_types(source, to) == to)


class _Limits:
    """The attributes of a number format, its dtype among them."""

    def __init__(self, base: Any, dtype: Any, names: tuple[str, ...]) -> None:
        self.dtype = dtype
        for name in names:
            setattr(self, name, getattr(base, name))


def _dtype(type: Any) -> Any:
    return type.dtype if isinstance(type, Tensor) else type


def finfo(type: Any, /) -> Any:
    """Limits of a floating dtype: bits, eps, max, min, smallest_normal, dtype (of the parts of complex numbers).

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.finfo(xp.float32).eps
        1.1920928955078125e-07
    """
    dtype = _dtype(type)
    return _Limits(pydl.finfo(dtype), dtype.to_real(), ("bits", "eps", "max", "min", "smallest_normal"))


def iinfo(type: Any, /) -> Any:
    """Limits of an integer dtype: bits, max, min, dtype.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.iinfo(xp.int8).max
        127
    """
    dtype = _dtype(type)
    return _Limits(pydl.iinfo(dtype), dtype, ("bits", "max", "min"))


class _Info:
    """What this namespace offers."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean indexing, shapes that depend on data, and the largest number of dims."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Any:
        """The CPU."""
        return pydl.device("cpu")

    def devices(self) -> list[Any]:
        """The CPU alone."""
        return [pydl.device("cpu")]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of arrays that are made without one."""
        check_device(device)
        real = pydl.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": real.to_complex(),
            "integral": pydl.int64,
            "indexing": pydl.int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes by name, of one kind if it is given."""
        check_device(device)
        return {name: d for name, d in _NAMES.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> _Info:
    """What this namespace offers: devices, dtypes and their defaults, capabilities.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.__array_namespace_info__().default_dtypes()["integral"]
        torch.int64
    """
    return _Info()


# ---- creation --------------------------------------------------------------------------------------------------


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor of an array, a number or nested sequences. Shares memory where ``copy`` allows it and it can.

    Raises:
        ValueError: with ``copy`` False where a copy is needed.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.asarray([1, 2], dtype=xp.float64)
        tensor([1., 2.], dtype=torch.float64)
    """
    check_device(device)
    if isinstance(dtype, type) and issubclass(dtype, np.generic):  # as scikit-learn 1.7 passes
        dtype = getattr(pydl, np.dtype(dtype).name)
    if isinstance(obj, Tensor):
        found = obj
    elif hasattr(obj, "__dlpack__") and not isinstance(obj, (np.ndarray, np.generic)):
        found = pydl.from_dlpack(obj)
    elif isinstance(obj, np.ndarray):
        found = pydl.from_numpy(obj)
        if copy is False and obj.size and found.data_ptr() != obj.ctypes.data:
            raise ValueError("asarray(): copy=False, but the memory of this array cannot be shared")
    elif not isinstance(obj, (bytes, str)) and _has_buffer(obj):
        return asarray(np.asarray(obj), dtype=dtype, copy=copy)
    else:
        if copy is False:
            raise ValueError(f"asarray(): copy=False, but {type(obj).__name__} has no memory to share")
        return _from_data(obj, dtype)
    if copy is False and dtype is not None and dtype != found.dtype:
        raise ValueError(f"asarray(): copy=False, but {found.dtype} has to be converted to {dtype}")
    result = found if dtype is None else found.to(dtype)
    if copy is False or result is not found:
        return result
    return result.clone() if copy else result


def _has_buffer(obj: Any) -> bool:
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


def _from_data(obj: Any, dtype: Any) -> Tensor:
    try:
        return pydl.tensor(obj, dtype=dtype)
    except (OverflowError, RuntimeError) as error:
        # uint64 holds integers that int64, the type between, does not.
        if dtype is None and "overflow" not in str(error).lower():
            raise
        return pydl.from_numpy(np.asarray(obj, dtype=None if dtype is None else str(dtype).removeprefix("torch.")))


def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """``x`` converted to ``dtype``; without ``copy`` itself where nothing changes.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.astype(xp.asarray([1.7, 2.0]), xp.int64)
        tensor([1, 2])
    """
    check_device(device)
    return x.to(dtype, copy=copy)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array, see `pydl.from_dlpack`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> import numpy as np
        >>> xp.from_dlpack(np.arange(3))
        tensor([0, 1, 2])
    """
    return pydl.from_dlpack(x, device=device, copy=copy)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The numbers start, start + step, ... before ``stop``; from 0 if only one number is given.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.arange(0, 10, 4)
        tensor([0, 4, 8])
    """
    check_device(device)
    if stop is None:
        start, stop = 0, start
    if (step > 0 and stop <= start) or (step < 0 and stop >= start):
        if dtype is None:
            whole = all(isinstance(v, int) for v in (start, stop, step))
            dtype = pydl.int64 if whole else pydl.get_default_dtype()
        return _C.empty((0,), dtype=dtype)
    return _C.arange(start, stop, step, dtype=dtype)


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """``num`` numbers at even steps from ``start`` to ``stop``, which belongs to them with ``endpoint``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.linspace(0.0, 1.0, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    check_device(device)
    if dtype is None:
        complex_ = isinstance(start, complex) or isinstance(stop, complex)
        dtype = pydl.get_default_dtype().to_complex() if complex_ else pydl.get_default_dtype()
    name = str(dtype).removeprefix("torch.")
    with np.errstate(all="ignore"):
        return pydl.from_numpy(np.linspace(start, stop, num, endpoint=endpoint).astype(name))


def _of_number(value: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtype
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return pydl.int64
    real = pydl.get_default_dtype()
    return real.to_complex() if isinstance(value, complex) else real


def _sizes(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of ``shape`` without values.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.empty((2, 0))
        tensor([], size=(2, 0))
    """
    check_device(device)
    return _C.empty(_sizes(shape), dtype=dtype)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.zeros(2)
        tensor([0., 0.])
    """
    check_device(device)
    return _C.zeros(_sizes(shape), dtype=dtype)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.ones((1, 2), dtype=xp.int8)
        tensor([[1, 1]], dtype=torch.int8)
    """
    check_device(device)
    return _C.ones(_sizes(shape), dtype=dtype)


def _filled(shape: Any, value: Any, dtype: Any) -> Tensor:
    if isinstance(value, int) and not isinstance(value, bool) and dtype is pydl.uint64 and value >= 2**63:
        return pydl.from_numpy(np.full(tuple(shape), value, np.uint64))
    return _C.full(tuple(shape), value, dtype=dtype)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """``fill_value`` everywhere; without ``dtype`` in the default dtype of its kind.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.full(2, 7)
        tensor([7, 7])
    """
    check_device(device)
    return _filled(_sizes(shape), fill_value, _of_number(fill_value, dtype))


def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`empty` with the shape, and by default the dtype, of ``x``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.empty_like(xp.asarray([3.0, 1.0, 2.0])).shape
        torch.Size([3])
    """
    return empty(tuple(x.shape), dtype=dtype or x.dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`zeros` with the shape, and by default the dtype, of ``x``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.zeros_like(xp.asarray([3.0, 1.0, 2.0]))
        tensor([0., 0., 0.])
    """
    return zeros(tuple(x.shape), dtype=dtype or x.dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`ones` with the shape, and by default the dtype, of ``x``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.ones_like(xp.asarray([3.0, 1.0, 2.0]))
        tensor([1., 1., 1.])
    """
    return ones(tuple(x.shape), dtype=dtype or x.dtype, device=device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`full` with the shape, and by default the dtype, of ``x``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.full_like(xp.asarray([3.0, 1.0, 2.0]), 5.0)
        tensor([5., 5., 5.])
    """
    check_device(device)
    return _filled(tuple(x.shape), fill_value, dtype or x.dtype)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones on diagonal ``k`` of a matrix, zeros elsewhere.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.eye(2, 3, k=1)
        tensor([[0., 1., 0.],
                [0., 0., 1.]])
    """
    check_device(device)
    columns = n_rows if n_cols is None else n_cols
    rows = _C.arange(n_rows).unsqueeze(1)
    k = max(-n_rows, min(k, columns))  # beyond them there is no diagonal
    return (_C.arange(columns).unsqueeze(0) - rows == k).to(dtype or pydl.get_default_dtype())


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinate grids of vectors.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.meshgrid(xp.arange(2), xp.arange(3))[0]
        tensor([[0, 1],
                [0, 1],
                [0, 1]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid(): indexing must be 'xy' or 'ij', got {indexing!r}")
    return list(pydl.meshgrid(*arrays, indexing=indexing)) if arrays else []


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros above diagonal ``k``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.tril(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[1., 0.],
                [3., 4.]])
    """
    return _C.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros below diagonal ``k``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.triu(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[1., 2.],
                [0., 4.]])
    """
    return _C.triu(x, k)


e, inf, nan, pi = math.e, math.inf, math.nan, math.pi
