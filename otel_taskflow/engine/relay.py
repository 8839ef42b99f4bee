"""The lines of a worker process on their way into the journal of the process that it works for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from otel_taskflow.journal.mark import Mark, read_mark
from otel_taskflow.journal.neighbour import NeighbourReader
from otel_taskflow.journal.reader import DeadReader

RELAYED_NAME = "relayed"
"""A file in the worker's journal: the last of its records that was brought. The worker keeps what comes after it."""
STRETCH = 200
"""Lines at once."""

Take = Callable[[bytes], object]
"""Appends a line; called with its record."""


class Relay:
    """Brings each line once, in order. For one thread."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError if there is no journal."""
        self._folder = folder
        self._reader = NeighbourReader(folder)
        self._mark = Mark(folder / RELAYED_NAME)

    def bring(self, take: Take) -> None:
        """All that the living worker has written up to now."""
        end = self._reader.end
        while self._reader.at < end and (records := self._reader.read(STRETCH)):
            for record in records:
                take(record.payload)
            self._mark.move(records[-1].seq)

    def bring_rest(self, take: Take) -> None:
        """All that a dead worker has left."""
        for payload in rest_of(self._folder, DeadReader(self._folder)):
            take(payload)


def rest_of(folder: Path, reader: DeadReader) -> Iterator[bytes]:
    """The records of a dead worker that nobody has brought yet."""
    return (record.payload for record in reader.records(read_mark(folder / RELAYED_NAME)))
