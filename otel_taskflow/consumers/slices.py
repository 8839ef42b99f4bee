"""Records as slices of events: the one decode step, used for live and dead journals alike."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from otel_taskflow.consumers.pace import STRETCH, rest
from otel_taskflow.events import Event, LinesCounted, TaskLogged
from otel_taskflow.journal.codec import decode, decode_prefix, is_line, line_prefix, log_prefix
from otel_taskflow.journal.reader import Record
from otel_taskflow.ports import JournalHeader, JournalSlice

SLICE = 200
"""Events at once: what a transaction carries."""

LINES_AT_ONCE = 20_000
"""Records at once where lines are only counted."""
SCAN = 500
"""Records that are looked at without a rest where most are not decoded."""

LEFT_OUT = 10_000
"""Records left out that are remembered, so that each is counted once although several readers come to it."""

_logger = logging.getLogger("otel_taskflow")


class Reader(Protocol):
    """Reads a journal behind its writer."""

    @property
    def at(self) -> int:
        """Sequence number of the last record read."""

    def read(self, limit: int) -> list[Record]:
        """At most ``limit`` records after ``at``."""


class Decoder:
    """Decodes records and passes each event through ``step`` (redaction of values).

    Args:
        read: Decodes a journal whose records are others than events. Raises JournalError for what it cannot read.
        size: Events of a live journal's slice.
        pause: Called between stretches of a live journal's slice.
    """

    def __init__(
        self,
        step: Callable[[Event], Event] = lambda event: event,
        read: Callable[[bytes], Any] = decode,
        *,
        size: int = SLICE,
        pause: Callable[[], None] = rest,
    ) -> None:
        self._step = step
        self._read = read
        self._size = size
        self._pause = pause
        self.dropped: Counter[str] = Counter()
        self._left_out: set[tuple[str, int]] = set()

    def next_slice(self, header: JournalHeader, reader: Reader) -> JournalSlice | None:
        """The next slice of a live journal; None if there is nothing new."""
        after, events = reader.at, []
        while reader.at - after < self._size and (records := reader.read(STRETCH)):
            events += self._events_of(header, records)
            if len(records) == STRETCH:
                self._pause()
        return JournalSlice(header, after + 1, reader.at, events) if reader.at > after else None

    def slices_of(self, header: JournalHeader, records: Iterable[Record], after: int) -> Iterator[JournalSlice]:
        """All slices of a dead journal, whose ``records`` are those after the sequence number ``after``."""
        records = iter(records)
        while piece := list(islice(records, SLICE)):
            yield JournalSlice(header, after + 1, piece[-1].seq, self._events_of(header, piece), live=False)
            after = piece[-1].seq
            rest()

    def lines_of(self, header: JournalHeader, records: Iterable[Record], after: int) -> Iterator[JournalSlice]:
        """As ``slices_of``, the lines only."""
        return self.slices_of(header, (record for record in _scan(records) if is_line(record.payload)), after)

    def states_of(self, header: JournalHeader, records: Iterable[Record], after: int) -> Iterator[JournalSlice]:
        """As ``slices_of``, with the lines counted instead of decoded, so that a slice may span very many of them."""
        scanned = _scan(records)
        while (piece := self._next_states(header, islice(scanned, LINES_AT_ONCE), after)) is not None:
            yield piece
            after = piece.last

    def _next_states(self, header: JournalHeader, records: Iterable[Record], after: int) -> JournalSlice | None:
        events: list[tuple[int, Event]] = []
        lines, last = _Lines(), after
        for record in records:
            last = record.seq
            prefix = line_prefix(record.payload)
            if prefix is not None:
                lines.add(prefix, last)
            elif type(event := self._decode(header, record)) is TaskLogged:
                lines.add(log_prefix(event.task_id, event.attempt), last)
            elif event is not None:
                events += [*lines.take(), (last, event)]
            if len(events) >= SLICE:
                break
        events += lines.take()
        return JournalSlice(header, after + 1, last, events, live=False) if last > after else None

    def _events_of(self, header: JournalHeader, records: Iterable[Record]) -> list[tuple[int, Event]]:
        """A record that cannot be read is counted and left out."""
        return [(record.seq, event) for record in records if (event := self._decode(header, record)) is not None]

    def _decode(self, header: JournalHeader, record: Record) -> Event | None:
        try:
            return self._step(self._read(record.payload))
        except Exception as error:  # noqa: BLE001 - one record, whatever is wrong with it, must not hold up the others
            self._leave_out((header.journal_id, record.seq), error)
            return None

    def _leave_out(self, record: tuple[str, int], error: Exception) -> None:
        if record in self._left_out:
            return
        if len(self._left_out) < LEFT_OUT:
            self._left_out.add(record)
        if not self.dropped["unreadable"]:
            _logger.warning("otel_taskflow: record %d of a journal is left out: %s", record[1], error)
        self.dropped["unreadable"] += 1


def _scan(records: Iterable[Record]) -> Iterator[Record]:
    """The records, with rests."""
    for number, record in enumerate(records, 1):
        yield record
        if number % SCAN == 0:
            rest()


def part_after(piece: JournalSlice, seq: int) -> JournalSlice:
    """The part of a slice behind this event: what is before may have been taken already."""
    if piece.first > seq:
        return piece
    return piece._replace(first=seq + 1, events=[each for each in piece.events if each[0] > seq])


def part_until(piece: JournalSlice, seq: int) -> JournalSlice:
    """The part of a slice up to this event."""
    if piece.last <= seq:
        return piece
    return piece._replace(last=seq, events=[each for each in piece.events if each[0] <= seq])


class _Lines:
    """Counts lines by what they begin with."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self._last: dict[bytes, int] = {}

    def add(self, prefix: bytes, seq: int) -> None:
        """One more."""
        self._counts[prefix] += 1
        self._last[prefix] = seq

    def take(self) -> list[tuple[int, Event]]:
        """What stands for the lines so far, each at the place of the last that it counts; begins to count anew."""
        counts, self._counts = self._counts, Counter()
        keys = {decode_prefix(prefix): (self._last[prefix], number) for prefix, number in counts.items()}
        return sorted((seq, LinesCounted(*key, number)) for key, (seq, number) in keys.items() if key is not None)
