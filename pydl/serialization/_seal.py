"""A checksum over a whole zip archive, in its comment: the entries' own leave headers and unread entries out."""

from __future__ import annotations

import os
import zlib
from typing import Any

from pydl.serialization._unpickle import Refused

_PREFIX = b"pydl crc32 "
PLACEHOLDER = _PREFIX + b"0" * 8
_CHUNK = 1 << 20


def _crc(file: Any, end: int) -> bytes:
    file.seek(0)
    crc, left = 0, end
    while left:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            raise Refused("it is cut short")
        crc = zlib.crc32(chunk, crc)
        left -= len(chunk)
    return b"%08x" % crc


def seal(file: Any) -> None:
    """Write the checksum of a finished archive whose comment is the placeholder."""
    end = file.seek(0, os.SEEK_END) - 8
    digits = _crc(file, end)
    file.seek(end)
    file.write(digits)


def check(file: Any, comment: bytes) -> None:
    """Raise Refused when the archive has a checksum that is wrong, or a comment that is none.

    Files of others have no comment; so a damaged one of ours cannot pass for theirs.
    """
    end = file.seek(0, os.SEEK_END) - len(PLACEHOLDER)
    file.seek(max(end, 0))
    tail = file.read()
    if not comment and not tail.startswith(_PREFIX):
        return
    if comment != tail or not tail.startswith(_PREFIX) or _crc(file, end + len(_PREFIX)) != tail[len(_PREFIX) :]:
        raise Refused("its checksum is wrong: the file is damaged")
