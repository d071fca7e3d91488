"""Methods of Tensor and functions about memory, types and predicates, written in Python."""

from __future__ import annotations

from typing import Any

from pydl import _C
from pydl._C import Tensor
from pydl._settings import require_cpu
from pydl._tensor import _LEGACY_NAMES, UntypedStorage

__all__ = [
    "asarray",
    "can_cast",
    "get_device",
    "is_storage",
    "thread_safe_generator",
    "typename",
]

_ops: Any = _C.functions


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """``obj`` as a tensor that shares its memory where it can.

    Args:
        obj: a tensor, a NumPy array or scalar, an object with DLPack or the buffer protocol, a number or a sequence.
        dtype: of the result; that of ``obj`` by default.
        copy: True always copies, False never does, None copies where it must.
        requires_grad: of the result. A tensor's own graph is kept if it is True, else the result is detached.

    Raises:
        ValueError: with ``copy=False`` where a copy is needed.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([1, 2])
        >>> pydl.asarray(x).data_ptr() == x.data_ptr()
        True
    """
    if device is not None:
        require_cpu(device)
    shares = True
    if isinstance(obj, Tensor):
        result = obj
    elif type(obj).__module__ == "numpy" and hasattr(obj, "__array_interface__"):
        shares = hasattr(obj, "ndim") and type(obj).__name__ == "ndarray"
        result = _C.as_tensor(obj)
    elif hasattr(obj, "__dlpack__") and hasattr(Tensor, "__dlpack__"):
        import pydl

        result = pydl.from_dlpack(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        wanted = dtype or _C.get_default_dtype()
        result = _C.frombuffer(obj, dtype=wanted)
    else:
        shares, result = False, _C.tensor(obj, dtype=dtype)
    converted = result if dtype is None else result.to(dtype)
    if copy is False and (not shares or converted is not result):
        raise ValueError(
            "asarray(): can't alias the memory of obj: it has another dtype or no memory that can be shared"
        )
    if copy and converted is result and shares:
        converted = converted.clone()
    if isinstance(obj, Tensor) and obj.requires_grad and not requires_grad:
        converted = converted.detach()
    if requires_grad and not converted.requires_grad:
        converted = (converted.detach() if converted is obj else converted).requires_grad_()
    return converted


_KINDS = {"bool": 0, "int": 1, "float": 2, "complex": 3}


def _kind(dtype: Any) -> int:
    if dtype.is_complex:
        return 3
    if dtype.is_floating_point:
        return 2
    return 0 if dtype is _C.bool else 1


def can_cast(from_: Any, to: Any) -> bool:
    """May values of the first dtype be stored in the second, as in an in-place op?

    Example:
        >>> import pydl
        >>> pydl.can_cast(pydl.float32, pydl.int32)
        False
    """
    return _kind(from_) <= _kind(to)


def typename(obj: Any, /) -> str:
    """The name of the type of ``obj`` with its module; of a tensor that of its dtype.

    Example:
        >>> import pydl
        >>> pydl.typename(pydl.ones(1))
        'torch.FloatTensor'
    """
    if isinstance(obj, Tensor):
        return obj.type()
    kind = type(obj) if not isinstance(obj, type) and not hasattr(obj, "__qualname__") else obj
    module = getattr(kind, "__module__", None)
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module in (None, "builtins", "__builtin__") else f"{module}.{name}"


def is_storage(obj: Any, /) -> bool:
    """Is ``obj`` a storage?

    Example:
        >>> import pydl
        >>> pydl.is_storage(pydl.ones(1).storage())
        True
    """
    if isinstance(obj, UntypedStorage):
        return True
    return type(obj).__name__ == "TypedStorage" and type(obj).__module__ == "pydl._legacy"


def thread_safe_generator() -> Any:
    """The generator of a data-loader worker thread: None, outside of one and in every process of its own.

    Example:
        >>> import pydl
        >>> pydl.thread_safe_generator() is None
        True
    """
    return None


def get_device(input: Tensor) -> int:
    """The number of the device of ``input``: -1, the CPU has none.

    Example:
        >>> import pydl
        >>> pydl.get_device(pydl.ones(1))
        -1
    """
    return -1


# ---- methods ---------------------------------------------------------------------------------------------------


def _new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **_: Any
) -> Tensor:
    """A copy of ``data`` with this tensor's dtype, unless another is given.

    Example:
        >>> import pydl
        >>> pydl.tensor([1.]).new_tensor([2, 3])
        tensor([2., 3.])
    """
    if device is not None:
        require_cpu(device)
    wanted = dtype or self.dtype
    made = data.detach().clone().to(wanted) if isinstance(data, Tensor) else _C.tensor(data, dtype=wanted)
    return made.requires_grad_(requires_grad)


def _new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of this dtype from sizes (uninitialised) or values, as the constructors by type name make it."""
    from pydl._legacy import _construct

    return _construct(self.dtype, args)


def _dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dims from the outermost to the innermost in memory.

    Example:
        >>> import pydl
        >>> pydl.ones(2, 3).t().dim_order()
        (1, 0)
    """
    strides = self.stride()
    if ambiguity_check and len({s for s, n in zip(strides, self.shape) if n != 1}) < sum(n != 1 for n in self.shape):
        raise RuntimeError("dim_order(): the tensor does not have a unique dim order")
    return tuple(sorted(range(self.dim()), key=lambda d: (-strides[d], d)))


def _storage(self: Tensor) -> Any:
    """The elements behind this tensor as a `TypedStorage`."""
    from pydl._legacy import TypedStorage

    return TypedStorage(self)


def _storage_type(self: Tensor) -> Any:
    """The class of this tensor's storage."""
    import pydl

    return getattr(pydl, f"{_LEGACY_NAMES[self.dtype]}Storage")


def _false(self: Tensor, *args: Any) -> bool:
    """False: memory is neither shared between processes nor pinned."""
    return False


def _itself(self: Tensor, *args: Any) -> Tensor:
    """The tensor itself: there is no other memory to move it to."""
    return self


def _constant_false(name: str) -> property:
    return property(lambda self: False, doc=f"{name}: always False.")


_METHODS: dict[str, Any] = {
    "new_tensor": _new_tensor,
    "new": _new,
    "dim_order": _dim_order,
    "storage": _storage,
    "storage_type": _storage_type,
    "is_shared": _false,
    "is_pinned": _false,
    "is_coalesced": _false,
    "is_distributed": _false,
    "pin_memory": _itself,
    "to_dense": _itself,
    "get_device": get_device,
    "const_data_ptr": lambda self: self.data_ptr(),
    "chalf": lambda self, memory_format=None: self._to_dtype(_C.complex32),
    "dense_dim": lambda self: self.dim(),
    "sparse_dim": lambda self: 0,
    "__reversed__": lambda self: self.flip(0) if self.dim() else self,
    "__complex__": lambda self: complex(self.item()),
    **{
        f"is_{kind}": _constant_false(kind)
        for kind in ("ipu", "maia", "mkldnn", "mps", "mtia", "nested", "sparse_csr", "vulkan", "xla", "xpu")
    },
    "name": property(lambda self: None, doc="None: tensors have no names."),
    "volatile": _constant_false("volatile"),
}
for _name, _value in _METHODS.items():
    if not hasattr(Tensor, _name):
        setattr(Tensor, _name, _value)
