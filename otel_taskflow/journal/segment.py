"""One file of a journal: a fixed-size memory map, written from front to back.

What was copied into a shared map survives the death of its process like what was handed to ``write``, and copying keeps the
interpreter lock, so a writer is not sent to the end of the queue with every line.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

from otel_taskflow.journal.frame import HEADER, pack
from otel_taskflow.journal.space import take_space

SIZE = 4 * 1024 * 1024

_POPULATE = getattr(mmap, "MAP_POPULATE", 0)


class Segment:
    """A map, with or without a file behind it. ``first`` is the sequence number of its first record, set by the writer."""

    __slots__ = ("buffer", "first", "is_distrusted", "is_full", "path", "size", "start")

    def __init__(self, buffer: mmap.mmap, path: Path | None, size: int) -> None:
        self.buffer = buffer
        self.path = path
        self.size = size
        self.first = 0
        self.start = 0
        """Where the first record begins, after the header."""
        self.is_full = False
        """True once the writer has gone on to the next segment."""
        self.is_distrusted = False
        """True once the disk could not make it safe."""

    def write_header(self, header: bytes) -> int:
        """Put the journal's header in front, as record 0; returns where the first event goes."""
        record = pack(0, header)
        self.buffer[: len(record)] = record
        self.start = len(record)
        return self.start

    def remove(self) -> None:
        """Delete the file; one that cannot be deleted goes with the journal. A reader's map stays valid until it is dropped."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()

    def sync(self) -> bool:
        """Make it safe against a power cut; False if it is in memory only."""
        if self.path is None:
            return False
        self.buffer.flush()
        return True


def create_segment(path: Path | None, needed: int = 0) -> Segment:
    """Make a segment whose disk space is taken already; anonymous memory without a path. Raises OSError (disk full)."""
    size = max(SIZE, needed + 2 * HEADER.size)
    if path is None:
        return Segment(mmap.mmap(-1, size), None, size)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        take_space(descriptor, size)
        buffer = mmap.mmap(descriptor, size, mmap.MAP_SHARED | _POPULATE)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return Segment(buffer, path, size)


def segment_name(number: int) -> str:
    """File name of the segment."""
    return f"{number:08d}.seg"
