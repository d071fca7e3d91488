"""Switches of NVIDIA's cuDNN, which this build does not use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["allow_tf32", "benchmark", "deterministic", "enabled", "flags", "is_available", "version"]

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether cuDNN can be used: no.

    >>> pydl.backends.cudnn.is_available()
    False
    """
    return False


def version() -> None:
    """The version of cuDNN: None.

    >>> pydl.backends.cudnn.version() is None
    True
    """


@contextlib.contextmanager
def flags(
    enabled: bool = False, benchmark: bool = False, deterministic: bool = False, allow_tf32: bool = True
) -> Iterator[None]:
    """A context with other switches.

    >>> with pydl.backends.cudnn.flags(enabled=True, benchmark=True):
    ...     print(pydl.backends.cudnn.benchmark)
    True
    """
    before = {name: globals()[name] for name in ("enabled", "benchmark", "deterministic", "allow_tf32")}
    globals().update(enabled=enabled, benchmark=benchmark, deterministic=deterministic, allow_tf32=allow_tf32)
    try:
        yield
    finally:
        globals().update(before)
