"""Reading the journal of another process while that process writes it."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from otel_taskflow.journal.frame import Frame, read_frame
from otel_taskflow.journal.mark import END_NAME, Mark
from otel_taskflow.journal.reader import NOWHERE, Record, first_seq


class NeighbourReader:
    """Reads behind a writer in another process, which keeps what this reader has not read. For one thread."""

    def __init__(self, folder: Path, after: int = 0) -> None:
        """Begin behind the record ``after``. Raises OSError if there is no such journal."""
        self._folder = folder
        self._end = Mark(folder / END_NAME)
        self._passed: set[Path] = set()
        self._view: memoryview | None = None
        self._position = 0
        self.at = after
        """Sequence number of the last record read."""

    @property
    def end(self) -> int:
        """Sequence number of the last record that was written."""
        return self._end.value

    def read(self, limit: int) -> list[Record]:
        """At most ``limit`` records after ``at``. Raises OSError."""
        records: list[Record] = []
        end = self.end
        while len(records) < limit and self.at < end and (frame := self._next_frame()) is not None:
            seq, payload, self._position = frame
            if seq > self.at:
                self.at = seq
                records.append(Record(seq, payload))
        return records

    def _next_frame(self) -> Frame | None:
        frame = None if self._view is None else read_frame(self._view, self._position)
        if frame is None and self._go_on():
            frame = None if self._view is None else read_frame(self._view, self._position)
        return frame

    def _go_on(self) -> bool:
        """Open the segment with the next record; False if it is not there yet."""
        ahead = {path: first_seq(path) for path in sorted(self._folder.glob("*.seg")) if path not in self._passed}
        path = min(ahead, key=ahead.__getitem__, default=None)
        if path is None or ahead[path] == NOWHERE:
            return False
        self._passed.add(path)
        self._view, self._position = memoryview(_mapped(path)), 0
        return True


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
