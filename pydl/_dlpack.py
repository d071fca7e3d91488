"""DLPack in both directions: ``Tensor.__dlpack__``, ``Tensor.__dlpack_device__`` and `from_dlpack`."""

from __future__ import annotations

import enum
from typing import Any

from pydl import _C
from pydl._C import Tensor
from pydl._settings import require_cpu

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """The kinds of devices of the protocol; tensors of pydl are on the first."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14


_CPU = (DLDeviceType.kDLCPU, 0)


def _check_exportable(t: Tensor) -> None:
    if t.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")


def dlpack(
    self: Tensor, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
) -> Any:
    """A DLPack capsule of this tensor's memory, to be consumed once.

    ``max_version`` (major, minor) is what the consumer understands: from (1, 0) on the capsule is versioned and says
    whether the memory is read-only. ``dl_device`` must be the CPU, ``stream`` None; ``copy`` True asks for a copy.

    Raises:
        BufferError: if the memory cannot be given away like that; tensors that require grad must be detached.

    Example:
        >>> import pydl
        >>> type(pydl.ones(2).__dlpack__()).__name__
        'PyCapsule'
    """
    _check_exportable(self)
    if stream is not None and stream != -1:
        raise RuntimeError(f"__dlpack__(): stream should be None on cpu, got {stream!r}")
    if dl_device is not None and tuple(dl_device) != _CPU:
        raise BufferError(f"__dlpack__(): dl_device must be (1, 0), the CPU, got {tuple(dl_device)}")
    versioned = max_version is not None and max_version[0] >= 1
    source = self.clone() if copy else self
    return _C._to_dlpack(source, versioned, bool(copy))


def dlpack_device(self: Tensor) -> tuple[DLDeviceType, int]:
    """The DLPack type and number of the device: (1, 0), the CPU.

    Example:
        >>> import pydl
        >>> tuple(map(int, pydl.ones(2).__dlpack_device__()))
        (1, 0)
    """
    return _CPU


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule without version, for consumers of DLPack 0.x; see `from_dlpack` for the other direction.

    Raises:
        BufferError: for a tensor that requires grad.

    Example:
        >>> import pydl
        >>> pydl.from_dlpack(pydl.to_dlpack(pydl.ones(2)))
        tensor([1., 1.])
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack(): argument 'tensor' must be Tensor, not {type(tensor).__name__}")
    return dlpack(tensor)


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of an array of another library, or of a DLPack capsule.

    Read-only memory, negative strides and memory that is not aligned are copied, ``copy`` True always copies, False
    never: then what would need it raises.

    Raises:
        BufferError: for memory that is not the CPU's, an unsupported type, or a copy that was forbidden.
        RuntimeError: for an object without ``__dlpack__`` or a capsule that was consumed before.

    Example:
        >>> import numpy as np, pydl
        >>> a = np.zeros(2)
        >>> pydl.from_dlpack(a)[0] = 5
        >>> print(a)
        [5. 0.]
    """
    if device is not None and not (isinstance(device, tuple) and device == tuple(_CPU)):
        require_cpu(device)
    if not hasattr(ext_tensor, "__dlpack__"):
        return _C._from_dlpack(ext_tensor, copy)
    if hasattr(ext_tensor, "__dlpack_device__"):
        kind = ext_tensor.__dlpack_device__()[0]
        if int(kind) != DLDeviceType.kDLCPU:
            raise BufferError(f"from_dlpack(): expected memory of the CPU (device type 1), got device type {int(kind)}")
    wanted: dict[str, Any] = {"max_version": (1, 0)}
    if copy is not None:
        wanted["copy"] = copy
    try:
        capsule = ext_tensor.__dlpack__(**wanted)
    except TypeError:  # a producer of DLPack 0.x, which knows none of the arguments
        capsule = ext_tensor.__dlpack__()
        return _C._from_dlpack(capsule, copy)
    return _C._from_dlpack(capsule, None if copy else copy)  # asked for a copy, the producer made it


Tensor.__dlpack__ = dlpack  # type: ignore[attr-defined]
Tensor.__dlpack_device__ = dlpack_device  # type: ignore[attr-defined]
