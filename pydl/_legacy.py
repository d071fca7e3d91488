"""What torch had before dtypes and still has: constructors by type name, typed storages."""

from __future__ import annotations

from typing import Any

from pydl import _C
from pydl._C import Tensor
from pydl._settings import require_cpu
from pydl._tensor import _LEGACY_NAMES, UntypedStorage

_TYPES: dict[str, Any] = {f"{name}Tensor": dtype for dtype, name in _LEGACY_NAMES.items()}
NAMES = tuple(
    f"{name}{kind}"
    for name in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
    for kind in ("Tensor", "Storage")
) + ("ComplexFloatStorage", "ComplexDoubleStorage")


class _TypeMeta(type):
    """Makes ``isinstance(t, pydl.FloatTensor)`` a question about the dtype."""

    dtype: Any

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype


class _StorageMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is getattr(cls, "dtype", instance.dtype)


def _construct(dtype: Any, args: tuple[Any, ...]) -> Tensor:
    """Sizes give uninitialised memory, a sequence or an array its values, a tensor or a storage itself."""
    if len(args) == 1:
        given = args[0]
        if isinstance(given, Tensor):
            if given.dtype is not dtype:
                raise TypeError(f"expected {_LEGACY_NAMES[dtype]}Tensor (got {_LEGACY_NAMES[given.dtype]}Tensor)")
            return given.detach()
        if isinstance(given, (TypedStorage, UntypedStorage)):
            return given._tensor_of(dtype)
        if isinstance(given, _C.Size):
            return _C.functions.empty(given, dtype=dtype)
        if not isinstance(given, int):
            return _C.tensor(given, dtype=dtype)
    return _C.functions.empty(args or (0,), dtype=dtype)


def _new(cls: Any, *args: Any, device: Any = None) -> Tensor:
    if device is not None:
        require_cpu(device)
    return _construct(cls.dtype, args)


class TypedStorage:
    """The elements behind tensors that share memory, as one row of a dtype.

    Example:
        >>> import pydl
        >>> pydl.tensor([[1, 2], [3, 4]]).storage().tolist()
        [1, 2, 3, 4]
    """

    def __init__(self, tensor: Tensor) -> None:
        self._bytes = UntypedStorage(tensor)
        self.dtype = tensor.dtype

    def _tensor_of(self, dtype: Any = None) -> Tensor:
        return self._bytes._tensor_of(self.dtype)

    def untyped(self) -> UntypedStorage:
        """The bytes."""
        return self._bytes

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._bytes.data_ptr()

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._bytes.nbytes()

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    def size(self) -> int:
        """The number of elements."""
        return self.nbytes() // self.element_size()

    def __len__(self) -> int:
        return self.size()

    def __getitem__(self, index: Any) -> Any:
        found = self._tensor_of()[index]
        return found.item() if found.dim() == 0 else TypedStorage(found.clone())

    def __setitem__(self, index: Any, value: Any) -> None:
        self._tensor_of()[index] = value

    def __iter__(self) -> Any:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        return self._tensor_of().tolist()

    def clone(self) -> TypedStorage:
        """A copy with memory of its own."""
        return TypedStorage(self._tensor_of().clone())

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element."""
        self._tensor_of().fill_(value)
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> TypedStorage:
        """Write the elements of another storage of the same length."""
        self._tensor_of().copy_(source._tensor_of())
        return self

    def is_shared(self) -> bool:
        """False: the memory belongs to this process."""
        return False

    def cpu(self) -> TypedStorage:
        """The storage itself."""
        return self

    @property
    def device(self) -> Any:
        """The CPU."""
        return _C.device("cpu")

    def __repr__(self) -> str:
        rows = "\n ".join(map(str, self.tolist()))
        return f" {rows}\n[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size {len(self)}]"


def _storage_class(name: str, dtype: Any) -> Any:
    def make(cls: Any, size: int = 0) -> TypedStorage:
        return TypedStorage(_C.functions.empty((size,), dtype=dtype))

    return _StorageMeta(
        name, (), {"dtype": dtype, "__new__": make, "__module__": "torch", "__doc__": f"Storages of {dtype}."}
    )


def get(name: str) -> Any:
    """The class of one of `NAMES`."""
    kind = "Tensor" if name.endswith("Tensor") else "Storage"
    dtype = _TYPES[name.removesuffix(kind) + "Tensor"]
    if kind == "Storage":
        return _storage_class(name, dtype)
    doc = f"``pydl.{name}(sizes or values)``: a tensor of {dtype}; isinstance asks for the dtype."
    return _TypeMeta(name, (), {"dtype": dtype, "__new__": _new, "__module__": "torch", "__doc__": doc})


def dtype_of_type(t: Any) -> Any:
    """The dtype of a type name ('torch.FloatTensor'), of a class of `NAMES`, or a dtype itself."""
    if isinstance(t, _C.dtype):
        return t
    if isinstance(t, str):
        name = t.rpartition(".")[2]
        if t.partition(".")[0] not in ("torch", "pydl") or name not in _TYPES:
            raise TypeError(f"invalid type name: {t!r}")
        return _TYPES[name]
    if hasattr(t, "dtype"):
        return t.dtype
    raise TypeError(f"invalid type object: {t!r}")
