"""Process-wide settings that programs written for torch make.

One device, strided memory and deterministic algorithms are what pydl always has: such settings are accepted and told.
"""

from __future__ import annotations

import warnings
from typing import Any

from pydl import _C


def require_cpu(device: Any) -> None:
    """Raise RuntimeError unless ``device``, a name or a device, is the CPU."""
    kind = (device if isinstance(device, _C.device) else _C.device(device)).type
    if kind != "cpu":
        raise RuntimeError(f"device {kind!r} is not available: this build of pydl runs on the CPU")


__all__ = [
    "are_deterministic_algorithms_enabled", "compiled_with_cxx11_abi", "get_default_device",
    "get_deterministic_debug_mode", "get_float32_matmul_precision", "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled", "is_warn_always_enabled", "set_default_device",
    "set_default_tensor_type", "set_deterministic_debug_mode", "set_float32_matmul_precision",
    "set_flush_denormal", "set_num_interop_threads", "set_warn_always", "use_deterministic_algorithms",
]  # fmt: skip

_state: dict[str, Any] = {"deterministic": 0, "precision": "highest", "warn_always": False, "interop": None}


def get_default_device() -> Any:
    """The device of new tensors: the CPU.

    Example:
        >>> import pydl
        >>> pydl.get_default_device()
        device(type='cpu')
    """
    return _C.device("cpu")


def set_default_device(device: Any) -> None:
    """Choose the device of new tensors; there is one, the CPU.

    Raises:
        RuntimeError: for another device.

    Example:
        >>> import pydl
        >>> pydl.set_default_device("cpu")
    """
    if device is not None:
        require_cpu(device)


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by the name or the class of a tensor type, as ``'torch.DoubleTensor'``.

    Raises:
        TypeError: for a type that is not floating-point.

    Example:
        >>> import pydl
        >>> pydl.set_default_tensor_type('torch.FloatTensor')
    """
    from pydl._legacy import dtype_of_type

    dtype = dtype_of_type(t)
    if not dtype.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {t}")
    _C.set_default_dtype(dtype)


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for deterministic algorithms. All of pydl's are: results have the same bits for any number of threads.

    Example:
        >>> import pydl
        >>> pydl.use_deterministic_algorithms(True)
    """
    _state["deterministic"] = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    """Has `use_deterministic_algorithms` asked for them? They are in use in any case.

    Example:
        >>> import pydl
        >>> isinstance(pydl.are_deterministic_algorithms_enabled(), bool)
        True
    """
    return _state["deterministic"] > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Was `use_deterministic_algorithms` called with ``warn_only``?

    Example:
        >>> import pydl
        >>> isinstance(pydl.is_deterministic_algorithms_warn_only_enabled(), bool)
        True
    """
    return _state["deterministic"] == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a word or a number: default (0), warn (1), error (2).

    Raises:
        RuntimeError: for another mode.

    Example:
        >>> import pydl
        >>> pydl.set_deterministic_debug_mode("default")
    """
    modes = {"default": 0, "warn": 1, "error": 2}
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    mode = modes.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected default, warn, error or 0, 1, 2, but got {debug_mode}"
        )
    _state["deterministic"] = mode


def get_deterministic_debug_mode() -> int:
    """What `set_deterministic_debug_mode` or `use_deterministic_algorithms` set: 0, 1 or 2.

    Example:
        >>> import pydl
        >>> pydl.get_deterministic_debug_mode() in (0, 1, 2)
        True
    """
    return _state["deterministic"]


def set_float32_matmul_precision(precision: str) -> None:
    """Allow less precise matrix products: 'highest', 'high' or 'medium'. pydl computes all of them in float32.

    Example:
        >>> import pydl
        >>> pydl.set_float32_matmul_precision("high")
        >>> pydl.get_float32_matmul_precision()
        'high'
        >>> pydl.set_float32_matmul_precision("highest")
    """
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision(): expected 'highest', 'high' or 'medium', got {precision!r}")
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` set.

    Example:
        >>> import pydl
        >>> pydl.get_float32_matmul_precision()
        'highest'
    """
    return _state["precision"]


def set_flush_denormal(mode: bool) -> bool:
    """Ask that denormal numbers count as zero. Returns False: pydl always computes with them.

    Example:
        >>> import pydl
        >>> pydl.set_flush_denormal(False)
        True
        >>> pydl.set_flush_denormal(True)
        False
    """
    return not mode


def set_warn_always(b: bool, /) -> None:
    """Remember whether warnings should repeat; Python's `warnings` filters decide.

    Example:
        >>> import pydl
        >>> pydl.set_warn_always(False)
    """
    _state["warn_always"] = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` set.

    Example:
        >>> import pydl
        >>> pydl.is_warn_always_enabled()
        False
    """
    return _state["warn_always"]


def get_num_interop_threads() -> int:
    """How many ops run at the same time within one call: one, unless `set_num_interop_threads` was told otherwise.

    Example:
        >>> import pydl
        >>> pydl.get_num_interop_threads()
        1
    """
    return _state["interop"] or 1


def set_num_interop_threads(num: int, /) -> None:
    """Remember a number of threads for ops that run at the same time; pydl runs one op after the other.

    Raises:
        RuntimeError: for a number below 1, or when called twice.
    """
    if num < 1:
        raise RuntimeError(f"set_num_interop_threads(): expected a positive number of threads, got {num}")
    if _state["interop"] is not None:
        raise RuntimeError("set_num_interop_threads(): cannot be set more than once")
    _state["interop"] = num
    if num > 1:
        warnings.warn("pydl runs one op after the other: the number of interop threads has no effect", stacklevel=2)


def compiled_with_cxx11_abi() -> bool:
    """True: the core is built with the C++11 ABI.

    Example:
        >>> import pydl
        >>> pydl.compiled_with_cxx11_abi()
        True
    """
    return True
