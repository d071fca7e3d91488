"""What programs ask before they choose a device. This build runs on the CPU: there is none to use.

>>> pydl.device("cuda" if pydl.cuda.is_available() else "cpu")
device(type='cpu')
"""

from __future__ import annotations

from typing import Any

import pydl
from pydl.amp import GradScaler, autocast

__all__ = [
    "GradScaler",
    "OutOfMemoryError",
    "amp",
    "autocast",
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "ipc_collect",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
]

from pydl import amp

OutOfMemoryError = pydl.OutOfMemoryError


def is_available() -> bool:
    """Whether a GPU can be used: no.

    >>> pydl.cuda.is_available()
    False
    """
    return False


def is_initialized() -> bool:
    """Whether a GPU is in use: no.

    >>> pydl.cuda.is_initialized()
    False
    """
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the GPU computes in bfloat16: there is none.

    >>> pydl.cuda.is_bf16_supported()
    False
    """
    return False


def device_count() -> int:
    """Number of GPUs: 0.

    >>> pydl.cuda.device_count()
    0
    """
    return 0


def _refuse(name: str) -> Any:
    # AssertionError is what PyTorch's builds without CUDA raise.
    raise AssertionError(f"{name}(): this build of pydl runs on the CPU, there is no GPU to use")


def current_device() -> int:
    """The number of the GPU in use. Raises AssertionError: there is none.

    >>> pydl.cuda.current_device()
    Traceback (most recent call last):
    AssertionError: current_device(): this build of pydl runs on the CPU, there is no GPU to use
    """
    return _refuse("current_device")


def set_device(device: Any) -> None:
    """Chooses a GPU. Raises AssertionError unless ``device`` is negative: there is none.

    >>> pydl.cuda.set_device(-1)
    """
    if not (isinstance(device, int) and device < 0):
        _refuse("set_device")


def get_device_name(device: Any = None) -> str:
    """The name of a GPU. Raises AssertionError: there is none.

    >>> pydl.cuda.get_device_name()
    Traceback (most recent call last):
    AssertionError: get_device_name(): this build of pydl runs on the CPU, there is no GPU to use
    """
    return _refuse("get_device_name")


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The version of a GPU. Raises AssertionError: there is none.

    >>> pydl.cuda.get_device_capability()
    Traceback (most recent call last):
    AssertionError: get_device_capability(): this build of pydl runs on the CPU, there is no GPU to use
    """
    return _refuse("get_device_capability")


def get_device_properties(device: Any = None) -> Any:
    """What is known of a GPU. Raises AssertionError: there is none.

    >>> pydl.cuda.get_device_properties(0)
    Traceback (most recent call last):
    AssertionError: get_device_properties(): this build of pydl runs on the CPU, there is no GPU to use
    """
    return _refuse("get_device_properties")


def synchronize(device: Any = None) -> None:
    """Waits for a GPU. Raises AssertionError: there is none.

    >>> pydl.cuda.synchronize()
    Traceback (most recent call last):
    AssertionError: synchronize(): this build of pydl runs on the CPU, there is no GPU to use
    """
    _refuse("synchronize")


def manual_seed(seed: int) -> None:
    """Seeds a GPU's generator: nothing to do.

    >>> pydl.cuda.manual_seed(1)
    """


def manual_seed_all(seed: int) -> None:
    """Seeds all GPUs' generators: nothing to do.

    >>> pydl.cuda.manual_seed_all(1)
    """


def empty_cache() -> None:
    """Gives a GPU's unused memory back: nothing to do. `pydl.empty_cache` is that of the CPU.

    >>> pydl.cuda.empty_cache()
    """


def ipc_collect() -> None:
    """Frees GPU memory that processes shared. Raises AssertionError: there is none.

    >>> pydl.cuda.ipc_collect()
    Traceback (most recent call last):
    AssertionError: ipc_collect(): this build of pydl runs on the CPU, there is no GPU to use
    """
    _refuse("ipc_collect")


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forgets the largest use of GPU memory: nothing to do.

    >>> pydl.cuda.reset_peak_memory_stats()
    """


def memory_allocated(device: Any = None) -> int:
    """Bytes of GPU memory in use: 0.

    >>> pydl.cuda.memory_allocated()
    0
    """
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The largest number of bytes of GPU memory in use: 0.

    >>> pydl.cuda.max_memory_allocated()
    0
    """
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes of GPU memory taken from the system: 0.

    >>> pydl.cuda.memory_reserved()
    0
    """
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The largest number of bytes of GPU memory taken from the system: 0.

    >>> pydl.cuda.max_memory_reserved()
    0
    """
    return 0
