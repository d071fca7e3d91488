"""The processor."""

from __future__ import annotations

import pydl

__all__ = ["get_cpu_capability"]


def get_cpu_capability() -> str:
    """The instruction set of the kernels in use: 'DEFAULT', 'AVX2' or 'AVX512'.

    >>> pydl.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512")
    True
    """
    level = pydl.show_config(mode="dicts")["cpu_level"]  # type: ignore[index]
    return "DEFAULT" if level == "baseline" else level.upper()
