"""What this build is and what it found on this machine."""

from __future__ import annotations

import os
from typing import Any

from pydl import _C
from pydl._version import __version__

_ENVIRONMENT = ("PYDL_CPU_LEVEL", "PYDL_CACHE_LIMIT", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")


def config() -> dict[str, Any]:
    """Version, compiler, processor, instruction-set level, threads and the environment variables that change them."""
    return {
        "version": __version__,
        **_C.config(),
        "environment": {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    }


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print the configuration, or return it as a dict with ``mode="dicts"``.

    Raises:
        ValueError: for another mode.

    Example:
        >>> import pydl
        >>> sorted(pydl.show_config(mode="dicts"))[:2]
        ['avx512_bf16', 'avx512_vnni']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"show_config(): mode must be 'stdout' or 'dicts', got {mode!r}")
    values = config()
    if mode == "dicts":
        return values
    width = max(map(len, values))
    for name, value in values.items():
        print(f"{name:{width}}  {value}")
    return None
