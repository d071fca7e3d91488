"""Signal processing: the window functions of ``pydl.signal.windows``."""

from pydl.signal import windows

__all__ = ["windows"]
