"""Names that PyTorch's file format uses.

The layout is that of ``torch.save`` since 1.6: a zip archive of stored entries, ``<root>/data.pkl`` with the objects
and ``<root>/data/<key>`` with the bytes of each storage.
"""

from __future__ import annotations

from typing import Any

import pydl

ALIGNMENT = 64

# Storage classes by dtype; the newer dtypes have none and are stored as bytes with their dtype beside them.
STORAGE_CLASSES: dict[str, Any] = {
    "FloatStorage": pydl.float32,
    "DoubleStorage": pydl.float64,
    "HalfStorage": pydl.float16,
    "BFloat16Storage": pydl.bfloat16,
    "LongStorage": pydl.int64,
    "IntStorage": pydl.int32,
    "ShortStorage": pydl.int16,
    "CharStorage": pydl.int8,
    "ByteStorage": pydl.uint8,
    "BoolStorage": pydl.bool,
    "ComplexFloatStorage": pydl.complex64,
    "ComplexDoubleStorage": pydl.complex128,
}
CLASS_OF_DTYPE = {dtype: name for name, dtype in STORAGE_CLASSES.items()}

DTYPE_NAMES = (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
)  # fmt: skip
# PyTorch writes a dtype under one name, but its aliases may appear as well.
DTYPE_ALIASES = {
    "float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
    "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip


def dtype_named(name: str) -> Any:
    """The dtype of that name, or ``None``."""
    name = DTYPE_ALIASES.get(name, name)
    return getattr(pydl, name) if name in DTYPE_NAMES else None
