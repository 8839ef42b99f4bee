"""A number in a file of its own, which one process moves and others read at any time."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from struct import Struct

_NUMBER = Struct("<Q")


class Mark:
    """The moving end. What was set is in the file at once, also if this process dies."""

    def __init__(self, path: Path) -> None:
        """Make the file, or take the one that is there with the number it has. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, mmap.PAGESIZE)
            self._map = mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED)
        finally:
            os.close(descriptor)

    @property
    def value(self) -> int:
        """The number."""
        return int(_NUMBER.unpack_from(self._map)[0])

    def move(self, value: int) -> None:
        """Set the number."""
        _NUMBER.pack_into(self._map, 0, value)


def read_mark(path: Path) -> int:
    """The number in the file; 0 if there is none."""
    try:
        data = path.read_bytes()
    except OSError:
        return 0
    return int(_NUMBER.unpack_from(data)[0]) if len(data) >= _NUMBER.size else 0
