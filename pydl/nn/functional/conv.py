"""Convolutions."""

from __future__ import annotations

import pydl

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "conv_tbc"]

conv1d = pydl.conv1d
conv2d = pydl.conv2d
conv3d = pydl.conv3d
conv_tbc = pydl.conv_tbc
conv_transpose1d = pydl.conv_transpose1d
conv_transpose2d = pydl.conv_transpose2d
conv_transpose3d = pydl.conv_transpose3d
