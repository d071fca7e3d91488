"""The methods of Tensor that are written in Python, and small module-level facts."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from pydl import _C
from pydl._C import Tensor
from pydl._settings import require_cpu

e = math.e
pi = math.pi
inf = math.inf
nan = math.nan
newaxis = None


class layout:  # noqa: N801 - torch's name
    """How the elements of a tensor lie in memory; ``pydl.strided`` is the only one."""

    def __repr__(self) -> str:
        return "torch.strided"

    def __reduce__(self) -> str:
        return "strided"


strided = layout()


def is_tensor(obj: Any) -> bool:
    """Is ``obj`` a tensor?

    Example:
        >>> import pydl
        >>> pydl.is_tensor(pydl.ones(1))
        True
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Is the dtype of ``input`` a real floating-point type?

    Example:
        >>> import pydl
        >>> pydl.is_floating_point(pydl.tensor([1]))
        False
    """
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Is the dtype of ``input`` complex?

    Example:
        >>> import pydl
        >>> pydl.is_complex(pydl.tensor([1j]))
        True
    """
    return input.is_complex()


def is_inference(input: Tensor) -> bool:
    """Was ``input`` made in inference mode?

    Example:
        >>> import pydl
        >>> with pydl.inference_mode():
        ...     x = pydl.ones(2)
        >>> pydl.is_inference(x)
        True
    """
    return input.is_inference()


def numel(input: Tensor) -> int:
    """The number of elements of ``input``.

    Example:
        >>> import pydl
        >>> pydl.numel(pydl.ones(2, 3))
        6
    """
    return input.numel()


# ---- number formats --------------------------------------------------------------------------------------------

# bits, max, smallest normal, eps, decimal digits (IEEE 754-2019; bfloat16: 8 exponent bits, 7 stored fraction bits)
_FLOATS: dict[Any, tuple[int, float, float, float, float]] = {
    _C.float16: (16, 65504.0, 2.0**-14, 2.0**-10, 1e-3),
    _C.bfloat16: (16, (2 - 2.0**-7) * 2.0**127, 2.0**-126, 2.0**-7, 1e-2),
    _C.float32: (32, (2 - 2.0**-23) * 2.0**127, 2.0**-126, 2.0**-23, 1e-6),
    _C.float64: (64, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022, 2.0**-52, 1e-15),
}


class finfo:  # noqa: N801 - NumPy's and torch's name
    """Limits of a floating-point dtype: bits, min, max, eps, tiny, smallest_normal, resolution.

    Args:
        type: the dtype; the default dtype when left out. Complex types stand for their parts.

    Raises:
        TypeError: for an integer dtype.

    Example:
        >>> import pydl
        >>> pydl.finfo(pydl.float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, type: Any = None) -> None:
        real = (_C.get_default_dtype() if type is None else type).to_real()
        if real not in _FLOATS:
            raise TypeError(
                f"pydl.finfo() requires a floating point input type, got {type}. Use pydl.iinfo to handle integers"
            )
        self.bits, self.max, self.tiny, self.eps, self.resolution = _FLOATS[real]
        self.min = -self.max
        self.smallest_normal = self.tiny
        self.dtype = str(real).removeprefix("torch.")

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - NumPy's and torch's name
    """Limits of an integer dtype: bits, min, max.

    Raises:
        TypeError: for a dtype that is not an integer type.

    Example:
        >>> import pydl
        >>> pydl.iinfo(pydl.int8).max
        127
    """

    def __init__(self, type: Any) -> None:
        if type.is_floating_point or type.is_complex or type is _C.bool:
            raise TypeError(
                f"pydl.iinfo() requires an integer input type, got {type}. Use pydl.finfo for floating point types"
            )
        self.bits = type.itemsize * 8
        signed = type.is_signed
        self.min = -(1 << (self.bits - 1)) if signed else 0
        self.max = (1 << (self.bits - 1 if signed else self.bits)) - 1
        self.dtype = str(type).removeprefix("torch.")

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


# ---- conversions -----------------------------------------------------------------------------------------------


def _to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """This tensor with another dtype: ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(other)``.

    Returns the tensor itself when nothing changes and ``copy`` is False.

    Raises:
        RuntimeError: for a device other than the CPU.

    Example:
        >>> import pydl
        >>> pydl.tensor([1, 2]).to(pydl.float32)
        tensor([1., 2.])
    """
    wanted = kwargs.pop("dtype", None)
    target = kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    form = kwargs.pop("memory_format", _C.preserve_format)
    kwargs.pop("non_blocking", None)
    if "other" in kwargs:
        args = (kwargs.pop("other"), *args)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    for position, arg in enumerate(args):
        if isinstance(arg, _C.dtype) or arg in (float, builtins.int, builtins.bool, complex):
            wanted = arg
        elif isinstance(arg, Tensor):
            wanted = arg.dtype
        elif isinstance(arg, (str, _C.device)):
            target = arg
        elif isinstance(arg, builtins.bool):
            copy = copy or (arg and position >= 2)
        elif arg is not None:
            raise TypeError(
                f"to(): argument {position + 1} must be a dtype, a device or a Tensor, not {type(arg).__name__}"
            )
    if target is not None:
        require_cpu(target)
    result = self if wanted is None else self._to_dtype(wanted)
    if result is self and copy:
        return self.clone(memory_format=form)
    if form is not _C.preserve_format:
        return result.contiguous(memory_format=form)
    return result


def _cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """This tensor on a GPU. Raises AssertionError, as PyTorch's builds without CUDA: there is none.

    Example:
        >>> import pydl
        >>> pydl.ones(1).cuda()
        Traceback (most recent call last):
        AssertionError: cuda(): this build of pydl runs on the CPU, there is no GPU to use
    """
    raise AssertionError("cuda(): this build of pydl runs on the CPU, there is no GPU to use")


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The type's name as a string, or this tensor converted to ``dtype``.

    Example:
        >>> import pydl
        >>> pydl.ones(1).type()
        'torch.FloatTensor'
    """
    if dtype is None:
        return f"torch.{_LEGACY_NAMES[self.dtype]}Tensor"
    if isinstance(dtype, str):
        by_name = {f"{prefix}.{name}Tensor": key for key, name in _LEGACY_NAMES.items() for prefix in ("torch", "pydl")}
        if dtype not in by_name:
            raise ValueError(f"type(): invalid type: {dtype!r}")
        dtype = by_name[dtype]
    elif isinstance(dtype, type) and isinstance(getattr(dtype, "dtype", None), _C.dtype):
        dtype = dtype.dtype  # type: ignore[attr-defined]
    return self._to_dtype(dtype)


_LEGACY_NAMES = {
    _C.float32: "Float",
    _C.float64: "Double",
    _C.float16: "Half",
    _C.bfloat16: "BFloat16",
    _C.int64: "Long",
    _C.int32: "Int",
    _C.int16: "Short",
    _C.int8: "Char",
    _C.uint8: "Byte",
    _C.bool: "Bool",
    _C.complex64: "ComplexFloat",
    _C.complex128: "ComplexDouble",
    _C.uint16: "UInt16",
    _C.uint32: "UInt32",
    _C.uint64: "UInt64",
    _C.complex32: "ComplexHalf",
}

_CONVERSIONS = {
    "float": _C.float32,
    "double": _C.float64,
    "half": _C.float16,
    "bfloat16": _C.bfloat16,
    "long": _C.int64,
    "int": _C.int32,
    "short": _C.int16,
    "char": _C.int8,
    "byte": _C.uint8,
    "bool": _C.bool,
    "cfloat": _C.complex64,
    "cdouble": _C.complex128,
}


def _conversion(name: str, dtype: Any) -> Any:
    def convert(self: Tensor, memory_format: Any = _C.preserve_format) -> Tensor:
        return self._to_dtype(dtype)

    convert.__name__ = name
    convert.__qualname__ = f"Tensor.{name}"
    convert.__doc__ = f"This tensor as {str(dtype).removeprefix('torch.')}; itself if it already is."
    return convert


def _cpu(self: Tensor, memory_format: Any = _C.preserve_format) -> Tensor:
    """This tensor: all tensors are on the CPU."""
    return self


def _resolve_conj(self: Tensor) -> Tensor:
    """This tensor: conjugates are computed at once, never kept as a flag."""
    return self


def _is_conj(self: Tensor) -> bool:
    """False: conjugates are computed at once, never kept as a flag."""
    return False


def _adjoint(self: Tensor) -> Tensor:
    """The conjugate transposes of matrices (*, m, n).

    Example:
        >>> import pydl
        >>> pydl.tensor([[1 + 2j, 3j]]).adjoint()
        tensor([[1.-2.j],
                [0.-3.j]])
    """
    if self.dim() < 2:
        raise RuntimeError(f"adjoint(): tensor must have at least 2 dimensions, got {self.dim()}")
    return self.transpose(-2, -1).conj()


def is_conj(input: Tensor) -> bool:
    """Is ``input`` a conjugate that was not computed yet? Never: conjugates are computed at once.

    Example:
        >>> import pydl
        >>> pydl.is_conj(pydl.tensor([1j]).conj())
        False
    """
    return input.is_conj()


def is_neg(input: Tensor) -> bool:
    """Is ``input`` a negative that was not computed yet? Never.

    Example:
        >>> import pydl
        >>> pydl.is_neg(pydl.tensor([1j]).conj().imag)
        False
    """
    return input.is_neg()


def adjoint(input: Tensor) -> Tensor:
    """The conjugate transposes of matrices (*, m, n).

    Raises:
        RuntimeError: for a tensor of fewer than 2 dims.

    Example:
        >>> import pydl
        >>> pydl.adjoint(pydl.tensor([[1j, 2]]))
        tensor([[0.-1.j],
                [2.-0.j]])
    """
    return input.adjoint()


def _h(self: Tensor) -> Tensor:
    """The conjugate transpose of a matrix."""
    if self.dim() != 2:
        if self.dim() == 0:
            return self
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self.dim()}-D tensor.")
    return self.transpose(0, 1).conj()


def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor with the dtype of ``other``."""
    return self._to_dtype(other.dtype)


# ---- NumPy and pickling ----------------------------------------------------------------------------------------


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    array = self.numpy() if self.dtype is not _C.bfloat16 else self._to_dtype(_C.float32).numpy()
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError("Unable to avoid copy while converting the tensor's dtype")
        return array.astype(dtype)
    return array.copy() if copy else array


def _array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """``ndarray (op) tensor``: NumPy hands over to us, so that the result is a tensor with its gradient."""
    if method == "__call__" and not kwargs and len(inputs) == 2 and isinstance(inputs[0], (np.ndarray, np.generic)):
        reflected = _REFLECTED.get(ufunc.__name__)
        if reflected is not None:
            return reflected(
                _C.as_tensor(inputs[0]) if isinstance(inputs[0], np.ndarray) else inputs[0].item(), inputs[1]
            )
    arrays = [np.asarray(x) if isinstance(x, Tensor) else x for x in inputs]
    return getattr(ufunc, method)(*arrays, **kwargs)


_REFLECTED = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "true_divide": lambda a, b: a / b,
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "power": lambda a, b: a**b,
    "matmul": lambda a, b: a @ b,
    "equal": lambda a, b: b == a,
    "not_equal": lambda a, b: b != a,
    "less": lambda a, b: b > a,
    "less_equal": lambda a, b: b >= a,
    "greater": lambda a, b: b < a,
    "greater_equal": lambda a, b: b <= a,
}


def _rebuild(data: bytes, dtype: Any, shape: tuple[int, ...], requires_grad: bool) -> Tensor:
    flat = _C.frombuffer(bytearray(data), dtype=dtype) if data else _C.functions.empty((0,), dtype=dtype)
    return flat.reshape(shape).requires_grad_(requires_grad)


def _reduce_ex(self: Tensor, protocol: Any) -> Any:
    plain = self.detach().contiguous()
    data = memoryview(plain._to_bytes_view()).tobytes() if plain.numel() else b""
    return _rebuild, (data, self.dtype, tuple(self.shape), self.requires_grad)


def _to_bytes_view(self: Tensor) -> Any:
    import ctypes

    size = self.numel() * self.element_size()
    return (ctypes.c_char * size).from_address(self.data_ptr())


def _deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment."
        )
    result = self.detach().clone().requires_grad_(self.requires_grad)
    if self.grad is not None:
        result.grad = self.grad.detach().clone()
    memo[id(self)] = result
    return result


# ---- a Python function on every element ------------------------------------------------------------------------


def _write_mapped(name: str, target: Tensor, others: tuple[Any, ...], function: Any) -> Tensor:
    if target.requires_grad or any(other.requires_grad for other in others):
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    if not callable(function):
        raise TypeError(f"{name}(): expected a callable, got {type(function).__name__}")
    columns = [target.reshape(-1).tolist()]
    for other in others:
        if other.dtype != target.dtype:
            raise TypeError(f"{name}(): expected other of dtype {target.dtype}, got {other.dtype}")
        columns.append(other.expand(target.shape).reshape(-1).tolist())
    values = [function(*row) for row in zip(*columns)]
    return target.copy_(_C.tensor(values, dtype=target.dtype).reshape(target.shape))


def _apply(self: Tensor, callable: Any) -> Tensor:
    """Replace every element ``x`` by ``callable(x)``, one Python call each: for small tensors.

    Raises:
        RuntimeError: the tensor requires grad.

    Example:
        >>> import pydl
        >>> pydl.tensor([1.0, 2.0]).apply_(lambda x: 10 * x)
        tensor([10., 20.])
    """
    return _write_mapped("apply_", self, (), callable)


def _map(self: Tensor, tensor: Tensor, callable: Any) -> Tensor:
    """Replace every element ``x`` by ``callable(x, y)`` with ``y`` from ``tensor``, broadcast and of the same dtype.

    Raises:
        RuntimeError: one of them requires grad, or the shapes do not fit.
        TypeError: the dtypes differ.

    Example:
        >>> import pydl
        >>> pydl.tensor([1.0, 2.0]).map_(pydl.tensor([3.0, 4.0]), lambda x, y: x * y)
        tensor([3., 8.])
    """
    return _write_mapped("map_", self, (tensor,), callable)


def _map2(self: Tensor, x: Tensor, y: Tensor, callable: Any) -> Tensor:
    """As :meth:`map_` with two more tensors.

    Example:
        >>> import pydl
        >>> one = pydl.ones(2)
        >>> pydl.zeros(2).map2_(one, one, lambda a, b, c: a + b + c)
        tensor([2., 2.])
    """
    return _write_mapped("map2_", self, (x, y), callable)


# ---- hooks -----------------------------------------------------------------------------------------------------


def _handle(hooks: Any, hook: Any) -> Any:
    from pydl.utils.hooks import RemovableHandle

    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _register_hook(self: Tensor, hook: Any) -> Any:
    """Call ``hook(grad)`` when the gradient of this tensor is computed; a returned tensor replaces it.

    Returns a handle with ``remove()``.

    Raises:
        RuntimeError: if the tensor does not require grad.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 2)
        >>> (3 * x).backward()
        >>> x.grad
        tensor([6.])
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return _handle(_C._tensor_hooks(self), hook)


def _register_post_accumulate_grad_hook(self: Tensor, hook: Any) -> Any:
    """Call ``hook(param)`` after the gradient has been added to this leaf's ``grad``.

    Returns a handle with ``remove()``.

    Raises:
        RuntimeError: if the tensor does not require grad or is no leaf.

    Example:
        >>> import pydl
        >>> x = pydl.ones(1, requires_grad=True)
        >>> handle = x.register_post_accumulate_grad_hook(lambda p: print(p.grad))
        >>> (3 * x).backward()
        tensor([3.])
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return _handle(_C._post_accumulate_hooks(self), hook)


def _node_register_hook(self: Any, fn: Any) -> Any:
    """Call ``fn(grad_inputs, grad_outputs)`` after this node ran; a returned tuple replaces ``grad_inputs``."""
    return _handle(self._post_hooks(), fn)


def _node_register_prehook(self: Any, fn: Any) -> Any:
    """Call ``fn(grad_outputs)`` before this node runs; a returned tuple replaces ``grad_outputs``."""
    return _handle(self._pre_hooks(), fn)


# ---- text ------------------------------------------------------------------------------------------------------


def _repr(self: Tensor, *, tensor_contents: Any = None) -> str:
    from pydl._tensor_str import _str

    return _str(self, tensor_contents=tensor_contents)


def _format(self: Tensor, spec: str) -> str:
    if self.dim() == 0 and not self.requires_grad:
        return self.item().__format__(spec)
    return object.__format__(self, spec) if spec else str(self)


class UntypedStorage:
    """The bytes behind tensors that share memory.

    Example:
        >>> import pydl
        >>> pydl.ones(2).untyped_storage().nbytes()
        8
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor.detach()

    def _tensor_of(self, dtype: Any) -> Tensor:
        """All elements as one row."""
        whole = self._tensor.view(-1) if self._tensor.dim() == 0 else self._tensor
        count = self.nbytes() // whole.element_size()
        row = _C.functions.as_strided(whole, (count,), (1,), 0)
        return row if dtype is row.dtype else row.view(dtype)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._tensor._storage_ptr()

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._tensor._storage_nbytes()

    size = nbytes

    def element_size(self) -> int:
        """1: bytes."""
        return 1

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return self._tensor_of(_C.uint8).tolist()

    def is_shared(self) -> bool:
        """False: the memory belongs to this process."""
        return False

    @property
    def device(self) -> Any:
        """The CPU."""
        return _C.device("cpu")

    def __len__(self) -> int:
        return self.nbytes()

    def __getitem__(self, index: Any) -> Any:
        return self._tensor_of(_C.uint8)[index].tolist()


def _untyped_storage(self: Tensor) -> UntypedStorage:
    """The storage of this tensor: ``data_ptr()`` and ``nbytes()``."""
    return UntypedStorage(self)


def _complex(self: Tensor) -> complex:
    if self.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return complex(self.item())


_API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def _array_namespace(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """The namespace of the array API standard, `pydl.array_api`.

    Raises:
        ValueError: for a version of the standard that it does not follow.
    """
    if api_version is not None and api_version not in _API_VERSIONS:
        raise ValueError(f"__array_namespace__(): api_version must be one of {_API_VERSIONS}, got {api_version!r}")
    import pydl.array_api

    return pydl.array_api


def _to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """This tensor: all tensors are on the CPU.

    Raises:
        RuntimeError: for another device.
    """
    if stream is not None:
        raise ValueError(f"to_device(): the CPU has no streams, got {stream!r}")
    return _to(self, device=device)


_METHODS: dict[str, Any] = {
    "__array_namespace__": _array_namespace,
    "to_device": _to_device,
    "__complex__": _complex,
    "to": _to,
    "cuda": _cuda,
    "type": _type,
    "type_as": _type_as,
    "cpu": _cpu,
    "resolve_conj": _resolve_conj,
    "resolve_neg": _resolve_conj,
    "is_conj": _is_conj,
    "is_neg": _is_conj,
    "adjoint": _adjoint,
    "mH": property(_adjoint, doc="The conjugate transposes of matrices (*, m, n)."),
    "H": property(_h),
    "__array__": _array,
    "__array_ufunc__": _array_ufunc,
    "__array_priority__": 1000,
    "__reduce_ex__": _reduce_ex,
    "_to_bytes_view": _to_bytes_view,
    "__deepcopy__": _deepcopy,
    "apply_": _apply,
    "map_": _map,
    "map2_": _map2,
    "register_hook": _register_hook,
    "register_post_accumulate_grad_hook": _register_post_accumulate_grad_hook,
    "__repr__": _repr,
    "__format__": _format,
    "untyped_storage": _untyped_storage,
    "layout": strided,
    "__module__": "pydl",
    **{name: _conversion(name, dtype) for name, dtype in _CONVERSIONS.items()},
}


def _nonzero(self: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: a matrix, or one vector per dim with ``as_tuple``."""
    return _C.private.nonzero_tuple(self) if as_tuple else _C.functions.nonzero(self)


_METHODS["nonzero"] = _nonzero

for _name, _value in _METHODS.items():
    setattr(Tensor, _name, _value)
_C._Node.register_hook = _node_register_hook  # type: ignore[attr-defined]
_C._Node.register_prehook = _node_register_prehook  # type: ignore[attr-defined]
_C._FunctionBase.register_hook = _node_register_hook  # type: ignore[attr-defined]
_C._FunctionBase.register_prehook = _node_register_prehook  # type: ignore[attr-defined]
