"""A number in a file of its own, which one process moves and others read at any time."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

from otel_taskflow.journal.space import take_space

END_NAME = "end"
"""Of the mark in a journal's folder that says the number of its last record."""

_SIZE = 8


class Mark:
    """The moving end. What was set is in the file at once, also if this process dies.

    ``cell[0] = number`` moves it too, where every nanosecond counts. Either is one store of the processor: whoever looks at that
    moment, or finds the file of a process that was killed in it, sees the old number or the new one. ``Struct.pack_into`` is
    none of that: it writes zeros first.
    """

    def __init__(self, path: Path | None) -> None:
        """Make the file, or take the one that is there with the number it has; in memory without a path. Raises OSError."""
        self.cell = memoryview(_map(path)).cast("Q")

    @property
    def value(self) -> int:
        """The number."""
        number: int = self.cell[0]
        return number

    def move(self, value: int) -> None:
        """Set the number."""
        self.cell[0] = value


def read_mark(path: Path) -> int:
    """The number in the file; 0 if there is none."""
    try:
        return number_in(path)
    except OSError:
        return 0


def read_end(folder: Path) -> int:
    """Sequence number of the last record of a journal, as its writer says. Raises OSError."""
    return number_in(folder / END_NAME)


def number_in(path: Path) -> int:
    """The number in the file. Raises OSError if it cannot be read."""
    return int.from_bytes(path.read_bytes()[:_SIZE], sys.byteorder)


def _map(path: Path | None) -> mmap.mmap:
    if path is None:
        return mmap.mmap(-1, _SIZE)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size < mmap.PAGESIZE:
            take_space(descriptor, mmap.PAGESIZE)
        return mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED)
    finally:
        os.close(descriptor)
