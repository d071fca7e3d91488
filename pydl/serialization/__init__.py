"""Saving and loading, in PyTorch's file format. The machinery is imported on first use."""

from __future__ import annotations

from typing import Any

import pydl

__all__ = ["SerializationError", "load", "save"]

SerializationError = pydl.SerializationError


def save(
    obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: int = 2, _use_new_zipfile_serialization: bool = True
) -> None:
    """Write tensors, and containers and numbers around them, to a file that PyTorch can read as well.

    A path is replaced only when everything is written: a failed save leaves the old file. Tensors that share memory
    share it in the file too.

    Args:
        obj: usually a state dict.
        f: a path, or an object with ``write``.
        pickle_module, pickle_protocol: accepted; the format fixes protocol 2.

    Example:
        >>> import io, pydl
        >>> file = io.BytesIO()
        >>> pydl.save({"w": pydl.ones(2)}, file)
        >>> pydl.load(io.BytesIO(file.getvalue()))
        {'w': tensor([1., 1.])}
    """
    from pydl.serialization._write import write_file

    write_file(obj, f)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read a file written by :func:`save` or by PyTorch.

    Args:
        f: a path, or an object with ``read`` and ``seek``.
        map_location: ``None`` or a name of the CPU.
        weights_only: only tensors, containers and numbers are built and nothing in the file can run. ``False``
            unpickles any object, which runs what the file says: for files you trust only. Default: ``True``.
        mmap: accepted; files are read into memory.

    Raises:
        SerializationError: the file is damaged, hostile, not of this format, or holds other objects than allowed.

    Example: see :func:`save`.
    """
    from pydl.serialization._read import read_file

    if map_location is not None and not callable(map_location) and not isinstance(map_location, dict):
        device = pydl.device(map_location)
        if device.type != "cpu":
            raise RuntimeError(f"load(): map_location must be the CPU, got {map_location!r}")
    return read_file(f, weights_only is not False)
