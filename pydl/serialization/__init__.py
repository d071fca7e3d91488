"""Saving and loading, in PyTorch's file format. The machinery is imported on first use."""

from __future__ import annotations

from typing import Any

import pydl
from pydl.serialization._safe import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals

__all__ = [
    "SerializationError",
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "load_safetensors",
    "safe_globals",
    "save",
    "save_safetensors",
]

SerializationError = pydl.SerializationError


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    *,
    fsync: bool = True,
) -> None:
    """Write tensors, and containers and numbers around them, to a file that PyTorch can read as well.

    A path is replaced only when everything is written: a failed save, or a process that is killed meanwhile, leaves
    the old file. Tensors that share memory share it in the file too. ``load`` verifies a checksum over the whole file.

    Args:
        obj: usually a state dict; for paths that end in ``.safetensors`` or ``.npz``, which are written in those
            formats, a dictionary of tensors.
        f: a path, or an object with ``write``.
        pickle_module, pickle_protocol: accepted; the format fixes protocol 2.
        fsync: wait until the disk has the file, so that it survives a power failure too. Default: ``True``.

    Raises:
        TypeError: tensors or objects that the format cannot hold. OSError: the file cannot be written.

    Example:
        >>> import io, pydl
        >>> file = io.BytesIO()
        >>> pydl.save({"w": pydl.ones(2)}, file)
        >>> pydl.load(io.BytesIO(file.getvalue()))
        {'w': tensor([1., 1.])}
    """
    from pydl.serialization._write import write_file

    write_file(obj, f, fsync)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read a file written by :func:`save` or by PyTorch (all versions since 0.4), a safetensors or an npz file.

    The first bytes of the file tell which it is.

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


def save_safetensors(tensors: Any, f: Any, metadata: dict[str, str] | None = None, *, fsync: bool = True) -> None:
    """Write a dictionary of tensors as a safetensors file; as :func:`save`, it is replaced whole or not at all.

    Args:
        tensors: by name. The format keeps neither strides nor sharing.
        f: a path, or an object with ``write``.
        metadata: text by name; a checksum is added.
        fsync: wait until the disk has the file. Default: ``True``.

    Raises:
        TypeError: other objects, or a dtype that the format lacks (complex128).

    Example:
        >>> import io, pydl
        >>> file = io.BytesIO()
        >>> pydl.serialization.save_safetensors({"w": pydl.ones(2)}, file, {"epoch": "3"})
        >>> pydl.serialization.load_safetensors(io.BytesIO(file.getvalue()))
        ({'w': tensor([1., 1.])}, {'epoch': '3'})
    """
    from pydl.serialization import _safetensors
    from pydl.serialization._write import write_file

    write_file(tensors, f, fsync, lambda obj, file, _: _safetensors.write(obj, file, metadata))


def load_safetensors(f: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Args:
        f: a path, or an object with ``read``.

    Raises:
        SerializationError: the file is damaged, or breaks a rule of the format.

    Example: see :func:`save_safetensors`.
    """
    from pydl.serialization._read import read_safetensors

    return read_safetensors(f)


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names of classes and functions in a file which ``weights_only=True`` would refuse, without using any.

    Args:
        f: a path, or an object with ``read`` and ``seek``, of a file in PyTorch's zip format.

    Raises:
        SerializationError: the file is damaged or of another format.

    Example:
        >>> import fractions, io, pickle, pydl, zipfile
        >>> file = io.BytesIO()
        >>> with zipfile.ZipFile(file, "w") as archive:
        ...     archive.writestr("archive/data.pkl", pickle.dumps(fractions.Fraction(1, 2), protocol=2))
        >>> pydl.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(file.getvalue()))
        ['fractions.Fraction']
    """
    from pydl.serialization._read import unsafe_names

    return unsafe_names(f)
