"""DLPack under torch.utils' name."""

from pydl import from_dlpack, to_dlpack
from pydl._dlpack import DLDeviceType

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]
