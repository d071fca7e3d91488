"""Finding the forward operation behind a bad gradient."""

from __future__ import annotations

from typing import Any

import pydl

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:
    """Switch anomaly detection on or off; the call acts at once, and undoes itself as a context manager.

    While it is on, forward operations remember where they were called and an error or NaN in backward names that line.

    Args:
        mode: ``True`` for on.
        check_nan: whether a NaN in a gradient is an error. Default: ``True``.

    Example:
        >>> import pydl
        >>> with pydl.autograd.set_detect_anomaly(True):
        ...     pydl.is_anomaly_enabled()
        True
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._previous = (pydl.is_anomaly_enabled(), pydl.is_anomaly_check_nan_enabled())
        pydl.set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pydl.set_anomaly_enabled(*self._previous)


class detect_anomaly(set_detect_anomaly):
    """Anomaly detection inside the block; slow, for debugging only.

    Args:
        check_nan: whether a NaN in a gradient is an error. Default: ``True``.

    Example:
        >>> import pydl
        >>> with pydl.autograd.detect_anomaly():
        ...     pydl.is_anomaly_enabled()
        True
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._wanted = check_nan

    def __enter__(self) -> Any:
        super().__init__(True, self._wanted)
